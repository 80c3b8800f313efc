"""The answer to a question or label that names a thing: "SCAN? No", "SCAN (Y/N): N", "SCAN (no)", "SCAN - n/a"."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from . import asking_words, cue_words, forms
from .cues import Standing
from .gaps import COLON, COMMA, DASH, HARD, PAREN, QUESTION, SLASH
from .reading import Part
from .words import Passage

_REACH: Final = 8  # words of the question behind the mention
_ANSWERS: Final = cue_words.YES | cue_words.NO
#: Words of the question that go on with the mention.
_GOES_ON: Final = (
    cue_words.AFTER_BINDING
    | cue_words.PARTICIPLES
    | asking_words.CARRIERS
    | asking_words.NEUTRAL
    | asking_words.WISHES
    | asking_words.STATING
    | frozenset({"already", "before", "ever", "previously", "prior"})
)
#: Words behind which a question says what the thing is for, in any words.
_PURPOSES: Final = frozenset({"for", "to", "because", "due"})


def answer_to(passage: Passage, last: int, parts: Sequence[int]) -> Standing | None:
    """Return how a mention that ends with word ``last`` stands by the answer behind it; None where there is none.

    REQUEST for a yes, NEGATED for a no, ALTERNATIVE where the choice is offered and not made ("SCAN? Yes / No").
    ``parts`` holds one Part for each word: behind contrast, or a word that does not go on with the mention, an answer is
    about that ("SCAN, pacemaker: no").
    """
    words, breaks = passage.words, passage.breaks
    index, purpose = last + 1, False
    while index < len(words) and index - last <= _REACH:
        if passage.boxed and forms.answers(passage, index):
            return _standing(forms.answered(passage, index))
        if words[index] in _ANSWERS:
            offered = _offered(passage, index)
            if offered:
                return _chosen(passage, index + offered)
            closes = breaks[index] in (QUESTION, COLON) and not _begins_more(passage, index, parts)
            if closes or _stands_alone(passage, index, last):
                return _standing(words[index] in cue_words.YES)
        if breaks[index] >= COLON or parts[index] == Part.ATTRIBUTE:
            return None
        purpose = (purpose or words[index] in _PURPOSES) and breaks[index] < DASH
        if parts[index] == Part.CONTENT and not purpose and words[index] not in _GOES_ON:
            return None
        index += 1
    return None


def _begins_more(passage: Passage, index: int, parts: Sequence[int]) -> bool:
    """Tell "SCAN: no contrast" and "SCAN: no. 1 priority" at their "no"."""
    behind = index + 1
    if passage.words[index] != "no" or behind == len(passage.words) or passage.breaks[behind] >= DASH:
        return False
    word = passage.words[behind]
    return parts[behind] == Part.ATTRIBUTE or word.isdigit() or word in cue_words.SCREENED


def _standing(answer: bool | None) -> Standing | None:
    return None if answer is None else Standing.REQUEST if answer else Standing.NEGATED


def _offered(passage: Passage, index: int) -> int:
    """Return how many words from ``index`` on offer a yes and a no ("Y/N", "yes or no"); 0 where they do not."""
    words, breaks = passage.words, passage.breaks
    end = index + 1
    while end < len(words) and ((words[end] in _ANSWERS and breaks[end] <= SLASH) or words[end] == "or"):
        end += 1
    offered = set(words[index:end])
    if cue_words.YES.isdisjoint(offered) or cue_words.NO.isdisjoint(offered):
        return 0
    return end - index if end == len(words) or breaks[end] >= DASH else 0


def _chosen(passage: Passage, index: int) -> Standing | None:
    """Return what is chosen at word ``index``, behind the offered choice."""
    if index < len(passage.words) and passage.words[index] in _ANSWERS and passage.breaks[index] < HARD and _ends(passage, index):
        return _standing(passage.words[index] in cue_words.YES)
    return Standing.ALTERNATIVE


def _stands_alone(passage: Passage, index: int, last: int) -> bool:
    """Tell whether the word is all that stands in brackets, or a "no" or "n/a" that ends what a dash begins."""
    gap = passage.gap_before(index)
    if passage.breaks[index] >= PAREN and "(" in gap:
        return ")" in passage.gap_after(index)
    if passage.words[index] not in cue_words.NO:
        return False
    if passage.breaks[index] == DASH:
        return _ends(passage, index)
    return index == last + 1 and _is_none(passage, index) and _ends(passage, index)


def _is_none(passage: Passage, index: int) -> bool:
    """Tell whether "n/a" stands at word ``index``."""
    return passage.words[index] == "na" or (passage.words[index : index + 2] == ["n", "a"] and passage.breaks[index + 1] == SLASH)


def _ends(passage: Passage, index: int) -> bool:
    """Tell whether the answer at word ``index`` ends its phrase."""
    behind = index + (2 if passage.words[index] == "n" and _is_none(passage, index) else 1)
    return behind >= len(passage.words) or passage.breaks[behind] >= COMMA

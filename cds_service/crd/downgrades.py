"""Words that take a special examination back without naming it: "routine protocol only", "wrong exam"."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from . import cue_words, order_cues
from .forbidding import is_forbidden
from .gaps import DASH
from .phrases import PhraseTable
from .reading import Part
from .words import Passage, bare_words


def may_downgrade(text: str) -> bool:
    """Look cheaply at a text; False means that ``downgrades`` finds nothing in it."""
    return not _DOWNGRADING.isdisjoint(bare_words(text))


def downgrades(passage: Passage, parts: Sequence[int]) -> str:
    """Return the words that order the ordinary examination in place of a special one ("routine protocol only"), else ""."""
    words = passage.words
    for index, word in enumerate(words):
        if word in order_cues.WRONG.first_words and order_cues.WRONG.starting(passage, index):
            first, last = passage.sentence(index)
            if _says_what_is_right(passage, parts, first, index, last):
                continue
            if (cue_words.NO_ORDER | cue_words.PAST).isdisjoint(words[first:index]):
                return passage.quote(first, last)
        if word in order_cues.CANCELLED.first_words and _cancels(order_cues.CANCELLED, passage, index, parts):
            return passage.quote(*passage.sentence(index))
        if word not in cue_words.PLAIN and word not in cue_words.CHANGES:
            continue
        first, last = passage.sentence(index)
        if not cue_words.NO_ORDER.isdisjoint(words[max(first, index - 4) : index]) or _is_kept(passage, first, index):
            continue
        if word in cue_words.CHANGES:
            tail = parts[index + 2 : index + 7]
            if words[index + 1 : index + 2] == ["to"] and Part.EXAM in tail[:2] and Part.MENTION not in tail:
                return "" if _is_fallback(words[first : last + 1]) else passage.quote(first, last)
            continue
        near = range(index + 1, min(last, index + 5) + 1)
        replaced = words[max(first, index - 2) : index] in _INSTEAD or words[index - 1] in ("replace", "replaces", "replacing")
        if replaced and Part.MENTION in parts[first : last + 1]:
            continue  # "SCAN instead of the plain X-ray"
        if words[index - 1] == "for" and "substitute" in words[max(first, index - 8) : index]:
            continue  # "substitute a SCAN for the plain X-ray"
        if not any(parts[place] == Part.EXAM or words[place] in _FORMS for place in near):
            continue
        if _falls_short(words[index : last + 1]):
            continue
        suffices = words[max(first, index - 3) : min(last, index + 8) + 1]
        if not cue_words.SUFFICES.isdisjoint(suffices) or not cue_words.CHANGES.isdisjoint(words[max(first, index - 5) : index]):
            return "" if _is_fallback(words[first : last + 1]) else passage.quote(first, last)
    return ""


_INSTEAD: Final = (["instead", "of"], ["place", "of"], ["rather", "than"], ["lieu", "of"])


def _says_what_is_right(passage: Passage, parts: Sequence[int], first: int, wrong: int, last: int) -> bool:
    """Tell "should be a SCAN, I clicked the wrong order" from "SCAN is the wrong order"."""
    named = [index for index in range(first, last + 1) if parts[index] == Part.MENTION]
    behind = passage.sentence(last + 1) if not named and last + 1 < len(parts) else None
    if behind is not None and Part.MENTION in parts[behind[0] : behind[1] + 1]:
        return True  # "Wrong exam selected. Please change to a SCAN."
    if named and named[0] > wrong:  # "wrong order, want a SCAN"
        return not {"want", "wanted", "need", "needs", "should", "please"}.isdisjoint(passage.words[wrong : named[0]])
    return bool(named) and not {"is", "was", "the", "a", "an", "as", "in"}.issuperset(passage.words[named[-1] + 1 : wrong])


def is_unusable(passage: Passage, parts: Sequence[int]) -> bool:
    """Tell whether a name of an order says that it is cancelled or no more in use ("DO NOT USE - SCAN of the arm")."""
    if _OUT_OF_USE.isdisjoint(passage.words):
        return False  # as nearly always
    return any(
        _cancels(table, passage, index, parts)
        for table in (order_cues.CANCELLED, order_cues.UNUSABLE)
        for index in range(len(passage.words))
    )


def _cancels(table: PhraseTable[bool], passage: Passage, index: int, parts: Sequence[int]) -> bool:
    """Tell whether a phrase of ``table`` at word ``index`` opens a sentence, and not one about another examination."""
    first, last = passage.sentence(index)
    sentence = parts[first : last + 1]
    if not _OPENING.issuperset(passage.words[first:index]) or (Part.EXAM in sentence and Part.MENTION not in sentence):
        return False
    for length, _ in table.starting(passage, index):
        behind = index + length
        closed = behind > last or passage.breaks[behind] >= DASH or "*" in passage.gap_before(behind)
        if closed or (length > 1 and table is order_cues.CANCELLED):
            return True
    return False


def _is_kept(passage: Passage, first: int, index: int) -> bool:
    """Tell "do not cancel or change to a plain X-ray" at its "plain"."""
    changes = (place for place in range(max(first, index - 5), index) if passage.words[place] in cue_words.CHANGES)
    return any(is_forbidden(passage, place) for place in changes)


def _falls_short(tail: Sequence[str]) -> bool:
    """Tell "a plain X-ray alone will not do"."""
    return any(
        (
            word in ("wont", "insufficient", "inadequate", "doesnt")
            or (word == "not" and tail[index - 1] in ("will", "is", "does", "would"))
        )
        for index, word in enumerate(tail)
    )


def _is_fallback(sentence: Sequence[str]) -> bool:
    """Tell whether a sentence says what to do where the thing cannot be had ("plain X-ray if denied"): the request stands."""
    opens = next((index for index, word in enumerate(sentence) if word in cue_words.OPENS), None)
    if opens is None or not cue_words.SOMEBODYS_CHOICE.isdisjoint(sentence):
        return False
    return not cue_words.UNOBTAINABLE.isdisjoint(sentence[opens:])


_FORMS: Final = frozenset({"protocol", "sequences", "exam", "study", "imaging"})
#: The words with which a downgrade can begin.
_OUT_OF_USE: Final = order_cues.CANCELLED.first_words | order_cues.UNUSABLE.first_words
#: Words that may stand before what cancels.
_OPENING: Final = frozenset({"please", "pls", "kindly", "note", "this"})
_DOWNGRADING: Final = cue_words.PLAIN | cue_words.CHANGES | order_cues.WRONG.first_words | order_cues.CANCELLED.first_words

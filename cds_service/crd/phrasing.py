"""The phrase in which a note names a thing, and the list, the direction or the label it may stand in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from . import asking_words, cue_words
from .gaps import COLON, COMMA, DASH, QUESTION
from .reading import Part
from .words import Passage


def phrase(passage: Passage, first: int, last: int) -> tuple[int, int]:
    """Return the first and the last word of the phrase around the mention: what no comma, dash or stop parts from it."""
    floor, ceiling = passage.sentence(first)
    start, end = first, last
    while start > floor and not _parts_phrases(passage, start):
        start -= 1
    while end < ceiling and not _parts_phrases(passage, end + 1):
        end += 1
    return start, end


def _parts_phrases(passage: Passage, index: int) -> bool:
    if passage.breaks[index] >= DASH:
        return True
    if ". " not in passage.folded:
        return False
    return ". " in passage.gap_before(index) and passage.words[index - 1] not in asking_words.SHORTENED


def names_another(tail: Sequence[str]) -> bool:
    """Tell whether the way elsewhere is another order's: its code, "instead", "separately"."""
    return any(word in ("instead", "separately") or (not word.isdigit() and sum(map(str.isdigit, word)) > 2) for word in tail)


def list_start(passage: Passage, start: int, first: int, end: int, parts: Sequence[int]) -> int:
    """Return where the list begins in which a bare mention is one of several examinations ("offers X-ray, SCAN and CT")."""
    if start < first or passage.breaks[start] != COMMA or not _goes_on(passage, first, end, parts):
        return start
    floor = passage.sentence(first)[0]
    found = index = start
    while index > floor and passage.breaks[index] == COMMA:
        item = index
        index -= 1
        while index > floor and passage.breaks[index] < DASH:
            index -= 1
        if parts[item - 1] == Part.EXAM:
            found = index
        elif item - index > 1:
            break
    return found


def _goes_on(passage: Passage, first: int, end: int, parts: Sequence[int]) -> bool:
    """Tell whether another examination follows in the list."""
    behind = [i for i in range(first, min(end + 4, len(parts))) if passage.breaks[i] <= COMMA]
    return any(
        parts[i] == Part.EXAM and (passage.breaks[i] == COMMA or passage.words[i - 1] in ("and", "or", "und", "et", "y"))
        for i in behind
        if i > first
    )


def points_elsewhere(lead: Sequence[str], tail: Sequence[str]) -> bool:
    """Tell "for a SCAN order 4417": what to do who wants one."""
    return "for" in lead[:1] and not asking_words.SENDING_ELSEWHERE.isdisjoint(tail)


def is_ours(words: Sequence[str], start: int, index: int) -> bool:
    """Tell "we perform SCANs" at its verb: it says what a site does."""
    if words[index] not in asking_words.DOING or index <= start or words[index - 1] != "we":
        return False
    return index - 1 == start or words[index - 2] not in asking_words.ASKING_US


_ANSWER: Final = frozenset({"a", "answer", "ans"})


def _question_asks(passage: Passage, end: int) -> bool:
    """Tell whether the question that ends before word ``end`` is which examination is wanted ("Protocol? SCAN")."""
    begin = passage.sentence(end - 1)[0]
    question = passage.words[begin:end]
    return not asking_words.EXAM_LABELS.isdisjoint(question) and asking_words.ONLY_TOLD.isdisjoint(question)


def label_asks(passage: Passage, start: int) -> bool:
    """Tell whether the label before a bare name lets it be what is asked for; a clause of four words or more is no label."""
    floor = passage.sentence(start)[0]
    colon = next((index for index in range(start, floor, -1) if passage.breaks[index] == COLON), None)
    if colon is None and (passage.breaks[start] != QUESTION or start == 0):
        return True
    if colon is None or (passage.words[colon - 1] in _ANSWER and passage.breaks[colon - 1] == QUESTION):
        return _question_asks(passage, (start if colon is None else colon - 1))
    begin = colon - 1
    while begin > floor and passage.breaks[begin] < COMMA:
        begin -= 1
    label = passage.words[begin:colon]
    if label[-1] in cue_words.RESULTS:  # "X-ray negative: SCAN"
        return True
    if len(label) > 3 or any(word.isdigit() for word in label):
        return asking_words.ONLY_TOLD.isdisjoint(label)
    return not asking_words.ASKING_LABELS.isdisjoint(label)


_BUT: Final = frozenset({"but", "however", "although"})
#: What stands behind a "but" where a suggestion is not followed, and behind a "not".
_REFUSED: Final = frozenset(
    "declined denied refused cannot cant unable unavailable disagree routine standard plain starting".split()  # noqa: SIM905
)
_UNHAD: Final = frozenset("available covered approved possible indicated offered".split())  # noqa: SIM905


def is_refused(tail: Sequence[str]) -> bool:
    """Tell "a SCAN was suggested, but our scanner cannot do it" and "..., not available here" by the words behind the mention."""
    for index, word in enumerate(tail):
        if word in _BUT and not _REFUSED.isdisjoint(tail[index + 1 :]):
            return True
        if word == "not" and not _UNHAD.isdisjoint(tail[index + 1 : index + 2]):
            return True
    return False


def wonders(passage: Passage, start: int, first: int) -> bool:
    """Tell "the patient asks about a SCAN" in the words from ``start`` to the mention."""
    lead = passage.words[start:first]
    return not (asking_words.PATIENT.isdisjoint(lead) or asking_words.WONDERING.isdisjoint(lead))


def is_our_wish(lead: Sequence[str]) -> bool:
    """Tell "I would like him to have a SCAN" and "please have her undergo a SCAN"."""
    for index in range(len(lead) - 1):
        if tuple(lead[index : index + 2]) in _OUR_WISHES:
            return (asking_words.PATIENT | asking_words.TELLING).isdisjoint(lead[:index])  # "the mother would like a SCAN"
    if lead[-1:] == ["to"] and "from" in lead and not asking_words.CHANGED.isdisjoint(lead):
        return True  # "changed from X-ray to SCAN"
    return lead[:1] != [] and lead[0] in asking_words.COURTESIES and "have" in lead[1:2] and "undergo" in lead


_OUR_WISHES: Final = frozenset(
    [("would", "like"), ("id", "like"), ("be", "grateful"), ("be", "obliged"), ("want", "the"), ("want", "him"), ("want", "her")]
)

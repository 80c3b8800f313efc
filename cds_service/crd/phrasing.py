"""The phrase in which a note names a thing, and the list or the direction it may stand in."""

from __future__ import annotations

from collections.abc import Sequence

from . import asking_words
from .gaps import COMMA, DASH
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

"""The check boxes of a form: each becomes a word, since between words they would be lost like other marks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from .gaps import HARD, LIGHT

TICKED: Final = "ticked"
UNTICKED: Final = "unticked"
BOXES: Final = frozenset({TICKED, UNTICKED})

_BOX: Final = re.compile(r"\[ {0,2}\]|\[ ?[x\u2713\u2714] ?\]|\( \)|\( ?[x\u2713\u2714] ?\)|[\u2610-\u2612\u25a1]")
_EMPTY: Final = re.compile(r"[\[(] *[\])]|[\u2610\u25a1]")
#: Brackets that stand for something else where there is only one of them.
_DOUBTFUL: Final = ("(", "[]")
_MARKS: Final = frozenset("[]()\u2610\u2611\u2612\u25a1")
#: What may stand behind the last box of a line.
_CLOSING: Final = " \t\r\n.,;"


class Cut(NamedTuple):
    """A text's words, the breaks before them and their places, as ``words.Passage`` holds them."""

    words: list[str]
    breaks: list[int]
    places: list[tuple[int, int]]


def may_hold(folded: str) -> bool:
    """Look cheaply at a folded text; False means that it holds no box."""
    return "[" in folded or "( )" in folded or "(x" in folded or not folded.isascii()


def name(folded: str, cut: Cut) -> Cut | None:
    """Return ``cut`` with a word for every box, None where there is none.

    A box begins a sentence; or it ends one where its line, or the part of it between full stops, ends with a box. A line of a
    form is by itself.
    """
    found = list(_found(folded, cut)) if _BOX.search(folded) else []
    if not found or (len(found) == 1 and found[0][0].group().startswith(_DOUBTFUL)):
        return None
    for index, (start, _) in enumerate(cut.places):
        if index and "\n" in folded[cut.places[index - 1][1] : start]:
            cut.breaks[index] = HARD
    named = Cut([], [], [])
    index, ended = 0, False
    for match, behind in found:
        start, stop = match.span()
        while index < len(cut.words) and cut.places[index][1] <= start:
            _put(named, cut.words[index], HARD if ended else cut.breaks[index], cut.places[index])
            index, ended = index + 1, False
        while index < len(cut.words) and cut.places[index][0] < stop:
            index += 1  # the x in the box
        _put(named, UNTICKED if _EMPTY.fullmatch(match.group()) else TICKED, LIGHT if behind else HARD, (start, stop))
        if not behind and index < len(cut.words):
            cut.breaks[index] = LIGHT
        ended = behind
    while index < len(cut.words):
        _put(named, cut.words[index], HARD if ended else cut.breaks[index], cut.places[index])
        index, ended = index + 1, False
    named.breaks[0] = HARD
    return named


def _put(cut: Cut, word: str, weight: int, place: tuple[int, int]) -> None:
    cut.words.append(word)
    cut.breaks.append(weight)
    cut.places.append(place)


def _found(folded: str, cut: Cut) -> Iterator[tuple[re.Match[str], bool]]:
    """Yield each box, and whether it stands behind what it ticks: its stretch ends with a box, and does not begin with one."""
    begin = 0
    for end in [*_ends(folded, cut), len(folded)]:
        found = list(_BOX.finditer(folded, begin, end))
        if found:
            starts = not folded[begin : found[0].start()].strip()
            ends = not folded[found[-1].end() : end].strip(_CLOSING)
            for match in found:
                yield match, ends and not starts
        begin = end


def _ends(folded: str, cut: Cut) -> list[int]:
    """Return where a stretch ends whose boxes all stand on one side: at a line's end, and at a full stop between two words."""
    found = [match.start() for match in re.finditer("\n", folded)]
    for index in range(1, len(cut.words)):
        if cut.breaks[index] == HARD:
            before, start = cut.places[index - 1][1], cut.places[index][0]
            if _MARKS.isdisjoint(folded[before:start]):
                found.append(start)
    return sorted(found)

"""Forms written as one line: labels with their answers behind them, parted by nothing ("PACEMAKER NO SCAN YES CONTRAST NO").

Between words, an answer would go with what follows it ("no SCAN"). Here it is parted from that, and joined to its label.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Final

from .cue_words import SCREENED
from .gaps import COLON, COMMA, DASH, HARD

_YES: Final = frozenset({"yes", "y"})
#: Answers that may stand alone at the end; a single "n" there is a nerve.
_WORDS: Final = frozenset({"yes", "no", "none"})
_LETTERS: Final = frozenset({"y", "n"})
_ANSWERS: Final = _WORDS | _LETTERS


def part(words: list[str], breaks: list[int]) -> None:
    """Part each answer of such a form from what follows it, in ``breaks``; elsewhere change nothing."""
    if _ANSWERS.isdisjoint(words):
        return
    ends = [*[index for index in range(1, len(words)) if breaks[index] >= COMMA], len(words)]
    found = [_answers(words, breaks, start, end) for start, end in pairwise([0, *ends])]
    for number, answers in enumerate(found):
        beside = [*found[max(0, number - 1) : number], *found[number + 1 : number + 2]]
        if len(answers) > 1 or number == len(found) - 1 or any(beside):  # a single one within prose says little
            for index in answers:
                breaks[index] = COLON
                if index + 1 < ends[number]:
                    breaks[index + 1] = HARD
    _part_screening(words, breaks)
    _join_cells(words, breaks)


def _part_screening(words: list[str], breaks: list[int]) -> None:
    """Part "ALLERGIES: NO SCAN OF THE ARM" behind its answer."""
    for index in range(1, len(words) - 1):
        if words[index] in _WORDS and breaks[index] == COLON and words[index - 1] in SCREENED and breaks[index + 1] < COMMA:
            breaks[index + 1] = HARD


def _answers(words: list[str], breaks: list[int], start: int, end: int) -> list[int]:
    """Return the places of the answers between two marks; [] where no such form stands there, or behind a colon."""
    if words[start] in _ANSWERS or (start > 0 and breaks[start] == COLON):
        return []
    answers = [index for index in range(start + 1, end) if words[index] in _ANSWERS and breaks[index] <= DASH]
    return answers if _is_form(words, answers, end - 1) else []


def _is_form(words: list[str], answers: list[int], last: int) -> bool:
    """Tell whether ``answers`` stand behind their labels: the last ends the stretch, as in "no X, no Y" it does not."""
    if not answers or answers[-1] != last or any(after == before + 1 for before, after in pairwise(answers)):
        return False
    given = {words[index] for index in answers}
    if given <= _WORDS:
        return True
    return given <= _LETTERS and len(answers) > 1 and not _YES.isdisjoint(given)


def _join_cells(words: list[str], breaks: list[int]) -> None:
    """Join an answer that is a cell or a line of its own to the one before it ("SCAN | No | Contrast | Yes")."""
    cells = [
        index
        for index in range(1, len(words))
        if words[index] in _WORDS and breaks[index] == HARD and (index + 1 == len(words) or breaks[index + 1] == HARD)
    ]
    if len(cells) > 1 and words[0] not in _WORDS:
        for index in cells:
            breaks[index] = COLON

"""What the check boxes of a form say of a mention."""

from __future__ import annotations

from collections.abc import Sequence

from . import cue_words
from .asking_words import CARRIERS
from .boxes import BOXES, TICKED, UNTICKED
from .cues import Standing
from .gaps import COMMA, DASH
from .reading import Part, Reading
from .words import Passage

#: Small words between a box and what it ticks.
_JOINING = frozenset({"w", "with", "add", "plus"})


def by_box(passage: Passage, first: int, bounds: tuple[int, int], parts: Sequence[int]) -> Reading | None:
    """Read a mention whose own box is empty: ruled out where another examination is ticked, else one of several choices.

    None where its box is ticked, it has none, or the boxes are about something else, such as side or priority: then its words
    tell. ``first`` is the mention's first word, ``bounds`` the first and last word of its sentence, ``parts`` are reach's Parts.
    """
    start, end = bounds
    words = passage.words
    own = start if words[start] in BOXES else end
    if words[own] == UNTICKED:
        return _unticked(passage, first, own, parts)
    unanswered = (
        words[own] not in BOXES and end + 1 < len(words) and answers(passage, end + 1) and answered(passage, end + 1) is None
    )
    return Reading(Standing.ALTERNATIVE, UNTICKED) if unanswered else None


def _unticked(passage: Passage, first: int, own: int, parts: Sequence[int]) -> Reading | None:
    ticked = [box for box, word in enumerate(passage.words) if word == TICKED]
    if own < first:
        leads = _leads(passage, own)
        if not _is_next(passage, own, first, parts, joined=leads):
            return None
        if not leads and not any(_names_exam(passage, box, parts) for box in ticked):
            return None  # "left [x] right [ ] SCAN": the box may as well stand behind what it ticks
    elif ticked and all(_qualifies(passage, box, parts) for box in ticked):
        return None
    return Reading(Standing.NEGATED if ticked else Standing.ALTERNATIVE, UNTICKED)


def _leads(passage: Passage, own: int) -> bool:
    """Tell whether the boxes of the line of box ``own`` stand before what they tick: one begins the line, or follows a label."""
    index = box = own
    while index > 0 and not set(passage.gap_before(index)) & {"\n", ".", ";"}:
        index -= 1
        if passage.words[index] in BOXES:
            box = index
    return box == index or not set(passage.gap_before(box)).isdisjoint(":?")


def _is_next(passage: Passage, box: int, first: int, parts: Sequence[int], *, joined: bool) -> bool:
    """Tell whether nothing stands between a box and the mention; ``joined``: or words that go with it."""
    if not joined or first == box + 1:
        return first == box + 1
    between = range(box + 1, first)
    goes = all(parts[index] >= Part.EXAM or passage.words[index] in _JOINING for index in between)
    return goes and all(passage.breaks[index] < DASH for index in range(box + 2, first + 1))


def _names_exam(passage: Passage, box: int, parts: Sequence[int]) -> bool:
    """Tell whether what a box ticks is an examination or a way to do one."""
    start, end = passage.sentence(box)
    return any(parts[index] >= Part.EXAM or passage.words[index] in CARRIERS for index in range(start, end + 1))


def _qualifies(passage: Passage, box: int, parts: Sequence[int]) -> bool:
    """Tell whether what a box ticks says no more than where and how: a side, a site, contrast."""
    start, end = passage.sentence(box)
    return all(
        index == box or parts[index] in (Part.SITE, Part.ATTRIBUTE) or passage.words[index] in _JOINING
        for index in range(start, end + 1)
    )


def not_ticked(passage: Passage, parts: Sequence[int]) -> list[int]:
    """Return the places of the words whose box is empty while another examination is ticked."""
    words = passage.words
    if not any(word == TICKED and _names_exam(passage, box, parts) for box, word in enumerate(words)):
        return []
    found: list[int] = []
    for box, word in enumerate(words):
        if word == UNTICKED:
            start, end = passage.sentence(box)
            found += range(start, end + 1)
    return found


def answers(passage: Passage, index: int) -> bool:
    """Tell whether a box at word ``index`` begins the answers to a question or label before it ("SCAN: [ ] yes [x] no")."""
    gap = passage.gap_before(index)
    return passage.words[index] in BOXES and (":" in gap or "?" in gap) and _answer(passage, index) is not None


def answered(passage: Passage, index: int) -> bool | None:
    """Return which of the answers from the box at word ``index`` on is ticked; None where none is."""
    while index < len(passage.words) and passage.words[index] in BOXES and (answer := _answer(passage, index)) is not None:
        if passage.words[index] == TICKED:
            return answer
        index += 2
    return None


def _answer(passage: Passage, box: int) -> bool | None:
    """Return what the box at word ``box`` stands for: True for a yes, False for a no, None for anything else."""
    words = passage.words
    if box + 1 >= len(words) or (box + 2 < len(words) and passage.breaks[box + 2] < COMMA):
        return None
    return True if words[box + 1] in cue_words.YES else False if words[box + 1] in cue_words.NO else None

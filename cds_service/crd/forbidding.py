"""Whether what would undo an examination is itself forbidden: "do not cancel", "cannot be delayed", "not without"."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from . import cue_words
from .gaps import DASH
from .reading import Part
from .words import Passage

_REACH: Final = 6  # words from the forbidding one to the one forbidden
#: What can be done to the mention before them.
_DONE_TO: Final = cue_words.UNDOING - {"without", "wo", "o", "substituted"}  # it is what is put in another's place
#: What was not undone is a report and no request.
_REPORTING: Final = frozenset({"did", "was", "were", "has", "had", "have"})


def is_forbidden(passage: Passage, index: int) -> bool:
    """Tell whether word ``index``, one of undoing, stands under a word that forbids it."""
    words = passage.words
    for place in range(index - 1, max(-1, index - 1 - _REACH), -1):
        if passage.breaks[place + 1] >= DASH:
            return False
        word = words[place]
        if word in cue_words.FORBIDDING:
            return place == 0 or words[place - 1] not in _REPORTING
        if word not in cue_words.FORBIDDEN_BETWEEN and word not in cue_words.UNDOING:
            return False
    return False


def is_kept_out(passage: Passage, first: int, parts: Sequence[int]) -> bool:
    """Tell "do not substitute a SCAN" and "do not replace the X-ray with a SCAN", which forbid the mention at word ``first``.

    Not so "do not substitute an X-ray for the SCAN", "do not substitute the SCAN with an X-ray", "do not replace the SCAN".
    """
    words = passage.words
    by = False
    for index in range(first - 1, max(-1, first - 1 - _REACH), -1):
        word = words[index]
        if passage.breaks[index + 1] >= DASH or word == "for":
            return False
        if word.startswith(("substitut", "replac")):
            put = by or (word.startswith("substitut") and "with" not in words[first : passage.sentence(first)[1] + 1])
            return put and is_forbidden(passage, index)
        by = by or word in ("with", "by")
        if parts[index] == Part.CONTENT and word not in cue_words.BINDING and word not in cue_words.PLAIN and not by:
            return False
    return False


def keeps(passage: Passage, first: int, last: int) -> bool:
    """Tell whether a cue of undoing, words ``first`` to ``last`` inclusive, is forbidden."""
    words = passage.words
    return (words[first] in cue_words.UNDOING or words[last] in cue_words.UNDOING) and is_forbidden(passage, first)


def forbids(passage: Passage, first: int, last: int) -> bool:
    """Tell whether a cue, words ``first`` to ``last`` inclusive, forbids what would be done to the mention before it.

    "SCAN should not be delayed" asks for it; "SCAN should not delay treatment" and "SCAN cannot be done without ..." do not.
    """
    words = passage.words
    if cue_words.FORBIDDING.isdisjoint(words[first : last + 1]) or words[first] in _REPORTING:
        return False
    behind = last + 1
    if words[last] != "be":
        if words[last] not in cue_words.FORBIDDING or words[behind : behind + 1] != ["be"]:
            return False
        behind += 1
    return behind < len(words) and passage.breaks[behind] < DASH and words[behind] in _DONE_TO

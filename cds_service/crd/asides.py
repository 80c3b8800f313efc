"""Services of which an order's name tells before it names the one that is ordered ("EMG abnormal - SCAN of the arm")."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from . import asking_words, clauses, cue_words
from .cues import Standing
from .gaps import DASH
from .reading import Part
from .recognition_table import OtherService
from .tagging import Tagged

_OVER: Final = frozenset({Standing.HISTORY, Standing.DATED, Standing.NEGATED, Standing.NEUTRAL, Standing.PLAN})
#: What became of a service.
_OUTCOMES: Final = cue_words.RESULTS | frozenset(
    """
    ok relief required recommended gave helped failed diagnostic unremarkable showed shows revealed refused declined
    """.split()  # noqa: SIM905
)
#: Words right before the mention by which it belongs to what stands before them.
_LEADING: Final = frozenset(
    "for with w during of after before to by under and plus on from via or vs pre post".split()  # noqa: SIM905
)
#: Where and when somebody was seen, which is no service that is ordered.
_SEEN: Final = frozenset({"visit", "clinic", "appointment", "conference"})


def told_before(tagged: Tagged, mentions: Sequence[tuple[int, Standing]], parts: Sequence[Part]) -> list[int]:
    """Return the places of those services. ``mentions``: first word and standing of each name of the technique, in order."""
    words, breaks = tagged.passage.words, tagged.passage.breaks
    asked = next((first for first, standing in mentions if standing is Standing.REQUEST or _is_year(words[max(0, first - 1)])), 0)
    if asked == 0 or (words[asked - 1] in _LEADING and not _is_asked_for(words, asked)):  # "biopsy after a SCAN"
        return []
    found = []
    opening = next((index for index in range(1, asked + 1) if breaks[index] >= DASH), asked)
    for index, entry in tagged.others:
        if index >= asked or not isinstance(entry, OtherService):
            continue
        ruled_out = index > 0 and words[index - 1] in ("no", "without")
        told = any(word in _OUTCOMES or _is_year(word) for word in words[index + 1 : asked])
        parted = any(weight >= DASH for weight in breaks[index + 1 : asked + 1])
        if ruled_out or told or (parted and clauses.read(tagged.passage, index, index, parts).standing in _OVER):
            found.append(index)
        elif not _SEEN.isdisjoint(words[index : index + 3]) and words[index + 1] != "for":
            if parted or _is_asked_for(words, asked):
                found.append(index)
        elif (index > opening or words[index - 1] == "check") and parted and _is_asked_for(words, asked):
            found.append(index)
    return found


def _is_asked_for(words: Sequence[str], first: int) -> bool:
    """Tell whether a verb of asking stands right before the mention ("please schedule a SCAN", "clinic asks for a SCAN")."""
    near = words[max(0, first - 4) : first]
    return any(word in asking_words.COMMANDS or word in asking_words.WISHES for word in near)


def _is_year(word: str) -> bool:
    return len(word) == 4 and word.isdigit() and word[:2] in ("19", "20")

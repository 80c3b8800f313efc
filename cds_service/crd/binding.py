"""Which word of the modality goes with a mention, and which only tells why another examination is ordered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from . import clauses
from .cues import Standing
from .gaps import DASH
from .reading import Part, Reading
from .recognition_table import Abbreviation, Keyword
from .tagging import Tagged
from .vocabulary import Tag

#: Words behind a key word within which the modality goes with it.
_NEAR: Final = 6
#: Words that open an indication: what stands behind them is not what is ordered.
_OPENERS: Final = frozenset(
    "for rule r evaluate eval assess due dx indication reason hx history because suspected s".split()  # noqa: SIM905
)
_JOINING: Final = frozenset({"and", "plus", "und", "et", "y", "with", "by", "via"})
_DISMISSED: Final = (Standing.NEGATED, Standing.HISTORY)
#: "Neurogram, not a plain MRI" rules no modality out.
_COMPARING: Final = frozenset({"not", "not a", "not an", "instead of", "rather than", "in lieu of", "in place of", "over"})


class Bound(NamedTuple):
    """Whether a word of the modality in the mention's sentence goes with it.

    ``shared``: it stands so, and the mention with it: as one of several choices, or ruled out.
    ``dismissed``: the places of those that are over or ruled out by themselves.
    """

    here: bool
    shared: Reading | None = None
    dismissed: tuple[int, ...] = ()


_UNBOUND: Final = Bound(False)
_BOUND: Final = Bound(True)


def bind(
    tagged: Tagged, first: int, last: int, entry: Abbreviation | Keyword | None, bounds: tuple[int, int], parts: Sequence[Part]
) -> Bound:
    """Tell whether a word of the modality within ``bounds`` goes with the mention, words ``first`` to ``last`` inclusive."""
    if not tagged.seen & Tag.MODALITY:
        return _UNBOUND
    tags = tagged.tags
    if isinstance(entry, Keyword):
        return _to_key_word(tagged, first, last, entry, bounds, parts)
    if tags[first] & Tag.MODALITY or tags[last] & Tag.MODALITY:
        return _BOUND  # as mostly
    places = [place for place in range(bounds[0], bounds[1] + 1) if tags[place] & Tag.MODALITY]
    if not places:
        return _UNBOUND
    dismissed = [place for place in places if _is_parted(tagged, place, first, last) and _is_over(tagged, place, parts)]
    return Bound(len(dismissed) < len(places), None, tuple(dismissed)) if dismissed else _BOUND


def _to_key_word(tagged: Tagged, first: int, last: int, entry: Keyword, bounds: tuple[int, int], parts: Sequence[Part]) -> Bound:
    """Look behind a key word and then before it, not past an indication ("MRI knee for ...") nor past another service."""
    dismissed: list[int] = []
    other = False
    for place in range(last + 1, min(bounds[1], last + _NEAR) + 1):
        if tagged.tags[place] & Tag.MODALITY:
            if place == last + 1 and tagged.passage.breaks[place] <= DASH:
                return _BOUND  # what is said of it is said of both
            reading = _read(tagged, place, parts)
            if reading.standing is Standing.ALTERNATIVE:
                return Bound(True, reading)
            if reading.standing in _DISMISSED:
                dismissed.append(place)
            elif not other or tagged.passage.words[place - 1] in _JOINING:
                return _BOUND
        if tagged.passage.words[place] in _OPENERS:
            break
        other = other or place in tagged.other_at
    for place in range(first - 1, bounds[0] - 1, -1):
        if tagged.tags[place] & Tag.MODALITY:
            parted = _is_parted(tagged, place, first, last)
            if not parted and (entry.with_modality != "yes" or (place == bounds[0] and not tagged.other_at)):
                return _BOUND  # nothing could rule it out or stand beside it, or no certain answer hangs on it
            reading = _read(tagged, place, parts)
            if not parted:  # "no MRI of ..."
                ruled_out = reading.standing is Standing.NEGATED and reading.cue.lower() not in _COMPARING
                return Bound(True, reading) if ruled_out or reading.standing is Standing.ALTERNATIVE else _BOUND
            if reading.standing not in _DISMISSED:
                return _BOUND
            dismissed.append(place)
        if tagged.passage.words[place] in _OPENERS:
            break
    return Bound(False, None, tuple(dismissed))


def _is_parted(tagged: Tagged, place: int, first: int, last: int) -> bool:
    breaks = tagged.passage.breaks
    return max(breaks[place + 1 : first + 1] if place < first else breaks[last + 1 : place + 1]) >= DASH


def _is_over(tagged: Tagged, place: int, parts: Sequence[Part]) -> bool:
    reading = _read(tagged, place, parts)
    return reading.standing in _DISMISSED and reading.cue.lower() not in _COMPARING


def _read(tagged: Tagged, place: int, parts: Sequence[Part]) -> Reading:
    """Read how the modality that begins or ends at ``place`` stands itself."""
    first = last = place
    while last + 1 < len(parts) and tagged.tags[last + 1] & Tag.MODALITY and tagged.passage.breaks[last + 1] < DASH:
        last += 1
    return clauses.read(tagged.passage, first, last, parts)

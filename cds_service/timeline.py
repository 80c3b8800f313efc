"""The time line of a policy's versions, to scale: where its bars, ticks and marks stand, in percent of the width."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Literal

from cds_service.crd.policy import Policy
from cds_service.crd.policy_file import PolicyVersion
from cds_service.page_dates import Span, period_text, span_text, us_date

Anchor = Literal["start", "middle", "end"]

#: Two dates closer than this, in percent, would be written over each other on a phone: the later one goes unwritten.
_ROOM = 18.0
#: How wide a letter, and half a year's label, is at most on the narrowest phone, in percent.
_LETTER, _HALF_YEAR = 3.2, 6.0
#: A chosen date further than this from the first version or from today is marked at the edge, so that the scale stays readable.
_MAX_YEARS_BEYOND = 12


@dataclass(frozen=True)
class Mark:
    """Something written at one place: ``x`` in percent, ``label``, and which end of the label stands there."""

    x: float
    label: str

    @property
    def anchor(self) -> Anchor:
        """How the label hangs on its place without leaving the drawing."""
        return "start" if self.x < 12 else "end" if self.x > 88 else "middle"

    @property
    def reach(self) -> tuple[float, float]:
        """From where to where the label reaches on the narrowest phone, in percent."""
        width = len(self.label) * _LETTER
        left = self.x - {"start": 0.0, "middle": width / 2, "end": width}[self.anchor]
        return left, left + width


@dataclass(frozen=True)
class Bar:
    """One version: from ``x``, ``width`` wide, both in percent; ``number`` counts from 1."""

    number: int
    x: float
    width: float
    version: PolicyVersion
    period: str

    @property
    def middle(self) -> float:
        """The middle of the bar, in percent."""
        return self.x + self.width / 2


@dataclass(frozen=True)
class Timeline:
    """A drawing: ``starts`` are the days on which versions begin; ``chosen`` is the span asked about, None without one."""

    bars: tuple[Bar, ...]
    ticks: tuple[Mark, ...]
    starts: tuple[Mark, ...]
    today: Mark
    chosen: Mark | None
    chosen_width: float
    description: str


class _Scale:
    """Days to percent of the width."""

    def __init__(self, first: date, last: date) -> None:
        self.first, self.last = first, last

    def at(self, day: date) -> float:
        days = (day - self.first).days / (self.last - self.first).days
        return round(min(max(days, 0.0), 1.0) * 100, 3)


def draw_timeline(policy: Policy, today: date, chosen: Span | None = None) -> Timeline:
    """Lay out the versions of ``policy``, ``today``, and the days ``chosen`` if any."""
    scale = _scale(policy, today, chosen)
    versions = policy.document.versions
    ends = [later.start for later in versions[1:]] + [scale.last]
    bars = tuple(
        Bar(number, scale.at(version.start), scale.at(end) - scale.at(version.start), version, period_text(policy, version))
        for number, (version, end) in enumerate(zip(versions, ends, strict=True), 1)
    )
    mark = Mark(scale.at(chosen.first), span_text(chosen)) if chosen else None
    return Timeline(
        bars,
        _beside(mark, _ticks(scale)),
        _with_room([Mark(scale.at(version.start), us_date(version.start)) for version in versions]),
        Mark(scale.at(today), "today"),
        mark,
        scale.at(chosen.last) - scale.at(chosen.first) if chosen else 0.0,
        _description(policy, bars, today, chosen),
    )


def _scale(policy: Policy, today: date, chosen: Span | None) -> _Scale:
    """From a year before the first version to a year after today, wider where the chosen days lie beyond."""
    starts = [version.start for version in policy.document.versions]
    first, last = min(starts[0], today).year - 1, max(starts[-1], today).year + 2
    if chosen:
        first = max(min(first, chosen.first.year), first - _MAX_YEARS_BEYOND)
        last = min(max(last, chosen.last.year + 1), last + _MAX_YEARS_BEYOND)
    return _Scale(date(max(first, 1), 1, 1), date(min(last, date.max.year), 1, 1))


def _ticks(scale: _Scale) -> tuple[Mark, ...]:
    """The first of January of at most seven round years."""
    years = scale.last.year - scale.first.year
    step = next((step for step in (1, 2, 5, 10, 20, 50) if years / step <= 7), 100)
    first = -(-(scale.first.year + 1) // step) * step
    return tuple(Mark(scale.at(date(year, 1, 1)), str(year)) for year in range(first, scale.last.year, step))


def _beside(chosen: Mark | None, ticks: tuple[Mark, ...]) -> tuple[Mark, ...]:
    """The ticks that leave room for the chosen days, which stand in their row so that no line crosses a label."""
    if chosen is None:
        return ticks
    left, right = chosen.reach
    return tuple(tick for tick in ticks if not left - _HALF_YEAR < tick.x < right + _HALF_YEAR)


def _with_room(marks: list[Mark]) -> tuple[Mark, ...]:
    kept: list[Mark] = []
    for mark in marks:
        if not kept or mark.x - kept[-1].x >= _ROOM:
            kept.append(mark)
    return tuple(kept)


def _description(policy: Policy, bars: tuple[Bar, ...], today: date, chosen: Span | None) -> str:
    """The drawing in words, for those who do not see it."""
    told = [f"Version {bar.number}, dates of service {bar.period}: {bar.version.determination}." for bar in bars]
    told.append(f"Before {us_date(bars[0].version.start)} no version holds. Today is {us_date(today)}.")
    if chosen:
        touched = [bar.number for bar in bars if bar.version in policy.versions_over((chosen,))]
        numbers = " and ".join(f"version {number}" for number in touched) or "no version"
        told.append(f"The chosen date, {span_text(chosen)}, falls into {numbers}.")
    return " ".join(told)

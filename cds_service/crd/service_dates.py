"""On which days may the ordered procedure be done, and which element of the order said so.

The date of service decides which version of a policy holds, so a partial date stays the span it is, an assumption is
named as one, and a date that cannot be read is told rather than guessed.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any, Literal
from zoneinfo import ZoneInfo

import msgspec

from .fhir_values import as_object

#: Dates that one element may list; further ones are left unread, and that is told.
MAX_DATES = 100

Source = Literal[
    "appointment.start",
    "appointment.requestedPeriod",
    "occurrenceDateTime",
    "occurrencePeriod",
    "occurrenceTiming",
    "authoredOn",
    "today",
]


class Span(msgspec.Struct, frozen=True, order=True):
    """Days from ``first`` to ``last``, both inclusive."""

    first: date
    last: date

    def touches(self, first: date, last: date) -> bool:
        """Does the span share a day with ``first`` .. ``last``, both inclusive?"""
        return self.first <= last and first <= self.last


class ServiceDates(msgspec.Struct, frozen=True):
    """The days of service: at least one span in order of date, the element they came from, and what must be told of it.

    ``assumed`` is True when the order states no date of service and ``authoredOn`` or today stands in for it. ``partial``
    is True when a year or a month was all that was stated. ``notes`` are sentences for the card.
    """

    spans: tuple[Span, ...]
    source: Source
    assumed: bool = False
    partial: bool = False
    notes: tuple[str, ...] = ()


_FHIR_DATE = re.compile(
    r"(?P<year>\d{4})(?:-(?P<month>\d\d)(?:-(?P<day>\d\d)"
    r"(?:T(?P<time>\d\d:\d\d(?::\d\d(?:\.\d{1,12})?)?)(?P<offset>Z|[+-]\d\d:\d\d)?)?)?)?",
    re.ASCII,
)


def parse_fhir_date(value: Any, zone: ZoneInfo, *, is_instant: bool = False) -> Span | None:
    """The days that a FHIR R4 date, dateTime or instant covers; None if it cannot be read.

    ``2023`` is the whole year and ``2023-10`` the whole month. A dateTime counts on its own written day, whatever its
    offset; only UTC (``Z``, ``+00:00``) is turned into ``zone`` first, since no US site keeps UTC on the wall. Exactly
    midnight UTC stays on its written day: that is how systems write a bare date, but for an element that FHIR makes an
    instant (``is_instant``), where it is the evening before on a US wall. A time without an offset, which FHIR does not
    allow, counts on its written day too.
    """
    found = _FHIR_DATE.fullmatch(value.strip()) if isinstance(value, str) and len(value) < 64 else None
    if found is None:
        return None
    try:
        year, month, day = int(found["year"]), int(found["month"] or 1), int(found["day"] or 1)
        first = date(year, month, day)
        if found["month"] is None:
            return Span(first, date(year, 12, 31))
        if found["day"] is None:
            return Span(first, date(year, month, calendar.monthrange(year, month)[1]))
        if found["time"] is not None:
            first = _day_of(first, found["time"], found["offset"], zone, is_instant)
    except (ValueError, OverflowError):
        return None
    return Span(first, first)


def _day_of(written: date, time: str, offset: str | None, zone: ZoneInfo, is_instant: bool) -> date:
    hour, minute, second = int(time[:2]), int(time[3:5]), float(time[6:] or 0)
    if hour > 23 or minute > 59 or second >= 61:  # FHIR allows the leap second :60 and forbids 24:00
        raise ValueError
    if offset is None or offset not in ("Z", "+00:00", "-00:00"):
        if offset and (offset[1:] > "14:00" or int(offset[4:]) > 59):
            raise ValueError
        return written
    if hour == minute == 0 and second == 0 and not is_instant:
        return written
    moment = datetime(written.year, written.month, written.day, hour, minute, min(int(second), 59), tzinfo=UTC)
    return moment.astimezone(zone).date()


class _Reading(msgspec.Struct):
    """What one element yielded: spans (none if it states no readable date) and what must be told."""

    spans: list[Span] = []
    notes: list[str] = []
    partial: bool = False


def service_dates(
    order: Mapping[str, Any], today: date, zone: ZoneInfo, appointment: Mapping[str, Any] | None = None
) -> ServiceDates:
    """When ``order`` is to be done: its occurrence, else ``authoredOn``, else ``today`` (the day in ``zone``).

    ``appointment``, for the appointment-book hook, comes first: its ``start``, else its requested periods. An element that
    cannot be read counts as not stated and leaves a note.
    """
    notes: list[str] = []
    for source, reading in _readings(order, zone, appointment or {}):
        notes += reading.notes
        if reading.spans:
            return ServiceDates(tuple(sorted(set(reading.spans))), source, source == "authoredOn", reading.partial, tuple(notes))
    return ServiceDates((Span(today, today),), "today", assumed=True, notes=tuple(notes))


def together(dates: Sequence[ServiceDates]) -> ServiceDates:
    """Several dates of one service, at least one, as one: all days, all notes; an assumption if any rests on one."""
    first = next((each for each in dates if not each.assumed), dates[0])
    return ServiceDates(
        tuple(sorted({span for each in dates for span in each.spans})),
        first.source,
        any(each.assumed for each in dates),
        any(each.partial for each in dates),
        tuple(dict.fromkeys(note for each in dates for note in each.notes)),
    )


def _readings(order: Mapping[str, Any], zone: ZoneInfo, appointment: Mapping[str, Any]) -> Iterator[tuple[Source, _Reading]]:
    yield "appointment.start", _date(appointment.get("start"), "the appointment's start", zone, is_instant=True)
    yield "appointment.requestedPeriod", _periods(appointment.get("requestedPeriod"), "the appointment's requested period", zone)
    yield "occurrenceDateTime", _date(order.get("occurrenceDateTime"), "occurrenceDateTime", zone)
    yield "occurrencePeriod", _period(order.get("occurrencePeriod"), "occurrencePeriod", zone)
    yield "occurrenceTiming", _timing(order.get("occurrenceTiming"), zone)
    yield "authoredOn", _date(order.get("authoredOn"), "authoredOn", zone)


def _date(value: Any, name: str, zone: ZoneInfo, *, is_instant: bool = False) -> _Reading:
    if value is None:
        return _Reading()
    span = parse_fhir_date(value, zone, is_instant=is_instant)
    if span is None:
        return _Reading(notes=[f"The date in {name} could not be read."])
    return _Reading([span], partial=span.first != span.last)


def _period(value: Any, name: str, zone: ZoneInfo) -> _Reading:
    """Both ends of a Period; an open end counts as the one stated bound, and is told."""
    period = as_object(value)
    start = _date(period.get("start"), f"{name} start", zone)
    end = _date(period.get("end"), f"{name} end", zone)
    notes = start.notes + end.notes
    if value is not None and not isinstance(value, dict):
        notes.append(f"{name} could not be read.")
    if start.spans and end.spans:
        first, last = start.spans[0], end.spans[0]
        if last.last < first.first:
            return _Reading(notes=[*notes, f"{name} ends before it starts."])
        return _Reading([Span(first.first, last.last)], notes, start.partial or end.partial)
    if start.spans:
        open_end = [] if end.notes else [f"No end was stated in {name}."]
        return _Reading(start.spans, [*notes, *open_end], start.partial)
    if end.spans:
        open_start = [] if start.notes else [f"No start was stated in {name}."]
        return _Reading(end.spans, [*notes, *open_start], end.partial)
    return _Reading(notes=notes)


def _all(values: list[Any], name: str, zone: ZoneInfo, read: Callable[[Any, str, ZoneInfo], _Reading]) -> _Reading:
    """What several values of one element yield together; the same note is told once."""
    together = _Reading()
    if len(values) > MAX_DATES:
        together.notes.append(f"Of {name} the first {MAX_DATES} dates were read.")
    for each in (read(value, name, zone) for value in values[:MAX_DATES]):
        together.spans += each.spans
        together.notes += [note for note in each.notes if note not in together.notes]
        together.partial |= each.partial
    return together


def _periods(value: Any, name: str, zone: ZoneInfo) -> _Reading:
    """All of several alternative Periods: the appointment may come to lie in any of them."""
    periods = value if isinstance(value, list) or value is None else [value]
    return _all(periods or [], name, zone, _period)


def _timing(value: Any, zone: ZoneInfo) -> _Reading:
    """The events of a Timing, or else the bounds of its repetition."""
    if value is not None and not isinstance(value, dict):
        return _Reading(notes=["occurrenceTiming could not be read."])
    timing = as_object(value)
    events = timing.get("event")
    reading = _all(events if isinstance(events, list) else [events], "occurrenceTiming", zone, _date)
    if reading.spans:
        return reading
    bounds = _period(as_object(timing.get("repeat")).get("boundsPeriod"), "occurrenceTiming", zone)
    bounds.notes[:0] = reading.notes
    return bounds

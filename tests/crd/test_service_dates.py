"""On which days the service is done: every date rule, on both sides of its boundary."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cds_service.crd.policy import Policy
from cds_service.crd.service_dates import ServiceDates, Span, parse_fhir_date, service_dates

from .builders import CHICAGO

TODAY = date(2024, 6, 15)
BEFORE, AFTER = date(2011, 6, 1), date(2023, 11, 1)


def days(first: str, last: str | None = None) -> Span:
    return Span(date.fromisoformat(first), date.fromisoformat(last or first))


def read(order: dict[str, Any], appointment: dict[str, Any] | None = None, zone: ZoneInfo = CHICAGO) -> ServiceDates:
    return service_dates(order, TODAY, zone, appointment)


def starts(policy: Policy, *spans: Span) -> list[date]:
    return [version.start for version in policy.versions_over(spans)]


# One date


@pytest.mark.parametrize(
    ("written", "first", "last"),
    [
        ("2023-10-31", "2023-10-31", "2023-10-31"),
        ("2023-11-01", "2023-11-01", "2023-11-01"),
        ("2011-05-31", "2011-05-31", "2011-05-31"),
        ("2011-06-01", "2011-06-01", "2011-06-01"),
        ("2023", "2023-01-01", "2023-12-31"),
        ("2023-10", "2023-10-01", "2023-10-31"),
        ("2023-11", "2023-11-01", "2023-11-30"),
        ("2023-02", "2023-02-01", "2023-02-28"),
        ("2024-02", "2024-02-01", "2024-02-29"),
        ("2024-02-29", "2024-02-29", "2024-02-29"),
        ("2000-02-29", "2000-02-29", "2000-02-29"),
        ("0001", "0001-01-01", "0001-12-31"),
        ("9999", "9999-01-01", "9999-12-31"),
        ("9999-12", "9999-12-01", "9999-12-31"),
        ("9999-12-31", "9999-12-31", "9999-12-31"),
        (" 2023-11-01 ", "2023-11-01", "2023-11-01"),
        ("2023-11-01\n", "2023-11-01", "2023-11-01"),
    ],
)
def test_a_date_is_the_day_month_or_year_it_states(written: str, first: str, last: str) -> None:
    assert parse_fhir_date(written, CHICAGO) == days(first, last)


@pytest.mark.parametrize(
    ("written", "day"),
    [
        # still October 31 in Alabama
        ("2023-11-01T02:00:00Z", "2023-10-31"),
        ("2023-11-01T02:00:00+00:00", "2023-10-31"),
        ("2023-11-01T02:00:00-00:00", "2023-10-31"),
        # Alabama keeps daylight saving time until November 5: midnight there is 05:00 UTC
        ("2023-11-01T04:59:59Z", "2023-10-31"),
        ("2023-11-01T05:00:00Z", "2023-11-01"),
        ("2023-11-01T23:59:59.999Z", "2023-11-01"),
        # exactly midnight UTC is how systems write a bare date
        ("2023-11-01T00:00:00Z", "2023-11-01"),
        ("2023-11-01T00:00:00.000Z", "2023-11-01"),
        ("2023-11-01T00:00:00.000000000000Z", "2023-11-01"),
        ("2023-11-01T00:00:00+00:00", "2023-11-01"),
        ("2023-11-01T00:00Z", "2023-11-01"),
        # a moment after midnight is not
        ("2023-11-01T00:00:00.001Z", "2023-10-31"),
        ("2023-11-01T00:00:01Z", "2023-10-31"),
        # with an offset of its own a dateTime counts on its own written day
        ("2023-10-31T23:30:00-05:00", "2023-10-31"),
        ("2023-11-01T00:00:00-05:00", "2023-11-01"),
        ("2023-11-01T00:30:00+14:00", "2023-11-01"),
        ("2023-10-31T23:59:59-12:00", "2023-10-31"),
        ("2023-11-01T00:30:00+00:30", "2023-11-01"),
        # no offset: not FHIR, but the written day is plain
        ("2023-10-31T23:30:00", "2023-10-31"),
        ("2023-10-31T23:30", "2023-10-31"),
        # a leap second
        ("2016-12-31T23:59:60Z", "2016-12-31"),
    ],
)
def test_a_moment_counts_on_its_written_day_except_in_utc(written: str, day: str) -> None:
    assert parse_fhir_date(written, CHICAGO) == days(day)


@pytest.mark.parametrize(
    ("written", "day"),
    [
        # March 12, 2023 has 23 hours in Alabama, November 5 has 25
        ("2023-03-12T05:59:59Z", "2023-03-11"),
        ("2023-03-12T06:00:00Z", "2023-03-12"),
        ("2023-03-13T04:59:59Z", "2023-03-12"),
        ("2023-03-13T05:00:00Z", "2023-03-13"),
        ("2023-11-05T04:59:59Z", "2023-11-04"),
        ("2023-11-05T05:00:00Z", "2023-11-05"),
        ("2023-11-06T05:59:59Z", "2023-11-05"),
        ("2023-11-06T06:00:00Z", "2023-11-06"),
    ],
)
def test_midnight_in_alabama_moves_with_daylight_saving_time(written: str, day: str) -> None:
    assert parse_fhir_date(written, CHICAGO) == days(day)


@pytest.mark.parametrize(
    ("zone", "written", "day"),
    [
        ("America/New_York", "2023-11-01T04:30:00Z", "2023-11-01"),
        ("America/Chicago", "2023-11-01T04:30:00Z", "2023-10-31"),
        ("Pacific/Auckland", "2023-10-31T12:00:00Z", "2023-11-01"),
        ("Pacific/Auckland", "2023-11-01T00:00:00Z", "2023-11-01"),
        ("UTC", "2023-11-01T02:00:00Z", "2023-11-01"),
        ("Pacific/Kiritimati", "2023-10-31T09:59:59Z", "2023-10-31"),
        ("Pacific/Kiritimati", "2023-10-31T10:00:00Z", "2023-11-01"),
    ],
)
def test_utc_is_turned_into_the_plans_zone_wherever_that_is(zone: str, written: str, day: str) -> None:
    assert parse_fhir_date(written, ZoneInfo(zone)) == days(day)


UNREADABLE: list[Any] = [
    None, True, False, 0, 2023, 20231101, 2023.5, [], ["2023-11-01"], {}, {"value": "2023-11-01"}, "", " ", "soon",
    "tomorrow", "11/01/2023", "01.11.2023", "2023-11-1", "2023-1", "23-11-01", "20231101", "+2023-11-01", "-2023-11-01",
    "2023-02-29", "1900-02-29", "2023-11-31", "2023-13", "2023-00", "2023-13-01", "2023-11-00", "0000", "0000-01-01",
    "10000-01-01", "2023-11-01T", "2023-11-01T24:00:00Z", "2023-11-01T25:00:00-05:00", "2023-11-01T10:60:00Z",
    "2023-11-01T10:00:61Z", "2023-11-01T1:00:00Z", "2023-11-01 10:00:00", "2023-11-01T10:00:00z",
    "2023-11-01T10:00:00+15:00", "2023-11-01T10:00:00+14:01", "2023-11-01T10:00:00-05:60", "2023-11-01T10:00:00-0500",
    "2023-11-01T10Z", "2023-11T10:00:00Z", "2023-11-01Z", "2023-11-01T10:00:00.Z", "2023\u20111\u20111", "２０２３-11-01",
    "2023-11-01\x00", "2023-11-01; drop", "2023-11-01" * 100, "9" * 5000,
    "0001-01-01T02:00:00Z",  # would be in year 0 in Alabama
]  # fmt: skip


@pytest.mark.parametrize("value", UNREADABLE, ids=lambda value: repr(value)[:30])
def test_what_is_no_fhir_date_is_not_read(value: Any) -> None:
    assert parse_fhir_date(value, CHICAGO) is None


@pytest.mark.parametrize(
    ("written", "zone"), [("9999-12-31T23:00:00Z", "Pacific/Auckland"), ("0001-01-01T02:00:00Z", "America/Chicago")]
)
def test_a_moment_beyond_the_calendar_is_not_read(written: str, zone: str) -> None:
    assert parse_fhir_date(written, ZoneInfo(zone)) is None


@given(st.one_of(st.text(), st.from_regex(r"\d{4}(-\d\d(-\d\d(T\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d))?)?)?", fullmatch=True)))
@settings(max_examples=120, deadline=None)
def test_no_text_is_ever_more_than_a_span_of_days_in_order(text: str) -> None:
    span = parse_fhir_date(text, CHICAGO)
    assert span is None or span.first <= span.last


@given(st.datetimes(min_value=datetime(2, 1, 1), max_value=datetime(9998, 1, 1)))
@settings(max_examples=80, deadline=None)
def test_a_moment_in_utc_is_at_most_a_day_from_its_written_day(moment: Any) -> None:
    span = parse_fhir_date(moment.isoformat(timespec="microseconds") + "Z", CHICAGO)
    assert span is not None
    assert 0 <= (moment.date() - span.first).days <= 1


# Which versions hold


@pytest.mark.parametrize(
    ("written", "versions"),
    [
        ("2011-05-31", []),
        ("2011-06-01", [BEFORE]),
        ("2011-05", []),
        ("2011-06", [BEFORE]),
        ("2011", [BEFORE]),
        ("2010", []),
        ("2023-10-31", [BEFORE]),
        ("2023-11-01", [AFTER]),
        ("2023-10", [BEFORE]),
        ("2023-11", [AFTER]),
        ("2023", [BEFORE, AFTER]),
        ("2022", [BEFORE]),
        ("2024", [AFTER]),
        ("2023-11-01T02:00:00Z", [BEFORE]),
        ("2023-11-01T00:00:00Z", [AFTER]),
        ("2023-10-31T23:30:00-05:00", [BEFORE]),
        ("2023-11-01T00:30:00+14:00", [AFTER]),
        ("0001-01-01", []),
        ("9999-12-31", [AFTER]),
    ],
)
def test_the_versions_are_those_of_the_days_stated(policy: Policy, written: str, versions: list[date]) -> None:
    assert starts(policy, *read({"occurrenceDateTime": written}).spans) == versions


# Which element


def test_the_occurrence_comes_before_the_day_of_writing_and_before_today() -> None:
    found = read({"occurrenceDateTime": "2023-10-31", "authoredOn": "2023-11-15"})
    assert (found.spans, found.source, found.assumed, found.notes) == ((days("2023-10-31"),), "occurrenceDateTime", False, ())


def test_without_an_occurrence_the_day_of_writing_is_assumed() -> None:
    found = read({"authoredOn": "2023-11-01T02:00:00Z"})
    assert (found.spans, found.source, found.assumed) == ((days("2023-10-31"),), "authoredOn", True)


def test_without_any_date_today_is_assumed() -> None:
    found = read({})
    assert (found.spans, found.source, found.assumed, found.notes) == ((Span(TODAY, TODAY),), "today", True, ())


@pytest.mark.parametrize("occurrence", ["occurrenceDateTime", "occurrencePeriod", "occurrenceTiming"])
@pytest.mark.parametrize("value", ["soon", 5, True, ["2023-10-31"], ""], ids=repr)
def test_an_occurrence_that_cannot_be_read_counts_as_not_stated_and_is_told(occurrence: str, value: Any) -> None:
    found = read({occurrence: value, "authoredOn": "2023-10-31"})
    assert (found.spans, found.source, found.assumed) == ((days("2023-10-31"),), "authoredOn", True)
    assert len(found.notes) == 1
    assert occurrence in found.notes[0]
    assert "could not be read" in found.notes[0]


def test_when_nothing_can_be_read_today_is_assumed_and_every_failure_told() -> None:
    found = read({"occurrenceDateTime": "soon", "authoredOn": "2023-02-29"})
    assert found.source == "today"
    assert [note.split()[3] for note in found.notes] == ["occurrenceDateTime", "authoredOn"]


@pytest.mark.parametrize("value", [value for value in UNREADABLE if value is not None], ids=lambda value: repr(value)[:30])
def test_garbage_of_any_kind_is_a_note_and_never_an_error(value: Any) -> None:
    found = read({"occurrenceDateTime": value, "occurrencePeriod": value, "occurrenceTiming": value, "authoredOn": value})
    assert found.source == "today"
    assert found.notes


def test_null_is_not_stated_and_nothing_is_told() -> None:
    found = read({"occurrenceDateTime": None, "occurrencePeriod": None, "occurrenceTiming": None, "authoredOn": None})
    assert (found.source, found.notes) == ("today", ())


def test_a_partial_date_is_marked_and_a_day_is_not() -> None:
    assert read({"occurrenceDateTime": "2023-10"}).partial
    assert read({"authoredOn": "2023"}).partial
    assert not read({"occurrenceDateTime": "2023-10-31"}).partial


# Periods


@pytest.mark.parametrize(
    ("period", "span", "versions"),
    [
        ({"start": "2023-10-30", "end": "2023-11-02"}, days("2023-10-30", "2023-11-02"), [BEFORE, AFTER]),
        ({"start": "2023-10-01", "end": "2023-10-31"}, days("2023-10-01", "2023-10-31"), [BEFORE]),
        ({"start": "2023-11-01", "end": "2023-11-30"}, days("2023-11-01", "2023-11-30"), [AFTER]),
        ({"start": "2023-10-31", "end": "2023-10-31"}, days("2023-10-31"), [BEFORE]),
        ({"start": "2023-10", "end": "2023-11"}, days("2023-10-01", "2023-11-30"), [BEFORE, AFTER]),
        ({"start": "2023-10-15", "end": "2023"}, days("2023-10-15", "2023-12-31"), [BEFORE, AFTER]),
        ({"start": "2011-05-01", "end": "2011-05-31"}, days("2011-05-01", "2011-05-31"), []),
        ({"start": "2011-05-01", "end": "2011-06-01"}, days("2011-05-01", "2011-06-01"), [BEFORE]),
        ({"start": "2010", "end": "2024"}, days("2010-01-01", "2024-12-31"), [BEFORE, AFTER]),
        ({"start": "2023-10-31T12:00:00Z", "end": "2023-11-01T02:00:00Z"}, days("2023-10-31"), [BEFORE]),
        (
            {"start": "2023-10-31T23:00:00-05:00", "end": "2023-11-01T01:00:00-05:00"},
            days("2023-10-31", "2023-11-01"),
            [BEFORE, AFTER],
        ),
    ],
)
def test_a_period_is_all_days_from_its_start_to_its_end(policy: Policy, period: Any, span: Span, versions: list[date]) -> None:
    found = read({"occurrencePeriod": period})
    assert (found.spans, found.source, found.notes) == ((span,), "occurrencePeriod", ())
    assert starts(policy, *found.spans) == versions


@pytest.mark.parametrize(
    ("period", "span", "note"),
    [
        ({"start": "2023-10-31"}, days("2023-10-31"), "No end was stated in occurrencePeriod."),
        ({"end": "2023-11-01"}, days("2023-11-01"), "No start was stated in occurrencePeriod."),
        ({"start": "2023-10"}, days("2023-10-01", "2023-10-31"), "No end was stated in occurrencePeriod."),
        ({"start": "2023-10-31", "end": None}, days("2023-10-31"), "No end was stated in occurrencePeriod."),
        ({"start": "2023-10-31", "end": "soon"}, days("2023-10-31"), "The date in occurrencePeriod end could not be read."),
        ({"start": 7, "end": "2023-11-01"}, days("2023-11-01"), "The date in occurrencePeriod start could not be read."),
    ],
)
def test_an_open_end_counts_as_the_one_stated_bound_and_is_told(period: Any, span: Span, note: str) -> None:
    found = read({"occurrencePeriod": period, "authoredOn": "2020-01-01"})
    assert (found.spans, found.source, found.notes) == ((span,), "occurrencePeriod", (note,))


@pytest.mark.parametrize(
    "period",
    [
        {"start": "2023-11-02", "end": "2023-11-01"},
        {"start": "2023-11", "end": "2023-10"},
        {"start": "2024", "end": "2023-12-31"},
    ],
)
def test_a_period_that_ends_before_it_starts_counts_as_not_stated(period: Any) -> None:
    found = read({"occurrencePeriod": period, "authoredOn": "2023-10-31"})
    assert (found.source, found.notes) == ("authoredOn", ("occurrencePeriod ends before it starts.",))


@pytest.mark.parametrize("period", [{"start": "2023-11-15", "end": "2023-11"}, {"start": "2023-11", "end": "2023-11-01"}])
def test_a_partial_end_within_the_start_is_no_contradiction(period: Any) -> None:
    assert read({"occurrencePeriod": period}).source == "occurrencePeriod"


def test_a_period_with_two_unreadable_ends_counts_as_not_stated() -> None:
    found = read({"occurrencePeriod": {"start": "x", "end": "y"}})
    assert (found.source, len(found.notes)) == ("today", 2)


def test_an_empty_period_states_nothing() -> None:
    assert read({"occurrencePeriod": {}}).source == "today"


# Timings


def test_the_events_of_a_timing_are_its_days_in_order_and_once(policy: Policy) -> None:
    found = read(
        {"occurrenceTiming": {"event": ["2023-11-01", "2023-10-31", "2023-11-01"], "repeat": {"boundsPeriod": {"start": "2019"}}}}
    )
    assert (found.spans, found.source) == ((days("2023-10-31"), days("2023-11-01")), "occurrenceTiming")
    assert starts(policy, *found.spans) == [BEFORE, AFTER]


def test_days_apart_touch_only_the_versions_they_lie_in(policy: Policy) -> None:
    assert starts(policy, days("2011-05-31"), days("2023-11-01")) == [AFTER]


def test_the_bounds_of_a_timing_count_where_it_has_no_events() -> None:
    found = read({"occurrenceTiming": {"repeat": {"boundsPeriod": {"start": "2023-10-30", "end": "2023-11-02"}, "frequency": 1}}})
    assert (found.spans, found.source) == ((days("2023-10-30", "2023-11-02"),), "occurrenceTiming")


def test_open_bounds_of_a_timing_are_told() -> None:
    found = read({"occurrenceTiming": {"repeat": {"boundsPeriod": {"start": "2023-10-30"}}}})
    assert found.notes == ("No end was stated in occurrenceTiming.",)


def test_an_unreadable_event_is_told_once_and_the_others_count() -> None:
    found = read({"occurrenceTiming": {"event": ["x", "2023-10-31", 5]}})
    assert (found.spans, found.notes) == ((days("2023-10-31"),), ("The date in occurrenceTiming could not be read.",))


def test_with_unreadable_events_only_the_bounds_count() -> None:
    found = read({"occurrenceTiming": {"event": ["x"], "repeat": {"boundsPeriod": {"start": "2023-10-30", "end": "2023-10-31"}}}})
    assert (found.spans, found.notes) == (
        (days("2023-10-30", "2023-10-31"),),
        ("The date in occurrenceTiming could not be read.",),
    )


@pytest.mark.parametrize(
    "timing", [{}, {"event": []}, {"repeat": {}}, {"repeat": {"boundsDuration": {"value": 2}}}, {"code": {"text": "BID"}}]
)
def test_a_timing_without_days_states_nothing(timing: Any) -> None:
    assert (read({"occurrenceTiming": timing}).source, read({"occurrenceTiming": timing}).notes) == ("today", ())


@pytest.mark.parametrize("timing", [{"event": "soon"}, {"event": {}}, {"repeat": {"boundsPeriod": "2023"}}])
def test_a_timing_of_odd_shape_is_told(timing: Any) -> None:
    found = read({"occurrenceTiming": timing, "authoredOn": "2023-10-31"})
    assert (found.source, len(found.notes)) == ("authoredOn", 1)


# Appointments


def test_the_start_of_an_appointment_comes_before_the_orders_own_date() -> None:
    found = read({"occurrenceDateTime": "2023-11-15"}, {"start": "2023-10-31T23:30:00-05:00"})
    assert (found.spans, found.source, found.assumed) == ((days("2023-10-31"),), "appointment.start", False)


def test_without_a_start_all_its_requested_periods_count(policy: Policy) -> None:
    requested = [{"start": "2023-10-30", "end": "2023-10-31"}, {"start": "2023-11-06", "end": "2023-11-07"}]
    found = read({"occurrenceDateTime": "2019-01-01"}, {"requestedPeriod": requested})
    assert found.spans == (days("2023-10-30", "2023-10-31"), days("2023-11-06", "2023-11-07"))
    assert found.source == "appointment.requestedPeriod"
    assert starts(policy, *found.spans) == [BEFORE, AFTER]


def test_an_unreadable_start_of_an_appointment_is_told_and_the_requested_period_counts() -> None:
    found = read({}, {"start": "soon", "requestedPeriod": [{"start": "2023-10-30", "end": "2023-10-31"}]})
    assert found.source == "appointment.requestedPeriod"
    assert found.notes == ("The date in the appointment's start could not be read.",)


@pytest.mark.parametrize(
    ("start", "day"),
    [
        ("2023-11-01T00:00:00Z", "2023-10-31"),
        ("2023-11-01T00:00:00.000+00:00", "2023-10-31"),
        ("2027-01-01T00:00:00Z", "2026-12-31"),
        ("2023-11-01T05:00:00Z", "2023-11-01"),
        ("2023-11-01T00:00:00-05:00", "2023-11-01"),
    ],
)
def test_an_appointment_at_midnight_utc_is_in_the_evening_before_since_an_instant_is_no_bare_date(start: str, day: str) -> None:
    assert read({}, {"start": start}).spans == (days(day),)


@pytest.mark.parametrize("appointment", [{}, {"start": None}, {"requestedPeriod": []}, {"requestedPeriod": [{}]}])
def test_an_appointment_without_days_leaves_it_to_the_order(appointment: Any) -> None:
    assert read({"occurrenceDateTime": "2023-10-31"}, appointment).source == "occurrenceDateTime"


@pytest.mark.parametrize("requested", ["2023", [None, 3, "x"], {"start": 1}])
def test_requested_periods_of_odd_shape_leave_it_to_the_order_and_are_told(requested: Any) -> None:
    found = read({"occurrenceDateTime": "2023-10-31"}, {"requestedPeriod": requested})
    assert (found.source, bool(found.notes)) == ("occurrenceDateTime", True)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=30) | st.sampled_from(["2023", "2023-11-01", "2023-02-30"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["start", "end", "event", "repeat", "boundsPeriod", "x"]), inner)
    ),
    max_leaves=8,
)
ELEMENTS = ["occurrenceDateTime", "occurrencePeriod", "occurrenceTiming", "authoredOn", "start", "requestedPeriod"]


@given(st.dictionaries(st.sampled_from(ELEMENTS), JSON), st.dictionaries(st.sampled_from(ELEMENTS), JSON))
@settings(max_examples=100, deadline=None)
def test_there_is_always_a_day_whatever_an_order_says(order: dict[str, Any], appointment: dict[str, Any]) -> None:
    found = read(order, appointment)
    assert found.spans
    assert list(found.spans) == sorted(found.spans)
    assert all(span.first <= span.last for span in found.spans)
    assert found.assumed == (found.source in ("authoredOn", "today"))

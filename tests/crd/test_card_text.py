"""The words of a card: dates as a reader in the United States writes them, and order texts that cannot become markup."""

from __future__ import annotations

import re
from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from cds_service.crd.card_text import MAX_NAME, dates_text, detail_of, order_name, span_text, us_date
from cds_service.crd.determination import Determination, decide
from cds_service.crd.needs import not_allowed, run
from cds_service.crd.order_reading import Circumstances
from cds_service.crd.order_title import order_title
from cds_service.crd.policy import Policy
from cds_service.crd.service_dates import ServiceDates, Span

from .builders import CHICAGO, OURS, bundle, coverage, member_coverage, order, parse, sign_body

MEMBER = (member_coverage(),)
#: As clients show a card: GitHub's markdown, with raw HTML and autolinks.
GITHUB = MarkdownIt("gfm-like", {"html": True, "linkify": True})


def span(first: str, last: str | None = None) -> Span:
    return Span(date.fromisoformat(first), date.fromisoformat(last or first))


# Days


@pytest.mark.parametrize(
    ("day", "written"),
    [("2023-11-01", "11/1/2023"), ("2023-10-31", "10/31/2023"), ("0001-01-01", "1/1/1"), ("9999-12-31", "12/31/9999")],
)
def test_a_day_is_written_as_in_the_united_states(day: str, written: str) -> None:
    assert us_date(date.fromisoformat(day)) == written


@pytest.mark.parametrize(
    ("days", "words"),
    [
        (span("2023-11-01"), "11/1/2023"),
        (span("2023-01-01"), "1/1/2023"),
        (span("2023-01-01", "2023-12-31"), "2023"),
        (span("2023-01-01", "2023-12-30"), "1/1/2023 to 12/30/2023"),
        (span("2023-01-02", "2023-12-31"), "1/2/2023 to 12/31/2023"),
        (span("2022-01-01", "2023-12-31"), "1/1/2022 to 12/31/2023"),
        (span("2023-11-01", "2023-11-30"), "November 2023"),
        (span("2023-10-01", "2023-10-31"), "October 2023"),
        (span("2023-10-01", "2023-10-30"), "10/1/2023 to 10/30/2023"),
        (span("2023-10-02", "2023-10-31"), "10/2/2023 to 10/31/2023"),
        (span("2023-10-01", "2023-11-30"), "10/1/2023 to 11/30/2023"),
        (span("2022-10-01", "2023-10-31"), "10/1/2022 to 10/31/2023"),
        (span("2024-02-01", "2024-02-29"), "February 2024"),
        (span("2024-02-01", "2024-02-28"), "2/1/2024 to 2/28/2024"),
        (span("2023-02-01", "2023-02-28"), "February 2023"),
        (span("9999-12-01", "9999-12-31"), "December 9999"),
        (span("9999-12-31"), "12/31/9999"),
        (span("9999-12-02", "9999-12-31"), "12/2/9999 to 12/31/9999"),
        (span("9999-01-01", "9999-12-31"), "9999"),
        (span("0001-01-01", "9999-12-31"), "1/1/1 to 12/31/9999"),
    ],
)
def test_a_span_is_told_as_day_month_year_or_both_ends(days: Span, words: str) -> None:
    assert span_text(days) == words


@pytest.mark.parametrize(
    ("dates", "words"),
    [
        (
            ServiceDates((span("2023-11-01"),), "occurrenceDateTime"),
            "Date of service 11/1/2023, from the occurrenceDateTime of the order.",
        ),
        (
            ServiceDates((span("2023-10-01", "2023-10-31"),), "occurrenceDateTime", partial=True),
            "Date of service October 2023 (no day stated), from the occurrenceDateTime of the order.",
        ),
        (
            ServiceDates((span("2023-10-31"),), "occurrencePeriod", notes=("No end was stated in occurrencePeriod.",)),
            "Date of service 10/31/2023, from the occurrencePeriod of the order. No end was stated in occurrencePeriod.",
        ),
        (
            ServiceDates((span("2023-10-31"), span("2023-11-01")), "occurrenceTiming"),
            "Date of service 10/31/2023, 11/1/2023, from the occurrenceTiming of the order.",
        ),
        (
            ServiceDates((span("2023-10-31"),), "authoredOn", assumed=True),
            "Date of service not stated; assumed from the day the order was written (authoredOn), 10/31/2023.",
        ),
        (
            ServiceDates((span("2023-10-31"),), "today", assumed=True, notes=("The date in authoredOn could not be read.",)),
            "No date is stated; today, 10/31/2023, is assumed as the date of service. The date in authoredOn could not be read.",
        ),
        (
            ServiceDates((span("2023-10-31"),), "appointment.start"),
            "Date of service 10/31/2023, from the start of the appointment.",
        ),
        (
            ServiceDates((span("2023-10-31"),), "appointment.requestedPeriod"),
            "Date of service 10/31/2023, from the period requested for the appointment.",
        ),
    ],
)
def test_the_date_of_service_is_told_with_its_source_and_an_assumption_as_one(dates: ServiceDates, words: str) -> None:
    assert dates_text(dates) == words


def test_many_days_are_told_as_six_and_how_many_more() -> None:
    days = tuple(Span(date(2024, 1, day), date(2024, 1, day)) for day in range(1, 10))
    assert "1/5/2024, 1/6/2024, 3 more, from" in dates_text(ServiceDates(days, "occurrenceTiming"))
    assert "more" not in dates_text(ServiceDates(days[:6], "occurrenceTiming"))


# An order's own text

HOSTILE = [
    "https://evil.example/x",
    "www.evil.example",
    "evil.example",
    "mailto:a@evil.example",
    "someone@evil.example",
    "[click](https://evil.example)",
    "[click][1]\n\n[1]: https://evil.example",
    "![x](https://evil.example/x.png)",
    "<https://evil.example>",
    "<a href='https://evil.example'>x</a>",
    "<img src=x onerror=alert(1)>",
    "<script>alert(1)</script>",
    "</code><b>x</b>",
    "`",
    "``",
    "` [x](https://evil.example) `",
    "`` `<b>` ``",
    "```\n<b>x</b>\n```",
    "x\\`[y](https://evil.example)",
    "\\",
    "x \\",
    "# heading",
    "x\n\n# heading",
    "x\r\n\r\n---\r\n",
    "x\u2028\u2029# heading",
    "- item\n- item",
    "1. item",
    "> quote",
    "**bold** _em_ ~~gone~~",
    "| a | b |\n|---|---|\n| https://evil.example | c |",
    "&lt;b&gt; &#60;b&#62;",
    "x\u0000y\u0007z\x1b[31m",
    "\u202egnp.exe",
    "\u200b\u200bhttps://evil.example",
    "$\\href{https://evil.example}{x}$",
    ":::html\n<b>\n:::",
    "<!-- x -->",
    "<![CDATA[x]]>",
    "\ud800",
    "  ",
    "",
    "`" * 200,
    "a" * 5000,
    "https://evil.example/" * 50,
]


def shown(title: str) -> str:
    """The card's list line with ``title``, as a client shows it."""
    return str(GITHUB.render(f"before\n\n- {order_name(title)}: dates\n- next\n\nafter"))


@pytest.mark.parametrize("title", HOSTILE, ids=lambda title: ascii(title)[:30])
def test_an_orders_text_is_one_piece_of_code_and_no_markup(title: str) -> None:
    inside_is_code_only(title)


@given(st.text(st.characters(exclude_categories=())) | st.text("`\\[]()<>!#*_~|&;:/.-= \n\tahtps@w", max_size=60))
@settings(max_examples=150, deadline=None)
def test_no_text_at_all_becomes_markup(title: str) -> None:
    inside_is_code_only(title)


def inside_is_code_only(title: str) -> None:
    html = shown(title.encode("utf-8", "replace").decode() if "\ud800" not in title else title)
    found = re.fullmatch(
        r"<p>before</p>\n<ul>\n<li><code>([^<>]*)</code>: dates</li>\n<li>next</li>\n</ul>\n<p>after</p>\n", html, re.DOTALL
    )
    assert found, html
    assert "\n" not in found[1]


@pytest.mark.parametrize(("length", "kept"), [(99, 99), (100, 100), (101, 100), (5000, 100)])
def test_a_name_is_cut_to_what_a_card_has_room_for(length: int, kept: int) -> None:
    name = order_name("x" * length).strip("`")
    assert len(name) == kept == min(length, MAX_NAME)
    assert name.endswith("…") == (length > 100)


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("MR neurography", "`MR neurography`"),
        ("  MR \t\n neurography ", "`MR neurography`"),
        ("MR\u00a0neurography", "`MR neurography`"),
        ("MR `neurography`", "`MR 'neurography'`"),
        ("Neurografía por RM — plexo", "`Neurografía por RM — plexo`"),
        ("核磁共振神经成像", "`核磁共振神经成像`"),
        ("\x00\x01", "`order without a name`"),
        ("", "`order without a name`"),
    ],
)
def test_a_name_is_one_line_of_what_can_be_printed(title: str, name: str) -> None:
    assert order_name(title) == name


# What an order calls itself


@pytest.mark.parametrize(
    ("body", "title"),
    [
        ({"code": {"text": "A", "coding": [{"display": "B", "code": "C"}]}}, "A"),
        ({"code": {"coding": [{"code": "C"}, {"display": "B", "code": "D"}]}}, "B"),
        ({"code": {"coding": [{}, {"code": "C"}]}}, "C"),
        ({"code": {"text": "Unknown", "coding": [{"display": "Unknown", "code": "76498"}]}}, "76498"),
        ({"code": {"text": " ", "coding": [{"display": "", "code": "76498"}]}}, "76498"),
        ({"orderDetail": [{"text": "with contrast"}]}, "with contrast"),
        ({"code": {"coding": [{}]}}, "order without a name"),
        ({"code": "76498"}, "order without a name"),
        ({"code": {"text": 5, "coding": "x"}, "orderDetail": {}}, "order without a name"),
        ({}, "order without a name"),
    ],
)
def test_an_order_is_called_by_its_text_else_a_display_else_a_code(body: dict[str, Any], title: str) -> None:
    assert order_title(body) == title


# The whole detail


def determined(policy: Policy, *orders: Any, covered: Any) -> list[Determination]:
    request = parse(sign_body(*orders, prefetch={"coverage": bundle(*covered)}))
    given = Circumstances((policy,), date(2024, 6, 15), CHICAGO)
    return list(run(decide(request, given), not_allowed).determinations)


def detail(policy: Policy, *orders: Any, covered: Any = MEMBER) -> str:
    found = determined(policy, *orders, covered=covered)
    assert len(found) == len(orders)
    return detail_of(found)


def in_order(text: str, *parts: str) -> None:
    places = [text.index(part) for part in parts]
    assert places == sorted(places), list(zip(parts, places, strict=True))


def test_the_detail_says_first_what_matters_most(policy: Policy) -> None:
    text = policy.document.card
    in_order(
        detail(policy, order(occurrenceDateTime="2023-10-31")),
        f"**{policy.document.versions[0].statement}**",
        "`MR neurography brachial plexus`: Date of service 10/31/2023",
        "Authority for services to 10/31/2023: Blue Advantage policy #177",
        text.care,
        "What can be done now:",
        text.next_steps[0],
        text.trial_mention,
        text.disclaimer,
    )


def test_each_authority_is_told_on_its_side_of_the_change_and_both_across_it(policy: Policy) -> None:
    before, after = (version.authority for version in policy.document.versions)
    first = detail(policy, order(occurrenceDateTime="2023-10-31"))
    second = detail(policy, order(occurrenceDateTime="2023-11-01"))
    both = detail(policy, order(occurrenceDateTime="2023"))
    assert (before in first, after in first) == (True, False)
    assert (before in second, after in second) == (False, True)
    in_order(both, before, after)


def test_a_trial_is_said_first_where_one_is_shown(policy: Policy) -> None:
    text = policy.document.card
    told = detail(policy, order(reasonCode=[{"coding": [{"code": "Z00.6"}]}]))
    in_order(told, text.trial_shown, f"**{policy.document.versions[1].statement}**")
    assert text.trial_mention not in told


def test_where_membership_is_not_known_the_detail_leads_with_the_condition(policy: Policy) -> None:
    for covered in ((), (coverage(payor=[{"display": OURS}]),), (coverage(payor=[{"display": "Blue Advantage"}]),)):
        assert detail(policy, order(), covered=covered).startswith("**If this patient is a Blue Advantage member:**")
    assert "If this patient" not in detail(policy, order())


def test_an_order_that_may_be_something_else_is_asked_to_be_named(policy: Policy) -> None:
    told = detail(policy, order(code={"coding": [{"system": "http://www.ama-assn.org/go/cpt", "code": "76498"}]}))
    condition = f"If the order is for MR neurography: **{policy.document.versions[1].statement}**"
    in_order(told, policy.document.card.unclear, condition)
    assert "What can be done now" not in told


def test_every_order_is_named_with_its_own_date(policy: Policy) -> None:
    other = order(id="o2", code={"text": "MR neurogram, left sciatic"}, occurrenceDateTime="2024-05-06")
    told = detail(policy, order(), other)
    assert "- `MR neurography brachial plexus`: Date of service 3/5/2024, from" in told
    assert "- `MR neurogram, left sciatic`: Date of service 5/6/2024, from" in told


def test_a_hostile_order_text_adds_nothing_to_the_details_markup(policy: Policy) -> None:
    def tags(text: str) -> list[str]:
        return re.findall(r"<[^>]+>", GITHUB.render(text))

    plain = tags(detail(policy, order()))
    for title in HOSTILE:
        if "\ud800" not in title:
            assert tags(detail(policy, order(code={"text": f"MR neurography {title}"}))) == plain, title

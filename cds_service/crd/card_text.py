"""The words of a card's detail, as GitHub markdown, most important first.

Policy words come from the policy file; what is here joins them to the order's own name and dates. An order's text stands in a
code span: there neither GitHub's markdown nor an autolinker makes anything of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from .determination import Determination
from .membership import Membership
from .recognition import Answer
from .service_dates import ServiceDates, Span

#: An order's own text is cut to this many characters on a card.
MAX_NAME = 100

_SOURCES = {
    "appointment.start": "start of the appointment",
    "appointment.requestedPeriod": "period requested for the appointment",
    "occurrenceDateTime": "occurrenceDateTime of the order",
    "occurrencePeriod": "occurrencePeriod of the order",
    "occurrenceTiming": "occurrenceTiming of the order",
}


def us_date(day: date) -> str:
    """``day`` as written in the plan's country: 11/1/2023."""
    return f"{day.month}/{day.day}/{day.year}"


def span_text(span: Span) -> str:
    """``span`` in words: a day, a whole month or year as it was stated, or both ends."""
    if span.first == span.last:
        return us_date(span.first)
    if (span.first.month, span.first.day, span.last.month, span.last.day) == (1, 1, 12, 31) and span.first.year == span.last.year:
        return f"{span.first.year}"
    next_day = span.last.toordinal() + 1
    ends_month = next_day > date.max.toordinal() or date.fromordinal(next_day).day == 1
    if span.first.day == 1 and ends_month and (span.first.year, span.first.month) == (span.last.year, span.last.month):
        return f"{span.first:%B} {span.first.year}"
    return f"{us_date(span.first)} to {us_date(span.last)}"


def dates_text(dates: ServiceDates) -> str:
    """The date of service and where it was read; an assumption is named as one."""
    shown = [span_text(span) for span in dates.spans[:6]] + ([f"{len(dates.spans) - 6} more"] if len(dates.spans) > 6 else [])
    days = ", ".join(shown)
    if dates.source == "authoredOn":
        told = f"Date of service not stated; assumed from the day the order was written (authoredOn), {days}."
    elif dates.source == "today":
        told = f"No date is stated; today, {days}, is assumed as the date of service."
    else:
        whole = " (no day stated)" if dates.partial else ""
        told = f"Date of service {days}{whole}, from the {_SOURCES[dates.source]}."
    return " ".join([told, *dates.notes])


def order_name(title: str) -> str:
    """An order's own text, safe within markdown: one line, in a code span, shortened."""
    if not title.isprintable():
        title = "".join(char if char.isprintable() else " " for char in title)
    plain = " ".join(title.replace("`", "'").split())
    if len(plain) > MAX_NAME:
        plain = plain[: MAX_NAME - 1].rstrip() + "…"
    return f"`{plain or 'order without a name'}`"


def _lead(determination: Determination) -> str | None:
    """What must be said before all else of the patient's membership, or None of a member."""
    text = determination.policy.document.card
    if determination.assertion == "no-active-coverage":
        return text.member_inactive
    return text.member_unknown if determination.membership is Membership.UNKNOWN else None


def _statements(determination: Determination) -> str:
    """What the versions state: where all determine the same what the last one states of it, else each with its days.

    The last one knows what was before it; an earlier one must not be stretched to days on which it no longer held.
    """
    versions = determination.versions
    if len({version.determination for version in versions}) == 1:
        return versions[-1].statement
    return " ".join(
        f"{version.summary_among[:1].upper()}{version.summary_among[1:]}: {version.statement}" for version in versions
    )


def detail_of(group: Sequence[Determination]) -> str:
    """The detail of one card: the determination, the orders and their dates, the authority, care, what can be done."""
    first = group[0]
    text = first.policy.document.card
    certain = first.answer is Answer.YES
    statements = _statements(first)
    paragraphs = [f"**{lead}**"] if (lead := _lead(first)) else []
    if first.trial:
        paragraphs.append(text.trial_shown)
    if certain:
        paragraphs.append(f"**{statements}**")
    else:
        paragraphs += [text.unclear, f"If the order is for {first.policy.document.procedure}: **{statements}**"]
    paragraphs.append("\n".join(f"- {order_name(each.title)}: {dates_text(each.dates)}" for each in group))
    paragraphs += [version.authority for version in first.versions]
    paragraphs.append(text.care)
    if certain:
        paragraphs.append("What can be done now:\n\n" + "\n".join(f"- {step}" for step in text.next_steps))
    if not first.trial:
        paragraphs.append(text.trial_mention)
    paragraphs.append(text.disclaimer)
    return "\n\n".join(paragraphs)

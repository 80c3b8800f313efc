"""A decision in plain words: why each order was answered as it was, or not at all."""

from __future__ import annotations

from collections.abc import Iterator

from .card_text import dates_text
from .determination import Decision, Determination
from .fhir import decode
from .fhir_values import as_object
from .membership import CoverageReading
from .order_reading import Reading
from .order_title import order_title
from .recognition import Answer
from .service_dates import ServiceDates


def explain(decision: Decision, *, is_refused: bool = False) -> Iterator[str]:
    """Yield the lines that say, order by order, what was recognised, when, by which coverage, and under which version.

    ``is_refused``: the call is answered with an error, and ``decision`` is as far as it got (``CallError.so_far``).
    """
    if not decision.readings:
        yield "No order of this call is one that the hook asks about."
    for kind in decision.request.other_resources:
        yield f"Passed over: a {kind}, which is no order."
    determinations = {each.reading.order.place: each for each in decision.determinations}
    for reading in decision.readings:
        yield from _explain_order(reading, determinations.get(reading.order.place), decision, is_refused)


def _explain_order(reading: Reading, determination: Determination | None, decision: Decision, is_refused: bool) -> Iterator[str]:
    yield f"Order {reading.order.reference or 'without an id'} at {reading.order.place}: {_title(reading)}"
    if reading.passed_over:
        yield f"  Passed over: {reading.passed_over}."
        return
    yield from (f"  {line}" for line in recognition_lines(reading))
    if reading.recognition is None or reading.recognition.answer is Answer.NO:
        yield "  Card: none."
        return
    assert reading.dates is not None
    yield f"  Date: {dates_text(reading.dates)}{_element(reading.dates)}"
    yield from (f"  {line}" for line in version_lines(reading))
    if not reading.versions:
        yield "  Card: none; no version of the policy held on that date."
        return
    if not decision.coverages:
        yield "  Coverage: none was sent or to be had, so nothing tells whether the patient is a member."
    yield from (f"  {coverage_line(coverage)}" for coverage in decision.coverages)
    if determination is None:
        yield f"  Card: none; {'the call is refused' if is_refused else 'the patient is insured otherwise'}."
        return
    yield f"  Taken as: {_TAKEN_AS[determination.membership.value]}."
    if determination.trial:
        yield f"  Clinical trial: shown by {determination.trial}."
    if determination.fhir_issues:
        yield f"  Not valid FHIR R4 at: {', '.join(determination.fhir_issues)} (answered all the same)."


_TAKEN_AS = {
    "member": "a member of the plan",
    "unknown": "possibly a member; the card says so first",
}


def _title(reading: Reading) -> str:
    return order_title(as_object(decode(reading.order.raw, reading.order.place)))


def _element(dates: ServiceDates) -> str:
    return f" [{dates.source}]"


def recognition_lines(reading: Reading) -> Iterator[str]:
    """What the order was recognised by, and what spoke against it."""
    found = reading.recognition
    if found is None or reading.policy is None:
        yield "Recognised: no. No word and no code of any policy stands in it."
        return
    procedure = reading.policy.document.procedure
    yield f"Recognised as {procedure}: {found.answer.value} (rule {found.rule}). {found.reason}"
    for evidence in found.evidence:
        yield f"  {evidence.weighs}: “{evidence.words}” in {evidence.element} (rule {evidence.rule})"


def version_lines(reading: Reading) -> Iterator[str]:
    """The versions of the policy that hold on the dates of service."""
    for version in reading.versions:
        assert reading.policy is not None
        document = reading.policy.document
        yield f"Policy: {document.plan} #{document.number}, version from {version.start}: {version.statement}"


def coverage_line(reading: CoverageReading) -> str:
    """What one Coverage told, and whether it counts."""
    counts = "counts" if reading.not_counting is None else f"does not count: {reading.not_counting}"
    name = reading.coverage.reference or "Coverage without an id"
    return f"Coverage {name}: {reading.membership.value}, {reading.why}; it {counts}."

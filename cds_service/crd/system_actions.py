"""Which resources of a call get which coverage information, as the system actions of the response."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import msgspec

from .annotation import ASSERTION_MARK, ASSERTION_PREFIX, annotate, bears_other, replace_earlier
from .coverage_information import Children, determined, unmatched, withdrawn
from .determination import Decision, Determination
from .fhir import Resource
from .fhir_values import reference_tail
from .membership import Membership
from .order_reading import Reading, is_live
from .policy import Policy
from .recognition import Answer
from .service_dates import together


class Presentation(msgspec.Struct, frozen=True):
    """What an answer depends on besides the decision.

    ``public_url`` has no slash at its end. ``new_id`` gives a fresh UUID. ``asserting`` False leaves out every system action:
    an assertion that could not be recorded must not be made (CRD found-11).
    """

    public_url: str
    today: date
    new_id: Callable[[], str]
    literal_q2: bool = False
    asserting: bool = True


class OrderAnswer(msgspec.Struct, frozen=True):
    """What one order bears after the call: ``covered`` and ``assertion_id`` are None where nothing is asserted of it.

    ``is_new`` is False where the order already bore the same answer, so that nothing was sent (CRD 2.2.1 resp-35).
    """

    determination: Determination
    covered: str | None = None
    assertion_id: str | None = None
    is_new: bool = False

    @property
    def is_repeated(self) -> bool:
        """Did the order already bear this very answer?"""
        return self.assertion_id is not None and not self.is_new


class OtherAssertion(msgspec.Struct, frozen=True):
    """An assertion on an order that no policy is about: ``not-evaluated``, or an earlier answer of ours ``withdrawn``.

    ``is_new`` as in OrderAnswer.
    """

    order: str
    kind: str
    covered: str
    assertion_id: str
    policy_id: str = ""
    is_new: bool = True


class SystemActions:
    """Collects the system actions of one response: at most one per resource."""

    def __init__(self, decision: Decision, how: Presentation) -> None:
        self.version = decision.request.version
        self.how = how
        self.rendered: list[dict[str, Any]] = []
        self.others: list[OtherAssertion] = []
        self._decision = decision
        self._written: dict[bytes, tuple[str, bool] | None] = {}
        self._ids: dict[str, str] = {}
        self._sharing: dict[bytes, list[Determination]] = {}
        if self._writes_on_appointments and decision.request.appointments:
            for each in decision.determinations:
                self._sharing.setdefault(self._carrier(each.reading).raw, []).append(each)

    def answer(self, determination: Determination) -> OrderAnswer:
        """Assert what is to be asserted of one recognised order, if it has an id and a Coverage to point at."""
        carrier = self._carrier(determination.reading)
        stated = self._stated_on(carrier, determination)
        coverage = stated.coverage.coverage.reference if stated.coverage else None
        if stated.assertion is None or coverage is None or not carrier.id or not self.how.asserting:
            return OrderAnswer(determination)
        children = determined(stated, self.version, self.how.public_url, self.how.literal_q2)
        covered = str(children[0]["valueCode"])
        document = stated.policy.document
        what = f"Add {document.plan} coverage information to the order ({document.procedure}: {covered})"
        written = self._write(carrier, coverage, children, what)
        return OrderAnswer(determination, covered, *written) if written else OrderAnswer(determination)

    def answer_unmatched(self, reading: Reading, coverage: str | None) -> None:
        """Say of an order that no policy is about that it was not evaluated."""
        carrier = self._carrier(reading)
        if carrier.id and coverage and self.how.asserting and carrier.raw not in self._sharing:
            children = unmatched(self.version, has_policy=_has_policy(reading))
            if bears_other(carrier, children):  # an answer that no longer fits is withdrawn, by ``withdraw_outgrown``
                return
            written = self._write(carrier, coverage, children, "Add coverage information to the order (not evaluated)")
            if written:
                self._note(reading, "not-evaluated", children, [written[0]], is_new=written[1])

    def withdraw_outgrown(self, policies: tuple[Policy, ...]) -> None:
        """Replace earlier answers of ours that no longer fit: the order asks for something else, or the coverage is not ours."""
        # The bytes are looked at first, and here: of a hundred orders hardly one bears an answer.
        marked = [each for each in self._decision.readings if ASSERTION_MARK in each.order.raw or each.appointments]
        if not marked:
            return
        answered = {id(each.reading) for each in self._decision.determinations}
        others = [each for each in self._decision.coverages if each.membership is Membership.OTHER]
        not_ours = frozenset(filter(None, [reference_tail(each.coverage.reference) for each in others]))
        shared = {self._carrier(each).raw for each in self._decision.readings if each.appointments and each.is_recognised}
        for reading in marked:
            if not reading.is_recognised:
                if self._carrier(reading).raw not in shared:  # else the answer is about another order of the appointment
                    self._withdraw(reading, _why_outgrown(reading, policies))
            elif id(reading) not in answered and not_ours and reading.policy is not None:
                self._withdraw(reading, f"The coverage is not one of {reading.policy.document.plan}.", not_ours)

    def _withdraw(self, reading: Reading, why: str, of: frozenset[tuple[str, str]] | None = None) -> None:
        """Replace the earlier answers that ``reading``'s order bears, or those for the Coverages ``of``, (type, id)."""
        carrier = self._carrier(reading)
        if not (carrier.id and self.how.asserting) or carrier.raw in self._written or ASSERTION_MARK not in carrier.raw:
            return
        if reading.passed_over or not is_live(reading):
            return
        children = withdrawn(self.version, why)
        ids: list[str] = []

        def new_id(coverage: str) -> str:
            ids.append(self._assertion_id(coverage))
            return ids[-1]

        raw = replace_earlier(carrier, children, self.how.today, new_id, of)
        self._written[carrier.raw] = None
        if raw is not None:
            self._written[carrier.raw] = (ids[0], True)
            self._note(reading, "withdrawn", children, ids)
            self._add("Replace coverage information that no longer fits the order", raw)

    def _carrier(self, reading: Reading) -> Resource:
        """What is written on: the order; in CRD 2.0.1's appointment-book the Appointment (2.2.1: the order, FHIR-50318)."""
        return reading.appointments[0] if reading.appointments and self._writes_on_appointments else reading.order

    @property
    def _writes_on_appointments(self) -> bool:
        return self.version == "2.0"

    def _stated_on(self, carrier: Resource, determination: Determination) -> Determination:
        """What is written on ``carrier`` for ``determination``: its own, or that of all orders that share an appointment.

        There the surest answer is stated, whatever the order of ``basedOn``, by all versions that hold on its orders' days.
        """
        sharing = [each for each in self._sharing.get(carrier.raw, ()) if each.assertion and each.coverage]
        if len(sharing) < 2:
            return determination
        first = max(sharing, key=lambda each: each.answer is Answer.YES)
        alike = [
            each
            for each in sharing
            if (each.answer, each.assertion, each.policy) == (first.answer, first.assertion, first.policy)
        ]
        versions = {version.start: version for each in alike for version in each.versions}
        reading = msgspec.structs.replace(
            first.reading,
            versions=tuple([versions[start] for start in sorted(versions)]),
            dates=together([each.dates for each in alike]),
        )
        trial = next((each.trial for each in alike if each.trial), None)
        return msgspec.structs.replace(first, reading=reading, trial=trial)

    def _write(self, carrier: Resource, coverage: str, children: Children, what: str) -> tuple[str, bool] | None:
        """The assertion id that ``carrier`` then bears, and whether it is new; None if it cannot be written on.

        Several orders of one appointment share it as carrier: what was written for the first holds, and it is read but once.
        """
        if carrier.raw in self._written:
            return self._written[carrier.raw]
        annotation = annotate(carrier, coverage, children, self.how.today, lambda: self._assertion_id(coverage))
        if annotation is not None and annotation.raw is not None:
            self._add(what, annotation.raw)
        written = None if annotation is None else (annotation.assertion_id, annotation.raw is not None)
        self._written[carrier.raw] = written
        return written

    def _note(self, reading: Reading, kind: str, children: Children, ids: list[str], *, is_new: bool = True) -> None:
        order, covered = reading.order.reference or reading.order.place, str(children[0]["valueCode"])
        self.others += [OtherAssertion(order, kind, covered, each, is_new=is_new) for each in dict.fromkeys(ids)]

    def _add(self, description: str, raw: bytes) -> None:
        self.rendered.append({"type": "update", "description": description, "resource": msgspec.Raw(raw)})

    def _assertion_id(self, coverage: str) -> str:
        """One id per coverage and response (CRD 2.0.1: the same coverage SHALL share it; 2.2.1 resp-32, resp-33)."""
        key = "/".join(reference_tail(coverage) or (coverage,))
        if key not in self._ids:
            self._ids[key] = ASSERTION_PREFIX + self.how.new_id()
        return self._ids[key]


def _why_outgrown(reading: Reading, policies: tuple[Policy, ...]) -> str:
    if _has_policy(reading):
        return "No version of the policy held on the date of service."
    return f"This order is no longer read as {' or '.join(policy.document.procedure for policy in policies)}."


def _has_policy(reading: Reading) -> bool:
    """Is a policy about the order, if perhaps none of its versions on that day?"""
    return reading.recognition is not None and reading.recognition.answer is not Answer.NO

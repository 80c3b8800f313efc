"""Order + coverage + dates + policy -> Determination, with its reasons: the heart.

``decide`` is a generator, so that the core stays pure although data may be missing: it yields a ``Need``, the edge sends
back what it could ``Fetched``, and the ``Decision`` is what it returns. Nothing is asked for that was sent, and nothing at
all unless an order is recognised (or must be read to know).
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import Any, Literal

import msgspec

from .effort import Effort
from .errors import BadRequest, CallError, ConstraintBroken, DataUnavailable
from .fhir import Resource
from .gathering import Asked, Coverages, Sent, is_beyond_use, orders_referred_to
from .hook_request import HookRequest
from .membership import CoverageReading, Insurer, Membership
from .needs import Fetched, Need
from .order_reading import Circumstances, Reading, dates_of, is_anothers, is_live, read_orders
from .order_title import order_title
from .policy import Policy
from .policy_file import CoverageNames, PolicyVersion
from .recognition import Answer
from .service_dates import ServiceDates
from .trial import trial_shown
from .validation import element_names

#: Why a coverage assertion says what it says.
Assertion = Literal["determined", "no-active-coverage", "technical"]


class Determination(msgspec.Struct, frozen=True):
    """What the payer says of one recognised order.

    ``membership`` is MEMBER or UNKNOWN. ``coverage`` is what an assertion may point at, None without one; ``assertion`` is
    None when none is made. ``trial`` is what shows a clinical trial. ``fhir_issues`` are places that break FHIR R4.
    """

    reading: Reading
    title: str
    membership: Membership
    coverage: CoverageReading | None = None
    assertion: Assertion | None = None
    trial: str | None = None
    fhir_issues: tuple[str, ...] = ()

    @property
    def answer(self) -> Answer:
        """YES or POSSIBLY."""
        return self.reading.recognition.answer if self.reading.recognition else Answer.NO

    @property
    def policy(self) -> Policy:
        """The policy whose procedure the order asks for."""
        assert self.reading.policy is not None
        return self.reading.policy

    @property
    def dates(self) -> ServiceDates:
        """The days of service."""
        assert self.reading.dates is not None
        return self.reading.dates

    @property
    def versions(self) -> tuple[PolicyVersion, ...]:
        """The versions of the policy that hold on them, at least one."""
        return self.reading.versions


class Decision(msgspec.Struct, frozen=True):
    """Everything decided for one call: each order as read, each Coverage as read, and what follows."""

    request: HookRequest
    readings: tuple[Reading, ...] = ()
    coverages: tuple[CoverageReading, ...] = ()
    determinations: tuple[Determination, ...] = ()
    unmatched: tuple[tuple[Reading, CoverageReading], ...] = ()


def decide(request: HookRequest, given: Circumstances) -> Generator[Need, Fetched, Decision]:
    """Decide one call. Raises BadRequest, DataUnavailable or ConstraintBroken where CRD asks for an error."""
    if not request.configuration.coverage_info:  # the client wants nothing: nothing is looked at, and nothing asked for
        return Decision(request)
    sent: Sent | None = None
    pairs: list[Asked] = [(order, ()) for order in request.orders]
    if request.order_references:
        sent = _sent(request)
        pairs = yield from orders_referred_to(request, sent)
    effort = Effort()
    readings = read_orders(pairs, request, given, effort)
    recognised = [reading for reading in readings if reading.versions and reading.is_recognised]
    if not recognised and not given.answer_unmatched:
        return Decision(request, tuple(readings))
    coverages = Coverages(request, sent or _sent(request), given.zone)
    seen: dict[CoverageReading, None] = {}
    determinations: list[Determination] = []
    unmatched: list[tuple[Reading, CoverageReading]] = []
    try:
        for reading in readings if given.answer_unmatched else recognised:
            if reading.is_recognised:
                found = yield from coverages.on(*_dates_and_names(reading, given, effort))
                seen.update(dict.fromkeys(found))
                determined = _determine(reading, found, request, coverages, effort, given.judging)
                determinations += [determined] if determined else []
            elif is_live(reading) and not is_anothers(effort.body(reading.order), request):
                found = yield from coverages.on(*_dates_and_names(reading, given, effort))
                member = _member([each for each in found if each.counts])
                unmatched += [(reading, member)] if member and member.coverage.reference else []
    except CallError as error:
        error.so_far = Decision(request, tuple(readings), tuple(seen), tuple(determinations))
        raise
    return Decision(request, tuple(readings), tuple(seen), tuple(determinations), tuple(unmatched))


def _sent(request: HookRequest) -> Sent:
    return Sent(request.prefetch, request.hook.prefetch, strict=request.version == "2.2")


def _dates_and_names(reading: Reading, given: Circumstances, effort: Effort) -> tuple[ServiceDates, CoverageNames]:
    """By what the Coverages of an order are read; an order that no policy is about goes by the first policy's payer."""
    policy = reading.policy or given.policies[0]
    return reading.dates or dates_of(reading.order, reading.appointments, given, effort), policy.document.coverage


def _determine(
    reading: Reading, coverages: list[CoverageReading], request: HookRequest, had: Coverages, effort: Effort, judging: bool
) -> Determination | None:
    """What is said of one recognised order, or None where the patient is insured otherwise."""
    counting = [each for each in coverages if each.counts]
    member = _member(counting)
    assertion: Assertion | None = "determined" if member else None
    pointed_at = member
    if request.version == "2.2":
        pointed_at, assertion = _strictly(coverages, had)
    elif member is None and counting and all(each.membership is Membership.OTHER for each in counting):
        return None
    if request.version == "2.2" and pointed_at is None and assertion is None and _is_other_product(counting or coverages):
        return None
    body = effort.body(reading.order)
    issues: tuple[str, ...] = ()
    if judging or request.version == "2.2":  # a 2.0 answer does not rest on it: an invalid order gets its card all the same
        used = [reading.order] + ([pointed_at.coverage] if pointed_at else [])
        strict = request.version == "2.2"
        issues = tuple(f"{each.place}: {issue}" for each in used for issue in effort.issues(each, strict))
        if strict:
            _check_crd(reading.order, body, issues)
    return Determination(
        reading,
        order_title(body),
        Membership.MEMBER if member else Membership.UNKNOWN,
        pointed_at if pointed_at and pointed_at.coverage.reference else None,
        assertion,
        trial_shown(body, reading.order.raw),
        issues,
    )


def _member(counting: list[CoverageReading]) -> CoverageReading | None:
    """The Coverage of ours that is answered for: the same one whatever the order in which several were sent."""
    members = [each for each in counting if each.membership is Membership.MEMBER]
    return min(members, key=lambda each: each.coverage.reference or "~", default=None)


def _is_other_product(counting: list[CoverageReading]) -> bool:
    return [(each.insurer, each.membership) for each in counting] == [(Insurer.OURS, Membership.OTHER)]


_SEND_COVERAGE = "Send the one active Coverage of the member on the date of service, its payor with it"


def _strictly(coverages: list[CoverageReading], had: Coverages) -> tuple[CoverageReading | None, Assertion | None]:
    """CRD 2.2.1: which Coverage an assertion points at and which assertion it is; hook-13, resp-43, resp-45, CDS Hooks 412."""
    place = "prefetch.coverage"
    if not coverages and not had.were_to_be_had:
        raise DataUnavailable(
            place,
            "the patient's Coverage was neither prefetched nor to be had by a query",
            "Prefetch coverage as discovery asks, or send fhirServer and fhirAuthorization of an allowed server",
        )
    counting = [each for each in coverages if each.counts]
    if not counting:
        only = coverages[0] if len(coverages) == 1 else None
        if only and only.inactive and only.insurer is Insurer.OURS and not is_beyond_use(only):
            return (None, None) if only.membership is Membership.OTHER else (only, "no-active-coverage")
        reasons = "; ".join(dict.fromkeys(str(each.not_counting) for each in coverages))
        if not coverages:
            raise BadRequest(place, "no Coverage was sent or found for this patient", _SEND_COVERAGE)
        raise BadRequest(place, f"no Coverage of this patient counts on the date of service ({reasons})", _SEND_COVERAGE)
    if len(counting) > 1:
        first, *others = (each.coverage.place for each in counting[:10])
        raise BadRequest(first, "several Coverages of this patient count on the date of service", _SEND_COVERAGE, tuple(others))
    only = counting[0]
    if only.membership is Membership.MEMBER:
        return only, "determined"
    if only.insurer is Insurer.OURS:
        return None, None
    if only.insurer is Insurer.UNKNOWN and had.failed_payor:
        return only, "technical"
    if only.insurer is Insurer.UNKNOWN:
        raise BadRequest(
            place, "nothing in the Coverage tells whose it is", "Name the payor by display, identifier or Organization"
        )
    raise BadRequest(place, "the Coverage is another payer's", "Send the Coverage of a member of this payer")


def _check_crd(order: Resource, body: Mapping[str, Any], issues: tuple[str, ...]) -> None:
    """CRD 2.2.1 hook-13: 400 for invalid FHIR, 422 for what only CRD demands (profile-servicerequest)."""
    if issues:
        first, *others = dict.fromkeys(_place(*issue.partition(": ")[::2]) for issue in issues)
        raise BadRequest(first, "is not valid FHIR R4", "Send the resource as FHIR R4 defines it", tuple(others))
    for element in ("id", "code", "authoredOn", "requester"):
        if not body.get(element):
            raise ConstraintBroken(f"{order.place}.{element}", "is missing, and CRD demands it", "Send it with the order")


def _place(resource: str, element: str) -> str:
    """A place of ``fhir_issues``, such as ``class.0.value``, within its resource; the resource where it is wrong as a whole.

    A name that is no element's is the caller's text, and stays out of the answer.
    """
    if element in ("ServiceRequest", "Coverage"):
        return resource
    steps = (step if step.isdigit() or step.removeprefix("_") in element_names() else "?" for step in element.split("."))
    return resource + "".join(f"[{step}]" if step.isdigit() else f".{step}" for step in steps)

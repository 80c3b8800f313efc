"""Order + coverage + dates + policy -> Determination, with its reasons: the heart.

``decide`` is a generator, so that the core stays pure although data may be missing: it yields a ``Need``, the edge sends
back what it could ``Fetched``, and the ``Decision`` is what it returns. Nothing is asked for that was sent, and nothing at
all unless an order is recognised (or must be read to know).
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from datetime import date
from typing import Any, Literal
from zoneinfo import ZoneInfo

import msgspec

from .effort import Effort
from .errors import BadRequest, ConstraintBroken, DataUnavailable
from .fhir import Resource, as_object, decode, reference_tail
from .gathering import Asked, Coverages, Sent, is_beyond_use, orders_referred_to
from .hook_request import HookRequest
from .membership import CoverageReading, Insurer, Membership
from .needs import Fetched, Need
from .order_title import order_title
from .policy import CoverageNames, Policy, PolicyVersion
from .recognition import Answer, Recognition, may_concern, recognise
from .service_dates import ServiceDates, service_dates, together
from .trial import trial_shown

#: Orders whose bytes are looked at together.
_AT_ONCE = 8

#: Why a coverage assertion says what it says.
Assertion = Literal["determined", "no-active-coverage", "technical"]


class Reading(msgspec.Struct, frozen=True):
    """What was read of one order: by which policy and how, its dates, or why it was passed over."""

    order: Resource
    passed_over: str | None = None
    policy: Policy | None = None
    recognition: Recognition | None = None
    dates: ServiceDates | None = None
    versions: tuple[PolicyVersion, ...] = ()
    appointments: tuple[Resource, ...] = ()

    @property
    def is_recognised(self) -> bool:
        """Does the order ask for a policy's procedure, certainly or possibly, on a day on which the policy holds?"""
        return bool(self.versions) and self.recognition is not None and self.recognition.answer is not Answer.NO


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


class Circumstances(msgspec.Struct, frozen=True):
    """What a decision depends on besides the request: the policies, the day in the plan's zone, that zone, one setting.

    ``judging``: judge the FHIR of what a 2.0 answer is about too, for people who ask why; a 2.2 answer rests on it anyway.
    """

    policies: tuple[Policy, ...]
    today: date
    zone: ZoneInfo
    answer_unmatched: bool = False
    judging: bool = False


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
    orders = [order for order, _ in pairs]
    readings = [_passed(order, booked) for order, booked in pairs]
    for index, concerned in _concerned(orders, given.policies).items():
        readings[index] = _read_order(*pairs[index], concerned, request, given, effort)
    recognised = [reading for reading in readings if reading.versions and reading.is_recognised]
    if not recognised and not given.answer_unmatched:
        return Decision(request, tuple(readings))
    coverages = Coverages(request, sent or _sent(request), given.zone)
    seen: dict[CoverageReading, None] = {}
    determinations: list[Determination] = []
    unmatched: list[tuple[Reading, CoverageReading]] = []
    for reading in readings if given.answer_unmatched else recognised:
        if reading.is_recognised:
            found = yield from coverages.on(*_dates_and_names(reading, given, effort))
            seen.update(dict.fromkeys(found))
            determined = _determine(reading, found, request, coverages, effort, given.judging)
            determinations += [determined] if determined else []
        elif is_live(reading) and not _is_anothers(_body(reading.order), request):
            found = yield from coverages.on(*_dates_and_names(reading, given, effort))
            member = _member([each for each in found if each.counts])
            unmatched += [(reading, member)] if member and member.coverage.reference else []
    return Decision(request, tuple(readings), tuple(seen), tuple(determinations), tuple(unmatched))


def _sent(request: HookRequest) -> Sent:
    return Sent(request.prefetch, request.hook.prefetch, strict=request.version == "2.2")


def _dates_and_names(reading: Reading, given: Circumstances, effort: Effort) -> tuple[ServiceDates, CoverageNames]:
    """By what the Coverages of an order are read; an order that no policy is about goes by the first policy's payer."""
    policy = reading.policy or given.policies[0]
    return reading.dates or _dates(reading.order, reading.appointments, given, effort), policy.document.coverage


def _dates(order: Resource, booked: tuple[Resource, ...], given: Circumstances, effort: Effort) -> ServiceDates:
    """The days of service: those of all ``booked`` appointments, or those that the order states by itself."""
    body = effort.body(order)
    if not booked:
        return service_dates(body, given.today, given.zone, None)
    return together([service_dates(body, given.today, given.zone, effort.body(each)) for each in booked])


def _concerned(orders: Sequence[Resource], policies: tuple[Policy, ...]) -> dict[int, list[Policy]]:
    """The indices of those ServiceRequests that hold a trigger word, each with the policies whose word it is.

    The bytes of several are looked at together first: what one of them holds all together hold, and most hold nothing.
    """
    found: dict[int, list[Policy]] = {}
    looked_at = [(index, order.raw) for index, order in enumerate(orders) if order.resource_type == "ServiceRequest"]
    for policy in policies:
        for first in range(0, len(looked_at), _AT_ONCE):
            several = looked_at[first : first + _AT_ONCE]
            if len(several) == 1 or may_concern(b"\n".join([raw for _, raw in several]), policy.vocabulary):
                for index, raw in several:
                    if may_concern(raw, policy.vocabulary):
                        found.setdefault(index, []).append(policy)
    return found


def _passed(order: Resource, booked: tuple[Resource, ...]) -> Reading:
    """The reading of an order without any trigger word of a policy: it is not even parsed."""
    if order.resource_type != "ServiceRequest":
        return Reading(order, passed_over=f"a {order.resource_type} is not read: the policies are about ServiceRequests")
    return Reading(order, None, None, None, None, (), booked) if booked else Reading(order)


def _read_order(
    order: Resource,
    booked: tuple[Resource, ...],
    concerned: list[Policy],
    request: HookRequest,
    given: Circumstances,
    effort: Effort,
) -> Reading:
    """Recognise one order by the policies that it may concern, and date it."""
    effort.spend_reading(order)
    body = effort.body(order)
    if _is_anothers(body, request):
        return Reading(order, passed_over="its subject is another patient than context.patientId")
    policy, recognition = max(
        ((policy, recognise(body, policy.vocabulary)) for policy in concerned),
        key=lambda found: [Answer.NO, Answer.POSSIBLY, Answer.YES].index(found[1].answer),
    )
    if recognition.answer is Answer.NO:
        return Reading(order, policy=policy, recognition=recognition, appointments=booked)
    dates = _dates(order, booked, given, effort)
    return Reading(order, None, policy, recognition, dates, policy.versions_over(dates.spans), booked)


def _body(order: Resource) -> Mapping[str, Any]:
    return as_object(decode(order.raw, order.place))


def _is_anothers(body: Mapping[str, Any], request: HookRequest) -> bool:
    """Is the order's subject (nutrition order, vision prescription: ``patient``) another patient than ``context.patientId``?"""
    subject = reference_tail(as_object(body.get("subject") or body.get("patient")).get("reference"))
    return subject is not None and subject[0] == "Patient" and subject[1] != request.patient_id


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
        raise BadRequest(place, "no Coverage of this patient counts on the date of service", _SEND_COVERAGE)
    if len(counting) > 1:
        raise BadRequest(place, "several Coverages of this patient count on the date of service", _SEND_COVERAGE)
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
        place, _, element = issues[0].partition(": ")
        raise BadRequest(f"{place}.{element}", "is not valid FHIR R4", "Send the resource as FHIR R4 defines it")
    for element in ("id", "code", "authoredOn", "requester"):
        if not body.get(element):
            raise ConstraintBroken(f"{order.place}.{element}", "is missing, and CRD demands it", "Send it with the order")


def is_live(reading: Reading) -> bool:
    """Is an order that no policy is about a request of this patient to do something, so that it may be answered?

    FHIR R4: ``doNotPerform`` and ``status`` are modifier elements.
    """
    order = as_object(decode(reading.order.raw, reading.order.place))
    if reading.passed_over and reading.order.resource_type == "ServiceRequest":
        return False
    return order.get("doNotPerform") is not True and order.get("status") not in ("revoked", "entered-in-error")

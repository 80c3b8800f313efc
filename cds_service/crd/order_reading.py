"""The orders of a call as read: by which policy and how, on which days, or why one is passed over.

Most orders hold no word of a policy. They are looked at as bytes and never parsed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from .effort import Effort
from .fhir import Resource, decode
from .fhir_values import DEAD_STATUS, as_object, is_forbidden, reference_tail, status_of
from .gathering import Asked
from .hook_request import HookRequest
from .policy import Policy
from .policy_file import PolicyVersion
from .recognition import Answer, Recognition, may_concern, recognise
from .service_dates import ServiceDates, service_dates, together

#: Orders whose bytes are looked at together.
_AT_ONCE = 8


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


class Circumstances(msgspec.Struct, frozen=True):
    """What a decision depends on besides the request: the policies, the day in the plan's zone, that zone, one setting.

    ``judging``: judge the FHIR of what a 2.0 answer is about too, for people who ask why; a 2.2 answer rests on it anyway.
    """

    policies: tuple[Policy, ...]
    today: date
    zone: ZoneInfo
    answer_unmatched: bool = False
    judging: bool = False


def read_orders(pairs: Sequence[Asked], request: HookRequest, given: Circumstances, effort: Effort) -> list[Reading]:
    """The Reading of each order, in their order; ``pairs`` are orders, each with the appointments that book it."""
    readings = [_passed(order, booked) for order, booked in pairs]
    for index, concerned in _concerned([order for order, _ in pairs], given.policies).items():
        readings[index] = _read_order(*pairs[index], concerned, request, given, effort)
    return readings


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
    if is_anothers(body, request):
        return Reading(order, passed_over="its subject is another patient than context.patientId")
    policy, recognition = max(
        ((policy, recognise(body, policy.vocabulary)) for policy in concerned),
        key=lambda found: [Answer.NO, Answer.POSSIBLY, Answer.YES].index(found[1].answer),
    )
    if recognition.answer is Answer.NO:
        return Reading(order, policy=policy, recognition=recognition, appointments=booked)
    dates = dates_of(order, booked, given, effort)
    return Reading(order, None, policy, recognition, dates, policy.versions_over(dates.spans), booked)


def dates_of(order: Resource, booked: tuple[Resource, ...], given: Circumstances, effort: Effort) -> ServiceDates:
    """The days of service: those of all ``booked`` appointments, or those that the order states by itself."""
    body = effort.body(order)
    if not booked:
        return service_dates(body, given.today, given.zone, None)
    return together([service_dates(body, given.today, given.zone, effort.body(each)) for each in booked])


def is_anothers(body: Mapping[str, Any], request: HookRequest) -> bool:
    """Is the order's subject (nutrition order, vision prescription: ``patient``) another patient than ``context.patientId``?"""
    subject = reference_tail(as_object(body.get("subject") or body.get("patient")).get("reference"))
    return subject is not None and subject[0] == "Patient" and subject[1] != request.patient_id


def is_live(reading: Reading) -> bool:
    """Is an order that no policy is about a request of this patient to do something, so that it may be answered?

    FHIR R4: ``doNotPerform`` and ``status`` are modifier elements.
    """
    order = as_object(decode(reading.order.raw, reading.order.place))
    if reading.passed_over and reading.order.resource_type == "ServiceRequest":
        return False
    return not is_forbidden(order) and status_of(order) not in DEAD_STATUS

"""The contexts of the four hooks, each with its own way to say which orders it is about; their keys are known only here."""

from __future__ import annotations

import re
from typing import Annotated, Any, Generic, TypeVar

import msgspec

from .errors import BadRequest, TooLarge
from .fhir import Bundle, Resource, bundle_resources, decode, open_bundle, resource
from .fhir_values import as_list, as_object, reference_tail
from .hooks import Hook
from .request_json import parsed

#: More orders than this in one call are refused: no order entry signs so many, and each costs a reading.
MAX_ORDERS = 1000

_ID = re.compile(r"[A-Za-z0-9.-]{1,64}", re.ASCII)
NonEmpty = Annotated[str, msgspec.Meta(min_length=1)]
_Orders = TypeVar("_Orders")


class _PatientContext(msgspec.Struct, rename="camel"):
    user_id: NonEmpty
    patient_id: NonEmpty


class OrderContext(_PatientContext, Generic[_Orders], rename="camel"):
    """The context of order-sign; its draft orders are a Bundle, or still bytes."""

    draft_orders: _Orders


class SelectContext(OrderContext[_Orders], Generic[_Orders], rename="camel"):
    """The context of order-select: the draft orders, and which of them were selected."""

    selections: list[str]


class _AppointmentContext(msgspec.Struct, rename="camel"):
    user_id: NonEmpty
    patient_id: NonEmpty
    appointments: msgspec.Raw


class _DispatchContext(msgspec.Struct, rename="camel"):
    """Hook version 1.1 says ``dispatchedOrders``, an interim build ``dispatched-orders``, version 1.0 ``order``."""

    patient_id: NonEmpty
    dispatched_orders: list[str] | None = None
    interim_orders: list[str] | None = msgspec.field(default=None, name="dispatched-orders")
    order: str | None = None


_order_contexts = msgspec.json.Decoder(OrderContext[msgspec.Raw])
_select_contexts = msgspec.json.Decoder(SelectContext[msgspec.Raw])
_appointment_contexts = msgspec.json.Decoder(_AppointmentContext)
_dispatch_contexts = msgspec.json.Decoder(_DispatchContext)


def read_context(given: OrderContext[Bundle] | msgspec.Raw, hook: Hook) -> dict[str, Any]:
    """The fields of a HookRequest that its context tells, by their names; a context with draft orders may come opened.

    Raises BadRequest (malformed) or TooLarge (more than MAX_ORDERS).
    """
    if not isinstance(given, msgspec.Raw):
        return _drafts(given)
    if hook.orders_in == "dispatchedOrders":
        return _dispatched(given)
    if hook.orders_in == "appointments":
        return _appointments(given)
    return _drafts(parsed(_select_contexts if hook.orders_in == "selections" else _order_contexts, given, "context"))


def _bundle(given: Bundle | msgspec.Raw, place: str) -> Bundle:
    head = given if isinstance(given, Bundle) else resource(given, place)
    if head.resource_type != "Bundle":
        raise BadRequest(place, "is not a Bundle", "Send a FHIR R4 Bundle, its resourceType with it")
    return head if isinstance(head, Bundle) else open_bundle(head)


def _drafts(context: OrderContext[Any]) -> dict[str, Any]:
    found = bundle_resources(_bundle(context.draft_orders, "context.draftOrders"), "context.draftOrders")
    if isinstance(context, SelectContext):
        found = _selected(found, context.selections)
    if len(found) > MAX_ORDERS:
        raise _too_many("context.draftOrders")
    return {
        "patient_id": bare_id(context.patient_id),
        "orders": tuple([order for order in found if order.resource_type in REQUEST_TYPES]),
        "other_resources": tuple([order.resource_type or "?" for order in found if order.resource_type not in REQUEST_TYPES]),
    }


def _selected(orders: list[Resource], selections: list[str]) -> list[Resource]:
    """The orders that ``selections`` name: by ``Type/id`` (the hook's example), by bare id (its text) or by fullUrl."""
    tails, names = {reference_tail(selection) for selection in selections}, set(selections)
    return [order for order in orders if (order.resource_type, order.id) in tails or {order.id, order.full_url} & names]


#: Resource types that CRD can write coverage information on, besides Appointment and Encounter.
REQUEST_TYPES = frozenset(
    ("ServiceRequest", "DeviceRequest", "MedicationRequest", "NutritionOrder", "VisionPrescription", "CommunicationRequest")
)


def _dispatched(raw: msgspec.Raw) -> dict[str, Any]:
    context: _DispatchContext = parsed(_dispatch_contexts, raw, "context")
    given = context.dispatched_orders or context.interim_orders or ([context.order] if context.order else None)
    if given is None:
        raise BadRequest(
            "context.dispatchedOrders",
            "is missing or empty",
            "Send the references of the dispatched orders, or context.order as version 1.0 of the hook has it",
        )
    if len(given) > MAX_ORDERS:
        raise _too_many("context.dispatchedOrders")
    return {
        "patient_id": bare_id(context.patient_id),
        "orders": (),
        "order_references": _service_requests(given),
    }


def _appointments(raw: msgspec.Raw) -> dict[str, Any]:
    context: _AppointmentContext = parsed(_appointment_contexts, raw, "context")
    booked: dict[tuple[str, str], tuple[Resource, ...]] = {}
    count = based = 0
    for found in bundle_resources(_bundle(context.appointments, "context.appointments"), "context.appointments"):
        if found.resource_type != "Appointment":
            continue
        count += 1
        if count > MAX_ORDERS:
            raise _too_many("context.appointments")
        based_on = as_list(decode(found.raw, found.place).get("basedOn"))
        for reference in _service_requests([as_object(each).get("reference") for each in based_on]):
            booked[reference] = (*booked.get(reference, ()), found)
            based += 1
        if based > MAX_ORDERS:
            raise _too_many("context.appointments")
    return {
        "patient_id": bare_id(context.patient_id),
        "orders": (),
        "order_references": tuple(booked),
        "appointments": booked,
    }


def _service_requests(references: list[Any]) -> tuple[tuple[str, str], ...]:
    """The distinct ServiceRequests among ``references``, as (type, id) or ("", fullUrl), in the order given."""
    tails = (reference_tail(reference) or _bare(reference) for reference in references)
    return tuple(dict.fromkeys(tail for tail in tails if tail and tail[0] in ("ServiceRequest", "")))


def _bare(reference: Any) -> tuple[str, str] | None:
    """A reference that is an id and nothing else, as some clients write one, is taken for a ServiceRequest's.

    A ``urn:`` names an entry of the prefetch by its fullUrl.
    """
    if isinstance(reference, str) and reference.startswith("urn:"):
        return "", reference
    return ("ServiceRequest", reference) if isinstance(reference, str) and _ID.fullmatch(reference) else None


def _too_many(place: str) -> TooLarge:
    return TooLarge(place, f"more than {MAX_ORDERS} entries", "Send fewer orders in one call")


def bare_id(patient_id: str) -> str:
    """``context.patientId`` without a type that some clients put in front (CDS Hooks 2.0: a bare id).

    Raises BadRequest if nothing is left: a search for the Coverages of nobody would find everybody's.
    """
    bare = patient_id.strip().removeprefix("Patient/")
    if not bare:
        raise BadRequest("context.patientId", "names no patient", "Send the id of the patient's FHIR resource")
    return bare

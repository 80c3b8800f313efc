"""Request JSON to a checked ``HookRequest``; the only module that knows the keys of a request.

A typed envelope is parsed once; resources and prefetch stay the bytes they came as until somebody needs them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Annotated, Any, Generic, TypeVar

import msgspec

from .errors import BadRequest, ConstraintBroken, TooLarge
from .fhir import (
    Bundle,
    Resource,
    as_list,
    as_object,
    as_text,
    bundle_resources,
    decode,
    malformed,
    open_bundle,
    reference_tail,
    resource,
    too_deep,
)
from .hooks import CRD_VERSIONS, HOOK_NAMES, CrdVersion, Hook

#: More orders than this in one call are refused: no order entry signs so many, and each costs a reading.
MAX_ORDERS = 1000

_ID = re.compile(r"[A-Za-z0-9.-]{1,64}", re.ASCII)
_NonEmpty = Annotated[str, msgspec.Meta(min_length=1)]


class Configuration(msgspec.Struct, frozen=True):
    """What the client wants returned (CRD ``davinci-crd.configuration``): both on unless it says otherwise."""

    coverage_info: bool = True
    guideline: bool = True


class FhirAccess(msgspec.Struct, frozen=True):
    """The FHIR server that the request names and the token for it; either may be None. Never in a log, nor in a record."""

    server: str | None = None
    access_token: str | None = None

    def __repr__(self) -> str:
        return "FhirAccess(...)"


class HookRequest(msgspec.Struct, frozen=True):
    """One checked hook call.

    ``orders`` are the draft orders that the hook is about (order-sign, order-select), in the order they came. For
    order-dispatch and appointment-book ``order_references`` are the ServiceRequests that the context refers to, as
    (type, id), and ``appointments`` maps each of them to the appointments that are based on it.
    """

    hook: Hook
    hook_instance: str
    patient_id: str
    version: CrdVersion
    configuration: Configuration
    fhir: FhirAccess
    orders: tuple[Resource, ...]
    prefetch: Mapping[str, msgspec.Raw]
    order_references: tuple[tuple[str, str], ...] = ()
    appointments: Mapping[tuple[str, str], tuple[Resource, ...]] = {}
    other_resources: tuple[str, ...] = ()


_Context = TypeVar("_Context")
_Orders = TypeVar("_Orders")


class _Envelope(msgspec.Struct, Generic[_Context], rename="camel"):
    hook: _NonEmpty
    hook_instance: _NonEmpty
    context: _Context
    prefetch: dict[str, msgspec.Raw] | None = None
    fhir_server: Any = None
    fhir_authorization: Any = None
    extension: Any = None


class _PatientContext(msgspec.Struct, rename="camel"):
    user_id: _NonEmpty
    patient_id: _NonEmpty


class _OrderContext(_PatientContext, Generic[_Orders], rename="camel"):
    draft_orders: _Orders


class _SelectContext(_OrderContext[_Orders], Generic[_Orders], rename="camel"):
    selections: list[str]


class _AppointmentContext(msgspec.Struct, rename="camel"):
    user_id: _NonEmpty
    patient_id: _NonEmpty
    appointments: msgspec.Raw


class _DispatchContext(msgspec.Struct, rename="camel"):
    """Hook version 1.1 says ``dispatchedOrders``, an interim build ``dispatched-orders``, version 1.0 ``order``."""

    patient_id: _NonEmpty
    dispatched_orders: list[str] | None = None
    interim_orders: list[str] | None = msgspec.field(default=None, name="dispatched-orders")
    order: str | None = None


_envelopes = msgspec.json.Decoder(_Envelope[msgspec.Raw])
_order_contexts = msgspec.json.Decoder(_OrderContext[msgspec.Raw])
_select_contexts = msgspec.json.Decoder(_SelectContext[msgspec.Raw])
_appointment_contexts = msgspec.json.Decoder(_AppointmentContext)
_dispatch_contexts = msgspec.json.Decoder(_DispatchContext)
#: What reads a request with draft orders in one pass: each pass over a large body costs as much as all else about it.
_whole_requests: dict[str, msgspec.json.Decoder[Any]] = {
    "draftOrders": msgspec.json.Decoder(_Envelope[_OrderContext[Bundle]]),
    "selections": msgspec.json.Decoder(_Envelope[_SelectContext[Bundle]]),
}


def parse_hook_request(body: bytes, hook: Hook) -> HookRequest:
    """Check ``body`` by the rules of ``hook``, the service it was sent to.

    A body that names another hook of the table is answered all the same: the CDS Hooks Sandbox sends such. Raises
    BadRequest (malformed), ConstraintBroken (a CRD version that is not served) or TooLarge (more than MAX_ORDERS).
    """
    body = _utf8(body)
    envelope = _envelope(body, hook)
    if envelope.hook not in HOOK_NAMES:
        raise BadRequest("hook", "names a hook that is not served here", f"Send one of {', '.join(sorted(HOOK_NAMES))}")
    extension = as_object(envelope.extension)
    shared: dict[str, Any] = {
        "hook": hook,
        "hook_instance": envelope.hook_instance,
        "version": _version(extension.get("davinci-crd.requestedVersion")),
        "configuration": _configuration(extension.get("davinci-crd.configuration")),
        "fhir": FhirAccess(as_text(envelope.fhir_server), as_text(as_object(envelope.fhir_authorization).get("access_token"))),
        "prefetch": envelope.prefetch or {},
    }
    if hook.orders_in == "dispatchedOrders":
        return HookRequest(**shared, **_dispatched(envelope.context))
    if hook.orders_in == "appointments":
        return HookRequest(**shared, **_appointments(envelope.context))
    return HookRequest(**shared, **_drafts(envelope.context, hook))


def _envelope(body: bytes, hook: Hook) -> _Envelope[Any]:
    """``body`` read to the entries of its draft orders; if anything in it is wrong, with its context left as bytes.

    Part by part the first mistake is then found and told by its own name, even if the hook's name or the version is one.
    """
    if hook.orders_in in _whole_requests:
        with suppress(msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return _whole_requests[hook.orders_in].decode(body)  # type: ignore[no-any-return]
    return _parse(_envelopes, body, "")  # type: ignore[no-any-return]


def _utf8(body: bytes) -> bytes:
    """``body`` without a byte order mark. msgspec skips over strings it need not read, so UTF-8 is checked here, once."""
    if body.isascii():
        return body
    try:
        body.decode()
    except UnicodeDecodeError:
        raise BadRequest("", "the body is not UTF-8", "Send JSON in UTF-8") from None
    return body.removeprefix(b"\xef\xbb\xbf")


_AT = re.compile(r"^(.*?)(?: - at `\$\.?(.*)`)?$", re.DOTALL)
#: msgspec's names of JSON's kinds, in JSON's words.
_KINDS = {
    "str": "a string",
    "object": "an object",
    "array": "an array",
    "int": "a number",
    "float": "a number",
    "bool": "true or false",
}
_KIND = re.compile(r"`([a-z |]+)`")
_MISSING = re.compile(r"Object missing required field `(.*?)`")


def _parse(decoder: msgspec.json.Decoder[Any], raw: bytes | msgspec.Raw, place: str) -> Any:
    try:
        return decoder.decode(raw)
    except RecursionError:
        raise too_deep(place) from None
    except msgspec.ValidationError as error:
        raise _mistyped(str(error), place) from None
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise malformed(place, error, raw) from None


def _mistyped(message: str, place: str) -> BadRequest:
    """msgspec tells kinds and paths, never values: safe to pass on."""
    said, path = _AT.match(message).groups()  # type: ignore[union-attr]  # the pattern matches any text
    where = ".".join(part for part in (place, path or "") if part)
    missing = _MISSING.match(said)
    if missing:
        where = ".".join(part for part in (where, missing[1]) if part)
        return BadRequest(where, "is missing", "Send it as CDS Hooks 2.0 asks")
    if not where:
        return BadRequest("", "the body is not a JSON object", "Send a CDS Hooks request")
    said = said.replace("Expected", "expected").replace("`str` of length >= 1", "a string with something in it")
    said = _KIND.sub(lambda kinds: " or ".join(_KINDS.get(kind, kind) for kind in kinds[1].split(" | ")), said)
    return BadRequest(where, said, "Send it as CDS Hooks 2.0 asks")


def _version(requested: Any) -> CrdVersion:
    """The version to answer in: a patch part is ignored, absent means 2.0 (CRD 2.2.1 dev-3; an older client names none)."""
    if requested is None:
        return "2.0"
    found = re.fullmatch(r"(\d+\.\d+)(\.\d+)?", requested) if isinstance(requested, str) and len(requested) < 20 else None
    if found is None or found[1] not in CRD_VERSIONS:
        raise ConstraintBroken(
            "extension.davinci-crd.requestedVersion",
            "is no CRD version that is served here",
            f"Send one of {', '.join(CRD_VERSIONS)} as a string, or leave it out for {CRD_VERSIONS[0]}",
        )
    return "2.2" if found[1] == "2.2" else "2.0"


def _configuration(given: Any) -> Configuration:
    """Obey the options that are known and boolean, ignore unknown or nonsensical ones (CRD 2.2.1 dev-6, dev-14 to dev-17)."""
    options = as_object(given)
    chosen = {
        field: options[code]
        for code, field in (("coverage-info", "coverage_info"), ("guideline", "guideline"))
        if isinstance(options.get(code), bool)
    }
    return Configuration(**chosen)


def _bundle(given: Bundle | msgspec.Raw, place: str) -> Bundle:
    head = given if isinstance(given, Bundle) else resource(given, place)
    if head.resource_type != "Bundle":
        raise BadRequest(place, "is not a Bundle", "Send a FHIR R4 Bundle, its resourceType with it")
    return head if isinstance(head, Bundle) else open_bundle(head)


def _drafts(given: _OrderContext[Bundle] | msgspec.Raw, hook: Hook) -> dict[str, Any]:
    selecting = hook.orders_in == "selections"
    context: _OrderContext[Any] = (
        _parse(_select_contexts if selecting else _order_contexts, given, "context") if isinstance(given, msgspec.Raw) else given
    )
    found = bundle_resources(_bundle(context.draft_orders, "context.draftOrders"), "context.draftOrders")
    if isinstance(context, _SelectContext):
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
    context: _DispatchContext = _parse(_dispatch_contexts, raw, "context")
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
    context: _AppointmentContext = _parse(_appointment_contexts, raw, "context")
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
    """The distinct ServiceRequests among ``references``, as (type, id), in the order given."""
    tails = (reference_tail(reference) or _bare(reference) for reference in references)
    return tuple(dict.fromkeys(tail for tail in tails if tail and tail[0] == "ServiceRequest"))


def _bare(reference: Any) -> tuple[str, str] | None:
    """A reference that is an id and nothing else, as some clients write one, is taken for a ServiceRequest's."""
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

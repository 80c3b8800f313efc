"""The examples in the OpenAPI document. The answer shown is the one that the service gives to the request shown."""

from __future__ import annotations

import functools
import json
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from cds_service.crd.errors import (
    BadRequest,
    CallError,
    ConstraintBroken,
    DataUnavailable,
    NotJson,
    TooLarge,
    operation_outcome,
)
from cds_service.crd.order_reading import Circumstances
from cds_service.crd.system_actions import Presentation
from cds_service.policy_files import load_policies
from cds_service.try_form import TryForm, request_body
from cds_service.trying import TryContext, try_request

_DAY = date(2025, 1, 15)
_ID = "0b7c2e1e-8c5b-4b0e-9d0a-2f6a5c1d7e43"


@functools.cache
def _policies() -> Any:
    return load_policies(None)


def _sign_request() -> dict[str, Any]:
    form = TryForm(text="MR neurography of the brachial plexus", code="76498", date="2025-01-20")
    request: dict[str, Any] = json.loads(request_body(form, _policies(), _DAY))
    return request


@functools.cache
def example_requests() -> dict[str, dict[str, Any]]:
    """One order on every hook, by where the hook's orders stand (``Hook.orders_in``)."""
    sign = _sign_request()
    context, prefetch = sign["context"], sign["prefetch"]
    order = context["draftOrders"]["entry"][0]["resource"]
    orders = {"resourceType": "Bundle", "type": "searchset", "entry": [{"resource": order}]}
    appointment = {
        "resourceType": "Appointment",
        "id": "appointment-1",
        "status": "proposed",
        "start": "2025-01-20T09:00:00-06:00",
        "end": "2025-01-20T10:00:00-06:00",
        "basedOn": [{"reference": "ServiceRequest/order-1"}],
        "participant": [{"actor": {"reference": "Patient/example"}, "status": "accepted"}],
    }
    booked = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": appointment}]}
    return {
        "draftOrders": sign,
        "selections": sign | {"hook": "order-select", "context": context | {"selections": ["ServiceRequest/order-1"]}},
        "dispatchedOrders": sign
        | {
            "hook": "order-dispatch",
            "context": {
                "patientId": "example",
                "dispatchedOrders": ["ServiceRequest/order-1"],
                "performer": "Organization/imaging",
            },
            "prefetch": prefetch | {"serviceRequests": orders},
        },
        "appointments": sign
        | {
            "hook": "appointment-book",
            "context": {"userId": "Practitioner/example", "patientId": "example", "appointments": booked},
            "prefetch": prefetch | {"serviceRequests": orders},
        },
    }


@functools.cache
def example_response() -> dict[str, Any]:
    """The answer to the order-sign request, as of a fixed day."""
    context = TryContext(
        Circumstances(_policies(), _DAY, ZoneInfo("America/Chicago")),
        Presentation("https://crd.example.org", _DAY, lambda: _ID),
    )
    body = json.dumps(example_requests()["draftOrders"]).encode()
    answer: dict[str, Any] = json.loads(try_request(body, context).response.body)
    return answer


def example_outcome(status: int) -> dict[str, Any]:
    """An error of that HTTP status as its caller gets it."""
    if status in _ERRORS:
        return operation_outcome(_ERRORS[status])
    code, text = _WITHOUT_PLACE[status]
    return {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": code, "diagnostics": text}]}


_ERRORS: dict[int, CallError] = {
    error.status: error
    for error in (
        BadRequest("context.patientId", "is missing", "Send it as CDS Hooks 2.0 asks"),
        DataUnavailable(
            "prefetch.coverage",
            "the patient's Coverage was neither prefetched nor to be had by a query",
            "Prefetch coverage as discovery asks, or send fhirServer and fhirAuthorization of an allowed server",
        ),
        TooLarge("", "the body has more than 4194304 bytes", "Send fewer orders in one call, or less prefetch"),
        NotJson("", "the body's media type is not read here", "Send application/json in UTF-8"),
        ConstraintBroken(
            "context.draftOrders.entry[0].resource.requester", "is missing, and CRD demands it", "Send it with the order"
        ),
    )
}
_WITHOUT_PLACE = {
    401: ("login", "The call is not authenticated."),
    403: ("forbidden", "Without CDS_SERVICE_MODE this service answers local calls only. Set it to open or jwt."),
    503: ("transient", "The feedback could not be kept just now. Send it again later."),
}

FEEDBACK: dict[str, Any] = {
    "feedback": [
        {
            "card": _ID,
            "outcome": "overridden",
            "overrideReason": {
                "reason": {
                    "system": "urn:uuid:5b0c1f0a-3f0e-4c53-9a51-2c1d6a8b7e10",
                    "code": "clinically-necessary",
                    "display": "Clinically necessary, proceed",
                }
            },
            "outcomeTimestamp": "2025-01-15T15:04:05Z",
        }
    ]
}

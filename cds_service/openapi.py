"""The OpenAPI 3.1 document of the JSON endpoints, made from the table of hooks so that the two cannot part."""

from __future__ import annotations

import functools
from typing import Any

from cds_service import __version__
from cds_service.crd.hooks import CRD_VERSIONS, HOOKS, Hook, discovery
from cds_service.openapi_examples import FEEDBACK, example_outcome, example_requests, example_response
from cds_service.openapi_schemas import SCHEMAS

Node = dict[str, Any]


@functools.lru_cache(maxsize=4)
def document(public_url: str) -> Node:
    """The document for a service that clients see at ``public_url``. Do not change what is returned: it is shared."""
    return {
        "openapi": "3.1.1",
        "info": {
            "title": "Coverage Requirements Discovery on CDS Hooks",
            "version": __version__,
            "summary": "What the plan says of an order's coverage, and on whose authority.",
            "description": _DESCRIPTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": public_url}],
        # Open mode needs no token; in jwt mode everything under /cds-services does.
        "security": [{}, {"client-jwt": []}],
        "tags": [
            {"name": "hooks", "description": "CDS Hooks 2.0: discovery, calls, feedback."},
            {"name": "upkeep", "description": "For operators and tools."},
        ],
        "paths": _paths(),
        "components": {
            "schemas": SCHEMAS,
            "responses": _responses(),
            "securitySchemes": {
                "client-jwt": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "A token that a registered client signs for this call (CDS Hooks 2.0, Trusting CDS Clients). "
                    "Needed where the service runs in jwt mode.",
                }
            },
        },
    }


_DESCRIPTION = f"""
A payer's Coverage Requirements Discovery (CRD) server on CDS Hooks 2.0, answering CRD {" and ".join(CRD_VERSIONS)}. A client asks
which hooks are served (`GET /cds-services`), calls one when a clinician selects, signs, dispatches or books, and shows the cards;
`systemActions` write coverage information onto the order. The requested CRD version stands in
`extension.davinci-crd.requestedVersion`; absent means {CRD_VERSIONS[0]}.

Every error is a FHIR R4 OperationOutcome that names the place in the request and the cure, and never quotes the request.
""".strip()


def _paths() -> Node:
    return {
        "/cds-services": {"get": _discovery()},
        **{f"/cds-services/{hook.service_id}": {"post": _call(hook)} for hook in HOOKS.values()},
        **{f"/cds-services/{hook.service_id}/feedback": {"post": _feedback(hook)} for hook in HOOKS.values()},
        "/health/live": {"get": _health("live", "Is the process up?", "The process answers.")},
        "/health/ready": {
            "get": _health("ready", "Can calls be answered?", "Everything that calls rest on is there.") | _ready()
        },
        "/openapi.json": {"get": _itself()},
    }


def _json(schema: str, **more: Any) -> Node:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}, **more}}


def _answers(*statuses: int) -> Node:
    return {str(status): {"$ref": f"#/components/responses/{_ERRORS[status][0]}"} for status in statuses}


_ERRORS = {
    400: ("BadRequest", "Not JSON, not CDS Hooks, not FHIR; in CRD 2.2 also: the Coverage is another payer's."),
    401: ("NotAuthenticated", "No token, or one that is not accepted; why is told to the operator only."),
    403: ("NotLocal", "The service has no mode set and so answers local calls only; this call was not local."),
    412: ("DataUnavailable", "Needed data was neither prefetched nor to be had by a query."),
    413: ("TooLarge", "More bytes or more orders than the service reads in one call."),
    415: ("NotJson", "The body is not JSON in UTF-8, or is compressed."),
    422: ("ConstraintBroken", "Valid CDS Hooks and FHIR that breaks a constraint of CRD."),
    503: ("NotKept", "The feedback could not be kept just now; it may be sent again."),
}


def _responses() -> Node:
    responses: Node = {
        name: {"description": text, "content": _json("OperationOutcome", examples={"error": {"value": example_outcome(status)}})}
        for status, (name, text) in _ERRORS.items()
    }
    responses["NotAuthenticated"]["headers"] = {"WWW-Authenticate": {"schema": {"const": "Bearer"}}}
    return responses


def _discovery() -> Node:
    return {
        "operationId": "discover",
        "tags": ["hooks"],
        "summary": "Which hooks are served, and what to prefetch",
        "responses": {
            "200": {
                "description": "The services.",
                "content": _json("Discovery", examples={"services": {"value": discovery()}}),
            },
            **_answers(401, 403),
        },
    }


def _call(hook: Hook) -> Node:
    return {
        "operationId": f"call-{hook.service_id}",
        "tags": ["hooks"],
        "summary": hook.title,
        "description": f"{hook.description}\n\nHook `{hook.name}`. Orders are read from `context.{hook.orders_in}`. Prefetch:\n\n"
        + "\n".join(f"- `{key}`: `{query}`" for key, query in hook.prefetch.items()),
        "requestBody": {
            "required": True,
            "description": "A CDS Hooks request. Another JSON media type (`*+json`) in UTF-8 is read too.",
            "content": _json(
                _REQUEST_SCHEMAS[hook.orders_in], examples={"request": {"value": example_requests()[hook.orders_in]}}
            ),
        },
        "responses": {
            "200": {
                "description": "Cards for the clinician, and what to write onto the orders. No card: `cards` is empty.",
                "content": _json("HookResponse", examples={"card": {"summary": "After the change", "value": example_response()}}),
            },
            **_answers(400, 401, 403, 412, 413, 415, 422),
        },
    }


_REQUEST_SCHEMAS = {
    "draftOrders": "OrderSignRequest",
    "selections": "OrderSelectRequest",
    "dispatchedOrders": "OrderDispatchRequest",
    "appointments": "AppointmentBookRequest",
}


def _feedback(hook: Hook) -> Node:
    return {
        "operationId": f"feedback-{hook.service_id}",
        "tags": ["hooks"],
        "summary": f"What became of the cards of {hook.service_id}",
        "description": "CDS Hooks 2.0, Feedback. A list of several is taken whole or not at all; unknown cards do no harm.",
        "requestBody": {"required": True, "content": _json("Feedback", examples={"feedback": {"value": FEEDBACK}})},
        "responses": {
            "200": {"description": "Taken.", "content": {"application/json": {"schema": {"type": "object"}, "example": {}}}},
            **_answers(400, 401, 403, 413, 415, 503),
        },
    }


def _health(name: str, summary: str, description: str) -> Node:
    return {
        "operationId": f"health-{name}",
        "tags": ["upkeep"],
        "summary": summary,
        "security": [],
        "responses": {"200": {"description": description, "content": _json("Health", example={"status": name})}},
    }


def _ready() -> Node:
    ready: Node = _health("ready", "", "")["responses"]
    ready["200"]["description"] = "Policies are loaded and the records can be written."
    return {"responses": {**ready, "503": {"description": "Not ready; the problem is named.", "content": _json("Health")}}}


def _itself() -> Node:
    return {
        "operationId": "openapi",
        "tags": ["upkeep"],
        "summary": "This document",
        "security": [],
        "responses": {"200": {"description": "OpenAPI 3.1.", "content": {"application/json": {"schema": {"type": "object"}}}}},
    }

"""Makes the FHIR resources and hook requests that the tests of the core are about. Invented patients only."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any
from zoneinfo import ZoneInfo

from cds_service.crd.fhir import Resource, resource
from cds_service.crd.hook_request import HookRequest, parse_hook_request
from cds_service.crd.hooks import HOOKS

CHICAGO = ZoneInfo("America/Chicago")
CPT = "http://www.ama-assn.org/go/cpt"
OURS = "BlueCross BlueShield of Alabama"


def as_resource(body: Any, place: str = "test") -> Resource:
    """``body`` as a resource received at ``place``."""
    return resource(json.dumps(body).encode(), place)


def order(**elements: Any) -> dict[str, Any]:
    """A valid order for MR neurography of patient pat-1, with ``elements`` in place of or beside its own; None takes one out."""
    made: dict[str, Any] = {
        "resourceType": "ServiceRequest",
        "id": "order-1",
        "status": "draft",
        "intent": "order",
        "code": {"coding": [{"system": CPT, "code": "76498"}], "text": "MR neurography brachial plexus"},
        "subject": {"reference": "Patient/pat-1"},
        "occurrenceDateTime": "2024-03-05",
        "authoredOn": "2024-03-01",
        "requester": {"reference": "Practitioner/prac-1"},
    }
    return {name: value for name, value in (made | elements).items() if value is not None}


def coverage(**elements: Any) -> dict[str, Any]:
    """A valid active Coverage of patient pat-1 whose payor is not named, with ``elements`` in place of or beside its own."""
    made: dict[str, Any] = {
        "resourceType": "Coverage",
        "id": "cov-1",
        "status": "active",
        "beneficiary": {"reference": "Patient/pat-1"},
        "payor": [{"reference": "Organization/payor-1"}],
    }
    return {name: value for name, value in (made | elements).items() if value is not None}


def member_coverage(**elements: Any) -> dict[str, Any]:
    """A Coverage by Blue Advantage."""
    return coverage(**({"payor": [{"display": f"{OURS} - Blue Advantage"}]} | elements))


def plan(name: str | None = None, value: str | None = None, kind: str = "plan") -> dict[str, Any]:
    """An element of ``Coverage.class``."""
    system = "http://terminology.hl7.org/CodeSystem/coverage-class"
    made: dict[str, Any] = {"type": {"coding": [{"system": system, "code": kind}]}, "name": name, "value": value}
    return {key: each for key, each in made.items() if each is not None}


def bundle(*resources: Any, **elements: Any) -> dict[str, Any]:
    """A collection Bundle of ``resources``."""
    return {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": each} for each in resources], **elements}


def sign_body(*orders: Any, prefetch: Any = None, **members: Any) -> dict[str, Any]:
    """The body of an order-sign call; ``members`` in place of or beside its own, None takes one out."""
    made: dict[str, Any] = {
        "hook": "order-sign",
        "hookInstance": "3f6d2f7e-3c1d-4b7b-9b9e-0d7a0a3d9a10",
        "context": {"userId": "Practitioner/prac-1", "patientId": "pat-1", "draftOrders": bundle(*orders)},
        "prefetch": prefetch,
    }
    return {name: value for name, value in (made | members).items() if value is not None}


def parse(body: Any, service_id: str = "order-sign-crd") -> HookRequest:
    """``body`` (bytes, or JSON to be) as a checked request."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return parse_hook_request(raw, HOOKS[service_id])


def without(body: Mapping[str, Any], path: Sequence[str]) -> dict[str, Any]:
    """A copy of ``body`` without the member at ``path``."""
    copied: dict[str, Any] = json.loads(json.dumps(body))
    inner: Any = copied
    for step in path[:-1]:
        inner = inner[step]
    del inner[path[-1]]
    return copied


def with_value(body: Mapping[str, Any], path: Sequence[str], value: Any) -> dict[str, Any]:
    """A copy of ``body`` with ``value`` at ``path``."""
    copied: dict[str, Any] = json.loads(json.dumps(body))
    inner: Any = copied
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    return copied

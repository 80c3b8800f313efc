"""Answers a made-up call once, so that a worker's first real one is as fast as its second.

fhir.resources makes its classes and their validators when they are first used, which takes some 0.2 seconds. Only what is
answered in CRD 2.2 rests on them, so an order and a Coverage are judged besides. This is done before the workers are forked:
they share the memory, and one that takes the place of another is warm at once.
"""

from __future__ import annotations

from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from cds_service.crd.cards import render_response
from cds_service.crd.determination import decide
from cds_service.crd.fhir import resource
from cds_service.crd.hook_request import parse_hook_request
from cds_service.crd.hooks import HOOKS
from cds_service.crd.needs import Fetched, run
from cds_service.crd.order_reading import Circumstances
from cds_service.crd.policy import Policy
from cds_service.crd.system_actions import Presentation
from cds_service.crd.validation import fhir_issues

_DAY = "2024-02-01"
_PATIENT = {"reference": "Patient/warm-up", "display": "Nobody"}
_PERIOD = {"start": "2024-01-01", "end": "2024-12-31"}


def warm_up(policies: tuple[Policy, ...]) -> None:
    """Judge an order that names the procedure of each policy, and a Coverage; parse, decide and render a call with them."""
    for policy in policies:
        for body in (_order(policy.document.procedure), _coverage()):
            fhir_issues(resource(msgspec.json.encode(body), "warm-up"))
        hook_request = parse_hook_request(msgspec.json.encode(_call(policy.document.procedure)), HOOKS["order-sign-crd"])
        day = date.fromisoformat(_DAY)
        decision = run(decide(hook_request, Circumstances((policy,), day, ZoneInfo("UTC"))), lambda _: Fetched(None, "warm-up"))
        render_response(decision, (policy,), Presentation("http://127.0.0.1", day, lambda: "warm-up"))


def _call(procedure: str) -> dict[str, Any]:
    context = {"patientId": "warm-up", "userId": "Practitioner/warm-up", "draftOrders": _bundle(_order(procedure))}
    return {"hook": "order-sign", "hookInstance": "warm-up", "context": context, "prefetch": {"coverage": _bundle(_coverage())}}


def _bundle(entry: dict[str, Any]) -> dict[str, Any]:
    return {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": entry}]}


def _concept(text: str) -> dict[str, Any]:
    return {"coding": [{"system": "http://example.org/warm-up", "code": "warm-up", "display": text}], "text": text}


def _order(procedure: str) -> dict[str, Any]:
    """An order with the elements that orders usually have, since each kind of element is made ready by itself."""
    return {
        "resourceType": "ServiceRequest",
        "id": "warm-up",
        "meta": {"versionId": "1", "lastUpdated": "2024-02-01T08:00:00Z", "profile": ["http://example.org/warm-up"]},
        "text": {"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml">Warm-up</div>'},
        "extension": [{"url": "http://example.org/warm-up", "valueString": "warm-up"}],
        "identifier": [{"use": "official", "system": "http://example.org/warm-up", "value": "1", "type": _concept("Warm-up")}],
        "status": "draft",
        "intent": "order",
        "category": [_concept("Imaging")],
        "priority": "routine",
        "doNotPerform": False,
        "code": _concept(procedure),
        "subject": _PATIENT,
        "encounter": {"reference": "Encounter/warm-up"},
        "occurrenceDateTime": _DAY,
        "authoredOn": "2024-02-01T08:00:00-06:00",
        "requester": {"reference": "Practitioner/warm-up", "identifier": {"system": "http://example.org/warm-up", "value": "1"}},
        "performer": [{"reference": "Organization/warm-up"}],
        "reasonCode": [_concept("Warm-up")],
        "reasonReference": [{"reference": "Condition/warm-up"}],
        "insurance": [{"reference": "Coverage/warm-up"}],
        "bodySite": [_concept("Arm")],
        "note": [{"text": "Warm-up", "time": "2024-02-01T08:00:00Z"}],
    }


def _coverage() -> dict[str, Any]:
    return {
        "resourceType": "Coverage",
        "id": "warm-up",
        "identifier": [{"system": "http://example.org/warm-up", "value": "1"}],
        "status": "active",
        "type": _concept("Medicare Advantage"),
        "subscriber": _PATIENT,
        "subscriberId": "1",
        "beneficiary": _PATIENT,
        "relationship": _concept("self"),
        "period": _PERIOD,
        "payor": [{"display": "BlueCross BlueShield of Alabama"}],
        "class": [{"type": _concept("plan"), "value": "warm-up", "name": "Blue Advantage"}],
        "order": 1,
    }

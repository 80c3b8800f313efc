"""The request bodies of the benchmarks. In each, ``MARK`` stands where a request differs from the one before."""

from __future__ import annotations

import json
from typing import Any

#: Replaced in every request by another number of the same length, so that no order has been seen before.
MARK = b"0000000000"
PATIENT = {"reference": "Patient/bench-1", "display": "Marjorie Exampleton"}


def bodies() -> dict[str, bytes]:
    """The bodies by name: what is ordered, among how many orders."""
    one = hook_call([_order(_OURS), *map(_order, _OTHERS[:3])], pad_to=10_000)
    return {
        "none, 10 KB": hook_call([_order(name) for name in _OTHERS[:4]], pad_to=10_000),
        "one, 10 KB": in_crd_2_2(one),
        "one, CRD 2.0": one,
        "one of 25": hook_call([_order(_OURS)] + [_order(_OTHERS[n % len(_OTHERS)]) for n in range(24)]),
        "one of 100": hook_call([_order(_OURS)] + [_order(_OTHERS[n % len(_OTHERS)]) for n in range(99)]),
    }


def in_crd_2_2(body: bytes) -> bytes:
    """``body`` by a client of CRD 2.2: an answer in that version rests on the order and the coverage being valid FHIR."""
    return body.replace(b'{"hook"', b'{"extension": {"davinci-crd.requestedVersion": "2.2"}, "hook"', 1)


_OURS = "MR neurography right brachial plexus without and with contrast"
_OTHERS = (
    "CT head without contrast",
    "Comprehensive metabolic panel",
    "MRI lumbar spine without contrast",
    "Physical therapy evaluation and treatment",
    "Chest radiograph, two views",
    "Complete blood count with differential",
    "Referral to cardiology",
)
_made = iter(range(10**9))


def _order(name: str) -> dict[str, Any]:
    """An order as EHRs send it, with about 1,200 bytes; its id, its identifier and its note bear the mark."""
    number = next(_made)
    return {
        "resourceType": "ServiceRequest",
        "id": f"sr-{number}-{MARK.decode()}",
        "identifier": [{"use": "usual", "system": "urn:oid:1.2.840.114350.1.13.9999.2.7.2.798268", "value": MARK.decode()}],
        "status": "draft",
        "intent": "order",
        "category": [{"coding": [{"system": "http://snomed.info/sct", "code": "363679005", "display": "Imaging"}]}],
        "priority": "routine",
        "code": {"coding": [{"system": "urn:oid:1.2.840.114350.1.13.9999", "code": str(number), "display": name}], "text": name},
        "subject": PATIENT,
        "encounter": {"reference": "Encounter/enc-88120"},
        "occurrenceDateTime": "2024-03-05",
        "authoredOn": "2024-03-01T08:15:00-06:00",
        "requester": {"reference": "Practitioner/prac-1042", "display": "Avery Placeholder, MD"},
        "reasonCode": [
            {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": "G54.0", "display": "Brachial plexus disorders"}]}
        ],
        "note": [{"text": f"Weakness and numbness for six months. Visit {MARK.decode()}."}],
    }


def _coverage() -> dict[str, Any]:
    return {
        "resourceType": "Coverage",
        "id": "cov-5501",
        "status": "active",
        "type": {"text": "Medicare Advantage"},
        "subscriberId": "EXAMPLE5501",
        "beneficiary": PATIENT,
        "period": {"start": "2021-01-01"},
        "payor": [{"reference": "Organization/org-210", "display": "BlueCross BlueShield of Alabama"}],
        "class": [{"type": {"coding": [{"code": "plan"}]}, "value": "BA-PPO", "name": "Blue Advantage Complete PPO"}],
    }


def hook_call(orders: list[dict[str, Any]], pad_to: int = 0) -> bytes:
    """An order-sign request; with more of a patient's conditions than anybody reads, up to ``pad_to`` bytes."""
    context = {"userId": "Practitioner/prac-1042", "patientId": "bench-1", "encounterId": "enc-88120"}
    more: list[dict[str, Any]] = []
    while True:
        prefetch = {"coverage": _bundle([_coverage()]), **({"problems": _bundle(more)} if more else {})}
        made = {
            "hook": "order-sign",
            "hookInstance": "bd6e0fab-461f-53d9-a2d0-00" + MARK.decode(),
            "context": {**context, "draftOrders": _bundle(orders)},
            "prefetch": prefetch,
        }
        body = json.dumps(made).encode()
        if len(body) >= pad_to:
            return body
        more.append(_condition(len(more)))


def _condition(number: int) -> dict[str, Any]:
    text = {"coding": [{"system": "http://snomed.info/sct", "code": "73211009", "display": "Diabetes mellitus"}]}
    return {
        "resourceType": "Condition",
        "id": f"condition-{number}",
        "code": text,
        "subject": PATIENT,
        "onsetDateTime": "2019-04",
    }


def _bundle(resources: list[dict[str, Any]]) -> dict[str, Any]:
    return {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": each} for each in resources]}

"""Hook requests for tests: an order, a member's coverage, and the body around them; each part can be changed by keyword."""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from itertools import count
from typing import Any

from flask import Flask
from flask.testing import FlaskClient

from cds_service.app import create_app
from cds_service.settings import load_settings

NOON = datetime(2026, 11, 22, 18, tzinfo=UTC)
SIGN = "/cds-services/order-sign-crd"

ORDER: dict[str, Any] = {
    "resourceType": "ServiceRequest",
    "id": "sr-1",
    "status": "draft",
    "intent": "order",
    "code": {
        "coding": [{"system": "http://www.ama-assn.org/go/cpt", "code": "76498"}],
        "text": "MR neurography right brachial plexus",
    },
    "subject": {"reference": "Patient/pat-1"},
    "occurrenceDateTime": "2023-11-01",
    "authoredOn": "2023-10-20",
    "requester": {"reference": "Practitioner/prac-1"},
}
KNEE: dict[str, Any] = {**ORDER, "id": "sr-knee", "code": {"text": "MRI knee left without contrast"}}
MEMBER: dict[str, Any] = {
    "resourceType": "Coverage",
    "id": "cov-1",
    "status": "active",
    "beneficiary": {"reference": "Patient/pat-1"},
    "payor": [{"display": "BlueCross BlueShield of Alabama"}],
    "class": [{"type": {"coding": [{"code": "plan"}]}, "value": "BA-PPO", "name": "Blue Advantage PPO"}],
}


def order(text: str | None = None, **changes: Any) -> dict[str, Any]:
    """An order for MR neurography on 2023-11-01, or for ``text``; a change to None takes the element away."""
    made = copy.deepcopy(ORDER)
    if text is not None:
        made["code"] = {"text": text}
    made.update(changes)
    return {name: value for name, value in made.items() if value is not None}


def hook_call(*orders: dict[str, Any], coverage: Any = (MEMBER,), **changes: Any) -> dict[str, Any]:
    """An order-sign request for ``orders`` with ``coverage`` prefetched; None: no prefetch."""
    made: dict[str, Any] = {
        "hook": "order-sign",
        "hookInstance": "0f9c5a3e-6a51-4a7d-9a75-2f2d5e1c9b10",
        "context": {
            "userId": "Practitioner/prac-1",
            "patientId": "pat-1",
            "draftOrders": {"resourceType": "Bundle", "entry": [{"resource": each} for each in orders]},
        },
    }
    if coverage is not None:
        entries = [{"resource": each} for each in coverage]
        made["prefetch"] = {"coverage": {"resourceType": "Bundle", "type": "searchset", "entry": entries}}
    return {**made, **changes}


def app_for_tests(store: Any = None, **settings: Any) -> Flask:
    """The application with a fixed day and counted ids."""
    ids = count(1)
    return create_app(
        load_settings(**settings),
        now=lambda: NOON,
        new_id=lambda: f"00000000-0000-4000-8000-{next(ids):012}",
        store=store,
    )


def client_for_tests(**settings: Any) -> FlaskClient:
    """A client of the application."""
    return app_for_tests(**settings).test_client()

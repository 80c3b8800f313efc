"""The whole service in one process, with a fixed clock, counted ids and a few questions asked of its answers."""

from __future__ import annotations

import itertools
import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from flask.testing import FlaskClient

from cds_service.app import create_app
from cds_service.settings import Settings

from .bodies import EXTENSION, Json

PUBLIC_URL = "https://crd.example.org"
TODAY = "2026-11-22"
_NOW = datetime(2026, 11, 22, 15, tzinfo=UTC)

SERVICE_IDS = {
    "order-sign": "order-sign-crd",
    "order-select": "order-select-crd",
    "order-dispatch": "order-dispatch-crd",
    "appointment-book": "appointment-book-crd",
}


@dataclass(frozen=True)
class Answer:
    """An HTTP answer of the service: its status, its bytes, and what they hold."""

    status: int
    raw: bytes
    headers: Any

    @property
    def json(self) -> Any:
        """The body."""
        return json.loads(self.raw)

    @property
    def cards(self) -> list[Json]:
        """The cards of a 200 answer."""
        assert self.status == 200, self.raw
        cards: list[Json] = self.json["cards"]
        return cards

    @property
    def actions(self) -> list[Json]:
        """The system actions of a 200 answer."""
        assert self.status == 200, self.raw
        actions: list[Json] = self.json.get("systemActions", [])
        return actions

    @property
    def resources(self) -> list[Json]:
        """The resources of the system actions."""
        return [action["resource"] for action in self.actions]

    @property
    def assertions(self) -> list[Json]:
        """Our coverage-information extensions, one per system action that bears any."""
        return [found for resource in self.resources for found in coverage_information(resource)]

    @property
    def diagnostics(self) -> str:
        """The text of the OperationOutcome."""
        assert self.json["resourceType"] == "OperationOutcome", self.raw
        text: str = self.json["issue"][0]["diagnostics"]
        return text


class Service:
    """The application and a client for it."""

    def __init__(self, **settings: Any) -> None:
        numbers = itertools.count(1)
        self.app = create_app(
            Settings(**({"mode": "open", "records": False, "public_url": PUBLIC_URL} | settings)),
            now=lambda: _NOW,
            new_id=lambda: str(uuid.UUID(int=0x4000_8000 << 64 | next(numbers), version=4)),
        )
        self.client: FlaskClient = self.app.test_client()

    def call(self, body: Json, service_id: str | None = None) -> Answer:
        """Send a hook request to the service of its hook."""
        return self.post(json.dumps(body).encode(), service_id or SERVICE_IDS[body["hook"]])

    def post(self, body: bytes, service_id: str = "order-sign-crd", path: str = "/cds-services/{}", **headers: str) -> Answer:
        """Send ``body`` as it is."""
        sent = {"Content-Type": "application/json"} | {name.replace("_", "-"): value for name, value in headers.items()}
        answer = self.client.post(path.format(service_id), data=body, headers=sent)
        return Answer(answer.status_code, answer.data, answer.headers)

    def get(self, path: str) -> Answer:
        """Get a page."""
        answer = self.client.get(path)
        return Answer(answer.status_code, answer.data, answer.headers)


def coverage_information(resource: Json) -> list[Json]:
    """The coverage-information extensions of a resource."""
    return [each for each in resource.get("extension") or [] if each.get("url") == EXTENSION]


def children(extension: Json, url: str) -> list[Any]:
    """The values of the children named ``url``; of a complex child its own children."""
    return [value_of(child) for child in extension["extension"] if child.get("url") == url]


def child(extension: Json, url: str) -> Any:
    """The value of the one child named ``url``, or None."""
    found = children(extension, url)
    assert len(found) <= 1
    return found[0] if found else None


def value_of(extension: Json) -> Any:
    """The value of an extension, or its list of children."""
    return next((value for name, value in extension.items() if name.startswith("value")), extension.get("extension"))


def empty_places(value: Any, place: str = "$") -> Iterator[str]:
    """Where ``null``, ``""``, ``[]`` or ``{}`` stand; a top-level empty ``cards`` and echoed resources are not looked into."""
    if value is None or value in ("", [], {}):
        yield place
    elif isinstance(value, dict):
        for name, member in value.items():
            if not (place == "$" and name == "cards" and member == []) and name != "resource":
                yield from empty_places(member, f"{place}.{name}")
    elif isinstance(value, list):
        for index, element in enumerate(value):
            yield from empty_places(element, f"{place}[{index}]")

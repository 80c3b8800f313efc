"""The application on a store of its own, and what tests of the records ask of it."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flask import Flask

from cds_service.app import create_app
from cds_service.records import Store
from cds_service.settings import Settings
from cds_service.token_tool import load_private_key, make_key_pair, sign_token
from tests import examples
from tests.conformance.harness import SERVICE_IDS, Answer, child

NOON = datetime(2026, 11, 22, 18, tzinfo=UTC)
KEY = "test:MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
ISSUERS = {"ehr-one": "https://one.example.org", "ehr-two": "https://two.example.org"}


class Service:
    """The application on a store, at noon, with ids as in production."""

    def __init__(self, settings: Settings, store: Any, **parts: Any) -> None:
        self.app: Flask = create_app(settings, store=store, now=lambda: NOON, public_url=examples.PUBLIC_URL, **parts)
        self.client = self.app.test_client()

    def call(self, body: Any, service_id: str | None = None, **headers: str) -> Answer:
        """Send a hook request, or bytes, to the service of its hook."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.post(f"/cds-services/{service_id or SERVICE_IDS[body['hook']]}", raw, **headers)

    def example(self, name: str) -> Answer:
        return self.call(examples.request_text(name).encode(), examples.service_of(name))

    def feedback(self, *items: dict[str, Any], **headers: str) -> Answer:
        return self.post("/cds-services/order-sign-crd/feedback", json.dumps({"feedback": items}).encode(), **headers)

    def post(self, path: str, raw: bytes, **headers: str) -> Answer:
        answer = self.client.post(path, data=raw, content_type="application/json", headers=headers)
        return Answer(answer.status_code, answer.data, answer.headers)


def fresh(body: Any) -> Any:
    """``body`` with a hookInstance of its own."""
    return {**body, "hookInstance": str(uuid.uuid4())}


def assertion_of(answer: Answer) -> str:
    """The one coverage-assertion-id of an answer."""
    (found,) = {child(each, "coverage-assertion-id") for each in answer.assertions}
    return str(found)


class Trusted:
    """The application in jwt mode with two clients, and their tokens."""

    def __init__(self, settings: Settings, store: Store, folder: Path) -> None:
        pair = make_key_pair()
        (folder / "keys.json").write_text(json.dumps(pair.jwks), encoding="utf-8")
        tables = [f'[[client]]\nname = "{name}"\niss = "{iss}"\njwks_file = "keys.json"\n' for name, iss in ISSUERS.items()]
        (folder / "clients.toml").write_text("\n".join(tables), encoding="utf-8")
        jwt = settings.model_copy(update={"mode": "jwt", "clients": folder / "clients.toml"})
        self.service = Service(jwt, store)
        self._key = load_private_key(pair.private_pem)

    def authorization(self, client: str, service_id: str = "order-sign-crd", path: str = "") -> dict[str, str]:
        """The header of a call of ``client``."""
        audience = f"{examples.PUBLIC_URL}/cds-services/{service_id}{path}"
        token = sign_token(self._key, iss=ISSUERS[client], aud=audience, now=NOON.timestamp())
        return {"Authorization": f"Bearer {token}"}


def report(answer: Answer, outcome: str = "overridden", **changes: Any) -> dict[str, Any]:
    """Feedback on the one card of ``answer``."""
    (card,) = answer.cards
    made = {"card": card["uuid"], "outcome": outcome, "outcomeTimestamp": "2026-11-22T18:05:00Z"}
    if outcome == "accepted":
        made["acceptedSuggestions"] = []
    else:
        made["overrideReason"] = {"reason": card["overrideReasons"][0], "userComment": "Ramona-Quill asked for it"}
    return made | changes

"""The examples in ``fhir_examples/``: read, answered by the real application, and described as their README describes them."""

from __future__ import annotations

import itertools
import json
from copy import deepcopy
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cds_service.app import create_app
from cds_service.crd.coverage_information import EXTENSION_URL
from cds_service.crd.hooks import HOOKS
from cds_service.settings import Settings

FOLDER = Path(__file__).parent.parent / "fhir_examples"
#: The moment at which the golden responses are made, and the address that their links bear.
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
PUBLIC_URL = "http://127.0.0.1:8080"

#: Requests about an order that bears an earlier answer of ours are made from that answer: (example, code of the order or None).
DERIVED: dict[str, tuple[str, dict[str, Any] | None]] = {
    "order-sign-already-answered": ("order-sign-after-the-change", None),
    "order-select-already-answered": ("order-select-selected", None),
    "order-sign-outgrown-answer": ("order-sign-after-the-change", {"text": "MRI knee left without contrast"}),
    "order-sign-crd-2-2-outgrown-answer": ("order-sign-crd-2-2-after-the-change", {"text": "MRI knee left without contrast"}),
}


def names() -> list[str]:
    """The examples' names, such as ``order-sign-no-date``, in order."""
    return sorted(path.name.removesuffix(".request.json") for path in FOLDER.glob("*.request.json"))


def request_text(name: str) -> str:
    """The request as it stands in the folder."""
    return (FOLDER / f"{name}.request.json").read_text(encoding="utf-8")


def response_text(name: str) -> str:
    """The golden response as it stands in the folder."""
    return (FOLDER / f"{name}.response.json").read_text(encoding="utf-8")


def service_of(name: str) -> str:
    """The service that an example is sent to: its file is named after the hook."""
    return next(service_id for service_id, hook in HOOKS.items() if name.startswith(f"{hook.name}-"))


def settings(**changed: Any) -> Settings:
    """Every setting at its default, whatever the environment says; open, and nothing kept."""
    defaults = {field.alias or name: field.default for name, field in Settings.model_fields.items()}
    return Settings(**(defaults | {"mode": "open", "records": False, "metrics_address": "off"} | changed))


@dataclass(frozen=True)
class Answer:
    """What the application answered: the HTTP status, and the body as text laid out like the golden files."""

    status: int
    text: str

    @property
    def body(self) -> Any:
        """The body as JSON."""
        return json.loads(self.text)


def answer(name: str, request: str | None = None) -> Answer:
    """Send an example (or ``request`` in its stead) to a new application with a fixed day and counted ids."""
    count = itertools.count(1)
    app = create_app(
        settings(), public_url=PUBLIC_URL, now=lambda: NOW, new_id=lambda: f"00000000-0000-4000-8000-{next(count):012}"
    )
    body = (request or request_text(name)).encode()
    response = app.test_client().post(f"/cds-services/{service_of(name)}", data=body, content_type="application/json")
    return Answer(response.status_code, laid_out(json.loads(response.data)))


def laid_out(value: Any) -> str:
    """JSON as the files have it."""
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def derived_request(name: str, given: Answer) -> str:
    """The request ``name`` of DERIVED, made from ``given``, what the service answered to the example it derives from."""
    source, code = DERIVED[name]
    request = json.loads(request_text(source))
    action = next(iter(given.body["systemActions"]))
    order = deepcopy(action["resource"])
    if code:
        order["code"] = code
    for entry in request["context"]["draftOrders"]["entry"]:
        if entry["resource"]["id"] == order["id"]:
            entry["resource"] = order
    request["hookInstance"] = f"00000000-0000-4000-9000-{list(DERIVED).index(name) + 1:012}"
    return laid_out(request)


def in_words(given: Answer) -> str:
    """An answer in the few words of the README's table."""
    body = given.body
    if "issue" in body:
        return "OperationOutcome"
    parts = []
    for card in body["cards"]:
        links = "links" if card.get("links") else "no links"
        parts.append(f"card ({card['indicator']}, {links})")
    for action in body.get("systemActions", ()):
        parts += [
            f"{action['resource']['resourceType']}: {child['valueCode']}"
            for extension in action["resource"]["extension"]
            if extension["url"] == EXTENSION_URL
            for child in extension["extension"]
            if child["url"] == "covered"
        ]
    return "; ".join(parts) or "no card"

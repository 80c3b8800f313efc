"""A request decided outside of a real call: nothing is fetched, recorded, counted or logged.

``explain`` on the command line and the try-it page both stand on this; it runs the same code as a real call.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from cds_service.crd.cards import Response, render_response
from cds_service.crd.determination import Decision, decide
from cds_service.crd.errors import BadRequest, CallError, UnknownService
from cds_service.crd.explanation import explain
from cds_service.crd.fhir import decode
from cds_service.crd.fhir_values import as_object
from cds_service.crd.hook_request import parse_hook_request
from cds_service.crd.hooks import HOOKS
from cds_service.crd.needs import not_allowed, run
from cds_service.crd.order_reading import Circumstances
from cds_service.crd.policy import Policy
from cds_service.crd.system_actions import Presentation
from cds_service.policy_files import load_policies
from cds_service.settings import Settings


@dataclass(frozen=True)
class TryContext:
    """What a trial depends on besides the request."""

    circumstances: Circumstances
    presentation: Presentation

    @property
    def policies(self) -> tuple[Policy, ...]:
        """The policies decided by."""
        return self.circumstances.policies

    @classmethod
    def from_settings(
        cls,
        settings: Settings,
        today: date,
        policies: tuple[Policy, ...] | None = None,
        public_url: str = "http://127.0.0.1:8080",
        new_id: Callable[[], str] = lambda: str(uuid.uuid4()),
    ) -> TryContext:
        """Decide as the service with ``settings`` would on ``today``. Raises PolicyError."""
        loaded = load_policies(settings.policies) if policies is None else policies
        return cls(
            Circumstances(loaded, today, ZoneInfo(settings.timezone), settings.unmatched == "conditional"),
            Presentation(settings.public_url or public_url, today, new_id, settings.literal_q2),
        )


@dataclass(frozen=True)
class Outcome:
    """What a request came to."""

    decision: Decision
    response: Response

    def lines(self) -> Iterator[str]:
        """The explanation in words, then each card as text."""
        yield from explain(self.decision)
        body: dict[str, Any] = msgspec.json.decode(self.response.body)
        if not body["cards"]:
            yield "Answer: no card."
        for card in body["cards"]:
            yield ""
            yield f"[{card['indicator']}] {card['summary']}"
            yield f"from {card['source']['label']}"
            yield ""
            yield from card["detail"].splitlines()
            for link in card.get("links", ()):
                yield f"Link: {link['label']} <{link['url']}>"
        for action in body.get("systemActions", ()):
            yield ""
            yield f"On the order: {action['description']} (coverage-information)"


def refusal_lines(error: CallError) -> Iterator[str]:
    """What was read of a call until it was refused, in words; nothing where it was refused before."""
    if isinstance(error.so_far, Decision):
        yield from explain(error.so_far, is_refused=True)


def service_of(body: bytes) -> str:
    """The service that answers the hook named in ``body``. Raises BadRequest and UnknownService."""
    request = decode(body, "")
    hook = as_object(request).get("hook")
    if not isinstance(request, dict):
        raise BadRequest("", "the request is not a JSON object", "Give a CDS Hooks request")
    for service_id, row in HOOKS.items():
        if row.name == hook:
            return service_id
    raise UnknownService(
        "hook", "names no hook that is served here", "Give one of " + ", ".join(row.name for row in HOOKS.values())
    )


def try_request(body: bytes, context: TryContext, service_id: str | None = None) -> Outcome:
    """Decide and render ``body`` as sent to ``service_id`` (None: the service of its hook). Raises CallError."""
    service_id = service_id or service_of(body)
    if service_id not in HOOKS:
        raise UnknownService("", "no such service", "Choose one of " + ", ".join(HOOKS))
    request = parse_hook_request(body, HOOKS[service_id])
    circumstances = msgspec.structs.replace(context.circumstances, judging=True)  # who tries asks why
    decision = run(decide(request, circumstances), not_allowed)
    return Outcome(decision, render_response(decision, context.policies, context.presentation))


__all__ = ["CallError", "Outcome", "TryContext", "refusal_lines", "service_of", "try_request"]

"""Kept before it is said: the record of a call, committed before its answer leaves if that asserts or determines anything."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from cds_service import __version__
from cds_service.crd.cards import Response
from cds_service.crd.fhir import members
from cds_service.crd.hook_request import HookRequest
from cds_service.crd.needs import Fetched
from cds_service.crd.system_actions import OrderAnswer, OtherAssertion
from cds_service.records import CallRecord, CardRecord, DeterminationRecord
from cds_service.services import Services


@dataclass(frozen=True)
class Call:
    """One hook call as it came in, and what was fetched for it. ``duration_ms`` is the time until the answer was ready."""

    call_id: str
    at: datetime
    client: str | None
    body: bytes
    request: HookRequest
    fetched: dict[str, Fetched]
    today: str
    duration_ms: float


def call_record(parts: Services, call: Call, status: int, body: bytes, response: Response | None) -> CallRecord:
    """What is kept of ``call``; ``response`` is None where it was answered with an error."""
    return CallRecord(
        call_id=call.call_id,
        at=call.at,
        hook=call.request.hook.name,
        service_id=call.request.hook.service_id,
        hook_instance=call.request.hook_instance,
        client=call.client,
        status=status,
        duration_ms=call.duration_ms,
        crd_version=call.request.version,
        software_version=__version__,
        policy_hashes={policy.id: policy.sha256 for policy in parts.policies},
        request=without_token(call.body),
        response=body,
        fetched={place: fetched.raw for place, fetched in call.fetched.items() if fetched.raw is not None},
        today=call.today,
        settings=_settings(parts, call.fetched),
        determinations=_determinations(response) if response else (),
        cards=_cards(response) if response else (),
    )


def without_token(body: bytes) -> bytes:
    """``body`` without ``fhirAuthorization``: tokens are never stored. Every other member stays as it came."""
    present: dict[str, Any] = dict(members(body.removeprefix(b"\xef\xbb\xbf")))
    if present.pop("fhirAuthorization", None) is None:
        return body
    return msgspec.json.encode(present)


def _settings(parts: Services, fetched: dict[str, Fetched]) -> dict[str, Any]:
    """The settings that the decision used, and the fetches that failed, so that it can be decided again."""
    kept = parts.settings
    return {
        "public_url": parts.public_url,
        "timezone": kept.timezone,
        "unmatched": kept.unmatched,
        "literal_q2": kept.literal_q2,
        "failed_fetches": {place: answer.failure for place, answer in fetched.items() if answer.failure},
    }


def _determinations(response: Response) -> tuple[DeterminationRecord, ...]:
    return (*map(_determination, response.answers), *map(_other, response.others))


def _determination(answer: OrderAnswer) -> DeterminationRecord:
    said = answer.determination
    found = said.reading.recognition
    assert found is not None
    return DeterminationRecord(
        order_place=said.reading.order.reference or said.reading.order.place,
        policy=said.policy.id,
        policy_versions=tuple(version.start.isoformat() for version in said.versions),
        answer=said.answer.value,
        rule=found.rule,
        covered=answer.covered,
        assertion_id=answer.assertion_id,
        evidence=msgspec.to_builtins(found.evidence),
        dates=msgspec.to_builtins(said.dates),
    )


def _other(assertion: OtherAssertion) -> DeterminationRecord:
    """An assertion on an order that no policy is about: not evaluated, or an earlier answer withdrawn."""
    return DeterminationRecord(
        assertion.order, assertion.policy_id, (), "no", assertion.kind, assertion.covered, assertion.assertion_id, [], {}
    )


def _cards(response: Response) -> tuple[CardRecord, ...]:
    return tuple(
        CardRecord(
            card.uuid,
            card.policy_id,
            card.answer.value,
            tuple(dict.fromkeys(each.assertion_id for each in card.answers if each.assertion_id)),
        )
        for card in response.cards
    )

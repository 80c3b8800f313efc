"""Kept before it is said: the record of a call, committed before its answer leaves if that asserts or determines anything."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

import msgspec
import structlog

from cds_service import __version__
from cds_service.crd.annotation import ASSERTION_PREFIX
from cds_service.crd.cards import Response, render_response
from cds_service.crd.determination import Decision
from cds_service.crd.errors import CallError, operation_outcome
from cds_service.crd.feedback import FeedbackItem
from cds_service.crd.hook_request import HookRequest
from cds_service.crd.hooks import Hook
from cds_service.crd.needs import Fetched
from cds_service.crd.system_actions import OrderAnswer, OtherAssertion
from cds_service.kept_body import refused_body, without_token
from cds_service.records import CallRecord, CardRecord, DeterminationRecord
from cds_service.records.record import ASSERTING
from cds_service.services import Services

_log = structlog.get_logger(__name__)


class Call(msgspec.Struct, frozen=True):
    """One hook call as it came in: when, from which client, with which body, decided on which day, and what was fetched.

    ``started`` is when the request began to be served, as ``time.perf_counter`` tells.
    """

    call_id: str
    at: datetime
    client: str | None
    body: bytes
    request: HookRequest
    today: date
    started: float = msgspec.field(default_factory=time.perf_counter)
    fetched: dict[str, Fetched] = msgspec.field(default_factory=dict)


def keep(parts: Services, call: Call, decision: Decision, response: Response) -> Response:
    """Record ``call`` and return what may be answered: ``response``, or it without assertions if they could not be kept.

    A call that determines or asserts anything is committed before this returns (CRD 2.2.1 found-11, found-37); any other is
    written within a second. When the store is down the clinician still gets the card; an answer that asserts nothing anew
    leaves as it is. What was then said is written once the store is back, in place of the record if that had arrived after all.
    """
    if parts.store is None:
        return response
    record = _record(parts, call, 200, response.body, response)
    if not (response.answers or response.has_actions):
        parts.store.record_later(record)
        return response
    try:
        parts.store.record_now(record)
    except Exception as error:  # also one that nobody foresaw must not cost the clinician the card
        _log.error("call_not_recorded", call_id=call.call_id, reason=type(error).__name__)
        parts.on_record_failure()
        if response.has_actions:
            response = render_response(decision, parts.policies, parts.presentation(call.today, asserting=False))
            record = _record(parts, call, 200, response.body, response)
            # Decided again it would assert, and who disputes the answer would not see why it did not.
            record.settings[ASSERTING] = False
        parts.store.record_later(record)
    return response


def keep_error(parts: Services, call: Call, error: Exception) -> None:
    """Record a call that was answered with an error, of the caller's or (500) of ours: also that can be disputed."""
    if parts.store is not None:
        parts.store.record_later(_record(parts, call, *_answered(error), None))


def keep_refused(parts: Services, hook: Hook, client: str | None, body: bytes, error: CallError, started: float) -> None:
    """Record a call that was refused before it was understood: what is not known of it stays empty."""
    if parts.store is None:
        return
    kept, hook_instance = refused_body(body)
    now, (status, answer) = parts.now(), _answered(error)
    record = CallRecord(
        call_id=parts.new_id(),
        at=now,
        hook=hook.name,
        service_id=hook.service_id,
        hook_instance=hook_instance,
        client=client,
        status=status,
        duration_ms=(time.perf_counter() - started) * 1000,
        crd_version="",
        software_version=__version__,
        policy_hashes=parts.policy_hashes,
        request=kept,
        response=answer,
        today=parts.day_of(now).isoformat(),
        settings=_settings(parts, {}),
    )
    parts.store.record_later(record)


def _answered(error: Exception) -> tuple[int, bytes]:
    """Status and body of the answer that ``error`` becomes; of a defect of ours the body is not known here."""
    return (error.status, msgspec.json.encode(operation_outcome(error))) if isinstance(error, CallError) else (500, b"")


def keep_feedback(parts: Services, service_id: str, client: str | None, items: Sequence[FeedbackItem]) -> None:
    """Keep feedback, all or nothing. Raises RecordsUnavailable."""
    if parts.store is not None:
        offered = {reason.code for policy in parts.policies for reason in policy.document.override.reasons}
        parts.store.record_feedback(service_id, client, items, offered)


def _record(parts: Services, call: Call, status: int, body: bytes, response: Response | None) -> CallRecord:
    hook = call.request.hook
    # By position, in the order of the fields: by name it takes eight times as long.
    return CallRecord(
        call.call_id,
        call.at,
        hook.name,
        hook.service_id,
        call.request.hook_instance,
        call.client,
        status,
        (time.perf_counter() - call.started) * 1000,
        call.request.version,
        __version__,
        parts.policy_hashes,
        without_token(call.body),
        body,
        {place: fetched.raw for place, fetched in call.fetched.items() if fetched.raw is not None},
        call.today.isoformat(),
        _settings(parts, call.fetched),
        _determinations(response) if response else (),
        _cards(response) if response else (),
    )


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
        said.reading.order.reference or said.reading.order.place,
        said.policy.id,
        tuple(version.start.isoformat() for version in said.versions),
        said.answer.value,
        found.rule,
        answer.covered,
        _storable(answer.assertion_id),
        found.evidence,
        said.dates,
        answer.is_repeated,
    )


#: An id that stands in a plain column must be one that we made: an order may bear anything behind our prefix.
_OURS = re.compile(rf"{re.escape(ASSERTION_PREFIX)}[0-9a-f]{{8}}(-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}}")


def is_well_formed(assertion_id: str) -> bool:
    """Has a coverage-assertion-id the form of those that this service makes?"""
    return _OURS.fullmatch(assertion_id) is not None


def _storable(assertion_id: str | None) -> str | None:
    return assertion_id if assertion_id and is_well_formed(assertion_id) else None


def _other(assertion: OtherAssertion) -> DeterminationRecord:
    """An assertion on an order that no policy is about: not evaluated, or an earlier answer withdrawn."""
    assertion_id = _storable(assertion.assertion_id)
    said = ("no", assertion.kind, assertion.covered, assertion_id)
    return DeterminationRecord(assertion.order, assertion.policy_id, (), *said, [], {}, not assertion.is_new)


def _cards(response: Response) -> tuple[CardRecord, ...]:
    return tuple(
        CardRecord(
            card.uuid,
            card.policy_id,
            card.answer.value,
            tuple(dict.fromkeys(kept for each in card.answers if (kept := _storable(each.assertion_id)))),
        )
        for card in response.cards
    )

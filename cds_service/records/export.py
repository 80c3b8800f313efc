"""Kept calls as plain values, one for each line of an NDJSON export."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from cds_service.records import feedback, lookup, tables
from cds_service.records.database import reading
from cds_service.records.encryption import Keyring
from cds_service.records.record import CallRecord, KeptFeedback, RecordUnreadable

_PLAIN = ("call_id", "hook", "service_id", "hook_instance", "status", "duration_ms", "crd_version", "software_version")


def exported(
    engine: sa.Engine, keyring: Keyring, start: datetime | None, end: datetime | None, *, bodies: bool
) -> Iterator[dict[str, Any]]:
    """Each call that came in at or after ``start`` and before ``end``, oldest first.

    Without ``bodies`` only plain columns are read and nothing is decrypted; with them a call that cannot be opened
    has ``unreadable`` and the reason in place of what is sealed. Raises RecordsUnavailable.
    """
    for rows in lookup.pages(engine, start, end, sealed=bodies):
        ids = [row.id for row in rows]
        with reading(engine) as connection:
            told = _by_call(connection, tables.determinations, ids)
            cards = _by_call(connection, tables.cards, ids)
            reports = _reports(connection, rows, cards)
        for row in rows:
            line = _plain_line(row, told.get(row.id, []), cards.get(row.id, []), reports[row.id])
            if bodies:
                _add_sealed(line, keyring, row, reports[row.id])
            yield line


def _by_call(connection: sa.Connection, table: sa.Table, ids: list[int]) -> dict[int, list[Any]]:
    grouped: dict[int, list[Any]] = {}
    for row in connection.execute(sa.select(table).where(table.c.call.in_(ids)).order_by(table.c.call, table.c.number)):
        grouped.setdefault(row.call, []).append(row)
    return grouped


def _reports(connection: sa.Connection, rows: list[Any], cards: dict[int, list[Any]]) -> dict[int, list[Any]]:
    """The feedback on each of ``rows``, by their id: what the client itself sent on its cards, oldest first."""
    shown = {(row.client, card.card): row.id for row in rows for card in cards.get(row.id, ())}
    reports: dict[int, list[Any]] = {row.id: [] for row in rows}
    if shown:
        for report in feedback.on_any(connection, {card for _, card in shown}):
            row = shown.get((report.client, report.card))
            if row is not None:
                reports[row].append(report)
    return reports


def _plain_line(row: Any, told: list[Any], cards: list[Any], reports: list[Any]) -> dict[str, Any]:
    return {
        "at": tables.moment(row.at),
        **{name: getattr(row, name) for name in _PLAIN},
        "client": row.client or None,
        "determinations": [
            {
                "policy": one.policy,
                "policy_versions": one.policy_versions.split(),
                "answer": one.answer,
                "rule": one.rule,
                "covered": one.covered,
                "assertion_id": one.assertion_id,
                "repeated": one.repeated,
            }
            for one in told
        ],
        "cards": [{"uuid": card.card, "policy": card.policy, "answer": card.answer} for card in cards],
        "feedback": [
            {
                "card": report.card,
                "outcome": report.outcome,
                "outcome_at": tables.moment(report.outcome_at),
                "received_at": tables.moment(report.received_at),
                "reason_code": report.reason_code,
            }
            for report in reports
        ],
    }


def _add_sealed(line: dict[str, Any], keyring: Keyring, row: Any, reports: list[Any]) -> None:
    try:
        call = lookup.opened(keyring, row)
        kept = [feedback.opened(keyring, report) for report in reports]
    except RecordUnreadable as error:
        line["unreadable"] = str(error)
        return
    _add_call(line, call)
    for told, report in zip(line["feedback"], kept, strict=True):
        _add_report(told, report)


def _add_call(line: dict[str, Any], call: CallRecord) -> None:
    line.update(
        hook_instance=call.hook_instance,
        today=call.today,
        settings=call.settings,
        policy_hashes=call.policy_hashes,
        request=_text(call.request),
        response=_text(call.response),
        fetched={place: _text(body) for place, body in call.fetched.items()},
    )
    for told, one in zip(line["determinations"], call.determinations, strict=True):
        told.update(order_place=one.order_place, evidence=one.evidence, dates=one.dates)


def _add_report(line: dict[str, Any], report: KeptFeedback) -> None:
    line.update(
        reason_system=report.reason_system,
        reason_code=report.reason_code,
        reason_display=report.reason_display,
        comment=report.comment,
        accepted=report.accepted,
    )


def _text(body: bytes) -> str:
    # As text and not as JSON: to the last digit and space what was sent, also when that was not JSON.
    return body.decode("utf-8", "backslashreplace")

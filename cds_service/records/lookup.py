"""Finding kept calls again: by an id, or a span of time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from cds_service.records import feedback, tables
from cds_service.records.database import reading
from cds_service.records.encryption import Keyring
from cds_service.records.record import CallRecord, FoundCall, RecordUnreadable
from cds_service.records.writer import sealed_call

_decoder = msgspec.msgpack.Decoder(CallRecord)
_PAGE = 100
_calls, _told, _cards = tables.calls, tables.determinations, tables.cards


def find(engine: sa.Engine, keyring: Keyring, name: str, limit: int) -> list[FoundCall]:
    """The calls that a coverage-assertion-id, a hookInstance or a card's uuid names, newest first, at most ``limit``.

    One assertion id stands in every call that repeated it, and some clients send one hookInstance for ever.
    Raises RecordsUnavailable, RecordUnreadable.
    """
    rows = sa.union(
        sa.select(_told.c.call).where(_told.c.assertion_id == (name if name.isprintable() else "")),
        sa.select(_calls.c.id).where(_calls.c.hook_instance == tables.plain(name)),
        sa.select(_cards.c.call).where(_cards.c.card == feedback.card_key(name)),
    ).subquery()
    query = sa.select(_calls).where(_calls.c.id.in_(sa.select(rows))).order_by(_calls.c.id.desc()).limit(limit)
    with reading(engine) as connection:
        found = []
        for row in connection.execute(query).all():
            call = opened(keyring, row)
            reports = feedback.on_cards(connection, row.client, [card.uuid for card in call.cards])
            found.append(FoundCall(row.id, call, tuple(feedback.opened(keyring, report) for report in reports)))
        return found


def opened(keyring: Keyring, row: Any) -> CallRecord:
    """The call of one row of ``calls``. Raises RecordUnreadable."""
    try:
        return _decoder.decode(keyring.unseal(row.key_id, row.sealed, sealed_call(row.id)))
    except msgspec.MsgspecError:
        raise RecordUnreadable(f"{sealed_call(row.id)} was written by a version that this one cannot read") from None


def within(start: datetime | None, end: datetime | None, column: Any = _calls.c.id) -> list[sa.ColumnElement[bool]]:
    """Conditions on a call's row: came in at or after ``start`` and before ``end``; None: no bound."""
    conditions = [column >= tables.first_row_id(start)] if start else []
    return conditions + ([column < tables.first_row_id(end)] if end else [])


def count(engine: sa.Engine, start: datetime | None, end: datetime | None) -> int:
    """How many calls came in at or after ``start`` and before ``end``."""
    with reading(engine) as connection:
        return connection.execute(sa.select(sa.func.count()).select_from(_calls).where(*within(start, end))).scalar_one()


def pages(engine: sa.Engine, start: datetime | None, end: datetime | None, *, sealed: bool) -> Iterator[list[Any]]:
    """Rows of ``calls`` of a span, oldest first, page by page, so that no transaction stays open in between."""
    columns = [column for column in _calls.c if sealed or column.name != "sealed"]
    last = -1
    while True:
        query = sa.select(*columns).where(_calls.c.id > last, *within(start, end)).order_by(_calls.c.id).limit(_PAGE)
        with reading(engine) as connection:
            rows = list(connection.execute(query))
        if not rows:
            return
        yield rows
        last = rows[-1].id


def policy_files(engine: sa.Engine, hashes: dict[str, str]) -> dict[str, bytes]:
    """The kept policy files of ``hashes`` (policy id to SHA-256), by policy id; one never kept is missing."""
    column = tables.policies.c
    with reading(engine) as connection:
        query = sa.select(column.sha256, column.file).where(column.sha256.in_(list(hashes.values())))
        files = {row.sha256: bytes(row.file) for row in connection.execute(query)}
    return {policy: files[sha256] for policy, sha256 in hashes.items() if sha256 in files}

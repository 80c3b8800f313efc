"""Finding kept calls again: by an id, or a span of time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from cds_service.records import feedback, tables
from cds_service.records.database import reading
from cds_service.records.encryption import Keyring
from cds_service.records.record import CallRecord, FoundCall, KeptFeedback, RecordUnreadable
from cds_service.records.writer import sealed_call

_decoder = msgspec.msgpack.Decoder(CallRecord)
_PAGE = 100
_UUID_LENGTH = 36
_calls, _told, _cards = tables.calls, tables.determinations, tables.cards

#: Is told of a record that cannot be opened.
Told = Callable[[RecordUnreadable], None]


def find(
    engine: sa.Engine, keyring: Keyring, name: str, limit: int | None, on_unreadable: Told | None = None
) -> Iterator[FoundCall]:
    """The calls that ``name`` names (see ``named``) with their feedback, newest first; None: no ``limit``.

    What cannot be opened is told to ``on_unreadable`` and passed over. Raises RecordsUnavailable, and RecordUnreadable if
    nobody is to be told.
    """
    for row, call in at_rows(engine, keyring, named(engine, name, limit), on_unreadable):
        yield FoundCall(row.id, call, tuple(_reports(engine, keyring, row, call, on_unreadable)))


def at_rows(
    engine: sa.Engine, keyring: Keyring, ids: Sequence[int], on_unreadable: Told | None = None
) -> Iterator[tuple[Any, CallRecord]]:
    """The calls at ``ids``, newest first, each with its row, of which only a page is held at a time. Raises as ``find``."""
    for start in range(0, len(ids), _PAGE):
        page = ids[start : start + _PAGE]
        with reading(engine) as connection:
            rows = connection.execute(sa.select(_calls).where(_calls.c.id.in_(page)).order_by(_calls.c.id.desc())).all()
        for row in rows:
            try:
                call = opened(keyring, row)
            except RecordUnreadable as error:
                _tell(on_unreadable, error)
            else:
                yield row, call


def _tell(on_unreadable: Told | None, error: RecordUnreadable) -> None:
    if on_unreadable is None:
        raise error
    on_unreadable(error)


def named(engine: sa.Engine, name: str, limit: int | None = None) -> list[int]:
    """The rows of the calls that a coverage-assertion-id, a hookInstance or a card's uuid names, newest first.

    One assertion id stands in every call that repeated it, and some clients send one hookInstance for ever. Letter case and
    spaces around it are no part of an id. Raises RecordsUnavailable.
    """
    bare = name.strip()
    if not bare:
        return []
    assertion_id = bare[:-_UUID_LENGTH].upper() + bare[-_UUID_LENGTH:].lower()
    instances = {tables.plain(bare), *map(tables.plain_as_first_kept, (name, bare, bare.lower(), bare.upper()))}
    assertions = [each for each in (bare, assertion_id) if each.isprintable()]
    rows = sa.union(
        sa.select(_told.c.call).where(_told.c.assertion_id.in_(assertions)),
        sa.select(_calls.c.id).where(_calls.c.hook_instance.in_(instances)),
        sa.select(_cards.c.call).where(_cards.c.card == feedback.card_key(bare)),
    ).subquery()
    with reading(engine) as connection:
        found = sa.select(_calls.c.id).where(_calls.c.id.in_(sa.select(rows))).order_by(_calls.c.id.desc()).limit(limit)
        return list(connection.execute(found).scalars())


def _reports(
    engine: sa.Engine, keyring: Keyring, row: Any, call: CallRecord, on_unreadable: Told | None
) -> Iterator[KeptFeedback]:
    if not call.cards:
        return
    with reading(engine) as connection:
        reports = feedback.on_cards(connection, row.client, [card.uuid for card in call.cards])
    for report in reports:
        try:
            yield feedback.opened(keyring, report)
        except RecordUnreadable as error:
            _tell(on_unreadable, RecordUnreadable(f"{row.call_id}: {error}"))


def opened(keyring: Keyring, row: Any) -> CallRecord:
    """The call of one row of ``calls``. Raises RecordUnreadable, which names it."""
    try:
        return _decoder.decode(keyring.unseal(row.key_id, row.sealed, sealed_call(row.id)))
    except RecordUnreadable as error:
        raise RecordUnreadable(f"{row.call_id}: {error}") from None
    except msgspec.MsgspecError:
        raise RecordUnreadable(f"{row.call_id}: was written by a version that this one cannot read") from None


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
    """The kept policy files of ``hashes`` (policy id to SHA-256), by policy id; one never kept is missing.

    The bytes are as they stand there: who decides by them looks at their hash.
    """
    column = tables.policies.c
    with reading(engine) as connection:
        query = sa.select(column.sha256, column.file).where(column.sha256.in_(list(hashes.values())))
        files = {row.sha256: tables.octets(row.file) for row in connection.execute(query)}
    return {policy: files[sha256] for policy, sha256 in hashes.items() if sha256 in files}

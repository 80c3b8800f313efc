"""Purging what may go and sealing again what an old key still holds, when asked to; keeping the policy files, at each start."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from cds_service.records import tables
from cds_service.records.database import insert_if_new, reading, writing
from cds_service.records.encryption import Keyring
from cds_service.records.feedback import sealed_feedback
from cds_service.records.record import RecordUnreadable
from cds_service.records.writer import sealed_call

# Small, so that no call waits long behind one of these transactions.
_AT_A_TIME = 50
#: Seconds between two of them: a call that waits for the embedded file looks only now and then whether it is free.
_LEAST_PAUSE, _MOST_PAUSE = 0.01, 0.5
_calls, _cards, _feedback = tables.calls, tables.cards, tables.feedback


def purge(engine: sa.Engine, before: datetime, is_stopped: Callable[[], bool] = lambda: False) -> int:
    """Delete the calls that came in before ``before`` with all that hangs on them; how many calls.

    Feedback goes with its call, and by itself when it was received before. ``is_stopped`` ends it between two
    transactions. Raises RecordsUnavailable.
    """
    old = sa.select(_calls.c.id).where(_calls.c.id < tables.first_row_id(before)).order_by(_calls.c.id)
    purged = sum(_delete_each(engine, old, _delete_calls, is_stopped))
    # No index tells these: found without the lock of the embedded file.
    received = sa.select(_feedback.c.id).where(_feedback.c.received_at < tables.micros(before))
    sum(_delete_each(engine, received, _delete_feedback, is_stopped))
    return purged


def _delete_each(
    engine: sa.Engine,
    wanted: sa.Select[Any],
    delete: Callable[[sa.Connection, Sequence[Any]], int],
    is_stopped: Callable[[], bool],
) -> Iterator[int]:
    """``delete`` what is ``wanted``, some in each transaction; how many each did."""
    while not is_stopped():
        with reading(engine) as connection:
            ids = connection.execute(wanted.limit(_AT_A_TIME)).scalars().all()
        if not ids:
            return
        with writing(engine) as connection:
            began = time.monotonic()
            deleted = delete(connection, ids)
        yield deleted
        # Longer than it held the others up, so that most of the time they find it free.
        time.sleep(min(max(_LEAST_PAUSE, 2 * (time.monotonic() - began)), _MOST_PAUSE))


def _delete_calls(connection: sa.Connection, ids: Sequence[int]) -> int:
    """Delete the calls of ``ids``, once no more than so many reports are left on their cards, which go first."""
    own = sa.and_(_feedback.c.card == _cards.c.card, _feedback.c.client == _calls.c.client)
    shown = sa.select(_feedback.c.id).join_from(_calls, _cards, _cards.c.call == _calls.c.id).join(_feedback, own)
    reports = connection.execute(shown.where(_calls.c.id.in_(ids)).limit(_AT_A_TIME)).scalars().all()
    if reports:
        _delete_feedback(connection, reports)
    if len(reports) == _AT_A_TIME:
        return 0  # there may be more
    # Determinations and cards go with their call, by the foreign keys.
    return connection.execute(_calls.delete().where(_calls.c.id.in_(ids))).rowcount


def _delete_feedback(connection: sa.Connection, ids: Sequence[str]) -> int:
    # In the order of their keys: of two who purge at once, neither then waits for what the other holds.
    return connection.execute(_feedback.delete().where(_feedback.c.id.in_(sorted(ids)))).rowcount


def rekey(engine: sa.Engine, keyring: Keyring, on_unreadable: Callable[[RecordUnreadable], None]) -> int:
    """Seal with the newest key whatever is sealed with another; how many rows. Raises RecordsUnavailable.

    A row that does not open is told to ``on_unreadable``, left as it is, and passed over.
    """
    done = 0
    for table, name, bound in ((_calls, _calls.c.call_id, sealed_call), (_feedback, _feedback.c.card, sealed_feedback)):
        done += _rekey(engine, keyring, table, name, bound, on_unreadable)
    return done


def _rekey(engine: sa.Engine, keyring: Keyring, table: sa.Table, name: sa.Column[str], bound: Any, on_unreadable: Any) -> int:
    done, last = 0, None
    while True:
        query = sa.select(table.c.id, table.c.key_id, table.c.sealed, name.label("name"))
        query = query.where(table.c.key_id != keyring.newest, *([table.c.id > last] if last is not None else []))
        with reading(engine) as connection:
            rows = connection.execute(query.order_by(table.c.id).limit(_AT_A_TIME)).all()
        if not rows:
            return done
        with writing(engine) as connection:
            for row in rows:
                try:
                    sealed = keyring.seal(keyring.unseal(row.key_id, row.sealed, bound(row.id)), bound(row.id))
                except RecordUnreadable as error:
                    on_unreadable(RecordUnreadable(f"{row.name}: {error}"))
                    continue
                connection.execute(table.update().where(table.c.id == row.id).values(key_id=keyring.newest, sealed=sealed))
                done += 1
        last = rows[-1].id


def keep_policies(engine: sa.Engine, files: Mapping[str, bytes], now: datetime) -> dict[str, str]:
    """Keep each policy file (by policy id), once and unaltered; the SHA-256 of each, in hex. Raises RecordsUnavailable."""
    hashes = {policy: hashlib.sha256(file).hexdigest() for policy, file in files.items()}
    rows = [
        {"sha256": hashes[policy], "policy": policy, "first_used": tables.micros(now), "file": file}
        for policy, file in files.items()
    ]
    column = tables.policies.c
    with reading(engine) as connection:
        known = connection.execute(sa.select(column.sha256, column.file).where(column.sha256.in_(list(hashes.values()))))
        whole = {kept.sha256 for kept in known if hashlib.sha256(tables.octets(kept.file)).hexdigest() == kept.sha256}
    rows = [row for row in rows if row["sha256"] not in whole]
    if rows:
        with writing(engine) as connection:
            for row in rows:
                # One that was altered is put right: what it answered could not be decided again otherwise.
                connection.execute(tables.policies.update().where(column.sha256 == row["sha256"]).values(file=row["file"]))
            connection.execute(insert_if_new(engine, tables.policies), rows)
    return hashes

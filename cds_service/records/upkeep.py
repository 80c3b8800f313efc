"""Purging what may go and sealing again what an old key still holds, when asked to; keeping the policy files, at each start."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from cds_service.records import tables
from cds_service.records.database import insert_if_new, reading, writing
from cds_service.records.encryption import Keyring
from cds_service.records.feedback import sealed_feedback
from cds_service.records.writer import sealed_call

# Small, so that no call waits long behind one of these transactions.
_AT_A_TIME = 100
_calls, _cards, _feedback = tables.calls, tables.cards, tables.feedback


def purge(engine: sa.Engine, before: datetime, is_stopped: Callable[[], bool] = lambda: False) -> int:
    """Delete the calls that came in before ``before`` with all that hangs on them; how many calls.

    Feedback goes with its call, and by itself when it was received before. ``is_stopped`` ends it between two
    transactions. Raises RecordsUnavailable.
    """
    purged = 0
    oldest = sa.select(_calls.c.id).where(_calls.c.id < tables.first_row_id(before)).order_by(_calls.c.id).limit(_AT_A_TIME)
    while not is_stopped():
        with writing(engine) as connection:
            ids = list(connection.execute(oldest).scalars())
            if not ids:
                connection.execute(_feedback.delete().where(_feedback.c.received_at < tables.micros(before)))
                return purged
            owned = (
                sa.select(_cards.c.card)
                .join_from(_cards, _calls, _cards.c.call == _calls.c.id)
                .where(_cards.c.call.in_(ids), _cards.c.card == _feedback.c.card, _calls.c.client == _feedback.c.client)
            )
            connection.execute(_feedback.delete().where(owned.exists()))
            # Determinations and cards go with their call, by the foreign keys.
            connection.execute(_calls.delete().where(_calls.c.id.in_(ids)))
        purged += len(ids)
    return purged


def rekey(engine: sa.Engine, keyring: Keyring) -> int:
    """Seal with the newest key whatever is sealed with another; how many rows. Raises RecordsUnavailable, RecordUnreadable."""
    return _rekey(engine, keyring, _calls, sealed_call) + _rekey(engine, keyring, _feedback, sealed_feedback)


def _rekey(engine: sa.Engine, keyring: Keyring, table: sa.Table, bound: Any) -> int:
    done, last = 0, None
    while True:
        query = sa.select(table.c.id, table.c.key_id, table.c.sealed).where(table.c.key_id != keyring.newest)
        query = query.where(table.c.id > last) if last is not None else query
        with reading(engine) as connection:
            rows = connection.execute(query.order_by(table.c.id).limit(_AT_A_TIME)).all()
        if not rows:
            return done
        with writing(engine) as connection:
            for row in rows:
                sealed = keyring.seal(keyring.unseal(row.key_id, row.sealed, bound(row.id)), bound(row.id))
                connection.execute(table.update().where(table.c.id == row.id).values(key_id=keyring.newest, sealed=sealed))
        done += len(rows)
        last = rows[-1].id


def keep_policies(engine: sa.Engine, files: Mapping[str, bytes], now: datetime) -> dict[str, str]:
    """Keep each policy file (by policy id), once; the SHA-256 of each, in hex. Raises RecordsUnavailable."""
    hashes = {policy: hashlib.sha256(file).hexdigest() for policy, file in files.items()}
    rows = [
        {"sha256": hashes[policy], "policy": policy, "first_used": tables.micros(now), "file": file}
        for policy, file in files.items()
    ]
    known = sa.select(tables.policies.c.sha256).where(tables.policies.c.sha256.in_(list(hashes.values())))
    with reading(engine) as connection:
        rows = [row for row in rows if row["sha256"] not in set(connection.execute(known).scalars())]
    if rows:
        with writing(engine) as connection:
            connection.execute(insert_if_new(engine, tables.policies), rows)
    return hashes

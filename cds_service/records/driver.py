"""Small transactions on the driver's own connection, for what happens at every call.

SQLAlchemy makes the connection, pools it and compiles the statements once; running them through its execution layer
would cost as much again as the database does.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import sqlalchemy as sa

from cds_service.records.breaker import Breaker
from cds_service.records.database import PATIENCE, is_embedded, reason
from cds_service.records.record import RecordsUnavailable, RecordUnstorable
from cds_service.records.watch import Watch

#: A compiled statement, and the rows to run it with, each in the order of its columns.
Step = tuple[str, Sequence[tuple[Any, ...]]]

#: Seconds that a call waits for the threads before it: longer than the first of them waits for the lock of the file, so that
#: all hear together whether it was got. Whoever writes on behalf of no call waits longer.
TURN = 1.5

#: Seconds that a server may take for a transaction: longer than it takes to tell that a statement or a lock took too long.
_SILENCE = PATIENCE + 0.25
#: The same for writers that nobody waits for.
_LONG_SILENCE = 10.0

#: SQLSTATEs by which a server ends a transaction in favour of another: run again, it succeeds.
_RIVALRY = frozenset({"40001", "40P01"})
#: How often a transaction is run, at most, if others are favoured.
_TRIES = 3

#: Connections to a server that one process uses for writing, at most.
_CONNECTIONS = 8


class ConnectionLost(RecordsUnavailable):
    """The connection broke. ``may_be_written``: the commit was on its way, and whether it arrived is not known."""

    def __init__(self, reason: str, *, may_be_written: bool) -> None:
        super().__init__(reason)
        self.may_be_written = may_be_written


class RowTaken(RecordsUnavailable):
    """A row of that key is already there; nothing was written."""


class _Held:
    """A connection checked out of the engine's pool for good: going through it costs a tenth of a small transaction."""

    __slots__ = ("checked_out", "connection", "cursor", "syncs")

    def __init__(self, checked_out: Any) -> None:
        self.checked_out = checked_out
        self.connection: Any = checked_out.dbapi_connection
        self.cursor = self.connection.cursor()
        self.syncs = True


class Driver:
    """Runs steps in one transaction each.

    What is committed outlives the process. It outlives the machine too, unless the database is embedded and the
    transaction was told not to sync: that it does only from the next one on that syncs, whichever process runs it.
    """

    def __init__(self, engine: sa.Engine, *, breaker: Breaker | None = None) -> None:
        self.engine = engine
        self._breaker = breaker or Breaker()
        self._errors: Any = engine.dialect.loaded_dbapi
        self._embedded = is_embedded(engine.url)
        refused = (self._errors.ProgrammingError, self._errors.InterfaceError) if self._embedded else ()
        self._unstorable: Any = (self._errors.DataError, TypeError, ValueError, OverflowError, *refused)
        # Threads of one process queue here rather than in SQLite's busy handler, which sleeps ever longer.
        self._turn: Any = threading.Lock() if self._embedded else threading.BoundedSemaphore(_CONNECTIONS)
        self._idle: list[_Held] = []
        self._watch = None if self._embedded else Watch()

    def compiled(self, statement: sa.Insert | sa.Delete) -> str:
        """``statement`` as text; an insert's parameters are the columns of its table, in their order."""
        return str(statement.compile(dialect=self.engine.dialect))

    def commit(self, steps: Sequence[Step], *, insists: bool = False, syncs: bool = True) -> int:
        """Run ``steps`` and commit; how many rows the last one wrote.

        Fails at once when the store has just failed, unless it ``insists``: that is for writers that nobody waits for.
        Raises ConnectionLost, RowTaken, RecordUnstorable or RecordsUnavailable; after RowTaken and RecordUnstorable nothing
        of it was written, after the others it may have been: a server that fell silent may yet have got the commit.
        """
        errors, tries = self._errors, _TRIES
        while True:
            tries -= 1
            entered = None if insists else self._breaker.enter()
            try:
                written = self._commit_again_if_lost(steps, entered, syncs)
            except errors.IntegrityError:
                self._breaker.succeeded()  # the database works: it is the row that it refuses
                raise RowTaken("row taken") from None
            except self._unstorable as error:
                raise RecordUnstorable(reason(error)) from None
            except (errors.Error, sa.exc.SQLAlchemyError) as error:
                if getattr(error, "sqlstate", None) not in _RIVALRY:
                    self._breaker.failed()
                    raise RecordsUnavailable(reason(error)) from None
                self._breaker.succeeded()  # it works for the other
                if not tries:
                    raise RecordsUnavailable(reason(error)) from None
            else:
                self._breaker.succeeded()
                return written

    def _commit_again_if_lost(self, steps: Sequence[Step], entered: float | None, syncs: bool) -> int:
        try:
            return self._commit(steps, entered, syncs)
        except ConnectionLost as lost:
            if lost.may_be_written:
                raise
            # The server closed it since its last use: on a new one, once.
            return self._commit(steps, entered, syncs)

    def dispose(self) -> None:
        """Close the connections held here, and the engine's, and look after none any more."""
        if self._watch is not None:
            self._watch.close()
        self._close_idle()

    def _close_idle(self) -> None:
        idle, self._idle = self._idle, []
        for held in idle:
            held.checked_out.invalidate()
        self.engine.dispose()

    def _held(self) -> _Held:
        try:
            return self._idle.pop()
        except IndexError:
            return _Held(self.engine.raw_connection())

    def _commit(self, steps: Sequence[Step], entered: float | None, syncs: bool) -> int:
        if not self._turn.acquire(timeout=PATIENCE if entered is None else TURN):
            self._breaker.failed()
            raise RecordsUnavailable("other threads are still writing")
        try:
            if entered is not None:
                self._breaker.check(entered)
            held = self._held()
            is_committing = False
            if self._watch is not None:
                self._watch.begin(held.connection, _LONG_SILENCE if entered is None else _SILENCE)
            try:
                written = self._run(held, steps, syncs)
                is_committing = True
                if self._embedded:
                    held.cursor.execute("COMMIT")  # of which, other than of commit(), the driver keeps the compiled form
                else:
                    held.connection.commit()
            except BaseException as error:
                is_cut = self._watch is not None and self._watch.end(held.connection)
                # Never used again: what state it is in depends on what went wrong. Rolled back first, since SQLite
                # keeps the lock of a closed connection for as long as a traceback holds its cursor.
                is_lost = self._is_lost(error, held)
                with suppress(self._errors.Error):
                    held.connection.rollback()
                held.checked_out.invalidate()
                if is_lost or is_cut:
                    # A server that was restarted has closed the others too.
                    self._close_idle()
                if is_cut:
                    # Not again on a new connection: the caller has waited long enough.
                    self._breaker.failed()
                    raise RecordsUnavailable("the server does not answer") from None
                if is_lost:
                    raise ConnectionLost(reason(error), may_be_written=is_committing) from None
                raise
            if self._watch is None or not self._watch.end(held.connection):
                self._idle.append(held)
            else:  # cut when it had just answered
                held.checked_out.invalidate()
            return written
        finally:
            self._turn.release()

    def _run(self, held: _Held, steps: Sequence[Step], syncs: bool) -> int:
        cursor = held.cursor
        if self._embedded:
            if held.syncs is not syncs:
                # In a write-ahead log NORMAL leaves out the sync at each commit, and nothing else.
                cursor.execute(f"PRAGMA synchronous = {'FULL' if syncs else 'NORMAL'}")
                held.syncs = syncs
            cursor.execute("BEGIN IMMEDIATE")
        for statement, rows in steps:
            if len(rows) == 1:
                cursor.execute(statement, rows[0])
            elif rows:
                cursor.executemany(statement, rows)
        return int(cursor.rowcount)

    def _is_lost(self, error: Any, held: _Held) -> bool:
        is_driver_error = isinstance(error, self._errors.Error)
        return is_driver_error and self.engine.dialect.is_disconnect(error, held.connection, None)

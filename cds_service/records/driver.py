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

#: A compiled statement, and the rows to run it with, each in the order of its columns.
Step = tuple[str, Sequence[tuple[Any, ...]]]

#: Seconds that a call waits for the threads before it; whoever writes on behalf of no call waits longer.
TURN = 0.5

#: Connections to a server that one process uses for writing, at most.
_CONNECTIONS = 8


class ConnectionLost(RecordsUnavailable):
    """The connection broke. ``may_be_written``: the commit was on its way, and whether it arrived is not known."""

    def __init__(self, reason: str, *, may_be_written: bool) -> None:
        super().__init__(reason)
        self.may_be_written = may_be_written


class RowTaken(RecordsUnavailable):
    """A row of that key is already there; nothing was written."""


class Driver:
    """Runs steps in one transaction each.

    Committed is on the disk, unless not ``is_durable`` and embedded: then it outlives the process, but what a
    machine had not written out when its power went may be gone.
    """

    def __init__(self, engine: sa.Engine, *, is_durable: bool = True, breaker: Breaker | None = None) -> None:
        self.engine = engine
        self._breaker = breaker or Breaker()
        self._is_durable = is_durable
        self._errors: Any = engine.dialect.loaded_dbapi
        self._embedded = is_embedded(engine.url)
        refused = (self._errors.ProgrammingError, self._errors.InterfaceError) if self._embedded else ()
        self._unstorable: Any = (self._errors.DataError, TypeError, ValueError, OverflowError, *refused)
        # Threads of one process queue here rather than in SQLite's busy handler, which sleeps ever longer.
        self._turn = threading.BoundedSemaphore(1 if self._embedded else _CONNECTIONS)
        # Checked out of the engine's pool for good: going through it costs a tenth of a small transaction.
        self._idle: list[Any] = []

    def compiled(self, statement: sa.Insert) -> str:
        """``statement`` as text whose parameters are the columns of its table, in their order."""
        return str(statement.compile(dialect=self.engine.dialect))

    def commit(self, steps: Sequence[Step], *, insists: bool = False) -> int:
        """Run ``steps`` and commit; how many rows the last one wrote.

        Fails at once when the store has just failed, unless it ``insists``: that is for writers that nobody waits for.
        Raises ConnectionLost, RowTaken, RecordUnstorable or RecordsUnavailable; after all but the first, nothing
        of it was written.
        """
        errors = self._errors
        entered = None if insists else self._breaker.enter()
        try:
            written = self._commit_again_if_lost(steps, entered)
        except errors.IntegrityError:
            self._breaker.succeeded()  # the database works: it is the row that it refuses
            raise RowTaken("row taken") from None
        except self._unstorable as error:
            raise RecordUnstorable(reason(error)) from None
        except (errors.Error, sa.exc.SQLAlchemyError) as error:
            self._breaker.failed()
            raise RecordsUnavailable(reason(error)) from None
        self._breaker.succeeded()
        return written

    def _commit_again_if_lost(self, steps: Sequence[Step], entered: float | None) -> int:
        try:
            return self._commit(steps, entered)
        except ConnectionLost as lost:
            if lost.may_be_written:
                raise
            # The server closed it since its last use: on a new one, once.
            return self._commit(steps, entered)

    def dispose(self) -> None:
        """Close the connections held here, and the engine's."""
        while self._idle:
            self._idle.pop().invalidate()
        self.engine.dispose()

    def _connection(self) -> Any:
        try:
            return self._idle.pop()
        except IndexError:
            connection = self.engine.raw_connection()
        if self._embedded and not self._is_durable:
            connection.cursor().execute("PRAGMA synchronous = NORMAL")
        return connection

    def _commit(self, steps: Sequence[Step], entered: float | None) -> int:
        if not self._turn.acquire(timeout=PATIENCE if entered is None else TURN):
            raise RecordsUnavailable("other threads are still writing")
        try:
            if entered is not None:
                self._breaker.check(entered)
            connection = self._connection()
            is_committing = False
            try:
                written = self._run(connection, steps)
                is_committing = True
                connection.commit()
            except BaseException as error:
                # Never used again: what state it is in depends on what went wrong. Rolled back first, since SQLite
                # keeps the lock of a closed connection for as long as a traceback holds its cursor.
                is_lost = self._is_lost(error, connection)
                with suppress(self._errors.Error):
                    connection.rollback()
                connection.invalidate()
                if is_lost:
                    # A server that was restarted has closed the others too.
                    self.dispose()
                    raise ConnectionLost(reason(error), may_be_written=is_committing) from None
                raise
            self._idle.append(connection)
            return written
        finally:
            self._turn.release()

    def _run(self, connection: Any, steps: Sequence[Step]) -> int:
        cursor = connection.cursor()
        if self._embedded:
            cursor.execute("BEGIN IMMEDIATE")
        for statement, rows in steps:
            if len(rows) == 1:
                cursor.execute(statement, rows[0])
            elif rows:
                cursor.executemany(statement, rows)
        return int(cursor.rowcount)

    def _is_lost(self, error: Any, connection: Any) -> bool:
        is_driver_error = isinstance(error, self._errors.Error)
        return is_driver_error and self.engine.dialect.is_disconnect(error, connection.dbapi_connection, None)

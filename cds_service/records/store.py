"""The store: everything the service keeps, through one value that any thread may use.

``open_store`` checks what must be right at the start and leaves no connection open; each process then opens its own
with its first use, so a server may fork after it.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
import structlog

from cds_service.records import database, export, lookup, measures, tables, upkeep
from cds_service.records.encryption import Keyring
from cds_service.records.open_here import OpenHere
from cds_service.records.record import CallRecord, FoundCall, RecordsUnavailable, RecordUnreadable

if TYPE_CHECKING:
    from cds_service.crd.feedback import FeedbackItem

_log = structlog.get_logger("cds_service.records")

#: What a parent process had open when this one was forked off: kept so that it is never closed from here.
_inherited: list[Any] = []


class Store:
    """The records of this service; every method may be called from any thread. Made by ``open_store``.

    ``notices`` are lines for the operator to see at the start: where the records are, and a key that was made.
    """

    def __init__(
        self,
        url: sa.URL,
        keyring: Keyring,
        *,
        keeps_calls: bool = True,
        retention_days: int | None = None,
        on_lost: Callable[[int], None] | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        notices: tuple[str, ...] = (),
    ) -> None:
        self.url = database.shown(url)
        self.notices = notices
        self._url, self._keyring = url, keyring
        self._keeps_calls, self._retention_days = keeps_calls, retention_days
        self._on_lost, self._clock = on_lost, clock
        self._lost = 0
        self._open: OpenHere | None = None
        self._opening = threading.Lock()
        forked = weakref.WeakMethod(self._forked)
        os.register_at_fork(after_in_child=lambda: (method := forked()) and method())

    def _forked(self) -> None:
        _inherited.append(self._open)
        self._open, self._opening = None, threading.Lock()

    @property
    def _here(self) -> OpenHere:
        """What this process has open."""
        if self._open is None:
            with self._opening:
                if self._open is None:
                    self._open = OpenHere(
                        self._url,
                        self._keyring,
                        self._count_lost,
                        self._clock,
                        keeps_calls=self._keeps_calls,
                        retention_days=self._retention_days,
                    )
        return self._open

    def _count_lost(self, count: int) -> None:
        self._lost += count
        if self._on_lost is not None:
            self._on_lost(count)

    def record_now(self, call: CallRecord) -> None:
        """Keep ``call`` for good before this returns, in place of what was kept under its ``call_id``.

        Raises RecordsUnavailable: whether it is kept is then not known, and what was answered instead is to be recorded
        under the same ``call_id``.
        """
        if self._keeps_calls:
            here = self._here
            here.later.start()  # which also purges: that must not depend on which calls come
            here.write_now(call)

    def record_later(self, call: CallRecord) -> None:
        """Keep ``call`` within a second, or now when too many wait already; never raises, counts what is lost."""
        if not self._keeps_calls:
            return
        here = self._here
        if here.later.add(call):
            return
        if not here.later.is_failing:
            try:
                here.write_now(call)
                return
            except Exception as error:
                reason = str(error) if isinstance(error, RecordsUnavailable) else type(error).__name__
                _log.error("record_lost", call_id=call.call_id, reason=reason)
        self._count_lost(1)

    def token_is_new(self, client: str, jti: str, exp: int) -> bool:
        """Is a token id seen for the first time from ``client``? Remembered until ``exp`` (seconds since 1970).

        Holds across threads, processes and replicas, and through restarts. Raises RecordsUnavailable.
        """
        here = self._here
        here.later.start()
        return here.tokens.is_new(client, jti, exp)

    def record_feedback(
        self, service_id: str, client: str | None, items: Sequence[FeedbackItem], codes: Collection[str] = ()
    ) -> None:
        """Keep all ``items`` or none; repeated, late and unknown ones do no harm. Raises RecordsUnavailable.

        ``codes`` are those of the override reasons that cards offer; only they are counted by name.
        """
        here = self._here
        if here.breaker.is_open:
            raise RecordsUnavailable("the store failed a moment ago")
        here.feedback.keep(service_id, client, items, self._clock(), codes)

    def keep_policies(self, files: Mapping[str, bytes]) -> dict[str, str]:
        """Keep the policy files in use, by policy id, for replay; their SHA-256 in hex. Raises RecordsUnavailable."""
        return upkeep.keep_policies(self._here.engine, files, self._clock())

    def policy_files(self, hashes: dict[str, str]) -> dict[str, bytes]:
        """The kept files of ``hashes`` (policy id to SHA-256), by policy id. Raises RecordsUnavailable."""
        return lookup.policy_files(self._here.engine, hashes)

    def find(self, name: str, limit: int = 50) -> list[FoundCall]:
        """The calls of a coverage-assertion-id, hookInstance or card uuid, newest first, at most ``limit``.

        Raises RecordsUnavailable, RecordUnreadable.
        """
        return list(self.each(name, limit))

    def each(self, name: str, limit: int, on_unreadable: lookup.Told | None = None) -> Iterator[FoundCall]:
        """As ``find``, one after the other; ``on_unreadable`` as in ``calls``."""
        return lookup.find(self._here.engine, self._keyring, name, limit, on_unreadable)

    def calls_named(self, name: str, on_unreadable: lookup.Told | None = None) -> Iterator[CallRecord]:
        """All calls of a coverage-assertion-id, hookInstance or card uuid, newest first. Raises as ``find``."""
        ids = lookup.named(self._here.engine, name)
        return (call for _, call in lookup.at_rows(self._here.engine, self._keyring, ids, on_unreadable))

    def count_named(self, name: str) -> int:
        """How many calls a coverage-assertion-id, hookInstance or card uuid names. Raises RecordsUnavailable."""
        return len(lookup.named(self._here.engine, name))

    def calls(
        self, start: datetime | None, end: datetime | None, on_unreadable: lookup.Told | None = None
    ) -> Iterator[CallRecord]:
        """Every call of a span (``start`` inclusive, ``end`` not), oldest first. Raises as ``find``.

        With ``on_unreadable`` a record that cannot be opened is told to it and passed over.
        """
        for rows in lookup.pages(self._here.engine, start, end, sealed=True):
            for row in rows:
                try:
                    call = lookup.opened(self._keyring, row)
                except RecordUnreadable as error:
                    if on_unreadable is None:
                        raise
                    on_unreadable(error)
                else:
                    yield call

    def count(self, start: datetime | None, end: datetime | None) -> int:
        """How many calls came in during a span (``start`` inclusive, ``end`` not). Raises RecordsUnavailable."""
        return lookup.count(self._here.engine, start, end)

    def measures(self, start: datetime | None, end: datetime | None) -> list[measures.Measure]:
        """The measures of a span (``start`` inclusive, ``end`` not). Raises RecordsUnavailable."""
        return measures.measures(self._here.engine, start, end)

    def export(self, start: datetime | None, end: datetime | None, *, bodies: bool = False) -> Iterator[dict[str, Any]]:
        """Each call of a span as a plain dict; what is sealed only with ``bodies``. Raises RecordsUnavailable."""
        return export.exported(self._here.engine, self._keyring, start, end, bodies=bodies)

    def purge(self, before: datetime) -> int:
        """Delete the calls that came in before ``before``, and their feedback; how many. Raises RecordsUnavailable."""
        return upkeep.purge(self._here.engine, before)

    def rekey(self, on_unreadable: lookup.Told) -> int:
        """Seal with the newest key what is sealed with another; how many rows. Raises RecordsUnavailable.

        What does not open is told to ``on_unreadable`` and passed over.
        """
        return upkeep.rekey(self._here.engine, self._keyring, on_unreadable)

    @property
    def waiting(self) -> int:
        """Calls that ``record_later`` took and that are not written yet."""
        return len(self._here.later)

    @property
    def lost(self) -> int:
        """Calls of this process that could not be kept by ``record_later``."""
        return self._lost

    def ready(self) -> str | None:
        """What keeps the store from working, in one line without patient data; None when it works."""
        try:
            at = database.revision(self._here.engine)
        except sa.exc.SQLAlchemyError as error:
            return f"records cannot be reached ({database.reason(error)})"
        if at != tables.HEAD:
            return f"records are at revision {at}, not {tables.HEAD}"
        return "records cannot be written" if self._here.later.is_failing else None

    def close(self) -> None:
        """Write what waits, and close this process's connections. The store opens again with its next use."""
        with self._opening:
            here, self._open = self._open, None
        if here is not None:
            here.close()

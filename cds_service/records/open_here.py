"""What one process holds open of the store: made with its first use, so that it may fork before."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

import sqlalchemy as sa
import structlog

from cds_service.records import database, upkeep
from cds_service.records.breaker import Breaker
from cds_service.records.driver import TURN, Driver
from cds_service.records.encryption import Keyring
from cds_service.records.feedback import FeedbackWriter
from cds_service.records.later import LaterWriter
from cds_service.records.record import CallRecord, RecordsUnavailable
from cds_service.records.together import TogetherWriter, TurnMissed
from cds_service.records.tokens import TokenWriter
from cds_service.records.writer import CallWriter

_TIDY_SECONDS = 60.0
_log = structlog.get_logger("cds_service.records")


class OpenHere:
    """What one process holds open: connections, compiled statements, the queue and its thread."""

    def __init__(
        self,
        url: sa.URL,
        keyring: Keyring,
        on_lost: Callable[[int], None],
        clock: Callable[[], datetime],
        *,
        keeps_calls: bool,
        retention_days: int | None,
    ) -> None:
        self.engine = database.make_engine(url)
        self.breaker = Breaker()
        self.driver = Driver(self.engine, breaker=self.breaker)
        self.writer = CallWriter(self.driver, keyring)
        self.feedback = FeedbackWriter(self.driver, keyring)
        self._together = TogetherWriter(self.writer.write, TURN) if database.is_embedded(url) else None
        # The record of the token's call syncs its id too, before an answer that determines anything or within a second:
        # the log is one file. Where no records are kept nobody else would.
        self.tokens = TokenWriter(self.driver, syncs=not keeps_calls)
        self.later = LaterWriter(partial(self.writer.write, insists=True), on_lost, self._tidy)
        self._retention_days, self._clock = retention_days, clock
        self._next_tidying = time.monotonic() + _TIDY_SECONDS
        self._tidying: threading.Thread | None = None
        self._closing = threading.Event()

    def write_now(self, call: CallRecord) -> None:
        """Commit ``call`` before this returns. Raises RecordsUnavailable."""
        if self._together is None:
            self.writer.write((call,))
        elif self.breaker.is_open:
            raise RecordsUnavailable("the store failed a moment ago")
        else:
            try:
                self._together.write(call)
            except TurnMissed:
                # A disk that answers nobody must not be waited for by one caller after the other.
                self.breaker.failed()
                raise

    def close(self) -> None:
        """Write what waits, end the threads, close the connections."""
        self.later.close()
        self._closing.set()
        if self._tidying is not None:
            self._tidying.join()
        self.driver.dispose()

    def _tidy(self) -> None:
        """Start the tidying up when it is time; on a thread that may be stopped at any moment."""
        is_busy = self._tidying is not None and self._tidying.is_alive()
        if time.monotonic() >= self._next_tidying and not is_busy:
            self._next_tidying = time.monotonic() + _TIDY_SECONDS
            self._tidying = threading.Thread(target=self.tidy_up, name="records-tidy", daemon=True)
            self._tidying.start()

    def tidy_up(self) -> None:
        """Forget expired token ids, and purge what is past retention; a failure is logged."""
        try:
            self.tokens.forget_expired(self._clock().timestamp())
            if self._retention_days is not None:
                before = self._clock() - timedelta(days=self._retention_days)
                upkeep.purge(self.engine, before, self._closing.is_set)
        except RecordsUnavailable as error:
            _log.warning("records_not_tidied", reason=str(error))

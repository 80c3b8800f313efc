"""A store that just failed is not waited for again: calls of the next second are told at once, and one of them tries."""

from __future__ import annotations

import time

from cds_service.records.record import RecordsUnavailable

#: Seconds after a failure in which nobody else waits for the store.
REST = 1.0


class Breaker:
    """Whether the store of one process can be written, as far as its last writes tell; any thread may use it.

    After a failure every ``enter`` fails for ``REST`` seconds. The first one after that may try, and the others go on
    failing meanwhile; a success of anybody lets all in again.
    """

    def __init__(self) -> None:
        self._failed_at = float("-inf")
        self._next_try: float | None = None

    @property
    def is_open(self) -> bool:
        """Did the store fail within the last second, and has it not been written since?"""
        next_try = self._next_try
        return next_try is not None and time.monotonic() < next_try

    def enter(self) -> float:
        """Ask to try; the moment to tell ``check``. Raises RecordsUnavailable when the store has just failed."""
        now = time.monotonic()
        next_try = self._next_try
        if next_try is not None:
            if now < next_try:
                raise RecordsUnavailable("the store failed a moment ago")
            self._next_try = now + REST
        return now

    def check(self, entered: float) -> None:
        """Raise RecordsUnavailable when the store has failed since ``entered``, and nobody has written it after that."""
        if self._failed_at >= entered:
            raise RecordsUnavailable("the store failed while others waited for it")

    def failed(self) -> None:
        """A write failed because the store is unavailable, not because of what was written."""
        self._failed_at = time.monotonic()
        self._next_try = self._failed_at + REST

    def succeeded(self) -> None:
        """A write was committed."""
        if self._next_try is not None:
            self._failed_at, self._next_try = float("-inf"), None

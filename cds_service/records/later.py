"""Writing calls a moment later, many together, off the path of the answer."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import islice

import structlog

from cds_service.records.record import CallRecord, RecordsUnavailable, RecordUnstorable

_log = structlog.get_logger("cds_service.records")


class LaterWriter:
    """Keeps calls in memory for at most ``age`` seconds (twice, at worst) and writes them together, from its own thread.

    The thread starts with the first call, so that a process that forks before has none; it ends with ``close`` or
    with the main thread, and writes what is left in either case; no error ends it. ``tidy`` is called on it about once a
    second and must be quick.
    """

    def __init__(
        self,
        write: Callable[[Sequence[CallRecord]], None],
        on_lost: Callable[[int], None],
        tidy: Callable[[], None],
        *,
        age: float = 0.4,
        most: int = 2000,
        most_bytes: int = 64 * 1024 * 1024,
        batch: int = 200,
    ) -> None:
        self._write, self._on_lost, self._tidy = write, on_lost, tidy
        self._age, self._most, self._most_bytes, self._batch = age, most, most_bytes, batch
        self._waiting: deque[CallRecord] = deque()
        self._bytes = 0
        self._lock = threading.Lock()
        self._some, self._hurry, self._closed = threading.Event(), threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None
        #: the last batch could not be written: the store is down
        self.is_failing = False

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, call: CallRecord) -> bool:
        """Take ``call``; False when the queue is full or closed, and the caller must see to it."""
        with self._lock:
            if len(self._waiting) >= self._most or self._bytes >= self._most_bytes or self._closed.is_set():
                return False
            self._waiting.append(call)
            self._bytes += _size(call)
            count = len(self._waiting)
        if self._thread is None:
            self.start()
        if count == 1:
            self._some.set()
        elif count == self._batch:
            self._hurry.set()
        return True

    def start(self) -> None:
        """Start the thread, if it does not run yet; where none is to be had, the next call tries again."""
        if self._thread is None:
            with self._lock:
                if self._thread is None and not self._closed.is_set():
                    # Not a daemon: those are stopped in mid-write when the interpreter ends.
                    thread = threading.Thread(target=self._run, name="records-later", daemon=False)
                    with suppress(RuntimeError):
                        thread.start()
                        self._thread = thread

    def close(self) -> None:
        """Write what is left and end the thread; what cannot be written is lost and counted."""
        with self._lock:
            self._closed.set()
        self._some.set()
        self._hurry.set()
        if self._thread is not None:
            self._thread.join()
        if left := list(self._waiting):  # no thread was to be had
            self._lose(left, "no thread to write it")
            self._forget(len(left))

    def _run(self) -> None:
        main = threading.main_thread()
        while True:
            if not self._closed.is_set():
                self._some.wait(self._age)
            is_last = self._closed.is_set() or not main.is_alive()
            if self._waiting:
                if not is_last:
                    self._hurry.wait(self._age)
                try:
                    self._empty(is_last=is_last)
                except Exception as error:
                    self._went_wrong("records_delayed", error)
                    self.is_failing = True
                    self._closed.wait(self._age)
            elif is_last:
                return
            try:
                self._tidy()
            except Exception as error:
                self._went_wrong("records_not_tidied", error)

    def _went_wrong(self, event: str, error: Exception) -> None:
        # Nobody foresaw it, so its text may quote a record; and whatever it is, the log may fail of it too.
        with suppress(Exception):
            _log.error(event, count=len(self._waiting), reason=type(error).__name__)

    def _empty(self, *, is_last: bool) -> None:
        """Write all that waits; after a failure keep it for the next time, unless there is none."""
        self._some.clear()
        self._hurry.clear()
        while self._waiting:
            with self._lock:
                batch = list(islice(self._waiting, self._batch))
            try:
                self._write(batch)
                self.is_failing = False
            except RecordUnstorable:
                self._write_singly(batch)
            except Exception as error:
                is_foreseen = isinstance(error, RecordsUnavailable)
                if self.is_failing and not is_foreseen:  # once more: one of them may be what cannot be written
                    self._write_singly(batch)
                else:
                    reason = str(error) if is_foreseen else type(error).__name__
                    self.is_failing = True
                    if not is_last:
                        _log.error("records_delayed", count=len(self._waiting), reason=reason)
                        self._some.set()
                        self._closed.wait(self._age)
                        return
                    self._lose(batch, reason)
            self._forget(len(batch))

    def _write_singly(self, batch: Sequence[CallRecord]) -> None:
        for call in batch:
            try:
                self._write([call])
                self.is_failing = False
            except Exception as error:
                reason = str(error) if isinstance(error, RecordsUnavailable) else type(error).__name__
                self._lose([call], reason)

    def _lose(self, calls: Sequence[CallRecord], reason: str) -> None:
        for call in calls:
            with suppress(Exception):  # a log that fails must not keep the process from ending
                _log.error("record_lost", call_id=call.call_id, reason=reason)
        self._on_lost(len(calls))

    def _forget(self, count: int) -> None:
        with self._lock:
            for _ in range(count):
                self._bytes -= _size(self._waiting.popleft())


def _size(call: CallRecord) -> int:
    return len(call.request) + len(call.response)

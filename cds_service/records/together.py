"""Calls of several threads that are to be kept at the same moment share one commit, and its one sync to the disk."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from cds_service.records.record import CallRecord, RecordsUnavailable, RecordUnstorable

#: Seconds that a call waits for others to come, while calls come several at a time: a commit costs as much for eight as for two.
GATHERING = 0.01

_Write = Callable[[Sequence[CallRecord]], None]


class TurnMissed(RecordsUnavailable):
    """The threads before this one were still writing when its patience ended; nothing of its call was written."""


class _Waiting:
    """A call that a thread waits for: it is told when that is done (``error`` says why not), or when it is to write."""

    __slots__ = ("call", "error", "is_told", "may_write")

    def __init__(self, call: CallRecord) -> None:
        self.call = call
        self.may_write = False
        #: Until it is known to be kept: whatever stops the thread that writes, nobody must take a call for kept.
        self.error: RecordsUnavailable | None = RecordsUnavailable("the writing thread failed")
        #: Held until there is something to tell.
        self.is_told = threading.Lock()
        self.is_told.acquire()


class TogetherWriter:
    """Writes one call for each thread that asks, and whatever other threads brought while it waited for its turn.

    A thread waits ``patience`` seconds for those before it. For SQLite, which writes one transaction at
    a time; a server does the like by itself.
    """

    def __init__(self, write: _Write, patience: float) -> None:
        self._write, self._patience = write, patience
        self._lock = threading.Lock()
        self._is_writing = False
        self._brought: list[_Waiting] = []
        #: How many came together of late, and whether as many are there again.
        self._usual, self._as_usual = 1, threading.Event()

    def write(self, call: CallRecord) -> None:
        """Keep ``call`` for good before this returns. Raises RecordsUnavailable (TurnMissed), RecordUnstorable."""
        waiting = _Waiting(call)
        with self._lock:
            self._brought.append(waiting)
            if len(self._brought) == self._usual:
                self._as_usual.set()
            if not self._is_writing:
                self._is_writing = waiting.may_write = True
        if not waiting.may_write:
            self._wait(waiting)
        if waiting.may_write:
            self._write_what_was_brought()
        if waiting.error is not None:
            raise waiting.error

    def _wait(self, waiting: _Waiting) -> None:
        if waiting.is_told.acquire(timeout=self._patience):
            return
        with self._lock:
            if waiting.may_write:
                return
            if waiting in self._brought:
                self._brought.remove(waiting)
                raise TurnMissed("other threads are still writing")
        # It is being written now: whether that succeeds must be known before anything is said.
        waiting.is_told.acquire()

    def _write_what_was_brought(self) -> None:
        together: list[_Waiting] = []
        try:
            if len(self._brought) < self._usual:
                self._as_usual.wait(GATHERING)
            with self._lock:
                together, self._brought = self._brought, []
                self._usual = max(len(together), self._usual - 1)
                self._as_usual.clear()
            self._write_all(together)
        finally:
            with self._lock:
                if self._brought:
                    self._brought[0].may_write = True
                    self._brought[0].is_told.release()
                else:
                    self._is_writing = False
            for waiting in together:
                if not waiting.may_write:
                    waiting.is_told.release()

    def _write_all(self, together: Sequence[_Waiting]) -> None:
        try:
            self._write([waiting.call for waiting in together])
            for waiting in together:
                waiting.error = None
        except RecordUnstorable as error:
            if len(together) == 1:
                together[0].error = error
            else:
                for waiting in together:
                    self._write_all([waiting])
        except RecordsUnavailable as error:
            for waiting in together:
                waiting.error = error

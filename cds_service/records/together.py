"""Calls of several threads that are to be kept at the same moment share one commit, and its one sync to the disk."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from cds_service.records.record import CallRecord, RecordsUnavailable, RecordUnstorable

_Write = Callable[[Sequence[CallRecord]], None]


class _Waiting:
    """A call that a thread waits for; ``error`` says why it was not kept."""

    __slots__ = ("call", "error", "is_done")

    def __init__(self, call: CallRecord) -> None:
        self.call = call
        self.is_done = False
        self.error: RecordsUnavailable | None = None


class TogetherWriter:
    """Writes one call for each thread that asks, and whatever other threads brought while it waited for its turn.

    A thread waits ``patience`` seconds for those before it. For SQLite, which writes one transaction at
    a time; a server does the like by itself.
    """

    def __init__(self, write: _Write, patience: float) -> None:
        self._write, self._patience = write, patience
        self._turn = threading.Lock()
        self._brought: list[_Waiting] = []
        self._bringing = threading.Lock()

    def write(self, call: CallRecord) -> None:
        """Keep ``call`` for good before this returns. Raises RecordsUnavailable, RecordUnstorable."""
        waiting = _Waiting(call)
        with self._bringing:
            self._brought.append(waiting)
        if not self._turn.acquire(timeout=self._patience):
            with self._bringing:
                if waiting in self._brought:
                    self._brought.remove(waiting)
                    raise RecordsUnavailable("other threads are still writing")
            # It is being written now: whether that succeeds must be known before anything is said.
            self._turn.acquire()
        try:
            # Another thread may have written it together with its own, in the turn before.
            if not waiting.is_done:
                with self._bringing:
                    together, self._brought = self._brought, []
                self._write_all(together)
        finally:
            self._turn.release()
        if waiting.error is not None:
            raise waiting.error

    def _write_all(self, together: Sequence[_Waiting]) -> None:
        try:
            self._write([waiting.call for waiting in together])
        except RecordUnstorable as error:
            if len(together) == 1:
                together[0].error = error
            else:
                for waiting in together:
                    self._write_all([waiting])
        except RecordsUnavailable as error:
            for waiting in together:
                waiting.error = error
        except BaseException:
            for waiting in together:
                waiting.error = RecordsUnavailable("the writing thread failed")
            raise
        finally:
            for waiting in together:
                waiting.is_done = True

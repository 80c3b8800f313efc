"""The places for fetches under way, so that one slow FHIR server takes no more than its share of the threads."""

from __future__ import annotations

import threading


class Slots:
    """How many fetches may be under way: ``total`` over all servers, three quarters of them on one, half of them sent to it.

    ``patience``: seconds that an admitted fetch waits to be sent. Safe among threads.
    """

    def __init__(self, total: int, patience: float) -> None:
        self._total, self._patience = total, patience
        self._under_way = threading.BoundedSemaphore(total)
        self._of_origin: dict[str, tuple[threading.BoundedSemaphore, threading.BoundedSemaphore]] = {}
        self._lock = threading.Lock()

    def acquire(self, origin: str) -> bool:
        """Take a place for ``origin``, waiting a little where others are asking it; False if there is none."""
        admitted, sent = self._places(origin)
        if not self._under_way.acquire(blocking=False):
            return False
        if admitted.acquire(blocking=False):
            if sent.acquire(timeout=self._patience):
                return True
            admitted.release()
        self._under_way.release()
        return False

    def release(self, origin: str) -> None:
        """Give the place back."""
        for places in (*reversed(self._places(origin)), self._under_way):
            places.release()

    def _places(self, origin: str) -> tuple[threading.BoundedSemaphore, threading.BoundedSemaphore]:
        """Those admitted and those sent. Origins are the operator's, so they are few."""
        with self._lock:
            if origin not in self._of_origin:
                few, most = max(1, self._total // 2), max(1, self._total * 3 // 4)
                self._of_origin[origin] = (threading.BoundedSemaphore(most), threading.BoundedSemaphore(few))
            return self._of_origin[origin]

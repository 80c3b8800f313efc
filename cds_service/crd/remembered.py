"""What was worked out before, under digests: for values that cost much and come again, as a patient's coverage does."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock
from typing import Generic, TypeVar

_Value = TypeVar("_Value")


class Remembered(Generic[_Value]):
    """Up to ``most`` values, of which the one not asked for longest is forgotten first. Threads may share it.

    A digest names nobody, and no value may.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._values: OrderedDict[bytes, _Value] = OrderedDict()
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._values)

    def get(self, digest: bytes) -> _Value | None:
        """The value kept under ``digest``, or None."""
        with self._lock:
            value = self._values.get(digest)
            if value is not None:
                self._values.move_to_end(digest)
            return value

    def keep(self, digest: bytes, value: _Value) -> None:
        """Keep ``value`` under ``digest``."""
        with self._lock:
            self._values[digest] = value
            while len(self._values) > self.most:
                self._values.popitem(last=False)

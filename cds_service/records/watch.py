"""Cuts connections to a server that no longer answers.

Where the machine between acknowledges what we send and forwards nothing, no timeout of the server or of TCP ends the wait.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from contextlib import suppress
from typing import Any

#: Seconds between two looks.
_TICK = 0.25


class Watch:
    """Knows which connections wait for the server until when, and shuts the socket of one that waits longer.

    Its driver then raises, in the thread that waited. A thread of its own looks, since any other may be waiting itself.
    """

    def __init__(self) -> None:
        self._until: dict[Any, float] = {}
        # Held while a socket is shut: it must not be closed, and its number given to another, in that moment.
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def begin(self, connection: Any, seconds: float) -> None:
        """From now on ``connection`` waits, at most ``seconds``."""
        with self._lock:
            self._until[connection] = time.monotonic() + seconds
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="records-watch", daemon=True)
                self._thread.start()

    def end(self, connection: Any) -> bool:
        """``connection`` waits no more; has it been cut? To be called before it is closed."""
        with self._lock:
            return self._until.pop(connection, None) is None

    def close(self) -> None:
        """End the thread."""
        self._ended.set()

    def _run(self) -> None:
        while not self._ended.wait(_TICK):
            with self._lock:
                now = time.monotonic()
                for connection in [each for each, until in self._until.items() if until < now]:
                    del self._until[connection]
                    _shut(connection)


def _shut(connection: Any) -> None:
    with suppress(Exception), socket.socket(fileno=os.dup(connection.fileno())) as same:
        same.shutdown(socket.SHUT_RDWR)

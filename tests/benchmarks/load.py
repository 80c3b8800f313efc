"""Drives one server over loopback for a bounded time and measures what it took: one thread, so that it costs little itself."""

from __future__ import annotations

import os
import re
import selectors
import socket
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_CLOSE = re.compile(rb"\r\nconnection: *close", re.IGNORECASE)


@dataclass(frozen=True)
class Load:
    """What came of one round. ``latencies`` in seconds; ``cpu`` the server's CPU seconds; ``statuses`` how many of each."""

    latencies: tuple[float, ...]
    seconds: float
    cpu: float
    statuses: Counter[int]

    @property
    def errors(self) -> int:
        """Answers other than 200."""
        return self.statuses.total() - self.statuses[200]

    @property
    def rate(self) -> float:
        return len(self.latencies) / self.seconds

    @property
    def cpu_each(self) -> float:
        """CPU microseconds a request."""
        return 1e6 * self.cpu / max(len(self.latencies), 1)

    def percentile(self, share: float) -> float:
        """In milliseconds."""
        ordered = sorted(self.latencies)
        return 1000 * ordered[min(int(share * len(ordered)), len(ordered) - 1)]


class _Connection:
    """One connection with one request under way; a server that closes after its answer gets a new one."""

    def __init__(self, port: int, selector: selectors.BaseSelector) -> None:
        self.port, self.selector = port, selector
        self.socket: socket.socket | None = None
        self.received = b""
        self.sent_at = 0.0

    def send(self, request: bytes) -> None:
        self.sent_at = time.perf_counter()
        if self.socket is None:
            self.socket = socket.create_connection(("127.0.0.1", self.port), 10)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.selector.register(self.socket, selectors.EVENT_READ, self)
        self.received = b""
        self.socket.sendall(request)

    def read(self) -> int | None:
        """The status once the whole answer is there, else None."""
        assert self.socket is not None
        data = self.socket.recv(262144)
        self.received += data
        head, end, body = self.received.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if data and not (end and length and len(body) >= int(length[1])):
            return None
        if not data or _CLOSE.search(head):
            self.close()
        return int(self.received[9:12] or 0) if end else 0

    def close(self) -> None:
        if self.socket is not None:
            self.selector.unregister(self.socket)
            self.socket.close()
            self.socket = None


def drive(port: int, pid: int, requests: Iterator[bytes], *, seconds: float, connections: int = 8) -> Load:
    """Send ``requests`` one after another on ``connections`` connections for ``seconds``, or until there are no more."""
    selector = selectors.DefaultSelector()
    latencies: list[float] = []
    statuses: Counter[int] = Counter()
    cpu, start = cpu_of(pid), time.perf_counter()
    busy = 0
    for connection in [_Connection(port, selector) for _ in range(connections)]:
        connection.send(next(requests))
        busy += 1
    while busy:
        for key, _ in selector.select(10) or _stuck(port):
            connection = key.data
            status = connection.read()
            if status is None:
                continue
            now = time.perf_counter()
            latencies.append(now - connection.sent_at)
            statuses[status] += 1
            request = next(requests, None) if now - start < seconds else None
            if request is None:
                connection.close()
                busy -= 1
            else:
                connection.send(request)
    return Load(tuple(latencies), time.perf_counter() - start, cpu_of(pid) - cpu, statuses)


def _stuck(port: int) -> list[tuple[selectors.SelectorKey, int]]:
    raise TimeoutError(f"the server on port {port} has not answered for 10 seconds")


def processes(pid: int) -> list[int]:
    """``pid`` and all that descend from it, those that have ended left out."""
    found, waiting = [], [pid]
    while waiting:
        each = waiting.pop()
        found.append(each)
        try:
            for thread in Path(f"/proc/{each}/task").iterdir():
                waiting += [int(child) for child in (thread / "children").read_text().split()]
        except OSError:
            continue
    return found


def cpu_of(pid: int) -> float:
    """CPU seconds that ``pid`` and its descendants have used."""
    ticks = 0
    for each in processes(pid):
        try:
            fields = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def memory_of(pid: int) -> list[int]:
    """Resident MiB of each descendant of ``pid``, that is of its workers."""
    sizes = []
    for each in processes(pid)[1:]:
        try:
            pages = int(Path(f"/proc/{each}/statm").read_text().split()[1])
        except OSError:
            continue
        sizes.append(pages * os.sysconf("SC_PAGE_SIZE") // 2**20)
    return sizes

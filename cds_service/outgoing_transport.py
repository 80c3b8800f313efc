"""Sockets that obey a guard: requests and urllib3 over addresses already checked, under one deadline and a byte cap.

The deadline is set on the socket anew before every read, so that neither headers nor a body that drip in, byte by byte,
outlive it.
"""

from __future__ import annotations

import functools
import http.client
import io
import socket
import ssl
from collections.abc import Collection
from typing import Any

import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection

from cds_service.outgoing_address import Deadline, OutgoingError, Resolve, Target, checked_addresses

#: Bytes asked of the socket at a time.
CHUNK = 64 * 1024


class Guard:
    """What one session's sockets obey: the checked addresses, the deadline, and a cap on the bytes on the wire."""

    def __init__(
        self, target: Target, private_hosts: Collection[str], resolve: Resolve, deadline: Deadline, max_bytes: int
    ) -> None:
        self._port = target.port
        self._find = functools.partial(checked_addresses, target, private_hosts, resolve, deadline)
        self._addresses: tuple[str, ...] = ()
        self._deadline = deadline
        # Headers, chunk sizes and trailers come on top of the body; http.client does not bound all of them.
        self._allowance = 2 * max_bytes + CHUNK
        self._bytes = 0

    def begin(self) -> None:
        """Get ready for one request, with its own allowance of bytes; the first one resolves the host. Raises OutgoingError."""
        self._addresses = self._addresses or self._find()
        self._bytes = 0

    def connect(self) -> socket.socket:
        """A socket on the first checked address that takes one. Raises the last OSError, and OutgoingError at the deadline."""
        failure: OSError = OSError()
        for index, address in enumerate(self._addresses):
            # An address that swallows packets must not use up the time of those after it.
            share = self._deadline.left() / (len(self._addresses) - index)
            try:
                sock = socket.create_connection((address, self._port), timeout=share)
            except OSError as error:
                failure = error
                continue
            try:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                sock.settimeout(self._deadline.left())
            except BaseException:
                sock.close()
                raise
            return sock
        raise failure

    def receive(self, sock: socket.socket, raw: Any, buffer: Any) -> int:
        """One read of the socket. Its timeout is what is left, so that bytes that drip in do not prolong the call."""
        sock.settimeout(self._deadline.left())
        count = int(raw.readinto(buffer) or 0)
        self._bytes += count
        if self._bytes > self._allowance:
            raise OutgoingError("too-large")
        return count


class _Raw(io.RawIOBase):
    def __init__(self, sock: socket.socket, raw: Any, guard: Guard) -> None:
        super().__init__()
        self._sock, self._raw, self._guard = sock, raw, guard

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self._guard.receive(self._sock, self._raw, buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _GuardedResponse(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, guard: Guard, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp = io.BufferedReader(_Raw(sock, self.fp.detach(), guard))


class _GuardedConnection(HTTPConnection):
    def __init__(self, *args: Any, guard: Guard, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._guard = guard
        self.response_class = functools.partial(_GuardedResponse, guard=guard)  # type: ignore[assignment]

    def _new_conn(self) -> socket.socket:
        return self._guard.connect()


class _GuardedTlsConnection(_GuardedConnection, HTTPSConnection):
    """The same over TLS; SNI and certificate check use the host's name, which the pool knows."""


class GuardedAdapter(HTTPAdapter):
    """requests' way of sending, over one pool that ``guard`` rules."""

    def __init__(self, target: Target, guard: Guard, tls: ssl.SSLContext) -> None:
        super().__init__()
        self._pool: urllib3.HTTPConnectionPool
        if target.scheme == "https":
            self._pool = urllib3.HTTPSConnectionPool(target.host, target.port, maxsize=1, ssl_context=tls)
            self._pool.ConnectionCls = functools.partial(_GuardedTlsConnection, guard=guard)  # type: ignore[assignment]
        else:
            self._pool = urllib3.HTTPConnectionPool(target.host, target.port, maxsize=1)
            self._pool.ConnectionCls = functools.partial(_GuardedConnection, guard=guard)  # type: ignore[assignment]

    def get_connection_with_tls_context(self, *_: Any, **__: Any) -> urllib3.HTTPConnectionPool:
        """The one pool: whatever the URL says, the connection goes to the addresses that were checked."""
        return self._pool

    def cert_verify(self, *_: Any, **__: Any) -> None:
        """The pool's TLS context verifies; requests would load certifi's roots again for each connection."""

    def close(self) -> None:
        """Close the connection."""
        self._pool.close()
        super().close()

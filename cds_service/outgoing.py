"""The one guarded way out: every call this service makes to another machine goes through here.

A call goes to an allowed origin only, over https (plain http to loopback hosts only). The host's name is resolved once,
each address is checked (``outgoing_address``), and the connection goes to the checked address, with TLS still verified
against the name: a second, different DNS answer is never asked for. No redirects, cookies, proxies or ``.netrc``, since
no ``requests.Session`` is used; no compressed answers; a byte cap and one deadline over everything.

Certificates are checked against the operating system's roots (``SSL_CERT_FILE`` is honoured) and certifi's.
"""

from __future__ import annotations

import functools
import http.client
import logging
import ssl
import time
from collections.abc import Collection, Mapping

import certifi
import requests
import urllib3

from cds_service.outgoing_address import Clock, Deadline, OutgoingError, Resolve, parse_target, system_resolve
from cds_service.outgoing_transport import CHUNK, Guard, GuardedAdapter

__all__ = ["GuardedSession", "OutgoingError", "guarded_get"]

# urllib3 writes whole URLs, and a broken answer's headers, to its log at DEBUG and WARNING. A FHIR search's URL names a
# patient, and a hostile server can echo the token in a header.
for _name in ("urllib3.connectionpool", "urllib3.connection"):
    logging.getLogger(_name).setLevel(logging.CRITICAL + 1)


@functools.cache
def default_tls() -> ssl.SSLContext:
    """The TLS settings of every outgoing call: TLS 1.2 or later, certificate and host name verified."""
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context


class GuardedSession:
    """Calls to one origin under one deadline, which begins when this is made. Not for several threads; close it.

    ``allow_origins`` are exact origins as ``settings.checked_origin`` writes them; ``max_bytes`` caps each answer's body.
    Raises OutgoingError: ``refused`` at once if ``url`` is not of an allowed origin.
    """

    def __init__(
        self,
        url: str,
        *,
        allow_origins: Collection[str],
        private_hosts: Collection[str] = (),
        timeout: float,
        max_bytes: int,
        resolve: Resolve = system_resolve,
        now: Clock = time.monotonic,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._target = parse_target(url)
        if self._target.origin not in allow_origins:
            raise OutgoingError("refused")
        self._deadline = Deadline(timeout, now)
        self._max_bytes = max_bytes
        self._guard = Guard(self._target, private_hosts, resolve, self._deadline, max_bytes)
        self._adapter = GuardedAdapter(self._target, self._guard, tls or default_tls())

    def get(self, url: str, headers: Mapping[str, str]) -> bytes:
        """GET ``url``, of this session's origin, and return the body of its 200 answer. Raises OutgoingError."""
        if parse_target(url).origin != self._target.origin:
            raise OutgoingError("refused")
        sent = {"User-Agent": "cds-service", **headers, "Accept-Encoding": "identity"}
        try:
            prepared = requests.Request("GET", url, headers=sent).prepare()
            self._guard.begin()
            answer = self._adapter.send(prepared, stream=True, timeout=self._deadline.left())
            try:
                return self._body(answer)
            finally:
                answer.close()
        except (requests.Timeout, urllib3.exceptions.TimeoutError, TimeoutError):
            raise OutgoingError("timeout") from None
        # ValueError: requests' and http.client's refusals of odd URLs, headers and chunk sizes.
        except (requests.RequestException, urllib3.exceptions.HTTPError, http.client.HTTPException, OSError, ValueError):
            self._deadline.left()
            raise OutgoingError("network") from None

    def _body(self, answer: requests.Response) -> bytes:
        if answer.status_code != 200:
            raise OutgoingError("status", answer.status_code)
        if answer.headers.get("Content-Encoding", "identity").strip().lower() not in ("", "identity"):
            raise OutgoingError("encoding")
        announced = answer.headers.get("Content-Length", "")
        if announced.isdecimal() and (len(announced) > 15 or int(announced) > self._max_bytes):
            raise OutgoingError("too-large")
        body = bytearray()
        for chunk in answer.raw.stream(CHUNK, decode_content=False):
            self._deadline.left()
            body += chunk
            if len(body) > self._max_bytes:
                raise OutgoingError("too-large")
        return bytes(body)

    def close(self) -> None:
        """Close the connection."""
        self._adapter.close()


def guarded_get(
    url: str,
    *,
    headers: Mapping[str, str],
    allow_origins: Collection[str],
    private_hosts: Collection[str] = (),
    timeout: float,
    max_bytes: int,
    resolve: Resolve = system_resolve,
    now: Clock = time.monotonic,
    tls: ssl.SSLContext | None = None,
) -> bytes:
    """GET ``url`` once, within ``timeout`` seconds in all. Raises OutgoingError. See ``GuardedSession``."""
    session = GuardedSession(
        url,
        allow_origins=allow_origins,
        private_hosts=private_hosts,
        timeout=timeout,
        max_bytes=max_bytes,
        resolve=resolve,
        now=now,
        tls=tls,
    )
    try:
        return session.get(url, headers)
    finally:
        session.close()

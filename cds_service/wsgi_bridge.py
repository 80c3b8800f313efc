"""Runs a WSGI application behind granian's asynchronous interface (RSGI), so that slow clients hold no thread.

granian's own WSGI interface calls the application before the body has come in, and a thread then waits for each slow
sender, without a limit. Here the body is awaited first, within ``BODY_SECONDS``, and a thread gets the whole request. Measured
in ``docs/operations.md``.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import sys
import threading
from collections.abc import Callable, Iterable
from queue import SimpleQueue
from typing import Any

#: Threads of one worker that run the application. A call that fetches nothing holds one for about a millisecond; at most 24
#: are held by calls that fetch (``FhirClient``), each for at most CDS_SERVICE_FETCH_BUDGET seconds. An idle one costs nothing.
THREADS = 40

#: Seconds in which a request's whole body must have come in.
BODY_SECONDS = 10.0

#: Bytes of larger bodies that one worker holds in memory, from their first byte until they are answered.
HELD = 256 * 1024 * 1024
_SMALL = 64 * 1024

Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
_Answer = tuple[int, list[tuple[str, str]], bytes]


class WsgiBridge:
    """The RSGI application that runs ``wsgi``; one per worker process.

    ``max_body`` is in bytes: of a longer body the application sees its length and at most that much. ``on_start`` is called
    once the event loop runs, ``on_stop`` when the worker stops, after the last answer has left. ``refusal`` renders the answer
    to a request that does not reach the application, from its status and a sentence. ``is_worth_reading`` tells from a
    request's environ whether to hold a large body; the application must answer without it where not.
    """

    def __init__(
        self,
        wsgi: Wsgi,
        *,
        max_body: int,
        refusal: Callable[[int, str], bytes],
        on_start: Callable[[], None] = lambda: None,
        on_stop: Callable[[], None] = lambda: None,
        is_worth_reading: Callable[[dict[str, Any]], bool] = lambda _environ: True,
    ) -> None:
        self._wsgi = wsgi
        self._max_body = max_body
        self._refusal = refusal
        self._is_worth_reading = is_worth_reading
        self._on_start = on_start
        self._on_stop = on_stop
        self._held = 0
        self._receiving: dict[asyncio.Task[Any], float] = {}
        self._work: SimpleQueue[tuple[dict[str, Any], asyncio.Future[_Answer]] | None] = SimpleQueue()
        self._threads = [threading.Thread(target=self._run, name=f"calls-{n}", daemon=True) for n in range(THREADS)]

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        for thread in self._threads:
            thread.start()
        loop.call_soon(self._on_start)
        self._stop_overdue()

    def _stop_overdue(self) -> None:
        """Stop requests whose bodies take too long; once a second, since a timer for each would cost some microseconds."""
        overdue = self._loop.time() - BODY_SECONDS
        for task, since in self._receiving.items():
            if since < overdue:
                task.cancel()
        self._loop.call_later(1, self._stop_overdue)

    def __rsgi_del__(self, loop: asyncio.AbstractEventLoop) -> None:
        for _ in self._threads:
            self._work.put(None)
        for thread in self._threads:
            thread.join()
        self._on_stop()

    async def __rsgi__(self, scope: Any, proto: Any) -> None:
        held = 0
        try:
            environ = _environ(scope)
            body = await self._body(environ, proto)
            held = len(body) if len(body) > _SMALL else 0
            self._held += held  # it may wait for a thread, behind many others
            environ["wsgi.input"] = io.BytesIO(body)
            future: asyncio.Future[_Answer] = self._loop.create_future()
            self._work.put((environ, future))
            answer = await future
        except _Refused as refused:
            answer = self._refuse(refused.status, refused.message)
        except Exception:  # granian writes the text of what is raised here to its log, and there may be patient data in it
            answer = self._refuse(400, "The request could not be read.")
        finally:
            self._held -= held
        with contextlib.suppress(Exception):  # the client has gone
            proto.response_bytes(*answer)

    async def _body(self, environ: dict[str, Any], proto: Any) -> bytes:
        """The request's body, of a longer one than ``max_body`` one byte more; sets CONTENT_LENGTH to what the sender sent."""
        length = environ.get("CONTENT_LENGTH")
        if length is None and "HTTP_TRANSFER_ENCODING" not in environ:
            return b""
        declared = int(length) if length is not None else None
        if declared is not None and declared > self._max_body:
            return b""  # the application refuses it by its length
        task = asyncio.current_task(self._loop)
        assert task is not None
        self._receiving[task] = self._loop.time()
        try:
            if declared is not None and declared <= _SMALL:
                return bytes(await proto())
            if not self._is_worth_reading(environ):
                await self._pass_over(proto)
                return b""
            body = await self._large_body(proto)
        except asyncio.CancelledError:
            raise _Refused(408, f"The request's body did not come in within {BODY_SECONDS:.0f} seconds.") from None
        finally:
            del self._receiving[task]
        environ["CONTENT_LENGTH"] = str(len(body))
        return body

    async def _pass_over(self, proto: Any) -> None:
        """Take a body in and hold none of it: closed in mid-body, a connection breaks under the client's next request."""
        size = 0
        async for chunk in proto:
            size += len(chunk)
            if size > self._max_body:
                return

    async def _large_body(self, proto: Any) -> bytes:
        chunks: list[bytes] = []
        size = 0
        try:
            async for chunk in proto:
                chunks.append(chunk)
                size += len(chunk)
                self._held += len(chunk)
                if size > self._max_body:
                    return b"".join(chunks)[: self._max_body + 1]
                if self._held > HELD:
                    raise _Refused(503, "The service is receiving too much at once. Send the request again.")
            return b"".join(chunks)
        finally:
            self._held -= size

    def _run(self) -> None:
        while (work := self._work.get()) is not None:
            environ, future = work
            try:
                answer = self._call(environ)
            except Exception:  # whatever the application let through: it has logged it
                answer = self._refuse(500, "The service failed on this request. Other requests are served.")
            self._loop.call_soon_threadsafe(_settle, future, answer)
            del work, environ, future, answer  # a thread that waits must not hold the last body it saw

    def _call(self, environ: dict[str, Any]) -> _Answer:
        status, headers = 500, list[tuple[str, str]]()

        def start_response(line: str, sent: list[tuple[str, str]], _error: Any = None) -> Callable[[bytes], object]:
            nonlocal status, headers
            status, headers = int(line[:3]), sent
            return _no_write

        chunks = self._wsgi(environ, start_response)
        try:
            body = b"".join(chunks)
        finally:
            close = getattr(chunks, "close", None)
            if close is not None:
                close()
        return status, headers, body

    def _refuse(self, status: int, message: str) -> _Answer:
        headers = [("content-type", "application/json"), ("connection", "close")]
        return status, headers, self._refusal(status, message)


class _Refused(Exception):
    """A request that does not reach the application."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def _no_write(_data: bytes) -> object:
    raise NotImplementedError("the application must return its body (PEP 3333 discourages write)")


def _settle(future: asyncio.Future[_Answer], answer: _Answer) -> None:
    if not future.done():
        future.set_result(answer)


_ENVIRON = {
    "SCRIPT_NAME": "",
    "SERVER_SOFTWARE": "granian",
    "wsgi.version": (1, 0),
    "wsgi.errors": sys.stderr,
    "wsgi.input_terminated": True,
    "wsgi.multithread": True,
    "wsgi.multiprocess": True,
    "wsgi.run_once": False,
}


#: The environ's keys of the headers that clients usually send.
_KEYS = {
    name: "HTTP_" + name.upper().replace("-", "_")
    for name in ("host", "accept", "accept-encoding", "authorization", "connection", "origin", "user-agent", "x-request-id")
}


def _environ(scope: Any) -> dict[str, Any]:
    """PEP 3333's environ of a request, all but its body. Raises _Refused."""
    host, _, port = scope.server.rpartition(":")
    environ = {
        **_ENVIRON,
        "REQUEST_METHOD": scope.method,
        # granian has decoded it as UTF-8; PEP 3333 wants the bytes as latin-1.
        "PATH_INFO": scope.path.encode().decode("latin-1"),
        "QUERY_STRING": scope.query_string,
        "SERVER_PROTOCOL": f"HTTP/{scope.http_version}",
        "SERVER_NAME": host,
        "SERVER_PORT": port,
        "REMOTE_ADDR": scope.client.rpartition(":")[0],
        "wsgi.url_scheme": scope.scheme,
    }
    for name, value in scope.headers.items():
        if name == "content-type":
            environ["CONTENT_TYPE"] = value
        elif name == "content-length":
            if environ.get("CONTENT_LENGTH", value) != value:
                raise _Refused(400, "The request has more than one length.")
            environ["CONTENT_LENGTH"] = value
        elif "_" not in name:  # X_Forwarded_For would pass for X-Forwarded-For
            key = _KEYS.get(name) or "HTTP_" + name.upper().replace("-", "_")
            environ[key] = f"{environ[key]},{value}" if key in environ else value
    return environ

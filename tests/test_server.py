"""The production server: slow clients, stopping, dying workers, and the bridge from granian to the application."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cds_service import server, wsgi_bridge
from cds_service.records import open_store
from cds_service.settings import load_settings
from cds_service.wsgi_bridge import WsgiBridge
from tests.benchmarks.load import memory_of
from tests.served import AFTER, NOT_OURS, SIGN, Served, serving, until

pytestmark = pytest.mark.slow  # starts and stops real servers

HEAD = f"POST {SIGN} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("served"), workers=2) as found:
        yield found


def test_the_line_that_the_start_prints_answers_a_card(served: Served) -> None:
    (line,) = [line for line in served.said.splitlines() if "curl" in line]
    words = shlex.split(line[line.index("curl") :])
    assert words[-1] == f"http://127.0.0.1:{served.port}{SIGN}"
    status, body = served.ask(body=Path(words[words.index("-d") + 1].removeprefix("@")).read_bytes())
    assert status == 200
    assert "MR neurography" in json.loads(body)["cards"][0]["summary"]


@pytest.mark.parametrize(
    ("first", "more"),
    [
        pytest.param(b"", b"", id="idle connections"),
        pytest.param(b"POST / HTTP/1.1\r\nHost: x\r\n", b"X: y\r\n", id="slow headers"),
        pytest.param(f"{HEAD}Content-Length: 5000\r\n\r\n{{".encode(), b" ", id="slow bodies"),
        pytest.param(f"{HEAD}Transfer-Encoding: chunked\r\n\r\n1\r\n{{\r\n".encode(), b"1\r\n \r\n", id="slow chunks"),
    ],
)
def test_forty_slow_clients_do_not_keep_normal_requests_out(served: Served, first: bytes, more: bytes) -> None:
    slow = [served.connect() for _ in range(40)]
    try:
        for connection in slow:
            connection.sendall(first)
        for _ in range(5):
            for connection in slow:
                connection.sendall(more)
            started = time.monotonic()
            assert served.ask()[0] == 200
            assert time.monotonic() - started < 2
    finally:
        for connection in slow:
            connection.close()


def test_a_worker_takes_less_than_120_mb(served: Served) -> None:
    for _ in range(20):
        assert served.ask()[0] == 200
    assert memory_of(served.process.pid)
    assert max(memory_of(served.process.pid)) < 120


@pytest.mark.parametrize(
    ("request_text", "status"),
    [
        (f"{HEAD}Content-Length: 3\r\nContent-Length: 4\r\n\r\n{{}} ", 400),
        (f"{HEAD}Content-Length: +3\r\n\r\n{{}} ", 400),
        (f"{HEAD}Content-Length: 99999999\r\n\r\n{{", 413),
        (f"{HEAD}Transfer-Encoding: chunked\r\n\r\nzz\r\n{{}}\r\n0\r\n\r\n", 400),
        ("HEAD /cds-services HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", 200),
        ("GET /cds-services HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n", 200),
        ("GET /caf%C3%A9%FF HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", 404),
    ],
)
def test_odd_requests_get_their_status_and_the_next_request_is_served(served: Served, request_text: str, status: int) -> None:
    with served.connect() as connection:
        connection.sendall(request_text.encode())
        assert int(connection.recv(65536)[9:12]) == status
    assert served.ask("GET", "/health/live")[0] == 200


def test_a_chunked_body_is_read_whole(served: Served) -> None:
    with served.connect() as connection:
        connection.sendall(f"{HEAD}Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
        for start in range(0, len(AFTER), 1000):
            chunk = AFTER[start : start + 1000]
            connection.sendall(b"%x\r\n%s\r\n" % (len(chunk), chunk))
        connection.sendall(b"0\r\n\r\n")
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert b"MR neurography" in answer


def test_a_killed_worker_is_replaced_also_when_it_happens_again_and_again(tmp_path: Path) -> None:
    with serving(tmp_path, workers=1) as served:
        for _ in range(3):
            (worker,) = served.workers()
            os.kill(worker, signal.SIGKILL)
            until(lambda gone=worker: gone not in served.workers() and answers(served), "a new worker", seconds=20)


def answers(served: Served) -> bool:
    try:
        return served.ask()[0] == 200
    except OSError:
        return False


def test_stopping_finishes_the_answers_in_progress_and_keeps_their_records(tmp_path: Path) -> None:
    with serving(tmp_path, workers=1) as served:
        assert served.ask(body=NOT_OURS)[0] == 200  # kept within a second, that is in the end by the stopping
        with served.connect() as connection:
            connection.sendall(f"{HEAD}Content-Length: {len(AFTER)}\r\n\r\n".encode() + AFTER[:100])
            time.sleep(0.3)
            served.process.send_signal(signal.SIGTERM)
            time.sleep(0.5)
            connection.sendall(AFTER[100:])
            answer = connection.recv(65536)
        assert answer.startswith(b"HTTP/1.1 200")
        assert served.process.wait(15) == 0
        store = open_store(load_settings(database_url=served.database_url))
        assert store.count(None, None) == 2
        store.close()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process that its parent died")
def test_when_the_parent_is_killed_its_workers_stop_in_order_and_the_service_can_be_started_again(tmp_path: Path) -> None:
    with serving(tmp_path, workers=2) as served:
        workers = served.workers()
        assert len(workers) == 2
        assert served.ask(body=NOT_OURS)[0] == 200  # kept within a second, that is in the end by the stopping
        served.process.kill()
        served.process.wait(5)
        until(lambda: not any(is_running(worker) for worker in workers), "the workers to end", seconds=5)
        store = open_store(load_settings(database_url=served.database_url))
        assert store.count(None, None) == 1
        store.close()
        with socket.socket() as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind(("127.0.0.1", served.port))
        with serving(tmp_path, workers=1, port=served.port) as again:
            assert answers(again)


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_port_that_is_taken_stops_the_start_with_a_cure(served: Served, tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "cds_service", "serve", "--port", str(served.port)],
        env={**os.environ, "CDS_SERVICE_DATABASE_URL": f"sqlite:///{tmp_path}/r.sqlite3"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 2
    assert ended.stderr.count("\n") == 1
    assert re.search(rf"127\.0\.0\.1:{served.port} cannot be listened on.*--port", ended.stderr)


class Proto:
    """What granian hands over for one request: a body that comes in as the test says, and a place for the answer."""

    def __init__(self, *chunks: bytes, stuck: bool = False) -> None:
        self.chunks, self.stuck = chunks, stuck
        self.answer: tuple[int, list[tuple[str, str]], bytes] | None = None

    async def __call__(self) -> bytes:
        return b"".join([chunk async for chunk in self])

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self.chunks:
            yield chunk
        if self.stuck:
            await asyncio.sleep(60)

    def response_bytes(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.answer = status, headers, body


class Scope:
    """The head of one request."""

    http_version, scheme, server, client = "1.1", "http", "127.0.0.1:8080", "127.0.0.1:5000"

    def __init__(self, *headers: tuple[str, str], path: str = "/", method: str = "POST") -> None:
        self.path, self.method, self.query_string = path, method, ""
        self.headers = dict(headers) if len(dict(headers)) == len(headers) else Several(headers)


class Several:
    """Headers of which some have the same name."""

    def __init__(self, pairs: tuple[tuple[str, str], ...]) -> None:
        self.items = lambda: pairs


def through_the_bridge(scope: Scope, proto: Proto, application: Callable[..., Any] | None = None, max_body: int = 1000) -> Any:
    """The environ that the application saw (None: it was not called), with its body; the answer is in ``proto``."""
    seen: dict[str, Any] = {}

    def note(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        seen.update(environ, body=environ["wsgi.input"].read())
        start_response("200 OK", [("content-type", "text/plain")])
        return [b"fine"]

    def refusal(status: int, sentence: str) -> bytes:
        return f"{status} {sentence}".encode()

    async def run() -> None:
        bridge = WsgiBridge(application or note, max_body=max_body, refusal=refusal)
        loop = asyncio.get_running_loop()
        bridge.__rsgi_init__(loop)
        await asyncio.create_task(bridge.__rsgi__(scope, proto))
        bridge.__rsgi_del__(loop)

    asyncio.run(run())
    return seen or None


def test_the_application_gets_the_whole_body_and_its_length() -> None:
    proto = Proto(b'{"a":', b"1}")
    seen = through_the_bridge(Scope(("content-length", "7"), ("content-type", "application/json")), proto)
    assert (seen["body"], seen["CONTENT_LENGTH"], seen["CONTENT_TYPE"]) == (b'{"a":1}', "7", "application/json")
    assert proto.answer == (200, [("content-type", "text/plain")], b"fine")


def test_a_body_that_does_not_come_in_time_is_answered_408(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wsgi_bridge, "BODY_SECONDS", 0.0)
    proto = Proto(b"{", stuck=True)
    assert through_the_bridge(Scope(("content-length", "7")), proto) is None
    assert proto.answer is not None
    assert proto.answer[0] == 408
    assert ("connection", "close") in proto.answer[1]


def test_of_a_longer_chunked_body_the_application_sees_that_it_is_too_long() -> None:
    seen = through_the_bridge(Scope(("transfer-encoding", "chunked")), Proto(b"x" * 600, b"x" * 600), max_body=1000)
    assert (len(seen["body"]), seen["CONTENT_LENGTH"]) == (1001, "1001")


def test_a_body_that_says_it_is_too_long_is_not_even_read() -> None:
    seen = through_the_bridge(Scope(("content-length", "1001")), Proto(stuck=True), max_body=1000)
    assert (seen["body"], seen["CONTENT_LENGTH"]) == (b"", "1001")


def test_too_much_at_once_is_refused_before_memory_runs_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wsgi_bridge, "HELD", 100)
    proto = Proto(b"x" * 60, b"x" * 60)
    assert through_the_bridge(Scope(("transfer-encoding", "chunked")), proto) is None
    assert proto.answer is not None
    assert proto.answer[0] == 503


def test_bodies_that_wait_for_a_thread_count_until_they_are_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wsgi_bridge, "HELD", 100)
    monkeypatch.setattr(wsgi_bridge, "_SMALL", 10)
    go_on = threading.Event()
    first, second, third = (Proto(b"x" * 60) for _ in range(3))

    def slow(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        go_on.wait(10)
        start_response("200 OK", [])
        return [b""]

    async def run() -> None:
        bridge = WsgiBridge(slow, max_body=1000, refusal=lambda status, sentence: b"")
        loop = asyncio.get_running_loop()
        bridge.__rsgi_init__(loop)
        waits = asyncio.create_task(bridge.__rsgi__(Scope(("content-length", "60")), first))
        await asyncio.sleep(0)
        await bridge.__rsgi__(Scope(("content-length", "60")), second)
        go_on.set()
        await waits
        await bridge.__rsgi__(Scope(("content-length", "60")), third)
        bridge.__rsgi_del__(loop)

    asyncio.run(run())
    assert [proto.answer and proto.answer[0] for proto in (first, second, third)] == [200, 503, 200]


@pytest.mark.parametrize("chunked", [False, True])
def test_of_a_call_without_a_token_no_body_is_held_and_the_connection_stays(chunked: bool) -> None:
    held: list[int] = []

    class Watched(Proto):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            for chunk in self.chunks:
                held.append(bridge._held)
                yield chunk

    seen: dict[str, Any] = {}

    def note(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        seen["body"] = environ["wsgi.input"].read()
        start_response("401 UNAUTHORIZED", [])
        return [b""]

    bridge = WsgiBridge(note, max_body=10**6, refusal=lambda status, sentence: b"", is_worth_reading=lambda environ: False)
    proto = Watched(*[b"x" * 50_000] * 4)
    scope = Scope(("transfer-encoding", "chunked")) if chunked else Scope(("content-length", "200000"))

    async def run() -> None:
        loop = asyncio.get_running_loop()
        bridge.__rsgi_init__(loop)
        await asyncio.create_task(bridge.__rsgi__(scope, proto))
        bridge.__rsgi_del__(loop)

    asyncio.run(run())
    assert held == [0, 0, 0, 0]  # taken in to the last chunk
    assert seen["body"] == b""
    assert proto.answer is not None
    assert proto.answer[0] == 401


def test_calls_without_a_token_leave_a_connection_in_use(tmp_path: Path) -> None:
    (tmp_path / "clients.toml").write_text(
        '[[client]]\nname = "A"\niss = "https://ehr.example.org"\njwks_url = "https://ehr.example.org/jwks"\n'
    )
    settings = {
        "CDS_SERVICE_MODE": "jwt",
        "CDS_SERVICE_CLIENTS": str(tmp_path / "clients.toml"),
        "CDS_SERVICE_PUBLIC_URL": "http://127.0.0.1",
    }
    with serving(tmp_path, **settings) as served:
        connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=5)
        for _ in range(20):
            connection.request("POST", SIGN, b"x" * 150_000, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            answer.read()
            assert answer.status == 401
        connection.close()


@pytest.mark.parametrize(
    ("host", "address", "url"),
    [
        ("0.0.0.0", "0.0.0.0", "http://127.0.0.1:8080"),
        ("::", "::", "http://127.0.0.1:8080"),
        ("localhost", "127.0.0.1", "http://localhost:8080"),
        ("::1", "::1", "http://[::1]:8080"),
    ],
)
def test_nobody_is_given_a_link_to_every_address(host: str, address: str, url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert server._own_url(host, address, 8080) == url
    assert ("CDS_SERVICE_PUBLIC_URL" in capsys.readouterr().err) is (host in ("0.0.0.0", "::"))


def test_a_header_with_an_underscore_does_not_pass_for_another() -> None:
    seen = through_the_bridge(Scope(("x_forwarded_for", "spoofed"), ("x-real", "a"), ("x-real", "b")), Proto())
    assert "HTTP_X_FORWARDED_FOR" not in seen
    assert seen["HTTP_X_REAL"] == "a,b"


def test_an_error_that_the_application_lets_through_is_a_500_without_its_words() -> None:
    def broken(_environ: Any, _start: Any) -> list[bytes]:
        raise ValueError("Marjorie Exampleton")

    proto = Proto()
    through_the_bridge(Scope(), proto, broken)
    assert proto.answer is not None
    assert proto.answer[0] == 500
    assert b"Exampleton" not in proto.answer[2]


def test_a_client_that_has_gone_harms_nothing() -> None:
    class Gone(Proto):
        async def __call__(self) -> bytes:
            raise ConnectionError

        def response_bytes(self, *_: Any) -> None:
            raise ConnectionError

    assert through_the_bridge(Scope(("content-length", "7")), Gone()) is None

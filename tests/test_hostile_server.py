"""Hostile clients at the socket of a service that really runs: after each of them the next good request is answered."""

from __future__ import annotations

import contextlib
import json
import random
import re
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.benchmarks.load import memory_of
from tests.served import AFTER, SIGN, Served, serving, until

pytestmark = pytest.mark.slow  # attacks a real server at its socket

HOST = b"Host: 127.0.0.1"
JSON = b"Content-Type: application/json"
CHUNKED = b"Transfer-Encoding: chunked"
SIGN_LINE = f"POST {SIGN} HTTP/1.1".encode()
END = b"0\r\n\r\n"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("hostile"), workers=1) as running:
        yield running


def head(*headers: bytes, line: bytes = SIGN_LINE) -> bytes:
    return b"\r\n".join((line, HOST, JSON, *headers)) + b"\r\n\r\n"


def good(body: bytes = AFTER) -> bytes:
    return head(b"Content-Length: %d" % len(body)) + body


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def bare(*lines: bytes, body: bytes = AFTER) -> bytes:
    """A request of these lines alone, with the length of its body."""
    return b"\r\n".join((*lines, b"Content-Length: %d" % len(body))) + b"\r\n\r\n" + body


def exchange(served: Served, sent: bytes, seconds: float = 3) -> bytes:
    """What the service says to ``sent``, until it closes or is silent; ``seconds`` until its first word."""
    said = b""
    with contextlib.closing(served.connect()) as sock, contextlib.suppress(OSError):
        sock.settimeout(seconds)
        with contextlib.suppress(OSError):  # it may refuse before all is sent
            sock.sendall(sent)
        while part := sock.recv(65536):
            said += part
            sock.settimeout(0.1)
    return said


def statuses(said: bytes) -> list[int]:
    return [int(status) for status in re.findall(rb"HTTP/1\.[01] (\d\d\d)", said) if status != b"100"]


def serves_the_next(served: Served) -> None:
    status, body = served.ask()
    assert status == 200
    assert len(json.loads(body)["cards"]) == 1


#: name -> what is sent, and the statuses that it may get; none: the connection is closed, or nothing is said.
REQUESTS: dict[str, tuple[bytes, set[int]]] = {
    # lengths that lie: what is refused is never read as another request
    "length and chunks": (head(b"Content-Length: 5", CHUNKED) + chunk(AFTER) + END, {200, 400}),
    "chunks and length": (head(CHUNKED, b"Content-Length: 5") + chunk(AFTER) + END, {200, 400}),
    "chunks twice": (head(CHUNKED, CHUNKED) + chunk(AFTER) + END, {200, 400}),
    "unknown coding": (head(b"Transfer-Encoding: xchunked") + chunk(AFTER) + END, {400}),
    "coding after chunks": (head(b"Transfer-Encoding: chunked, identity") + chunk(AFTER) + END, {400}),
    "coding with a control": (head(b"Transfer-Encoding: \x0bchunked") + END + good(), {400}),
    "coding with a blank": (head(b"Transfer-Encoding : chunked") + END + good(), {400}),
    "chunks in http 1.0": (head(CHUNKED, line=f"POST {SIGN} HTTP/1.0".encode()) + chunk(AFTER) + END, {400}),
    "two lengths": (head(b"Content-Length: 5", b"Content-Length: %d" % len(AFTER)) + AFTER, {400}),
    "list of lengths": (head(b"Content-Length: 5, 5") + b"12345", {400}),
    "negative length": (head(b"Content-Length: -5") + AFTER, {400}),
    "signed length": (head(b"Content-Length: +5") + b"12345", {400}),
    "hexadecimal length": (head(b"Content-Length: 0x10") + AFTER, {400}),
    "length of 20 digits": (head(b"Content-Length: 99999999999999999999") + AFTER, {400, 413, 431}),
    "length of 64 bits": (head(b"Content-Length: 18446744073709551615") + AFTER, {400, 413, 431}),
    "length in arabic": (head("Content-Length: ٥".encode()) + b"12345", {400}),
    "no length": (head() + AFTER, {400}),
    "long body": (head(b"Content-Length: %d" % len(AFTER)) + AFTER + b"}" * 100, {200, 400}),
    "too large by its length": (head(b"Content-Length: 99999999999") + AFTER, {413}),
    "too large in chunks": (head(CHUNKED) + chunk(b" " * 1_000_000) * 6 + END, {413}),
    "too large, with a small length": (head(b"Content-Length: 5", CHUNKED) + chunk(b" " * 1_000_000) * 6 + END, {400, 413}),
    "chunk size too large": (head(CHUNKED) + b"ffffffffffffffffff\r\nabc", {400}),
    "chunk size negative": (head(CHUNKED) + b"-1\r\nabc", {400}),
    "chunk without its end": (head(CHUNKED) + b"5\r\nabcdefghijk\r\n0\r\n\r\n", {400}),
    "chunk extension without end": (head(CHUNKED) + b"5;" + b"a" * 200_000 + b"\r\nabcde\r\n" + END, {400}),
    "many tiny chunks": (head(CHUNKED) + b"".join(chunk(AFTER[at : at + 1]) for at in range(len(AFTER))) + END, {200}),
    "trailers without end": (head(CHUNKED) + chunk(AFTER) + b"0\r\n" + b"X: y\r\n" * 50_000 + b"\r\n", {200, 400}),
    # requests within requests
    "three at once": (good() * 3, {200}),
    "good, then garbage": (good() + b"garbage\r\n\r\n" + good(), {200, 400}),
    "body on a GET": (head(b"Content-Length: %d" % len(AFTER), line=b"GET /cds-services HTTP/1.1") + AFTER, {200}),
    # heads
    "two media types": (bare(SIGN_LINE, HOST, JSON, b"Content-Type: text/plain"), {200, 400, 415}),
    "media type by underscore": (bare(SIGN_LINE, HOST, b"Content_Type: application/json"), {415}),
    "media type of 8 bits": (bare(SIGN_LINE, HOST, b"Content-Type: application/json; x=\xff"), {200, 415}),
    "two hosts": (bare(SIGN_LINE, HOST, b"Host: evil.example", JSON), {400, 403}),
    "two hosts, ours last": (bare(SIGN_LINE, b"Host: evil.example", HOST, JSON), {400, 403}),
    "no host": (bare(SIGN_LINE, JSON), {400, 403}),
    "host of 8 bits": (bare(SIGN_LINE, b"Host: 127.0.0.1\xff", JSON), {400, 403}),
    "host with a user": (bare(SIGN_LINE, b"Host: 127.0.0.1@evil.example", JSON), {400, 403}),
    "forwarded": (bare(SIGN_LINE, HOST, JSON, b"X-FORWARDED-for: 10.0.0.1"), {403}),
    "absolute address": (bare(f"POST http://evil.example{SIGN} HTTP/1.1".encode(), b"Host: evil.example", JSON), {400, 403}),
    "header of 8 bits": (bare(SIGN_LINE, HOST, JSON, b"X-Name: \xff\xfe"), {200, 400}),
    "token of 8 bits": (bare(SIGN_LINE, HOST, JSON, b"Authorization: Bearer \xff\xfe"), {200, 400, 401}),
    "control in a header": (bare(SIGN_LINE, HOST, JSON, b"X-Name: a\x00b"), {400}),
    "folded header": (bare(SIGN_LINE, HOST, JSON, b"X-Name: a\r\n b"), {400}),
    "header without colon": (bare(SIGN_LINE, HOST, JSON, b"XName"), {400}),
    "header of 60 KB": (bare(SIGN_LINE, HOST, JSON, b"X-Name: " + b"a" * 60_000), {200, 431}),
    "header of 2 MB": (bare(SIGN_LINE, HOST, JSON, b"X-Name: " + b"a" * 2_000_000), {431}),
    "2000 headers": (bare(SIGN_LINE, HOST, JSON, *(b"X-%d: a" % number for number in range(2000))), {431}),
    "expectation": (bare(SIGN_LINE, HOST, JSON, b"Expect: 200-ok"), {200, 417}),
    "websocket": (
        head(
            b"Upgrade: websocket",
            b"Connection: Upgrade",
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            b"Sec-WebSocket-Version: 13",
        ),
        {400},
    ),
    "http2 upgrade": (head(b"Upgrade: h2c", b"Connection: Upgrade, HTTP2-Settings", b"HTTP2-Settings: AAMAAABkAAQAAP__"), {400}),
    # lines
    "http2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0" * 100, set()),
    "tls": (bytes.fromhex("16030100a5010000a10303") + b"\x11" * 200, {400}),
    "every byte": (bytes(range(256)) * 20, {400}),
    "http 0.9": (b"GET /cds-services\r\n\r\n", {400}),
    "http 2.0": (b"GET /cds-services HTTP/2.0\r\n\r\n", {400}),
    "bare returns": (b"POST /cds-services HTTP/1.1\rHost: 127.0.0.1\r\r", {400}),
    "star": (bare(b"OPTIONS * HTTP/1.1", HOST), {200, 400, 404}),
    "connect": (bare(b"CONNECT evil.example:443 HTTP/1.1", HOST), {400, 404, 405}),
    "trace": (bare(b"TRACE /cds-services HTTP/1.1", HOST, b"Cookie: secret"), {405}),
    "method of 5000 letters": (bare(b"A" * 5000 + b" /cds-services HTTP/1.1", HOST), {400, 405, 431}),
    "path that is no utf-8": (bare(b"POST /cds-services/%ff%fe HTTP/1.1", HOST, JSON), {404}),
    "path with a surrogate": (bare(b"POST /cds-services/%ED%A0%80 HTTP/1.1", HOST, JSON), {404}),
    "path with a line end": (bare(b"POST /cds-services/%0d%0aSet-Cookie:%20x HTTP/1.1", HOST, JSON), {404}),
    "path upwards": (bare(b"GET /static/../../../etc/passwd HTTP/1.1", HOST, body=b""), {400, 404}),
    "path upwards, escaped": (bare(b"GET /static/%2e%2e/%2e%2e/%2e%2e/etc/passwd HTTP/1.1", HOST, body=b""), {400, 404}),
    "query of 8 bits": (bare(b"POST " + SIGN.encode() + b"?\xff=1 HTTP/1.1", HOST, JSON), {200, 400}),
    "query of 60 KB": (bare(b"POST " + SIGN.encode() + b"?" + b"a" * 60_000 + b" HTTP/1.1", HOST, JSON), {200, 414, 431}),
    "address of 100 KB": (bare(b"POST /" + b"a" * 100_000 + b" HTTP/1.1", HOST, JSON), {414, 431}),
}


@pytest.mark.parametrize("name", REQUESTS)
def test_each_odd_request_gets_its_status_and_the_next_is_served(served: Served, name: str) -> None:
    sent, allowed = REQUESTS[name]
    said = exchange(served, sent)
    found = set(statuses(said))
    assert found <= allowed, said[:500]
    assert found or not allowed
    assert b"Traceback" not in said
    assert b"root:" not in said
    assert b"secret" not in said
    assert b"\nset-cookie" not in said.lower()
    serves_the_next(served)


@pytest.mark.parametrize(
    "sent",
    [head(b"Content-Length: 100000") + AFTER, head(CHUNKED) + b"ffff\r\nabc", good()[:60], b"\r\n" * 5000, good() + good()[:50]],
    ids=["body", "chunk", "head", "blank lines", "second request"],
)
def test_a_client_that_closes_its_half_in_the_middle_harms_nothing(served: Served, sent: bytes) -> None:
    with contextlib.closing(served.connect()) as sock, contextlib.suppress(OSError):
        sock.sendall(sent)
        sock.shutdown(socket.SHUT_WR)
        sock.settimeout(3)
        assert all(status < 500 for status in statuses(sock.recv(65536)))
    serves_the_next(served)


def test_what_follows_a_refused_request_is_not_taken_for_another(served: Served) -> None:
    # A proxy that reads the length, and a server that reads the chunks, must not see two requests where there is one.
    inner = good()
    for sent in (
        head(b"Content-Length: %d" % (len(END) + len(inner)), CHUNKED) + END + inner,
        head(CHUNKED, b"Content-Length: %d" % (len(END) + len(inner))) + END + inner,
        head(b"Transfer-Encoding : chunked", b"Content-Length: %d" % (len(END) + len(inner))) + END + inner,
    ):
        said = exchange(served, sent)
        assert statuses(said) == [400]
    serves_the_next(served)


def test_requests_in_one_packet_are_answered_each_in_order(served: Served) -> None:
    wrong = head(b"Content-Length: 2") + b"[]"
    assert statuses(exchange(served, good() + wrong + good())) == [200, 400, 200]


def half_heads(served: Served) -> list[socket.socket]:
    return [_opened(served, good()[:40]) for _ in range(100)]


def half_bodies(served: Served) -> list[socket.socket]:
    return [_opened(served, good()[:-10]) for _ in range(100)]


def half_chunks(served: Served) -> list[socket.socket]:
    return [_opened(served, head(CHUNKED) + b"5\r\nab") for _ in range(100)]


def silent(served: Served) -> list[socket.socket]:
    return [_opened(served, b"") for _ in range(100)]


def unread(served: Served) -> list[socket.socket]:
    """Clients that ask for much and read none of it."""
    return [_opened(served, good() * 20) for _ in range(30)]


def _opened(served: Served, sent: bytes) -> socket.socket:
    sock = served.connect()
    sock.sendall(sent)
    return sock


@pytest.mark.parametrize("clients", [half_heads, half_bodies, half_chunks, silent, unread], ids=lambda clients: clients.__name__)
@pytest.mark.parametrize("are_reset", [False, True], ids=["left", "reset"])
def test_a_hundred_clients_that_stop_half_way_keep_nobody_out(served: Served, clients: object, are_reset: bool) -> None:
    sockets = clients(served)  # type: ignore[operator]
    started = time.monotonic()
    for _ in range(5):
        serves_the_next(served)
    assert time.monotonic() - started < 5
    for sock in sockets:
        if are_reset:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        sock.close()
    serves_the_next(served)


def test_a_hundred_odd_clients_at_once_keep_nobody_out(served: Served) -> None:
    chosen = random.Random(177)
    odd = [chosen.choice(list(REQUESTS.values()))[0] for _ in range(100)]
    threads = [threading.Thread(target=exchange, args=(served, sent, 2), daemon=True) for sent in odd]
    for thread in threads:
        thread.start()
    for _ in range(10):
        serves_the_next(served)
    for thread in threads:
        thread.join(10)
    serves_the_next(served)


def test_a_large_number_of_header_bytes_is_not_kept(served: Served) -> None:
    before = sum(memory_of(served.process.pid))
    for _ in range(20):
        exchange(served, bare(SIGN_LINE, HOST, JSON, b"X-Name: " + b"a" * 2_000_000))
        exchange(served, head(b"Content-Length: 5", CHUNKED) + chunk(b" " * 1_000_000) * 6)
    until(lambda: sum(memory_of(served.process.pid)) < before + 60, "the memory to be given back", 5)


def test_no_worker_died_of_any_of_this(tmp_path: Path) -> None:
    with serving(tmp_path, workers=1) as running:
        (worker,) = running.workers()
        for sent, _ in REQUESTS.values():
            exchange(running, sent, 1)
        assert running.workers() == {worker}
        logged = [json.loads(line) for line in running.said.splitlines() if line.startswith("{")]
        assert not [line for line in logged if line["event"] == "exception"]
        assert not [line for line in logged if line.get("status", 0) >= 500]


@pytest.mark.slow
def test_a_body_that_drips_in_is_given_up_after_its_time(served: Served) -> None:
    body = good()
    with contextlib.closing(_opened(served, body[:-100])) as sock:
        started = time.monotonic()
        sock.settimeout(1)
        said = b""
        while not said and time.monotonic() - started < 30:
            with contextlib.suppress(OSError):
                sock.sendall(b" ")
            try:
                said = sock.recv(65536)
            except TimeoutError:
                continue
        assert statuses(said) == [408]
        assert 8 < time.monotonic() - started < 16
    serves_the_next(served)


@pytest.mark.slow
def test_bytes_at_random_in_a_thousand_requests_harm_nothing(served: Served) -> None:
    chosen = random.Random(1177)
    for _ in range(1000):
        raw = bytearray(good())
        for _ in range(chosen.randint(1, 8)):
            raw[chosen.randrange(min(len(raw), 250))] = chosen.randrange(256)
        said = exchange(served, bytes(raw), 0.5)
        assert all(status < 500 for status in statuses(said)), bytes(raw[:300])
    serves_the_next(served)

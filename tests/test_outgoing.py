"""The guarded way out, against hostile servers on 127.0.0.1 and resolvers that lie."""

from __future__ import annotations

import contextlib
import gzip
import logging
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from cds_service.outgoing import GuardedSession, OutgoingError, guarded_get
from cds_service.outgoing_address import parse_target, reach_of
from tests.loopback import answer, drip, flood, serving, silence, tls_for

TIMEOUT = 0.4


def get(url: str, **overrides: Any) -> bytes:
    arguments: dict[str, Any] = {
        "headers": {},
        "allow_origins": (url_origin(url),),
        "timeout": TIMEOUT,
        "max_bytes": 10_000,
        **overrides,
    }
    return guarded_get(url, **arguments)


def url_origin(url: str) -> str:
    return "/".join(url.split("/")[:3])


@contextlib.contextmanager
def fails(kind: str, within: float = TIMEOUT + 0.5) -> Iterator[None]:
    """The block raises an OutgoingError that says ``kind`` and no more, in time."""
    start = time.monotonic()
    with pytest.raises(OutgoingError) as caught:
        yield
    assert caught.value.kind == kind
    assert str(caught.value).split()[0] == kind
    assert time.monotonic() - start < within


def test_an_allowed_loopback_server_is_read() -> None:
    with serving(answer(b'{"a": 1}')) as server:
        assert get(f"{server.origin}/fhir/x?y=1", headers={"Accept": "application/fhir+json"}) == b'{"a": 1}'
    assert server.requests[0].startswith("GET /fhir/x?y=1 HTTP/1.1\r\n")
    assert f"Host: 127.0.0.1:{server.port}\r\n" in server.requests[0]
    assert "Accept: application/fhir+json\r\n" in server.requests[0]
    assert "Accept-Encoding: identity\r\n" in server.requests[0]


def test_localhost_by_name_is_read_whichever_loopback_address_listens() -> None:
    with serving(answer(b"{}")) as server:
        assert get(f"http://localhost:{server.port}/", resolve=lambda *_: ("::1", "127.0.0.1")) == b"{}"


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"])
def test_a_redirect_is_an_error_and_is_not_followed(status: str) -> None:
    with (
        serving(answer(b"secret")) as inner,
        serving(answer(b"", status, f"Location: {inner.origin}/metadata\r\n")) as server,
        fails("status"),
    ):
        get(server.origin + "/", allow_origins=(server.origin, inner.origin))
    assert inner.connections == 0


@pytest.mark.parametrize("status", ["201 Created", "204 No Content", "206 Partial", "401 No", "404 No", "500 No"])
def test_anything_but_200_is_an_error_that_names_the_status(status: str) -> None:
    with serving(answer(b"", status)) as server, pytest.raises(OutgoingError) as caught:
        get(server.origin + "/")
    assert caught.value.status == int(status[:3])


def test_an_origin_that_is_not_allowed_is_not_called() -> None:
    with serving(answer(b"{}")) as server:
        for allowed in [(), ("https://ehr.example.org",), (f"http://localhost:{server.port}",), (server.origin + "0",)]:
            with fails("refused"):
                get(server.origin + "/", allow_origins=allowed)
    assert server.connections == 0


@pytest.mark.parametrize(
    "url",
    [
        "http://ehr.example.org/",  # not https
        "ftp://127.0.0.1/",
        "file:///etc/passwd",
        "//127.0.0.1/",
        "https://",
        "https://user@ehr.example.org/",
        "https://:secret@ehr.example.org/",
        "https://ehr.example.org#@evil.example.org/",
        "https://ehr.example.org\\@evil.example.org/",
        "https://ehr.example.org/a b",
        "https://ehr.example.org/a\r\nX: y",
        "https://ehr.example.org/\x00",
        "https://ehr.example.org/ä",
        "https://ehr.example.org:99999/",
        "https://ehr.example.org:abc/",
        "https://[fe80::1%25eth0]/",
        "https://[::1/",
        "https://ehr.example.org/fhir/../admin",
        "https://ehr.example.org/fhir/%2e%2E/admin",
        "https://ehr.example.org/fhir/%252e%252e/admin",
        "https://ehr.example.org/fhir/..%2fadmin",
        "https://ehr.example.org/fhir/%5cadmin",
        "https://ehr.example.org/" + "a" * 9000,
    ],
)
def test_a_url_that_could_be_read_in_two_ways_is_refused(url: str) -> None:
    with fails("refused"):
        parse_target(url)


def test_an_origin_is_compared_in_its_normal_form() -> None:
    assert parse_target("HTTPS://EHR.example.org:443/fhir").origin == "https://ehr.example.org"
    assert parse_target("https://ehr.example.org:8443/fhir").origin == "https://ehr.example.org:8443"
    assert parse_target("http://[::1]:8080/fhir").origin == "http://[::1]:8080"


@pytest.mark.parametrize(
    ("address", "reach"),
    [
        ("8.8.8.8", "public"),
        ("2606:4700::1111", "public"),
        ("127.0.0.1", "internal"),
        ("127.8.8.8", "internal"),
        ("::1", "internal"),
        ("10.1.2.3", "internal"),
        ("172.16.0.1", "internal"),
        ("192.168.0.1", "internal"),
        ("100.64.0.1", "internal"),  # carrier-grade NAT
        ("169.254.169.254", "internal"),  # cloud metadata
        ("fe80::1", "internal"),
        ("fd00:ec2::254", "internal"),
        ("fec0::1", "internal"),  # old site-local
        ("::ffff:127.0.0.1", "internal"),
        ("::ffff:8.8.8.8", "internal"),
        ("64:ff9b::7f00:1", "internal"),  # NAT64 of 127.0.0.1
        ("64:ff9b::808:808", "internal"),
        ("64:ff9b:1::a00:1", "internal"),
        ("2002:7f00:1::", "internal"),  # 6to4 of 127.0.0.1
        ("0.0.0.0", "never"),
        ("0.1.2.3", "never"),
        ("::", "never"),
        ("::ffff:0.0.0.0", "never"),
        ("64:ff9b::", "never"),
        ("224.0.0.1", "never"),
        ("ff02::1", "never"),
        ("240.0.0.1", "never"),
        ("255.255.255.255", "never"),
        ("::127.0.0.1", "never"),  # deprecated IPv4-compatible form
        ("localhost", "never"),
        ("", "never"),
    ],
)
def test_each_kind_of_address_is_known(address: str, reach: str) -> None:
    assert reach_of(address) == reach


@pytest.mark.parametrize("addresses", [("127.0.0.1",), ("10.0.0.1",), ("8.8.8.8", "127.0.0.1"), ("::ffff:127.0.0.1",)])
def test_a_name_that_resolves_to_an_internal_address_is_refused_before_any_connection(addresses: Sequence[str]) -> None:
    with serving(answer(b"{}")) as server, fails("refused"):
        get(f"https://ehr.example.org:{server.port}/", resolve=lambda *_: addresses)
    assert server.connections == 0


def test_a_number_that_only_the_system_reads_as_loopback_is_refused() -> None:
    with fails("refused"):
        get("https://2130706433/", resolve=lambda *_: ("127.0.0.1",))


def test_localhost_that_resolves_elsewhere_is_refused() -> None:
    with fails("refused"):
        get("http://localhost:1/", resolve=lambda *_: ("10.0.0.1",))


@pytest.mark.parametrize("address", ["0.0.0.0", "224.0.0.1", "255.255.255.255"])
def test_no_setting_allows_an_address_that_is_no_destination(address: str) -> None:
    with fails("refused"):
        get(f"https://{address}/", private_hosts=(address,))
    with fails("refused"):
        get("https://ehr.example.org/", private_hosts=("ehr.example.org",), resolve=lambda *_: (address,))


class Rebinding:
    """A resolver that gives a harmless address first and another one each time after."""

    def __init__(self, first: str, then: str) -> None:
        self.answers = [first]
        self.then = then
        self.asked = 0

    def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked += 1
        return (self.answers.pop(),) if self.answers else (self.then,)


def test_the_address_that_was_checked_is_the_one_that_is_called(tmp_path: Path) -> None:
    # 127.0.0.2 stands for the address that rebinding would lead to: nothing listens there, and nobody goes there.
    server_tls, client_tls = tls_for("ehr.example.org", tmp_path)
    resolver = Rebinding("127.0.0.1", "127.0.0.2")
    with serving(answer(b"{}"), server_tls) as server:
        session = GuardedSession(
            f"https://ehr.example.org:{server.port}/",
            allow_origins=(f"https://ehr.example.org:{server.port}",),
            private_hosts=("EHR.example.org",),
            timeout=2,
            max_bytes=100,
            resolve=resolver,
            tls=client_tls,
        )
        with contextlib.closing(session):
            for _ in range(3):
                assert session.get(f"https://ehr.example.org:{server.port}/x", {}) == b"{}"
    assert resolver.asked == 1
    assert server.connections == 1
    assert f"Host: ehr.example.org:{server.port}\r\n" in server.requests[0]


def test_a_certificate_for_another_name_is_refused(tmp_path: Path) -> None:
    server_tls, client_tls = tls_for("other.example.org", tmp_path)
    with serving(answer(b"{}"), server_tls) as server, fails("network"):
        get(
            f"https://ehr.example.org:{server.port}/",
            private_hosts=("ehr.example.org",),
            resolve=lambda *_: ("127.0.0.1",),
            tls=client_tls,
        )
    assert server.requests == []


def test_a_certificate_that_nobody_vouches_for_is_refused(tmp_path: Path) -> None:
    server_tls, _ = tls_for("ehr.example.org", tmp_path)
    with serving(answer(b"{}"), server_tls) as server, fails("network", within=5):
        get(
            f"https://ehr.example.org:{server.port}/",
            private_hosts=("ehr.example.org",),
            resolve=lambda *_: ("127.0.0.1",),
            timeout=4,
        )
    assert server.requests == []


@pytest.mark.parametrize(
    "handler",
    [
        silence,
        drip(b"", b"HTTP/1.1 200 OK\r\nX: "),
        drip(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"),
        drip(b"HTTP/1.1 200 OK\r\n\r\n", b" "),
        drip(b"HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n", b" "),
        drip(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
        drip(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"0"),
        drip(b"", b"HTTP/1.1 100 Continue\r\n\r\n", pause=0.001),
    ],
    ids=["silent", "status-line", "headers", "body-to-close", "body", "chunks", "chunk-size", "continues"],
)
def test_a_slow_server_does_not_outlive_the_deadline(handler: Any) -> None:
    with serving(handler) as server, fails("timeout"):
        get(server.origin + "/")


def test_a_slow_tls_handshake_does_not_outlive_the_deadline() -> None:
    with serving(silence) as server, fails("timeout"):
        get(f"https://127.0.0.1:{server.port}/")


def test_a_resolver_that_hangs_does_not_outlive_the_deadline() -> None:
    stuck = threading.Event()

    def hang(host: str, port: int) -> Sequence[str]:
        stuck.wait(5)
        return ("8.8.8.8",)

    with fails("timeout"):
        get("https://ehr.example.org/", resolve=hang)
    stuck.set()


@pytest.mark.parametrize("error", [OSError("no such host"), UnicodeError("label too long")])
def test_a_name_that_does_not_resolve_is_a_network_error(error: Exception) -> None:
    def broken(host: str, port: int) -> Sequence[str]:
        raise error

    with fails("network"):
        get("https://ehr.example.org/", resolve=broken)
    with fails("network"):
        get("https://ehr.example.org/", resolve=lambda *_: ())


def test_the_deadline_holds_for_all_calls_of_a_session_together() -> None:
    with serving(drip(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", b"12345")) as server:
        clock = Clock()
        session = GuardedSession(server.origin, allow_origins=(server.origin,), timeout=10, max_bytes=100, now=clock)
        with contextlib.closing(session):
            assert session.get(server.origin + "/", {}) == b"12345"
            clock.time += 10
            with fails("timeout"):
                session.get(server.origin + "/", {})


class Clock:
    def __init__(self) -> None:
        self.time = 100.0

    def __call__(self) -> float:
        return self.time


@pytest.mark.parametrize(
    "handler",
    [
        flood(b"HTTP/1.1 200 OK\r\n\r\n", b" " * 65536),
        flood(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1000\r\n" + b" " * 4096 + b"\r\n"),
        answer(b" " * 10_001),
        answer(b" " * 5_000_000),
    ],
    ids=["endless", "endless-chunks", "one-byte-too-many", "announced"],
)
def test_an_answer_above_the_cap_is_refused_without_reading_it_all(handler: Any) -> None:
    with serving(handler) as server, fails("too-large"):
        get(server.origin + "/")


def test_an_answer_of_exactly_the_cap_is_read() -> None:
    with serving(answer(b" " * 10_000)) as server:
        assert len(get(server.origin + "/")) == 10_000


@pytest.mark.parametrize(
    ("head", "block"),
    [
        (b"HTTP/1.1 200 OK\r\n", b"X-Long: " + b"y" * 1000 + b"\r\n"),
        (b"HTTP/1.1 200 OK\r\nX-Long: ", b"y" * 65536),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 1000),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"0" * 65536),
    ],
    ids=["many-headers", "one-header", "continues", "chunk-size"],
)
def test_endless_data_outside_the_body_is_cut_off_too(head: bytes, block: bytes) -> None:
    with serving(flood(head, block)) as server:
        with pytest.raises(OutgoingError) as caught:
            get(server.origin + "/", timeout=5)
        assert caught.value.kind in ("network", "too-large")


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "x-unknown", "identity, gzip"])
def test_an_encoded_answer_is_refused_unread(encoding: str) -> None:
    bomb = gzip.compress(b"0" * 1_000_000)
    with serving(answer(bomb, headers=f"Content-Encoding: {encoding}\r\n")) as server, fails("encoding"):
        get(server.origin + "/")


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
)
def test_a_broken_answer_is_a_network_error(head: bytes) -> None:
    def broken(conn: Any, _: bytes) -> None:
        conn.sendall(head)
        conn.close()

    with serving(broken) as server, fails("network"):
        get(server.origin + "/")


def test_nothing_listening_is_a_network_error() -> None:
    with serving(silence) as server:
        pass
    time.sleep(0.1)
    with fails("network"):
        get(server.origin + "/")


def test_proxies_and_netrc_of_the_environment_are_ignored(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password secret\n")
    with serving(answer(b"{}")) as proxy, serving(answer(b"{}")) as server:
        for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.origin)
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.setenv("NETRC", str(netrc))
        assert get(server.origin + "/") == b"{}"
    assert proxy.connections == 0
    assert "authorization" not in server.requests[0].lower()


def test_cookies_are_not_kept() -> None:
    with serving(answer(b"{}", headers="Set-Cookie: track=1\r\n")) as server:
        session = GuardedSession(server.origin, allow_origins=(server.origin,), timeout=2, max_bytes=100)
        with contextlib.closing(session):
            session.get(server.origin + "/", {})
            session.get(server.origin + "/", {})
    assert "cookie" not in server.requests[1].lower()


@pytest.mark.parametrize(
    "handler",
    [
        answer(b"{}"),
        answer(b"{}", headers="Broken Bearer-s3cret Header\r\n: x\r\n"),
        answer(b"", "500 s3cret"),
        answer(b"s3cret", "302 Found", "Location: http://127.0.0.1/s3cret\r\n"),
    ],
)
def test_neither_url_nor_token_is_logged_or_in_an_error(handler: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    url = "/Patient?name=Pat1ent"
    message = ""
    with serving(handler) as server:
        try:
            get(server.origin + url, headers={"Authorization": "Bearer s3cret"})
        except OutgoingError as error:
            message = repr(error) + str(error)
    assert server.requests
    for secret in ("s3cret", "Pat1ent"):
        assert secret not in caplog.text + message


def test_a_header_that_would_smuggle_another_one_is_not_sent() -> None:
    with serving(answer(b"{}")) as server:
        with fails("network"):
            get(server.origin + "/", headers={"Authorization": "Bearer a\r\nX-Evil: 1"})
        assert server.requests == []


def test_a_session_stays_with_its_origin() -> None:
    with serving(answer(b"{}")) as server, serving(answer(b"{}")) as other:
        session = GuardedSession(server.origin, allow_origins=(server.origin, other.origin), timeout=2, max_bytes=100)
        with contextlib.closing(session), fails("refused"):
            session.get(other.origin + "/", {})
    assert other.connections == 0

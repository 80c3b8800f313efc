"""The FHIR client: where the token goes, how long it takes, and what a hostile server gets out of it (nothing)."""

from __future__ import annotations

import gzip
import json
import logging
import socket
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

import pytest

from cds_service.fhir_client import MAX_ANSWER, MAX_REQUESTS, FetchFailed, FetchKind, FhirClient, FhirSession
from cds_service.settings import Settings
from tests.loopback import answer, drip, flood, serving, silence, tls_for

TOKEN = "s3cret.token~with/odd+characters="
COVERAGE = b'{"resourceType": "Coverage", "id": "c1"}'


def client_for(*origins: str, budget: float = 2.0, private_hosts: str = "", **seams: Any) -> FhirClient:
    settings = Settings(fhir_servers=",".join(origins), fetch_budget=budget, private_hosts=private_hosts)
    return FhirClient(settings, **seams)


def opened(client: FhirClient, fhir_server: str) -> FhirSession:
    session = client.open(fhir_server, TOKEN)
    assert session is not None
    return session


def failure(session: FhirSession, resource_id: str = "c1") -> str:
    with pytest.raises(FetchFailed) as caught, session:
        session.read("Coverage", resource_id)
    assert caught.value.kind in get_args(FetchKind)
    assert str(caught.value) == caught.value.kind
    return caught.value.kind


@pytest.mark.requirement("cds-hooks-2.0/fhir-resource-access")
def test_a_read_bears_the_calls_own_token_and_asks_for_fhir_json() -> None:
    with serving(answer(COVERAGE)) as server, opened(client_for(server.origin), server.origin + "/fhir") as session:
        assert session.read("Coverage", "c1") == COVERAGE
    head = server.requests[0]
    assert head.startswith("GET /fhir/Coverage/c1 HTTP/1.1\r\n")
    assert f"Authorization: Bearer {TOKEN}\r\n" in head
    assert "Accept: application/fhir+json\r\n" in head


@pytest.mark.parametrize("base", ["/fhir/", "/fhir//", "/fhir"])
def test_slashes_at_the_end_of_the_base_are_tolerated(base: str) -> None:
    with serving(answer(COVERAGE)) as server, opened(client_for(server.origin), server.origin + base) as session:
        session.read("Coverage", "c1")
    assert server.requests[0].startswith("GET /fhir/Coverage/c1 ")


def test_a_base_without_a_path_is_a_base() -> None:
    with serving(answer(COVERAGE)) as server, opened(client_for(server.origin), server.origin) as session:
        session.read("Coverage", "c1")
        session.next_page(server.origin + "/Coverage?page=2")
    assert server.requests[0].startswith("GET /Coverage/c1 ")


def test_a_search_writes_its_parameters_percent_encoded() -> None:
    with serving(answer(COVERAGE)) as server, opened(client_for(server.origin), server.origin) as session:
        session.search("Coverage", {"patient": "Patient/a&b=c#d", "status": "active"})
        session.search("Coverage", [("_include", "Coverage:payor"), ("_include", "Coverage:beneficiary")])
    assert server.requests[0].startswith("GET /Coverage?patient=Patient%2Fa%26b%3Dc%23d&status=active ")
    assert server.requests[1].startswith("GET /Coverage?_include=Coverage%3Apayor&_include=Coverage%3Abeneficiary ")


def test_all_reads_of_a_session_share_one_connection() -> None:
    with serving(answer(COVERAGE)) as server, opened(client_for(server.origin), server.origin) as session:
        for _ in range(3):
            session.read("Coverage", "c1")
    assert server.connections == 1


@pytest.mark.parametrize("token", [None, "", "  ", "\n", 5, ["x"], "a b", "a\r\nX: y", "ä", "x" * 20_000])
def test_without_a_token_nothing_is_opened(token: Any) -> None:
    assert client_for("https://ehr.example.org").open("https://ehr.example.org/fhir", token) is None


@pytest.mark.parametrize(
    "server",
    [
        None,
        "",
        5,
        {"a": "b"},
        "https://ehr.example.org.evil.example/fhir",
        "https://evil.example/https://ehr.example.org",
        "https://ehr.example.org:8443/fhir",
        "http://ehr.example.org/fhir",
        "https://ehr.example.org@evil.example/fhir",
        "https://evil.example#@ehr.example.org/fhir",
        "https://evil.example\\@ehr.example.org/fhir",
        "https://x:y@ehr.example.org/fhir",
        "https://ehr.example.org/fhir?x=",
        "https://ehr.example.org/fhir?",
        "https://ehr.example.org/fhir#",
        "https://ehr.example.org/fhir/../admin",
        "https://ehr.example.org/\r\nfhir",
        "https://ehr.example.org./fhir",
        "https://[::1/fhir",
        "https://169.254.169.254/latest",
        "\ud800",
    ],
)
def test_a_server_that_is_not_exactly_an_allowed_origin_is_not_opened(server: Any) -> None:
    assert client_for("https://ehr.example.org").open(server, TOKEN) is None


def test_an_allowed_origin_is_opened_whatever_its_case_and_default_port() -> None:
    client = client_for("https://ehr.example.org")
    assert client.open("https://ehr.example.org/fhir/r4", TOKEN) is not None
    assert client.open("HTTPS://EHR.example.org:443/fhir/r4", TOKEN) is not None


def test_no_server_is_allowed_by_default() -> None:
    assert client_for().open("https://ehr.example.org/fhir", TOKEN) is None


def test_a_clients_own_servers_take_the_place_of_the_general_list() -> None:
    client = client_for("https://ehr.example.org")
    assert client.open("https://ehr.example.org/fhir", TOKEN, ("https://other.example.org",)) is None
    assert client.open("https://ehr.example.org/fhir", TOKEN, ()) is None
    assert client.open("https://other.example.org/fhir", TOKEN, ("https://other.example.org",)) is not None


def test_opening_makes_no_connection() -> None:
    with serving(answer(COVERAGE)) as server:
        opened(client_for(server.origin), server.origin).close()
        time.sleep(0.1)
    assert server.connections == 0


@pytest.mark.parametrize("resource_id", ["", ".", "..", "a/b", "a?b", "a%2fb", "a b", "x" * 65, "c1\n", "ä", "a#b", None])
def test_an_id_that_fhir_does_not_know_never_gets_into_a_url(resource_id: Any) -> None:
    with serving(answer(COVERAGE)) as server:
        assert failure(opened(client_for(server.origin), server.origin), resource_id) == "refused"
    assert server.connections == 0


@pytest.mark.parametrize("resource_type", ["", "coverage", "Cover/age", "Coverage?x", "..", "C" * 65, "Coverage\n", None])
def test_a_type_that_fhir_does_not_know_never_gets_into_a_url(resource_type: Any) -> None:
    with serving(answer(COVERAGE)) as server, opened(client_for(server.origin), server.origin) as session:
        with pytest.raises(FetchFailed, match="refused"):
            session.read(resource_type, "c1")
        with pytest.raises(FetchFailed, match="refused"):
            session.search(resource_type, {})
    assert server.connections == 0


@pytest.mark.parametrize("name", ["", "a&b", "a=b", "a b", "1a", "ä", None])
def test_a_parameter_name_that_would_write_another_one_is_refused(name: Any) -> None:
    with serving(answer(COVERAGE)) as server, opened(client_for(server.origin), server.origin) as session:
        with pytest.raises(FetchFailed, match="refused"):
            session.search("Coverage", {name: "x"})
        with pytest.raises(FetchFailed, match="refused"):
            session.search("Coverage", {"patient": "\ud800"})
    assert server.connections == 0


@pytest.mark.parametrize(
    "link",
    [
        "http://127.0.0.1:1/fhir/Coverage?page=2",
        "https://evil.example/fhir/Coverage?page=2",
        "//evil.example/fhir/Coverage",
        "{origin}/other/Coverage",
        "{origin}/fhirsecret/Coverage",
        "{origin}/fhir/../admin",
        "{origin}/fhir/%2e%2e/admin",
        "{origin}@evil.example/fhir/x",
        "{origin}\\@evil.example/fhir/x",
        "../admin",
        "/admin",
        "http://[::1/",
        None,
        7,
    ],
)
def test_a_next_link_outside_the_base_is_refused(link: Any) -> None:
    with serving(answer(COVERAGE)) as server, opened(client_for(server.origin), server.origin + "/fhir") as session:
        if isinstance(link, str):
            link = link.replace("{origin}", server.origin)
        with pytest.raises(FetchFailed, match="refused"):
            session.next_page(link)
    assert server.connections == 0


@pytest.mark.parametrize(
    ("link", "path"),
    [
        ("{origin}/fhir?_getpages=1", "/fhir?_getpages=1"),
        ("{origin}/fhir/Coverage?page=2", "/fhir/Coverage?page=2"),
        ("Coverage?page=2", "/fhir/Coverage?page=2"),
    ],
)
def test_a_next_link_under_the_base_is_followed(link: str, path: str) -> None:
    with serving(answer(COVERAGE)) as server, opened(client_for(server.origin), server.origin + "/fhir/") as session:
        session.next_page(link.replace("{origin}", server.origin))
    assert server.requests[0].startswith(f"GET {path} ")


def test_a_redirect_does_not_carry_the_token_on() -> None:
    with serving(answer(COVERAGE)) as other:
        redirect = answer(b"", "302 Found", f"Location: {other.origin}/fhir/Coverage/c1\r\n")
        with serving(redirect) as server:
            assert failure(opened(client_for(server.origin, other.origin), server.origin)) == "status"
    assert other.connections == 0


@pytest.mark.parametrize(
    "handler",
    [silence, drip(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"), drip(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n", b" ")],
    ids=["silent", "headers", "body"],
)
def test_a_slow_server_is_left_when_the_budget_is_used_up(handler: Any) -> None:
    with serving(handler) as server:
        start = time.monotonic()
        assert failure(opened(client_for(server.origin, budget=0.4), server.origin)) == "timeout"
        assert time.monotonic() - start < 0.8


@pytest.mark.requirement("found-2")
def test_the_budget_is_one_for_all_requests_of_a_call() -> None:
    def slow(conn: socket.socket, head: bytes) -> None:
        time.sleep(0.2)
        answer(COVERAGE)(conn, head)

    with serving(slow) as server, opened(client_for(server.origin, budget=0.5), server.origin) as session:
        start = time.monotonic()
        session.read("Coverage", "c1")
        session.read("Coverage", "c1")
        with pytest.raises(FetchFailed, match="timeout"):
            session.read("Coverage", "c1")
        assert time.monotonic() - start < 0.8
        assert len(server.requests) == 3


def test_a_huge_answer_is_refused() -> None:
    with serving(flood(b"HTTP/1.1 200 OK\r\n\r\n", b" " * 65536)) as server:
        assert failure(opened(client_for(server.origin, budget=10), server.origin)) == "too-large"


def test_an_answer_of_the_largest_size_is_read() -> None:
    body = COVERAGE + b" " * (MAX_ANSWER - len(COVERAGE))
    with serving(answer(body)) as server, opened(client_for(server.origin, budget=10), server.origin) as session:
        assert len(session.read("Coverage", "c1")) == MAX_ANSWER
    with serving(answer(body + b" ")) as server:
        assert failure(opened(client_for(server.origin), server.origin)) == "too-large"


def test_a_gzip_bomb_is_refused_unread() -> None:
    with serving(answer(gzip.compress(b"0" * 10_000_000), headers="Content-Encoding: gzip\r\n")) as server:
        assert failure(opened(client_for(server.origin), server.origin)) == "encoding"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b"null",
        b'"Coverage"',
        b"{}",
        b'{"resourceType": 5}',
        b'{"resourceType": "Coverage"',
        b"\xff\xfe",
        b'{"resourceType": "\xff"}',
        b"[" * 100_000,
        b'{"resourceType":"Coverage","a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ],
    ids=range(12),
)
def test_an_answer_that_is_no_resource_is_an_error(body: bytes) -> None:
    with serving(answer(body)) as server:
        assert failure(opened(client_for(server.origin), server.origin)) == "not-json"


def test_an_operation_outcome_is_returned_for_the_caller_to_tell_apart() -> None:
    body = json.dumps({"resourceType": "OperationOutcome"}).encode()
    with serving(answer(body)) as server, opened(client_for(server.origin), server.origin) as session:
        assert session.read("Coverage", "c1") == body


def test_an_allowed_name_that_turns_private_is_refused() -> None:
    outcomes: list[str] = []
    client = client_for(
        "https://ehr.example.org",
        resolve=lambda *_: ("169.254.169.254",),
        on_fetch=lambda outcome, _: outcomes.append(outcome),
    )
    assert failure(opened(client, "https://ehr.example.org/fhir")) == "refused"
    assert outcomes == ["refused"]


def test_rebinding_between_two_reads_does_nothing(tmp_path: Path) -> None:
    asked: list[str] = []

    def rebinding(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return ("127.0.0.1",) if len(asked) == 1 else ("169.254.169.254",)

    server_tls, client_tls = tls_for("ehr.example.org", tmp_path)
    with serving(answer(COVERAGE), server_tls) as server:
        origin = f"https://ehr.example.org:{server.port}"
        client = client_for(origin, private_hosts="ehr.example.org", resolve=rebinding, tls=client_tls)
        with opened(client, origin + "/fhir") as session:
            session.read("Coverage", "c1")
            session.read("Coverage", "c1")
    assert asked == ["ehr.example.org"]
    assert server.connections == 1


def test_the_number_of_requests_of_a_call_is_capped() -> None:
    with serving(answer(COVERAGE)) as server, opened(client_for(server.origin), server.origin) as session:
        for _ in range(MAX_REQUESTS):
            session.read("Coverage", "c1")
        with pytest.raises(FetchFailed, match="too-many"):
            session.read("Coverage", "c1")
    assert len(server.requests) == MAX_REQUESTS


def test_slow_fetches_beyond_the_limit_fail_at_once() -> None:
    with serving(silence) as server:
        client = client_for(server.origin, budget=0.6, max_concurrent=1)
        slow = threading.Thread(target=failure, args=(opened(client, server.origin),))
        slow.start()
        while not server.requests:
            time.sleep(0.01)
        start = time.monotonic()
        assert failure(opened(client, server.origin)) == "busy"
        assert time.monotonic() - start < 0.2
        slow.join()
        assert failure(opened(client, server.origin)) == "timeout"


def test_fetches_a_little_beyond_the_limit_wait_their_turn() -> None:
    def soon(conn: Any, head: bytes) -> None:
        time.sleep(0.1)
        answer(COVERAGE)(conn, head)

    with serving(soon) as server:
        client = client_for(server.origin, budget=4, max_concurrent=8)
        outcomes: list[Any] = []

        def fetch() -> None:
            with opened(client, server.origin) as session:
                outcomes.append(session.read("Coverage", "c1"))

        threads = [threading.Thread(target=fetch) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(outcomes) == 6


def test_a_slow_server_leaves_places_for_another() -> None:
    with serving(silence) as slow, serving(answer(COVERAGE)) as good:
        client = client_for(slow.origin, budget=0.8, max_concurrent=4)
        client.fhir_servers = (slow.origin, good.origin)
        threads = [threading.Thread(target=failure, args=(opened(client, slow.origin),)) for _ in range(6)]
        for thread in threads:
            thread.start()
        while not slow.requests:
            time.sleep(0.01)
        with opened(client, good.origin) as session:
            assert session.read("Coverage", "c1")
        for thread in threads:
            thread.join()


def test_each_fetch_is_counted_with_its_outcome_and_time() -> None:
    counted: list[tuple[str, float]] = []
    with serving(answer(COVERAGE)) as server:
        client = client_for(server.origin, on_fetch=lambda *fetch: counted.append(fetch))
        with opened(client, server.origin) as session:
            session.read("Coverage", "c1")
            with pytest.raises(FetchFailed):
                session.read("Coverage", "..")
    with serving(answer(b"", "404 Not Found")) as server:
        client = client_for(server.origin, on_fetch=lambda *fetch: counted.append(fetch))
        failure(opened(client, server.origin))
    assert [outcome for outcome, _ in counted] == ["ok", "status"]
    assert all(0 <= seconds < 2 for _, seconds in counted)


@pytest.mark.parametrize("handler", [answer(COVERAGE), answer(b"s3cret", "500 s3cret"), answer(b"{", headers="s3cret\r\n")])
def test_the_token_and_the_patient_are_in_no_log_error_or_repr(handler: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    said = ""
    with serving(handler) as server:
        client = client_for(server.origin)
        with opened(client, server.origin) as session:
            try:
                session.search("Coverage", {"patient": "Pat1ent"})
            except FetchFailed as error:
                said = repr(error) + str(error) + repr(error.__cause__)
            said += repr(session) + repr(client)
    assert "Pat1ent" in server.requests[0]
    for secret in ("s3cret", "Pat1ent"):
        assert secret not in said + caplog.text


def test_the_status_of_a_failed_read_is_told_so_that_not_found_can_be_told_apart() -> None:
    for status in (404, 410, 500):
        with serving(answer(b"", f"{status} No")) as server, opened(client_for(server.origin), server.origin) as session:
            with pytest.raises(FetchFailed) as caught:
                session.read("Coverage", "c1")
            assert caught.value.status == status


def test_a_closed_session_sends_nothing() -> None:
    with serving(answer(COVERAGE)) as server:
        session = opened(client_for(server.origin), server.origin)
        session.close()
        assert failure(session) == "too-many"
    assert server.connections == 0

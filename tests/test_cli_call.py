"""``cds-service call`` against a server on this machine: the card it shows, and how it fails."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from structlog.testing import capture_logs
from werkzeug.serving import WSGIRequestHandler, make_server

from cds_service.cli_call import call
from tests.calls import app_for_tests, hook_call, order
from tests.loopback import Server, serving


class Quiet(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002  # werkzeug's name
        pass


@pytest.fixture(scope="module")
def running() -> Iterator[str]:
    server = make_server("127.0.0.1", 0, app_for_tests(mode="open"), threaded=True, request_handler=Quiet)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    with capture_logs():  # the server's log would go to the standard output of the command, which runs in this process too
        yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "request.json"
    path.write_text(json.dumps(hook_call(order())))
    return path


def run(*arguments: object, stdin: str | None = None) -> Result:
    return CliRunner().invoke(call, [str(argument) for argument in arguments], input=stdin)


def fails(result: Result, said: str) -> None:
    assert result.exit_code == 2, result.output
    assert said in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert result.stdout == ""


def answering(status: str, body: bytes, headers: str = "") -> Callable[[socket.socket, bytes], None]:
    def answer(conn: socket.socket, _head: bytes) -> None:
        conn.sendall(f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{headers}Connection: close\r\n\r\n".encode() + body)
        conn.close()

    return answer


def test_the_card_and_what_is_written_on_the_order_are_shown(running: str, file: Path) -> None:
    shown = run(file, "--url", f"{running}/").stdout
    assert "[warning] MR neurography: non-covered, investigational. For services from 11/1/2023 refer to CMS Manual" in shown
    assert "from Blue Advantage (BlueCross BlueShield of Alabama)" in shown
    assert "Needed care should not be delayed" in shown
    assert "/policies/blue-advantage-177#from-2023-11-01>" in shown
    assert "On ServiceRequest/sr-1:" in shown
    assert "Covered: No, not covered" in shown
    assert "\x1b" not in shown


def test_the_json_is_the_servers_own(running: str, file: Path) -> None:
    body = json.loads(run(file, "--url", running, "--json").stdout)
    assert body["cards"][0]["indicator"] == "warning"


def test_the_address_that_other_clients_are_given_is_taken_too(running: str, file: Path) -> None:
    assert json.loads(run(file, "--url", f"{running}/cds-services/", "--json").stdout)["cards"]


def test_a_request_is_read_from_standard_input(running: str, file: Path) -> None:
    assert "No card." in run("-", "--url", running, stdin=json.dumps(hook_call(order("MRI knee")))).stdout


def test_a_refusal_is_told_in_one_line(running: str, tmp_path: Path) -> None:
    file = tmp_path / "request.json"
    file.write_text(json.dumps(hook_call(order(), context={"patientId": "p"})))
    fails(run(file, "--url", running), "400: context.userId: is missing")


@pytest.mark.parametrize(
    ("content", "said"),
    [("{", "not valid JSON"), ("[]", "not a JSON object"), ('{"hook": "patient-view"}', "names no hook that is served")],
)
def test_a_file_that_is_no_request_is_refused_before_it_is_sent(tmp_path: Path, content: str, said: str) -> None:
    file = tmp_path / "request.json"
    file.write_text(content)
    fails(run(file, "--url", "http://127.0.0.1:9"), said)


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    fails(run(tmp_path / "none.json"), "No such file or directory")


def test_a_server_that_is_not_there_is_told(file: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    fails(run(file, "--url", f"http://127.0.0.1:{port}"), "no connection; is the server running there?")


@pytest.mark.parametrize("url", ["nonsense", "ftp://127.0.0.1", "http://", "http://[::1"])
def test_an_address_that_is_none_is_told(file: Path, url: str) -> None:
    result = run(file, "--url", url)
    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize("body", [b"", b"<html>", b"[1]", b"\xff\xfe", b"[" * 100_000])
def test_an_answer_that_is_no_json_object_is_told(file: Path, body: bytes) -> None:
    with serving(answering("200 OK", body)) as server:
        fails(run(file, "--url", server.origin), "the answer is not a JSON object")


def test_the_token_goes_to_the_server_named_and_not_along_a_redirect(file: Path, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("abc.def.ghi\n")
    with serving(answering("200 OK", b'{"cards":[]}')) as elsewhere:
        redirect = f"Location: {elsewhere.origin}/cds-services/order-sign-crd\r\n"
        with serving(answering("307 Temporary Redirect", b"", redirect)) as server:
            fails(run(file, "--url", server.origin, "--token-file", token), "307")
            assert "authorization: bearer abc.def.ghi\r\n" in heads(server)
        assert elsewhere.connections == 0


def heads(server: Server) -> str:
    return "".join(server.requests).lower()


def test_two_tokens_are_one_too_many(file: Path) -> None:
    fails(run(file, "--token", "a", "--token-file", file), "not both")


def test_an_answer_cannot_command_the_terminal(file: Path) -> None:
    card = {"summary": "x\x1b[2Jy", "indicator": "info", "detail": "\x1b]0;title\x07", "source": {"label": "\x9bz"}}
    with serving(answering("200 OK", json.dumps({"cards": [card]}).encode())) as server:
        shown = run(file, "--url", server.origin).stdout
    assert "x\N{REPLACEMENT CHARACTER}[2Jy" in shown
    assert not any(char in shown for char in "\x1b\x07\x9b")


def test_neither_can_an_answers_json_nor_a_refusal(file: Path) -> None:
    with serving(answering("200 OK", json.dumps({"cards": [], "x": "a\x9b\u202eb"}, ensure_ascii=False).encode())) as server:
        shown = run(file, "--url", server.origin, "--json").stdout
    assert json.loads(shown)["x"] == "a\x9b\u202eb"
    assert not any(char in shown for char in "\x9b\u202e")
    refusal = json.dumps({"issue": [{"diagnostics": "no\x1b[2J\x9b"}]}, ensure_ascii=False).encode()
    with serving(answering("400 Bad Request", refusal)) as server:
        fails(run(file, "--url", server.origin), "400: no\N{REPLACEMENT CHARACTER}[2J")

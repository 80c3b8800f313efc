"""The logs: what a line may say, and that no word of a request, a token or an exception gets into one."""

from __future__ import annotations

import io
import json
import logging
import sys
import threading
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from cds_service import logs
from tests.calls import ORDER, app_for_tests, hook_call
from tests.examples import names, request_text

SECRET = "Marjorie Exampleton 1931-07-04"
SIGN = "/cds-services/order-sign-crd"


@pytest.fixture
def stream(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.BytesIO]:
    """The logs as they are in production, but into memory."""
    root = logging.getLogger()
    handlers, level, was, sink = list(root.handlers), root.level, structlog.get_config(), logs._sink
    hooks = warnings.showwarning, sys.excepthook, sys.unraisablehook, threading.excepthook
    written = io.BytesIO()
    logs.configure_logs(written)
    yield written
    structlog.configure(**was)
    logs._sink = sink
    root.handlers[:], warnings.showwarning, sys.excepthook, sys.unraisablehook, threading.excepthook = handlers, *hooks
    root.setLevel(level)


def lines(stream: io.BytesIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_hook_call_is_one_line_that_says_what_was_decided_and_not_of_whom(stream: io.BytesIO) -> None:
    answer = app_for_tests().test_client().post(SIGN, json=hook_call(ORDER))
    (line,) = lines(stream)
    assert {name: line[name] for name in ("event", "method", "path", "status", "hook", "orders", "recognised", "cards")} == {
        "event": "request",
        "method": "POST",
        "path": "/cds-services/<service_id>",
        "status": 200,
        "hook": "order-sign",
        "orders": 1,
        "recognised": {"yes": 1},
        "cards": 1,
    }
    assert line["determinations"] == ["blue-advantage-177:2023-11-01:yes:not-covered"]
    (action,) = answer.json["systemActions"]
    assert line["assertion_ids"][0] in json.dumps(action)
    assert line["request_id"] == answer.headers["X-Request-Id"]
    assert line["hook_instance"] == "0f9c5a3e-6a51-4a7d-9a75-2f2d5e1c9b10"


def strings_of(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, each in value.items():
            if key not in ("hook", "hookInstance", "resourceType", "status", "version"):
                yield from strings_of(each)
    elif isinstance(value, list):
        for each in value:
            yield from strings_of(each)
    elif isinstance(value, str) and len(value) > 5:
        yield value


@pytest.mark.parametrize("name", names())
def test_no_string_of_an_example_gets_into_the_log(name: str, stream: io.BytesIO) -> None:
    body = request_text(name)
    client = app_for_tests().test_client()
    for service_id in ("order-sign-crd", "order-select-crd", "order-dispatch-crd", "appointment-book-crd"):
        client.post(f"/cds-services/{service_id}?patient={SECRET}", data=body, content_type="application/json")
    # Left out: the day of the log, and the days of the policy's versions and our own ids, which an order may bear too.
    said = [{**line, "timestamp": "", "determinations": [], "assertion_ids": []} for line in lines(stream)]
    assert len(said) == 4
    written = json.dumps(said)
    found = {each for each in strings_of(json.loads(body)) if each in written}
    assert found == set()
    assert "Exampleton" not in stream.getvalue().decode()


@pytest.mark.parametrize(
    ("path", "body", "headers"),
    [
        (SIGN, hook_call(hookInstance=SECRET), {}),
        (SIGN, hook_call(hook=SECRET), {}),
        (SIGN, {SECRET: 1}, {}),
        (SIGN, hook_call(prefetch={SECRET: {"resourceType": SECRET}}), {}),
        (SIGN, hook_call(context={"patientId": SECRET}), {}),
        (SIGN, hook_call({"resourceType": "ServiceRequest", "code": SECRET}), {}),
        (SIGN, hook_call(), {"X-Request-Id": SECRET, "User-Agent": SECRET, "Authorization": f"Bearer {SECRET}", "Host": SECRET}),
        (f"/cds-services/{SECRET}", hook_call(), {}),
        (f"/{SECRET}", hook_call(), {}),
        (f"{SIGN}?{SECRET}", hook_call(), {}),
        (f"{SIGN}/feedback", {"feedback": [{"card": SECRET, "outcome": SECRET, "outcomeTimestamp": SECRET}]}, {}),
    ],
)
def test_what_a_client_chooses_is_not_logged(
    path: str, body: dict[str, Any], headers: dict[str, str], stream: io.BytesIO
) -> None:
    app_for_tests().test_client().post(path, json=body, headers=headers)
    assert len(lines(stream)) == 1
    for part in SECRET.split():
        assert part not in stream.getvalue().decode()


def test_a_method_of_the_client_s_own_is_not_logged(stream: io.BytesIO) -> None:
    app_for_tests().test_client().open(SIGN, method="EXAMPLETON")
    assert lines(stream)[0]["method"] == "other"


def test_a_request_id_of_the_proxy_is_used_and_one_of_another_form_is_not(stream: io.BytesIO) -> None:
    client = app_for_tests().test_client()
    client.get("/health/live", headers={"X-Request-Id": "0123456789ABCDEF0123456789abcdef"})
    client.get("/health/live", headers={"X-Request-Id": "patient-0123456789abcdef"})
    first, second = lines(stream)
    assert first["request_id"] == "0123456789abcdef0123456789abcdef"
    assert "patient" not in second["request_id"]


def test_an_exception_is_logged_by_type_and_place_without_its_words_or_locals(stream: io.BytesIO) -> None:
    def fail(patient: str) -> None:
        try:
            raise KeyError(patient)
        except KeyError as error:
            raise ValueError(f"cannot read {patient}") from error

    try:
        fail(SECRET)
    except ValueError as error:
        logs.log_exception(error, "0123456789abcdef")
    (line,) = lines(stream)
    assert (line["error"], line["caused_by"]) == ("ValueError", ["KeyError"])
    assert line["at"][-1].startswith("tests/test_logs.py:")
    assert line["at"][-1].endswith(":fail")
    assert "Exampleton" not in stream.getvalue().decode()


def test_an_unexpected_error_in_a_call_is_logged_without_the_call(stream: io.BytesIO, monkeypatch: pytest.MonkeyPatch) -> None:
    app = app_for_tests()

    def broken(*_: Any) -> None:
        raise RuntimeError(SECRET)

    monkeypatch.setattr("cds_service.views.decide", broken)
    app.config["PROPAGATE_EXCEPTIONS"] = False
    assert app.test_client().post(SIGN, json=hook_call(ORDER)).status_code == 500
    assert [line["event"] for line in lines(stream)] == ["exception", "request"]
    assert lines(stream)[0]["request_id"] == lines(stream)[1]["request_id"]
    assert "Exampleton" not in stream.getvalue().decode()


def test_libraries_and_the_interpreter_are_quoted_by_place_only(stream: io.BytesIO) -> None:
    logging.getLogger("urllib3").error("GET /Patient?name=%s", SECRET)
    try:
        raise ValueError(SECRET)
    except ValueError as error:
        logging.getLogger("asyncio").error("Task exception: %s", SECRET, exc_info=True)
        sys.excepthook(ValueError, error, None)
        threading.excepthook(threading.ExceptHookArgs((ValueError, error, None, None)))
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = logs._show_warning  # type: ignore[assignment]
        warnings.warn(SECRET, UserWarning, stacklevel=1)
    assert [line["event"] for line in lines(stream)] == ["library", "library", "exception", "exception", "warning"]
    assert "Exampleton" not in stream.getvalue().decode()


def test_the_server_s_own_words_on_its_processes_are_logged(stream: io.BytesIO) -> None:
    logging.getLogger("_granian").error("Unexpected exit from worker-1")
    assert lines(stream)[0]["message"] == "Unexpected exit from worker-1"


def test_a_field_outside_the_vocabulary_is_left_out_and_a_value_of_another_form_marked(stream: io.BytesIO) -> None:
    structlog.get_logger("any").warning("note", patient=SECRET, hook_instance=SECRET, count=SECRET, status=200)
    (line,) = lines(stream)
    assert "patient" not in line
    assert (line["hook_instance"], line["count"], line["status"]) == (logs.NOT_LOGGED, logs.NOT_LOGGED, 200)


def test_a_log_that_cannot_be_written_does_not_turn_a_good_answer_into_an_error(
    stream: io.BytesIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(logs, "log_call", full)
    assert app_for_tests().test_client().post(SIGN, json=hook_call(ORDER)).status_code == 200

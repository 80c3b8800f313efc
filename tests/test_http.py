"""The HTTP edge: what is read, what is refused and how, what browsers may do."""

from __future__ import annotations

import json
from typing import Any

import prometheus_client
import pytest
from flask.testing import FlaskClient

from cds_service.openapi_examples import FEEDBACK, example_outcome
from cds_service.records import RecordsUnavailable
from tests.calls import SIGN, app_for_tests, client_for_tests, hook_call, order


@pytest.fixture
def client() -> FlaskClient:
    return client_for_tests(max_body=20_000)


def outcome_of(answer: Any) -> dict[str, Any]:
    body: dict[str, Any] = answer.get_json()
    assert body["resourceType"] == "OperationOutcome"
    assert len(body["issue"]) == 1
    issue: dict[str, Any] = body["issue"][0]
    return issue


@pytest.mark.requirement("cds-hooks-2.0/discovery")
def test_discovery_lists_the_four_hooks_with_coverage_as_prefetch(client: FlaskClient) -> None:
    listed = client.get("/cds-services").get_json()["services"]
    assert {each["id"]: each["hook"] for each in listed} == {
        "order-sign-crd": "order-sign",
        "order-select-crd": "order-select",
        "order-dispatch-crd": "order-dispatch",
        "appointment-book-crd": "appointment-book",
    }
    sign = next(each for each in listed if each["hook"] == "order-sign")
    assert sign["prefetch"] == {"coverage": "Coverage?patient={{context.patientId}}&status=active"}
    assert all(each["description"] and each["title"] for each in listed)


@pytest.mark.parametrize(
    "media_type",
    [
        "application/json",
        "application/json; charset=utf-8",
        'application/fhir+json; charset="UTF-8"',
        "application/json;charset=utf8",
    ],
)
def test_json_in_utf_8_is_read_under_any_of_its_media_types(client: FlaskClient, media_type: str) -> None:
    answer = client.post(SIGN, data=json.dumps(hook_call(order())), content_type=media_type)
    assert answer.status_code == 200
    assert len(answer.get_json()["cards"]) == 1


@pytest.mark.parametrize(
    ("media_type", "encoding"),
    [
        ("text/plain", None),
        ("application/x-www-form-urlencoded", None),
        ("application/json; charset=utf-16", None),
        ("application/jsonp", None),
        (None, None),
        ("application/json", "gzip"),
        ("application/json", "br"),
    ],
)
def test_another_media_type_or_an_encoded_body_is_415(client: FlaskClient, media_type: str | None, encoding: str | None) -> None:
    headers = {"Content-Encoding": encoding} if encoding else {}
    answer = client.post(SIGN, data=json.dumps(hook_call(order())), content_type=media_type, headers=headers)
    assert answer.status_code == 415
    assert outcome_of(answer)["code"] == "not-supported"


@pytest.mark.parametrize(
    "path", ["/cds-services//order-sign-crd", "/cds-services/order-sign-crd/", "/cds-services///order-sign-crd//"]
)
def test_a_doubled_or_trailing_slash_is_answered_and_never_redirected(client: FlaskClient, path: str) -> None:
    answer = client.open(path, base_url="http://127.0.0.1", method="POST", json=hook_call(order()))
    assert answer.status_code == 200
    assert answer.get_json()["cards"]


@pytest.mark.requirement("cds-hooks-2.0/cors")
class StoreThatIsDown:
    def record_feedback(self, *_: Any) -> None:
        raise RecordsUnavailable("OperationalError")


def test_feedback_that_cannot_be_kept_is_503_as_described_so_that_it_is_sent_again() -> None:
    def failures() -> float:
        return prometheus_client.REGISTRY.get_sample_value("cds_service_record_failures_total") or 0.0

    client, before = app_for_tests(StoreThatIsDown(), mode="open").test_client(), failures()
    answer = client.post(f"{SIGN}/feedback", json=FEEDBACK)
    assert answer.status_code == 503
    assert answer.get_json() == example_outcome(503)
    assert failures() == before + 1


@pytest.mark.parametrize("path", ["/cds-services", SIGN, f"{SIGN}/feedback", "/cds-services//order-sign-crd"])
def test_a_preflight_is_answered_without_authentication(client: FlaskClient, path: str) -> None:
    headers = {
        "Origin": "https://sandbox.cds-hooks.org",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type",
    }
    answer = client.options(path, headers=headers)
    assert answer.status_code == 200
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert answer.headers["Access-Control-Allow-Headers"] == "authorization, content-type"
    assert "POST" in answer.headers["Access-Control-Allow-Methods"]


@pytest.mark.requirement("cds-hooks-2.0/cors")
@pytest.mark.parametrize(("path", "status"), [("/cds-services/nope", 404), (SIGN, 400), ("/cds-services/a/b/c", 404)])
def test_errors_too_can_be_read_by_a_browser_and_are_operation_outcomes(client: FlaskClient, path: str, status: int) -> None:
    answer = client.post(path, json={})
    assert answer.status_code == status
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert outcome_of(answer)["diagnostics"]


def test_a_get_of_a_service_is_405_and_says_what_is_allowed(client: FlaskClient) -> None:
    answer = client.get(SIGN)
    assert answer.status_code == 405
    assert "POST" in answer.headers["Allow"]
    assert outcome_of(answer)


def test_a_body_of_the_limit_is_read_and_one_byte_more_is_413(client: FlaskClient) -> None:
    body = json.dumps(hook_call(order())).encode()
    full = body + b" " * (20_000 - len(body))
    assert client.post(SIGN, data=full, content_type="application/json").status_code == 200
    answer = client.post(SIGN, data=full + b" ", content_type="application/json")
    assert answer.status_code == 413
    assert outcome_of(answer)["code"] == "too-costly"


def test_a_chunked_body_over_the_limit_is_413_and_not_cut(client: FlaskClient) -> None:
    import io

    body = json.dumps(hook_call(order())).encode() + b" " * 20_000
    answer = client.post(
        SIGN,
        input_stream=io.BytesIO(body),
        content_type="application/json",
        headers={"Transfer-Encoding": "chunked"},
        environ_overrides={"wsgi.input_terminated": True},
    )
    assert answer.status_code == 413


def _without(request: dict[str, Any], *path: str) -> dict[str, Any]:
    target: Any = request
    for step in path[:-1]:
        target = target[step]
    del target[path[-1]]
    return request


@pytest.mark.requirement("hook-10")
@pytest.mark.parametrize(
    "path",
    [
        ("hook",),
        ("hookInstance",),
        ("context",),
        ("context", "patientId"),
        ("context", "userId"),
        ("context", "draftOrders"),
    ],
)
def test_what_is_missing_is_named_with_its_place_and_the_cure(client: FlaskClient, path: tuple[str, ...]) -> None:
    answer = client.post(SIGN, json=_without(hook_call(order()), *path))
    assert answer.status_code == 400
    issue = outcome_of(answer)
    assert issue["expression"] == [".".join(path)]
    assert "missing" in issue["diagnostics"]
    assert "Send" in issue["diagnostics"]


@pytest.mark.parametrize("value", [5, True, [], {}, None, ""])
@pytest.mark.parametrize(
    "path", [("hook",), ("hookInstance",), ("context",), ("context", "patientId"), ("context", "draftOrders")]
)
def test_what_is_mistyped_or_empty_is_400_at_its_place(client: FlaskClient, path: tuple[str, ...], value: Any) -> None:
    request: Any = hook_call(order())
    target = request
    for step in path[:-1]:
        target = target[step]
    target[path[-1]] = value
    answer = client.post(SIGN, json=request)
    assert answer.status_code == 400
    assert outcome_of(answer)["expression"][0].startswith("context" if path[0] == "context" else path[0])


@pytest.mark.parametrize(
    "body", [b"", b"x", b"[]", b"null", b'"x"', b"5", b"{", b'{"hook": NaN}', b"\xff\xfe", b'{"a":"\\ud800"}']
)
def test_what_is_no_json_object_is_400(client: FlaskClient, body: bytes) -> None:
    answer = client.post(SIGN, data=body, content_type="application/json")
    assert answer.status_code == 400
    assert outcome_of(answer)["diagnostics"]


@pytest.mark.parametrize("depth", [300, 2_000, 9_000])
def test_nesting_too_deep_is_400_or_read_but_never_worse(client: FlaskClient, depth: int) -> None:
    nested = "[" * depth + "]" * depth
    body = json.dumps(hook_call(order(extra="@"))).replace('"@"', nested)
    answer = client.post(SIGN, data=body, content_type="application/json")
    assert answer.status_code in ((200, 400) if depth < 1000 else (400,))
    assert client.post(SIGN, json=hook_call(order())).status_code == 200


def test_a_hook_that_another_service_answers_is_answered_by_the_rules_of_the_endpoint(client: FlaskClient) -> None:
    answer = client.post(SIGN, json=hook_call(order(), hook="order-select"))
    assert answer.status_code == 200
    assert len(answer.get_json()["cards"]) == 1


def test_a_hook_that_nobody_here_knows_is_400(client: FlaskClient) -> None:
    answer = client.post(SIGN, json=hook_call(order(), hook="patient-view"))
    assert answer.status_code == 400
    assert outcome_of(answer)["expression"] == ["hook"]


def test_an_empty_order_that_real_clients_send_is_no_error(client: FlaskClient) -> None:
    answer = client.post(SIGN, json=hook_call(order(code={"coding": [{}]}, reasonCode=[])))
    assert answer.status_code == 200
    assert answer.get_data() == b'{"cards":[]}'


def test_a_recognised_order_that_is_not_valid_fhir_still_gets_its_card(client: FlaskClient) -> None:
    answer = client.post(
        SIGN, json=hook_call(order(status=7, intent=None, category={"not": "a list"}, subject=None, unknown=[None]))
    )
    assert answer.status_code == 200
    assert answer.get_json()["cards"][0]["indicator"] == "warning"


def test_health_is_told(client: FlaskClient) -> None:
    assert client.get("/health/live").get_json() == {"status": "live"}
    assert client.get("/health/ready").get_json() == {"status": "ready"}


@pytest.mark.requirement("found-40")
def test_the_answer_bears_no_insignificant_whitespace(client: FlaskClient) -> None:
    compact = json.dumps(hook_call(order()), separators=(",", ":"))
    body = client.post(SIGN, data=compact, content_type="application/json").get_data()
    assert json.dumps(json.loads(body), separators=(",", ":"), ensure_ascii=False).encode() == body

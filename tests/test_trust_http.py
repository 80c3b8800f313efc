"""Who may call, seen from outside: modes, tokens and origins over HTTP."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.calls import NOON, SIGN, client_for_tests, hook_call, order
from tests.signing import jwk_of, jwks, private_key, token_of

PUBLIC = "https://crd.example.org"
NOW = int(NOON.timestamp())


@pytest.fixture
def jwt_client(tmp_path: Path) -> FlaskClient:
    (tmp_path / "keys.json").write_bytes(jwks(jwk_of(private_key("ES384"), "k1", alg="ES384", use="sig")))
    clients = tmp_path / "clients.toml"
    clients.write_text(
        '[[client]]\nname = "ehr"\niss = "https://ehr.example.org"\njwks_file = "keys.json"\norigins = ["https://ehr.example.org"]\n'
    )
    return client_for_tests(mode="jwt", clients=clients, public_url=PUBLIC)


def bearer(jti: str, path: str = SIGN, **claims: Any) -> dict[str, str]:
    """The header of a good token for ``path``; claims given replace its own."""
    said = {"iss": "https://ehr.example.org", "aud": PUBLIC + path, "iat": NOW, "exp": NOW + 300, "jti": jti, **claims}
    token = token_of({"alg": "ES384", "typ": "JWT", "kid": "k1"}, said, private_key("ES384"), "ES384")
    return {"Authorization": f"Bearer {token}"}


@pytest.mark.requirement("cds-hooks-2.0/jwt")
def test_a_good_token_is_answered_once(jwt_client: FlaskClient) -> None:
    headers = bearer("once")
    assert jwt_client.post(SIGN, json=hook_call(order()), headers=headers).status_code == 200
    assert jwt_client.post(SIGN, json=hook_call(order()), headers=headers).status_code == 401


@pytest.mark.requirement("cds-hooks-2.0/jwt")
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "null"},
        {"Authorization": ""},
        {"Authorization": "Basic dXNlcjpwYXNz"},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer x.y.z"},
        bearer("a", exp=NOW),
        bearer("b", aud="https://elsewhere.example.org/cds-services/order-sign-crd"),
        bearer("c", aud=f"{PUBLIC}/cds-services"),
        bearer("d", iss="https://stranger.example.org"),
        bearer("e", exp=NOW + 86_400),
    ],
)
def test_a_call_without_a_good_token_is_401_and_not_told_why(jwt_client: FlaskClient, headers: dict[str, str]) -> None:
    answer = jwt_client.post(SIGN, json=hook_call(order()), headers=headers)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert answer.get_json()["issue"][0]["diagnostics"] == "The call is not authenticated."


@pytest.mark.requirement("cds-hooks-2.0/discovery")
def test_discovery_too_asks_for_a_token_with_its_own_audience(jwt_client: FlaskClient) -> None:
    assert jwt_client.get("/cds-services").status_code == 401
    answer = jwt_client.get("/cds-services/", headers=bearer("f", "/cds-services"))
    assert answer.status_code == 200


def test_the_audience_may_bear_the_double_slash_that_was_called(jwt_client: FlaskClient) -> None:
    headers = bearer("g", aud=[f"{PUBLIC}/cds-services//order-sign-crd"])
    assert jwt_client.post("/cds-services//order-sign-crd", json=hook_call(order()), headers=headers).status_code == 200


def test_a_token_is_asked_for_before_the_body_is_read(jwt_client: FlaskClient) -> None:
    assert jwt_client.post(SIGN, data=b"x" * 10_000_000).status_code == 401


@pytest.mark.parametrize("path", ["/health/live", "/health/ready", "/policies/blue-advantage-177"])
def test_health_and_the_policy_that_the_card_links_to_stay_open(jwt_client: FlaskClient, path: str) -> None:
    assert jwt_client.get(path).status_code == 200


@pytest.mark.requirement("cds-hooks-2.0/cors")
def test_only_registered_origins_may_read_the_answer_in_jwt_mode(jwt_client: FlaskClient) -> None:
    good = jwt_client.options(SIGN, headers={"Origin": "https://ehr.example.org"})
    assert good.status_code == 200
    assert good.headers["Access-Control-Allow-Origin"] == "https://ehr.example.org"
    assert "Origin" in good.headers["Vary"]
    bad = jwt_client.options(SIGN, headers={"Origin": "https://evil.example.org"})
    assert "Access-Control-Allow-Origin" not in bad.headers


@pytest.mark.parametrize(
    ("host", "headers", "status"),
    [
        ("127.0.0.1:8080", {}, 200),
        ("localhost", {}, 200),
        ("[::1]:8080", {}, 200),
        ("crd.example.org", {}, 403),
        ("127.0.0.1.evil.example.org", {}, 403),
        ("127.0.0.1", {"X-Forwarded-For": "10.0.0.1"}, 403),
        ("localhost", {"Forwarded": "for=10.0.0.1"}, 403),
        ("localhost", {"X-Forwarded-Proto": "https"}, 403),
    ],
)
def test_open_by_default_answers_local_calls_only(host: str, headers: dict[str, str], status: int) -> None:
    client = client_for_tests()
    answer = client.post(SIGN, json=hook_call(order()), headers={"Host": host, **headers})
    assert answer.status_code == status
    if status == 403:
        assert answer.get_json()["resourceType"] == "OperationOutcome"


def test_open_on_purpose_answers_through_a_proxy() -> None:
    client = client_for_tests(mode="open")
    headers = {"Host": "crd.example.org", "X-Forwarded-For": "10.0.0.1"}
    assert client.post(SIGN, json=hook_call(order()), headers=headers).status_code == 200


def test_links_are_never_taken_from_the_host_header() -> None:
    client = client_for_tests(mode="open", public_url=PUBLIC)
    answer = client.post(
        SIGN, json=hook_call(order()), headers={"Host": "evil.example.org", "X-Forwarded-Host": "evil.example.org"}
    )
    assert "evil" not in json.dumps(answer.get_json())
    assert answer.get_json()["cards"][0]["links"][0]["url"].startswith(f"{PUBLIC}/policies/")

"""Who may call: well-formed and forged tokens, replay, and where ``open`` mode may be used."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from cds_service.auth import (
    Authenticator,
    Caller,
    NotAuthenticated,
    check_bind,
    endpoint_audiences,
    refuse_if_not_local,
)
from cds_service.clients import Client
from cds_service.jwks import KeySource
from cds_service.settings import Settings, SettingsError
from cds_service.token_claims import normal_url
from tests.loopback import answer, serving
from tests.signing import jwk_of, jwks, part, private_key, token_of

NOW = 1_800_000_000.0
BASE = "https://crd.example.org"
SERVICE = f"{BASE}/cds-services/order-sign-crd"
AUDIENCES = (SERVICE,)
ISS = "https://ehr.example.org"
KEY = private_key("ES384")
RSA = private_key("RSA-2048")
KEYS = jwks(
    jwk_of(KEY, "es384", alg="ES384"),
    jwk_of(RSA, "rs384", alg="RS384"),
    jwk_of(RSA, "rsa"),
    jwk_of(private_key("ES256"), "es256"),
    jwk_of(private_key("RSA-1024"), "short"),
    {"kty": "oct", "k": "c2VjcmV0", "kid": "oct"},
)


class Store:
    """The unique insert of a store, as a set; ``down`` makes it raise."""

    def __init__(self) -> None:
        self.ids: set[tuple[str, str]] = set()
        self.calls: list[tuple[str, str, float]] = []
        self.down = False

    def __call__(self, client: str, jti: str, exp: float) -> bool:
        self.calls.append((client, jti, exp))
        if self.down:
            raise RuntimeError("database is gone")
        if (client, jti) in self.ids:
            return False
        self.ids.add((client, jti))
        return True


def authenticator(store: Callable[[str, str, float], bool] | None = None, keys: bytes = KEYS, **client: Any) -> Authenticator:
    registered: dict[str, Any] = {"name": "EHR", "iss": ISS, "jwks_file": "unused", **client}
    return Authenticator([Client(**registered)], seen=store or Store(), source=lambda one: KeySource(one.name, lambda: keys))


def header(**changes: Any) -> dict[str, Any]:
    return without_none({"alg": "ES384", "kid": "es384", "typ": "JWT", **changes})


def claims(**changes: Any) -> dict[str, Any]:
    return without_none({"iss": ISS, "aud": SERVICE, "iat": NOW, "exp": NOW + 300, "jti": "id-1", **changes})


def without_none(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def bearer(head: Any = None, body: Any = None, key: Any = KEY, algorithm: str = "ES384") -> str:
    return "Bearer " + token_of(head if head is not None else header(), body if body is not None else claims(), key, algorithm)


def verified(authorization: str | None, auth: Authenticator | None = None, now: float = NOW) -> Caller:
    return (auth or authenticator()).verify(authorization, AUDIENCES, now)


def failed_check(authorization: Any, auth: Authenticator | None = None, now: float = NOW) -> str:
    """The check that refuses the call; the store must not have heard of the token."""
    store = Store()
    with pytest.raises(NotAuthenticated) as caught:
        verified(authorization, auth or authenticator(store), now)
    assert store.calls == []
    assert str(caught.value) == caught.value.check
    return caught.value.check


@pytest.mark.requirement("cds-hooks-2.0/jwt")
def test_a_registered_clients_token_tells_who_calls() -> None:
    auth = authenticator(fhir_servers=("https://fhir.example.org",), origins=("https://app.example.org",))
    assert verified(bearer(), auth) == Caller(
        "EHR", ISS, None, "id-1", ("https://fhir.example.org",), ("https://app.example.org",)
    )


@pytest.mark.requirement("cds-hooks-2.0/jwt")
def test_the_public_sandboxs_token_is_accepted() -> None:
    # As captured: kid and jku of its own, iat rounded up by as much as half a second, five minutes, no nbf.
    head = header(kid="44823f3d", jku="https://sandbox.cds-hooks.org/.well-known/jwks.json")
    body = claims(iss="https://sandbox.cds-hooks.org", iat=NOW + 1, exp=NOW + 301)
    auth = authenticator(keys=jwks(jwk_of(KEY, "44823f3d")), iss="https://sandbox.cds-hooks.org")
    assert verified(bearer(head, body), auth, now=NOW + 0.5).iss == "https://sandbox.cds-hooks.org"


@pytest.mark.requirement("cds-hooks-2.0/jwt")
def test_the_request_generators_token_is_accepted_where_it_is_registered() -> None:
    jti = ("aB3~" * 32)[:128]
    iss = "http://127.0.0.1:8180/fhir"
    head = header(alg="RS256", kid="rsa", jku="http://127.0.0.1:3001/public_keys")
    body = claims(iss=iss, exp=NOW + 86_400, jti=jti)
    auth = authenticator(iss=iss, algorithms=("RS256",), max_lifetime=86_400)
    assert verified(bearer(head, body, RSA, "RS256"), auth).jti == jti
    assert failed_check(bearer(head, body, RSA, "RS256"), authenticator(iss=iss, algorithms=("RS256",))) == "lifetime"
    assert failed_check(bearer(head, body, RSA, "RS256"), authenticator(iss=iss, max_lifetime=86_400)) == "alg"


@pytest.mark.requirement("cds-hooks-2.0/jwt")
@pytest.mark.parametrize(
    ("authorization", "check"),
    [
        (None, "no-token"),
        ("", "no-token"),
        ("   ", "no-token"),
        ("null", "no-bearer-token"),
        ("undefined", "no-bearer-token"),
        ("Bearer", "no-bearer-token"),
        ("Bearer ", "no-bearer-token"),
        ("Bearer null", "no-bearer-token"),
        ("Basic dXNlcjpwYXNz", "no-bearer-token"),
        ("Bearer a.b", "no-bearer-token"),
        ("Bearer a.b.c.d", "no-bearer-token"),
        ("Bearer a.b.c.d.e", "no-bearer-token"),
        ("Bearer a.b.c,Bearer a.b.c", "no-bearer-token"),
        ("Bearer a.b.c, Bearer a.b.c", "no-bearer-token"),
        ("Bearer a..c", "no-bearer-token"),
        ("Bearer a.b.c=", "no-bearer-token"),
        ("Bearer a.b.c\n", "no-bearer-token"),
        ("Bearer ä.b.c", "no-bearer-token"),
        ("Bearer \ud800.b.c", "no-bearer-token"),
        ("Bearer a.b.c", "header"),
        ("Bearer " + "a" * 9000, "token-too-long"),
    ],
)
def test_what_is_no_token_is_refused_without_a_crash(authorization: str | None, check: str) -> None:
    assert failed_check(authorization) == check


@given(st.text(max_size=60), st.text(max_size=60))
def test_no_header_crashes_the_check(first: str, second: str) -> None:
    auth = authenticator()
    for authorization in (first, f"Bearer {first}", f"Bearer {part(first.encode(errors='replace'))}.{second}.x"):
        with pytest.raises(NotAuthenticated):
            auth.verify(authorization, AUDIENCES, NOW)


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
_names = st.sampled_from(["alg", "kid", "typ", "jku", "crit", "iss", "aud", "exp", "iat", "nbf", "jti", "tenant"])


@given(st.dictionaries(_names, _json, max_size=3), st.dictionaries(_names, _json, max_size=4))
def test_a_signed_token_of_any_content_is_accepted_or_refused_and_never_crashes(head: Any, body: Any) -> None:
    with contextlib.suppress(NotAuthenticated):
        verified(bearer({**header(), **head}, {**claims(), **body}))


def test_the_scheme_is_read_in_any_case() -> None:
    assert verified(bearer().replace("Bearer ", "bEARER  "))


@pytest.mark.requirement("cds-hooks-2.0/jwt-header")
@pytest.mark.parametrize(
    ("changes", "check"),
    [
        ({"typ": None}, "typ"),
        ({"typ": "at+jwt"}, "typ"),
        ({"typ": ["JWT"]}, "typ"),
        ({"kid": None}, "kid"),
        ({"kid": ""}, "kid"),
        ({"kid": 5}, "kid"),
        ({"kid": ["es384"]}, "kid"),
        ({"kid": "k" * 300}, "kid"),
        ({"kid": "unknown"}, "unknown-kid"),
        ({"kid": "../../etc/passwd"}, "unknown-kid"),
        ({"kid": "' OR 1=1 --"}, "unknown-kid"),
        ({"kid": "es384\x00"}, "unknown-kid"),
        ({"crit": ["exp"]}, "crit"),
        ({"crit": []}, "crit"),
        ({"crit": ["b64"], "b64": False}, "crit"),
        ({"b64": True}, "crit"),
        ({"alg": None}, "alg"),
        ({"alg": 5}, "alg"),
        ({"alg": "es384"}, "alg"),
        ({"alg": "ES256"}, "alg"),
        ({"alg": "PS384"}, "alg"),
        ({"alg": "HS256"}, "alg"),
        ({"alg": "EdDSA"}, "alg"),
    ],
)
def test_a_wrong_header_is_refused(changes: dict[str, Any], check: str) -> None:
    assert failed_check(bearer(header(**changes))) == check


def test_typ_is_read_in_any_case() -> None:
    assert verified(bearer(header(typ="jwt")))


@pytest.mark.requirement("cds-hooks-2.0/jwt-alg")
@pytest.mark.parametrize("alg", ["none", "None", "NONE", "nOnE", ""])
def test_a_token_without_a_signature_is_refused(alg: str) -> None:
    assert failed_check(bearer(header(alg=alg), algorithm="none").rstrip(".") + ".") == "no-bearer-token"
    assert failed_check(bearer(header(alg=alg))) == "alg"
    assert failed_check(bearer(header(alg="ES384"), algorithm="none") + "AA") == "signature"


@pytest.mark.requirement("cds-hooks-2.0/jwt-alg")
@pytest.mark.parametrize("encoding", ["pem", "der", "jwk"])
def test_a_public_key_does_not_serve_as_a_shared_secret(encoding: str) -> None:
    public = RSA.public_key()
    secret = {
        "pem": public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo),
        "der": public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo),
        "jwk": json.dumps(jwk_of(RSA, "rs384")).encode(),
    }[encoding]
    signed = f"{part(header(alg='HS256', kid='rs384'))}.{part(claims())}"
    forged = f"Bearer {signed}.{part(hmac.new(secret, signed.encode(), hashlib.sha256).digest())}"
    assert failed_check(forged) == "alg"
    # Even if an operator managed to list HS256, neither the key nor the verifier knows of it.
    assert failed_check(forged, authenticator(algorithms=("HS256",))) == "key-does-not-fit-alg"


@pytest.mark.requirement("cds-hooks-2.0/jwt-alg")
@pytest.mark.parametrize(
    ("kid", "alg", "check"),
    [
        ("es256", "ES384", "key-does-not-fit-alg"),
        ("rs384", "ES384", "key-does-not-fit-alg"),
        ("es384", "RS384", "key-does-not-fit-alg"),
        ("rs384", "RS256", "key-does-not-fit-alg"),
        ("short", "RS384", "key-length"),
        ("oct", "ES384", "key-symmetric"),
    ],
)
def test_a_key_that_does_not_fit_the_algorithm_is_refused(kid: str, alg: str, check: str) -> None:
    auth = authenticator(algorithms=("ES384", "RS384", "RS256", "ES256"))
    key, signs = (KEY, "ES384") if alg == "ES384" else (RSA, alg)
    assert failed_check(bearer(header(kid=kid, alg=alg), key=key, algorithm=signs), auth) == check


def test_a_short_rsa_key_is_refused_though_its_signature_is_right() -> None:
    token = bearer(header(kid="short", alg="RS384"), key=private_key("RSA-1024"), algorithm="RS384")
    assert failed_check(token) == "key-length"


def test_another_keys_signature_is_refused() -> None:
    assert failed_check(bearer(key=private_key("ES384", "attacker"))) == "signature"


@pytest.mark.parametrize("position", [0, 1, 2])
def test_a_changed_token_is_refused(position: int) -> None:
    parts = bearer().removeprefix("Bearer ").split(".")
    parts[position] = [part(header(extra=1)), part(claims(jti="id-2")), part(bytes(96))][position]
    assert failed_check("Bearer " + ".".join(parts)) == "signature"


@pytest.mark.parametrize("signature", [b"\0", bytes(96), b"\xff" * 96, bytes(64), bytes(5000)])
def test_a_broken_signature_is_refused(signature: bytes) -> None:
    assert failed_check(bearer().rpartition(".")[0] + "." + part(signature)) == "signature"


def test_a_key_that_the_token_brings_along_is_not_used() -> None:
    attacker = private_key("ES384", "attacker")
    with serving(answer(jwks(jwk_of(attacker, "es384")))) as server:
        head = header(jwk=jwk_of(attacker, "es384"), jku=server.origin, x5u=server.origin, x5c=["AA"])
        assert failed_check(bearer(head, key=attacker)) == "signature"
    assert server.connections == 0


@pytest.mark.requirement("cds-hooks-2.0/jwt-jku")
def test_a_jku_other_than_the_registered_address_is_refused_and_not_called() -> None:
    with serving(answer(KEYS)) as own, serving(answer(KEYS)) as foreign:
        registered = Client(name="EHR", iss=ISS, jwks_url=own.origin + "/jwks.json")
        auth = Authenticator([registered], seen=Store())
        for jku in (foreign.origin + "/jwks.json", own.origin + "/other", "", 5, [own.origin + "/jwks.json"]):
            assert failed_check(bearer(header(jku=jku)), auth) == "jku"
        assert verified(bearer(header(jku=own.origin + "/jwks.json")), auth)
        assert verified(bearer(body=claims(jti="id-2")), auth)
    assert foreign.connections == 0
    assert len(own.requests) == 1


@pytest.mark.parametrize("member", ['"iss": "https://evil.example", ', '"exp": 9999999999, ', '"jti": "x", "jti": "y", '])
def test_a_claim_that_is_named_twice_is_refused(member: str) -> None:
    body = json.dumps(claims())
    assert failed_check(bearer(body="{" + member + body[1:])) == "claims"


def test_a_header_member_that_is_named_twice_is_refused() -> None:
    assert failed_check(bearer('{"alg": "none", ' + json.dumps(header())[1:])) == "header"


@pytest.mark.parametrize(
    "body",
    [
        b"null",
        b"[]",
        b"5",
        b'"x"',
        b"{",
        b"\xff\xfe",
        b"{'iss': 1}",
        b'{"exp": NaN}',
        b'{"exp": Infinity}',
        b"[" * 3000,
        '{"iss": 1}'.encode("utf-16"),
        b'{"exp": ' + b"9" * 5000 + b"}",
    ],
    ids=range(12),
)
def test_claims_that_are_no_plain_json_object_are_refused(body: bytes) -> None:
    assert failed_check(bearer(body=body)) == "claims"


def test_claims_nested_deeper_than_python_follows_are_refused() -> None:
    assert failed_check(bearer(body=b'{"iss": ' + b"[" * 1500 + b"]" * 1500 + b"}")) in ("claims", "iss")


@pytest.mark.requirement("cds-hooks-2.0/jwt-iss")
@pytest.mark.parametrize("iss", [None, "", "https://evil.example", ISS + "/", ISS.upper(), 5, [ISS], {"a": 1}, "\ud800"])
def test_an_issuer_that_is_not_registered_is_refused(iss: Any) -> None:
    assert failed_check(bearer(body=claims(iss=iss))) == "iss"


@pytest.mark.requirement("cds-hooks-2.0/jwt-aud")
@pytest.mark.parametrize(
    "aud",
    [
        SERVICE,
        [SERVICE],
        ["https://other.example.org", SERVICE],
        SERVICE + "/",
        f"{BASE}/cds-services//order-sign-crd",
        f"{BASE}//cds-services///order-sign-crd//",
        "HTTPS://CRD.Example.org/cds-services/order-sign-crd",
        "https://crd.example.org:443/cds-services/order-sign-crd",
    ],
)
def test_the_address_of_the_endpoint_is_the_audience(aud: Any) -> None:
    assert verified(bearer(body=claims(aud=aud)))


@pytest.mark.requirement("cds-hooks-2.0/jwt-aud")
@pytest.mark.parametrize(
    "aud",
    [
        None,
        "",
        [],
        {},
        5,
        True,
        BASE,
        f"{BASE}/cds-services",
        f"{BASE}/cds-services/order-select-crd",
        f"{BASE}/cds-services/ORDER-SIGN-CRD",
        f"{SERVICE}/feedback",
        f"{SERVICE}?x=1",
        f"{SERVICE}?",
        f"{SERVICE}#x",
        "http://crd.example.org/cds-services/order-sign-crd",
        "https://crd.example.org:8443/cds-services/order-sign-crd",
        "https://user@crd.example.org/cds-services/order-sign-crd",
        "https://crd.example.org.evil.example/cds-services/order-sign-crd",
        "https://evil.example/https://crd.example.org/cds-services/order-sign-crd",
        "https://crd.example.org:port/cds-services/order-sign-crd",
        "https://[::1/cds-services/order-sign-crd",
        "/cds-services/order-sign-crd",
        [SERVICE, 5],
        [[SERVICE]],
        [f"https://a{i}.example.org" for i in range(16)] + [SERVICE],
        "\ud800",
    ],
)
def test_another_audience_is_refused(aud: Any) -> None:
    assert failed_check(bearer(body=claims(aud=aud))) == "aud"


def test_feedback_takes_its_own_address_or_its_services() -> None:
    path = "/cds-services/order-sign-crd/feedback"
    assert endpoint_audiences(BASE + "/", path) == (f"{SERVICE}/feedback", SERVICE)
    assert endpoint_audiences(BASE, "/cds-services/order-sign-crd") == (SERVICE,)
    assert endpoint_audiences(BASE + "/crd", "/cds-services") == (f"{BASE}/crd/cds-services",)
    for aud in (SERVICE, f"{SERVICE}/feedback"):
        authenticator().verify(bearer(body=claims(aud=aud)), endpoint_audiences(BASE, path), NOW)


def test_addresses_of_one_endpoint_are_written_alike() -> None:
    assert normal_url("http://[::1]:80//a//b/") == "http://[::1]/a/b"
    assert normal_url("http://localhost:8080") == "http://localhost:8080"
    assert normal_url("http://localhost:8080/") != normal_url("http://127.0.0.1:8080/")


@pytest.mark.requirement("cds-hooks-2.0/jwt-exp")
@pytest.mark.parametrize(("now", "check"), [(NOW + 299.999, None), (NOW + 300, "exp"), (NOW + 300.5, "exp"), (NOW + 999, "exp")])
def test_a_token_that_expires_this_second_is_refused(now: float, check: str | None) -> None:
    assert (failed_check(bearer(), now=now) if check else verified(bearer(), now=now) and None) == check


def test_a_token_that_expires_within_this_second_is_refused() -> None:
    assert failed_check(bearer(body=claims(exp=NOW + 100.9)), now=NOW + 100.1) == "exp"


@pytest.mark.requirement("cds-hooks-2.0/jwt-iat")
@pytest.mark.parametrize("claim", ["iat", "nbf"])
def test_iat_and_nbf_may_lie_ten_seconds_ahead_and_no_more(claim: str) -> None:
    assert verified(bearer(body=claims(**{claim: NOW + 10})))
    assert verified(bearer(body=claims(**{claim: NOW + 0.5})))
    assert failed_check(bearer(body=claims(**{claim: NOW + 10.001}))) == claim
    assert failed_check(bearer(body=claims(**{claim: NOW + 11}))) == claim


@pytest.mark.requirement("cds-hooks-2.0/jwt-exp", "cds-hooks-2.0/jwt-iat")
@pytest.mark.parametrize("claim", ["exp", "iat", "nbf"])
@pytest.mark.parametrize("value", [True, False, str(int(NOW)), "", [], {}, [NOW], -1, 10**12, 10**300, 1e308, "tomorrow"])
def test_a_moment_that_is_no_sensible_number_is_refused(claim: str, value: Any) -> None:
    assert failed_check(bearer(body=claims(**{claim: value}))) == claim


@pytest.mark.requirement("cds-hooks-2.0/jwt-exp", "cds-hooks-2.0/jwt-iat")
@pytest.mark.parametrize("claim", ["exp", "iat"])
def test_exp_and_iat_are_required(claim: str) -> None:
    assert failed_check(bearer(body=claims(**{claim: None}))) == claim
    assert failed_check(bearer(body=json.dumps(claims()).replace(f'"{claim}": ', f'"{claim}": null, "x": '))) == claim


def test_a_number_that_overflows_is_refused() -> None:
    assert failed_check(bearer(body=json.dumps(claims(exp=None))[:-1] + ', "exp": 1e999}')) == "exp"


def test_a_lifetime_of_more_than_the_clients_is_refused() -> None:
    assert verified(bearer(body=claims(iat=NOW - 100, exp=NOW + 200)))
    assert failed_check(bearer(body=claims(iat=NOW - 100, exp=NOW + 201))) == "lifetime"
    assert failed_check(bearer(body=claims(iat=0))) == "lifetime"
    assert failed_check(bearer(body=claims(iat=NOW + 9, exp=NOW + 5))) == "lifetime"
    assert failed_check(bearer(body=claims(exp=NOW + 61)), authenticator(max_lifetime=60)) == "lifetime"


@pytest.mark.requirement("cds-hooks-2.0/jwt-jti")
@pytest.mark.parametrize("jti", [None, "", 5, ["x"], {"a": 1}, True, "x" * 257, "a\nb", "a\0b", "\ud800"])
def test_a_token_without_a_sensible_id_is_refused(jti: Any) -> None:
    assert failed_check(bearer(body=claims(jti=jti))) == "jti"


@pytest.mark.requirement("cds-hooks-2.0/jwt-jti")
def test_a_token_is_accepted_once() -> None:
    store = Store()
    auth = authenticator(store)
    verified(bearer(), auth)
    with pytest.raises(NotAuthenticated, match="jti-seen") as caught:
        verified(bearer(), auth)
    assert caught.value.client == "EHR"
    assert store.calls == [("EHR", "id-1", NOW + 300)]
    assert verified(bearer(body=claims(jti="id-2")), auth)


@pytest.mark.requirement("cds-hooks-2.0/jwt-jti")
def test_a_token_that_another_worker_accepted_is_refused() -> None:
    store = Store()
    verified(bearer(), authenticator(store))
    with pytest.raises(NotAuthenticated, match="jti-seen"):
        verified(bearer(), authenticator(store))


@pytest.mark.requirement("cds-hooks-2.0/jwt-jti")
def test_of_many_calls_with_one_token_at_once_one_is_accepted() -> None:
    auth = authenticator(lambda *_: True)
    token = bearer()
    auth.verify(bearer(body=claims(jti="warm")), AUDIENCES, NOW)
    outcomes: list[str] = []

    def call() -> None:
        try:
            auth.verify(token, AUDIENCES, NOW)
            outcomes.append("accepted")
        except NotAuthenticated as error:
            outcomes.append(error.check)

    threads = [threading.Thread(target=call) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["accepted"] + ["jti-seen"] * 7


def test_one_clients_ids_are_not_anothers() -> None:
    clients = [Client(name=name, iss=f"https://{name}.example.org", jwks_file="x") for name in ("a", "b")]
    auth = Authenticator(clients, seen=Store(), source=lambda one: KeySource(one.name, lambda: KEYS))
    for name in ("a", "b"):
        assert verified(bearer(body=claims(iss=f"https://{name}.example.org")), auth).name == name


def test_reuse_is_allowed_where_it_is_registered_and_only_the_id_is_not_kept() -> None:
    store = Store()
    auth = authenticator(store, allow_jti_reuse=True)
    verified(bearer(), auth)
    verified(bearer(), auth)
    assert store.calls == []
    assert failed_check(bearer(body=claims(jti=None)), auth) == "jti"


@pytest.mark.requirement("cds-hooks-2.0/jwt-jti")
def test_with_the_store_down_ids_are_kept_in_memory_counted_and_logged() -> None:
    store = Store()
    downs: list[int] = []
    auth = Authenticator(
        [Client(name="EHR", iss=ISS, jwks_file="x")],
        seen=store,
        on_store_down=lambda: downs.append(1),
        source=lambda one: KeySource(one.name, lambda: KEYS),
    )
    before = bearer(body=claims(jti="before"))
    verified(before, auth)
    store.down = True
    with capture_logs() as logs:
        verified(bearer(), auth)
        for replayed in (bearer(), before):
            with pytest.raises(NotAuthenticated, match="jti-seen"):
                verified(replayed, auth)
    assert downs == [1]
    assert logs == [{"event": "replay_store_down", "client": "EHR", "error": "RuntimeError", "log_level": "warning"}]


def test_memory_of_ids_is_bounded_and_refuses_rather_than_forgets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cds_service.auth.MAX_REMEMBERED", 3)
    store = Store()
    auth = authenticator(store)
    store.down = True
    for number in range(3):
        verified(bearer(body=claims(jti=f"id-{number}", exp=NOW + 100 + number)), auth)
    with pytest.raises(NotAuthenticated, match="jti-memory-full"):
        verified(bearer(body=claims(jti="id-3")), auth)
    with pytest.raises(NotAuthenticated, match="jti-seen"):
        verified(bearer(body=claims(jti="id-0", exp=NOW + 100)), auth)
    later = NOW + 101
    assert verified(bearer(body=claims(jti="id-3")), auth, now=later)
    store.down = False
    for number in range(4, 9):
        assert verified(bearer(body=claims(jti=f"id-{number}")), auth, now=later)


def test_a_token_for_one_tenant_is_refused_where_another_is_registered() -> None:
    auth = authenticator(tenants=("a", "b"))
    assert verified(bearer(body=claims(tenant="a")), auth).tenant == "a"
    for tenant in (None, "", "c", "A", 5, ["a"], "a\n", "x" * 300):
        assert failed_check(bearer(body=claims(tenant=tenant)), auth) == "tenant"


def test_where_no_tenants_are_registered_any_sane_one_is_accepted() -> None:
    assert verified(bearer(body=claims(tenant="a"))).tenant == "a"
    assert failed_check(bearer(body=claims(tenant={"a": 1}))) == "tenant"


def test_clients_that_share_an_issuer_are_told_apart_by_tenant_and_by_key() -> None:
    other = private_key("ES384", "other")
    keys = {"a": KEYS, "b": jwks(jwk_of(other, "es384"))}
    clients = [Client(name=name, iss=ISS, jwks_file="x", tenants=(name,)) for name in keys]
    auth = Authenticator(clients, seen=Store(), source=lambda one: KeySource(one.name, lambda: keys[one.name]))
    assert verified(bearer(body=claims(tenant="a")), auth).name == "a"
    assert verified(bearer(body=claims(tenant="b"), key=other), auth).name == "b"
    assert failed_check(bearer(body=claims(tenant="b", jti="id-3")), auth) == "signature"


def test_keys_that_cannot_be_had_refuse_the_call() -> None:
    assert failed_check(bearer(), authenticator(keys=b"[]")) == "jwks-unavailable"


def test_keys_are_fetched_at_start_without_waiting(tmp_path: Path) -> None:
    fetched = threading.Event()

    def load() -> bytes:
        fetched.set()
        return KEYS

    auth = Authenticator([Client(name="EHR", iss=ISS, jwks_file="x")], seen=None, source=lambda one: KeySource(one.name, load))
    auth.warm_up()
    assert fetched.wait(2)


def test_neither_error_nor_log_holds_a_part_of_the_token() -> None:
    token = bearer(header(kid="s3cret-kid"), claims(jti="s3cret-jti"))
    with capture_logs() as logs, pytest.raises(NotAuthenticated) as caught:
        verified(token)
    said = repr(caught.value) + str(caught.value) + str(caught.value.__dict__) + str(logs)
    assert caught.value.client == "EHR"
    for secret in ("s3cret", *token.removeprefix("Bearer ").split(".")):
        assert secret not in said


def settings(**values: Any) -> Settings:
    return Settings(**values)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.0.1", "::1", "[::1]", "localhost", "LOCALHOST"])
def test_open_is_the_default_on_a_loopback_address(host: str) -> None:
    assert check_bind(settings(), host) == "open"


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "::", "", "10.0.0.1", "crd.example.org", "localhost.example.org", "127.0.0.1.nip.io"]
)
def test_elsewhere_each_missing_setting_is_named(host: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        check_bind(settings(), host)
    lines = str(caught.value).splitlines()
    assert [line.partition(":")[0] for line in lines] == ["CDS_SERVICE_MODE", "CDS_SERVICE_CLIENTS", "CDS_SERVICE_PUBLIC_URL"]
    file = tmp_path / "clients.toml"
    file.touch()
    with pytest.raises(SettingsError) as caught:
        check_bind(settings(clients=file, public_url=BASE), host)
    assert str(caught.value).startswith("CDS_SERVICE_MODE:")
    assert len(str(caught.value).splitlines()) == 1
    assert check_bind(settings(mode="open"), host) == "open"
    assert check_bind(settings(mode="jwt", clients=file, public_url=BASE), host) == "jwt"


def test_jwt_needs_the_clients_everywhere_and_the_public_address_off_this_machine(tmp_path: Path) -> None:
    file = tmp_path / "clients.toml"
    file.touch()
    with pytest.raises(SettingsError, match=r"\ACDS_SERVICE_CLIENTS: [^\n]*\Z"):
        check_bind(settings(mode="jwt"), "127.0.0.1")
    assert check_bind(settings(mode="jwt", clients=file), "127.0.0.1") == "jwt"
    with pytest.raises(SettingsError, match=r"\ACDS_SERVICE_PUBLIC_URL: [^\n]*\Z"):
        check_bind(settings(mode="jwt", clients=file), "0.0.0.0")


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.0.0.1:8080", "localhost", "LOCALHOST:80", "[::1]", "[::1]:8080", "localhost:"]
)
def test_a_local_call_is_answered_in_open_mode(host: str) -> None:
    assert not refuse_if_not_local(host, ["Host", "Origin", "Accept"], explicit_open=False)


@pytest.mark.parametrize(
    "host",
    [
        None,
        "",
        ":80",
        "crd.example.org",
        "localhost.evil.example",
        "evil.example:127.0.0.1",
        "localhost:80:80",
        "localhost:80x",
        "localhost,evil.example",
        "localhost@evil.example",
        "localhost.",
        "10.0.0.1:8080",
        "0.0.0.0:8080",
        "[::]:8080",
        "[::1",
        "::1]",
        "127.1",
        "2130706433",
        "localhost /",
        "ⅼocalhost",
    ],
)
def test_a_call_under_another_name_is_refused_in_open_mode(host: str | None) -> None:
    assert refuse_if_not_local(host, ["Host"], explicit_open=False)
    assert not refuse_if_not_local(host, ["Host"], explicit_open=True)


@pytest.mark.parametrize(
    "name", ["Forwarded", "X-Forwarded-For", "x-forwarded-host", "X-FORWARDED-PROTO", "X_Forwarded_For", "X-Real-IP", "Via"]
)
def test_a_call_through_a_proxy_is_refused_in_open_mode(name: str) -> None:
    assert refuse_if_not_local("127.0.0.1:8080", ["Host", name], explicit_open=False)
    assert not refuse_if_not_local("127.0.0.1:8080", ["Host", name], explicit_open=True)

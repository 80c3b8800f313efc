"""Clients' keys: which are refused, when they are fetched, and what a slow or hostile source can do (nothing)."""

from __future__ import annotations

import gzip
import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cds_service.jwks import KeySource, source_for
from cds_service.key_set import JwksError, parse_jwks
from tests.loopback import answer, drip, flood, serving, silence
from tests.signing import jwk_of, jwks, private_key

ES384 = private_key("ES384")


def check_of(call: Callable[[], Any]) -> str:
    with pytest.raises(JwksError) as caught:
        call()
    return caught.value.check


@pytest.mark.parametrize("algorithm", ["ES256", "ES384", "ES512"])
def test_an_elliptic_key_verifies_with_its_curves_algorithm_only(algorithm: str) -> None:
    key_set = parse_jwks(jwks(jwk_of(private_key(algorithm), "k")))
    assert key_set.find("k", algorithm).algorithm_name == algorithm
    others = {"ES256", "ES384", "ES512", "RS256", "RS384"} - {algorithm}
    assert {check_of(lambda other=other: key_set.find("k", other)) for other in others} == {"key-does-not-fit-alg"}


def test_an_rsa_key_without_alg_verifies_with_each_rsa_algorithm() -> None:
    key_set = parse_jwks(jwks(jwk_of(private_key("RSA-2048"), "k")))
    assert set(key_set.keys["k"]) == {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}


def test_a_key_with_alg_verifies_with_that_alone() -> None:
    key_set = parse_jwks(jwks(jwk_of(private_key("RSA-2048"), "k", alg="RS384", use="sig")))
    assert set(key_set.keys["k"]) == {"RS384"}


@pytest.mark.requirement("cds-hooks-2.0/jwt-alg")
@pytest.mark.parametrize(
    ("jwk", "check"),
    [
        ({"kty": "oct", "k": "c2VjcmV0", "kid": "k"}, "key-symmetric"),
        ({"kty": "OKP", "crv": "Ed25519", "x": "AA", "kid": "k"}, "key-type"),
        ({"kid": "k"}, "key-type"),
        ({"kty": ["EC"], "kid": "k"}, "key-type"),
        (jwk_of(private_key("RSA-1024"), "k"), "key-length"),
        (jwk_of(private_key("RSA-2048"), "k", use="enc"), "key-use"),
        (jwk_of(private_key("RSA-2048"), "k", key_ops=["encrypt"]), "key-use"),
        (jwk_of(private_key("RSA-2048"), "k", key_ops="verify"), "key-use"),
        (jwk_of(private_key("RSA-2048"), "k", alg="RSA-OAEP"), "key-does-not-fit-alg"),
        (jwk_of(private_key("RSA-2048"), "k", alg="HS256"), "key-does-not-fit-alg"),
        (jwk_of(private_key("RSA-2048"), "k", alg="none"), "key-does-not-fit-alg"),
        (jwk_of(private_key("RSA-2048"), "k", alg=["RS256"]), "key-does-not-fit-alg"),
        (jwk_of(private_key("ES256"), "k", alg="ES384"), "key-does-not-fit-alg"),
        (jwk_of(ES384, "k", crv="P-256"), "key-broken"),
        (jwk_of(ES384, "k", crv="secp256k1"), "key-does-not-fit-alg"),
        (jwk_of(ES384, "k", x="!!"), "key-broken"),
        (jwk_of(ES384, "k", x=5), "key-broken"),
        (jwk_of(ES384, "k", y=None), "key-broken"),
        (jwk_of(private_key("RSA-2048"), "k", n=None), "key-broken"),
        (jwk_of(private_key("RSA-2048"), "k", n="AA", e="AA"), "key-broken"),
        (jwk_of(ES384, "k", d="AAAA"), "key-private"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_no_sound_public_key_is_refused_and_the_others_are_kept(jwk: dict[str, Any], check: str) -> None:
    key_set = parse_jwks(jwks(jwk, jwk_of(ES384, "good")))
    assert check_of(lambda: key_set.find("k", "RS256")) == check
    assert key_set.find("good", "ES384")


def test_keys_of_one_name_are_refused_unless_their_algorithms_tell_them_apart() -> None:
    one, other = jwk_of(ES384, "k"), jwk_of(private_key("ES384", "other"), "k")
    assert check_of(lambda: parse_jwks(jwks(one, other)).find("k", "ES384")) == "key-named-twice"
    assert check_of(lambda: parse_jwks(jwks(one, other, one)).find("k", "ES384")) == "key-named-twice"
    apart = parse_jwks(jwks(one, jwk_of(private_key("RSA-2048"), "k", alg="RS384")))
    assert set(apart.keys["k"]) == {"ES384", "RS384"}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<html>",
        b"null",
        b"5",
        json.dumps([{"pem": jwk_of(ES384, "k"), "id": "k", "timestamp": 1}]).encode(),  # the request generator's
        b"{}",
        b'{"keys": null}',
        b'{"keys": {"k": 1}}',
        b'{"keys": NaN}',
        b"\xff",
        b"[" * 60_000,
        json.dumps({"keys": [{}] * 33}).encode(),
    ],
    ids=range(12),
)
def test_what_is_no_jwks_is_an_error(data: bytes) -> None:
    assert check_of(lambda: parse_jwks(data)) == "jwks-malformed"


def test_a_jwks_of_more_than_64_kb_is_an_error() -> None:
    body = jwks(jwk_of(ES384, "k"))
    assert parse_jwks(body + b" " * (65_536 - len(body))).keys
    assert check_of(lambda: parse_jwks(body + b" " * (65_537 - len(body)))) == "jwks-too-large"


def test_entries_that_are_no_keys_are_passed_over() -> None:
    key_set = parse_jwks(json.dumps({"keys": [None, 5, [], "x", {"kid": 5}, {"kid": ""}, jwk_of(ES384, "k")]}).encode())
    assert set(key_set.keys) == {"k"}


class FakeSource:
    """A JWKS that tests change, take down and count; with a clock that they turn."""

    def __init__(self, *kids: str) -> None:
        self.time = 1000.0
        self.kids = kids
        self.down = False
        self.fetches = 0
        self.source = KeySource("ehr", self.load, lambda: self.time)

    def load(self) -> bytes:
        self.fetches += 1
        if self.down:
            raise OSError("down")
        return jwks(*(jwk_of(ES384, kid) for kid in self.kids))

    def find(self, kid: str) -> str:
        """``ok`` or the check that failed, after any fetch that this started has ended."""
        try:
            self.source.find(kid, "ES384")
            found = "ok"
        except JwksError as error:
            found = error.check
        finish_fetches()
        return found


def finish_fetches() -> None:
    for thread in threading.enumerate():
        if thread.name == "jwks":
            thread.join(2)


def test_a_set_is_fetched_once_and_used_for_an_hour() -> None:
    fake = FakeSource("a")
    assert [fake.find("a") for _ in range(3)] == ["ok"] * 3
    fake.time += 3599
    assert (fake.find("a"), fake.fetches) == ("ok", 1)
    fake.time += 1
    assert (fake.find("a"), fake.fetches) == ("ok", 2)


def test_an_unknown_kid_starts_a_fetch_at_most_once_a_minute() -> None:
    fake = FakeSource("a")
    assert fake.find("a") == "ok"
    fake.kids = ("a", "b")
    fake.time += 59
    assert [fake.find("b") for _ in range(50)] == ["unknown-kid"] * 50
    assert fake.fetches == 1
    fake.time += 1
    assert (fake.find("b"), fake.fetches) == ("ok", 2)
    assert [fake.find(f"x{i}") for i in range(50)] == ["unknown-kid"] * 50
    assert fake.fetches == 2


def test_while_the_source_is_down_a_set_is_used_for_a_day_at_most() -> None:
    fake = FakeSource("a")
    assert fake.find("a") == "ok"
    fake.down = True
    fake.time += 86_399
    assert (fake.find("a"), fake.fetches) == ("ok", 2)
    assert (fake.find("a"), fake.fetches) == ("ok", 2)
    fake.time += 1
    assert fake.find("a") == "jwks-unavailable"
    fake.down = False
    fake.time += 60
    assert fake.find("a") == "ok"


def test_a_source_that_was_never_up_is_asked_again_after_ten_seconds() -> None:
    fake = FakeSource("a")
    fake.down = True
    assert [fake.find("a") for _ in range(20)] == ["jwks-unavailable"] * 20
    assert fake.fetches == 1
    fake.down = False
    fake.time += 10
    assert fake.find("a") == "ok"


def test_a_key_that_is_withdrawn_is_gone_after_an_hour() -> None:
    fake = FakeSource("a", "b")
    assert fake.find("a") == "ok"
    fake.kids = ("b",)
    fake.time += 3600
    fake.find("a")
    assert fake.find("a") == "unknown-kid"


def test_many_calls_at_once_make_one_fetch_and_only_a_few_wait() -> None:
    release, started = threading.Event(), threading.Event()
    fetches: list[int] = []

    def slow() -> bytes:
        fetches.append(1)
        started.set()
        release.wait(5)
        return jwks(jwk_of(ES384, "a"))

    source = KeySource("ehr", slow)
    found: list[str] = []

    def call() -> None:
        try:
            source.find("a", "ES384")
            found.append("ok")
        except JwksError as error:
            found.append(error.check)

    threads = [threading.Thread(target=call) for _ in range(10)]
    for thread in threads:
        thread.start()
    assert started.wait(2)
    while len(found) < 6:
        time.sleep(0.01)
    assert found == ["jwks-unavailable"] * 6  # refused at once, since four wait already
    release.set()
    for thread in threads:
        thread.join(2)
    assert found[6:] == ["ok"] * 4
    assert len(fetches) == 1


def test_calls_with_known_keys_do_not_wait_for_a_fetch() -> None:
    release = threading.Event()
    answers: list[bytes] = [jwks(jwk_of(ES384, "a"))]
    clock = [0.0]

    def load() -> bytes:
        if answers:
            return answers.pop()
        release.wait(5)
        raise OSError

    source = KeySource("ehr", load, lambda: clock[0])
    source.find("a", "ES384")
    clock[0] = 4000.0
    start = time.monotonic()
    for _ in range(5):
        source.find("a", "ES384")
    assert time.monotonic() - start < 0.3
    release.set()
    finish_fetches()


def test_keys_are_fetched_from_a_url() -> None:
    with serving(answer(jwks(jwk_of(ES384, "a")))) as server:
        source = source_for("ehr", server.origin + "/jwks.json", None)
        assert source.find("a", "ES384").key_id == "a"
        assert source.find("a", "ES384").key_id == "a"
    assert len(server.requests) == 1
    assert "authorization" not in server.requests[0].lower()


def test_keys_are_read_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "keys.json").write_bytes(jwks(jwk_of(ES384, "a")))
    assert source_for("ehr", None, str(tmp_path / "keys.json")).find("a", "ES384")
    assert check_of(lambda: source_for("ehr", None, str(tmp_path / "none")).find("a", "ES384")) == "jwks-unavailable"


GOOD = jwks(jwk_of(ES384, "a"))
HOSTILE = {
    "redirect": answer(b"", "302 Found", "Location: http://127.0.0.1:1/\r\n"),
    "status": answer(GOOD, "203 Other"),
    "too-large": answer(GOOD + b" " * 65_536),
    "endless": flood(b"HTTP/1.1 200 OK\r\n\r\n", b" " * 65_536),
    "gzip": answer(gzip.compress(GOOD), headers="Content-Encoding: gzip\r\n"),
    "array": answer(json.dumps([jwk_of(ES384, "a")]).encode()),
}
SLOW = {"mute": silence, "drip": drip(b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n", b" ")}


@pytest.mark.parametrize("handler", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_source_gives_no_key(handler: Any) -> None:
    with serving(handler) as server:
        source = source_for("ehr", server.origin + "/", None)
        assert check_of(lambda: source.find("a", "ES384")) == "jwks-unavailable"


@pytest.mark.parametrize("handler", SLOW.values(), ids=SLOW)
def test_a_slow_source_is_left_after_three_seconds_and_holds_up_no_other_client(handler: Any) -> None:
    with serving(handler) as slow, serving(answer(jwks(jwk_of(ES384, "a")))) as quick:
        stuck = source_for("slow", slow.origin + "/", None)
        checks: list[str] = []
        start = time.monotonic()
        thread = threading.Thread(target=lambda: checks.append(check_of(lambda: stuck.find("a", "ES384"))))
        thread.start()
        assert source_for("quick", quick.origin + "/", None).find("a", "ES384")
        assert time.monotonic() - start < 1
        thread.join(5)
    assert checks == ["jwks-unavailable"]
    assert time.monotonic() - start < 4


def test_a_jwks_host_that_turns_private_is_not_called() -> None:
    source = source_for("ehr", "https://ehr.example.org/jwks.json", None, resolve=lambda *_: ("10.0.0.1",))
    assert check_of(lambda: source.find("a", "ES384")) == "jwks-unavailable"

"""``client-token``: what it makes is what the service accepts, and the private key stays with its owner."""

from __future__ import annotations

import json
import stat
import time
from pathlib import Path

import jwt
import pytest
from click.testing import CliRunner, Result
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from cds_service.auth import Authenticator, NotAuthenticated
from cds_service.clients import load_clients
from cds_service.key_set import ALGORITHMS, parse_jwks
from cds_service.token_tool import client_token, load_private_key, make_key_pair, sign_token, thumbprint

AUD = "https://crd.example.org/cds-services"


def run(*arguments: object) -> Result:
    return CliRunner().invoke(client_token, [str(argument) for argument in arguments])


def registered(folder: Path, jwks: str, algorithms: str = '["ES384", "RS384"]') -> Authenticator:
    file = folder / "clients.toml"
    file.write_text(
        f'[[client]]\nname = "EHR"\niss = "https://ehr.example.org"\njwks_file = "{jwks}"\nalgorithms = {algorithms}\n'
    )
    return Authenticator(load_clients(file), seen=None)


@pytest.mark.parametrize("algorithm", sorted(ALGORITHMS))
def test_a_key_pair_for_each_algorithm_is_one_that_the_service_takes(algorithm: str) -> None:
    pair = make_key_pair(algorithm, kid="k")
    key_set = parse_jwks(json.dumps(pair.jwks).encode())
    assert set(key_set.keys["k"]) == {algorithm}
    assert "d" not in pair.jwks["keys"][0]
    assert "PRIVATE" not in repr(pair)
    assert sign_token(load_private_key(pair.private_pem), iss="x", aud="y", algorithm=algorithm)


def test_an_algorithm_without_a_key_pair_is_refused() -> None:
    with pytest.raises(ValueError, match="HS256"):
        make_key_pair("HS256")


def test_the_kid_is_the_thumbprint_of_rfc_7638() -> None:
    # RFC 7638 3.1: its example key and the thumbprint that it states.
    modulus = (
        "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64"
        "tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91C"
        "bOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"
    )
    public = jwt.PyJWK({"kty": "RSA", "n": modulus, "e": "AQAB"}).key
    assert thumbprint(public) == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"


def test_a_key_is_made_a_token_signed_and_accepted(tmp_path: Path) -> None:
    made = run("--make-key", "--key", tmp_path / "ehr.pem", "--jwks", tmp_path / "ehr.jwks.json")
    assert made.exit_code == 0, made.output
    assert stat.S_IMODE((tmp_path / "ehr.pem").stat().st_mode) == 0o600
    assert "PRIVATE" not in made.output + (tmp_path / "ehr.jwks.json").read_text()
    signed = run("--key", tmp_path / "ehr.pem", "--iss", "https://ehr.example.org", "--aud", AUD, "--tenant", "t1")
    assert signed.exit_code == 0, signed.output
    auth = registered(tmp_path, "ehr.jwks.json")
    caller = auth.verify(f"Bearer {signed.output.strip()}", (AUD,), time.time())
    assert (caller.name, caller.tenant) == ("EHR", "t1")
    with pytest.raises(NotAuthenticated, match="jti-seen"):
        auth.verify(f"Bearer {signed.output.strip()}", (AUD,), time.time())


def test_an_rsa_key_a_name_of_its_own_and_several_audiences_are_taken(tmp_path: Path) -> None:
    run("--make-key", "--algorithm", "RS256", "--kid", "mine", "--key", tmp_path / "k.pem")
    token = run(
        "--key", tmp_path / "k.pem", "--algorithm", "RS256", "--kid", "mine", "--iss", "https://ehr.example.org",
        "--aud", "https://other.example.org", "--aud", AUD, "--lifetime", "60",
    ).output.strip()  # fmt: skip
    auth = registered(tmp_path, "k.jwks.json", '["RS256"]')
    assert auth.verify(f"Bearer {token}", (AUD,), time.time()).name == "EHR"


def test_two_tokens_never_have_the_same_id() -> None:
    key = load_private_key(make_key_pair().private_pem)
    tokens = {sign_token(key, iss="x", aud="y", now=1.0) for _ in range(3)}
    assert len({token.split(".")[1] for token in tokens}) == 3


def test_no_file_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "there").write_text("mine")
    for arguments in (("--key", tmp_path / "there"), ("--key", tmp_path / "new.pem", "--jwks", tmp_path / "there")):
        result = run("--make-key", *arguments)
        assert result.exit_code == 1
        assert "there" in result.output
    assert (tmp_path / "there").read_text() == "mine"
    assert not (tmp_path / "new.pem").exists()


def test_what_is_missing_or_does_not_fit_is_told(tmp_path: Path) -> None:
    run("--make-key", "--key", tmp_path / "ec.pem")
    assert run("--key", tmp_path / "ec.pem").exit_code == 2
    assert run("--key", tmp_path / "ec.pem", "--iss", "x").exit_code == 2
    assert "No such file" in run("--key", tmp_path / "none.pem", "--iss", "x", "--aud", "y").output
    wrong = run("--key", tmp_path / "ec.pem", "--iss", "x", "--aud", "y", "--algorithm", "RS384")
    assert "does not fit the algorithm RS384" in wrong.output
    (tmp_path / "text").write_text("no key")
    assert "no unencrypted private key in PEM" in run("--key", tmp_path / "text", "--iss", "x", "--aud", "y").output


def test_a_key_of_another_kind_or_an_encrypted_one_is_refused() -> None:
    key = ed25519.Ed25519PrivateKey.generate()
    with pytest.raises(ValueError, match="neither an EC nor an RSA key"):
        load_private_key(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    with pytest.raises(ValueError, match="no unencrypted private key"):
        load_private_key(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")))

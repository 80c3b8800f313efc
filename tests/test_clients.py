"""The clients file: what it may say, and one line about file, client, key, value and cure when it says something else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cds_service.clients import ClientsError, cors_origins, load_clients
from tests.signing import jwk_of, jwks, private_key

SMALL = '[[client]]\nname = "EHR"\niss = "https://ehr.example.org"\njwks_url = "https://ehr.example.org/jwks.json"\n'


def written(folder: Path, text: str) -> Path:
    file = folder / "clients.toml"
    file.write_text(text, encoding="utf-8")
    return file


def complaint(folder: Path, text: str) -> str:
    file = written(folder, text)
    with pytest.raises(ClientsError) as caught:
        load_clients(file)
    line = str(caught.value)
    assert line.startswith(str(file))
    assert "\n" not in line
    return line


def test_a_client_needs_a_name_an_issuer_and_its_keys_only(tmp_path: Path) -> None:
    (client,) = load_clients(written(tmp_path, SMALL))
    assert (client.name, client.iss) == ("EHR", "https://ehr.example.org")
    assert client.algorithms == ("ES384", "RS384")
    assert (client.max_lifetime, client.allow_jti_reuse) == (300, False)
    assert (client.tenants, client.fhir_servers, client.origins) == ((), None, ())


def test_every_key_is_read(tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "ehr.json").write_bytes(jwks(jwk_of(private_key("RSA-2048"), "k")))
    file = written(
        tmp_path,
        """
        [[client]]
        name = "Generator"
        iss = "http://127.0.0.1:8180/fhir"
        jwks_file = "keys/ehr.json"
        algorithms = ["RS256"]
        tenants = ["a", "b"]
        fhir_servers = ["https://FHIR.example.org:443", "http://127.0.0.1:8180/"]
        origins = ["http://127.0.0.1:3000"]
        max_lifetime = 86400
        allow_jti_reuse = true
        """,
    )
    (client,) = load_clients(file)
    assert client.jwks_file == str(tmp_path / "keys" / "ehr.json")  # relative to the file, not to where we run
    assert client.fhir_servers == ("https://fhir.example.org", "http://127.0.0.1:8180")
    assert cors_origins([client]) == {"http://127.0.0.1:3000"}
    assert (client.max_lifetime, client.allow_jti_reuse, client.tenants) == (86400, True, ("a", "b"))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("colour = 'red'", ["'EHR'", "colour", "is no key of a client", "max_lifetime"]),
        ("algorithms = ['HS256']", ["algorithms", "'HS256'", "ES384"]),
        ("algorithms = ['none']", ["algorithms", "'none'"]),
        ("algorithms = ['EdDSA']", ["algorithms", "'EdDSA'"]),
        ("algorithms = []", ["algorithms", "choose from"]),
        ("algorithms = 'ES384'", ["algorithms", "'ES384'"]),
        ("max_lifetime = 0", ["max_lifetime", "0", ">= 1"]),
        ("max_lifetime = 86401", ["max_lifetime", "86401", "<= 86400"]),
        ("max_lifetime = true", ["max_lifetime", "True"]),
        ("max_lifetime = '300'", ["max_lifetime", "'300'"]),
        ("allow_jti_reuse = 'yes'", ["allow_jti_reuse", "'yes'"]),
        ("fhir_servers = ['https://fhir.example.org/r4']", ["fhir_servers", "https://fhir.example.org/r4", "without a path"]),
        ("fhir_servers = ['http://fhir.example.org']", ["fhir_servers", "is not https"]),
        ("fhir_servers = ['*']", ["fhir_servers", "'*'"]),
        ("origins = ['*']", ["origins", "'*'"]),
        ("origins = 'https://app.example.org'", ["origins"]),
        ("tenants = [5]", ["tenants"]),
        ("tenants = ['']", ["tenants"]),
        ("jwks_file = 'x.json'", ["jwks_url", "exactly one of jwks_url and jwks_file"]),
    ],
)
def test_a_wrong_key_is_named_with_its_value_and_cure(tmp_path: Path, change: str, told: list[str]) -> None:
    line = complaint(tmp_path, SMALL + change + "\n")
    for words in ["client 'EHR'", *told]:
        assert words in line


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "there is none"),
        ("client = []", "there is none"),
        ("client = 5", "there is none"),
        ("client = [5]", "client number 1"),
        ("[client]\nname = 'x'", "there is none"),
        ("= 5", "cannot be read as TOML"),
        pytest.param(f"client = {'9' * 5000}", "cannot be read as TOML: holds a number of too many digits", id="digits"),
        pytest.param(f"client = {'[' * 5000}", "cannot be read as TOML: is nested too deeply", id="nested"),
        pytest.param(f"{SMALL}max_lifetime = 0x{'f' * 5000}", "max_lifetime: what is too long to show", id="hexadecimal"),
        pytest.param(f"{SMALL}tenants{'.a' * 2000} = 1", "tenants: what is too long to show", id="dotted"),
        ("mode = 'jwt'\n" + SMALL, "mode"),
        ("[[client]]\niss = 'https://ehr.example.org'", "name"),
        ("[[client]]\nname = 'EHR'\njwks_url = 'https://ehr.example.org/'", "iss"),
        ("[[client]]\nname = ''\niss = 'x'", "name"),
        ('[[client]]\nname = "a\\nb"\niss = "x"', "name"),
        ("[[client]]\nname = 'EHR'\niss = 'x'", "exactly one of"),
        (SMALL.replace("https://ehr.example.org/jwks.json", "http://ehr.example.org/jwks.json"), "no https address"),
        (SMALL.replace("https://ehr.example.org/jwks.json", "https://a@ehr.example.org/jwks.json"), "no https address"),
        (SMALL + SMALL, "name: is used twice"),
    ],
)
def test_a_wrong_file_is_told_in_one_line(tmp_path: Path, text: str, told: str) -> None:
    assert told in complaint(tmp_path, text)


def test_a_file_that_is_not_there_or_not_text_is_told(tmp_path: Path) -> None:
    with pytest.raises(ClientsError, match="cannot be read"):
        load_clients(tmp_path / "none.toml")
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ClientsError, match="cannot be read"):
        load_clients(tmp_path / "bytes.toml")


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        (None, "cannot be read"),
        (b"[]", "jwks-malformed"),
        (json.dumps([{"pem": jwk_of(private_key("RSA-2048"), "k")}]).encode(), "jwks-malformed"),
        (jwks(), "no key with a kid fits algorithms"),
        (jwks(jwk_of(private_key("ES256"), "k")), "no key with a kid fits algorithms"),
        (jwks(jwk_of(private_key("RSA-1024"), "k")), "key-length"),
        (jwks(jwk_of(private_key("ES384"), "k", d="AA")), "key-private"),
    ],
)
def test_a_jwks_file_without_a_key_of_use_is_told_at_start(tmp_path: Path, keys: bytes | None, told: str) -> None:
    if keys is not None:
        (tmp_path / "keys.json").write_bytes(keys)
    text = SMALL.replace('jwks_url = "https://ehr.example.org/jwks.json"', 'jwks_file = "keys.json"')
    line = complaint(tmp_path, text)
    assert told in line
    assert "jwks_file" in line


def test_two_clients_share_an_issuer_only_if_tenants_tell_them_apart(tmp_path: Path) -> None:
    other = SMALL.replace('"EHR"', '"Other"')
    assert "'https://ehr.example.org' is also that of 'EHR'" in complaint(tmp_path, SMALL + other)
    assert "iss" in complaint(tmp_path, SMALL + "tenants = ['a']\n" + other)
    assert "iss" in complaint(tmp_path, SMALL + "tenants = ['a', 'b']\n" + other + "tenants = ['b', 'c']\n")
    assert len(load_clients(written(tmp_path, SMALL + "tenants = ['a']\n" + other + "tenants = ['b']\n"))) == 2

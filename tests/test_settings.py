"""The settings: read from the environment, checked, told without secrets, and described as they are."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from cds_service.cli_settings import MASKED, variable_of
from cds_service.cli_settings import settings as settings_command
from cds_service.settings import Settings, SettingsError, load_settings

DOCUMENT = Path(__file__).parent.parent / "docs" / "operations.md"
KEY = "k1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="


def documented() -> dict[str, tuple[str, str]]:
    """Of each setting in the table of docs/operations.md: its default and its meaning, as written."""
    rows = re.findall(r"^\| `(CDS_SERVICE_\w+)` \| (.*?) \| (.*) \|$", DOCUMENT.read_text(), re.MULTILINE)
    return {name: (default, meaning) for name, default, meaning in rows}


def test_the_document_names_every_setting_with_its_default_and_meaning_and_no_other() -> None:
    expected = {}
    for field, info in Settings.model_fields.items():
        default = info.default
        shown = "unset" if default in (None, ()) else f"`{str(default).lower() if isinstance(default, bool) else default}`"
        expected[variable_of(field, info)] = (shown, info.description)
    assert documented() == expected


@pytest.mark.parametrize(
    ("variable", "value", "cure"),
    [
        ("CDS_SERVICE_TIMEZONE", "Alabama", "America/Chicago"),
        ("CDS_SERVICE_PUBLIC_URL", "crd.example.org", "https://"),
        ("CDS_SERVICE_MAX_BODY", "1", "1024"),
        ("CDS_SERVICE_MODE", "closed", "'open' or 'jwt'"),
        ("CDS_SERVICE_FHIR_SERVERS", "http://fhir.example.org", "https"),
        ("CDS_SERVICE_POLICIES", "/no/such/folder", "folder"),
        ("CDS_SERVICE_CLIENTS", "/no/such/file", "file"),
        ("CDS_SERVICE_FETCH_BUDGET", "0", "greater than 0"),
        ("CDS_SERVICE_RETENTION_DAYS", "0", "greater than or equal to 1"),
        ("CDS_SERVICE_RETENTION_DAYS", "36501", "less than or equal to 36500"),
        ("CDS_SERVICE_DATABASE_URL", "records.sqlite3", "sqlite:////path/to/file"),
        ("CDS_SERVICE_RECORDS", "perhaps", "boolean"),
        ("CDS_SERVICE_TRY", "perhaps", "boolean"),
        ("CDS_SERVICE_METRICS_ADDRESS", "9464", "host:port"),
        ("CDS_SERVICE_METRICS_ADDRESS", "127.0.0.1:99999", "host:port"),
    ],
)
def test_a_wrong_setting_is_named_with_its_cure(variable: str, value: str, cure: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingsError) as raised:
        load_settings()
    assert str(raised.value).startswith(f"{variable}: ")
    assert cure in str(raised.value)


def test_settings_cannot_be_changed_once_read() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load_settings().max_body = 1  # type: ignore[misc]


@pytest.mark.parametrize("written", ["off", "OFF"])
def test_metrics_are_turned_off_by_a_word(written: str) -> None:
    assert load_settings(metrics_address=written).metrics_address is None


def test_the_command_shows_what_is_set_and_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CDS_SERVICE_RECORDS_KEYS", KEY)
    monkeypatch.setenv("CDS_SERVICE_DATABASE_URL", "postgresql://crd:swordfish@db.example.org/crd?sslpassword=mackerel")
    monkeypatch.setenv("CDS_SERVICE_FHIR_SERVERS", "https://a.example.org, https://b.example.org")
    for arguments in ([], ["--json"]):
        result = CliRunner().invoke(settings_command, arguments)
        assert result.exit_code == 0
        for secret in ("swordfish", "mackerel", KEY, KEY.partition(":")[2]):
            assert secret not in result.output
        assert "db.example.org" in result.output
    shown = {each["name"]: each["value"] for each in json.loads(result.output)}
    assert shown["CDS_SERVICE_RECORDS_KEYS"] == MASKED
    assert shown["CDS_SERVICE_FHIR_SERVERS"] == ["https://a.example.org", "https://b.example.org"]
    assert shown["CDS_SERVICE_MAX_BODY"] == 4194304


def test_what_is_shown_can_be_set_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CDS_SERVICE_FHIR_SERVERS", "https://a.example.org,https://b.example.org")
    monkeypatch.setenv("CDS_SERVICE_TRY", "false")
    lines = CliRunner().invoke(settings_command).output.splitlines()
    for line in lines:
        name, _, value = line.partition("=")
        monkeypatch.setenv(name, value)
    assert CliRunner().invoke(settings_command).output.splitlines() == lines


def test_a_wrong_setting_ends_the_command_with_status_2(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CDS_SERVICE_MAX_BODY", "much")
    result = CliRunner().invoke(settings_command)
    assert result.exit_code == 2
    assert "CDS_SERVICE_MAX_BODY" in result.output


@pytest.mark.parametrize(
    ("url", "cure"),
    [
        ("swordfish", "postgresql://user@host/name"),
        ("postgresql://crd:swordfish@db.example.org:54x32/crd", "postgresql://user@host/name"),
        ("postgresql://crd:swordfish@[::1/crd", "postgresql://user@host/name"),
        ("postgresql://crd:pass@swordfish@db.example.org/crd", "%40"),
    ],
)
def test_a_database_address_that_cannot_be_read_is_one_line_that_does_not_show_it(
    url: str, cure: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CDS_SERVICE_DATABASE_URL", url)
    result = CliRunner().invoke(settings_command)
    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (2, "", 1)
    assert result.stderr.startswith("cds-service: CDS_SERVICE_DATABASE_URL: ")
    assert cure in result.stderr
    assert "swordfish" not in result.stderr

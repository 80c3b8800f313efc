"""docs/SECURITY.md and docs/client-keys.md say what the code does: names of tests, of keys and of checks."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cds_service.clients import Client
from cds_service.key_set import ALGORITHMS

ROOT = Path(__file__).parent.parent
SECURITY = (ROOT / "docs" / "SECURITY.md").read_text(encoding="utf-8")
KEYS = (ROOT / "docs" / "client-keys.md").read_text(encoding="utf-8")
TESTS = "\n".join(file.read_text(encoding="utf-8") for file in (ROOT / "tests").rglob("test_*.py"))
CODE = "\n".join((ROOT / "cds_service" / f"{name}.py").read_text() for name in ("auth", "token_claims", "jwks", "key_set"))


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`(test_\w+)`", SECURITY))))
def test_each_test_that_the_threat_model_names_exists(name: str) -> None:
    assert f"def {name}(" in TESTS


@pytest.mark.parametrize("key", Client.__struct_fields__)
def test_each_key_of_the_clients_file_is_described(key: str) -> None:
    assert f"\n| `{key}` |" in KEYS


def test_the_algorithms_that_may_be_listed_are_described() -> None:
    assert " ".join(f"`{name}`" for name in ALGORITHMS) in KEYS


def test_each_check_that_the_log_may_name_is_described() -> None:
    checks = set(re.findall(r'(?:NotAuthenticated|JwksError)\(\s*"([a-z-]+)"', CODE)) | {
        "unknown-kid",
        "key-symmetric",
        "key-type",
    }
    assert len(checks) > 20
    table = KEYS.partition("## When the answer is 401")[2]
    # Why a set of keys could not be used stands in the line before, as jwks_fetch_failed.
    assert {check for check in checks if f"`{check}`" not in table} <= {"jwks-malformed", "jwks-too-large"}


def test_the_members_of_the_log_that_name_a_failed_check_are_called_as_in_the_log() -> None:
    observing = (ROOT / "cds_service" / "observing.py").read_text(encoding="utf-8")
    (member,) = re.findall(r'noted\.fields\["(\w+)"\] = error\.check', observing)
    section = KEYS.partition("## When the answer is 401")[2].split("\n## ")[0]
    assert f"log does: `{member}` names the check" in section
    assert f"\n| `{member}` | Meaning |" in section


def test_a_401_is_described_as_it_is_an_outcome_that_never_says_why() -> None:
    guide = " ".join((ROOT / "docs" / "integrate-an-ehr.md").read_text(encoding="utf-8").split())
    assert "Every error carries a FHIR OperationOutcome" in guide
    assert "That of a 401 is always the same and says nothing about why." in guide
    assert "bare 401" not in guide

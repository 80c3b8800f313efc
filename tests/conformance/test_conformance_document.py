"""``docs/conformance.md`` is what its generator prints, and every requirement that applies is shown by a test."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from .make_conformance import DOCUMENT, ROOT, document, requirements

pytestmark = pytest.mark.slow  # collects all tests once more
_COLLECT = (
    "import json; from tests.conformance.make_conformance import tests_by_key; shown = tests_by_key(); print(json.dumps(shown))"
)


@pytest.fixture(scope="module")
def shown() -> dict[str, list[str]]:
    """The tests by the keys they bear, collected by another pytest: this one may have been asked for a few tests only."""
    made = subprocess.run([sys.executable, "-c", _COLLECT], cwd=ROOT, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr[-3000:]
    found: dict[str, list[str]] = json.loads(made.stdout)
    return found


def test_the_page_is_what_its_generator_prints(shown: dict[str, list[str]]) -> None:
    made = document(requirements(), shown)
    assert DOCUMENT.read_text(encoding="utf-8") == made, "run: python -m tests.conformance.make_conformance > docs/conformance.md"


def test_every_shall_that_applies_is_shown_by_a_test(shown: dict[str, list[str]]) -> None:
    untested = [
        key
        for key, each in requirements().items()
        if each["strength"] in ("SHALL", "SHALL NOT") and each["applies"] == "yes" and key not in shown
    ]
    assert untested == []


def test_no_marker_names_a_key_that_is_unknown(shown: dict[str, list[str]]) -> None:
    assert sorted(set(shown) - set(requirements())) == []


def test_no_test_claims_to_show_what_does_not_apply(shown: dict[str, list[str]]) -> None:
    assert sorted(key for key, each in requirements().items() if each["applies"] == "no" and key in shown) == []


@pytest.mark.parametrize(
    ("strength", "count"), [("SHALL", 69), ("SHALL NOT", 17), ("SHOULD", 42), ("SHOULD NOT", 2), ("MAY", 14)]
)
def test_every_requirement_on_a_server_is_on_the_page(strength: str, count: int) -> None:
    """144 statements of CRD 2.2.1 name a server; a mixed SHALL/MAY counts as SHALL, a SHOULD/MAY as SHOULD."""
    crd: dict[str, Any] = {key: each for key, each in requirements().items() if not key.startswith("cds-hooks")}
    crd = {key: each for key, each in crd.items() if each["applies"] != "client"}
    assert len(crd) == 144
    assert len([key for key, each in crd.items() if each["strength"] == strength]) == count


def test_every_requirement_says_what_it_asks_and_how_it_is_met() -> None:
    for key, each in requirements().items():
        assert set(each) == {"strength", "applies", "asks", "how"}, key
        assert each["applies"] in ("yes", "no", "operator", "client"), key
        assert each["asks"], key
        assert each["how"], key
        assert "|" not in each["asks"] + each["how"], key

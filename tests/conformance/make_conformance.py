"""Make ``docs/conformance.md``: the requirements joined with the tests that bear their keys as ``requirement`` markers.

    python -m tests.conformance.make_conformance > docs/conformance.md

The tests are those that pytest collects, so a marker on something that is no test shows nothing.
"""

from __future__ import annotations

import contextlib
import io
import sys
import tomllib
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
REQUIREMENTS = Path(__file__).with_name("requirements.toml")
DOCUMENT = ROOT / "docs" / "conformance.md"
#: As many tests are named for a key; how many more there are is told.
NAMED = 3

Requirement = dict[str, str]
Shown = dict[str, list[str]]

_GROUPS = {
    "billopt": "Billing options",
    "conf": "Conformance and profiles",
    "covinfo": "Coverage information",
    "dev": "Discovery, versions, configuration",
    "found": "Foundation",
    "hook": "Hooks",
    "impl": "Implementation",
    "metric": "Metrics",
    "ops": "Operations",
    "prof": "Value sets",
    "sec": "Security",
    "resp": "Responses",
    "cds-hooks-2.0/": "CDS Hooks 2.0",
}
_APPLIES = {"yes": "", "no": "Does not apply. ", "operator": "For the operator. ", "client": "Asked of clients. "}
_HEAD = """\
# How the service conforms

Every SHALL, SHALL NOT, SHOULD and MAY that CRD 2.2.1 puts to a server, by its key, and the rules of CDS Hooks 2.0 under keys
of our own: how each is met or why it does not apply, and the tests that show it. What differs in CRD 2.0.1 is answered to
clients that ask for it or name no version; see the [decision table](decision-table.md).

This page is made from `tests/conformance/requirements.toml` and from the `requirement` markers of the tests by
`python -m tests.conformance.make_conformance`; a test fails where it is not what that prints.
"""


class _Collector:
    """A pytest plugin that notes which test bears which key."""

    def __init__(self) -> None:
        self.shown: defaultdict[str, set[str]] = defaultdict(set)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Read the markers of every collected test."""
        for item in session.items:
            for mark in item.iter_markers("requirement"):
                for key in mark.args:
                    self.shown[str(key)].add(item.nodeid.partition("[")[0])


def requirements() -> dict[str, Requirement]:
    """Each requirement by its key, in the order of the file."""
    return tomllib.loads(REQUIREMENTS.read_text(encoding="utf-8"))


def tests_by_key() -> Shown:
    """The tests that pytest collects, slow ones too, by the keys that they bear. Raises RuntimeError if collecting fails."""
    collector = _Collector()
    arguments = ["--collect-only", "-q", "-n0", "-m", "", "-p", "no:cacheprovider", f"--rootdir={ROOT}", str(ROOT / "tests")]
    with contextlib.redirect_stdout(io.StringIO()) as said:
        code = pytest.main(arguments, plugins=[collector])
    if code != pytest.ExitCode.OK:
        raise RuntimeError(f"the tests cannot be collected:\n{said.getvalue()[-2000:]}")
    return {key: sorted(names) for key, names in collector.shown.items()}


def document(wanted: dict[str, Requirement], shown: Shown) -> str:
    """The page."""
    parts = [_HEAD, _summary(wanted, shown)]
    for stem, title in _GROUPS.items():
        rows = [_row(key, each, shown.get(key, [])) for key, each in wanted.items() if _belongs(key, stem)]
        parts.append("\n".join([f"## {title}\n", "| Key | | Requirement | How | Tests |", "|---|---|---|---|---|", *rows]) + "\n")
    return "\n".join(parts)


def _belongs(key: str, stem: str) -> bool:
    return key.startswith(stem) if stem.endswith("/") else key.rpartition("-")[0] == stem


def _summary(wanted: dict[str, Requirement], shown: Shown) -> str:
    lines = ["| | In all | Apply | Shown by a test | For the operator |", "|---|---|---|---|---|"]
    for strength in ("SHALL", "SHALL NOT", "SHOULD", "SHOULD NOT", "MAY"):
        having = {key: each for key, each in wanted.items() if each["strength"] == strength and each["applies"] != "client"}
        apply = [key for key, each in having.items() if each["applies"] == "yes"]
        tested = [key for key in apply if key in shown]
        operator = [key for key, each in having.items() if each["applies"] == "operator"]
        lines.append(f"| {strength} | {len(having)} | {len(apply)} | {len(tested)} | {len(operator)} |")
    return "\n".join(lines) + "\n"


def _row(key: str, each: Requirement, names: list[str]) -> str:
    how = _APPLIES[each["applies"]] + each["how"]
    return f"| {key} | {each['strength']} | {each['asks']} | {how} | {_tests(names)} |"


def _tests(names: list[str]) -> str:
    named = [f"[{_sentence(name)}](../{name.partition('::')[0]})" for name in names[:NAMED]]
    if len(names) > NAMED:
        named.append(f"and {len(names) - NAMED} more")
    return "; ".join(named)


def _sentence(name: str) -> str:
    return name.rpartition("::")[2].removeprefix("test_").replace("_", " ")


if __name__ == "__main__":
    sys.stdout.write(document(requirements(), tests_by_key()))

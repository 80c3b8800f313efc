"""The command line: explain, policies, and what it says to bad input."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from cds_service.cli import main
from cds_service.policy_files import PACKAGED
from tests import examples
from tests.calls import hook_call, order

AFTER = str(examples.FOLDER / "order-sign-after-the-change.request.json")
TODAY = ["--today", "2026-11-22"]
POLICY = PACKAGED / "blue-advantage-177.toml"


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("CDS_SERVICE_") or name in ("FORCE_COLOR", "NO_COLOR")]:
        monkeypatch.delenv(name)


def run(*arguments: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(main, arguments, input=stdin)


def refused(*arguments: str, stdin: str | None = None) -> str:
    """The one line on stderr of a command that must end with status 2 and say nothing else."""
    result = run(*arguments, stdin=stdin)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    return result.stderr


@pytest.mark.parametrize(
    "command", [("settings",), ("explain", AFTER), ("policies",), ("serve",), ("records", "show", "x"), ("records", "upgrade")]
)
def test_every_command_tells_each_wrong_setting_on_a_line_of_its_own(
    command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CDS_SERVICE_TIMEZONE", "Alabama")
    monkeypatch.setenv("CDS_SERVICE_MAX_BODY", "much")
    result = run(*command)
    assert (result.exit_code, result.stdout) == (2, "")
    assert sorted(line.split(": ")[:2] for line in result.stderr.splitlines()) == [
        ["cds-service", "CDS_SERVICE_MAX_BODY"],
        ["cds-service", "CDS_SERVICE_TIMEZONE"],
    ]


class TestExplain:
    def test_says_by_which_words_date_coverage_and_version_an_order_is_answered(self) -> None:
        result = run("explain", AFTER, *TODAY)
        assert result.exit_code == 0
        said = result.stdout
        assert "Recognised as MR neurography: yes" in said
        assert "“MR neurography right brachial plexus without and with contrast” in code.text" in said
        assert "Date of service 11/1/2023" in said
        assert "[occurrenceDateTime]" in said
        assert "Coverage Coverage/cov-5501: member" in said
        assert "version from 2023-11-01" in said
        assert "[warning] MR neurography: non-covered, investigational." in said
        assert "On the order: Add Blue Advantage coverage information" in said

    @pytest.mark.parametrize(
        ("name", "words"),
        [
            ("order-sign-not-mr-neurography", "Recognised"),
            ("order-sign-do-not-perform", "doNotPerform"),
            ("order-sign-other-insurer", "another insurer"),
            ("order-sign-no-coverage", "possibly a member"),
            ("order-sign-several-orders", "a MedicationRequest is not read"),
            ("order-sign-clinical-trial", "Clinical trial: shown by reason code Z00.6"),
            ("order-sign-before-the-change", "version from 2011-06-01"),
        ],
    )
    def test_says_why_an_order_is_answered_otherwise(self, name: str, words: str) -> None:
        assert words in run("explain", str(examples.FOLDER / f"{name}.request.json"), *TODAY).stdout

    @pytest.mark.parametrize(
        "name", ["order-sign-after-the-change", "order-sign-crd-2-2-possibly", "order-dispatch-hook-1-0", "order-sign-no-date"]
    )
    def test_json_prints_the_response_that_the_service_gives(self, name: str) -> None:
        def without_ids(body: object) -> str:
            return "".join(line for line in examples.laid_out(body).splitlines() if "uuid" not in line and "CRD-" not in line)

        result = run("explain", "--json", str(examples.FOLDER / f"{name}.request.json"), *TODAY)
        assert without_ids(json.loads(result.stdout)) == without_ids(json.loads(examples.response_text(name)))

    def test_reads_the_request_from_standard_input_at_a_dash(self) -> None:
        request = examples.request_text("order-sign-after-the-change")
        assert run("explain", "-", *TODAY, stdin=request).stdout == run("explain", AFTER, *TODAY).stdout

    def test_decides_as_on_the_day_given_when_the_order_states_none(self) -> None:
        undated = str(examples.FOLDER / "order-sign-no-date.request.json")
        assert "10/31/2023" in run("explain", undated, "--today", "2023-10-31").stdout
        assert "version from 2011-06-01" in run("explain", undated, "--today", "2023-10-31").stdout
        assert "version from 2023-11-01" in run("explain", undated, "--today", "2023-11-01").stdout

    def test_answers_as_the_service_named(self) -> None:
        request = str(examples.FOLDER / "order-select-cds-hooks-sandbox.request.json")
        assert "Name the procedure" in run("explain", request, *TODAY).stdout
        assert "Answer: no card." in run("explain", "--service", "order-select-crd", request, *TODAY).stdout

    def test_is_plain_when_piped_and_in_colour_when_colour_is_forced(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert "\x1b[" not in run("explain", AFTER, *TODAY).stdout
        monkeypatch.setenv("FORCE_COLOR", "1")
        result = CliRunner().invoke(main, ["explain", AFTER, *TODAY], color=True)
        assert "\x1b[" in result.stdout
        assert "Needed care should not be delayed" in result.stdout

    @pytest.mark.parametrize("colour", [False, True])
    def test_lets_no_order_command_the_terminal_or_add_a_line(self, colour: bool, monkeypatch: pytest.MonkeyPatch) -> None:
        if colour:
            monkeypatch.setenv("FORCE_COLOR", "1")
        hostile = order("MR neurography\x1b]0;title\x07 \x9b2J\u202e\nOrder forged\u00a0", id="[red]\x1b[2J")
        shown = CliRunner().invoke(main, ["explain", "-", *TODAY], input=json.dumps(hook_call(hostile)), color=True).stdout
        plain = re.sub(r"\x1b\[[\d;]*m", "", shown)  # colours are our own
        assert "MR neurography" in plain
        assert "ServiceRequest/[red]\N{REPLACEMENT CHARACTER}[2J" in plain
        assert not any(char in plain for char in "\x1b\x07\x9b\u202e")
        assert "\nOrder forged" not in plain

    def test_neither_does_the_order_of_a_call_that_is_refused(self) -> None:
        hostile = hook_call(order("MR neurography\x1b[2J\n"), coverage=None, extension={"davinci-crd.requestedVersion": "2.2"})
        result = run("explain", "-", *TODAY, stdin=json.dumps(hostile))
        assert result.exit_code == 2
        assert "MR neurography\N{REPLACEMENT CHARACTER}[2J" in result.stdout
        assert "\x1b" not in result.output

    def test_json_escapes_what_would_command_the_terminal(self) -> None:
        hostile = hook_call(order("MR neurography \x9b2J"))
        shown = run("explain", "--json", "-", *TODAY, stdin=json.dumps(hostile)).stdout
        assert "\x9b" not in shown
        assert json.loads(shown)["systemActions"][0]["resource"]["code"]["text"] == "MR neurography \x9b2J"


class TestExplainRefuses:
    def test_a_file_that_is_not_there(self) -> None:
        assert "nowhere.json: No such file" in refused("explain", "nowhere.json")

    def test_a_folder(self, tmp_path: Path) -> None:
        assert "Is a directory" in refused("explain", str(tmp_path))

    @pytest.mark.parametrize(
        ("body", "words"),
        [
            ("", "not valid JSON"),
            ("{", "not valid JSON"),
            ("[]", "not a JSON object"),
            ("\ud800".encode("utf-8", "surrogatepass").decode("latin-1"), "not valid JSON"),
            ("{}", "names no hook"),
            ('{"hook": "patient-view"}', "names no hook"),
            ('{"hook": "order-sign"}', "hookInstance: is missing"),
            ('{"hook": "order-sign", "hookInstance": "1", "context": {}}', "context.userId: is missing"),
        ],
    )
    def test_what_is_no_hook_request_and_says_where_and_how_to_mend_it(self, body: str, words: str) -> None:
        assert words in refused("explain", "-", stdin=body)

    def test_bytes_that_are_no_text(self, tmp_path: Path) -> None:
        path = tmp_path / "request.json"
        path.write_bytes(b'{"hook": "order-sign\xff"}')
        refused("explain", str(path))

    def test_what_the_service_would_answer_with_an_error(self) -> None:
        assert "prefetch.coverage" in refused(
            "explain", "--json", str(examples.FOLDER / "order-sign-crd-2-2-no-coverage.request.json"), *TODAY
        )

    def test_what_was_read_of_a_call_until_it_was_refused(self) -> None:
        result = run("explain", str(examples.FOLDER / "order-sign-crd-2-2-no-coverage.request.json"), *TODAY)
        assert result.exit_code == 2
        assert "Recognised as MR neurography: yes (rule M1)" in result.stdout
        assert "Coverage: none was sent or to be had" in result.stdout
        assert "Card: none; the call is refused." in result.stdout
        assert "no Coverage was sent or found for this patient" in result.stderr

    def test_a_service_that_there_is_not(self) -> None:
        assert "no such service" in refused("explain", AFTER, "--service", "order-cancel-crd")

    def test_a_day_that_is_none(self) -> None:
        assert run("explain", AFTER, "--today", "2023-02-29").exit_code == 2

    def test_a_wrong_setting(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("CDS_SERVICE_TIMEZONE", "Alabama")
        assert "CDS_SERVICE_TIMEZONE: is no IANA time zone" in refused("explain", AFTER)

    def test_an_order_without_quoting_its_patient(self) -> None:
        request = examples.request_text("order-sign-crd-2-2-order-without-id")
        said = run("explain", "-", *TODAY, stdin=request).output + refused("explain", "--json", "-", *TODAY, stdin=request)
        assert "Exampleton" not in said
        assert "pat-30117" not in said


class TestPolicies:
    def test_lists_every_policy_with_its_versions(self) -> None:
        result = run("policies")
        assert result.exit_code == 0
        assert "Blue Advantage policy #177, Magnetic Resonance Neurography" in result.stdout
        assert "from 2011-06-01: not-covered" in result.stdout
        assert "from 2023-11-01: not-covered" in result.stdout
        assert result.stdout.endswith("good.\n")

    def test_shows_a_table_when_colour_is_forced(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("FORCE_COLOR", "1")
        assert "\x1b[" in CliRunner().invoke(main, ["policies"], color=True).stdout

    def test_names_file_place_value_and_cure_of_a_defect(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        text = POLICY.read_text(encoding="utf-8")
        (tmp_path / "second.toml").write_text(text.replace('covered = "not-covered"', 'covered = "perhaps"', 1), encoding="utf-8")
        monkeypatch.setenv("CDS_SERVICE_POLICIES", str(tmp_path))
        said = refused("policies")
        assert str(tmp_path / "second.toml") in said
        assert "versions[0].covered" in said
        assert "'perhaps'" in said

    def test_counts_the_files_of_a_further_folder_and_passes_over_cases(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        text = POLICY.read_text(encoding="utf-8").replace('id = "blue-advantage-177"', 'id = "second"', 1)
        (tmp_path / "second.toml").write_text(text, encoding="utf-8")
        (tmp_path / "second.cases.toml").write_text("[[cases]]", encoding="utf-8")
        monkeypatch.setenv("CDS_SERVICE_POLICIES", str(tmp_path))
        assert "second: Blue Advantage policy #177" in run("policies").stdout
        assert "2 policy files are good." in run("policies").stdout

    def test_check_looks_at_one_file_wherever_it_stands(self, tmp_path: Path) -> None:
        good = tmp_path / "draft.toml"
        shutil.copy(POLICY, good)
        assert run("policies", "check", str(good)).stdout.endswith("1 policy file is good.\n")
        bad = tmp_path / "bad.toml"
        bad.write_text("id = ", encoding="utf-8")
        assert "bad.toml: TOML: " in refused("policies", "check", str(bad))
        assert "cannot be read" in refused("policies", "check", str(tmp_path / "missing.toml"))


class TestPolicyCases:
    def test_the_packaged_policy_answers_all_its_cases_as_expected(self) -> None:
        result = run("policies", "test", str(POLICY), *TODAY)
        assert result.exit_code == 0, result.stdout
        assert "FAILED" not in result.stdout

    def cases(self, folder: Path, text: str) -> Path:
        path = folder / "some.cases.toml"
        path.write_text(text, encoding="utf-8")
        return path

    def test_a_case_answered_otherwise_fails_and_says_what_came_and_why(self, tmp_path: Path) -> None:
        cases = self.cases(
            tmp_path,
            '[[cases]]\nname = "knee"\norder = "MRI knee"\ndate = 2026-01-01\nexpect = "not-covered"\n'
            '[[cases]]\nname = "day"\norder = "MRN arm"\ndate = 2023-11-01\nexpect = "not-covered"\ncites = [2011-06-01]\n',
        )
        result = run("policies", "test", str(POLICY), "--cases", str(cases))
        assert result.exit_code == 1
        assert "FAILED knee: no card, expected not-covered. " in result.stdout
        assert "FAILED day: not-covered citing 2023-11-01, expected not-covered citing 2011-06-01." in result.stdout
        assert "0 of 2 cases are answered as expected." in result.stdout

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("cases = 5", "cases"),
            ("cases = []", "cases"),
            ("[[cases]]\nname = ", "TOML"),
            pytest.param(f"cases = {'9' * 5000}", "TOML: holds a number of too many digits", id="digits"),
            pytest.param(f"cases = {'[' * 5000}", "TOML: is nested too deeply", id="nested"),
            ('[[cases]]\nname = "x"\nexpect = "maybe"\norder = "y"', "cases[0].expect"),
            ('[[cases]]\nname = "x"\nexpect = "no card"', "neither order nor code"),
            ('[[cases]]\nname = "x"\nexpect = "no card"\norder = "y"\nwhen = 1', "when"),
            ('[[cases]]\nname = "x"\nexpect = "no card"\ncode = "76498"', "SYSTEM CODE"),
            ('[[cases]]\nname = "x"\nexpect = "no card"\norder = "y"\ndate = "zz"', "x: date cannot be read (found 'zz')"),
            ('[[cases]]\nname = "x"\nexpect = "no card"\norder = "y"\ndate = "2023-02-30"', "write a date as 2023-11-01"),
            ('[[cases]]\nname = "x"\nexpect = "no card"\norder = "y"\ndate = ""', "leave it out"),
        ],
    )
    def test_a_defective_file_of_cases_is_refused_with_its_place(self, tmp_path: Path, text: str, words: str) -> None:
        assert words in refused("policies", "test", str(POLICY), "--cases", str(self.cases(tmp_path, text)))

    def test_a_policy_without_cases_says_where_they_were_sought(self, tmp_path: Path) -> None:
        shutil.copy(POLICY, tmp_path / "alone.toml")
        assert "alone.cases.toml" in refused("policies", "test", str(tmp_path / "alone.toml"))


class TestProcess:
    def test_the_module_runs_as_a_program_and_keeps_answers_and_errors_apart(self) -> None:
        program = [sys.executable, "-m", "cds_service", "explain"]
        request = examples.request_text("order-sign-before-the-change")
        good = subprocess.run([*program, "-", *TODAY], input=request, capture_output=True, text=True, timeout=60, check=False)
        assert (good.returncode, good.stderr) == (0, "")
        assert "policy #177" in good.stdout
        bad = subprocess.run([*program, "-"], input="no", capture_output=True, text=True, timeout=60, check=False)
        assert (bad.returncode, bad.stdout) == (2, "")
        assert bad.stderr.startswith("cds-service: -: ")
        assert bad.stderr.count("\n") == 1

    def test_every_command_tells_its_use(self) -> None:
        def commands(group: click.Group, *path: str) -> Iterator[list[str]]:
            for name in group.list_commands(click.Context(group)):
                command = group.get_command(click.Context(group), name)
                yield [*path, name]
                if isinstance(command, click.Group):
                    yield from commands(command, *path, name)

        told = list(commands(main))
        assert ["policies", "test"] in told
        for words in ([], *told):
            result = run(*words, "--help")
            assert result.exit_code == 0, words
            assert "Usage:" in result.stdout

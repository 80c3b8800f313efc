"""``cds-service records`` as an operator runs it: a process of its own, on records that the application kept."""

from __future__ import annotations

import base64
import csv
import io
import json
import os
import re
import shutil
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner

from cds_service.cli import main
from cds_service.policy_files import PACKAGED, load_policy
from cds_service.records import open_store
from tests import examples
from tests.conformance.bodies import knee, order, order_select, order_sign
from tests.conformance.harness import Answer
from tests.kept import KEY, NOON, Service, assertion_of, fresh, report

POLICY = PACKAGED / "blue-advantage-177.toml"
NEW_KEY = "newer:" + base64.b64encode(b"n" * 32).decode()
pytestmark = pytest.mark.slow  # each command starts a process
PATIENT_DATA = ("pat-al-001", "XAB123", "MR neurography, right brachial plexus", "Ramona-Quill asked for it", "2023-09-14")


@dataclass(frozen=True)
class Kept:
    """A records file, and the answers that stand in it."""

    file: Path
    signed: Answer
    refused: str
    quiet: str


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    """Four calls: one answered and overridden, one answered on order-select, one that said nothing, one refused."""
    file = tmp_path_factory.mktemp("kept") / "records.sqlite3"
    settings = examples.settings(records=True, database_url=f"sqlite:///{file}", records_keys=KEY)
    store = open_store(settings, clock=lambda: NOON)
    store.keep_policies({"blue-advantage-177": POLICY.read_bytes()})
    service = Service(settings, store)
    signed = service.call(fresh(order_sign(order())))
    service.feedback(report(signed))
    service.call(fresh(order_select(order())))
    quiet, refused = fresh(order_sign(knee())), fresh(order_sign(order(), prefetch=None, version="2.2"))
    service.call(quiet)
    assert service.call(refused).status == 412
    store.close()
    return Kept(file, signed, refused["hookInstance"], quiet["hookInstance"])


@pytest.fixture
def file(kept: Kept, tmp_path: Path) -> Path:
    """A copy of the records, to change."""
    return Path(shutil.copy(kept.file, tmp_path / "records.sqlite3"))


def run(
    file: Path | str, *words: str, keys: str = KEY, stdout: Any = subprocess.PIPE, **variables: str
) -> subprocess.CompletedProcess[str]:
    """``cds-service records`` with ``words``, on ``file`` (or a database's URL), in an environment without other settings."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("CDS_SERVICE_")}
    url = f"sqlite:///{file}" if isinstance(file, Path) else file
    return subprocess.run(
        [sys.executable, "-m", "cds_service", "records", *words],
        env=clean | {"CDS_SERVICE_DATABASE_URL": url, "CDS_SERVICE_RECORDS_KEYS": keys} | variables,
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        timeout=120,
        check=False,
    )


def run_here(file: Path | str, *words: str, keys: str = KEY, **variables: str) -> subprocess.CompletedProcess[str]:
    """As ``run``, in this process: a new one takes a second, and there are many ways to be wrong."""
    clean: dict[str, str | None] = {name: None for name in os.environ if name.startswith("CDS_SERVICE_")}
    url = f"sqlite:///{file}" if isinstance(file, Path) else file
    settings = {"CDS_SERVICE_DATABASE_URL": url, "CDS_SERVICE_RECORDS_KEYS": keys}
    result = CliRunner().invoke(main, ["records", *words], env=clean | settings | variables)
    return subprocess.CompletedProcess([], result.exit_code, result.stdout, result.stderr)


def said(file: Path, *words: str, **more: str) -> str:
    """What a command prints that must succeed and complain of nothing."""
    result = run(file, *words, **more)
    assert (result.returncode, result.stderr) == (0, "")
    return result.stdout


def refused(file: Path | str, *words: str, run: Callable[..., subprocess.CompletedProcess[str]] = run_here, **more: str) -> str:
    """The one line of a command that must end with status 2 and print nothing else."""
    result = run(file, *words, **more)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith("cds-service: ")
    assert result.stderr.count("\n") == 1
    return result.stderr


# show


@pytest.mark.requirement("found-37")
def test_show_prints_the_call_the_answer_and_the_reason_for_an_assertion_id(kept: Kept) -> None:
    text = said(kept.file, "show", assertion_of(kept.signed))
    for words in (
        "hook order-sign at order-sign-crd, by no named client",
        "HTTP 200",
        "the day:   2026-11-22",
        "Order ServiceRequest/mrn-1: what blue-advantage-177 is about is recognised",
        "MR neurography, right brachial plexus",
        "2023-11-01; source occurrenceDateTime",
        f"not-covered, coverage-assertion-id {assertion_of(kept.signed)}",
        kept.signed.cards[0]["summary"],
        "Needed care should not be delayed",
        "overridden, because: ",
        "comment: Ramona-Quill asked for it",
    ):
        assert words in text, words


@pytest.mark.requirement("found-37")
def test_show_says_why_a_call_was_refused_and_what_was_missing(kept: Kept) -> None:
    text = said(kept.file, "show", kept.refused)
    assert "HTTP 412" in text
    assert "missing:   Coverage?patient=pat-al-001&status=active (not-allowed)" in text
    assert "prefetch.coverage: the patient's Coverage was neither prefetched" in text


@pytest.mark.requirement("found-37")
def test_show_says_that_nothing_was_said(kept: Kept) -> None:
    text = said(kept.file, "show", kept.quiet)
    assert "No card and no coverage information was given." in text
    assert "Decided again just now, from what was kept:" in text
    assert "Recognised: no." in text


@pytest.mark.requirement("found-37")
@pytest.mark.parametrize(
    ("body", "words"),
    [
        (json.loads(examples.request_text("order-sign-other-insurer")), "Card: none; the patient is insured otherwise."),
        (order_sign(order(doNotPerform=True)), "(rule D1)"),
        (
            order_sign(order(), extension={"davinci-crd.configuration": {"coverage-info": False}}),
            "The client wanted no coverage information",
        ),
    ],
    ids=["insured otherwise", "doNotPerform", "nothing wanted"],
)
def test_show_says_why_an_order_got_no_card(file: Path, body: Any, words: str) -> None:
    store = open_store(examples.settings(records=True, database_url=f"sqlite:///{file}", records_keys=KEY))
    body = fresh(body)
    assert Service(examples.settings(records=True), store).call(body).raw == b'{"cards":[]}'
    store.close()
    text = said(file, "show", body["hookInstance"])
    assert "No order was recognised" not in text
    assert words in text


def test_show_of_an_id_that_is_not_kept_ends_with_status_1_and_one_line(kept: Kept) -> None:
    result = run(kept.file, "show", "BCBSAL-CRD-unknown")
    assert (result.returncode, result.stdout, result.stderr) == (
        1,
        "",
        f"cds-service: no call of that id is kept in sqlite:///{kept.file}\n",
    )


# replay


@pytest.mark.requirement("found-37")
def test_replay_of_a_span_says_that_every_answer_is_the_same(kept: Kept) -> None:
    text = said(kept.file, "replay", "--from", "2026-11-22", "--to", "2026-11-22")
    assert text.count("the same answer") == 4
    assert text.endswith("4 of 4 answers are the same\n")
    assert said(kept.file, "replay", kept.refused).endswith("1 of 1 answers are the same\n")


@pytest.mark.requirement("found-37")
def test_replay_tells_where_an_answer_differs_and_ends_with_status_1(kept: Kept, file: Path) -> None:
    """Another answer stands in the records than the one that was given."""
    settings = examples.settings(records=True, database_url=f"sqlite:///{file}", records_keys=KEY)
    store = open_store(settings)
    service = Service(settings, store)
    (found,) = store.find(assertion_of(kept.signed))
    other = found.call.response.replace(b"non-covered, investigational", b"covered")
    store.purge(NOON.replace(day=30))
    store.record_now(msgspec.structs.replace(found.call, response=other))
    service.call(fresh(order_sign(knee())))
    store.close()
    result = run(file, "replay", "--from", "2026-11-22")
    assert result.returncode == 1
    assert re.search(r'cards\[0\]\.summary: was "MR neurography: covered.*, is "MR neurography: non-covered', result.stdout)
    assert result.stdout.endswith("1 of 2 answers are the same\n")


def test_replay_by_a_policy_file_that_is_lost_goes_on_with_the_others_and_ends_with_status_2(file: Path, tmp_path: Path) -> None:
    settings = examples.settings(records=True, database_url=f"sqlite:///{file}", records_keys=KEY)
    changed = tmp_path / "changed.toml"
    changed.write_bytes(POLICY.read_bytes() + b"\n# lost\n")
    store = open_store(settings)
    Service(settings, store, policies=(load_policy(changed),)).call(fresh(order_sign(order())))
    store.close()
    result = run(file, "replay", "--from", "2026-11-22")
    assert result.returncode == 2
    assert result.stdout.endswith("4 of 5 answers are the same, 1 cannot be decided again\n")
    assert result.stderr.count("\n") == 1
    assert "the policy file blue-advantage-177 of then" in result.stderr


@pytest.mark.requirement("found-37")
@pytest.mark.parametrize("depth", [100, 300, 400, 440])
def test_replay_decides_an_order_nested_deep_again_like_any_other(file: Path, depth: int) -> None:
    settings = examples.settings(records=True, database_url=f"sqlite:///{file}", records_keys=KEY)
    store = open_store(settings)
    nested: dict[str, Any] = {"url": "http://example.org/leaf", "valueString": "leaf"}
    for _ in range(depth):
        nested = {"url": "http://example.org/nested", "extension": [nested]}
    answer = Service(settings, store).call(fresh(order_sign({**order(), "extension": [nested]})))
    store.close()
    assert answer.status == 200
    assert b"leaf" in answer.raw
    result = run(file, "replay", "--from", "2026-11-22")
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.endswith("5 of 5 answers are the same\n")


def test_replay_of_what_is_not_kept_is_one_line_and_status_2(kept: Kept) -> None:
    assert "no such call is kept" in refused(kept.file, "replay", "BCBSAL-CRD-unknown", run=run)
    assert "no such call is kept" in refused(kept.file, "replay", "--to", "2026-11-21")


# export


@pytest.mark.requirement("found-37")
def test_export_writes_a_line_for_each_call_and_nothing_of_the_patient(kept: Kept) -> None:
    text = said(kept.file, "export")
    lines = [json.loads(line) for line in text.splitlines()]
    assert [line["status"] for line in lines].count(200) == 3
    assert {line["hook"] for line in lines} == {"order-sign", "order-select"}
    signed = next(line for line in lines if line["feedback"])
    assert signed["determinations"][0]["assertion_id"] == assertion_of(kept.signed)
    assert signed["cards"][0]["uuid"] == kept.signed.cards[0]["uuid"]
    for words in PATIENT_DATA:
        assert words not in text
    assert "request" not in signed


def test_export_with_bodies_has_all_that_was_kept(kept: Kept) -> None:
    text = said(kept.file, "export", "--bodies", "--from", "2026-11-22", "--to", "2026-11-22")
    lines = [json.loads(line) for line in text.splitlines()]
    signed = next(line for line in lines if line["feedback"])
    assert json.loads(signed["response"]) == kept.signed.json
    assert json.loads(signed["request"])["context"]["patientId"] == "pat-al-001"
    for words in PATIENT_DATA:
        assert words in text


def test_export_to_a_file_leaves_standard_output_empty_and_an_empty_span_is_no_error(kept: Kept, tmp_path: Path) -> None:
    output = tmp_path / "calls.ndjson"
    assert said(kept.file, "export", "--output", str(output)) == ""
    assert len(output.read_text().splitlines()) == 4
    assert said(kept.file, "export", "--to", "2026-11-21") == ""


def test_an_export_of_nothing_leaves_nothing_in_its_file_and_nobody_else_may_read_it(kept: Kept, tmp_path: Path) -> None:
    output = tmp_path / "calls.ndjson"
    output.write_text("last time's")
    output.chmod(0o644)
    assert run_here(kept.file, "export", "--to", "2026-11-21", "--output", str(output)).returncode == 0
    assert (output.read_text(), stat.S_IMODE(output.stat().st_mode)) == ("", 0o600)
    new = tmp_path / "new.ndjson"
    assert run_here(kept.file, "export", "--bodies", "--output", str(new)).returncode == 0
    assert stat.S_IMODE(new.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("output", "words"),
    [("/proc/nowhere/calls.ndjson", "/proc/nowhere/calls.ndjson: No such file"), ("/dev/full", "No space left")],
)
def test_an_export_that_cannot_be_written_is_one_line(kept: Kept, output: str, words: str) -> None:
    assert words in refused(kept.file, "export", "--output", output, run=run)


@pytest.mark.parametrize("command", ["export", "measures", "show"])
def test_a_full_disk_behind_standard_output_is_one_line(kept: Kept, command: str) -> None:
    words = [command, assertion_of(kept.signed)] if command == "show" else [command]
    with Path("/dev/full").open("w") as full:
        result = run(kept.file, *words, stdout=full)
    assert (result.returncode, result.stderr) == (2, "cds-service: the output: No space left on device\n")


# measures


@pytest.mark.requirement("metric-1")
def test_the_three_formats_of_the_measures_tell_the_same_figures(kept: Kept) -> None:
    span = ("--from", "2026-11-22", "--to", "2026-11-22")
    as_json: list[dict[str, Any]] = json.loads(said(kept.file, "measures", *span, "--format", "json"))
    as_csv = list(csv.DictReader(io.StringIO(said(kept.file, "measures", *span, "--format", "csv"))))
    table = said(kept.file, "measures", *span)
    assert {(one["measure"], one.get("hook"), one["count"], one["of"]) for one in as_json} >= {
        ("calls", "order-sign", 3, None),
        ("answered", "order-sign", 2, 3),
        ("with_coverage_information", "order-sign", 1, 3),
        ("within_5_seconds", "order-sign", 3, 3),
        ("with_coverage_information", "order-select", 1, 1),
        ("coverage_information", None, 2, 2),
        ("feedback", None, 1, 2),
    }
    assert [(one["measure"], str(one["count"]), str(one["of"] or "")) for one in as_json] == [
        (one["measure"], one["count"], one["of"]) for one in as_csv
    ]
    cells = [[cell.strip() for cell in line.split("│")[1:-1]] for line in table.splitlines() if line.startswith("│")]
    rows = [cell for cell in cells if cell[-3].isdigit()]
    assert sorted(row[-3:-1] for row in rows) == sorted([one["count"], one["of"]] for one in as_csv)
    for words in PATIENT_DATA:
        assert words not in table + json.dumps(as_json)


def test_measures_of_a_span_without_calls_say_so(kept: Kept) -> None:
    assert said(kept.file, "measures", "--to", "2026-11-21") == "Nothing was kept in that span.\n"
    assert json.loads(said(kept.file, "measures", "--to", "2026-11-21", "--format", "json")) == []


# upkeep


def test_purge_deletes_calls_before_a_day_of_the_plan_with_all_that_hangs_on_them(kept: Kept, file: Path) -> None:
    assert said(file, "purge", "--before", "2026-11-22") == "0 calls deleted\n"
    assert said(file, "purge", "--before", "2026-11-23") == "4 calls deleted\n"
    assert said(file, "export") == ""
    assert run(file, "show", assertion_of(kept.signed)).returncode == 1


def test_upgrade_makes_the_tables_of_an_empty_file_and_leaves_those_of_a_full_one(kept: Kept, file: Path, tmp_path: Path) -> None:
    new = tmp_path / "new.sqlite3"
    assert said(new, "upgrade") == f"sqlite:///{new} is up to date\n"
    assert said(new, "measures") == "Nothing was kept in that span.\n"
    assert said(file, "upgrade").endswith("is up to date\n")
    assert "HTTP 200" in said(file, "show", assertion_of(kept.signed))


def test_days_beyond_all_records_are_no_errors(kept: Kept, file: Path) -> None:
    for day in ("9999-12-31", "2200-01-01"):
        assert len(run_here(file, "export", "--to", day).stdout.splitlines()) == 4
        assert run_here(file, "export", "--from", day).stdout == ""
    for zone in ("America/Chicago", "Pacific/Auckland"):
        everything = run_here(file, "measures", "--from", "0001-01-01", CDS_SERVICE_TIMEZONE=zone)
        assert (everything.returncode, everything.stderr) == (0, "")
    assert run_here(file, "purge", "--before", "2200-01-01").stdout == "4 calls deleted\n"


@pytest.mark.parametrize("command", ["replay", "export", "show"])
def test_a_reader_who_has_seen_enough_is_no_error(kept: Kept, command: str) -> None:
    words = ["show", assertion_of(kept.signed)] if command == "show" else [command, "--from", "2026-11-22"]
    reads, writes = os.pipe()
    os.close(reads)
    try:
        result = run(kept.file, *words, stdout=writes)
    finally:
        os.close(writes)
    assert (result.returncode, result.stderr) == (1, "")


def test_rekey_seals_with_the_newest_key_after_which_the_old_one_may_go(kept: Kept, file: Path) -> None:
    name = assertion_of(kept.signed)
    both = f"{NEW_KEY},{KEY}"
    assert "Ramona-Quill" in said(file, "show", name, keys=both)
    assert said(file, "rekey", keys=both) == "5 records sealed with the newest key\n"  # four calls, one report
    assert said(file, "rekey", keys=both) == "0 records sealed with the newest key\n"
    assert "Ramona-Quill" in said(file, "show", name, keys=NEW_KEY)
    assert "CDS_SERVICE_RECORDS_KEYS" in refused(file, "show", name, keys=KEY)


def test_rekey_names_what_does_not_open_and_goes_on_with_what_comes_after(kept: Kept, file: Path) -> None:
    both = f"{NEW_KEY},{KEY}"
    database = sqlite3.connect(file)
    ((first,),) = database.execute("SELECT call_id FROM calls ORDER BY id LIMIT 1")
    database.execute("UPDATE calls SET sealed = 'altered' WHERE call_id = ?", (first,))
    database.execute("UPDATE feedback SET key_id = 'lost'")
    database.commit()
    result = run_here(file, "rekey", keys=both)
    assert result.stdout == "3 records sealed with the newest key; 2 that do not open stay as they are\n"
    assert result.returncode == 2
    altered, lost = result.stderr.splitlines()
    assert altered.startswith(f"cds-service: {first}: calls.sealed/")
    assert lost.startswith(f"cds-service: {kept.signed.cards[0]['uuid']}: feedback.sealed/")
    assert "key 'lost', which is not at hand" in lost
    rows = database.execute("SELECT key_id, count(*) FROM calls GROUP BY key_id ORDER BY key_id").fetchall()
    assert rows == [("newer", 3), ("test", 1)]
    database.close()


# what is wrong is said in one line


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("sqlite:////proc/nowhere/records.sqlite3", "CDS_SERVICE_DATABASE_URL: /proc/nowhere/records.sqlite3 does not exist"),
        ("sqlite://", "a database in memory keeps nothing"),
        ("mysql://127.0.0.1/records", "mysql is not supported"),
        ("records.sqlite3", "is no SQLAlchemy URL"),
        ("postgresql://nobody:hunter2@127.0.0.1:1/records", "cannot be reached"),
        ("postgresql://127.0.0.1:1/records?user=nobody&password=hunter2", "cannot be reached"),
        ("postgresql://127.0.0.1:hunter2/records", "is no SQLAlchemy URL"),
    ],
)
def test_a_database_that_cannot_be_used_is_one_line_without_its_password(url: str, words: str) -> None:
    line = refused(url, "measures")
    assert words in line
    assert "hunter2" not in line


EACH_THAT_OPENS = pytest.mark.parametrize(
    "words", [["show", "id"], ["replay", "id"], ["export"], ["measures"], ["purge", "--before", "2026-01-01"], ["rekey"]]
)


@EACH_THAT_OPENS
def test_no_command_but_serve_and_upgrade_makes_a_file_where_none_is(tmp_path: Path, words: list[str]) -> None:
    path = tmp_path / "wrong" / "records.sqlite3"
    assert f"{path} does not exist" in refused(path, *words)
    assert list(tmp_path.iterdir()) == []


@EACH_THAT_OPENS
def test_no_command_but_serve_and_upgrade_makes_tables_or_a_key_in_an_empty_file(tmp_path: Path, words: list[str]) -> None:
    path = tmp_path / "records.sqlite3"
    path.touch(0o644)
    assert f"{path} is empty; name the file" in refused(path, *words, keys="")
    assert (list(tmp_path.iterdir()), path.stat().st_size, stat.S_IMODE(path.stat().st_mode)) == ([path], 0, 0o644)


@EACH_THAT_OPENS
@pytest.mark.parametrize(
    ("change", "cure"),
    [
        ("UPDATE alembic_version SET version_num = '0001'", "start the service, or run: cds-service records upgrade"),
        ("UPDATE alembic_version SET version_num = '9999'", "was migrated by a newer version of cds-service"),
        ("DROP TABLE alembic_version; PRAGMA journal_mode = DELETE", "has no tables yet"),
    ],
    ids=["older", "newer", "none of ours"],
)
def test_no_command_but_serve_and_upgrade_changes_a_file_of_another_version(
    file: Path, words: list[str], change: str, cure: str
) -> None:
    database = sqlite3.connect(file)
    database.executescript(change)
    database.close()
    before = file.read_bytes()
    assert cure in refused(file, *words)
    assert file.read_bytes() == before
    assert list(file.parent.iterdir()) == [file]


def test_a_command_on_a_file_without_records_makes_no_key(tmp_path: Path) -> None:
    path = tmp_path / "records.sqlite3"
    assert run_here(path, "upgrade").returncode == 0  # with a key of the settings, which is not kept beside the file
    assert "start the service, which makes it, or set CDS_SERVICE_RECORDS_KEYS" in refused(path, "measures", keys="")
    assert not path.with_name("records.sqlite3.key").exists()


def test_upgrade_makes_a_file_with_its_key_says_so_and_it_can_be_looked_at(tmp_path: Path) -> None:
    path = tmp_path / "records.sqlite3"
    made = run_here(path, "upgrade", keys="")
    key = path.with_name("records.sqlite3.key")
    assert str(key) in made.stderr
    assert (made.returncode, stat.S_IMODE(key.stat().st_mode)) == (0, 0o600)
    assert run_here(path, "export", keys="").returncode == 0


def test_a_command_that_looks_leaves_nothing_beside_the_file(kept: Kept, file: Path) -> None:
    assert run_here(file, "show", assertion_of(kept.signed)).returncode == 0
    assert list(file.parent.iterdir()) == [file]


def test_a_file_that_is_no_database_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "letter.txt"
    path.write_text("Dear plan, " * 500)
    assert "cannot be used as records" in refused(path, "measures", run=run)
    assert path.read_text().startswith("Dear plan")


@pytest.mark.parametrize("keys", ["nonsense", "id:c2hvcnQ=", f"{KEY},{KEY}", "other:" + base64.b64encode(b"o" * 32).decode()])
def test_keys_that_are_wrong_are_one_line_that_quotes_none(kept: Kept, keys: str) -> None:
    line = refused(kept.file, "measures", keys=keys)
    assert "CDS_SERVICE_RECORDS_KEYS" in line
    assert keys.partition(":")[2] == "" or keys.partition(":")[2] not in line


def test_a_wrong_setting_is_one_line(kept: Kept) -> None:
    assert "CDS_SERVICE_TIMEZONE" in refused(kept.file, "measures", CDS_SERVICE_TIMEZONE="Alabama")


@pytest.mark.parametrize("words", [["replay"], ["purge"], ["show"], ["measures", "--from", "yesterday"], ["forget"]])
def test_a_command_that_is_not_understood_ends_with_status_2_and_one_line(kept: Kept, words: list[str]) -> None:
    result = run(kept.file, *words)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith("cds-service: ")
    assert result.stderr.count("\n") == 1
    assert "--help" in result.stderr

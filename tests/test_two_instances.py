"""Instances under load that die hard: every assertion that reached a client is found, every token id was accepted once."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from cds_service.records import CallRecord, open_store
from cds_service.settings import load_settings
from cds_service.token_tool import load_private_key, make_key_pair, sign_token
from tests.instances import PATH, Instance, Load, Sent, command, free_port
from tests.kept import KEY
from tests.postgres import empty_database

pytestmark = pytest.mark.slow  # starts and kills whole instances
PUBLIC_URL = "https://crd.example.org"


@pytest.fixture
def database() -> Iterator[str]:
    """The address of an empty PostgreSQL database, without tables."""
    with empty_database() as url:
        yield url


def kept_in(url: str) -> list[CallRecord]:
    """Every call that a database holds, opened."""
    store = open_store(load_settings(database_url=url, records_keys=KEY))
    try:
        return list(store.calls(None, None))
    finally:
        store.close()


def account_for_answers(sent: list[Sent], kept: list[CallRecord]) -> int:
    """See that each answer that bore an assertion is kept as it was given, once; how many there were."""
    by_assertion = {told.assertion_id: call for call in kept for told in call.determinations if told.assertion_id}
    assert sum(len(call.determinations) for call in kept) == len(by_assertion), "an assertion is kept twice"
    asserted = [each for each in sent if each.assertion_id]
    for each in asserted:
        assert each.assertion_id in by_assertion, f"{each.assertion_id} was answered and is not kept"
        assert by_assertion[each.assertion_id].response == each.raw
        assert by_assertion[each.assertion_id].hook_instance == each.hook_instance
    assert [each for each in sent if each.asks and each.status == 200 and not each.assertion_id] == []
    return len(asserted)


# PostgreSQL


@pytest.mark.postgres
def test_a_server_is_refused_without_a_key_or_tables_and_served_from_after_upgrade(database: str, tmp_path: Path) -> None:
    def refused(**variables: str) -> str:
        result = command("serve", "--port", "0", database_url=database, **variables)
        assert (result.returncode, result.stdout) == (2, "")
        assert result.stderr.startswith("cds-service: ")
        assert result.stderr.count("\n") == 1
        return result.stderr

    assert "CDS_SERVICE_RECORDS_KEYS: a database server needs a key" in refused()
    assert "has no tables yet; run: cds-service records upgrade" in refused(records_keys=KEY)
    for _ in range(2):
        upgraded = command("records", "upgrade", database_url=database)
        assert (upgraded.returncode, upgraded.stdout) == (0, f"{database.replace(':', '+psycopg:', 1)} is up to date\n")
    assert "CDS_SERVICE_RECORDS_KEYS: a database server needs a key" in refused()
    with Instance(tmp_path / "log", database_url=database, records_keys=KEY) as instance:
        load = Load(lambda _: {})
        load.drive([(number, instance.port) for number in range(8)], threads=2)
    assert [each.status for each in load.sent] == [200] * 8
    kept = kept_in(database)
    assert account_for_answers(load.sent, kept) == 6
    assert {call.hook_instance for call in kept} == {each.hook_instance for each in load.sent}
    other_key = KEY.replace("test:", "other:")
    assert "CDS_SERVICE_RECORDS_KEYS: " in refused(records_keys=other_key)


class Tokens:
    """The tokens of one client, by number: the same number is the same token, to the character."""

    def __init__(self, folder: Path) -> None:
        pair = make_key_pair("ES384")
        (folder / "keys.json").write_text(json.dumps(pair.jwks))
        self.clients = folder / "clients.toml"
        self.clients.write_text('[[client]]\nname = "ehr"\niss = "https://ehr.example.org"\njwks_file = "keys.json"\n')
        self._key = load_private_key(pair.private_pem)
        self._made: dict[int, str] = {}
        self._making = threading.Lock()

    def headers(self, number: int) -> dict[str, str]:
        with self._making:
            if number not in self._made:
                self._made[number] = sign_token(self._key, iss="https://ehr.example.org", aud=f"{PUBLIC_URL}{PATH}")
            return {"Authorization": f"Bearer {self._made[number]}"}


@pytest.mark.postgres
@pytest.mark.requirement("found-11", "found-37", "cds-hooks-2.0/jwt-jti")
def test_of_two_instances_on_one_server_one_killed_hard_loses_no_answer_and_lets_no_token_in_twice(
    database: str, tmp_path: Path
) -> None:
    tokens = Tokens(tmp_path)
    assert command("records", "upgrade", database_url=database).returncode == 0
    settings = {"database_url": database, "records_keys": KEY, "mode": "jwt", "public_url": PUBLIC_URL}
    settings["clients"] = str(tokens.clients)
    ports, load, count = (free_port(), free_port()), Load(tokens.headers), 3000
    running = [Instance(tmp_path / f"log-{port}", port, **settings) for port in ports]
    killed_at = 0.0

    def kill() -> None:
        nonlocal killed_at
        running[0].kill()
        killed_at = time.monotonic()

    def restart() -> None:
        running[0] = Instance(running[0].log, ports[0], **settings)

    try:
        for each in running:
            each.__enter__()
        # The same token to both instances at the same moment, the first of them dead for a while.
        both = [(number, port) for number in range(count) for port in ports]
        load.drive(both, at={count: kill, count + 50: restart})
        running[0].__enter__()
        # Then each once more, to the restarted instance and the one that had never stopped in turn.
        load.drive([(number, ports[number % 2]) for number in range(count)])
    finally:
        for each in running:
            each.stop()
    kept = kept_in(database)
    assert account_for_answers(load.sent, kept) > count // 2
    account_for_tokens(load.sent)
    account_for_quiet_calls(load.sent, kept, killed_at, ports[0])


def account_for_tokens(sent: list[Sent]) -> None:
    assert {each.status for each in sent} == {0, 200, 401}
    accepted = Counter(each.number for each in sent if each.status == 200)
    unanswered = {each.number for each in sent if each.status == 0}
    assert max(accepted.values()) == 1, "a token id was accepted twice"
    # Of a token whose acceptance died with the instance no answer came; every other was accepted once.
    lost = {each.number for each in sent} - accepted.keys()
    assert lost <= unanswered
    assert len(lost) <= 8, "more tokens than calls under way were used up without an answer"


def account_for_quiet_calls(sent: list[Sent], kept: list[CallRecord], killed_at: float, killed_port: int) -> None:
    """A call that said nothing is at most a second old when it is lost; three are allowed here, on a busy machine."""
    instances = {call.hook_instance for call in kept}
    for each in sent:
        if each.status == 200 and not each.asks and each.hook_instance not in instances:
            assert each.port == killed_port
            assert killed_at - 3 < each.at <= killed_at + 1


# SQLite


@pytest.mark.requirement("found-11", "found-37")
def test_an_instance_on_a_file_that_is_killed_hard_loses_no_answer_and_serves_again(tmp_path: Path) -> None:
    url, port = f"sqlite:///{tmp_path}/records.sqlite3", free_port()
    load = Load(lambda _: {})
    with Instance(tmp_path / "log", port, database_url=url, records_keys=KEY) as instance:
        one_worker = instance.workers()[-1]
        calls = [(number, port) for number in range(900)]
        load.drive(calls, at={200: lambda: os.kill(one_worker, signal.SIGKILL), 600: instance.kill})
    assert {each.status for each in load.sent} == {0, 200}
    before = account_for_answers(load.sent, kept_in(url))
    assert before > 200
    with Instance(tmp_path / "log", port, database_url=url, records_keys=KEY):
        load.drive([(number, port) for number in range(40)])
    # stopped in order: what said nothing was written out too
    kept = kept_in(url)
    assert account_for_answers(load.sent, kept) == before + 30
    assert {each.hook_instance for each in load.sent[-40:]} <= {call.hook_instance for call in kept}
    connection = sqlite3.connect(tmp_path / "records.sqlite3")
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()


def test_what_is_past_retention_is_purged_by_a_service_that_is_called(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/records.sqlite3"
    settings = {"database_url": url, "records_keys": KEY}
    load = Load(lambda _: {})
    with Instance(tmp_path / "log", None, **settings) as instance:
        load.drive([(1, instance.port)])
    (call,) = kept_in(url)
    store, now = open_store(load_settings(**settings)), datetime.now(UTC)
    for name, age in (("past", timedelta(days=30, minutes=5)), ("not past", timedelta(days=29))):
        store.record_now(msgspec.structs.replace(call, call_id=str(uuid.uuid4()), at=now - age, hook_instance=name))
    store.close()
    with Instance(tmp_path / "log", None, **settings, retention_days="30") as instance:
        load.drive([(1, instance.port)] * 8)  # it says something each time: purging waits for no call of another kind
        deadline = time.monotonic() + 100
        while len(kept := kept_in(url)) > 10:
            assert time.monotonic() < deadline
            time.sleep(2)
    assert sorted(call.hook_instance for call in kept) == sorted([each.hook_instance for each in load.sent] + ["not past"])

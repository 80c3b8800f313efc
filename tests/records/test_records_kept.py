"""Calls are kept before they are answered, or a moment later, and never twice or half."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import structlog.testing
from conftest import a_call, a_determination, environment  # type: ignore[import-not-found]

from cds_service.records import (
    CallRecord,
    RecordsUnavailable,
    RecordUnstorable,
    Store,
    breaker,
    database,
    open_store,
    tables,
    together,
)
from cds_service.records.later import LaterWriter
from cds_service.records.together import TogetherWriter, TurnMissed, _Waiting
from cds_service.settings import Settings, load_settings

Rows = Callable[[str], list[Any]]


def test_no_call_is_taken_for_kept_when_the_writing_thread_fails_in_an_unforeseen_way() -> None:
    first_is_in, may_go_on = threading.Event(), threading.Event()

    def write(calls: Sequence[CallRecord]) -> None:
        names = [call.hook_instance for call in calls]
        if names == ["first"]:
            first_is_in.set()
            assert may_go_on.wait(10)
        elif len(names) > 1:
            raise RecordUnstorable("one of them")
        else:
            raise OverflowError("nobody thought of that")

    writer = TogetherWriter(write, patience=10)
    with ThreadPoolExecutor(4) as threads:
        first = threads.submit(writer.write, a_call(hook_instance="first"))
        assert first_is_in.wait(10)
        others = [threads.submit(writer.write, a_call(hook_instance=name)) for name in ("a", "b", "c")]
        while len(writer._brought) < 3:
            time.sleep(0.001)
        may_go_on.set()
        assert first.exception() is None
        assert [type(each.exception()) for each in others].count(RecordsUnavailable) == 2
        assert [type(each.exception()) for each in others].count(OverflowError) == 1


def test_a_call_that_comes_alone_waits_for_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(together, "GATHERING", 3600)
    batches: list[int] = []
    writer = TogetherWriter(lambda calls: batches.append(len(calls)), patience=5)
    for _ in range(3):
        writer.write(a_call())
    assert batches == [1, 1, 1]


def test_calls_that_come_together_again_and_again_share_one_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(together, "GATHERING", 3600)
    batches: list[int] = []
    first_is_in, others_are_there = threading.Event(), threading.Event()

    def write(calls: Sequence[CallRecord]) -> None:
        batches.append(len(calls))
        if len(batches) == 1:
            first_is_in.set()
            assert others_are_there.wait(10)

    writer = TogetherWriter(write, patience=10)
    with ThreadPoolExecutor(5) as threads:
        kept = [threads.submit(writer.write, a_call())]
        assert first_is_in.wait(10)
        kept += [threads.submit(writer.write, a_call()) for _ in range(4)]
        while len(writer._brought) < 4:
            time.sleep(0.001)
        others_are_there.set()
        for each in kept:
            each.result()
        assert batches == [1, 4]
        for each in [threads.submit(writer.write, a_call()) for _ in range(4)]:
            each.result()
    assert batches == [1, 4, 4]


@pytest.mark.requirement("found-11", "found-37")
def test_a_call_is_found_by_its_assertion_id_exactly_as_it_was_kept(store: Store) -> None:
    call = a_call(a_determination(), a_determination(answer="possibly", covered=None, assertion_id=None))
    store.record_now(call)
    [found] = store.find(str(call.determinations[0].assertion_id))
    assert found.call == call
    assert found.feedback == ()


@pytest.mark.requirement("found-37")
def test_a_call_about_which_nothing_was_said_is_kept_too(store: Store) -> None:
    call = a_call()
    store.record_later(call)
    store.close()
    assert [found.call for found in store.find(call.hook_instance)] == [call]


def test_one_hook_instance_finds_every_call_that_bore_it_newest_first(store: Store) -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    calls = [a_call(hook_instance="always-the-same", at=start + timedelta(minutes=n)) for n in range(3)]
    for call in calls:
        store.record_now(call)
    assert [found.call for found in store.find("always-the-same")] == calls[::-1]
    assert [found.call for found in store.find("always-the-same", limit=1)] == calls[:1:-1]


def test_letter_case_and_spaces_around_an_id_do_not_matter(store: Store) -> None:
    made = f"BCBSAL-CRD-{uuid.uuid4()}"
    mixed = "AbCdEf12-461f-53D9-a2d0-b92A6d38c700"
    written = [str(uuid.uuid4()), str(uuid.uuid4()).upper(), " Always the Same ", mixed, f"\tURN:UUID:{mixed} "]
    calls = [a_call(a_determination(assertion_id=made), hook_instance=each) for each in written]
    for call in calls:
        store.record_now(call)
    for asked in (made, made.upper(), f" {made.lower()}\n"):
        assert len(store.find(asked)) == 5
    for call in calls:
        instance = call.hook_instance
        for asked in (instance, instance.upper(), f"\t{instance.strip().lower()} ", instance.strip(), call.cards[0].uuid.upper()):
            assert [found.call for found in store.find(asked)] == [call]
    assert store.find(" ") == []


@pytest.mark.parametrize("written", ["AbCdEf12-461f-53D9-a2d0-b92A6d38c700", "ABCDEF12-461F-53D9-A2D0-B92A6D38C700", " Odd One "])
def test_an_instance_is_found_that_was_kept_when_letter_case_made_a_difference(store: Store, rows: Rows, written: str) -> None:
    call = a_call(hook_instance=written)
    store.record_now(call)
    rows(f"UPDATE calls SET hook_instance = '{tables.plain_as_first_kept(written)}'")
    assert [found.call for found in store.find(written)] == [call]


def test_what_was_never_kept_is_not_found(store: Store) -> None:
    store.record_now(a_call(a_determination()))
    assert store.find("no-such-id") == []


def test_record_now_has_committed_when_it_returns(store: Store, rows: Rows) -> None:
    store.record_now(a_call(a_determination()))
    assert rows("SELECT count(*) FROM calls")[0][0] == 1
    assert rows("SELECT count(*) FROM determinations")[0][0] == 1
    assert rows("SELECT count(*) FROM cards")[0][0] == 1


def test_a_call_with_a_determination_takes_one_commit(settings: Settings, store: Store) -> None:
    commits = []

    class Counting:
        def __init__(self, counted: Any) -> None:
            self._counted = counted

        def __getattr__(self, name: str) -> Any:
            return getattr(self._counted, name)

        def execute(self, statement: str, *rows: Any) -> None:
            commits.extend(["COMMIT"] if statement == "COMMIT" else [])
            self._counted.execute(statement, *rows)

        def commit(self) -> None:
            commits.append("commit()")
            self._counted.commit()

    store.record_now(a_call(a_determination()))
    [held] = store._here.driver._idle
    held.connection, held.cursor = Counting(held.connection), Counting(held.cursor)
    store.record_now(a_call(a_determination(), a_determination()))
    assert len(commits) == 1
    held.connection, held.cursor = held.connection._counted, held.cursor._counted


def test_record_later_is_written_within_a_second(store: Store, rows: Rows) -> None:
    store.record_now(a_call())  # to connect for the first time is no part of it
    for _ in range(3):
        store.record_later(a_call())
    deadline = time.monotonic() + 1.0
    while rows("SELECT count(*) FROM calls")[0][0] < 4:
        assert time.monotonic() < deadline, "older than a second and not written"
        time.sleep(0.05)


def test_a_call_written_twice_is_kept_once(store: Store, rows: Rows) -> None:
    call = a_call(a_determination())
    store.record_now(call)
    store.record_now(call)
    assert rows("SELECT count(*) FROM determinations")[0][0] == 1


@pytest.mark.parametrize("how", ["now", "later", "both at once"])
def test_a_call_of_which_another_answer_was_given_in_the_end_is_kept_as_it_was_answered(
    store: Store, rows: Rows, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setattr("cds_service.records.tables.row_id", lambda at, call_id: 77)
    others = [a_call(a_determination()), a_call()]
    meant = a_call(a_determination(), a_determination())
    given = a_call(
        a_determination(covered=None, assertion_id=None),
        call_id=meant.call_id,
        at=meant.at,
        hook_instance=meant.hook_instance,
        response=b'{"cards": [{"summary": "the card alone"}]}',
    )
    for call in (others[0], meant, others[1]) if how != "both at once" else ():
        store.record_now(call)
    if how == "now":
        store.record_now(given)
    elif how == "later":
        store.record_later(given)
        store.close()
    else:
        store._here.writer.write([others[0], meant, others[1], given])
    assert [found.call for found in store.find(meant.hook_instance)] == [given]
    assert all(store.find(call.hook_instance)[0].call == call for call in others)
    assert rows("SELECT count(*) FROM determinations")[0][0] == 2
    assert rows("SELECT count(*) FROM cards")[0][0] == 2
    assert sum(each.count for each in store.measures(None, None) if each.name == "coverage_information") == 1


def test_calls_that_would_share_a_row_are_both_kept(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cds_service.records.tables.row_id", lambda at, call_id: 77)
    calls = [a_call(a_determination()) for _ in range(3)]
    for call in calls:
        store.record_now(call)
    for call in calls:
        assert store.find(call.hook_instance)[0].call == call


def test_calls_of_one_batch_that_would_share_a_row_are_all_kept(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cds_service.records.tables.row_id", lambda at, call_id: 77)
    calls = [a_call() for _ in range(3)]
    store._here.writer.write(calls)
    assert store.count(None, None) == 3


def test_strange_client_text_is_kept_and_found(store: Store) -> None:
    for name in ("nul \x00 inside", "x" * 10_000, "línea\nnueva", "with spaces"):
        call = a_call(hook_instance=name)
        store.record_now(call)
        assert store.find(name)[0].call == call


def test_a_value_no_database_takes_costs_only_its_own_record(store: Store) -> None:
    good = [a_call(), a_call()]
    bad = a_call(software_version="nul \x00") if "postgresql" in store.url else a_call(status={"no": "number"})
    with pytest.raises(RecordUnstorable):
        store.record_now(bad)
    for call in (good[0], bad, good[1]):
        store.record_later(call)
    store.close()
    assert [store.find(call.hook_instance)[0].call for call in good] == good
    assert store.lost == 1


def test_with_records_off_nothing_is_kept(settings: Settings) -> None:
    store = open_store(settings.model_copy(update={"records": False}))
    store.record_now(a_call(a_determination()))
    store.record_later(a_call())
    assert store.count(None, None) == 0
    assert store.token_is_new("ehr-one", "still-guarded", 2_000_000_000)
    store.close()


def test_many_threads_may_use_one_store(store: Store) -> None:
    calls = [a_call(a_determination()) for _ in range(60)]
    threads = [
        threading.Thread(target=lambda part: [store.record_now(call) for call in part], args=(calls[n::6],)) for n in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.count(None, None) == 60


def test_calls_that_wait_for_the_same_turn_share_a_commit_and_each_hears_of_its_own_fate() -> None:
    batches: list[list[str]] = []
    first_is_in, may_go_on = threading.Event(), threading.Event()

    def write(calls: Any) -> None:
        batches.append([call.hook_instance for call in calls])
        if batches[-1] == ["first"]:
            first_is_in.set()
            may_go_on.wait(5)
        if "bad" in batches[-1]:
            raise RecordUnstorable("bad")

    together = TogetherWriter(write, patience=5)
    failed: list[str] = []

    def keep(name: str) -> None:
        try:
            together.write(a_call(hook_instance=name))
        except RecordUnstorable:
            failed.append(name)

    threads = [threading.Thread(target=keep, args=(name,)) for name in ("first", "second", "bad", "third")]
    threads[0].start()
    first_is_in.wait(5)
    for thread in threads[1:]:
        thread.start()
    while len(together._brought) < 3:
        time.sleep(0.01)
    assert batches == [["first"]]
    may_go_on.set()
    for thread in threads:
        thread.join()
    assert sorted(batches[1]) == ["bad", "second", "third"]
    assert sorted(batches[2:]) == [["bad"], ["second"], ["third"]]
    assert failed == ["bad"]


def test_a_store_opened_before_a_fork_serves_parent_and_child(store: Store) -> None:
    before, in_child, after = a_call(a_determination()), a_call(a_determination()), a_call(a_determination())
    store.record_now(before)
    store.record_later(a_call(hook_instance="waiting-in-the-parent"))
    child = os.fork()
    if child == 0:
        try:
            store.record_now(in_child)
            store.record_later(a_call(hook_instance="from-the-child"))
            store.close()
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    store.record_now(after)
    store.close()
    for call in (before, in_child, after):
        assert store.find(call.hook_instance)[0].call == call
    assert len(store.find("waiting-in-the-parent")) == len(store.find("from-the-child")) == 1


WORKER = """
import sys, uuid
sys.path.insert(0, {folder!r})
from conftest import a_call, a_determination
from cds_service.records import open_store
from cds_service.settings import load_settings
store = open_store(load_settings())
while True:
    call = a_call(a_determination())
    store.record_now(call)
    print(call.determinations[0].assertion_id, flush=True)
"""


@pytest.mark.requirement("found-11")
def test_a_worker_killed_hard_loses_no_answer_that_it_gave(settings: Settings, store: Store) -> None:
    code = WORKER.format(folder=str(Path(__file__).parent))
    worker = subprocess.Popen([sys.executable, "-c", code], env=environment(settings), stdout=subprocess.PIPE, text=True)
    assert worker.stdout is not None
    given = [worker.stdout.readline().strip() for _ in range(40)]
    worker.send_signal(signal.SIGKILL)
    given += worker.stdout.read().split("\n")[:-1]
    worker.wait()
    worker.stdout.close()
    assert len(given) >= 40
    for assertion_id in given:
        assert len(store.find(assertion_id)) == 1


def test_what_waits_is_written_when_the_process_ends_without_close(settings: Settings, store: Store) -> None:
    code = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from conftest import a_call
from cds_service.records import open_store
from cds_service.settings import load_settings
open_store(load_settings()).record_later(a_call(hook_instance="the-last-words"))
"""
    subprocess.run([sys.executable, "-c", code], env=environment(settings), check=True, timeout=30)
    assert len(store.find("the-last-words")) == 1


class TestTheEmbeddedFile:
    @pytest.fixture
    def file_store(self, tmp_path: Path) -> Iterator[Store]:
        opened = open_store(load_settings(database_url=f"sqlite:///{tmp_path}/r.sqlite3"))
        yield opened
        opened.close()

    def test_a_commit_outlives_the_machine(self, file_store: Store) -> None:
        file_store.record_now(a_call())
        cursor = file_store._here.driver._idle[0].connection.cursor()
        # 2 is FULL: https://www.sqlite.org/pragma.html#pragma_synchronous
        assert cursor.execute("PRAGMA synchronous").fetchone() == (2,)
        assert cursor.execute("PRAGMA journal_mode").fetchone() == ("wal",)

    def test_a_store_that_is_locked_is_unavailable_and_not_waited_for_long(
        self, file_store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(database, "PATIENCE", 0.2)
        engine = sa.create_engine(f"sqlite:///{tmp_path}/r.sqlite3", isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.exec_driver_sql("BEGIN EXCLUSIVE")
            began = time.monotonic()
            with pytest.raises(RecordsUnavailable) as raised:
                file_store.record_now(a_call(a_determination()))
            assert time.monotonic() - began < 1.5
            connection.exec_driver_sql("ROLLBACK")
        engine.dispose()
        assert "Ramona" not in str(raised.value)
        time.sleep(breaker.REST)
        file_store.record_now(a_call())

    def test_after_a_failure_calls_of_the_next_second_do_not_wait_and_then_one_tries(
        self, file_store: Store, tmp_path: Path
    ) -> None:
        def seconds(act: Callable[[], object]) -> float:
            began = time.monotonic()
            with pytest.raises(RecordsUnavailable):
                act()
            return time.monotonic() - began

        file_store.record_now(a_call())
        holder = sqlite3.connect(tmp_path / "r.sqlite3", isolation_level=None)
        holder.execute("BEGIN EXCLUSIVE")
        assert 0.5 < seconds(lambda: file_store.record_now(a_call(a_determination()))) < 2
        for _ in range(3):
            assert seconds(lambda: file_store.record_now(a_call(a_determination()))) < 0.2
            assert seconds(lambda: file_store.token_is_new("ehr-one", "token", 2_000_000_000)) < 0.2
            assert seconds(lambda: file_store.record_feedback("order-sign-crd", None, [])) < 0.2
        holder.execute("ROLLBACK")
        holder.close()
        time.sleep(1.1)
        call = a_call(a_determination())
        file_store.record_now(call)
        file_store.record_now(a_call(a_determination()))
        assert file_store.token_is_new("ehr-one", "token", 2_000_000_000)
        assert file_store.find(call.hook_instance)[0].call == call

    def test_forty_calls_at_once_on_a_locked_store_wait_together_and_none_is_kept_that_was_refused(
        self, file_store: Store, tmp_path: Path
    ) -> None:
        file_store.record_now(a_call())
        holder = sqlite3.connect(tmp_path / "r.sqlite3", isolation_level=None)
        holder.execute("BEGIN EXCLUSIVE")
        calls, quiet = [a_call(a_determination()) for _ in range(40)], a_call()

        def is_kept(call: CallRecord) -> bool:
            try:
                file_store.record_now(call)
            except RecordsUnavailable:
                return False
            return True

        began = time.monotonic()
        with ThreadPoolExecutor(40) as pool:
            answers = [pool.submit(is_kept, call) for call in calls]
            asked = time.monotonic()
            file_store.record_later(quiet)
            assert time.monotonic() - asked < 0.2
        assert time.monotonic() - began < 2.5
        assert not any(answer.result() for answer in answers)
        holder.execute("ROLLBACK")
        holder.close()
        file_store.close()
        assert not any(file_store.find(call.hook_instance) for call in calls)
        assert len(file_store.find(quiet.hook_instance)) == 1

    def test_a_disk_that_answers_nobody_is_waited_for_by_the_first_callers_alone(
        self, file_store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        gate, here = threading.Event(), file_store._here
        run = here.driver._run
        monkeypatch.setattr(here.driver, "_run", lambda *arguments: gate.wait(10) and run(*arguments))
        monkeypatch.setattr(here._together, "_patience", 0.1)
        first = a_call(a_determination())
        with ThreadPoolExecutor(1) as pool:
            writing = pool.submit(file_store.record_now, first)
            while not here.driver._turn.locked():
                time.sleep(0.001)
            with pytest.raises(TurnMissed):
                file_store.record_now(a_call(a_determination()))
            for _ in range(3):
                with pytest.raises(RecordsUnavailable, match="failed a moment ago"):
                    file_store.record_now(a_call(a_determination()))
            gate.set()
            writing.result(10)
        file_store.record_now(a_call(a_determination()))
        assert file_store.find(first.hook_instance)[0].call == first
        assert file_store.count(None, None) == 2

    def test_a_token_id_is_on_the_disk_with_the_next_record_and_at_once_where_none_are_kept(
        self, file_store: Store, tmp_path: Path
    ) -> None:
        file_store.token_is_new("ehr-one", "first", 2_000_000_000)
        [held] = file_store._here.driver._idle
        # 1 is NORMAL: the log is synced by the next transaction that is FULL
        assert held.connection.execute("PRAGMA synchronous").fetchone() == (1,)
        for kept in range(3):
            file_store.record_now(a_call(a_determination()))
            assert held.connection.execute("PRAGMA synchronous").fetchone() == (2,)
            assert file_store.token_is_new("ehr-one", f"token {kept}", 2_000_000_000)
            assert held.connection.execute("PRAGMA synchronous").fetchone() == (1,)
        off = open_store(load_settings(database_url=f"sqlite:///{tmp_path}/r.sqlite3", records=False))
        assert off.token_is_new("ehr-two", "first", 2_000_000_000)
        assert off._here.driver._idle[0].connection.execute("PRAGMA synchronous").fetchone() == (2,)
        off.close()

    def test_readiness_says_what_is_wrong(self, file_store: Store) -> None:
        assert file_store.ready() is None
        with file_store._here.engine.begin() as connection:
            connection.execute(sa.text("UPDATE alembic_version SET version_num = '0000'"))
        assert "revision 0000" in str(file_store.ready())


class _Sink:
    """Stands in for the database of a LaterWriter."""

    def __init__(self) -> None:
        self.kept: list[CallRecord] = []
        self.lost = 0
        self.down = False

    def write(self, calls: Any) -> None:
        if self.down:
            raise RecordsUnavailable("down")
        self.kept += calls

    def lose(self, count: int) -> None:
        self.lost += count


def test_a_thread_that_waits_too_long_withdraws_and_nothing_of_it_is_written() -> None:
    gate = threading.Event()
    written: list[CallRecord] = []

    def write(calls: Sequence[CallRecord]) -> None:
        assert gate.wait(10)
        written.extend(calls)

    together = TogetherWriter(write, patience=0.1)
    first, second, third = a_call(), a_call(), a_call()
    with ThreadPoolExecutor(2) as pool:
        writing = pool.submit(together.write, first)
        while not together._is_writing:
            time.sleep(0.01)
        with pytest.raises(TurnMissed):
            together.write(second)
        gate.set()
        writing.result(10)
    together.write(third)
    assert written == [first, third]


def test_a_thread_whose_call_is_being_written_by_another_hears_of_its_fate_however_long_that_takes() -> None:
    first_gate, gate = threading.Event(), threading.Event()
    written: list[CallRecord] = []

    def write(calls: Sequence[CallRecord]) -> None:
        assert (gate if written else first_gate).wait(10)
        written.extend(calls)

    together = TogetherWriter(write, patience=0.5)
    calls = [a_call() for _ in range(3)]
    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(together.write, calls[0])
        while not together._is_writing or together._brought:
            time.sleep(0.001)
        others = [pool.submit(together.write, call) for call in calls[1:]]
        while len(together._brought) < 2:
            time.sleep(0.001)
        first_gate.set()  # of the others one writes for both now, and takes longer than the patience of the second
        first.result(10)
        time.sleep(0.8)
        assert not any(other.done() for other in others)
        gate.set()
        for other in others:
            other.result(10)
    assert {call.call_id for call in written} == {call.call_id for call in calls}


def test_a_thread_that_is_to_write_for_others_at_the_moment_its_patience_ends_writes() -> None:
    written: list[CallRecord] = []
    together = TogetherWriter(written.extend, patience=0.1)
    waiting = _Waiting(a_call())
    together._is_writing, together._brought = True, [waiting]
    # As it is between the end of its patience and the moment when it can look.
    with together._lock:
        late = threading.Thread(target=together._wait, args=(waiting,))
        late.start()
        time.sleep(0.3)
        waiting.may_write = True
        waiting.is_told.release()
    late.join()
    together._write_what_was_brought()
    assert written == [waiting.call]
    together.write(a_call())
    assert len(written) == 2


def test_the_breaker_lets_nobody_in_after_a_failure_then_one_and_all_after_a_success(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(breaker.time, "monotonic", lambda: now[0])
    found = breaker.Breaker()
    entered = found.enter()
    found.check(entered)
    found.failed()
    with pytest.raises(RecordsUnavailable):
        found.check(entered)
    now[0] += breaker.REST - 0.01
    assert found.is_open
    with pytest.raises(RecordsUnavailable):
        found.enter()
    now[0] += 0.02
    found.check(found.enter())
    with pytest.raises(RecordsUnavailable):
        found.enter()
    found.succeeded()
    found.check(found.enter())
    assert not found.is_open


def test_calls_that_cannot_be_written_yet_are_kept_and_written_in_order_when_the_store_is_back() -> None:
    sink, calls = _Sink(), [a_call() for _ in range(5)]
    sink.down = True
    later = LaterWriter(sink.write, sink.lose, lambda: None, age=0.02)
    for call in calls:
        assert later.add(call)
    deadline = time.monotonic() + 5
    while not later.is_failing and time.monotonic() < deadline:
        time.sleep(0.01)
    assert later.is_failing
    sink.down = False
    later.close()
    assert sink.kept == calls
    assert sink.lost == 0


def test_calls_left_when_the_store_stays_down_are_counted_and_named_as_lost() -> None:
    sink, calls = _Sink(), [a_call() for _ in range(5)]
    sink.down = True
    with structlog.testing.capture_logs() as logs:
        later = LaterWriter(sink.write, sink.lose, lambda: None, age=0.02, batch=2)
        for call in calls:
            later.add(call)
        later.close()
    assert (sink.lost, len(later)) == (5, 0)
    lost = [line for line in logs if line["event"] == "record_lost"]
    assert [(line["call_id"], line["reason"]) for line in lost] == [(call.call_id, "down") for call in calls]


def test_an_error_that_nobody_foresaw_ends_neither_the_thread_nor_the_writing() -> None:
    sink, calls, errors = _Sink(), [a_call() for _ in range(5)], [MemoryError("Ramona-Quill")] * 2
    tidied = threading.Event()

    def write(batch: Sequence[CallRecord]) -> None:
        if errors and batch[0] is calls[0]:
            raise errors.pop()
        sink.write(batch)

    def tidy() -> None:
        tidied.set()
        raise RuntimeError("can't start new thread")

    with structlog.testing.capture_logs() as logs:
        later = LaterWriter(write, sink.lose, tidy, age=0.02)
        later.add(calls[0])
        deadline = time.monotonic() + 5
        while not later.is_failing and time.monotonic() < deadline:
            time.sleep(0.001)
        assert later.is_failing
        while len(later) and time.monotonic() < deadline:
            time.sleep(0.01)
        for call in calls[1:]:
            assert later.add(call)
        later.close()
    assert tidied.is_set()
    assert (sink.kept, sink.lost) == (calls, 0)
    assert not later.is_failing
    assert {(line["event"], line["reason"]) for line in logs} == {
        ("records_delayed", "MemoryError"),
        ("records_not_tidied", "RuntimeError"),
    }


def test_a_thread_that_cannot_be_started_is_started_with_the_next_call(monkeypatch: pytest.MonkeyPatch) -> None:
    def start(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    sink, calls = _Sink(), [a_call(), a_call()]
    later = LaterWriter(sink.write, sink.lose, lambda: None, age=0.02)
    with monkeypatch.context() as without_threads:
        without_threads.setattr(threading.Thread, "start", start)
        assert later.add(calls[0])
    assert later.add(calls[1])
    later.close()
    assert sink.kept == calls
    never = LaterWriter(sink.write, sink.lose, lambda: None, age=0.02)
    monkeypatch.setattr(threading.Thread, "start", start)
    assert never.add(a_call())
    never.close()
    assert sink.lost == 1


def test_a_call_of_which_writing_fails_again_in_an_unforeseen_way_is_lost_alone_and_counted() -> None:
    sink, calls = _Sink(), [a_call() for _ in range(5)]

    def write(batch: Sequence[CallRecord]) -> None:
        if calls[2] in batch:
            raise OverflowError("nobody thought of that")
        sink.write(batch)

    later = LaterWriter(write, sink.lose, lambda: None, age=0.02)
    for call in calls:
        later.add(call)
    deadline = time.monotonic() + 5
    while len(later) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert (sink.kept, sink.lost, len(later)) == (calls[:2] + calls[3:], 1, 0)
    later.close()


def test_what_an_unforeseen_error_leaves_at_the_end_is_counted_as_lost() -> None:
    sink = _Sink()

    def write(batch: Sequence[CallRecord]) -> None:
        raise OverflowError("nobody thought of that")

    later = LaterWriter(write, sink.lose, lambda: None, age=30, batch=2)
    for _ in range(5):
        later.add(a_call())
    later.close()
    assert (sink.lost, len(later)) == (5, 0)


def test_a_full_queue_refuses_and_the_store_writes_at_once(store: Store) -> None:
    store._here.later._most = 2
    store._here.later._age = 30
    for _ in range(5):
        store.record_later(a_call())
    assert store.waiting <= 2
    assert store.count(None, None) >= 3
    store.close()
    assert store.count(None, None) == 5
    assert store.lost == 0


def test_a_queue_is_bounded_in_bytes_too() -> None:
    sink = _Sink()
    later = LaterWriter(sink.write, sink.lose, lambda: None, age=30, most_bytes=1000)
    call = a_call(request=b"x" * 600)
    assert [later.add(call) for _ in range(3)] == [True, True, False]
    later.close()
    assert len(sink.kept) == 2


def test_a_lost_call_is_told_to_whoever_counts(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[int] = []
    store = open_store(settings, on_lost=told.append)
    store._here.later.is_failing = True
    store._here.later._most = 0
    store.record_later(a_call())
    assert told == [1]
    store._here.later.is_failing = False
    monkeypatch.setattr(store._here, "write_now", lambda _: 1 / 0)
    store.record_later(a_call())
    assert told == [1, 1]
    store.close()

"""Kept calls are exported, counted, purged, decided again and explained, by the store and on the command line."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
import structlog.testing
from click.testing import CliRunner
from conftest import SECRETS, a_call, a_determination  # type: ignore[import-not-found]

from cds_service.crd.feedback import FeedbackItem
from cds_service.records import CallRecord, Store, open_store
from cds_service.records.cli import records_group
from cds_service.records.replay import ReplayInput, compare, replay_input
from cds_service.settings import Settings

pytestmark = pytest.mark.slow  # starts processes

Rows = Callable[[str], list[Any]]
DAY = datetime(2026, 3, 10, 15, tzinfo=UTC)
#: The override reasons that cards offer.
CODES = ("not-mr-neurography", "patient-informed")


def overridden(card: str, code: str | None = "not-mr-neurography", **changes: Any) -> FeedbackItem:
    values = {"card": card, "outcome": "overridden", "outcome_at": DAY, "reason_code": code, **changes}
    return FeedbackItem(**values)


def figures(store: Store, name: str, start: datetime | None = None, end: datetime | None = None) -> list[tuple[Any, ...]]:
    return [(*one.group.values(), one.count, one.of) for one in store.measures(start, end) if one.name == name]


class TestMeasures:
    @pytest.mark.requirement("metric-1")
    def test_volume_and_share_with_coverage_information_and_within_5_seconds_by_hook_and_client(self, store: Store) -> None:
        store.record_now(a_call(a_determination()))
        store.record_now(a_call(a_determination(assertion_id=None, covered=None), duration_ms=5000.0))
        store.record_now(a_call(duration_ms=5000.1, status=400))
        store.record_now(a_call(hook="order-select", client=None))
        assert figures(store, "calls") == [("order-select", "(none)", 1, None), ("order-sign", "ehr-one", 3, None)]
        assert figures(store, "answered")[1] == ("order-sign", "ehr-one", 2, 3)
        assert figures(store, "with_coverage_information")[1] == ("order-sign", "ehr-one", 1, 3)
        assert figures(store, "within_5_seconds")[1] == ("order-sign", "ehr-one", 2, 3)

    @pytest.mark.requirement("metric-1")
    def test_coverage_information_by_its_covered_code(self, store: Store) -> None:
        store.record_now(a_call(a_determination(), a_determination(), a_determination(covered="conditional")))
        store.record_now(a_call(a_determination(assertion_id=None, covered=None)))
        assert figures(store, "coverage_information") == [
            ("blue-advantage-177", "conditional", 1, 3),
            ("blue-advantage-177", "not-covered", 2, 3),
        ]

    @pytest.mark.requirement("metric-1")
    def test_what_an_order_bore_already_is_not_counted_as_given(self, store: Store) -> None:
        call = a_call(a_determination(), a_determination(is_repeated=True))
        store.record_now(call)
        store.record_now(a_call(a_determination(is_repeated=True)))
        assert figures(store, "with_coverage_information") == [("order-sign", "ehr-one", 1, 2)]
        assert figures(store, "coverage_information") == [("blue-advantage-177", "not-covered", 1, 1)]
        assert store.find(str(call.determinations[1].assertion_id))[0].call == call
        assert [told["repeated"] for line in store.export(None, None) for told in line["determinations"]] == [False, True, True]

    def test_recognition_by_answer_and_rule(self, store: Store) -> None:
        store.record_now(a_call(a_determination(), a_determination(answer="possibly", rule="P3")))
        store.record_now(a_call(a_determination()))
        assert figures(store, "orders_recognised") == [
            ("blue-advantage-177", "2011-06-01 2023-11-01", "possibly", "P3", 1, None),
            ("blue-advantage-177", "2011-06-01 2023-11-01", "yes", "D1", 2, None),
        ]

    def test_feedback_by_outcome_of_the_cards_shown_and_by_override_reason(self, store: Store) -> None:
        calls = [a_call(a_determination()) for _ in range(4)]
        for call in calls:
            store.record_now(call)
        cards = [call.cards[0].uuid for call in calls]
        store.record_feedback(
            "order-sign-crd", "ehr-one", [overridden(cards[0]), overridden(cards[1], "patient-informed")], CODES
        )
        later = overridden(cards[0], outcome="accepted", outcome_at=DAY + timedelta(seconds=1), reason_code=None)
        store.record_feedback("order-sign-crd", "ehr-one", [later, overridden(cards[2], "Ramona-Quill")], CODES)
        assert figures(store, "cards") == [("blue-advantage-177", "yes", 4, None)]
        assert figures(store, "feedback") == [
            ("blue-advantage-177", "yes", "accepted", 1, 4),
            ("blue-advantage-177", "yes", "overridden", 2, 4),
        ]
        assert sorted(figures(store, "override_reasons")) == [
            ("blue-advantage-177", "yes", "(other)", 1, 2),
            ("blue-advantage-177", "yes", "patient-informed", 1, 2),
        ]

    def test_feedback_counts_with_the_day_of_its_card_and_on_an_unknown_card_with_its_own(self, settings: Settings) -> None:
        now = [DAY]
        store = open_store(settings, clock=lambda: now[0])
        calls = [a_call(a_determination(), at=DAY + timedelta(days=day)) for day in (0, 1)]
        for call in calls:
            store.record_now(call)
        now[0] = DAY + timedelta(days=1)
        for item in (overridden(calls[0].cards[0].uuid), overridden(calls[1].cards[0].uuid), overridden(str(uuid.uuid4()))):
            store.record_feedback("order-sign-crd", "ehr-one", [item], CODES)
        shown, unknown = ("blue-advantage-177", "yes", "overridden", 1, 1), ("(unknown card)", "", "overridden", 1, None)
        middle = DAY + timedelta(hours=12)
        assert figures(store, "feedback", None, middle) == [shown]
        assert sorted(figures(store, "feedback", middle)) == [unknown, shown]
        assert [line[-2:] for line in figures(store, "override_reasons", None, middle)] == [(1, 1)]
        assert sorted(figures(store, "feedback")) == [unknown, (*shown[:3], 2, 2)]
        store.close()

    def test_the_first_moment_of_a_span_counts_and_the_last_does_not(self, store: Store) -> None:
        for at in (DAY - timedelta(milliseconds=1), DAY, DAY + timedelta(hours=1), DAY + timedelta(days=1)):
            store.record_now(a_call(a_determination(), at=at))
        end = DAY + timedelta(days=1)
        assert figures(store, "calls", DAY, end) == [("order-sign", "ehr-one", 2, None)]
        assert figures(store, "coverage_information", DAY, end)[0][-1] == 2
        assert store.count(DAY, None) == 3


class TestExport:
    def test_without_bodies_nothing_of_the_patient_is_in_it(self, store: Store) -> None:
        call = a_call(a_determination())
        store.record_now(call)
        store.record_feedback(
            "order-sign-crd", "ehr-one", [overridden(call.cards[0].uuid, comment="her words to the clinician")], CODES
        )
        [line] = store.export(None, None)
        text = msgspec.json.encode(line).decode()
        assert not any(secret in text for secret in SECRETS)
        assert line["determinations"][0]["assertion_id"] == call.determinations[0].assertion_id
        assert line["feedback"][0]["reason_code"] == "not-mr-neurography"

    def test_with_bodies_all_that_was_kept_is_in_it(self, store: Store) -> None:
        call = a_call(a_determination(), request=b'{"value": 1.10}', response=b"\xff not UTF-8")
        store.record_now(call)
        store.record_feedback(
            "order-sign-crd", "ehr-one", [overridden(call.cards[0].uuid, comment="her words to the clinician")], CODES
        )
        [line] = store.export(None, None, bodies=True)
        assert line["request"] == '{"value": 1.10}'
        assert line["response"] == "\\xff not UTF-8"
        assert line["determinations"][0]["evidence"] == call.determinations[0].evidence
        assert line["feedback"][0]["comment"] == "her words to the clinician"
        assert line["policy_hashes"] == call.policy_hashes

    def test_every_call_of_the_span_comes_once_and_in_order(self, store: Store) -> None:
        calls = [a_call(at=DAY + timedelta(seconds=n)) for n in range(250)]
        store._here.writer.write(calls[::-1])
        lines = list(store.export(DAY, DAY + timedelta(seconds=249)))
        assert [line["call_id"] for line in lines] == [call.call_id for call in calls[:-1]]

    def test_feedback_is_looked_for_once_a_page_and_not_at_all_for_calls_without_cards(self, store: Store) -> None:
        queries: list[str] = []
        sa.event.listen(store._here.engine, "before_cursor_execute", lambda *given: queries.append(given[2]))
        store._here.writer.write([a_call(at=DAY + timedelta(seconds=n)) for n in range(200)])
        assert len(list(store.export(None, None))) == 200
        assert [query for query in queries if "FROM feedback" in query] == []
        calls = [a_call(a_determination(), a_determination(), client=client) for client in ("ehr-one", "ehr-two") * 2]
        store._here.writer.write(calls)
        cards = [card.uuid for call in calls for card in call.cards]
        for card in cards:
            store.record_feedback("order-sign-crd", "ehr-one", [overridden(card)])
        lines = list(store.export(None, None))[200:]
        assert len([query for query in queries if "FROM feedback" in query]) == 1
        told = [(line["client"], report["card"]) for line in lines for report in line["feedback"]]
        assert sorted(told) == sorted(("ehr-one", card.uuid) for call in calls[::2] for card in call.cards)

    def test_a_record_that_cannot_be_opened_does_not_stop_the_others(self, store: Store, rows: Rows) -> None:
        calls = [a_call(at=DAY + timedelta(seconds=n)) for n in range(3)]
        store._here.writer.write(calls)
        rows(f"UPDATE calls SET key_id = 'lost' WHERE call_id = '{calls[1].call_id}'")
        lines = list(store.export(None, None, bodies=True))
        assert ["unreadable" in line for line in lines] == [False, True, False]


class TestPurge:
    def test_what_is_older_goes_with_all_that_hangs_on_it_and_the_rest_stays(self, store: Store, rows: Rows) -> None:
        old, new = a_call(a_determination(), at=DAY - timedelta(milliseconds=1)), a_call(a_determination(), at=DAY)
        for call in (old, new):
            store.record_now(call)
            store.record_feedback("order-sign-crd", "ehr-one", [overridden(call.cards[0].uuid)], CODES)
        assert store.purge(DAY) == 1
        assert store.find(old.hook_instance) == []
        [kept] = store.find(new.hook_instance)
        assert kept.call == new
        assert len(kept.feedback) == 1
        for table in ("calls", "determinations", "cards", "feedback"):
            assert rows(f"SELECT count(*) FROM {table}")[0][0] == 1, table

    def test_many_go_in_small_transactions(self, store: Store) -> None:
        store._here.writer.write([a_call(at=DAY + timedelta(seconds=n)) for n in range(250)])
        assert store.purge(DAY + timedelta(seconds=249)) == 249

    @pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
    def test_no_transaction_that_deletes_goes_over_a_table_or_touches_many_rows(self, store: Store, rows: Rows) -> None:
        """Whoever holds the lock of the embedded file for long keeps every call from its assertion."""
        calls = [a_call(a_determination(), at=DAY + timedelta(seconds=n)) for n in range(120)]
        store._here.writer.write(calls)
        often = [overridden(calls[0].cards[0].uuid, outcome_at=DAY + timedelta(seconds=n)) for n in range(130)]
        strange = [overridden(str(uuid.uuid4())) for _ in range(130)]
        once = [overridden(call.cards[0].uuid) for call in calls]
        store.record_feedback("order-sign-crd", "ehr-one", [*often, *strange, *once])
        ran: list[tuple[str, Any]] = []
        touched: list[int] = []

        def watch(connection: sa.Connection, cursor: Any, statement: str, given: Any, *_: Any) -> None:
            if not connection.get_execution_options().get("reads") and not statement.startswith("BEGIN"):
                ran.append((statement, given))
                touched.append(cursor.rowcount)

        sa.event.listen(store._here.engine, "after_cursor_execute", watch)
        assert store.purge(datetime.now(UTC) + timedelta(days=1)) == 120
        sa.event.remove(store._here.engine, "after_cursor_execute", watch)
        for table in ("calls", "determinations", "cards", "feedback"):
            assert rows(f"SELECT count(*) FROM {table}")[0][0] == 0, table
        assert {statement.split()[0] for statement, _ in ran} == {"DELETE", "SELECT"}
        assert max(touched) <= 50
        with store._here.engine.connect() as connection:
            plans = [connection.exec_driver_sql("EXPLAIN QUERY PLAN " + statement, given).all() for statement, given in ran]
        assert [step for plan in plans for *_, step in plan if step.startswith("SCAN")] == []

    @pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
    def test_where_nothing_is_to_be_purged_the_lock_is_not_taken(self, settings: Settings, store: Store) -> None:
        store.record_now(a_call(a_determination(), at=DAY))
        store.record_feedback("order-sign-crd", "ehr-one", [overridden(str(uuid.uuid4()))])
        holder = sqlite3.connect(str(settings.database_url).removeprefix("sqlite:///"), isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        assert store.purge(DAY) == 0
        holder.close()

    @pytest.mark.parametrize(("days", "left"), [(None, 3), (30, 2)])
    def test_only_a_retention_time_purges_by_itself(self, settings: Settings, days: int | None, left: int) -> None:
        now = datetime(2026, 6, 30, tzinfo=UTC)
        store = open_store(settings.model_copy(update={"retention_days": days}), clock=lambda: now)
        for age in (timedelta(days=30, milliseconds=1), timedelta(days=30), timedelta(0)):
            store.record_now(a_call(at=now - age))
        store._here.tidy_up()
        assert store.count(None, None) == left
        store.close()

    @pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
    def test_a_store_that_cannot_be_tidied_is_told_and_tidied_later(self, settings: Settings, store: Store, rows: Rows) -> None:
        store.token_is_new("ehr-one", "long gone", 1)
        holder = sqlite3.connect(str(settings.database_url).removeprefix("sqlite:///"), isolation_level=None)
        holder.execute("BEGIN EXCLUSIVE")
        with structlog.testing.capture_logs() as logs:
            store._here.tidy_up()
        holder.execute("ROLLBACK")
        holder.close()
        assert [(line["event"], line["log_level"]) for line in logs] == [("records_not_tidied", "warning")]
        store._here.tidy_up()
        assert rows("SELECT count(*) FROM seen_tokens") == [(0,)]


class TestReplay:
    ANSWER = (
        b'{"cards": [{"uuid": "%s", "summary": "s", "suggestions": [{"uuid": "%s"}]}], "systemActions":'
        b' [{"resource": {"id": "1", "v": 1.10, "e": "BA177-%s"}}]}'
    )

    def answer(self, *ids: int) -> bytes:
        return self.ANSWER % tuple(b"0000000%d-0000-4000-8000-000000000000" % number for number in ids)

    def test_ids_made_anew_make_no_difference(self) -> None:
        assert compare(self.answer(1, 2, 3), self.answer(7, 8, 9)) == []

    def test_which_ids_are_the_same_does(self) -> None:
        assert [one.place for one in compare(self.answer(1, 2, 1), self.answer(7, 8, 9))] == ["systemActions[0].resource.e"]

    def test_an_id_that_came_with_the_request_is_not_made_anew(self) -> None:
        fixed = frozenset({"00000003-0000-4000-8000-000000000000"})
        assert compare(self.answer(1, 2, 3), self.answer(1, 2, 3), fixed) == []
        assert len(compare(self.answer(1, 2, 3), self.answer(1, 2, 4), fixed)) == 1

    @pytest.mark.parametrize(
        ("then", "now", "places"),
        [
            (b'{"a": 1.10}', b'{"a": 1.1}', ["a"]),
            (b'{"a": [1, 2]}', b'{"a": [1]}', ["a"]),
            (b'{"a": {"b": "x"}}', b'{"a": {"b": "y"}}', ["a.b"]),
            (b'{"a": 1}', b"{}", ["a"]),
            (b"{}", b'{"a": 1}', ["a"]),
            (b'{"a": 1}', b'{"a": true}', ["a"]),
            (b'{"a": 1, "b": 2}', b'{"b": 2, "a": 1}', []),
            (b"not json", b"not json", []),
            (b"not json", b"{}", [""]),
        ],
    )
    def test_any_other_difference_is_told_at_its_place(self, then: bytes, now: bytes, places: list[str]) -> None:
        assert [one.place for one in compare(then, now)] == places

    @pytest.mark.parametrize("depth", [300, 500, 900, 5000])
    def test_answers_nested_too_deep_to_walk_through_are_compared_as_text(self, depth: int) -> None:
        def deep(uuid: int, word: bytes) -> bytes:
            return b'{"cards": [], "a": ' + b"[" * depth + self.answer(uuid, uuid, 9) + b"]" * depth + b', "b": "%s"}' % word

        assert compare(deep(1, b"x"), deep(2, b"x")) == []
        (one,) = compare(deep(1, b"x"), deep(2, b"y"))
        assert (one.then[-3:], one.now[-3:]) == ('x"}', 'y"}') if one.place == "" else (one.then, one.now) == ("x", "y")

    def test_the_decision_gets_what_was_kept_and_the_policy_file_by_its_hash(self, store: Store) -> None:
        hashes = store.keep_policies({"blue-advantage-177": b"title = 'one'", "other": b"x = 1"})
        assert store.keep_policies({"blue-advantage-177": b"title = 'two'"}) != hashes
        call = a_call(a_determination(), policy_hashes={"blue-advantage-177": hashes["blue-advantage-177"], "gone": "00" * 32})
        given = replay_input(call, store.policy_files(call.policy_hashes))
        assert given.policies == {"blue-advantage-177": b"title = 'one'"}
        assert (given.request, given.fetched, given.today) == (call.request, call.fetched, "2026-11-22")


def explain(given: ReplayInput) -> list[str]:
    """Stands in for deciding a call again."""
    if given.request == b"odd":
        raise KeyError("Ramona-Quill")
    return [f"Order \x1b on {given.today}: Ramona-Quill is insured otherwise."]


class TestTheCommandLine:
    @pytest.fixture
    def run(self, settings: Settings) -> Callable[..., Any]:
        kept: list[CallRecord] = []

        def decide(given: ReplayInput) -> bytes:
            return b'{"cards": []}' if given.request == b"changed" else b'{"cards": [{"summary": "same"}]}'

        def run(*words: str, **more: Any) -> Any:
            return CliRunner().invoke(records_group(lambda: settings, decide, explain), words, **more)

        assert not kept
        return run

    @pytest.fixture
    def call(self, store: Store) -> CallRecord:
        call = a_call(a_determination(), at=DAY, response=b'{"cards": [{"summary": "same"}]}')
        store.record_now(call)
        store.record_feedback("order-sign-crd", "ehr-one", [overridden(call.cards[0].uuid, comment="an ultrasound")], CODES)
        return call

    @pytest.mark.requirement("found-37")
    def test_show_tells_the_call_the_answer_and_the_reason(self, run: Callable[..., Any], call: CallRecord) -> None:
        for name in (call.determinations[0].assertion_id, call.hook_instance, call.cards[0].uuid):
            result = run("show", name)
            assert result.exit_code == 0
            for words in (
                "2026-03-10 15:00:00 UTC",
                "order-sign",
                "ehr-one",
                "HTTP 200",
                "blue-advantage-177 is about is recognised (rule D1)",
                "MR neurography of the left plexus",
                "2011-06-01, 2023-11-01",
                "not-covered",
                "(None): same",
                "not-mr-neurography",
                "an ultrasound",
            ):
                assert words in result.output, words

    def test_show_lets_no_order_text_command_the_terminal(self, run: Callable[..., Any], store: Store) -> None:
        store.record_now(a_call(a_determination(order_place="\x1b[2J\x9b31m"), hook_instance="h-1"))
        shown = run("show", "h-1").output
        assert "Order \N{REPLACEMENT CHARACTER}[2J" in shown
        assert not {"\x1b", "\x9b"} & set(shown)

    def test_show_tells_by_deciding_it_again_why_a_call_got_no_card(self, run: Callable[..., Any], store: Store) -> None:
        store.record_now(a_call(hook_instance="h-1", response=b'{"cards": []}'))
        lines = run("show", "h-1").output.splitlines()
        assert lines[-3:] == [
            "  No card and no coverage information was given.",
            "  Decided again just now, from what was kept:",
            "    Order \N{REPLACEMENT CHARACTER} on 2026-11-22: Ramona-Quill is insured otherwise.",
        ]
        store.record_now(a_call(hook_instance="h-2", request=b"odd"))
        assert run("show", "h-2").output.splitlines()[-1] == "    cannot be decided again (KeyError)"
        store.record_now(a_call(hook_instance="h-3", status=400))
        assert "Decided again" not in run("show", "h-3").output

    def test_show_of_an_unknown_id_says_so(self, run: Callable[..., Any]) -> None:
        result = run("show", "nothing")
        assert result.exit_code == 1
        assert "no call of that id is kept" in result.output

    def test_replay_says_whether_the_answer_is_the_same(self, run: Callable[..., Any], call: CallRecord, store: Store) -> None:
        result = run("replay", call.hook_instance)
        assert (result.exit_code, "1 of 1 answers are the same" in result.output) == (0, True)
        store.record_now(a_call(a_determination(), at=DAY, request=b"changed", response=b'{"cards": [1]}'))
        result = run("replay", "--from", "2026-03-10", "--to", "2026-03-10")
        assert (result.exit_code, "1 of 2 answers are the same" in result.output) == (1, True)
        assert "cards: was [1], is []" in result.output

    @pytest.mark.parametrize("error", [RecursionError("deep"), KeyError("Ramona-Quill"), ValueError("Ramona-Quill")])
    def test_replay_names_a_call_that_cannot_be_decided_and_goes_on(
        self, settings: Settings, call: CallRecord, store: Store, error: Exception
    ) -> None:
        odd = a_call(a_determination(), at=DAY - timedelta(seconds=1), request=b"odd")
        store.record_now(odd)

        def decide(given: ReplayInput) -> bytes:
            if given.request == b"odd":
                raise error
            return b'{"cards": [{"summary": "same"}]}'

        words = ["replay", "--from", "2026-03-10", "--to", "2026-03-10"]
        result = CliRunner().invoke(records_group(lambda: settings, decide, explain), words)
        assert result.exit_code == 2
        assert "1 of 2 answers are the same, 1 cannot be decided again" in result.stdout
        assert result.stderr == f"cds-service: {odd.call_id}: cannot be decided again ({type(error).__name__})\n"

    def test_replay_passes_over_a_record_that_does_not_open(
        self, run: Callable[..., Any], call: CallRecord, store: Store, rows: Rows
    ) -> None:
        store.record_now(a_call(a_determination(), at=DAY - timedelta(seconds=1), client="spoilt"))
        rows("UPDATE calls SET key_id = 'lost' WHERE client = 'spoilt'")
        result = run("replay", "--from", "2026-03-10", "--to", "2026-03-10")
        assert result.exit_code == 2
        assert "1 of 2 answers are the same, 1 cannot be decided again" in result.stdout
        assert "is sealed with key 'lost'" in result.stderr

    def test_replay_by_an_id_decides_all_its_calls_and_looks_in_all_that_is_kept(
        self, run: Callable[..., Any], store: Store
    ) -> None:
        same = b'{"cards": [{"summary": "same"}]}'
        calls = [a_call(hook_instance="h-1", response=same, at=DAY + timedelta(seconds=n)) for n in range(130)]
        store._here.writer.write([msgspec.structs.replace(calls[0], request=b"changed"), *calls[1:]])
        result = run("replay", "h-1")
        assert (result.exit_code, "129 of 130 answers are the same" in result.output) == (1, True)
        for span in (["--from", "2026-03-10"], ["--to", "2026-03-10"]):
            result = run("replay", "h-1", *span)
            assert (result.exit_code, "not both" in result.output) == (2, True)

    def test_show_says_how_many_there_are_when_it_does_not_show_all(self, run: Callable[..., Any], store: Store) -> None:
        store._here.writer.write([a_call(hook_instance="h-1", at=DAY + timedelta(seconds=n)) for n in range(3)])
        result = run("show", "h-1", "--limit", "2")
        assert (result.exit_code, result.stdout.count("Call ")) == (0, 2)
        assert result.stderr == "cds-service: 3 calls of that id are kept; these are the newest 2 (see --limit)\n"
        assert run("show", "h-1", "--limit", "3").stderr == ""
        for wrong in ("0", "-1", "99999999999999999999"):
            assert run("show", "h-1", "--limit", wrong).exit_code == 2

    def test_replay_names_calls_of_which_nothing_was_decided_and_counts_the_others(
        self, run: Callable[..., Any], store: Store
    ) -> None:
        unread = a_call(at=DAY, status=400, request=b"", hook_instance="", crd_version="")
        failed = a_call(at=DAY, status=500, response=b"")
        for call in (unread, failed):
            store.record_now(call)
        result = run("replay", failed.hook_instance)
        assert (result.exit_code, result.stdout.count("HTTP 500; nothing was decided")) == (0, 1)
        store.record_now(a_call(at=DAY, response=b'{"cards": [{"summary": "same"}]}'))
        result = run("replay", "--from", "2026-03-10")
        assert result.exit_code == 0
        assert result.stdout.endswith("1 of 1 answers are the same; of 2 calls nothing was decided\n")
        assert run("show", "").exit_code == 1

    @pytest.mark.parametrize("length", [10, 150, 400])
    def test_replay_shows_a_change_wherever_in_a_long_text_it_is(self, settings: Settings, store: Store, length: int) -> None:
        before = "x" * length
        store.record_now(a_call(hook_instance="h-1", response=msgspec.json.encode({"detail": f"{before} one {before}"})))

        def decide(_: ReplayInput) -> bytes:
            return msgspec.json.encode({"detail": f"{before} two {before}"})

        result = CliRunner().invoke(records_group(lambda: settings, decide, explain), ["replay", "h-1"])
        (line,) = [line for line in result.stdout.splitlines() if "detail" in line]
        was, now = line.removeprefix("  detail: was ").split(", is ")
        assert " one " in was
        assert " two " in now
        assert len(was) <= 160
        assert was.startswith("...") is (length > 10)

    @pytest.mark.parametrize("table", ["calls", "feedback"])
    def test_a_record_that_does_not_open_hides_no_other_of_its_id(
        self, run: Callable[..., Any], store: Store, rows: Rows, table: str
    ) -> None:
        calls = [a_call(a_determination(), hook_instance="h-1", at=DAY + timedelta(seconds=n)) for n in range(3)]
        for number, call in enumerate(calls):
            store.record_now(call)
            store.record_feedback("order-sign-crd", "ehr-one", [overridden(call.cards[0].uuid, comment=f"comment {number}")])
        which = "call_id = " if table == "calls" else "card = "
        lost = calls[1].call_id if table == "calls" else calls[1].cards[0].uuid
        rows(f"UPDATE {table} SET key_id = 'lost' WHERE {which}'{lost}'")
        result = run("show", "h-1")
        shown = [number for number, call in enumerate(calls) if call.call_id in result.stdout]
        assert (result.exit_code, shown) == (2, [0, 2] if table == "calls" else [0, 1, 2])
        assert "comment 0" in result.stdout
        assert "comment 2" in result.stdout
        assert result.stderr.count("\n") == 1
        assert result.stderr.startswith(f"cds-service: {calls[1].call_id}: ")
        replayed = run("replay", "h-1")
        assert replayed.exit_code == 1
        assert "0 of 3 answers are the same" in replayed.stdout
        assert ("1 cannot be decided again" in replayed.stdout) is (table == "calls")

    def test_days_beyond_what_a_row_can_tell_are_no_errors(self, run: Callable[..., Any], call: CallRecord) -> None:
        for day, before, since in (("0001-01-01", 0, 1), ("1969-12-31", 0, 1), ("2110-01-01", 1, 0), ("9999-12-31", 1, 0)):
            assert run("export", "--to", day).stdout.count("\n") == before
            assert run("export", "--from", day).stdout.count("\n") == since

    def test_a_day_is_the_plans_day_and_the_last_one_is_inclusive(self, run: Callable[..., Any], store: Store) -> None:
        # March 10 in Alabama ends at 05:00 UTC on March 11.
        for at in (
            datetime(2026, 3, 10, 4, 59, tzinfo=UTC),
            datetime(2026, 3, 11, 4, 59, tzinfo=UTC),
            datetime(2026, 3, 11, 5, tzinfo=UTC),
        ):
            store.record_now(a_call(at=at))
        result = run("export", "--from", "2026-03-10", "--to", "2026-03-10")
        assert result.exit_code == 0, result.exception
        assert [json.loads(line)["at"] for line in result.stdout.splitlines()] == ["2026-03-11T04:59:00Z"]

    def test_export_writes_a_file_of_one_call_a_line(self, run: Callable[..., Any], call: CallRecord, tmp_path: Any) -> None:
        assert run("export", "--bodies", "--output", str(tmp_path / "out.ndjson")).exit_code == 0
        [line] = (tmp_path / "out.ndjson").read_text().splitlines()
        assert json.loads(line)["request"] == call.request.decode()

    def test_measures_as_json_csv_and_table_tell_the_same(self, run: Callable[..., Any], call: CallRecord) -> None:
        as_json = json.loads(run("measures", "--format", "json").stdout)
        as_csv = list(csv.DictReader(io.StringIO(run("measures", "--format", "csv").stdout)))
        assert [(one["measure"], str(one["count"])) for one in as_json] == [(one["measure"], one["count"]) for one in as_csv]
        nothing = run("measures", "--format", "csv", "--to", "2020-01-01").stdout
        assert nothing == run("measures", "--format", "csv").stdout.splitlines(keepends=True)[0]
        assert nothing == "measure,hook,client,policy,policy_versions,covered,answer,rule,outcome,reason,count,of,share\n"
        table = run("measures").stdout
        assert "override reasons" in table
        assert "not-mr-neurography" in table
        assert "100.0%" in table

    def test_purge_deletes_what_is_before_the_day(self, run: Callable[..., Any], call: CallRecord, store: Store) -> None:
        assert "0 calls deleted" in run("purge", "--before", "2026-03-10").output
        assert "1 calls deleted" in run("purge", "--before", "2026-03-11").output
        assert store.count(None, None) == 0

    def test_upgrade_of_what_is_up_to_date_changes_nothing(self, run: Callable[..., Any], call: CallRecord) -> None:
        assert run("upgrade").exit_code == 0
        assert run("show", call.hook_instance).exit_code == 0

    def test_a_store_that_cannot_be_opened_is_one_line_and_exit_code_2(self, settings: Settings) -> None:
        broken = settings.model_copy(update={"database_url": "sqlite:////proc/no/records"})
        result = CliRunner().invoke(records_group(lambda: broken, lambda _: b"", explain), ["measures"])
        assert result.exit_code == 2
        assert len(result.stderr.splitlines()) == 1
        assert "CDS_SERVICE_DATABASE_URL" in result.stderr

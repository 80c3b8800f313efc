"""Token ids are new once; feedback is kept, joined to its card, and does no harm."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from conftest import KEY, OTHER_KEY, a_call, a_determination  # type: ignore[import-not-found]

from cds_service.crd.errors import BadRequest, TooLarge
from cds_service.crd.feedback import MOST_ITEMS, FeedbackItem, parse_feedback
from cds_service.records import RecordsUnavailable, Store, open_store
from cds_service.records.measures import Measure
from cds_service.records.words import told
from cds_service.settings import Settings, load_settings

Rows = Callable[[str], list[Any]]
LATER = int(time.time()) + 300
WHEN = datetime(2026, 1, 31, 9, 30, tzinfo=UTC)


def test_a_token_id_is_new_once(store: Store) -> None:
    assert store.token_is_new("ehr-one", "j-1", LATER)
    assert not store.token_is_new("ehr-one", "j-1", LATER)


def test_two_clients_may_use_the_same_token_id(store: Store) -> None:
    assert store.token_is_new("ehr-one", "j-1", LATER)
    assert store.token_is_new("ehr-two", "j-1", LATER)
    assert store.token_is_new("ehr", "-one" + "j-1", LATER)


def test_a_token_id_stays_seen_after_a_restart(settings: Settings) -> None:
    for is_new in (True, False):
        store = open_store(settings)
        assert store.token_is_new("ehr-one", "j-1", LATER) is is_new
        store.close()


def test_of_many_threads_and_stores_one_alone_sees_a_token_id_first(settings: Settings) -> None:
    stores = [open_store(settings) for _ in range(2)]
    answers: list[bool] = []

    def ask(store: Store) -> None:
        answers.extend(store.token_is_new("ehr-one", f"j-{n}", LATER) for n in range(20))

    threads = [threading.Thread(target=ask, args=(store,)) for store in stores * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for store in stores:
        store.close()
    assert len(answers) == 80
    assert sum(answers) == 20


def test_a_token_id_of_any_length_and_content_is_remembered(store: Store) -> None:
    for jti in ("x" * 100_000, "nul \x00", "\ud800"):
        assert store.token_is_new("ehr-one", jti, LATER)
        assert not store.token_is_new("ehr-one", jti, LATER)


def test_expired_token_ids_are_forgotten_and_live_ones_are_not(settings: Settings, rows: Rows) -> None:
    now = datetime.now(UTC)
    store = open_store(settings, clock=lambda: now)
    store.token_is_new("ehr-one", "long gone", int(now.timestamp()) - 3600)
    store.token_is_new("ehr-one", "alive", int(now.timestamp()) + 1)
    store._here.tidy_up()
    assert rows("SELECT count(*) FROM seen_tokens")[0][0] == 1
    assert not store.token_is_new("ehr-one", "alive", LATER)
    store.close()


def report(card: str, outcome: str = "overridden", **changes: Any) -> FeedbackItem:
    return FeedbackItem(**{"card": card, "outcome": outcome, "outcome_at": WHEN, **changes})


def test_feedback_is_found_with_the_call_its_card_came_from(store: Store) -> None:
    call = a_call(a_determination())
    store.record_now(call)
    sent = report(
        call.cards[0].uuid, reason_code="not-mr-neurography", reason_display="not MR neurography", comment="an ultrasound"
    )
    store.record_feedback("order-sign-crd", "ehr-one", [sent])
    [kept] = store.find(call.hook_instance)[0].feedback
    assert (kept.outcome, kept.outcome_at, kept.reason_code, kept.comment) == (
        "overridden",
        WHEN,
        "not-mr-neurography",
        "an ultrasound",
    )


def test_feedback_that_comes_before_its_call_is_joined_all_the_same(store: Store) -> None:
    call = a_call(a_determination())
    store.record_feedback("order-sign-crd", "ehr-one", [report(call.cards[0].uuid.upper(), "accepted")])
    store.record_now(call)
    assert [kept.outcome for kept in store.find(call.hook_instance)[0].feedback] == ["accepted"]


def test_repeated_feedback_is_kept_once_and_a_change_of_mind_beside_it(store: Store) -> None:
    call = a_call(a_determination())
    store.record_now(call)
    card = call.cards[0].uuid
    for _ in range(3):
        store.record_feedback("order-sign-crd", "ehr-one", [report(card), report(card)])
    store.record_feedback("order-sign-crd", "ehr-one", [report(card, "accepted", outcome_at=WHEN + timedelta(minutes=1))])
    assert [kept.outcome for kept in store.find(call.hook_instance)[0].feedback] == ["overridden", "accepted"]


@pytest.mark.parametrize("in_one_list", [False, True])
def test_a_report_that_comes_again_with_more_in_it_is_kept_too_and_counts_alone(store: Store, in_one_list: bool) -> None:
    call = a_call(a_determination())
    store.record_now(call)
    card, code = call.cards[0].uuid, "not-mr-neurography"
    first, second, last = (
        report(card, reason_code=code),
        report(card, reason_code=code, comment="an ultrasound"),
        report(card, reason_code="patient-informed", comment="an ultrasound"),
    )
    for items in ([first, second, last],) if in_one_list else ([first], [second], [last]):
        store.record_feedback("order-sign-crd", "ehr-one", items, [code, "patient-informed"])
    # Word for word what was told before, in another letter case and another time zone: nothing new.
    again = msgspec.structs.replace(second, card=card.upper(), outcome_at=WHEN.astimezone(timezone(timedelta(hours=-6))))
    for each in (first, again):
        store.record_feedback("order-sign-crd", "ehr-one", [each], [code, "patient-informed"])
    (found,) = store.find(call.hook_instance)
    assert [(kept.reason_code, kept.comment) for kept in found.feedback] == [
        (code, None),
        (code, "an ultrasound"),
        ("patient-informed", "an ultrasound"),
    ]
    shown = [line for line in told(found) if "overridden" in line]
    assert len(shown) == 3
    (line,) = store.export(None, None)
    assert [each["reason_code"] for each in line["feedback"]] == [code, code, "patient-informed"]
    group = {"policy": "blue-advantage-177", "answer": "yes"}
    assert [each for each in store.measures(None, None) if each.name in ("feedback", "override_reasons")] == [
        Measure("feedback", {**group, "outcome": "overridden"}, 1, 1),
        Measure("override_reasons", {**group, "reason": "patient-informed"}, 1, 1),
    ]


def test_what_a_report_says_cannot_be_tried_against_its_row_without_the_key(settings: Settings, rows: Rows) -> None:
    for key in (KEY, f"{OTHER_KEY},{KEY}"):
        store = open_store(load_settings(database_url=settings.database_url, records_keys=key))
        store.record_feedback("order-sign-crd", "ehr-one", [report("card-1", comment="an ultrasound")])
        store.close()
    assert rows("SELECT count(DISTINCT id) FROM feedback")[0][0] == 2


def test_a_card_of_another_client_is_an_unknown_one(store: Store) -> None:
    call = a_call(a_determination(), client="ehr-one")
    store.record_now(call)
    store.record_feedback("order-sign-crd", "ehr-two", [report(call.cards[0].uuid)])
    store.record_feedback("order-sign-crd", None, [report(call.cards[0].uuid)])
    assert store.find(call.hook_instance)[0].feedback == ()
    assert {one.group["policy"] for one in store.measures(None, None) if one.name == "feedback"} == {"(unknown card)"}


def test_feedback_without_authentication_joins_cards_without_authentication(store: Store) -> None:
    call = a_call(a_determination(), client=None)
    store.record_now(call)
    store.record_feedback("order-sign-crd", None, [report(call.cards[0].uuid)])
    assert len(store.find(call.hook_instance)[0].feedback) == 1


def test_unknown_cards_do_no_harm(store: Store) -> None:
    store.record_feedback("order-sign-crd", "ehr-one", [report("no such card"), report("nul \x00"), report("x" * 9000)])
    store.record_feedback("order-sign-crd", "ehr-one", [])


def test_a_list_of_reports_is_kept_whole_or_not_at_all(store: Store, rows: Rows) -> None:
    bad = report("card-2", outcome_at="not a time")
    with pytest.raises((RecordsUnavailable, TypeError)):
        store.record_feedback("order-sign-crd", "ehr-one", [report("card-1"), bad])
    assert rows("SELECT count(*) FROM feedback")[0][0] == 0


def test_reports_are_written_in_one_order_however_their_list_has_them(store: Store, rows: Rows) -> None:
    store.record_feedback("order-sign-crd", "ehr-one", [report(f"card-{number}") for number in range(50)])
    place = "ctid" if store.url.startswith("postgresql") else "rowid"
    written = [row[0] for row in rows(f"SELECT id FROM feedback ORDER BY {place}")]
    assert written == sorted(written)


@pytest.mark.slow  # a server looks for a deadlock after a second
@pytest.mark.parametrize("settings", [pytest.param("postgresql", marks=pytest.mark.postgres)], indirect=True)
def test_feedback_that_a_server_ends_in_favour_of_another_is_kept_and_keeps_no_call_from_its_assertion(
    settings: Settings, store: Store
) -> None:
    items = [report("card-1"), report("card-2")]
    store.record_feedback("order-sign-crd", "ehr-one", items)
    engine = sa.create_engine(str(settings.database_url).replace("postgresql:", "postgresql+psycopg:"))
    with engine.connect() as rival, ThreadPoolExecutor() as threads:
        rival.execute(sa.text("CREATE TEMP TABLE kept AS SELECT * FROM feedback"))
        rival.execute(sa.text("DELETE FROM feedback"))
        rival.commit()
        rival.execute(sa.text("INSERT INTO feedback SELECT * FROM kept WHERE id = (SELECT max(id) FROM kept)"))
        keeping = threads.submit(store.record_feedback, "order-sign-crd", "ehr-one", items)
        time.sleep(0.3)  # it waits now for what the rival wrote, and the rival for what it wrote
        rival.execute(sa.text("INSERT INTO feedback SELECT * FROM kept WHERE id = (SELECT min(id) FROM kept)"))
        rival.commit()
        keeping.result()
    engine.dispose()
    store.record_now(a_call(a_determination()))


@pytest.mark.parametrize("settings", [pytest.param("postgresql", marks=pytest.mark.postgres)], indirect=True)
@pytest.mark.parametrize("state", ["40001", "40P01"])
@pytest.mark.parametrize("times", [2, 3])
def test_a_transaction_that_gives_way_to_another_is_run_again_twice_and_the_store_is_not_taken_for_down(
    store: Store, rows: Rows, state: str, times: int
) -> None:
    rows("DROP SEQUENCE IF EXISTS runs")
    rows("CREATE SEQUENCE runs")  # it goes on counting when a transaction is rolled back
    gives_way = f"DO $$ BEGIN IF nextval('runs') <= {times} THEN RAISE SQLSTATE '{state}'; END IF; END $$"
    if times == 2:
        store._here.driver.commit([(gives_way, [()])])
    else:
        with pytest.raises(RecordsUnavailable, match=state):
            store._here.driver.commit([(gives_way, [()])])
    assert rows("SELECT last_value FROM runs")[0][0] == 3
    assert not store._here.breaker.is_open
    store.record_now(a_call(a_determination()))


class TestParsing:
    def test_an_override_as_the_sandbox_sends_it(self) -> None:
        body = (
            b'{"feedback": [{"card": "c-1", "outcome": "overridden", "overrideReason": {"reason":'
            b' {"code": "r-1", "system": "s-1"}}, "outcomeTimestamp": "2026-01-31T09:30:00.123Z", "newer": [1]}], "more": {}}'
        )
        [item] = parse_feedback(body)
        assert (item.card, item.outcome, item.reason_code, item.reason_system) == ("c-1", "overridden", "r-1", "s-1")
        assert (item.reason_display, item.comment, item.accepted) == (None, None, ())
        assert item.outcome_at == datetime(2026, 1, 31, 9, 30, 0, 123000, tzinfo=UTC)

    def test_several_cards_and_the_suggestions_taken(self) -> None:
        body = (
            b'{"feedback": [{"card": "c-1", "outcome": "accepted", "acceptedSuggestions": [{"id": "s-1"}, {"id": "s-2"}],'
            b' "outcomeTimestamp": "2026-01-31T03:30:00-06:00"}, {"card": "c-2", "outcome": "overridden",'
            b' "overrideReason": {"userComment": "words"}, "outcomeTimestamp": "2026-01-31T09:30:00Z"}]}'
        )
        first, second = parse_feedback(body)
        assert first.accepted == ("s-1", "s-2")
        assert first.outcome_at == second.outcome_at == WHEN
        assert (second.comment, second.reason_code) == ("words", None)

    @pytest.mark.parametrize(
        ("body", "place"),
        [
            (b"", ""),
            (b"null", ""),
            (b"[]", ""),
            (b"{}", ""),
            (b'{"feedback": {}}', "feedback"),
            (b'{"feedback": []}', "feedback"),
            (b'{"feedback": ["c-1"]}', "feedback[0]"),
            (b'{"feedback": [{"outcome": "overridden", "outcomeTimestamp": "2026-01-31T09:30:00Z"}]}', "feedback[0]"),
            (
                b'{"feedback": [{"card": 7, "outcome": "overridden", "outcomeTimestamp": "2026-01-31T09:30:00Z"}]}',
                "feedback[0].card",
            ),
            (
                b'{"feedback": [{"card": " ", "outcome": "overridden", "outcomeTimestamp": "2026-01-31T09:30:00Z"}]}',
                "feedback[0].card",
            ),
            (
                b'{"feedback": [{"card": "c", "outcome": "Quill", "outcomeTimestamp": "2026-01-31T09:30:00Z"}]}',
                "feedback[0].outcome",
            ),
            (b'{"feedback": [{"card": "c", "outcome": "overridden"}]}', "feedback[0]"),
            (
                b'{"feedback": [{"card": "c", "outcome": "overridden", "outcomeTimestamp": "Quill"}]}',
                "feedback[0].outcomeTimestamp",
            ),
            (
                b'{"feedback": [{"card": "c", "outcome": "overridden", "outcomeTimestamp": "2026-01-31T09:30:00"}]}',
                "feedback[0].outcomeTimestamp",
            ),
            (
                b'{"feedback": [{"card": "c", "outcome": "accepted", "outcomeTimestamp": "2026-01-31T09:30:00Z"}]}',
                "feedback[0].acceptedSuggestions",
            ),
            (b'{"feedback": [], "x": "\xff"}', ""),
            (b'{"x": ' + b"[" * 5000 + b"]" * 5000 + b"}", ""),
            (b"\xfe\xff\x00{", ""),
        ],
    )
    def test_what_breaks_the_rules_is_refused_at_its_place_without_quoting_it(self, body: bytes, place: str) -> None:
        with pytest.raises(BadRequest) as raised:
            parse_feedback(body)
        assert raised.value.place == place
        assert "Quill" not in raised.value.problem + raised.value.cure

    @pytest.mark.parametrize("time", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"])
    def test_a_time_that_utc_cannot_tell_is_refused_at_its_place(self, time: str) -> None:
        with pytest.raises(BadRequest) as raised:
            parse_feedback(b'{"feedback": [{"card": "c", "outcome": "overridden", "outcomeTimestamp": "%s"}]}' % time.encode())
        assert raised.value.place == "feedback[0].outcomeTimestamp"

    @pytest.mark.parametrize("time", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"])
    def test_the_first_and_the_last_time_are_kept(self, store: Store, time: str) -> None:
        body = b'{"feedback": [{"card": "c", "outcome": "overridden", "outcomeTimestamp": "%s"}]}' % time.encode()
        store.record_feedback("order-sign-crd", "ehr-one", parse_feedback(body))

    def test_one_bad_item_refuses_the_whole_list(self) -> None:
        good = b'{"card": "c", "outcome": "overridden", "outcomeTimestamp": "2026-01-31T09:30:00Z"}'
        assert len(parse_feedback(b'{"feedback": [' + good + b"," + good + b"]}")) == 2
        with pytest.raises(BadRequest) as raised:
            parse_feedback(b'{"feedback": [' + good + b', {"card": "c"}]}')
        assert raised.value.place == "feedback[1]"

    def test_more_items_than_a_session_makes_are_too_large(self) -> None:
        item = b'{"card": "c", "outcome": "overridden", "outcomeTimestamp": "2026-01-31T09:30:00Z"}'
        assert len(parse_feedback(b'{"feedback": [' + b",".join([item] * MOST_ITEMS) + b"]}")) == MOST_ITEMS
        with pytest.raises(TooLarge):
            parse_feedback(b'{"feedback": [' + b",".join([item] * (MOST_ITEMS + 1)) + b"]}")

    def test_null_reasons_count_as_none_given(self) -> None:
        body = (
            b'{"feedback": [{"card": "c", "outcome": "overridden", "overrideReason": null, "acceptedSuggestions": null,'
            b' "outcomeTimestamp": "2026-01-31T09:30:00Z"}]}'
        )
        assert parse_feedback(body)[0].reason_code is None

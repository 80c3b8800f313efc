"""Kept before it is said: what the application commits, when, and what an answer loses when it cannot be committed."""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import prometheus_client
import pytest
import structlog.testing
from flask import Flask

from cds_service import gate
from cds_service.crd.annotation import ASSERTION_PREFIX
from cds_service.deciding_again import decide_again
from cds_service.kept_body import without_token
from cds_service.policy_files import PACKAGED, load_policy
from cds_service.records import (
    CallRecord,
    FoundCall,
    RecordsMisconfigured,
    RecordsUnavailable,
    RecordUnstorable,
    Store,
    open_store,
    upgrade_database,
)
from cds_service.records.breaker import REST
from cds_service.records.record import ASSERTING
from cds_service.records.replay import Difference, replay
from cds_service.records.words import told
from cds_service.settings import Settings
from tests import examples
from tests.conformance.bodies import (
    appointment,
    appointment_book,
    by_reference,
    coverage,
    knee,
    order,
    order_dispatch,
    order_select,
    order_sign,
    payer_organization,
    searchset,
    unlisted,
)
from tests.conformance.fhir_server import TOKEN, FhirServer
from tests.conformance.harness import SERVICE_IDS, Answer, child
from tests.kept import KEY, NOON, Service, Trusted, assertion_of, fresh, report

pytestmark = pytest.mark.slow  # every example, kept and replayed

POLICY = PACKAGED / "blue-advantage-177.toml"
NAMES = examples.names()


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty, migrated records file to copy."""
    path = tmp_path_factory.mktemp("migrated") / "records.sqlite3"
    upgrade_database(examples.settings(database_url=f"sqlite:///{path}"))
    return path


@pytest.fixture
def file(tmp_path: Path, migrated: Path) -> Path:
    """The records file of the test."""
    return Path(shutil.copy(migrated, tmp_path / "records.sqlite3"))


@pytest.fixture
def settings(file: Path) -> Settings:
    return examples.settings(records=True, database_url=f"sqlite:///{file}", records_keys=KEY)


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    opened = open_store(settings)
    yield opened
    opened.close()


@pytest.fixture
def service(settings: Settings, store: Store) -> Service:
    return Service(settings, store)


@pytest.fixture
def rows(file: Path) -> Callable[[str], list[Any]]:
    """Reads the records file past the store, on a connection of its own."""

    def read(query: str) -> list[Any]:
        connection = sqlite3.connect(file)
        try:
            return connection.execute(query).fetchall()
        finally:
            connection.close()

    return read


Rows = Callable[[str], list[Any]]


def the_call(store: Store, name: str) -> CallRecord:
    (found,) = store.find(name)
    return found.call


def all_calls(store: Store) -> list[CallRecord]:
    """Everything kept, written out first."""
    store.close()
    return list(store.calls(None, None))


# committed before it is said


class Watching:
    """WSGI middleware that reads the database, on a connection of its own, at the moment an answer starts to leave."""

    def __init__(self, app: Flask, rows: Rows) -> None:
        self._wsgi, self._rows = app.wsgi_app, rows
        self.at_start: list[list[str | None]] = []
        app.wsgi_app = self  # type: ignore[method-assign]

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        def start(*arguments: Any) -> Any:
            self.at_start.append([row[0] for row in self._rows("SELECT assertion_id FROM determinations")])
            return start_response(*arguments)

        return self._wsgi(environ, start)


@pytest.mark.requirement("found-11", "found-37")
@pytest.mark.parametrize(
    "body",
    [
        order_sign(order()),
        order_sign(order(), version="2.2"),
        order_sign(unlisted()),
        order_select(order()),
        order_dispatch({"dispatchedOrders": ["ServiceRequest/mrn-1"]}, order()),
        appointment_book(appointment(), orders=(order(),)),
    ],
    ids=["order-sign", "CRD 2.2", "possibly", "order-select", "order-dispatch", "appointment-book"],
)
def test_an_answer_that_asserts_is_committed_before_it_leaves(service: Service, rows: Rows, body: Any) -> None:
    watching = Watching(service.app, rows)
    answer = service.call(body)
    assert watching.at_start == [[assertion_of(answer)]]


@pytest.mark.requirement("found-11", "found-37")
def test_a_card_without_an_assertion_is_committed_before_it_leaves_too(service: Service, rows: Rows) -> None:
    watching = Watching(service.app, rows)
    answer = service.call(order_sign(order(), prefetch={"coverage": searchset()}))
    assert (len(answer.cards), answer.actions) == (1, [])
    assert watching.at_start == [[None]]


@pytest.mark.requirement("found-11", "found-37")
def test_what_was_asked_and_answered_is_kept_with_what_the_answer_rested_on(service: Service, store: Store) -> None:
    body = json.dumps(order_sign(order(), version="2.2"), indent=1).encode()
    answer = service.call(body, "order-sign-crd")
    kept = the_call(store, assertion_of(answer))
    assert (kept.request, kept.response) == (body, answer.raw)
    assert (kept.hook, kept.service_id, kept.status, kept.crd_version) == ("order-sign", "order-sign-crd", 200, "2.2")
    assert (kept.at, kept.today, kept.client) == (NOON, "2026-11-22", None)
    assert 0 < kept.duration_ms < 60_000
    assert kept.policy_hashes == {"blue-advantage-177": load_policy(POLICY).sha256}
    (told,) = kept.determinations
    assert (told.order_place, told.policy, told.policy_versions) == (
        "ServiceRequest/mrn-1",
        "blue-advantage-177",
        ("2023-11-01",),
    )
    assert (told.answer, told.covered, told.assertion_id) == ("yes", "not-covered", assertion_of(answer))
    assert "MR neurography" in json.dumps(told.evidence)
    assert "2023-11-01" in json.dumps(told.dates)
    (card,) = kept.cards
    assert (card.uuid, card.assertion_ids) == (answer.cards[0]["uuid"], (assertion_of(answer),))


@pytest.mark.requirement("found-11")
def test_no_plain_column_holds_what_the_order_says(service: Service, rows: Rows) -> None:
    service.call(order_sign(order(note=[{"text": "Ramona-Quill limps"}])))
    plain = [row for table in ("determinations", "cards", "feedback") for row in rows(f"SELECT * FROM {table}")] + rows(
        "SELECT id, call_id, at, hook, service_id, hook_instance, client, status, crd_version, key_id FROM calls"
    )
    text = repr(plain)
    assert "blue-advantage-177" in text
    for word in ("Ramona", "mrn-1", "pat-al-001", "XAB123", "neurography", "2023-09-14"):
        assert word not in text


# when it cannot be committed


class FailingStore:
    """A store that is down: it takes what may wait, and refuses the rest as ``error``."""

    def __init__(self, error: Exception) -> None:
        self.error = error
        self.later: list[CallRecord] = []

    def record_now(self, call: CallRecord) -> None:
        raise self.error

    def record_later(self, call: CallRecord) -> None:
        self.later.append(call)


def without_uuids(cards: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: value for name, value in card.items() if name != "uuid"} for card in cards]


def failures() -> float:
    return prometheus_client.REGISTRY.get_sample_value("cds_service_record_failures_total") or 0.0


@pytest.mark.requirement("found-11")
@pytest.mark.parametrize("name", NAMES)
def test_without_a_record_the_clinician_gets_the_card_and_nothing_is_asserted(settings: Settings, name: str) -> None:
    golden = json.loads(examples.response_text(name))
    down = FailingStore(RecordsUnavailable("OperationalError"))
    answer = Service(settings, down).example(name)
    if "cards" not in golden:
        assert answer.json == golden
        return
    assert answer.status == 200
    assert without_uuids(answer.json["cards"]) == without_uuids(golden["cards"])
    assert "systemActions" not in answer.json
    (kept,) = down.later
    assert kept.response == answer.raw
    assert "systemActions" not in golden or not any(told.assertion_id for told in kept.determinations)


@pytest.mark.parametrize(
    "error", [RecordsUnavailable("OperationalError 57P01"), RecordUnstorable("DataError"), OverflowError("Ramona-Quill")]
)
def test_a_call_that_could_not_be_kept_is_logged_and_counted(settings: Settings, error: Exception) -> None:
    service = Service(settings, FailingStore(error))
    before = failures()
    with structlog.testing.capture_logs() as logs:
        answer = service.call(order_sign(order()))
        service.call(order_sign(knee()))
    assert (answer.status, len(answer.cards), answer.actions) == (200, 1, [])
    assert "Ramona" not in repr(logs)
    (line,) = [each for each in logs if each["event"] == "call_not_recorded"]
    assert line["log_level"] == "error"
    assert line["reason"] == type(error).__name__
    assert uuid.UUID(line["call_id"])
    assert failures() == before + 1
    assert ASSERTION_PREFIX not in repr(logs)


@pytest.mark.requirement("found-11")
def test_a_database_that_another_holds_costs_the_assertion_only_while_it_is_held(
    service: Service, store: Store, file: Path
) -> None:
    holder = sqlite3.connect(file, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    held = fresh(order_sign(order()))
    answer = service.call(held)
    assert (len(answer.cards), answer.actions) == (1, [])
    holder.execute("ROLLBACK")
    holder.close()
    time.sleep(REST)  # for so long it is taken to be held still
    later = service.call(fresh(order_sign(order())))
    assert the_call(store, assertion_of(later)).response == later.raw
    store.close()
    kept = the_call(store, answer.cards[0]["uuid"])
    assert (kept.hook_instance, kept.response) == (held["hookInstance"], answer.raw)
    assert [(told.answer, told.assertion_id) for told in kept.determinations] == [("yes", None)]


@pytest.fixture
def withheld(settings: Settings, file: Path) -> Callable[[Any], CallRecord]:
    """Makes the record of a call that came while another held the database."""

    def kept(body: Any, **changes: Any) -> CallRecord:
        store = open_store(settings, clock=lambda: NOON)
        holder = sqlite3.connect(file, isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        answer = Service(settings.model_copy(update=changes), store).call(body)
        holder.execute("ROLLBACK")
        holder.close()
        store.close()
        assert (answer.status, answer.actions) == (200, [])
        call = the_call(store, body["hookInstance"])
        store.close()
        return call

    return kept


@pytest.mark.requirement("found-11", "found-37")
def test_an_answer_whose_assertion_was_withheld_is_decided_again_the_same(
    settings: Settings, store: Store, withheld: Callable[..., CallRecord]
) -> None:
    call = withheld(fresh(order_sign(order())))
    assert decided_again(store, call, settings) == []
    unmatched = withheld(fresh(order_sign(knee())), unmatched="conditional")
    assert decided_again(store, unmatched, settings) == []
    unmarked = {name: value for name, value in call.settings.items() if name != ASSERTING}
    older = msgspec.structs.replace(call, settings=unmarked)
    assert [each.place for each in decided_again(store, older, settings)] == ["systemActions"]


@pytest.mark.requirement("found-37")
def test_show_says_that_coverage_information_was_withheld_and_why(
    service: Service, store: Store, withheld: Callable[..., CallRecord]
) -> None:
    said = "  withheld:  coverage information, since it could not be recorded in time"
    call = withheld(fresh(order_sign(order())))
    assert said in told(FoundCall(1, call))
    assert "    No coverage information was written onto the order." in told(FoundCall(1, call))
    given = the_call(store, assertion_of(service.call(order_sign(order()))))
    assert ASSERTING not in given.settings
    assert "withheld" not in "".join(told(FoundCall(1, given)))


# calls that say nothing, and calls that are refused


@pytest.mark.requirement("found-11")
def test_a_call_that_says_nothing_is_kept_within_a_second(service: Service, rows: Rows) -> None:
    def seconds_until_kept() -> float:
        body = fresh(order_sign(knee()))
        assert service.call(body).raw == b'{"cards":[]}'
        start = time.monotonic()
        while not rows(f"SELECT 1 FROM calls WHERE hook_instance = '{body['hookInstance']}'"):
            assert time.monotonic() - start < 30
            time.sleep(0.02)
        return time.monotonic() - start

    # Three times, since this process may be kept from running for a while on a busy machine.
    assert any(seconds_until_kept() < 1 for _ in range(3))


@pytest.mark.requirement("found-11")
def test_calls_that_say_nothing_are_written_when_the_service_stops(service: Service, store: Store, rows: Rows) -> None:
    bodies = [fresh(order_sign(knee())) for _ in range(30)]
    for body in bodies:
        service.call(body)
    store.close()
    assert {row[0] for row in rows("SELECT hook_instance FROM calls")} == {body["hookInstance"] for body in bodies}


@pytest.mark.requirement("found-11", "found-37")
@pytest.mark.parametrize("name", [name for name in NAMES if "cards" not in json.loads(examples.response_text(name))])
def test_a_call_that_is_refused_for_what_it_holds_is_kept_with_its_outcome(service: Service, store: Store, name: str) -> None:
    answer = service.example(name)
    kept = all_calls(store)
    (call,) = kept
    assert (call.status, call.response) == (answer.status, answer.raw)
    assert answer.status in (400, 412, 422)
    assert (call.determinations, call.cards) == ((), ())


def test_the_refusals_kept_are_of_every_kind() -> None:
    statuses = {examples.answer(name).status for name in NAMES}
    assert {400, 412, 422} <= statuses


def refused(body: dict[str, Any], **changes: Any) -> bytes:
    return json.dumps({**fresh(body), **changes}).encode()


@pytest.mark.requirement("found-11", "found-37")
@pytest.mark.parametrize(
    ("body", "status", "is_kept"),
    [
        (refused(order_sign(order()), context=None), 400, True),
        (refused(order_sign(order()), hook="never-heard-of"), 400, True),
        (refused(order_sign(order()), extension={"davinci-crd.requestedVersion": "9.9"}), 422, True),
        (b"\xef\xbb\xbf" + refused(order_sign(order()), context=None), 400, True),
        (b"[1]", 400, False),
        (b"", 400, False),
        (b"no JSON", 400, False),
        (refused(order_sign(order()))[:-9], 400, False),
        (b'{"a": ' + b"[" * 5000 + b"]" * 5000 + b"}", 400, False),
    ],
    ids=["context", "hook", "version", "BOM", "array", "empty", "no JSON", "cut off", "deep"],
)
def test_a_call_that_is_refused_before_it_is_understood_is_kept_too(
    settings: Settings, service: Service, store: Store, body: bytes, status: int, is_kept: bool
) -> None:
    answer = service.call(body, "order-sign-crd")
    (call,) = all_calls(store)
    assert (call.status, call.response, call.request) == (status, answer.raw, body if is_kept else b"")
    assert answer.status == status
    assert (call.hook, call.service_id, call.crd_version) == ("order-sign", "order-sign-crd", "")
    assert call.was_decided is is_kept
    if is_kept:
        assert the_call(store, json.loads(body.decode("utf-8-sig"))["hookInstance"]) == call
        assert decided_again(store, call, settings) == []
    text = "\n".join(told(FoundCall(1, call)))
    assert "The call was refused; nothing was said of coverage." in text
    assert ("Its body was not kept" in text) is not is_kept
    assert [line[-2:] for line in measured(store, "answered")] == [(0, 1)]
    (line,) = store.export(None, None, bodies=True)
    assert (line["status"], line["request"]) == (status, call.request.decode())


@pytest.mark.requirement("sec-6", "cds-hooks-2.0/fhir-access")
@pytest.mark.parametrize(
    "body",
    [
        '{"hook": "order-sign", "fhirAuthorization": {"access_token": "%s"}}',
        '{"hook": "order-sign", "fhir\\u0041uthorization": {"access_token": "%s"}}',
        '{"request": {"fhirAuthorization": {"access_token": "%s"}}}',
        '{"request": {"fhir\\u0041uthorization": {"value": "%s"}}}',
        '{"request": {"access\\u005ftoken": "%s"}, "request": 1}',
        '{"request": {"accessToken": "%s"}}',
        '[{"fhirAuthorization": {"access_token": "%s"}}]',
        '{"fhirAuthorization": {"access_token": "%s"}',
        'uthorization": {"token": "%s"}}',
    ],
)
def test_no_token_is_kept_of_a_call_that_is_refused_before_it_is_understood(service: Service, store: Store, body: str) -> None:
    assert service.call((body % TOKEN).encode(), "order-sign-crd").status == 400
    (call,) = all_calls(store)
    assert TOKEN not in everything_in([call])


@pytest.mark.requirement("found-37")
def test_a_call_that_the_service_fails_on_is_kept_with_its_status(
    service: Service, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> Any:
        raise KeyError("Ramona-Quill")

    monkeypatch.setattr("cds_service.views.render_response", fail)
    body = fresh(order_sign(order()))
    assert service.call(body).status == 500
    (call,) = all_calls(store)
    assert (call.status, call.response, call.hook_instance) == (500, b"", body["hookInstance"])
    assert not call.was_decided
    assert "The service failed on the call; nothing was said of coverage." in "\n".join(told(FoundCall(1, call)))


def test_the_duration_kept_is_counted_from_the_start_of_the_request(
    service: Service, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slowly(*arguments: Any) -> Any:
        time.sleep(0.05)
        return check_caller(*arguments)

    check_caller = gate.check_caller
    monkeypatch.setattr("cds_service.gate.check_caller", slowly)
    service.call(fresh(order_sign(order())))
    service.call(b"no JSON", "order-sign-crd")
    assert [call.duration_ms > 50 for call in all_calls(store)] == [True, True]


# what is never kept


def everything_in(calls: Iterable[CallRecord]) -> str:
    """All that is kept of ``calls``, opened."""
    return repr([msgspec.to_builtins(call, builtin_types=(bytes, datetime)) for call in calls])


@pytest.fixture
def trusted(settings: Settings, store: Store, tmp_path: Path) -> Trusted:
    return Trusted(settings, store, tmp_path)


SPELLINGS = [
    '"fhirAuthorization": {"access_token": "%s", "token_type": "Bearer"}',
    '"fhirAuthorization": {"access_token": "first"}, "fhirAuthorization": {"access_token": "%s"}',
    '"fhirAuthorization": {"access_token": "%s"}, "fhirAuthorization": null',
    '"fhir\\u0041uthorization": {"access_token": "%s"}',
    '"fhirAuthorization": "%s"',
    '"fhirAuthorization": [["%s"]]',
]


@pytest.mark.requirement("sec-6", "cds-hooks-2.0/fhir-access")
@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("start", ["", "\ufeff"], ids=["", "BOM"])
def test_the_access_token_is_nowhere_in_a_record_and_the_rest_of_the_request_is(
    service: Service, store: Store, spelling: str, start: str
) -> None:
    bodies = [json.dumps(fresh(body)) for body in (order_sign(order(), vendor=1.10), order_sign(knee()), order_sign())]
    for text in bodies:
        service.call(f"{start}{text[:-1]}, {spelling % TOKEN}}}".encode(), "order-sign-crd")
    kept = all_calls(store)
    assert TOKEN not in everything_in(kept)
    assert {call.request.decode().replace(" ", "") for call in kept} == {text.replace(" ", "") for text in bodies}


@pytest.mark.requirement("sec-6")
def test_neither_the_clients_token_nor_its_parts_are_in_a_record_nor_in_the_database(
    trusted: Trusted, store: Store, file: Path
) -> None:
    headers = [trusted.authorization("ehr-one") for _ in range(3)]
    for body, header in zip((order_sign(order()), order_sign(knee()), order_sign(order(), version="2.2", prefetch=None)), headers,
                            strict=True):  # fmt: skip
        assert trusted.service.call(fresh(body), **header).status in (200, 412)
    kept = all_calls(store)
    assert [call.client for call in kept] == ["ehr-one"] * 3
    text = everything_in(kept).encode() + b"".join(path.read_bytes() for path in file.parent.glob("records.sqlite3*"))
    for header in headers:
        for part in header["Authorization"].removeprefix("Bearer ").split(".")[1:]:
            assert part.encode() not in text


# found again by id


@pytest.mark.requirement("found-37", "resp-35")
def test_an_earlier_answer_that_was_withdrawn_is_found_by_the_id_of_its_withdrawal(service: Service, store: Store) -> None:
    first = service.call(fresh(order_sign(order())))
    outgrown = first.resources[0] | {"code": knee()["code"]}
    answer = service.call(fresh(order_sign(outgrown)))
    kept = the_call(store, assertion_of(answer))
    assert kept.response == answer.raw
    (told,) = kept.determinations
    assert (told.rule, told.answer, told.order_place) == ("withdrawn", "no", "ServiceRequest/mrn-1")
    assert assertion_of(answer) != assertion_of(first)
    assert the_call(store, assertion_of(first)).response == first.raw


@pytest.mark.requirement("found-37")
def test_what_was_said_of_an_order_that_was_not_evaluated_is_found_by_id(settings: Settings, store: Store, rows: Rows) -> None:
    service = Service(settings.model_copy(update={"unmatched": "conditional"}), store)
    watching = Watching(service.app, rows)
    answer = service.call(order_sign(knee()))
    kept = the_call(store, assertion_of(answer))
    (told,) = kept.determinations
    assert (told.rule, told.covered, told.order_place) == ("not-evaluated", "conditional", "ServiceRequest/knee-1")
    assert watching.at_start == [[assertion_of(answer)]]


@pytest.mark.requirement("resp-35", "found-37")
@pytest.mark.parametrize("version", ["2.0", "2.2"])
def test_an_answer_repeated_unchanged_is_kept_under_its_first_id(service: Service, store: Store, version: str) -> None:
    first = service.call(fresh(order_sign(order(), version=version)))
    again = service.call(fresh(order_sign(first.resources[0], version=version)))
    assert (len(again.cards), again.actions) == (1, [])
    found = store.find(assertion_of(first))
    assert {each.call.response for each in found} == {again.raw, first.raw}
    assert {each.call.determinations[0].assertion_id for each in found} == {assertion_of(first)}
    assert sorted(each.call.determinations[0].is_repeated for each in found) == [False, True]


@pytest.mark.requirement("resp-35", "found-37", "metric-1")
@pytest.mark.parametrize(
    ("asked", "unmatched"), [(order(), "silent"), (knee(), "conditional")], ids=["recognised", "not evaluated"]
)
def test_what_an_order_bore_already_is_neither_told_nor_counted_as_given(
    settings: Settings, store: Store, asked: dict[str, Any], unmatched: str
) -> None:
    service = Service(settings.model_copy(update={"unmatched": unmatched}), store)
    first = service.call(fresh(order_sign(asked)))
    again = fresh(order_sign(first.resources[0]))
    assert service.call(again).actions == []
    store.close()
    call = the_call(store, again["hookInstance"])
    assert [told.is_repeated for told in call.determinations] == [True]
    text = "\n".join(told(FoundCall(1, call)))
    assert f"coverage-assertion-id {assertion_of(first)}: the order bore this already; nothing was added" in text
    assert [line[-2:] for line in measured(store, "with_coverage_information")] == [(1, 2)]
    assert [line[-2:] for line in measured(store, "coverage_information")] == [(1, 1)]


@pytest.mark.parametrize(
    ("asked", "unmatched"), [(order(), "silent"), (knee(), "conditional")], ids=["recognised", "not evaluated"]
)
def test_an_id_that_a_client_wrote_behind_our_prefix_is_in_no_plain_column(
    settings: Settings, store: Store, rows: Rows, asked: dict[str, Any], unmatched: str
) -> None:
    service = Service(settings.model_copy(update={"unmatched": unmatched}), store)
    first = service.call(fresh(order_sign(asked)))
    forged = json.dumps(first.resources[0]).replace(assertion_of(first), f"{ASSERTION_PREFIX}Ramona-Quill-1961-04-03")
    body = fresh(order_sign(json.loads(forged)))
    assert service.call(body).actions == []
    store.close()
    assert len(store.find(body["hookInstance"])) == 1
    assert rows("SELECT count(*) FROM determinations") == [(2,)]
    assert "Ramona" not in repr(rows("SELECT * FROM determinations"))


# feedback


def measured(store: Store, name: str) -> list[tuple[Any, ...]]:
    return [(*each.group.values(), each.count, each.of) for each in store.measures(None, None) if each.name == name]


@pytest.mark.requirement("cds-hooks-2.0/feedback")
def test_feedback_is_joined_to_its_card_its_determination_and_the_policys_version(service: Service, store: Store) -> None:
    answer = service.call(fresh(order_sign(order())))
    code = answer.cards[0]["overrideReasons"][0]["code"]
    assert service.feedback(report(answer)).status == 200
    for name in (answer.cards[0]["uuid"], assertion_of(answer)):
        (found,) = store.find(name)
        (told,) = found.feedback
        (card,) = found.call.cards
        (determination,) = found.call.determinations
        assert (told.card, told.outcome, told.reason_code) == (card.uuid, "overridden", code)
        assert told.comment == "Ramona-Quill asked for it"
        assert card.assertion_ids == (determination.assertion_id,)
        assert determination.policy_versions == ("2023-11-01",)
    assert measured(store, "feedback") == [("blue-advantage-177", "yes", "overridden", 1, 1)]
    assert measured(store, "override_reasons") == [("blue-advantage-177", "yes", code, 1, 1)]


@pytest.mark.requirement("cds-hooks-2.0/feedback")
def test_repeated_late_and_unknown_feedback_does_no_harm_and_a_bad_item_takes_the_others_with_it(
    service: Service, store: Store
) -> None:
    answer = service.call(fresh(order_sign(order())))
    unknown = report(answer, card=str(uuid.uuid4()))
    for items in ([report(answer), unknown], [report(answer)], [unknown, unknown]):
        assert service.feedback(*items).status == 200
    assert service.feedback(report(answer, outcomeTimestamp="2027-01-01T00:00:00Z"), report(answer, "shrugged")).status == 400
    (found,) = store.find(assertion_of(answer))
    assert len(found.feedback) == 1
    assert {(line[0], line[-2]) for line in measured(store, "feedback")} == {("blue-advantage-177", 1), ("(unknown card)", 1)}


@pytest.mark.requirement("cds-hooks-2.0/feedback")
def test_a_card_of_another_client_is_an_unknown_id(trusted: Trusted, store: Store) -> None:
    service = trusted.service
    answer = service.call(fresh(order_sign(order())), **trusted.authorization("ehr-one"))
    accepted = service.feedback(report(answer), **trusted.authorization("ehr-two", path="/feedback"))
    assert (accepted.status, accepted.json) == (200, {})
    assert store.find(assertion_of(answer))[0].feedback == ()
    assert [line[0] for line in measured(store, "feedback")] == ["(unknown card)"]
    service.feedback(report(answer, "accepted"), **trusted.authorization("ehr-one", path="/feedback"))
    assert [each.outcome for each in store.find(assertion_of(answer))[0].feedback] == ["accepted"]
    assert ("blue-advantage-177", "yes", "accepted", 1, 1) in measured(store, "feedback")


def test_a_reason_that_no_card_offers_is_sealed_and_counted_as_another(service: Service, store: Store, rows: Rows) -> None:
    answer = service.call(fresh(order_sign(order())))
    assert service.feedback(report(answer, overrideReason={"reason": {"code": "Ramona-Quill"}})).status == 200
    assert "Ramona" not in repr(rows("SELECT id, client, service_id, card, outcome, reason_code FROM feedback"))
    assert store.find(assertion_of(answer))[0].feedback[0].reason_code == "Ramona-Quill"
    assert measured(store, "override_reasons") == [("blue-advantage-177", "yes", "(other)", 1, 1)]


# decided again


def decided_again(store: Store, call: CallRecord, settings: Settings) -> list[Difference]:
    return replay(call, store.policy_files(call.policy_hashes), lambda kept: decide_again(kept, settings))


def keep_policy(store: Store, text: str | None = None) -> None:
    """Keep the policy file, or ``text`` in its stead, as the start of the service does."""
    store.keep_policies({"blue-advantage-177": POLICY.read_bytes() if text is None else text.encode()})


@pytest.mark.requirement("found-37")
@pytest.mark.parametrize("name", NAMES)
def test_every_example_is_decided_again_the_same(settings: Settings, service: Service, store: Store, name: str) -> None:
    keep_policy(store)
    answer = service.example(name)
    calls = all_calls(store)
    assert [call.response for call in calls] == [answer.raw]
    for call in calls:
        assert decided_again(store, call, settings) == []


def searched(fhir: FhirServer) -> Any:
    fhir.answers["/fhir/Coverage"] = (200, searchset(coverage()))
    return order_sign(order(), prefetch=None)


def searched_in_vain(fhir: FhirServer) -> Any:
    fhir.answers["/fhir/Coverage"] = (200, searchset())
    return order_sign(order(), prefetch=None)


def paged(fhir: FhirServer) -> Any:
    first = searchset(coverage(id="old", status="cancelled"), link=[{"relation": "next", "url": f"{fhir.base}/Coverage?page=2"}])
    fhir.answers["/fhir/Coverage?page=2"] = (200, searchset(coverage()))
    return order_sign(order(), prefetch={"coverage": first})


def payor_read(fhir: FhirServer) -> Any:
    fhir.answers["/fhir/Organization/payer-1"] = (200, payer_organization())
    return order_sign(order(), prefetch={"coverage": searchset(by_reference())})


def payor_failing(fhir: FhirServer) -> Any:
    fhir.answers["/fhir/Organization/payer-1"] = (503, b"")
    return order_sign(order(), prefetch={"coverage": searchset(by_reference(**{"class": None}))}, version="2.2")


def payor_absent(fhir: FhirServer) -> Any:
    return order_sign(order(), prefetch={"coverage": searchset(by_reference(**{"class": None}))})


def search_failing(fhir: FhirServer) -> Any:
    fhir.answers["/fhir/Coverage"] = (500, b"")
    return order_sign(order(), prefetch=None)


def search_failing_in_2_2(fhir: FhirServer) -> Any:
    return search_failing(fhir) | {"extension": {"davinci-crd.requestedVersion": "2.2"}}


def not_json(fhir: FhirServer) -> Any:
    fhir.answers["/fhir/Coverage"] = (200, b"<html>")
    return order_sign(order(), prefetch=None)


def orders_read(fhir: FhirServer) -> Any:
    fhir.answers["/fhir/ServiceRequest/mrn-1"] = (200, json.dumps(order()).replace('"draft"', '"draft", "vendor": 1.10').encode())
    context = {"dispatchedOrders": ["ServiceRequest/mrn-1", "ServiceRequest/gone"]}
    return order_dispatch(context, prefetch={"coverage": searchset(coverage())})


def orders_failing(fhir: FhirServer) -> Any:
    fhir.answers["/fhir/ServiceRequest/mrn-1"] = (500, b"")
    return order_dispatch({"dispatchedOrders": ["ServiceRequest/mrn-1"]}, prefetch={"coverage": searchset(coverage())})


@pytest.mark.requirement("found-37")
@pytest.mark.parametrize(
    ("situation", "status", "asserts", "failure"),
    [
        (searched, 200, True, None),
        (searched_in_vain, 200, False, None),
        (paged, 200, True, None),
        (payor_read, 200, True, None),
        (payor_failing, 200, True, "status"),
        (payor_absent, 200, False, "absent"),
        (search_failing, 200, False, "status"),
        (search_failing_in_2_2, 412, False, "status"),
        (not_json, 200, False, "not-json"),
        (orders_read, 200, True, "absent"),
        (orders_failing, 412, False, "status"),
    ],
)
def test_a_call_is_decided_again_with_what_was_fetched_then_and_what_could_not_be(
    settings: Settings, store: Store, situation: Callable[[FhirServer], Any], status: int, asserts: bool, failure: str | None
) -> None:
    keep_policy(store)
    with FhirServer() as fhir:
        service = Service(settings.model_copy(update={"fhir_servers": (fhir.origin,)}), store)
        answer = service.call(situation(fhir) | fhir.access)
        assert fhir.asked
    assert (answer.status, bool(answer.status == 200 and answer.actions)) == (status, asserts)
    (call,) = all_calls(store)  # with the FHIR server gone
    assert (call.status, call.response) == (status, answer.raw)
    assert (sorted(set(call.settings["failed_fetches"].values())) or [None]) == [failure]
    assert TOKEN not in everything_in([call])
    assert decided_again(store, call, settings) == []


@pytest.mark.requirement("found-37")
def test_a_call_that_might_fetch_nothing_is_decided_again_without_fetching(
    settings: Settings, service: Service, store: Store
) -> None:
    keep_policy(store)
    with FhirServer() as fhir:
        answer = service.call(searched(fhir) | fhir.access)
        assert fhir.asked == []
        fhir.answers["/fhir/Coverage"] = (200, searchset(coverage()))
        (call,) = all_calls(store)
        assert decided_again(store, call, settings.model_copy(update={"fhir_servers": (fhir.origin,)})) == []
        assert fhir.asked == []
    assert answer.actions == []


def changed_policy() -> str:
    """The policy file with another procedure's words for its reason: an answer by it differs."""
    text = POLICY.read_text(encoding="utf-8")
    changed = text.replace('covered = "not-covered"', 'covered = "covered"')
    assert changed != text
    return changed


@pytest.mark.requirement("found-37")
def test_a_call_is_decided_by_the_policy_file_of_then_when_the_file_has_changed(
    settings: Settings, store: Store, tmp_path: Path
) -> None:
    keep_policy(store)
    keep_policy(store, changed_policy())
    path = tmp_path / "changed.toml"
    path.write_text(changed_policy(), encoding="utf-8")
    then = Service(settings, store).call(fresh(order_sign(order())))
    now = Service(settings, store, policies=(load_policy(path),)).call(fresh(order_sign(order())))
    assert [child(each.assertions[0], "covered") for each in (then, now)] == ["not-covered", "covered"]
    for answer in (then, now):
        assert decided_again(store, the_call(store, assertion_of(answer)), settings) == []
    older = the_call(store, assertion_of(then))
    changed = msgspec.structs.replace(older, policy_hashes=the_call(store, assertion_of(now)).policy_hashes)
    differences = decided_again(store, changed, settings)
    assert "not-covered" in str([each.then for each in differences])
    assert "not-covered" not in str([each.now for each in differences])


def test_a_policy_file_that_was_not_kept_is_taken_from_the_folders_if_it_is_the_same_and_refused_if_not(
    settings: Settings, service: Service, store: Store, tmp_path: Path
) -> None:
    call = the_call(store, assertion_of(service.call(order_sign(order()))))
    assert decided_again(store, call, settings) == []
    path = tmp_path / "changed.toml"
    path.write_text(changed_policy(), encoding="utf-8")
    other = Service(settings, store, policies=(load_policy(path),)).call(fresh(order_sign(order())))
    with pytest.raises(RecordsMisconfigured, match="neither kept nor at hand"):
        decided_again(store, the_call(store, assertion_of(other)), settings)


@pytest.mark.requirement("found-37")
@pytest.mark.parametrize("made", ["CAST(? AS BLOB)", "CAST(? AS TEXT)"])
def test_by_a_policy_file_that_was_altered_where_it_is_kept_nothing_is_decided_again(
    settings: Settings, store: Store, file: Path, tmp_path: Path, made: str
) -> None:
    path = tmp_path / "then.toml"
    path.write_bytes(POLICY.read_bytes() + b"\n# of then\n")
    keep_policy(store, path.read_text(encoding="utf-8"))
    answer = Service(settings, store, policies=(load_policy(path),)).call(fresh(order_sign(order())))
    call = the_call(store, assertion_of(answer))
    assert decided_again(store, call, settings) == []
    with sqlite3.connect(file) as database:
        database.execute(f"UPDATE policies SET file = {made}", (changed_policy().encode(),))
    database.close()
    with pytest.raises(RecordsMisconfigured, match=r"blue-advantage-177 of then .* was altered where it is kept"):
        decided_again(store, call, settings)
    at_hand = settings.model_copy(update={"policies": tmp_path})
    assert decided_again(store, call, at_hand) == []
    keep_policy(store, path.read_text(encoding="utf-8"))  # as the next start by that file does
    assert decided_again(store, call, settings) == []


def test_a_kept_policy_file_that_this_version_cannot_read_is_an_error_of_one_line(settings: Settings, service: Service) -> None:
    store = service.app.extensions["cds_service"].store
    call = the_call(store, assertion_of(service.call(order_sign(order()))))
    content = b'of = "another time"'
    call.policy_hashes["blue-advantage-177"] = hashlib.sha256(content).hexdigest()
    with pytest.raises(RecordsMisconfigured, match="blue-advantage-177") as raised:
        replay(call, {"blue-advantage-177": content}, lambda kept: decide_again(kept, settings))
    assert "is not read by this version" in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.requirement("found-37")
@pytest.mark.parametrize("body", [order_sign(order(occurrenceDateTime=None, authoredOn=None)), order_sign(knee())])
def test_a_call_is_decided_again_on_its_own_day_and_by_its_own_settings(settings: Settings, store: Store, body: Any) -> None:
    """No date in the order: the day of the call decided, and the version in force then."""
    keep_policy(store)
    changes = {
        "timezone": "Pacific/Auckland",
        "unmatched": "conditional",
        "literal_q2": True,
        "public_url": "https://then.example",
    }
    answer = Service(settings.model_copy(update=changes), store).call(body)
    call = the_call(store, assertion_of(answer))
    assert call.today == "2026-11-23"  # noon in Alabama is tomorrow in Auckland
    assert decided_again(store, call, settings) == []


# counted


@pytest.mark.requirement("metric-1")
def test_the_measures_count_what_was_answered(trusted: Trusted, store: Store) -> None:
    service = trusted.service

    def call(body: Any, client: str = "ehr-one") -> Answer:
        return service.call(fresh(body), **trusted.authorization(client, SERVICE_IDS[body["hook"]]))

    signed = call(order_sign(order(), order(id="mrn-2", occurrenceDateTime="2023-10-31"), unlisted()))
    call(order_sign(signed.resources[0]))
    call(order_sign(knee()))
    call(order_sign(order(), prefetch=None, version="2.2"))
    call(order_select(order()), "ehr-two")
    call(order_sign(order(), prefetch={"coverage": searchset()}), "ehr-two")
    service.feedback(
        report(call(order_sign(order()), "ehr-two"), "accepted"), **trusted.authorization("ehr-two", path="/feedback")
    )
    store.close()
    one, select, two = ("order-sign", "ehr-one"), ("order-select", "ehr-two"), ("order-sign", "ehr-two")
    assert measured(store, "calls") == [(*select, 1, None), (*one, 4, None), (*two, 2, None)]
    assert measured(store, "answered") == [(*select, 1, 1), (*one, 3, 4), (*two, 2, 2)]
    assert measured(store, "with_coverage_information") == [(*select, 1, 1), (*one, 1, 4), (*two, 1, 2)]
    assert measured(store, "within_5_seconds") == [(*select, 1, 1), (*one, 4, 4), (*two, 2, 2)]
    policy = "blue-advantage-177"
    assert measured(store, "coverage_information") == [(policy, "conditional", 1, 5), (policy, "not-covered", 4, 5)]
    recognised = [(versions, answer, count) for _, versions, answer, _, count, _ in measured(store, "orders_recognised")]
    assert sum(count for _, _, count in recognised) == 7
    assert ("2011-06-01", "yes", 1) in recognised
    assert sum(count for versions, answer, count in recognised if (versions, answer) == ("2023-11-01", "yes")) == 5
    assert sum(count for _, answer, count in recognised if answer == "possibly") == 1
    assert measured(store, "cards") == [(policy, "possibly", 1, None), (policy, "yes", 6, None)]
    assert measured(store, "feedback") == [(policy, "yes", "accepted", 1, 6)]


@pytest.mark.requirement("metric-1")
def test_the_last_day_of_a_span_counts_to_its_end_and_the_first_from_its_start(service: Service, store: Store) -> None:
    service.call(order_sign(order()))
    for start, end, count in (
        (NOON, NOON + timedelta(milliseconds=1), 1),
        (NOON + timedelta(milliseconds=1), None, 0),
        (None, NOON, 0),
    ):
        assert sum(each.count for each in store.measures(start, end) if each.name == "calls") == count


@pytest.mark.parametrize("escapes", [b"", b'a \\" quote'])
def test_a_body_without_a_token_is_kept_as_the_very_same_bytes(escapes: bytes) -> None:
    body = b'{"hook": "order-sign", "text": "' + escapes + b'"}'
    assert without_token(body) is body


@pytest.mark.parametrize("name", [b"fhirAuthorization", b"fhir\\u0041uthorization", b"\\u0066hirAuthorization"])
def test_a_token_whose_name_is_written_with_escapes_is_taken_out_too(name: bytes) -> None:
    assert b"secret" not in without_token(b'{"hook": "order-sign", "' + name + b'": {"access_token": "secret"}}')


#: After each of these the extension asks for CRD 2.2.
NESTED = [
    b'"extension": {"vendor": {"fhirAuthorization": {"access_token": "secret"}, "n": 1.10}, ',
    b'"extension": {"vendor": [{"access_token": "secret"}], ',
    b'"extension": {"vendor": {"\\u0061ccess_token": "secret"}, ',
    b'"extension": {"access_token": "secret"}, "extension": {',
    b'"fhirAuthorization": {"access_token": "secret"}, "extension": {"fhirAuthorization": "secret", ',
    b'"vendor": [{"access_token": "secret", "n": 1e999}], "extension": {',
    b'"vendor": {"access_token": "secret", "n": 123456789012345678901234567890}, "extension": {',
]


@pytest.mark.requirement("sec-6")
@pytest.mark.parametrize("more", NESTED)
def test_a_token_in_an_extension_is_not_kept_and_the_call_is_decided_again_the_same(
    settings: Settings, service: Service, store: Store, more: bytes
) -> None:
    body = fresh(order_sign(order(), extension=None))
    del body["extension"]
    raw = json.dumps(body).encode()[:-1] + b", " + more + b'"davinci-crd.requestedVersion": "2.2"}}'
    answer = service.call(raw, "order-sign-crd")
    call = the_call(store, assertion_of(answer))
    assert call.crd_version == "2.2"
    assert b"secret" not in call.request
    assert json.loads(call.request)["context"] == body["context"]
    assert decided_again(store, call, settings) == []


def test_what_the_chart_says_is_kept_to_the_letter_whatever_its_members_are_called() -> None:
    chart = b'{"draftOrders": {"access_token":  "not one", "n": 1.10}}'
    assert chart in without_token(b'{"context": ' + chart + b', "prefetch": ' + chart + b"}")

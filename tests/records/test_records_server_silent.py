"""A server that no longer answers, while what is sent to it is taken, holds no call for long."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from urllib.parse import urlsplit

import pytest
from conftest import KEY, a_call, a_determination  # type: ignore[import-not-found]

from cds_service.crd.feedback import FeedbackItem
from cds_service.records import RecordsUnavailable, Store, open_store
from cds_service.records.breaker import REST
from cds_service.settings import load_settings
from tests import examples
from tests.conformance.bodies import order, order_sign
from tests.kept import Service, fresh, report

pytestmark = [pytest.mark.postgres, pytest.mark.slow]  # waits for what does not come


class Proxy:
    """Stands between a client and a server on this machine, and forwards while ``flows`` is set.

    Of the next ``lost`` commits no reply comes back, and the connection is closed a moment later if it ``closes``. If it
    ``swallows``, they do not arrive either, and the server never hears that the client is gone.
    """

    def __init__(self, port: int) -> None:
        self._behind = port
        self.flows = threading.Event()
        self.flows.set()
        self.lost, self.closes, self.swallows = 0, False, False
        self._unanswered: set[socket.socket] = set()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._sockets: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def _accept(self) -> None:
        while True:
            try:
                front, _ = self._listening.accept()
            except OSError:
                return
            behind = socket.create_connection(("127.0.0.1", self._behind))
            self._sockets += [front, behind]
            for one, other in ((front, behind), (behind, front)):
                self._threads.append(threading.Thread(target=self._pump, args=(one, other)))
                self._threads[-1].start()

    def _pump(self, one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            while data := one.recv(65536):
                self.flows.wait()
                if other in self._unanswered:
                    continue
                is_lost = self.lost > 0 and b"COMMIT" in data
                if is_lost:
                    self.lost -= 1
                    self._unanswered.add(one)
                    if self.swallows:
                        return
                other.sendall(data)
                if is_lost and self.closes:
                    time.sleep(0.2)
                    one.shutdown(socket.SHUT_RDWR)
        with suppress(OSError):
            other.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self.flows.set()
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for each in self._sockets:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)
        for each in self._sockets:
            each.close()


@pytest.fixture
def proxy(server_url: str) -> Iterator[Proxy]:
    opened = Proxy(urlsplit(server_url).port or 5432)
    yield opened
    opened.close()


@pytest.fixture
def store(server_url: str, proxy: Proxy) -> Iterator[Store]:
    url = server_url.replace(f":{urlsplit(server_url).port}/", f":{proxy.port}/")
    assert str(proxy.port) in url
    opened = open_store(load_settings(database_url=url, records_keys=KEY))
    yield opened
    proxy.flows.set()
    opened.close()


def seconds_to_fail(act: Callable[[], object]) -> float:
    began = time.monotonic()
    with pytest.raises(RecordsUnavailable):
        act()
    return time.monotonic() - began


def test_a_call_a_token_and_feedback_wait_for_it_three_seconds_and_then_not_at_all(store: Store, proxy: Proxy) -> None:
    item = FeedbackItem(card="c-1", outcome="overridden", outcome_at=datetime.now(UTC))
    acts: tuple[Callable[[], object], ...] = (
        lambda: store.record_now(a_call(a_determination())),
        lambda: store.token_is_new("ehr-one", "j-1", 2_000_000_000),
        lambda: store.record_feedback("order-sign-crd", "ehr-one", [item]),
    )
    for act in acts:
        store.record_now(a_call(a_determination()))
        proxy.flows.clear()
        assert 2 < seconds_to_fail(act) < 4.5
        assert seconds_to_fail(act) < 0.5
        proxy.flows.set()
        time.sleep(REST + 0.1)
    call = a_call(a_determination())
    store.record_now(call)
    assert store.find(call.hook_instance)[0].call == call


@pytest.mark.parametrize(("lost", "closes"), [(1, False), (2, True)])
def test_a_commit_that_arrived_and_was_never_answered_leaves_no_assertion_that_was_not_made(
    server_url: str, store: Store, proxy: Proxy, lost: int, closes: bool
) -> None:
    store.record_now(a_call())
    before = store.measures(None, None)
    service = Service(examples.settings(records=True, database_url=server_url, records_keys=KEY), store)
    body = fresh(order_sign(order()))
    proxy.lost, proxy.closes = lost, closes
    answer = service.call(body)
    assert (proxy.lost, len(answer.cards), answer.actions) == (0, 1, [])
    (arrived,) = store.find(body["hookInstance"])
    assert arrived.call.determinations[0].assertion_id is not None
    store.close()
    assert service.feedback(report(answer)).status == 200
    (found,) = store.find(body["hookInstance"])
    assert found.call.response == answer.raw
    assert [told.assertion_id for told in found.call.determinations] == [None]
    assert [told.card for told in found.feedback] == [answer.cards[0]["uuid"]]
    assert store.find(arrived.call.determinations[0].assertion_id) == []
    (card,) = [each for each in store.measures(None, None) if each.name == "cards" and each not in before]
    assert card.count == 1 + sum(each.count for each in before if (each.name, each.group) == ("cards", card.group))
    for name in ("coverage_information", "with_coverage_information"):
        counted = [sum(each.count for each in measured if each.name == name) for measured in (before, store.measures(None, None))]
        assert counted[0] == counted[1]


def test_a_transaction_whose_commit_was_lost_on_the_way_holds_up_what_is_written_in_its_place_for_seconds_only(
    store: Store, proxy: Proxy
) -> None:
    store.record_now(a_call())
    meant = a_call(a_determination())
    given = a_call(a_determination(assertion_id=None), call_id=meant.call_id, at=meant.at, hook_instance=meant.hook_instance)
    proxy.lost, proxy.swallows = 1, True
    assert seconds_to_fail(lambda: store.record_now(meant)) > 2
    store.record_later(given)
    deadline = time.monotonic() + 10
    while not (found := store.find(meant.hook_instance)):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert [each.call for each in found] == [given]


def test_a_batch_whose_commit_arrived_and_was_never_answered_is_kept_once(
    store: Store, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cds_service.records.driver._LONG_SILENCE", 1.0)
    store.record_now(a_call())
    calls = [a_call(hook_instance="8a0e8eea-8d2a-4d0c-8b7b-1c0f1f1b4a11") for _ in range(20)]
    proxy.lost = 1
    for call in calls:
        store.record_later(call)
    store.close()
    assert proxy.lost == 0
    kept = [found.call for found in store.find(calls[0].hook_instance)]
    assert sorted(kept, key=lambda call: call.call_id) == sorted(calls, key=lambda call: call.call_id)


def test_calls_that_say_nothing_are_written_when_it_answers_again(
    store: Store, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cds_service.records.driver._LONG_SILENCE", 1.0)
    store.record_now(a_call(a_determination()))
    proxy.flows.clear()
    call = a_call()
    store.record_later(call)
    deadline = time.monotonic() + 10
    while not store._here.later.is_failing:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    proxy.flows.set()
    store.close()
    assert store.find(call.hook_instance)[0].call == call

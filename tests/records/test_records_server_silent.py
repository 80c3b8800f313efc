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

pytestmark = [pytest.mark.postgres, pytest.mark.slow]  # waits for what does not come


class Proxy:
    """Stands between a client and a server on this machine, and forwards while ``flows`` is set."""

    def __init__(self, port: int) -> None:
        self._behind = port
        self.flows = threading.Event()
        self.flows.set()
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
                other.sendall(data)
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

"""The metrics: counted in every worker, added up by their parent, on an address of their own."""

from __future__ import annotations

import os
import signal
import socket
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from cds_service import metrics
from tests.calls import ORDER, app_for_tests, hook_call
from tests.served import NOT_OURS, SIGN, serving, until

pytestmark = pytest.mark.slow  # starts real servers


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Looks a sample up in a registry of the test's own."""
    registry = CollectorRegistry()
    mine = metrics.make_metrics(registry)
    monkeypatch.setattr(metrics, "_metrics", lambda: mine)
    metrics._labelled.cache_clear()

    def value(name: str, **labels: str) -> float | None:
        return registry.get_sample_value(f"cds_service_{name}", labels)

    yield value
    metrics._labelled.cache_clear()


def test_a_call_is_counted_with_its_determination(counted: Any) -> None:
    knee = {**ORDER, "id": "knee", "code": {"text": "MRI knee"}}
    assert app_for_tests().test_client().post(SIGN, json=hook_call(ORDER, knee)).status_code == 200
    assert counted("calls_total", hook="order-sign", status="200", client="none") == 1
    assert counted("call_seconds_count", hook="order-sign") == 1
    assert counted("determinations_total", policy="blue-advantage-177", version="2023-11-01", answer="yes") == 1
    assert counted("orders_total", answer="yes") == 1
    assert counted("orders_total", answer="no") == 1


def test_refused_calls_are_counted_by_status(counted: Any) -> None:
    client = app_for_tests().test_client()
    client.post(SIGN, data=b"{", content_type="application/json")
    client.post("/cds-services/of-the-caller-s-choice", json={})
    assert counted("calls_total", hook="order-sign", status="400", client="none") == 1
    assert counted("calls_total", hook="other", status="404", client="none") == 1


def test_pages_and_health_are_not_counted_as_calls(counted: Any) -> None:
    app_for_tests().test_client().get("/health/live")
    assert counted("calls_total", hook="other", status="200", client="none") is None


def test_feedback_fetches_and_failures_are_counted(counted: Any) -> None:
    metrics.count_feedback("overridden", 2)
    metrics.count_feedback("whatever a client writes")
    metrics.count_fetch("ok", 0.2)
    metrics.count_record_failure(3)
    metrics.count_store_down()
    assert counted("feedback_total", outcome="overridden") == 2
    assert counted("feedback_total", outcome="other") == 1
    assert counted("fetches_total", outcome="ok") == 1
    assert counted("fetch_seconds_sum") == pytest.approx(0.2)
    assert counted("record_failures_total") == 3
    assert counted("replay_store_down_total") == 1


def test_the_counts_of_all_workers_add_up_also_those_of_one_that_died(tmp_path: Path) -> None:
    with serving(tmp_path, workers=2) as served:
        for _ in range(10):
            assert served.ask(body=NOT_OURS)[0] == 200
        until(lambda: served.metrics().get("cds_service_workers") == 2, "both workers to serve")
        calls = 'cds_service_calls_total{client="none",hook="order-sign",status="200"}'
        assert served.metrics()[calls] == 10
        before = served.workers()
        os.kill(min(before), signal.SIGKILL)
        until(lambda: len(served.workers() - before) == 1, "a new worker", seconds=20)
        until(lambda: served.metrics()["cds_service_workers"] == 2, "the new worker to serve", seconds=20)
        assert served.metrics()[calls] == 10


def test_metrics_are_never_served_on_the_public_address(tmp_path: Path) -> None:
    with serving(tmp_path) as served:
        assert served.ask("GET", "/metrics")[0] == 404


def test_a_metrics_port_that_is_taken_is_logged_and_stops_nothing(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with serving(tmp_path, CDS_SERVICE_METRICS_ADDRESS=address) as served:
            assert served.ask()[0] == 200
            assert '"event":"metrics_off"' in served.said
            assert address in served.said


def test_metrics_can_be_turned_off(tmp_path: Path) -> None:
    with serving(tmp_path, CDS_SERVICE_METRICS_ADDRESS="off") as served:
        assert served.ask()[0] == 200
        with pytest.raises(OSError):
            served.metrics()

"""Metrics for Prometheus, counted in every worker process and served by their parent, on an address of its own.

Worker processes share counts through files in ``PROMETHEUS_MULTIPROC_DIR``, which ``share`` sets; it must run before this
module's metrics are first used. Without it (tests, tools) counts stay in the process. Label values come from bounded sets:
hooks, statuses, policies, answers, outcomes, and the clients that the operator registered.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
    from prometheus_client.metrics_core import Metric

_DIRECTORY = "PROMETHEUS_MULTIPROC_DIR"
#: Upper bounds in seconds: 0.5 is CDS Hooks' advice, 5 and 10 are CRD's limits.
_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_OUTCOMES = ("accepted", "overridden")
_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class _Metrics:
    calls: Counter
    seconds: Histogram
    determinations: Counter
    recognised: Counter
    fetches: Counter
    fetch_seconds: Histogram
    feedback: Counter
    record_failures: Counter
    store_down: Counter
    workers: Gauge


def make_metrics(registry: CollectorRegistry | None = None) -> _Metrics:
    """All metrics, in ``registry`` (None: the library's own)."""
    import prometheus_client as client

    registry = registry or client.REGISTRY

    def counter(name: str, text: str, *labels: str) -> Counter:
        return client.Counter(f"cds_service_{name}", text, labels, registry=registry)

    def histogram(name: str, text: str, *labels: str) -> Histogram:
        return client.Histogram(f"cds_service_{name}", text, labels, buckets=_BUCKETS, registry=registry)

    return _Metrics(
        calls=counter("calls", "Hook and feedback calls answered.", "hook", "status", "client"),
        seconds=histogram("call_seconds", "Seconds from a whole request to its answer.", "hook"),
        determinations=counter("determinations", "Orders that were told something.", "policy", "version", "answer"),
        recognised=counter("orders", "Orders read, by whether they ask for a policy's procedure.", "answer"),
        fetches=counter("fetches", "Requests to clients' FHIR servers.", "outcome"),
        fetch_seconds=histogram("fetch_seconds", "Seconds that requests to clients' FHIR servers took."),
        feedback=counter("feedback", "Reports on what became of cards.", "outcome"),
        record_failures=counter("record_failures", "Calls that could not be kept."),
        store_down=counter("replay_store_down", "Tokens checked against this process's memory only."),
        workers=client.Gauge(
            "cds_service_workers", "Worker processes that serve.", multiprocess_mode="livesum", registry=registry
        ),
    )


_making = threading.Lock()


@cache
def _made() -> _Metrics:
    return make_metrics()


def _metrics() -> _Metrics:
    # the first calls of a process come at once, cache() lets all of them in, and a second registration raises
    with _making:
        return _made()


@cache
def _labelled(metric: str, *labels: str) -> Any:
    """The child of a metric: kept here, since the library's own look-up costs as much as counting. Labels are bounded."""
    return getattr(_metrics(), metric).labels(*labels)


def count_call(hook: str, status: int, client: str | None, seconds: float) -> None:
    """Count one call of ``hook``: a hook's name, ``feedback``, or ``other``; ``client`` None without authentication."""
    _labelled("calls", hook, str(status), client or "none").inc()
    _labelled("seconds", hook).observe(seconds)


def count_orders(recognised: Mapping[str, int]) -> None:
    """Count the orders of one call by answer: yes, possibly, no."""
    for answer, count in recognised.items():
        _labelled("recognised", answer).inc(count)


def count_determination(policy: str, versions: Iterable[str], answer: str) -> None:
    """Count one determination under ``policy``; ``versions`` are the days from which the versions cited hold."""
    _labelled("determinations", policy, "+".join(versions), answer).inc()


def count_fetch(outcome: str, seconds: float) -> None:
    """Count one request to a FHIR server; ``outcome`` is ``FhirClient``'s word for how it went."""
    _labelled("fetches", outcome).inc()
    _metrics().fetch_seconds.observe(seconds)


def count_feedback(outcome: str, count: int = 1) -> None:
    """Count feedback reports of one outcome."""
    _labelled("feedback", outcome if outcome in _OUTCOMES else "other").inc(count)


def count_record_failure(count: int = 1) -> None:
    """Count calls that could not be kept."""
    _metrics().record_failures.inc(count)


def count_store_down() -> None:
    """Count one token whose id could not be looked up in the store."""
    _metrics().store_down.inc()


def count_worker() -> None:
    """Say that this process serves; it counts as long as it lives."""
    _metrics().workers.set(1)


def share() -> Callable[[], None] | None:
    """Let this process and its children count together; call what is returned at the end. None: no folder can be made."""
    try:
        folder = tempfile.mkdtemp(prefix="cds-service-metrics-")
    except OSError as error:
        _log.warning("metrics_off", problem=f"no temporary folder can be made: {error.strerror}")
        return None
    os.environ[_DIRECTORY] = folder

    def end() -> None:
        os.environ.pop(_DIRECTORY, None)
        shutil.rmtree(folder, ignore_errors=True)

    return end


def serve_metrics(host: str, port: int) -> Callable[[], None] | None:
    """Serve what ``share``'s processes count on ``http://host:port/metrics``; call what is returned to stop.

    None: the address cannot be had, which is logged and stops nothing. Children that are forked later do not keep it.
    """
    from prometheus_client import CollectorRegistry, start_http_server

    registry = CollectorRegistry()
    registry.register(_shared(os.environ[_DIRECTORY]))
    try:
        server, thread = start_http_server(port, host, registry)
    except OSError as error:
        _log.warning("metrics_off", address=f"{host}:{port}", problem=f"cannot listen there: {error.strerror}")
        return None
    os.register_at_fork(after_in_child=server.socket.close)

    def stop() -> None:
        server.shutdown()
        server.server_close()
        thread.join()

    return stop


def _shared(folder: str) -> Any:
    from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

    lock = threading.Lock()

    class Shared(MultiProcessCollector):
        """The counts of all processes; of those that have died, no gauges."""

        def collect(self) -> Iterable[Metric]:
            with lock:
                for path in Path(folder).glob("gauge_live*.db"):
                    pid = int(path.stem.rpartition("_")[2])
                    if not Path(f"/proc/{pid}").exists():
                        mark_process_dead(pid, folder)  # type: ignore[no-untyped-call]
                return list(super().collect())  # type: ignore[no-untyped-call]

    return Shared(None, folder)  # type: ignore[no-untyped-call]

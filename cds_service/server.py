"""Runs the application under granian, the production server; ``docs/operations.md`` says why that one, with figures.

The parent process checks the settings, imports everything, warms it up and forks the workers; it then only replaces workers
that died and serves the metrics.
"""

from __future__ import annotations

import gc
import ipaddress
import multiprocessing
import signal
import socket
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import structlog

from cds_service import logs, metrics, stop_signals
from cds_service.greeting import greet
from cds_service.settings import Settings, SettingsError
from cds_service.worker import make_worker

if TYPE_CHECKING:
    from cds_service.wsgi_bridge import WsgiBridge

#: Seconds in which a request's head must have come in, after which an idle connection is closed too.
HEAD_SECONDS = 10

#: Seconds that answers in progress may take after SIGTERM.
STOP_SECONDS = 30

#: granian ends when a worker dies twice within about five seconds; it is started again, unless this often in a row at once.
_RESTARTS = 5
_AT_ONCE = 10.0

_log = structlog.get_logger(__name__)


def run_server(settings: Settings, host: str, port: int, workers: int) -> None:
    """Serve on ``host``:``port`` until SIGTERM or SIGINT; port 0 means any free one.

    Raises SettingsError, PolicyError, ClientsError and RecordsMisconfigured before anything listens, and SystemExit when
    workers die again and again as soon as they start.
    """
    from cds_service.auth import check_bind

    check_bind(settings, host)
    address, port = _checked_address(host, port)
    logs.configure_logs()
    with ExitStack() as at_end:
        if settings.metrics_address:
            _serve_metrics(settings.metrics_address, at_end)
        public_url = settings.public_url or _own_url(host, address, port)
        gc.disable()  # all that is imported and made now stays: to look for garbage among it takes a tenth of the time
        try:
            make = _prepare(settings, public_url)
        finally:
            gc.enable()
        greet(public_url, f"{_in_url(address)}:{port}", settings)
        _serve(make, address, port, workers)


def _checked_address(host: str, port: int) -> tuple[str, int]:
    """The address that ``host`` stands for, IPv4 first, and ``port``, or a free one for 0.

    granian takes no names, and shares a port with others that do so (SO_REUSEPORT), also with a second service.
    """
    try:
        every = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, _, _, _, address = min(every, key=lambda found: found[0] != socket.AF_INET)
        with socket.socket(family, socket.SOCK_STREAM) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind(address)
            return str(address[0]), int(trial.getsockname()[1])
    except OSError as error:
        raise SettingsError(f"{host}:{port} cannot be listened on ({error.strerror}); choose another --host or --port") from None


def _own_url(host: str, address: str, port: int) -> str:
    """The address that cards and orders link to where none is set; nobody can follow a link to "every address"."""
    if not ipaddress.ip_address(address).is_unspecified:
        return f"http://{_in_url(host)}:{port}"
    url = f"http://127.0.0.1:{port}"
    click.echo(f"links on cards and orders lead to {url}; set CDS_SERVICE_PUBLIC_URL to the address that clients call", err=True)
    return url


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _serve_metrics(address: str, at_end: ExitStack) -> None:
    end = metrics.share()
    if end is None:
        return
    at_end.callback(end)
    host, _, port = address.rpartition(":")
    stop = metrics.serve_metrics(host.strip("[]"), int(port))
    if stop is not None:
        at_end.callback(stop)


def _prepare(settings: Settings, public_url: str) -> Callable[[], WsgiBridge]:
    """Do all that workers have in common: a fork then serves within milliseconds, and shares the memory."""
    from cds_service import app, warm_up, wsgi_bridge  # noqa: F401  # what only the workers use is imported here too
    from cds_service.policy_files import load_policies
    from cds_service.records import RecordsMisconfigured, RecordsUnavailable, open_store

    if settings.fhir_servers or settings.mode == "jwt":
        from cds_service import outgoing  # noqa: F401  # a tenth of a second that the first fetch must not wait for

    policies = load_policies(settings.policies)
    app.create_app(settings, public_url=public_url, policies=policies)  # what is wrong stops the start here, not in each worker
    store = open_store(settings, on_lost=metrics.count_record_failure)
    try:
        store.keep_policies({policy.id: Path(policy.file).read_bytes() for policy in policies})
    except RecordsUnavailable as error:
        raise RecordsMisconfigured(f"{store.url} cannot be written ({error})") from None
    finally:
        store.close()
    for notice in store.notices:
        click.echo(notice, err=True)
    warm_up.warm_up(policies)
    gc.collect()
    gc.freeze()
    return partial(make_worker, settings, public_url, policies, store)


def _serve(make: Callable[[], WsgiBridge], host: str, port: int, workers: int) -> None:
    multiprocessing.set_start_method("fork", force=True)
    stop_signals.hold_in_workers()
    short_lives = 0
    # A terminal that closes stops the service, unless it was told not to (nohup); granian would replace its workers.
    ends = signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN
    while True:
        server = _granian(host, port, workers)
        server.on_startup(partial(signal.signal, signal.SIGHUP, server.signal_handler_interrupt if ends else signal.SIG_IGN))
        started = time.monotonic()
        try:
            server.serve(target_loader=make, wrap_loader=False)
        except SystemExit:
            # granian gives up when a worker dies twice within some seconds. One bad day of two workers is no reason to stop.
            if not server.interrupt_signal:
                short_lives = short_lives + 1 if time.monotonic() - started < _AT_ONCE else 0
                _log.error("server_restarts", count=short_lives)
                if short_lives >= _RESTARTS:
                    raise
                continue
        return


def _granian(host: str, port: int, workers: int) -> Any:
    from granian import Granian
    from granian.constants import HTTPModes, Interfaces, RuntimeModes
    from granian.http import HTTP1Settings
    from granian.log import LogLevels

    # To our handler (logs.py), in place of granian's own on standard output.
    to_root = {"handlers": [], "propagate": True}
    return Granian(
        "cds_service",
        address=host,
        port=port,
        interface=Interfaces.RSGI,
        runtime_mode=RuntimeModes.st,
        workers=workers,
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(header_read_timeout=HEAD_SECONDS * 1000, max_buffer_size=65536),
        websockets=False,
        backlog=1024,
        backpressure=1024,
        respawn_failed_workers=True,
        respawn_interval=0.1,
        workers_kill_timeout=STOP_SECONDS,
        log_level=LogLevels.warning,
        log_dictconfig={"handlers": {}, "formatters": {}, "loggers": {"_granian": to_root, "granian.access": to_root}},
    )

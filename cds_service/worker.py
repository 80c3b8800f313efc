"""One worker of the server: its application behind the bridge, made in the process that the parent forked."""

from __future__ import annotations

import ctypes
import gc
import multiprocessing
import os
import signal
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec
import structlog

from cds_service import metrics, stop_signals
from cds_service.settings import Settings

if TYPE_CHECKING:
    from cds_service.crd.policy import Policy
    from cds_service.records import Store
    from cds_service.wsgi_bridge import WsgiBridge

#: Reading and validating an order makes thousands of objects and hardly a cycle: look for those less often than every 700.
_GARBAGE = (20_000, 20, 20)

#: linux/prctl.h
_PR_SET_PDEATHSIG = 1
#: malloc.h; C libraries that are not glibc take no notice of it
_M_ARENA_MAX = -8

_log = structlog.get_logger(__name__)


def make_worker(settings: Settings, public_url: str, policies: tuple[Policy, ...], store: Store) -> WsgiBridge:
    """The application of one worker, called in its process."""
    from cds_service.app import create_app
    from cds_service.gate import is_worth_reading
    from cds_service.services import Services
    from cds_service.wsgi_bridge import WsgiBridge

    _end_with_parent()
    _share_heaps()
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # a terminal that closes tells the parent, which stops the workers in order
    app = create_app(settings, public_url=public_url, policies=policies, store=store)
    parts: Services = app.extensions["cds_service"]
    guarded = {}
    if parts.authenticator is not None:
        parts.authenticator.warm_up()
        guarded["is_worth_reading"] = is_worth_reading
    metrics.count_worker()
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_GARBAGE)
    return WsgiBridge(
        app.wsgi_app,
        max_body=settings.max_body,
        refusal=_refusal,
        on_start=stop_signals.release,
        on_stop=store.close,
        **guarded,
    )


def _end_with_parent() -> None:
    """Have Linux send this worker SIGTERM when its parent dies: an orphan would hold the port against the next start."""
    parent = multiprocessing.parent_process()
    if parent is None or sys.platform != "linux":
        return
    with suppress(OSError, AttributeError):  # a C library without prctl: as on other systems
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent.pid:  # it died before that
        os.kill(os.getpid(), signal.SIGTERM)


def _share_heaps() -> None:
    """Have the threads of this worker share two heaps: glibc gives each thread its own, of which each keeps some megabytes."""
    with suppress(OSError, AttributeError):  # a C library without mallopt
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 2)


def _refusal(status: int, sentence: str) -> bytes:
    """The body of an answer to a request that did not reach the application."""
    _log.warning("not_read", status=status)
    code = {408: "timeout", 500: "exception", 503: "throttled"}.get(status, "structure")
    issue = {"severity": "error", "code": code, "diagnostics": sentence}
    return msgspec.json.encode({"resourceType": "OperationOutcome", "issue": [issue]})

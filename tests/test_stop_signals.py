"""A worker that is told to stop while it starts stops."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cds_service.server import STOP_SECONDS
from tests.served import serving, until

#: What granian's workers do, with the least time for it to go wrong: the parent's handler, the loop's, then the loop.
WORKER = """
import multiprocessing, os, signal, time, uvloop
from cds_service import stop_signals

def work():
    os.kill(os.getpid(), signal.{sent_at_first})
    loop = uvloop.new_event_loop()
    for sent in signal.SIGTERM, signal.SIGINT:
        loop.add_signal_handler(sent, loop.stop)
    os.kill(os.getpid(), signal.{sent_later})
    loop.call_soon(stop_signals.release)
    loop.call_later(5, os._exit, 3)
    loop.run_forever()
    os._exit(0)

signal.signal(signal.SIGTERM, lambda *_: None)
stop_signals.hold_in_workers()
worker = multiprocessing.get_context("fork").Process(target=work)
worker.start()
worker.join()
raise SystemExit(worker.exitcode if not signal.pthread_sigmask(signal.SIG_BLOCK, ()) else 4)
"""


@pytest.mark.parametrize(("sent_at_first", "sent_later"), [("SIGTERM", "SIGCONT"), ("SIGCONT", "SIGTERM"), ("SIGCONT", "SIGINT")])
def test_a_stop_signal_that_comes_before_the_loop_runs_stops_it(sent_at_first: str, sent_later: str) -> None:
    code = WORKER.format(sent_at_first=sent_at_first, sent_later=sent_later)
    assert subprocess.run([sys.executable, "-c", code], timeout=30, check=False).returncode == 0


@pytest.mark.slow
@pytest.mark.parametrize("milliseconds", [0, 30, 60])
def test_the_service_stops_at_once_while_a_worker_that_died_is_being_replaced(milliseconds: int, tmp_path: Path) -> None:
    with serving(tmp_path, workers=2) as served:
        before = served.workers()
        os.kill(min(before), signal.SIGKILL)
        until(lambda: served.workers() - before, "a new worker", seconds=20)
        time.sleep(milliseconds / 1000)
        started = time.monotonic()
        assert served.stop() == 0
        assert time.monotonic() - started < STOP_SECONDS / 3

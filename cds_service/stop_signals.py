"""Signals that stop a worker wait until its event loop runs, since before that they would be lost.

A forked worker has the parent's handlers, which swallow SIGTERM; granian then gives the signals to the loop, and uvloop takes
note of none before it runs. A worker told to stop in these milliseconds - it replaces one that died while the service is being
stopped - would go on serving, until the parent kills it ``STOP_SECONDS`` later.
"""

from __future__ import annotations

import os
import signal

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


def hold_in_workers() -> None:
    """From now on have every process that is forked from this one keep the stop signals waiting until it calls ``release``."""
    os.register_at_fork(before=_hold, after_in_parent=release)


def _hold() -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)


def release() -> None:
    """Take the stop signals in, in the thread that calls this: those that waited, and those to come."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)

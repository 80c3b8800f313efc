"""Clients' public keys: fetched from a registered JWKS URL or file through the guarded way out, and cached.

What PyJWT's own client leaves open is closed here: where the call goes, the answer's size, and a source that is slow or
down. A call waits for keys only if there is none of its name yet.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import structlog
from jwt import PyJWK

from cds_service.key_set import MAX_BYTES, JwksError, KeySet, parse_jwks
from cds_service.outgoing_address import OutgoingError, parse_target

#: Seconds for which a set is used without asking again.
FRESH_SECONDS = 3600
#: Seconds for which a set is used while its source is down.
STALE_SECONDS = 86_400
#: Seconds between two fetches, for whatever reason.
COOLDOWN_SECONDS = 60
#: Seconds until the next fetch after one that failed with no set to fall back on.
RETRY_SECONDS = 10
FETCH_SECONDS = 3.0
#: Calls of one client that may wait for a fetch at once; more are refused, so that a slow source cannot hold all threads.
MAX_WAITING = 4

Load = Callable[[], bytes]
_log = structlog.get_logger(__name__)


def load_file(path: Path) -> bytes:
    """Read a JWKS file; OSError if it cannot be read."""
    with path.open("rb") as file:
        return file.read(MAX_BYTES + 1)


def load_url(url: str, **guards: Any) -> bytes:
    """GET a JWKS within 3 s; ``guards`` go to ``guarded_get``. Raises OutgoingError."""
    from cds_service.outgoing import guarded_get  # with requests, which a service without callers' keys need not load

    return guarded_get(
        url,
        headers={"Accept": "application/json"},
        allow_origins=(parse_target(url).origin,),
        timeout=FETCH_SECONDS,
        max_bytes=MAX_BYTES,
        **guards,
    )


class KeySource:
    """One client's keys, cached an hour; shared by all threads. Fetches run aside, one at a time.

    A kid that the set does not have starts a fetch, at most once a minute, and its call waits for it. A set older than
    an hour is still used while it is fetched anew, and for a day at most while the source is down.
    """

    def __init__(self, name: str, load: Load, now: Callable[[], float] = time.monotonic) -> None:
        self._name = name
        self._load = load
        self._now = now
        self._lock = threading.Lock()
        self._waiting = threading.BoundedSemaphore(MAX_WAITING)
        self._held: tuple[KeySet, float] | None = None
        self._next_fetch = float("-inf")
        self._fetch: threading.Event | None = None

    def find(self, kid: str, algorithm: str) -> PyJWK:
        """The client's key ``kid``, bound to ``algorithm``. Raises JwksError."""
        keys = self._held_for(FRESH_SECONDS)
        if keys is None or kid not in keys:
            fetch = self.refresh()
            keys = self._held_for(STALE_SECONDS)
            if (keys is None or kid not in keys) and fetch is not None and self._wait(fetch):
                keys = self._held_for(STALE_SECONDS)
        if keys is None:
            raise JwksError("jwks-unavailable")
        return keys.find(kid, algorithm)

    def refresh(self) -> threading.Event | None:
        """Start a fetch unless the last is under a minute old; the event is set when the one under way has ended."""
        with self._lock:
            if self._fetch is None and self._now() >= self._next_fetch:
                self._next_fetch = self._now() + COOLDOWN_SECONDS
                self._fetch = threading.Event()
                threading.Thread(target=self._run, args=(self._fetch,), name="jwks", daemon=True).start()
            return self._fetch

    def _wait(self, fetch: threading.Event) -> bool:
        if not self._waiting.acquire(blocking=False):
            return False
        try:
            return fetch.wait(FETCH_SECONDS + 0.5)
        finally:
            self._waiting.release()

    def _held_for(self, seconds: float) -> KeySet | None:
        held = self._held
        return held[0] if held is not None and self._now() - held[1] < seconds else None

    def _run(self, done: threading.Event) -> None:
        problem = None
        try:
            keys = parse_jwks(self._load())
            self._held = (keys, self._now())
            if keys.refused:
                _log.warning("jwks_keys_refused", client=self._name, reasons=sorted(set(keys.refused.values())))
        except OutgoingError as error:
            problem = f"fetch-{error}"
        except JwksError as error:
            problem = error.check
        except Exception as error:  # OSError of a file; whatever else goes wrong must not leave callers waiting
            problem = type(error).__name__
        if problem is not None:
            _log.warning("jwks_fetch_failed", client=self._name, problem=problem)
        with self._lock:
            if self._held_for(STALE_SECONDS) is None:
                self._next_fetch = self._now() + RETRY_SECONDS
            self._fetch = None
        done.set()


def source_for(name: str, jwks_url: str | None, jwks_file: str | None, **guards: Any) -> KeySource:
    """The key source of a client with either a URL or a file."""
    load = partial(load_url, jwks_url, **guards) if jwks_url is not None else partial(load_file, Path(str(jwks_file)))
    return KeySource(name, load)

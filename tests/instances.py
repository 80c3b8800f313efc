"""Instances of the service as processes of their own, and a load on them that remembers what each call was answered."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from tests.conformance.bodies import knee, order, order_sign
from tests.conformance.harness import Answer, child

PATH = "/cds-services/order-sign-crd"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def environment(**variables: str) -> dict[str, str]:
    """This process's environment with these settings of the service (``mode`` for CDS_SERVICE_MODE) and no others."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("CDS_SERVICE_")}
    named = {f"CDS_SERVICE_{name.upper()}": value for name, value in ({"metrics_address": "off"} | variables).items()}
    return clean | named


def command(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """``cds-service`` with ``words``, to its end."""
    return subprocess.run(
        [sys.executable, "-m", "cds_service", *words],
        env=environment(**variables),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


class Instance:
    """``cds-service serve`` with two workers, in a process group of its own; a context manager that ends it in order."""

    def __init__(self, log: Path, port: int | None = None, **variables: str) -> None:
        self.port = port or free_port()
        self.log = log
        words = [sys.executable, "-m", "cds_service", "serve", "--port", str(self.port), "--workers", "2"]
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                words,
                env=environment(**variables),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def __enter__(self) -> Self:
        deadline = time.monotonic() + 60
        while not self.is_ready():
            assert self.process.poll() is None, self.log.read_text()[-2000:]
            assert time.monotonic() < deadline, self.log.read_text()[-2000:]
            time.sleep(0.1)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def is_ready(self) -> bool:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
            connection.request("GET", "/health/ready")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def workers(self) -> list[int]:
        """The ids of the worker processes."""
        found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(self.process.pid)], capture_output=True, text=True, check=True)
        return [int(pid) for pid in found.stdout.split()]

    def kill(self) -> None:
        """Kill parent and workers at once, as a machine's end would."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)

    def stop(self) -> None:
        """Ask it to stop, and see that it does."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(40)
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(self.process.pid, signal.SIGKILL)


@dataclass(frozen=True)
class Sent:
    """One call: which token it bore, whether it asked for MR neurography, and when and how it was answered (0: not at all)."""

    number: int
    port: int
    hook_instance: str
    asks: bool
    status: int
    raw: bytes
    at: float

    @property
    def assertion_id(self) -> str:
        """The coverage-assertion-id that reached the client; empty where none did."""
        if self.status != 200:
            return ""
        found = Answer(self.status, self.raw, None).assertions
        return str(child(found[0], "coverage-assertion-id")) if found else ""


@dataclass
class Load:
    """Sends calls on several threads and remembers them all. ``headers`` makes the headers of the call of a number."""

    headers: Callable[[int], dict[str, str]]
    sent: list[Sent] = field(default_factory=list)

    def drive(self, calls: Iterable[tuple[int, int]], at: Mapping[int, Callable[[], None]] = {}, threads: int = 8) -> None:
        """Send ``calls``, each a number and a port, in order; when as many as a key of ``at`` were sent, call its value."""
        tasks, turn, failures = iter(calls), threading.Lock(), list[BaseException]()
        events = dict(at)

        def work() -> None:
            connections: dict[int, http.client.HTTPConnection] = {}
            try:
                while not failures:
                    with turn:
                        task = next(tasks, None)
                        event = events.pop(min(events), None) if events and len(self.sent) >= min(events) else None
                    if event is not None:
                        event()
                    if task is None:
                        return
                    self.sent.append(self._send(*task, connections))
            except BaseException as error:
                failures.append(error)
            finally:
                for connection in connections.values():
                    connection.close()

        running = [threading.Thread(target=work) for _ in range(threads)]
        for thread in running:
            thread.start()
        for thread in running:
            thread.join()
        if failures:
            raise failures[0]
        assert not events, "the load ended before what was to happen in it"

    def _send(self, number: int, port: int, connections: dict[int, http.client.HTTPConnection]) -> Sent:
        asks = number % 4 != 0
        body: dict[str, Any] = order_sign(order() if asks else knee()) | {"hookInstance": str(uuid.uuid4())}
        headers = {"Content-Type": "application/json"} | self.headers(number)
        connection = connections.setdefault(port, http.client.HTTPConnection("127.0.0.1", port, timeout=20))
        try:
            connection.request("POST", PATH, json.dumps(body), headers)
            answer = connection.getresponse()
            status, raw = answer.status, answer.read()
        except (OSError, http.client.HTTPException):
            connection.close()
            status, raw = 0, b""
        return Sent(number, port, body["hookInstance"], asks, status, raw, time.monotonic())

"""A service that really runs, as ``cds-service serve`` starts it, for tests of the whole."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

SIGN = "/cds-services/order-sign-crd"
EXAMPLES = Path(__file__).parent.parent / "fhir_examples"
AFTER = (EXAMPLES / "order-sign-after-the-change.request.json").read_bytes()
NOT_OURS = (EXAMPLES / "order-sign-not-mr-neurography.request.json").read_bytes()


def free_port() -> int:
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        return int(trial.getsockname()[1])


@dataclass
class Served:
    """A running service: where it listens, its parent process, where it writes."""

    port: int
    metrics_port: int
    process: subprocess.Popen[bytes]
    folder: Path

    @property
    def database_url(self) -> str:
        return f"sqlite:///{self.folder}/records.sqlite3"

    @property
    def said(self) -> str:
        """All that it wrote to standard output and standard error."""
        return (self.folder / "said").read_text()

    def workers(self) -> set[int]:
        found: set[int] = set()
        for thread in Path(f"/proc/{self.process.pid}/task").iterdir():
            found |= {int(pid) for pid in (thread / "children").read_text().split()}
        return found

    def ask(self, method: str = "POST", path: str = SIGN, body: bytes = AFTER, **headers: str) -> tuple[int, bytes]:
        """One request on a connection of its own; status and body. OSError when the service does not answer in 5 seconds."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request(method, path, body if method == "POST" else None, {"Content-Type": "application/json", **headers})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), 5)

    def metrics(self) -> dict[str, float]:
        """The samples of the metrics endpoint, by name with labels."""
        connection = http.client.HTTPConnection("127.0.0.1", self.metrics_port, timeout=5)
        connection.request("GET", "/metrics")
        lines = connection.getresponse().read().decode().splitlines()
        connection.close()
        return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if not line.startswith("#"))}

    def stop(self) -> int:
        """Ask it to stop as systemd and Docker do; its exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(15)


@contextmanager
def serving(folder: Path, *, workers: int = 1, port: int | None = None, **settings: str) -> Iterator[Served]:
    """Start the service with its records in ``folder``, and stop it in the end."""
    port, metrics_port = port or free_port(), free_port()
    clean = {name: value for name, value in os.environ.items() if not name.startswith("CDS_SERVICE_")}
    served = Served(port, metrics_port, None, folder)  # type: ignore[arg-type]
    environment = {
        "CDS_SERVICE_DATABASE_URL": served.database_url,
        "CDS_SERVICE_METRICS_ADDRESS": f"127.0.0.1:{metrics_port}",
        **settings,
    }
    command = [sys.executable, "-m", "cds_service", "serve", "--port", str(port), "--workers", str(workers)]
    with (folder / "said").open("wb") as said:
        served.process = subprocess.Popen(command, env={**clean, **environment}, stdout=said, stderr=said)
    try:
        until(lambda: _is_up(served), "the service to start", seconds=60)
        yield served
    finally:
        if served.process.poll() is None:
            try:
                served.stop()
            except subprocess.TimeoutExpired:
                served.process.kill()
                served.process.wait()
                raise


def _is_up(served: Served) -> bool:
    if served.process.poll() is not None:
        raise AssertionError(f"the service ended at its start:\n{served.said}")
    try:
        return served.ask("GET", "/health/ready")[0] == 200
    except OSError:
        return False


def until(holds: object, what: str, seconds: float = 10) -> None:
    """Wait for the callable ``holds`` to be true; AssertionError after ``seconds``."""
    end = time.monotonic() + seconds
    while not holds():  # type: ignore[operator]
        assert time.monotonic() < end, f"waited {seconds} seconds for {what}"
        time.sleep(0.05)

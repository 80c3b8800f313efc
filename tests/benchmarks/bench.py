"""Measures this service against the floor: ``python -m tests.benchmarks.bench``. What is compared, and how, is in README.md."""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import click

from cds_service.token_tool import load_private_key, make_key_pair, sign_token
from tests.benchmarks import micro
from tests.benchmarks.bodies import MARK, bodies
from tests.benchmarks.load import Load, drive, memory_of, processes

PATH = "/cds-services/order-sign-crd"
ISSUER = "https://ehr.example.org"
FLOOR, KEPT, NOT_KEPT, JWT = "floor", "records on", "records off", "ES384 token"
#: Highest CPU per request, as a ratio to the floor with the same body; and what we aim at.
BARS = {"none, 10 KB": (1.0, 0.8), "one, 10 KB": (2.2, 1.8), "one of 100": (1.2, 1.2)}
_MOST_TOKENS = 4000
_numbers = count(1)


@dataclass
class Server:
    """A server that runs, and what came of driving it, by body."""

    name: str
    port: int
    process: subprocess.Popen[bytes]
    header: Callable[[], str] = lambda: ""
    loads: dict[str, list[Load]] = field(default_factory=dict)

    @property
    def serving(self) -> int:
        """The process whose tree serves: this very one, also where a parent only watches."""
        return self.process.pid


def main() -> None:
    """Run it all and print it."""
    wanted = argparse.ArgumentParser(description=__doc__)
    wanted.add_argument("--seconds", type=float, default=1.5, help="how long each server is driven at a time")
    wanted.add_argument("--rounds", type=int, default=4, help="how often the servers take turns")
    wanted.add_argument("--body", action="append", help="only this body; may be given several times")
    wanted.add_argument("--json", type=Path, help="write the figures to this file too")
    args = wanted.parse_args()
    chosen = {name: body for name, body in bodies().items() if not args.body or name in args.body}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        servers = [start_floor(stack), *start_services(stack, folder)]
        _apart([server.process.pid for server in servers])
        for name, body in chosen.items():
            for server in servers:
                _run(server, name, body, 0.5)  # not counted: connections, caches, the coverage is judged
                server.loads[name].clear()
            for _ in range(args.rounds):
                for server in servers:
                    _run(server, name, body, args.seconds)
        figures = _print(servers, list(chosen))
        if args.json:
            args.json.write_text(json.dumps(figures, indent=2))
    micro.main()


def free_port() -> int:
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        return int(trial.getsockname()[1])


def start_floor(stack: ExitStack) -> Server:
    """Ten lines of Flask under one gunicorn sync worker."""
    port = free_port()
    command = ["-m", "gunicorn", "--bind", f"127.0.0.1:{port}", "--workers", "1", "--log-level", "error"]
    return _start(stack, FLOOR, port, [sys.executable, *command, "tests.benchmarks.floor_app:app"], {})


def start_services(stack: ExitStack, folder: Path) -> Iterator[Server]:
    """This service, one worker each: as it is by default, without records, and with tokens to check."""
    yield start_service(stack, folder, KEPT)
    yield start_service(stack, folder, NOT_KEPT, CDS_SERVICE_RECORDS="false")
    pair = make_key_pair("ES384")
    key = load_private_key(pair.private_pem)
    (folder / "jwks.json").write_text(json.dumps(pair.jwks))
    (folder / "clients.toml").write_text(f'[[client]]\nname = "Bench"\niss = "{ISSUER}"\njwks_file = "jwks.json"\n')
    url = "http://127.0.0.1"
    server = start_service(
        stack,
        folder,
        JWT,
        CDS_SERVICE_MODE="jwt",
        CDS_SERVICE_CLIENTS=str(folder / "clients.toml"),
        CDS_SERVICE_PUBLIC_URL=url,
    )
    server.header = lambda: f"Authorization: Bearer {sign_token(key, iss=ISSUER, aud=url + PATH)}\r\n"
    yield server


def start_service(stack: ExitStack, folder: Path, name: str, workers: int = 1, **settings: str) -> Server:
    """This service under its own ``serve``, with records of its own in ``folder``."""
    port = free_port()
    environment = {
        "CDS_SERVICE_DATABASE_URL": f"sqlite:///{folder}/{name.replace(' ', '-')}.sqlite3",
        "CDS_SERVICE_METRICS_ADDRESS": f"127.0.0.1:{free_port()}",
        **settings,
    }
    command = [sys.executable, "-m", "cds_service", "serve", "--port", str(port), "--workers", str(workers)]
    return _start(stack, name, port, command, environment)


def _start(stack: ExitStack, name: str, port: int, command: list[str], environment: dict[str, str]) -> Server:
    clean = {key: value for key, value in os.environ.items() if not key.startswith("CDS_SERVICE_")}
    process = subprocess.Popen(command, env={**clean, **environment}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    stack.callback(_stop, process)
    for _ in range(300):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return Server(name, port, process)
        except OSError:
            time.sleep(0.1)
    raise SystemExit(f"{name} did not start: {' '.join(command)}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()


def _apart(pids: list[int]) -> None:
    """All servers on one processor, alike, and this process on another, where there are two."""
    cpus = sorted(os.sched_getaffinity(0))
    if len(cpus) < 2:
        click.echo("one processor only: the load is driven from where the servers run, so latencies are too long")
        return
    os.sched_setaffinity(0, cpus[1:])
    for pid in pids:
        for process in processes(pid):
            for thread in Path(f"/proc/{process}/task").iterdir():
                os.sched_setaffinity(int(thread.name), cpus[:1])


def _run(server: Server, name: str, body: bytes, seconds: float) -> None:
    # Signing costs as much as checking: it is done before the clock runs, and bounds the requests.
    tokens = [server.header() for _ in range(min(_MOST_TOKENS, int(1200 * seconds)))] if server.header() else None
    requests = _requests(server.port, body, tokens)
    server.loads.setdefault(name, []).append(drive(server.port, server.serving, requests, seconds=seconds))


def _requests(port: int, body: bytes, tokens: list[str] | None) -> Iterator[bytes]:
    head = f"POST {PATH} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    parts = body.split(MARK)
    for number in range(len(tokens)) if tokens else count():
        header = tokens[number] if tokens else ""
        yield f"{head}{header}\r\n".encode() + (b"%010d" % next(_numbers)).join(parts)


def _print(servers: list[Server], names: list[str]) -> list[dict[str, Any]]:
    columns = ["body", "server", "req/s", "p50 ms", "p95 ms", "p99 ms", "p99/p50", "CPU us", "to floor"]
    click.echo(_WIDTHS.format(*columns))
    figures = []
    for name in names:
        floor = _cpu(servers[0].loads[name])
        for server in servers:
            figures.append(_row(server, name, floor))
            errors = sum(load.errors for load in server.loads[name])
            bar, aim = BARS.get(name, (None, None)) if server.name == KEPT else (None, None)
            note = (f"at most {bar}, aim {aim}" if bar else "") + (f"  ERRORS: {errors}" if errors else "")
            click.echo(_WIDTHS.format(*figures[-1].values()) + note)
    for server in servers:
        click.echo(f"memory of {server.name}: {memory_of(server.process.pid)} MiB resident a worker")
    return figures


_WIDTHS = "{:12} {:12} {:>7} {:>7} {:>7} {:>7} {:>8} {:>7} {:>9}  "


def _row(server: Server, name: str, floor: float) -> dict[str, Any]:
    loads = server.loads[name]
    p50, p95, p99 = (statistics.median(load.percentile(share) for load in loads) for share in (0.5, 0.95, 0.99))
    return {
        "body": name,
        "server": server.name,
        "requests_per_second": round(statistics.median(load.rate for load in loads)),
        "p50_ms": round(p50, 2),
        "p95_ms": round(p95, 2),
        "p99_ms": round(p99, 2),
        "p99_to_p50": round(p99 / p50, 1),
        "cpu_us": round(_cpu(loads)),
        "to_floor": round(_cpu(loads) / floor, 2),
    }


def _cpu(loads: list[Load]) -> float:
    """The median of the rounds: other work on the machine disturbs single ones."""
    return statistics.median(load.cpu_each for load in loads)


if __name__ == "__main__":
    main()

"""Which server lets forty slow clients keep others out? ``python -m tests.benchmarks.slow_clients``, about two minutes.

The others serve the floor application, one worker with eight threads where they have threads; this service serves itself.
"""

from __future__ import annotations

import http.client
import os
import select
import socket
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import click

from tests.benchmarks.bench import PATH, Server, _start, free_port, start_service
from tests.benchmarks.bodies import bodies

CLIENTS = 40
WATCHED = 14.0  # seconds that slow clients are held
BODY = bodies()["none, 10 KB"]
HEAD = f"POST {PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {len(BODY)}\r\n\r\n"
#: What a slow client sends first, and every half second after it.
KINDS = {
    "idle": (b"", b""),
    "slow headers": (f"POST {PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\n".encode(), b"X-A: b\r\n"),
    "slow body": (HEAD.encode() + b"{", b" "),
}
APP = "tests.benchmarks.floor_app:app"
OTHERS = {
    "gunicorn sync": ["-m", "gunicorn", "-b", "127.0.0.1:{port}", "-t", "10", APP],
    "gunicorn gthread": ["-m", "gunicorn", "-b", "127.0.0.1:{port}", "-t", "10", "--threads", "8", APP],
    "waitress": ["-m", "waitress", "--listen", "127.0.0.1:{port}", "--threads", "8", "--channel-timeout", "10", APP],
    "granian wsgi, 8 threads": [
        *("-m", "granian", "--interface", "wsgi", "--port", "{port}", "--blocking-threads", "8", "--http", "1"),
        *("--http1-header-read-timeout", "10000", APP),
    ],
}


def main() -> None:
    """Try them all."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        servers = []
        for name, words in OTHERS.items():
            port = free_port()
            command = [sys.executable, *(word.replace("{port}", str(port)) for word in words)]
            servers.append(_start(stack, name, port, command, dict(os.environ)))
        servers.append(start_service(stack, folder, "this service"))
        time.sleep(3)
        for kind, (first, more) in KINDS.items():
            for server in servers:
                click.echo(f"{server.name:24} {kind:13} {hold(server, first, more)}")


def hold(server: Server, first: bytes, more: bytes) -> str:
    """Hold slow clients; how many of ten normal requests were answered meanwhile, and when the slow ones were closed."""
    slow = []
    for _ in range(CLIENTS):
        slow.append(socket.create_connection(("127.0.0.1", server.port), 5))
        slow[-1].sendall(first)
    start = time.monotonic()
    time.sleep(0.5)
    answered = sum(ask(server.port) for _ in range(10))
    closed: dict[socket.socket, float] = {}
    while time.monotonic() - start < WATCHED and len(closed) < CLIENTS:
        for connection in slow:
            if connection not in closed and is_closed(connection, more):
                closed[connection] = time.monotonic() - start
        time.sleep(0.5)
    for connection in slow:
        connection.close()
    when = f", after {min(closed.values()):.0f} to {max(closed.values()):.0f} s" if closed else ""
    return f"{answered:2} of 10 answered; {len(closed):2} of {CLIENTS} closed{when}"


def ask(port: int) -> bool:
    """Is one normal request answered within two seconds?"""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("POST", PATH, BODY, {"Content-Type": "application/json"})
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def is_closed(connection: socket.socket, more: bytes) -> bool:
    try:
        connection.sendall(more)
        while select.select([connection], [], [], 0)[0]:
            if not connection.recv(65536):
                return True
    except OSError:
        return True
    return False


if __name__ == "__main__":
    main()

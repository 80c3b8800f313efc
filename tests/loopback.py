"""Servers on 127.0.0.1 for tests: each connection is handed to a function that may be as hostile as it likes."""

from __future__ import annotations

import contextlib
import datetime
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

Handler = Callable[[socket.socket, bytes], None]


class Server:
    """A listening loopback server; ``requests`` are the heads of the requests it got, ``connections`` their number."""

    def __init__(self, listener: socket.socket) -> None:
        self.port: int = listener.getsockname()[1]
        self.origin = f"http://127.0.0.1:{self.port}"
        self.requests: list[str] = []
        self.connections = 0
        self.stopping = threading.Event()


@contextlib.contextmanager
def serving(handler: Handler, tls: ssl.SSLContext | None = None) -> Iterator[Server]:
    """Serve until the block ends; ``handler(conn, head)`` is called once for each request head that arrives."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.05)
        server = Server(listener)
        threads: list[threading.Thread] = []

        def converse(conn: socket.socket) -> None:
            with contextlib.suppress(OSError), contextlib.closing(conn):
                conn.settimeout(5)
                if tls is not None:
                    conn = tls.wrap_socket(conn, server_side=True)
                with contextlib.closing(conn):
                    while head := _read_head(conn):
                        server.requests.append(head.decode("latin-1"))
                        handler(conn, head)

        def accept() -> None:
            while not server.stopping.is_set():
                try:
                    conn, _ = listener.accept()
                except TimeoutError:
                    continue
                server.connections += 1
                threads.append(threading.Thread(target=converse, args=(conn,), daemon=True))
                threads[-1].start()

        acceptor = threading.Thread(target=accept, daemon=True)
        acceptor.start()
        try:
            yield server
        finally:
            server.stopping.set()
            acceptor.join(2)


def _read_head(conn: socket.socket) -> bytes:
    head = b""
    while b"\r\n\r\n" not in head:
        part = conn.recv(65536)
        if not part:
            return b""
        head += part
    return head


def answer(body: bytes, status: str = "200 OK", headers: str = "") -> Handler:
    """A handler that answers every request with ``body`` and keeps the connection."""

    def handler(conn: socket.socket, _: bytes) -> None:
        conn.sendall(f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode() + body)

    return handler


def drip(first: bytes, then: bytes, pause: float = 0.05) -> Handler:
    """A handler that sends ``first``, then one byte of ``then`` at a time, for ever."""

    def handler(conn: socket.socket, _: bytes) -> None:
        conn.sendall(first)
        while True:
            for byte in then:
                conn.sendall(bytes([byte]))
                time.sleep(pause)

    return handler


def flood(first: bytes, block: bytes) -> Handler:
    """A handler that sends ``first`` and then ``block`` as fast as it can until the other side hangs up."""

    def handler(conn: socket.socket, _: bytes) -> None:
        conn.sendall(first)
        while True:
            conn.sendall(block)

    return handler


def silence(conn: socket.socket, _: bytes) -> None:
    """Say nothing until the other side hangs up."""
    with contextlib.suppress(OSError):
        conn.recv(1)


def tls_for(host: str, folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's and a client's TLS settings: a self-signed certificate for ``host`` that only this client trusts."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file = folder / f"{host}.pem"
    file.write_bytes(pem + private)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(file)
    client = ssl.create_default_context(cadata=pem.decode())
    return server, client

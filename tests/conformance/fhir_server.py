"""A small FHIR server on 127.0.0.1, as slow, failing or devious as a test wants it."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from .bodies import Json

TOKEN = "t0ken-of-this-call"


class FhirServer:
    """Answers GET by ``answers``: path, with its query or without, to (status, body) or (status, body, headers).

    ``asked`` holds (path with query, Authorization, Accept) of every request; ``release`` must be set before one to a path in
    ``held`` is answered.
    """

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {}
        self.asked: list[tuple[str, str | None, str | None]] = []
        self.held: set[str] = set()
        self.release = threading.Event()
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                owner._answer(self)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.origin = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> FhirServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.release.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def base(self) -> str:
        """The FHIR base address."""
        return f"{self.origin}/fhir"

    @property
    def access(self) -> Json:
        """``fhirServer`` and ``fhirAuthorization`` of a hook request."""
        authorization = {
            "access_token": TOKEN,
            "token_type": "Bearer",
            "expires_in": 300,
            "scope": "patient/*.read",
            "subject": "cds-service4",
        }
        return {"fhirServer": self.base, "fhirAuthorization": authorization}

    @property
    def paths(self) -> list[str]:
        """What was asked for, without tokens."""
        return [path for path, _, _ in self.asked]

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        self.asked.append((request.path, request.headers.get("Authorization"), request.headers.get("Accept")))
        path = urlsplit(request.path).path
        if path in self.held:
            self.release.wait(20)
        found = self.answers.get(request.path) or self.answers.get(path) or (404, {"resourceType": "OperationOutcome"})
        status, body, *headers = found
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        try:
            request.send_response(status)
            for name, value in (headers[0] if headers else {}).items():
                request.send_header(name, value)
            request.send_header("Content-Type", "application/fhir+json")
            request.send_header("Content-Length", str(len(raw)))
            request.end_headers()
            request.wfile.write(raw)
        except OSError:
            request.close_connection = True

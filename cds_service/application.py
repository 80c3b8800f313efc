"""Flask, spared what it would do anew for every hook call.

A call comes to one of a handful of fixed addresses and its answer is bytes of JSON: nothing has to be matched, awaited,
joined or encoded. What Flask does for all the rest is unchanged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from flask import Flask, Request, Response, request
from flask.sessions import NullSession, SessionInterface, SessionMixin

if TYPE_CHECKING:
    from werkzeug.routing import MapAdapter, Rule


class _NoSessions(SessionInterface):
    """There are no sessions here: all requests share one that nobody can write to."""

    _none = NullSession()

    def open_session(self, app: Flask, request: Request) -> SessionMixin:
        return self._none


class Application(Flask):
    """The Flask application of this service."""

    session_interface = _NoSessions()

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._fixed: dict[str, tuple[Rule, Mapping[str, Any]]] = {}

    def fix(self, path: str) -> None:
        """Match POST ``path`` now and for good. Call it once the views are registered."""
        rule, view_args = self.url_map.bind("").match(path, method="POST", return_rule=True)
        self._fixed[path] = rule, view_args

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """As Flask's, but a request to a fixed path is already matched and gets none, so that it can build no URLs."""
        found = self._fixed.get(request.path) if request is not None and request.method == "POST" else None
        if request is None or found is None:
            return super().create_url_adapter(request)
        request.url_rule, request.view_args = found[0], dict(found[1])
        return None

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """``func`` as it is: nothing here is a coroutine, and Flask asks that six times a call."""
        return func


class JsonResponse(Response):
    """An answer of JSON bytes, sent as it is."""

    def __init__(self, body: bytes, status: int = 200) -> None:
        super().__init__(body, status, content_type="application/json")

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Werkzeug's own also looks for locations to join and bodies to encode, and copies the headers to do so."""
        start_response(self.status, self.headers.to_wsgi_list())
        return () if environ["REQUEST_METHOD"] == "HEAD" else self.response  # type: ignore[return-value]  # bytes, by __init__


def current_request() -> Request:
    """The request itself: going through Flask's stand-in for it at every use adds up."""
    found: Request = request._get_current_object()  # type: ignore[attr-defined]  # it is a LocalProxy
    return found

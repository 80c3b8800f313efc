"""The application factory: wires policies, clock and the outside, and maps errors to answers in one table."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from flask import Flask, Request, Response, request
from werkzeug.exceptions import Forbidden, HTTPException, InternalServerError

from cds_service import gate, metrics, observing, pages, views
from cds_service.application import Application, JsonResponse, current_request
from cds_service.auth import Authenticator, NotAuthenticated
from cds_service.clients import Client, cors_origins, load_clients
from cds_service.crd.errors import CallError, operation_outcome
from cds_service.crd.hooks import HOOKS
from cds_service.crd.policy import Policy
from cds_service.fhir_client import FhirClient
from cds_service.page_frame import error_page, secure
from cds_service.policy_files import load_policies
from cds_service.records import RecordsUnavailable, Store
from cds_service.services import Services
from cds_service.settings import Settings, SettingsError, load_settings

#: Paths that speak JSON to machines: their errors are OperationOutcomes, and browsers of any origin may call them.
_JSON_PATHS = ("/cds-services", "/health", "/openapi.json")


def create_app(
    settings: Settings | None = None,
    *,
    public_url: str = "http://127.0.0.1:8080",
    policies: tuple[Policy, ...] | None = None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    new_id: Callable[[], str] = lambda: str(uuid.uuid4()),
    fhir: FhirClient | None = None,
    store: Store | None = None,
) -> Flask:
    """Make the WSGI application.

    ``public_url`` counts where CDS_SERVICE_PUBLIC_URL is unset; it is never taken from a request. ``now``, ``new_id`` and
    ``fhir`` are seams for tests and examples. Without a ``store`` nothing is kept, and token ids are remembered in this process
    alone. Raises SettingsError, PolicyError and ClientsError.
    """
    settings = settings or load_settings()
    clients = _clients(settings)
    app = Application("cds_service", static_folder="static", static_url_path="/static")
    app.extensions["cds_service"] = Services(
        settings=settings,
        policies=load_policies(settings.policies) if policies is None else policies,
        public_url=(settings.public_url or public_url).rstrip("/"),
        fhir=fhir or FhirClient(settings, on_fetch=metrics.count_fetch),
        now=now,
        new_id=new_id,
        zone=ZoneInfo(settings.timezone),
        authenticator=None if clients is None else _authenticator(clients, settings, store),
        origins=cors_origins(clients or ()),
        store=store,
        on_record_failure=metrics.count_record_failure,
    )
    app.before_request(_begin)
    views.register(app)
    app.register_blueprint(pages.blueprint)
    app.register_error_handler(CallError, _call_error)
    app.register_error_handler(NotAuthenticated, _not_authenticated)
    app.register_error_handler(gate.NotLocal, _not_local)
    app.register_error_handler(RecordsUnavailable, _records_down)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(Exception, _unexpected)
    app.after_request(_end)
    for service_id in HOOKS:
        app.fix(f"/cds-services/{service_id}")
    app.wsgi_app = _OneSlash(app.wsgi_app)  # type: ignore[method-assign]  # Flask's documented way to add middleware
    return app


def _clients(settings: Settings) -> tuple[Client, ...] | None:
    """The clients that may call, or None in open mode."""
    if settings.mode != "jwt":
        return None
    if settings.clients is None:
        raise SettingsError("CDS_SERVICE_CLIENTS: is missing; name the TOML file of the clients that may call")
    return load_clients(settings.clients)


def _authenticator(clients: tuple[Client, ...], settings: Settings, store: Store | None) -> Authenticator:
    def seen(client: str, jti: str, exp: float) -> bool:
        assert store is not None
        return store.token_is_new(client, jti, int(exp))

    return Authenticator(
        clients,
        seen=seen if store else None,
        private_hosts=settings.private_hosts,
        on_store_down=metrics.count_store_down,
    )


def _begin() -> None:
    asked = current_request()
    observing.begin(asked.environ)
    gate.check_caller(asked)


def _end(answer: Response) -> Response:
    asked = current_request()
    if asked.path.startswith(_JSON_PATHS):
        _let_browsers_read(asked, answer)
    else:
        secure(asked, answer)
    observing.end(asked, answer)
    return answer


class _OneSlash:
    """Answers a doubled or trailing slash in the path as if it were not there.

    The CDS Hooks Sandbox, given a discovery address that ends with a slash, posts to ``/cds-services//{id}``. A redirect
    is no answer: a preflight may not follow one.
    """

    def __init__(self, wsgi_app: Callable[..., Iterable[bytes]]) -> None:
        self.wsgi_app = wsgi_app

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if "//" in path or (path.endswith("/") and len(path) > 1):
            environ["PATH_INFO"] = re.sub("/{2,}", "/", path).rstrip("/") or "/"
        return self.wsgi_app(environ, start_response)


def _speaks_json() -> bool:
    return request.path.startswith(_JSON_PATHS)


def _outcome(status: int, issue_type: str, diagnostics: str) -> Response:
    issue = {"severity": "error", "code": issue_type, "diagnostics": diagnostics}
    return _json(status, {"resourceType": "OperationOutcome", "issue": [issue]})


def _json(status: int, body: Any) -> Response:
    return JsonResponse(msgspec.json.encode(body), status)


def _call_error(error: CallError) -> Response:
    observing.note_error(error)
    return _json(error.status, operation_outcome(error))


def _not_authenticated(error: NotAuthenticated) -> Response:
    """401 says nothing about why (CDS Hooks best practices); the log does."""
    observing.note_error(error)
    answer = _outcome(401, "login", "The call is not authenticated.")
    answer.headers["WWW-Authenticate"] = "Bearer"
    return answer


def _records_down(_error: RecordsUnavailable) -> Response:
    """Feedback that could not be kept: the client may send it again."""
    metrics.count_record_failure()
    return _outcome(503, "transient", "The feedback could not be kept just now. Send it again later.")


def _not_local(error: gate.NotLocal) -> Response:
    observing.note_error(error)
    if not _speaks_json():
        return error_page(Forbidden())
    return _outcome(403, "forbidden", "Without CDS_SERVICE_MODE this service answers local calls only. Set it to open or jwt.")


def _http_error(error: HTTPException) -> Response | HTTPException:
    """Errors of routing and HTTP itself; people get a page, machines an OperationOutcome."""
    if error.code is None:
        return error
    if not _speaks_json():
        return error_page(error)
    issue_type = {404: "not-found", 405: "not-supported", 413: "too-costly"}.get(error.code, "processing")
    answer = _outcome(error.code, issue_type, f"{error.name}. See GET /cds-services for what is served here.")
    for name, value in error.get_headers():
        if name.lower() == "allow":
            answer.headers[name] = value
    return answer


def _unexpected(error: Exception) -> Response:
    """A defect of ours: the caller gets no trace of it."""
    observing.note_exception(error)
    if not _speaks_json():
        return error_page(InternalServerError())
    return _outcome(500, "exception", "The service failed on this request; it has been logged. Other requests are served.")


def _let_browsers_read(asked: Request, answer: Response) -> None:
    """Let browser clients call and read every JSON answer, errors too (CDS Hooks 2.0 "Cross-Origin Resource Sharing").

    None may take it for a page, or keep it.
    """
    add = answer.headers.add  # setting them would look for earlier ones, of which there are none
    add("X-Content-Type-Options", "nosniff")
    if asked.method == "POST":
        add("Cache-Control", "no-store")  # an answer bears the order
    origin = gate.allowed_origin(asked)
    if origin != "*":
        add("Vary", "Origin")
    if origin is not None:
        add("Access-Control-Allow-Origin", origin)
        if asked.method == "OPTIONS":
            add("Access-Control-Allow-Methods", "GET, POST, OPTIONS")
            add("Access-Control-Allow-Headers", "authorization, content-type")
            add("Access-Control-Max-Age", "600")

"""The JSON endpoints: discovery, hook calls, feedback, health. Gather, decide, apply."""

from __future__ import annotations

from typing import Any

import msgspec
from flask import Blueprint, Response, request

from cds_service.crd.cards import render_response
from cds_service.crd.determination import decide
from cds_service.crd.errors import BadRequest, NotJson, TooLarge, UnknownService
from cds_service.crd.hook_request import HookRequest, parse_hook_request
from cds_service.crd.hooks import HOOKS, Hook, discovery
from cds_service.crd.needs import Fetched, Need, run
from cds_service.fhir_client import FetchFailed, FhirSession
from cds_service.services import Services, services

blueprint = Blueprint("cds", __name__)

_DISCOVERY = msgspec.json.encode(discovery())


def _json(body: bytes, status: int = 200) -> Response:
    return Response(body, status, content_type="application/json")


@blueprint.get("/cds-services")
def list_services() -> Response:
    """Discovery (CDS Hooks 2.0 "Discovery")."""
    return _json(_DISCOVERY)


@blueprint.post("/cds-services/<service_id>")
def call_service(service_id: str) -> Response:
    """Answer one hook call (CDS Hooks 2.0 "Calling a CDS Service")."""
    parts = services()
    hook = _hook(service_id)
    hook_request = parse_hook_request(read_body(parts.settings.max_body), hook)
    today = parts.today
    with _Fetching(parts, hook_request) as fetching:
        decision = run(decide(hook_request, parts.circumstances(today)), fetching.fetch)
    response = render_response(decision, parts.policies, parts.presentation(today))
    return _json(response.body)


@blueprint.get("/health/live")
def live() -> Response:
    """The process answers."""
    return _json(b'{"status":"live"}')


@blueprint.get("/health/ready")
def ready() -> Response:
    """What calls rest on is there: a policy at least."""
    parts = services()
    return _json(b'{"status":"ready"}') if parts.policies else _json(b'{"status":"no policy is loaded"}', 503)


def _hook(service_id: str) -> Hook:
    try:
        return HOOKS[service_id]
    except KeyError:
        raise UnknownService("", "no such service", "See GET /cds-services for those served here") from None


def read_body(limit: int) -> bytes:
    """The request's body of JSON. Raises NotJson and TooLarge; a chunked body is counted too, which Flask does not do."""
    media_type, options = request.mimetype, request.mimetype_params
    charset = options.get("charset", "utf-8").lower().replace("_", "-")
    if not (media_type == "application/json" or media_type.endswith("+json")) or charset not in ("utf-8", "utf8"):
        raise NotJson("", "the body's media type is not read here", "Send application/json in UTF-8")
    if request.headers.get("Content-Encoding", "identity").strip().lower() not in ("", "identity"):
        raise NotJson("", "encoded bodies are not read here", "Send the body without Content-Encoding")
    too_large = TooLarge("", f"the body has more than {limit} bytes", "Send fewer orders in one call, or less prefetch")
    if (request.content_length or 0) > limit:
        raise too_large
    body = request.stream.read(limit + 1)
    if len(body) > limit:
        raise too_large
    if not body:
        raise BadRequest("", "the body is empty", "Send a CDS Hooks request as JSON")
    return body


class _Fetching:
    """Answers the core's needs from the FHIR server of the call, if the operator allowed that server; opened when first needed."""

    def __init__(self, parts: Services, hook_request: HookRequest) -> None:
        self._parts = parts
        self._access = hook_request.fhir
        self._session: FhirSession | None = None
        self.fetched: dict[str, Fetched] = {}

    def __enter__(self) -> _Fetching:
        return self

    def __exit__(self, *_: object) -> None:
        if self._session is not None:
            self._session.close()

    def fetch(self, need: Need) -> Fetched:
        """Fetch ``need`` and keep what came of it, for the records."""
        if self._session is None:
            self._session = self._parts.fhir.open(self._access.server, self._access.access_token)
        answer = Fetched(None, "not-allowed") if self._session is None else _ask(self._session, need)
        self.fetched[need.place] = answer
        return answer


def _ask(session: FhirSession, need: Need) -> Fetched:
    ways: dict[str, Any] = {
        "read": lambda: session.read(need.resource_type, need.id),
        "search": lambda: session.search(need.resource_type, need.query),
        "page": lambda: session.next_page(need.url),
    }
    try:
        return Fetched(ways[need.kind]())
    except FetchFailed as failure:
        return Fetched(None, failure.kind)

"""The JSON endpoints: discovery, hook calls, feedback, health. Gather, decide, apply."""

from __future__ import annotations

import msgspec
from flask import Flask, Request, Response

from cds_service import gate, observing
from cds_service.application import JsonResponse, current_request
from cds_service.crd.cards import render_response
from cds_service.crd.determination import decide
from cds_service.crd.errors import BadRequest, CallError, NotJson, TooLarge, UnknownService
from cds_service.crd.feedback import parse_feedback
from cds_service.crd.hook_request import parse_hook_request
from cds_service.crd.hooks import HOOKS, Hook, discovery
from cds_service.crd.needs import run
from cds_service.fetching import Fetching
from cds_service.keeping import Call, keep, keep_error, keep_feedback, keep_refused
from cds_service.services import services

_DISCOVERY = msgspec.json.encode(discovery())


def register(app: Flask) -> None:
    """Give ``app`` these endpoints; not by a blueprint, whose own functions Flask would look for three times a call."""
    app.add_url_rule("/cds-services", view_func=list_services, methods=["GET"])
    app.add_url_rule("/cds-services/<service_id>", view_func=call_service, methods=["POST"])
    app.add_url_rule("/cds-services/<service_id>/feedback", view_func=take_feedback, methods=["POST"])
    app.add_url_rule("/health/live", view_func=live, methods=["GET"])
    app.add_url_rule("/health/ready", view_func=ready, methods=["GET"])


def list_services() -> Response:
    """Discovery (CDS Hooks 2.0 "Discovery")."""
    return JsonResponse(_DISCOVERY)


def call_service(service_id: str) -> Response:
    """Answer one hook call (CDS Hooks 2.0 "Calling a CDS Service")."""
    parts, caller = services(), gate.caller()
    hook = _hook(service_id)
    client, started, body = caller.name if caller else None, observing.started(), b""
    try:
        body = read_body(parts.settings.max_body)
        hook_request = parse_hook_request(body, hook)
    except CallError as error:
        keep_refused(parts, hook, client, body, error, started)
        raise
    now = parts.now()
    call = Call(parts.new_id(), now, client, body, hook_request, parts.day_of(now), started)
    observing.note_call(hook_request, call.call_id)
    try:
        with Fetching(parts.fhir, hook_request.fhir, caller.fhir_servers if caller else None, call.fetched) as fetching:
            decision = run(decide(hook_request, parts.circumstances(call.today)), fetching.fetch)
        response = render_response(decision, parts.policies, parts.presentation(call.today))
    except Exception as error:
        keep_error(parts, call, error)
        raise
    answered = keep(parts, call, decision, response)
    observing.note_answer(decision, answered)
    return JsonResponse(answered.body)


def take_feedback(service_id: str) -> Response:
    """Take what became of cards (CDS Hooks 2.0 "Feedback"); its answer is not specified, an empty object is customary."""
    parts = services()
    _hook(service_id)
    caller = gate.caller()
    items = parse_feedback(read_body(parts.settings.max_body))
    keep_feedback(parts, service_id, caller.name if caller else None, items)
    observing.note_feedback(items)
    return JsonResponse(b"{}")


def live() -> Response:
    """The process answers."""
    return JsonResponse(b'{"status":"live"}')


def ready() -> Response:
    """What calls rest on is there: policies loaded, store reachable and migrated, keys loaded."""
    parts = services()
    problem = parts.store.ready() if parts.store else None
    if problem is None and not parts.policies:
        problem = "no policy is loaded"
    if problem is None:
        return JsonResponse(b'{"status":"ready"}')
    return JsonResponse(msgspec.json.encode({"status": "not ready", "problem": problem}), 503)


def _hook(service_id: str) -> Hook:
    try:
        return HOOKS[service_id]
    except KeyError:
        raise UnknownService("", "no such service", "See GET /cds-services for those served here") from None


def read_body(limit: int) -> bytes:
    """The request's body of JSON. Raises NotJson and TooLarge; a chunked body is counted too, which Flask does not do."""
    request = current_request()
    environ = request.environ
    if environ.get("CONTENT_TYPE") != "application/json":  # what nearly every client sends is not parsed
        _check_media_type(request)
    if environ.get("HTTP_CONTENT_ENCODING", "identity").strip().lower() not in ("", "identity"):
        raise NotJson("", "encoded bodies are not read here", "Send the body without Content-Encoding")
    is_too_large = (request.content_length or 0) > limit
    if not is_too_large:
        # A server that ends the stream with the body (ours does) needs no second limit around it.
        stream = environ["wsgi.input"] if environ.get("wsgi.input_terminated") else request.stream
        body: bytes = stream.read(limit + 1)
        is_too_large = len(body) > limit
    if is_too_large:
        raise TooLarge("", f"the body has more than {limit} bytes", "Send fewer orders in one call, or less prefetch")
    if not body:
        raise BadRequest("", "the body is empty", "Send a CDS Hooks request as JSON")
    return body


def _check_media_type(request: Request) -> None:
    media_type, options = request.mimetype, request.mimetype_params
    charset = options.get("charset", "utf-8").lower().replace("_", "-")
    if not (media_type == "application/json" or media_type.endswith("+json")) or charset not in ("utf-8", "utf8"):
        raise NotJson("", "the body's media type is not read here", "Send application/json in UTF-8")

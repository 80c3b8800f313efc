"""Watches every request: one log line and the counts, from what the views note, and never from the request's content."""

from __future__ import annotations

import contextlib
import re
import secrets
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from flask import Request, Response, g

from cds_service import gate, logs, metrics
from cds_service.auth import NotAuthenticated
from cds_service.crd.cards import Response as Answered
from cds_service.crd.determination import Decision
from cds_service.crd.errors import CallError
from cds_service.crd.feedback import FeedbackItem
from cds_service.crd.hook_request import HookRequest
from cds_service.crd.hooks import HOOKS

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"})
_REQUEST_ID = re.compile(r"[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_PLACES = frozenset({"hook", "hookInstance", "context", "prefetch", "fhirServer", "fhirAuthorization", "extension", "feedback"})


class Noted:
    """What is to be said of one request: since when it is served, by which id, and the fields that the views note."""

    __slots__ = ("fields", "refused_client", "request_id", "started")

    def __init__(self, environ: Mapping[str, Any]) -> None:
        self.started = time.perf_counter()
        self.request_id = _request_id(environ.get("HTTP_X_REQUEST_ID"))
        self.fields: dict[str, Any] = {}
        self.refused_client: str | None = None


def begin(environ: Mapping[str, Any]) -> None:
    """Begin to watch the current request: before anything else is done for it."""
    g.noted = Noted(environ)


def _request_id(sent: str | None) -> str:
    """What the client sent if it is 32 hexadecimal digits or a UUID, as proxies write, else a new one."""
    if sent and _REQUEST_ID.fullmatch(sent.lower()):
        return sent.lower()
    return secrets.token_hex(16)


def started() -> float:
    """When the current request began to be served, as ``time.perf_counter`` tells."""
    noted: Noted = g.noted
    return noted.started


def note_call(hook_request: HookRequest, call_id: str) -> None:
    """Note which hook call the current request is."""
    fields = g.noted.fields
    fields["crd_version"] = hook_request.version
    fields["hook_instance"] = hook_request.hook_instance
    fields["call_id"] = call_id


def note_answer(decision: Decision, answered: Answered) -> None:
    """Note what was decided and said in the current request."""
    recognised: dict[str, int] = {}
    # Most orders have no word of a policy and were not read at all.
    read = [reading.recognition.answer.value for reading in decision.readings if reading.recognition]
    if len(read) < len(decision.readings):
        recognised["no"] = len(decision.readings) - len(read)
    for answer in read:
        recognised[answer] = recognised.get(answer, 0) + 1
    metrics.count_orders(recognised)
    said = []
    for each in answered.answers:
        determination = each.determination
        versions = [version.start.isoformat() for version in determination.versions]
        metrics.count_determination(determination.policy.id, versions, determination.answer.value)
        said.append(f"{determination.policy.id}:{'+'.join(versions)}:{determination.answer.value}:{each.covered or 'none'}")
    assertion_ids = [each.assertion_id for each in answered.answers] + [each.assertion_id for each in answered.others]
    fields = g.noted.fields
    fields["orders"] = len(decision.readings)
    fields["recognised"] = recognised
    fields["determinations"] = said
    fields["assertion_ids"] = list(dict.fromkeys(each for each in assertion_ids if each))
    fields["cards"] = len(answered.cards)


def note_feedback(items: Iterable[FeedbackItem]) -> None:
    """Note the feedback that was taken in the current request."""
    outcomes = Counter(item.outcome for item in items)
    for outcome, count in outcomes.items():
        metrics.count_feedback(outcome, count)
    g.noted.fields["feedback"] = outcomes


def note_error(error: Exception) -> None:
    """Note why the current request is refused: the error's type, and of the place in its body the outermost name."""
    noted: Noted = g.noted
    noted.fields["error"] = type(error).__name__
    if isinstance(error, NotAuthenticated):
        noted.fields["refused"] = error.check
        noted.refused_client = error.client
    elif isinstance(error, CallError) and error.place:
        outermost = re.split(r"[.\[]", error.place, maxsplit=1)[0]
        noted.fields["refused"] = outermost if outermost in _PLACES else "body"


def note_exception(error: BaseException) -> None:
    """Log a defect of ours in the current request, without its message."""
    noted: Noted | None = g.get("noted")
    logs.log_exception(error, noted.request_id if noted else None)


def end(request: Request, response: Response) -> None:
    """Log and count ``request``, the current one, and tell its id in ``response``."""
    noted: Noted = g.noted
    seconds = time.perf_counter() - noted.started
    response.headers.add("X-Request-Id", noted.request_id)
    with contextlib.suppress(Exception):  # a full disk under the log, say, must not turn a good answer into an error
        _report(noted, request, response.status_code, seconds)


def _report(noted: Noted, request: Request, status: int, seconds: float) -> None:
    rule = request.url_rule.rule if request.url_rule else None
    if rule == "/try":  # the page promises that what is tried is neither logged nor counted
        return
    caller = gate.caller()
    client = caller.name if caller else noted.refused_client
    hook = _hook(rule, request.view_args)
    fields: dict[str, Any] = {
        "request_id": noted.request_id,
        "method": request.method if request.method in _METHODS else "other",
        "path": rule or "none",
        "status": status,
        "ms": round(seconds * 1000, 2),
        "client": client,
    }
    if hook:
        fields["hook"] = hook
    logs.log_call(fields | noted.fields)
    if hook and request.method == "POST":
        metrics.count_call(hook, status, client, seconds)


def _hook(rule: str | None, view_args: Mapping[str, Any] | None) -> str | None:
    """By which word a request's hook is logged and counted; None for what is no hook call."""
    if rule == "/cds-services/<service_id>/feedback":
        return "feedback"
    if rule != "/cds-services/<service_id>":
        return None
    hook = HOOKS.get((view_args or {}).get("service_id", ""))
    return hook.name if hook else "other"

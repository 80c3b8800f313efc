"""Watches every request: one log line and the counts, from what the views note, and never from the request's content."""

from __future__ import annotations

import contextlib
import re
import secrets
import time
from collections import Counter
from collections.abc import Iterable
from typing import Any

from flask import Flask, Response, g, request

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


def watch(app: Flask) -> None:
    """Log and count every request to ``app``. Call it before anything else that registers ``before_request``."""
    app.before_request(_begin)
    app.after_request(_end)


def _begin() -> None:
    g.started = time.perf_counter()
    g.noted = {}


def request_id() -> str:
    """The current request's id: its X-Request-Id if that is 32 hexadecimal digits or a UUID, as proxies write, else a new one."""
    found: str | None = g.get("request_id")
    if found is None:
        sent = request.headers.get("X-Request-Id", "").lower()
        found = g.request_id = sent if _REQUEST_ID.fullmatch(sent) else secrets.token_hex(16)
    return found


def note_call(hook_request: HookRequest, call_id: str) -> None:
    """Note which hook call the current request is."""
    g.noted.update(
        crd_version=hook_request.version,
        hook_instance=hook_request.hook_instance,
        call_id=call_id,
    )


def note_answer(decision: Decision, answered: Answered) -> None:
    """Note what was decided and said in the current request."""
    recognised: dict[str, int] = {}
    for reading in decision.readings:
        answer_to_order = reading.recognition.answer.value if reading.recognition else "no"
        recognised[answer_to_order] = recognised.get(answer_to_order, 0) + 1
    metrics.count_orders(recognised)
    said = []
    for answer in answered.answers:
        determination = answer.determination
        versions = [version.start.isoformat() for version in determination.versions]
        metrics.count_determination(determination.policy.id, versions, determination.answer.value)
        said.append(f"{determination.policy.id}:{'+'.join(versions)}:{determination.answer.value}:{answer.covered or 'none'}")
    assertion_ids = [each.assertion_id for each in answered.answers] + [each.assertion_id for each in answered.others]
    g.noted.update(
        orders=len(decision.readings),
        recognised=recognised,
        determinations=said,
        assertion_ids=list(dict.fromkeys(each for each in assertion_ids if each)),
        cards=len(answered.cards),
    )


def note_feedback(items: Iterable[FeedbackItem]) -> None:
    """Note the feedback that was taken in the current request."""
    outcomes = Counter(item.outcome for item in items)
    for outcome, count in outcomes.items():
        metrics.count_feedback(outcome, count)
    g.noted["feedback"] = outcomes


def note_error(error: Exception) -> None:
    """Note why the current request is refused: the error's type, and of the place in its body the outermost name."""
    noted = g.get("noted")
    if noted is None:
        return
    noted["error"] = type(error).__name__
    if isinstance(error, NotAuthenticated):
        noted["refused"] = error.check
        g.refused_client = error.client
    elif isinstance(error, CallError) and error.place:
        outermost = re.split(r"[.\[]", error.place, maxsplit=1)[0]
        noted["refused"] = outermost if outermost in _PLACES else "body"


def note_exception(error: BaseException) -> None:
    """Log a defect of ours in the current request, without its message."""
    logs.log_exception(error, request_id())


def _end(response: Response) -> Response:
    seconds = time.perf_counter() - g.get("started", time.perf_counter())
    response.headers["X-Request-Id"] = request_id()
    with contextlib.suppress(Exception):  # a full disk under the log, say, must not turn a good answer into an error
        _report(response.status_code, seconds)
    return response


def _report(status: int, seconds: float) -> None:
    rule = request.url_rule.rule if request.url_rule else None
    if rule == "/try":  # the page promises that what is tried is neither logged nor counted
        return
    caller = gate.caller()
    client = caller.name if caller else g.get("refused_client")
    hook = _hook(rule)
    fields: dict[str, Any] = {
        "request_id": request_id(),
        "method": request.method if request.method in _METHODS else "other",
        "path": rule or "none",
        "status": status,
        "ms": round(seconds * 1000, 2),
        "client": client,
    }
    if hook:
        fields["hook"] = hook
    logs.log_call(**fields, **g.get("noted", {}))
    if hook and request.method == "POST":
        metrics.count_call(hook, status, client, seconds)


def _hook(rule: str | None) -> str | None:
    """By which word the request's hook is logged and counted; None for what is no hook call."""
    if rule == "/cds-services/<service_id>/feedback":
        return "feedback"
    if rule != "/cds-services/<service_id>":
        return None
    hook = HOOKS.get((request.view_args or {}).get("service_id", ""))
    return hook.name if hook else "other"

"""The try-it page: a request answered by the code of a real call, with nothing recorded, counted, fetched or logged.

What is entered comes by POST only, so that it stands in no address, history or access log.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from flask import abort, render_template, request
from markupsafe import Markup

from cds_service.card_markdown import render_markdown
from cds_service.crd.determination import Decision
from cds_service.crd.errors import CallError, operation_outcome
from cds_service.crd.fhir import decode
from cds_service.crd.fhir_values import as_list, as_object
from cds_service.crd.hooks import CRD_VERSIONS, HOOKS
from cds_service.examples import examples_by_hook
from cds_service.outcome_words import CoverageWhy, Why, Written, coverages_read, why, written_on_orders
from cds_service.page_frame import is_try_on
from cds_service.services import Services, services
from cds_service.try_form import FormError, TryForm, coverage_choices, request_body
from cds_service.trying import TryContext, service_of, try_request

#: Fields that a form may have: some more than the page's own form has.
_MAX_FIELDS = 24


@dataclass(frozen=True)
class ShownCard:
    """A card of the answer and its detail as HTML."""

    card: dict[str, Any]
    detail: Markup


@dataclass(frozen=True)
class Answer:
    """What the page shows of an answer; ``error`` is the CallError's text and cure with its HTTP status, if that came of it."""

    request: str
    response: str
    service_id: str
    cards: tuple[ShownCard, ...] = ()
    written: tuple[Written, ...] = ()
    why: tuple[Why, ...] = ()
    coverages: tuple[CoverageWhy, ...] = ()
    error: CallError | None = None


def show_form() -> str:
    """The empty form."""
    parts = _parts()
    return _page(parts, TryForm(text="MR neurography of the brachial plexus", date=parts.today.isoformat()))


def answer_form() -> tuple[str, int]:
    """The answer to what was entered, below the form."""
    parts = _parts()
    if request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
        abort(403)
    form = TryForm.from_fields(_fields(parts.settings.max_body))
    try:
        body = request_body(form, parts.policies, parts.today)
    except FormError as error:
        return _page(parts, form, error=error), 400
    answer = _answer(parts, body)
    return _page(parts, replace(form, body=answer.request), answer=answer), 200


def _parts() -> Services:
    parts = services()
    if not is_try_on(parts):
        abort(404)
    return parts


def _fields(limit: int) -> dict[str, str]:
    """The form's fields, of ``limit`` bytes as sent. Read here, not by Flask, which cuts a chunked body short without a word."""
    if request.mimetype != "application/x-www-form-urlencoded":
        abort(415)
    body = request.stream.read(limit + 1)
    if (request.content_length or 0) > limit or len(body) > limit:
        abort(413)
    try:
        return dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=_MAX_FIELDS))
    except ValueError:
        abort(400)


def _page(parts: Services, form: TryForm, *, answer: Answer | None = None, error: FormError | None = None) -> str:
    return render_template(
        "try.html",
        form=form,
        answer=answer,
        error=error,
        coverages=coverage_choices(parts.policies),
        coded=[policy.document for policy in parts.policies if policy.document.codes],
        versions=CRD_VERSIONS,
        examples=examples_by_hook(),
        public_url=parts.public_url,
        needs_token=parts.authenticator is not None,
    )


def _answer(parts: Services, body: bytes) -> Answer:
    shown, today = _indented(body), parts.today
    service_id = _service_of(body)
    try:
        outcome = try_request(body, TryContext(parts.circumstances(today), parts.presentation(today)), service_id)
        response = outcome.response.body
        cards = [as_object(card) for card in as_list(as_object(decode(response, "")).get("cards"))]
        return Answer(
            request=shown,
            response=_indented(response),
            service_id=service_id,
            cards=tuple(ShownCard(dict(card), render_markdown(str(card["detail"]))) for card in cards),
            written=written_on_orders(response),
            why=why(outcome.decision),
            coverages=coverages_read(outcome.decision),
        )
    except CallError as error:
        outcome_body = msgspec.json.format(msgspec.json.encode(operation_outcome(error)))
        refused = Answer(request=shown, response=outcome_body.decode(), service_id=service_id, error=error)
        if not isinstance(error.so_far, Decision):
            return refused
        return replace(refused, why=why(error.so_far, is_refused=True), coverages=coverages_read(error.so_far))


def _service_of(body: bytes) -> str:
    """The service of the hook that ``body`` names; the first one, which then says what is wrong, where it names none."""
    try:
        return service_of(body)
    except CallError:
        return next(iter(HOOKS))


def _indented(body: bytes) -> str:
    """``body`` as readable JSON, numbers as written; as it is where it is no JSON."""
    try:
        return msgspec.json.format(body, indent=2).decode("utf-8", "replace")
    except (msgspec.MsgspecError, RecursionError):
        return body.decode("utf-8", "replace")

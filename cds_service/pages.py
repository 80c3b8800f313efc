"""Pages for people: home and policy; try-it stands in ``page_try``, the documents in ``page_docs``. No script is needed."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
from flask import Blueprint, Response, abort, render_template, request
from werkzeug.exceptions import HTTPException

from cds_service import openapi, page_docs, page_try
from cds_service.crd.hooks import CRD_VERSIONS, HOOKS
from cds_service.crd.policy import Policy, summaries
from cds_service.crd.policy_file import PolicyVersion
from cds_service.crd.service_dates import parse_fhir_date
from cds_service.documents import DOCUMENTS
from cds_service.page_dates import Span, iso_date, period_text, span_text, us_date
from cds_service.page_frame import error_page, is_try_on
from cds_service.services import Services, services
from cds_service.timeline import Timeline, draw_timeline

blueprint = Blueprint("pages", __name__)
blueprint.add_url_rule("/try", view_func=page_try.show_form, methods=["GET"])
blueprint.add_url_rule("/try", view_func=page_try.answer_form, methods=["POST"])
blueprint.add_url_rule("/docs", view_func=page_docs.show_docs, methods=["GET"])
blueprint.add_url_rule("/docs/<name>", view_func=page_docs.show_document, methods=["GET"])


@blueprint.errorhandler(HTTPException)
def _error(error: HTTPException) -> Response:
    return error_page(error)


@blueprint.app_context_processor
def _shared() -> dict[str, object]:
    """What every template may use."""
    return {"us_date": us_date, "try_on": is_try_on(services()), "covered_words": COVERED_WORDS}


#: What a version asserts, in words.
COVERED_WORDS = {"covered": "Covered", "not-covered": "Not covered", "conditional": "Depends"}


@dataclass(frozen=True)
class PolicyShown:
    """One policy as the home page shows it."""

    policy: Policy
    today: PolicyVersion | None
    timeline: Timeline


@dataclass(frozen=True)
class Sample:
    """The card that an order of the first policy's procedure gets today, in short."""

    summary: str
    source: str
    care: str
    indicator: str = "warning"


def _sample(shown: list[PolicyShown]) -> Sample | None:
    for each in shown:
        if each.today:
            document = each.policy.document
            return Sample(summaries(each.policy, (each.today,))[0], document.source_label, document.card.care)
    return None


@blueprint.get("/")
def home() -> str:
    """What this is, the hooks it answers, each policy in one line with its time line, where to go."""
    parts = services()
    today = parts.today
    shown = [PolicyShown(policy, policy.version_on(today), draw_timeline(policy, today)) for policy in parts.policies]
    return render_template(
        "home.html",
        hooks=HOOKS.values(),
        versions=CRD_VERSIONS,
        shown=shown,
        sample=_sample(shown),
        public_url=parts.public_url,
        docs=DOCUMENTS,
    )


@dataclass(frozen=True)
class Asked:
    """A date that was asked about: as entered, the days it means (None: cannot be read), and the versions that hold then."""

    entered: str
    span: Span | None
    versions: tuple[PolicyVersion, ...] = ()

    @property
    def text(self) -> str:
        """The days in words."""
        return span_text(self.span) if self.span else self.entered


def _asked(policy: Policy, entered: str, parts: Services) -> Asked | None:
    if not entered.strip():
        return None
    span = parse_fhir_date(iso_date(entered), parts.zone)
    return Asked(entered, span, policy.versions_over((span,)) if span else ())


@blueprint.get("/policies/<policy_id>")
def show_policy(policy_id: str) -> tuple[str, int]:
    """One policy: its rule today and on a chosen date (``?on=``), its versions, codes, references and history."""
    parts = services()
    policy = next((policy for policy in parts.policies if policy.id == policy_id), None)
    if policy is None:
        abort(404)
    today = parts.today
    asked = _asked(policy, request.args.get("on", ""), parts)
    page = render_template(
        "policy.html",
        policy=policy,
        document=policy.document,
        today=today,
        rule_today=policy.version_on(today),
        asked=asked,
        timeline=draw_timeline(policy, today, asked.span if asked else None),
        periods={version: period_text(policy, version) for version in policy.document.versions},
        card_says={version: summaries(policy, (version,))[0] for version in policy.document.versions},
        card_says_across=summaries(policy, policy.document.versions[-2:])[0],
        has_cpt=any("cpt" in code.system for code in policy.document.codes),
    )
    return page, 400 if asked and asked.span is None else 200


@blueprint.get("/openapi.json")
def openapi_document() -> Response:
    """The machine-readable description of the JSON endpoints (OpenAPI 3.1)."""
    return Response(msgspec.json.encode(openapi.document(services().public_url)), content_type="application/json")

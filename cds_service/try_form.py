"""The try-it form: its fields, and the order-sign request made of them. A foreign vocabulary of its own: the form's names."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from cds_service.crd.hooks import CRD_VERSIONS
from cds_service.crd.policy import Policy
from cds_service.crd.policy_file import PolicyFile
from cds_service.crd.service_dates import parse_fhir_date
from cds_service.examples import example_request
from cds_service.page_dates import iso_date

SOURCES = ("form", "example", "paste")
_PATIENT = "Patient/example"
_PRACTITIONER = "Practitioner/example"
#: An invented insurer, so that nobody's name is used as the example of "another".
OTHER_INSURER = "Example Mutual Health Insurance"


#: The choice of a request without prefetch, which CRD tells from one whose search found nothing.
_UNSENT = "unsent"
#: Any zone will do to see whether a date can be read.
_ANY_ZONE = ZoneInfo("UTC")


class FormError(Exception):
    """A field of the form cannot be used: ``field`` is its name."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True)
class TryForm:
    """What was entered; every value is the text as it came, trimmed but for ``body``.

    ``source`` says which part counts: the fields, the ``example`` of that name, or the ``body`` pasted. ``coverage`` is one of
    :func:`coverage_choices`, ``version`` a CRD version.
    """

    source: str = "form"
    text: str = ""
    code: str = ""
    date: str = ""
    until: str = ""
    coverage: str = ""
    version: str = CRD_VERSIONS[0]
    example: str = ""
    body: str = field(default="", repr=False)

    @classmethod
    def from_fields(cls, fields: Mapping[str, str]) -> TryForm:
        """Read the fields of a submitted form; unknown ones are passed over, a choice left empty is the first."""
        read = {name: fields[name].strip() for name in ("text", "code", "date", "until", "coverage", "example") if name in fields}
        chosen = {name: fields[name] for name in ("source", "version") if fields.get(name)}
        return cls(body=fields.get("body", ""), **chosen, **read)


@dataclass(frozen=True)
class CoverageChoice:
    """One choice of coverage: the value of the form's field, what people read, and the Coverage sent (None: none)."""

    value: str
    label: str
    coverage: dict[str, Any] | None


def coverage_choices(policies: tuple[Policy, ...]) -> tuple[CoverageChoice, ...]:
    """The coverages that can be tried, the first policy's plan first."""
    choices: dict[str, CoverageChoice] = {}
    for document in (policy.document for policy in policies):
        plan = f"{document.plan} ({document.payer})"
        choices.setdefault(plan, CoverageChoice(f"member-{document.id}", plan, _coverage(document.payer, document.plan)))
    documents: dict[str, PolicyFile] = {policy.document.payer: policy.document for policy in policies}
    for payer, document in documents.items():
        label = f"Another plan of {payer}"
        choices[label] = CoverageChoice(f"plan-{document.id}", label, _coverage(payer, "Example Group Plan 7"))
    others = (
        CoverageChoice("other", "Another insurer", _coverage(OTHER_INSURER, "Silver")),
        CoverageChoice("unnamed", "Not told: the coverage names no insurer", _coverage(None, None)),
        CoverageChoice("none", "None found: the client looked, and there is none", None),
        CoverageChoice(_UNSENT, "None sent: the client looked for none", None),
    )
    return (*choices.values(), *others)


def _coverage(payer: str | None, plan: str | None) -> dict[str, Any]:
    coverage: dict[str, Any] = {
        "resourceType": "Coverage",
        "id": "coverage-1",
        "status": "active",
        "beneficiary": {"reference": _PATIENT},
        "payor": [{"display": payer}] if payer else [{"reference": "Organization/not-sent"}],
    }
    if plan:
        kind = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/coverage-class", "code": "plan"}]}
        coverage["class"] = [{"type": kind, "value": plan, "name": plan}]
    return coverage


def request_body(form: TryForm, policies: tuple[Policy, ...], today: date) -> bytes:
    """The hook request that ``form`` stands for, as sent. Raises FormError, also for a choice that the page does not offer."""
    if form.source not in SOURCES:
        raise FormError("source", "Choose where the request comes from.")
    if form.source == "paste":
        if not form.body.strip():
            raise FormError("body", "Paste a CDS Hooks request in JSON.")
        return form.body.encode("utf-8", "replace")
    if form.source == "example":
        found = example_request(form.example)
        if found is None:
            raise FormError("example", "Choose one of the examples.")
        return found
    if not form.text and not form.code:
        raise FormError("text", "Write what is ordered, or give a code.")
    if form.coverage and form.coverage not in (choice.value for choice in coverage_choices(policies)):
        raise FormError("coverage", "Choose one of the coverages.")
    if form.version not in CRD_VERSIONS:
        raise FormError("version", "Choose one of the CRD versions.")
    _check_dates(form)
    return json.dumps(_request(form, policies, today), indent=2, ensure_ascii=False).encode("utf-8", "replace")


def _check_dates(form: TryForm) -> None:
    """Refuse what cannot be read: the answer would be for another day, and hardly say so."""
    spans = {
        name: parse_fhir_date(iso_date(text), _ANY_ZONE) for name, text in (("date", form.date), ("until", form.until)) if text
    }
    for name, span in spans.items():
        if span is None:
            raise FormError(name, "That cannot be read as a date.")
    first, last = spans.get("date"), spans.get("until")
    if first and last and last.last < first.first:
        raise FormError("until", "The last day lies before the first.")


def _request(form: TryForm, policies: tuple[Policy, ...], today: date) -> dict[str, Any]:
    choices = {choice.value: choice for choice in coverage_choices(policies)}
    chosen = choices.get(form.coverage) or next(iter(choices.values()))
    entries = [{"resource": chosen.coverage}] if chosen.coverage else []
    request: dict[str, Any] = {
        "hook": "order-sign",
        "hookInstance": "5e1f0c1a-6a3b-4c57-9d07-0d6f7f6f2a10",
        "context": {
            "userId": _PRACTITIONER,
            "patientId": "example",
            "draftOrders": {
                "resourceType": "Bundle",
                "type": "collection",
                "entry": [{"resource": _order(form, policies, today)}],
            },
        },
        "extension": {"davinci-crd.requestedVersion": form.version},
    }
    if chosen.value != _UNSENT:
        found = {"resourceType": "Bundle", "type": "searchset", "entry": entries} if entries else _NOTHING_FOUND
        request["prefetch"] = {"coverage": found}
    return request


#: What a client sends that looked for Coverages and found none.
_NOTHING_FOUND = {"resourceType": "Bundle", "type": "searchset", "total": 0}


def _order(form: TryForm, policies: tuple[Policy, ...], today: date) -> dict[str, Any]:
    code: dict[str, Any] = {"text": form.text} if form.text else {}
    if form.code:
        known = {each.code: each.system for policy in policies for each in policy.document.codes}
        system = known.get(form.code, "http://www.ama-assn.org/go/cpt")
        code["coding"] = [{"system": system, "code": form.code}]
    order: dict[str, Any] = {
        "resourceType": "ServiceRequest",
        "id": "order-1",
        "status": "draft",
        "intent": "order",
        "code": code,
        "subject": {"reference": _PATIENT},
    }
    start, end = iso_date(form.date), iso_date(form.until)
    if end:
        order["occurrencePeriod"] = ({"start": start} if start else {}) | {"end": end}
    elif start:
        order["occurrenceDateTime"] = start
    return order | {"authoredOn": today.isoformat(), "requester": {"reference": _PRACTITIONER}}

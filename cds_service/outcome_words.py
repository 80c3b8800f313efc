"""What a request came to, in words for a page: coverage information on the order, and why the answer is as it is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from cds_service.crd.card_text import dates_text
from cds_service.crd.coverage_information import EXTENSION_URL, policy_page
from cds_service.crd.determination import Decision, Determination
from cds_service.crd.fhir import decode
from cds_service.crd.fhir_values import as_list, as_object, as_text
from cds_service.crd.membership import CoverageReading
from cds_service.crd.order_reading import Reading
from cds_service.crd.order_title import order_title
from cds_service.crd.policy_file import PolicyVersion
from cds_service.crd.recognition import Answer, Evidence


@dataclass(frozen=True)
class Fact:
    """One child of the extension: its name in the standard, what people call it, its value in words."""

    url: str
    name: str
    value: str
    is_link: bool = False


@dataclass(frozen=True)
class Written:
    """What is written on one resource: the action's description, the resource, and each extension's facts."""

    description: str
    reference: str
    extensions: tuple[tuple[Fact, ...], ...]


_NAMES = {
    "coverage": "Coverage",
    "covered": "Covered",
    "pa-needed": "Prior authorization",
    "info-needed": "Still needed to decide",
    "billingCode": "Billed as",
    "reason": "Reason",
    "date": "As of",
    "coverage-assertion-id": "Assertion id",
    "satisfied-pa-id": "Prior authorization id",
    "doc-needed": "Documentation",
    "dependency": "Depends on",
    "expiry-date": "Holds until",
    "policy-link": "Policy",
    "instructions": "Instructions",
}
_CODES = {
    ("covered", "not-covered"): "No, not covered",
    ("covered", "covered"): "Yes, covered",
    ("covered", "conditional"): "That depends; more must be known",
    ("covered", "indeterminate"): "Cannot be told at present",
    ("pa-needed", "no-auth"): "Not needed",
    ("pa-needed", "auth-needed"): "Needed",
    ("pa-needed", "conditional"): "That depends",
    ("info-needed", "OTH"): "Other: see the reason",
    ("info-needed", "detail-code"): "A more exact procedure",
    ("info-needed", "timeframe"): "A more exact date of service",
}


def written_on_orders(response: bytes) -> tuple[Written, ...]:
    """What the system actions of ``response`` leave on each resource: all its coverage information, of whatever age."""
    body = as_object(decode(response, ""))
    found = []
    for action in map(as_object, as_list(body.get("systemActions"))):
        resource = as_object(action.get("resource"))
        extensions = (as_object(each) for each in as_list(resource.get("extension")))
        facts = tuple(tuple(_facts(each)) for each in extensions if each.get("url") == EXTENSION_URL)
        reference = f"{resource.get('resourceType')}/{resource.get('id')}"
        found.append(Written(str(action.get("description")), reference, facts))
    return tuple(found)


def _facts(extension: Any) -> Iterator[Fact]:
    for child in map(as_object, as_list(extension.get("extension"))):
        url = str(child.get("url"))
        if url == "detail":
            parts = {as_object(part).get("url"): as_object(part) for part in as_list(child.get("extension"))}
            coding = as_object(
                next(iter(as_list(as_object(as_object(parts.get("code")).get("valueCodeableConcept")).get("coding"))), {})
            )
            url, child = str(coding.get("code")), as_object(parts.get("value"))
        value = _value(url, child)
        yield Fact(url, _NAMES.get(url, url), value, is_link="valueUrl" in child and value.startswith(("https://", "http://")))


def _value(url: str, child: Any) -> str:
    """A ``value[x]`` in words."""
    for key, value in child.items():
        if not key.startswith("value"):
            continue
        if key == "valueCode":
            return _CODES.get((url, str(value)), str(value))
        if key == "valueReference":
            return str(as_object(value).get("reference") or as_object(value).get("display") or "")
        if key == "valueCoding":
            return f"{_SYSTEMS.get(str(as_object(value).get('system')), '')} {as_object(value).get('code')}".strip()
        if key == "valueCodeableConcept":
            return as_text(as_object(value).get("text")) or ", ".join(
                str(as_object(coding).get("code")) for coding in as_list(as_object(value).get("coding"))
            )
        return value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return ""


_SYSTEMS = {"http://www.ama-assn.org/go/cpt": "CPT"}


@dataclass(frozen=True)
class VersionCited:
    """A version of a policy that the answer rests on, and its place on this site."""

    label: str
    url: str
    version: PolicyVersion


@dataclass(frozen=True)
class Why:
    """How one order was read. ``dates``, ``versions`` and ``taken_as`` are empty as far as the reading did not come to them."""

    title: str
    place: str
    recognised: str
    reason: str
    evidence: tuple[Evidence, ...]
    dates: str
    versions: tuple[VersionCited, ...]
    result: str
    trial: str | None = None
    fhir_issues: tuple[str, ...] = ()


@dataclass(frozen=True)
class CoverageWhy:
    """How one Coverage was read."""

    name: str
    membership: str
    why: str
    counts: str


_MEMBERSHIP = {"member": "Member of the plan", "other": "Insured otherwise", "unknown": "Does not tell"}


def coverages_read(decision: Decision) -> tuple[CoverageWhy, ...]:
    """How each Coverage of the call was read; none if no order made that necessary."""
    return tuple(map(_coverage, decision.coverages))


def _coverage(reading: CoverageReading) -> CoverageWhy:
    name = reading.coverage.reference or "Coverage without an id"
    counts = "counts" if reading.not_counting is None else f"does not count: {reading.not_counting}"
    return CoverageWhy(name, _MEMBERSHIP[reading.membership.value], reading.why, counts)


def why(decision: Decision, *, is_refused: bool = False) -> tuple[Why, ...]:
    """How each order of the call was read; of a refused call as far as it got (``CallError.so_far``)."""
    determinations = {each.reading.order.place: each for each in decision.determinations}
    return tuple(_why(reading, determinations.get(reading.order.place), decision, is_refused) for reading in decision.readings)


def _why(reading: Reading, determination: Determination | None, decision: Decision, is_refused: bool) -> Why:
    found = reading.recognition
    procedure = reading.policy.document.procedure if reading.policy else ""
    if reading.passed_over:
        recognised, reason = "passed over", reading.passed_over[:1].upper() + reading.passed_over[1:] + "."
    elif found is None:
        recognised, reason = "no", "No word and no code of any policy stands in the order."
    else:
        recognised = {Answer.YES: "yes", Answer.POSSIBLY: "possibly", Answer.NO: "no"}[found.answer]
        reason = f"{found.reason} (rule {found.rule})"
    return Why(
        title=order_title(as_object(decode(reading.order.raw, reading.order.place))),
        place=reading.order.place,
        recognised=f"{recognised}, {procedure}" if recognised in ("yes", "possibly") else recognised,
        reason=reason,
        evidence=found.evidence if found else (),
        dates=dates_text(reading.dates) if reading.dates else "",
        versions=tuple(_cited(reading)),
        result=_result(reading, determination, decision, is_refused),
        trial=determination.trial if determination else None,
        fhir_issues=determination.fhir_issues if determination else (),
    )


def _cited(reading: Reading) -> Iterator[VersionCited]:
    for version in reading.versions:
        assert reading.policy is not None
        document = reading.policy.document
        yield VersionCited(f"{document.plan} policy #{document.number}", policy_page("", reading.policy, version), version)


def _result(reading: Reading, determination: Determination | None, decision: Decision, is_refused: bool) -> str:
    if reading.passed_over or reading.recognition is None or reading.recognition.answer is Answer.NO:
        return "No card: the order does not ask for a procedure of a policy held here."
    if not reading.versions:
        return "No card: no version of the policy held on that date."
    if determination is None:
        return f"No card: {'the call is refused' if is_refused else 'the patient is insured otherwise'}."
    if not decision.coverages:
        return "A card: no coverage was sent, so the card says first that it holds for members of the plan."
    return {
        "member": "A card: the patient is a member of the plan.",
        "unknown": "A card: the patient may be a member, and the card says so first.",
    }.get(determination.membership.value, "A card.")

"""Determination to the content of the ``ext-coverage-information`` extension, per CRD version."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from .determination import Assertion, Determination
from .hooks import CrdVersion
from .policy import Policy
from .policy_file import PolicyVersion
from .recognition import Answer

EXTENSION_URL = "http://hl7.org/fhir/us/davinci-crd/StructureDefinition/ext-coverage-information"
_TEMP = "http://hl7.org/fhir/us/davinci-crd/CodeSystem/temp"
_DETAIL = "http://terminology.hl7.org/CodeSystem/crd-coverage-detail"

Children = list[dict[str, Any]]


def _code(url: str, value: str) -> dict[str, Any]:
    return {"url": url, "valueCode": value}


def _reason(text: str, code: str | None = None) -> dict[str, Any]:
    concept: dict[str, Any] = {"coding": [{"system": _TEMP, "code": code}]} if code else {}
    return {"url": "reason", "valueCodeableConcept": concept | {"text": text}}


def _detail(category: str, code: str, value: dict[str, str]) -> dict[str, Any]:
    """A ``detail`` of CRD 2.2.1; 2.0.1 has neither its category nor these codes, so none is made there."""
    concept = {"coding": [{"system": _DETAIL, "code": code}]}
    return {
        "url": "detail",
        "extension": [_code("category", category), {"url": "code", "valueCodeableConcept": concept}, {"url": "value", **value}],
    }


def _unsettled(version: CrdVersion, text: str, info: str, code: str | None = None) -> Children:
    """``conditional``, and what each version then demands: 2.0.1 crd-ci-q2 a ``pa-needed``, both an ``info-needed`` (q3)."""
    if version == "2.0":
        info_needed = [_code("pa-needed", "conditional"), _code("info-needed", "OTH")]
    else:
        info_needed = [_code("info-needed", info)]
    return [_code("covered", "conditional"), *info_needed, _reason(text, code if version == "2.0" else None)]


def _indeterminate(version: CrdVersion, text: str, code: str | None = None) -> Children:
    """2.2.1's ``indeterminate`` (q9: with a reason); 2.0.1 has no such code, so ``conditional`` there."""
    if version == "2.0":
        return _unsettled(version, text, "OTH")
    return [_code("covered", "indeterminate"), _reason(text, code)]


def policy_page(public_url: str, policy: Policy, version: PolicyVersion) -> str:
    """The address of the policy's page on this service, at ``version``."""
    return f"{public_url}/policies/{policy.id}#{version.anchor}"


def determined(determination: Determination, version: CrdVersion, public_url: str, literal_q2: bool) -> Children:
    """What is asserted of a recognised order: the children of the extension but coverage, date and assertion id.

    ``literal_q2`` adds ``pa-needed`` ``no-auth`` to 2.0 answers, for validators that take 2.0.1's mis-coded crd-ci-q2 at its
    expression and not at its text. The children are shared by all orders of which the same is said: not to be changed.
    """
    return _determined(
        determination.policy,
        determination.versions,
        determination.answer,
        determination.assertion,
        determination.dates.source,
        determination.trial is not None,
        version,
        public_url,
        literal_q2,
    )


@lru_cache(maxsize=256)
def _determined(
    policy: Policy,
    versions: tuple[PolicyVersion, ...],
    answer: Answer,
    assertion: Assertion | None,
    dated_by: str,
    in_trial: bool,
    version: CrdVersion,
    public_url: str,
    literal_q2: bool,
) -> Children:
    document = policy.document
    if assertion == "no-active-coverage":
        text = f"The {document.plan} coverage is not active on the date of service, as the Coverage sent states it."
        return [_code("covered", "not-covered"), _reason(text, "no-active-coverage")]
    if assertion == "technical":
        text = "A technical failure kept this service from telling whose the coverage is. Ask the plan, or send the order again."
        return _indeterminate(version, text, "technical")
    texts = [each.reason for each in versions]
    if answer is Answer.POSSIBLY:
        text = " ".join([document.card.unclear, f"If it is {document.procedure}:", *texts])
        children = _unsettled(version, text, "detail-code", "detail-code")
        instructions = document.card.unclear
    else:
        care = [document.card.care] if version == "2.0" else []
        text = " ".join([*texts, *_qualifiers(policy, dated_by, in_trial), *care])
        children = [*_covered(policy, versions, version, literal_q2), _reason(text)]
        instructions = document.card.instructions
    if version == "2.2":
        children += _links(policy, versions, public_url) if answer is Answer.YES else []
        children.append(_detail("cat-decisional", "instructions", {"valueString": instructions}))
    return children


def _covered(policy: Policy, versions: tuple[PolicyVersion, ...], version: CrdVersion, literal_q2: bool) -> Children:
    """``covered`` as the policy's versions assert it; versions that differ over the dates of service make it conditional."""
    asserted = {each.covered for each in versions}
    covered = asserted.pop() if len(asserted) == 1 else "conditional"
    children = [_code("covered", covered)]
    if covered != "not-covered" or (version == "2.0" and literal_q2):
        children.append(_code("pa-needed", "conditional" if covered == "conditional" else "no-auth"))
    if covered == "conditional":
        children.append(_code("info-needed", "timeframe"))
    return children + [
        {"url": "billingCode", "valueCoding": {"system": code.system, "code": code.code}} for code in policy.document.codes
    ]


def _qualifiers(policy: Policy, dated_by: str, in_trial: bool) -> list[str]:
    """What the assertion rests on besides the policy (CRD 2.2.1 resp-30, impl-5), and the trial sentence if one is shown."""
    said = [policy.document.card.read_as]
    if dated_by == "authoredOn":
        said.append("No readable date of service is stated; the day the order was written was taken.")
    elif dated_by == "today":
        said.append("No readable date is stated; the day of this answer was taken as the date of service.")
    return said + ([policy.document.card.trial_shown] if in_trial else [])


def _links(policy: Policy, versions: tuple[PolicyVersion, ...], public_url: str) -> Children:
    """Where each version cited can be read: its public document, else the policy's page on this service."""
    pages = []
    for version in versions:
        documents = [reference.url for reference in version.references if reference.url]
        pages += documents or [policy_page(public_url, policy, version)]
    return [_detail("cat-other", "policy-link", {"valueUrl": page}) for page in pages]


def unmatched(version: CrdVersion, *, has_policy: bool = False) -> Children:
    """What is said of an order that no policy held here is about, or no version on its day, where the payer asked for that."""
    why = (
        "no version of the policy on this order held on the date of service" if has_policy else "none of them is about this order"
    )
    text = f"This service evaluates only the policies it holds, and {why}. Ask the plan about coverage."
    children = _unsettled(version, text, "OTH")
    if version == "2.2":
        # the definition's comment on info-needed: OTH comes with a detail that explains it
        children.append(_detail("cat-decisional", "instructions", {"valueString": "Ask the plan about coverage of this order."}))
    return children


def withdrawn(version: CrdVersion, why: str) -> Children:
    """What replaces an earlier answer of ours that the order has outgrown."""
    return _indeterminate(version, f"{why} The earlier answer on this order no longer stands.")

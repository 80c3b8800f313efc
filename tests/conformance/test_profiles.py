"""What the service answers, checked against the profiles of CRD 2.0.1 and the child list of 2.2.1, and as FHIR R4."""

from __future__ import annotations

import copy
import re
from typing import Any

import pytest
from fhir.resources.R4B import get_fhir_model_class

from . import bodies
from .bodies import Json
from .harness import Service, child, children, coverage_information
from .situations import SITUATIONS, Situation, answer_in, asserting
from .snapshot import problems

ASSERTING = [pytest.param(situation, version, id=f"{version} {situation.name}") for situation, version in asserting()]
IN_2_0 = [pytest.param(situation, id=situation.name) for situation, version in asserting() if version == "2.0"]
IN_2_2 = [pytest.param(situation, id=situation.name) for situation, version in asserting() if version == "2.2"]

#: CRD 2.2.1, ext-coverage-information: child -> (least, most, type of value, codes of its required value set).
CHILDREN_2_2: dict[str, tuple[int, float, str, frozenset[str] | None]] = {
    "coverage": (1, 1, "Reference", None),
    "covered": (1, 1, "Code", frozenset(("covered", "not-covered", "conditional", "indeterminate"))),
    "pa-needed": (
        0,
        1,
        "Code",
        frozenset(("no-auth", "auth-needed", "satisfied", "performpa", "conditional", "indeterminate")),
    ),
    "info-needed": (
        0,
        99,
        "Code",
        frozenset(("performer", "location", "timeframe", "contract-window", "detail-code", "OTH")),
    ),
    "billingCode": (0, 99, "Coding", None),
    "reason": (0, 99, "CodeableConcept", None),
    "detail": (0, 99, "", None),
    "date": (1, 1, "Date", None),
    "coverage-assertion-id": (1, 1, "String", None),
}
_CATEGORIES = {"policy-link": "cat-other", "instructions": "cat-decisional"}


@pytest.mark.parametrize("situation", IN_2_0)
@pytest.mark.requirement("resp-47", "resp-52")
def test_the_coverage_information_conforms_to_the_2_0_1_definition(situation: Situation) -> None:
    for extension in answer_in(situation, "2.0").assertions:
        assert problems(extension, "ext-coverage-information") == []


@pytest.mark.parametrize("situation", IN_2_0)
@pytest.mark.requirement("resp-47")
def test_an_order_that_conformed_to_the_2_0_1_profile_still_does(situation: Situation) -> None:
    for resource in answer_in(situation, "2.0").resources:
        if resource["resourceType"] == "ServiceRequest":
            assert problems(resource, "profile-servicerequest") == []


@pytest.mark.parametrize(("situation", "version"), ASSERTING)
@pytest.mark.requirement("resp-47")
def test_every_updated_resource_is_valid_fhir_r4(situation: Situation, version: str) -> None:
    for resource in answer_in(situation, version).resources:
        get_fhir_model_class(resource["resourceType"]).model_validate(resource)


@pytest.mark.parametrize("situation", IN_2_2)
@pytest.mark.requirement("conf-5", "conf-13", "resp-52")
def test_the_coverage_information_has_the_children_of_2_2_1_and_no_others(situation: Situation) -> None:
    for extension in answer_in(situation, "2.2").assertions:
        assert set(extension) == {"url", "extension"}
        assert {part["url"] for part in extension["extension"]} <= set(CHILDREN_2_2)
        for name, (least, most, kind, codes) in CHILDREN_2_2.items():
            found = [part for part in extension["extension"] if part["url"] == name]
            assert least <= len(found) <= most
            for part in found:
                assert set(part) == {"url", f"value{kind}" if kind else "extension"}
                assert codes is None or part["valueCode"] in codes


@pytest.mark.parametrize("situation", IN_2_2)
@pytest.mark.requirement("conf-5")
def test_each_detail_has_category_code_and_value_as_2_2_1_asks(situation: Situation) -> None:
    for extension in answer_in(situation, "2.2").assertions:
        for detail in children(extension, "detail"):
            parts: dict[str, Any] = {part["url"]: part for part in detail}
            assert set(parts) == {"category", "code", "value"}
            coding = parts["code"]["valueCodeableConcept"]["coding"][0]
            assert coding["system"] == "http://terminology.hl7.org/CodeSystem/crd-coverage-detail"
            assert parts["category"]["valueCode"] == _CATEGORIES[coding["code"]]
            value = parts["value"]
            if coding["code"] == "policy-link":
                assert re.fullmatch(r"https://\S+", value["valueUrl"])
            else:
                assert value["valueString"].endswith((".", ")"))


@pytest.mark.parametrize(("situation", "version"), ASSERTING)
@pytest.mark.requirement("conf-5", "resp-30", "resp-42", "prof-15", "hook-16")
def test_each_assertion_points_at_the_coverage_says_why_and_when_and_can_be_traced(situation: Situation, version: str) -> None:
    for extension in answer_in(situation, version).assertions:
        assert child(extension, "coverage") == {"reference": bodies.COVERAGE}
        assert child(extension, "date") == "2026-11-22"
        assert re.fullmatch(r"BCBSAL-CRD-[0-9a-f-]{36}", child(extension, "coverage-assertion-id"))
        (reason,) = children(extension, "reason")
        assert reason["text"].endswith(".")
        codes = {coding["code"] for coding in reason.get("coding", ())}
        assert codes <= ({"detail-code"} if version == "2.0" else {"no-active-coverage", "technical"})
        for coding in reason.get("coding", ()):
            assert coding["system"] == "http://hl7.org/fhir/us/davinci-crd/CodeSystem/temp"


@pytest.mark.parametrize("version", ["2.0", "2.2"])
@pytest.mark.requirement("covinfo-1", "covinfo-2")
def test_an_order_across_the_change_gets_one_answer_with_one_reason_that_names_both_rules(version: str) -> None:
    across = next(each for each in SITUATIONS if each.name == "certain, across the change")
    (extension,) = answer_in(across, version).assertions
    (reason,) = children(extension, "reason")
    assert "for services to 10/31/2023" in reason["text"]
    assert "for services from 11/1/2023" in reason["text"]


@pytest.mark.parametrize("version", ["2.0", "2.2"])
@pytest.mark.requirement("conf-5", "resp-30", "impl-5", "found-10")
def test_a_certain_answer_holds_for_the_two_unlisted_codes(version: str) -> None:
    (extension,) = answer_in(SITUATIONS[0], version).assertions
    assert children(extension, "billingCode") == [
        {"system": bodies.CPT, "code": "76498"},
        {"system": bodies.CPT, "code": "64999"},
    ]


@pytest.mark.requirement("conf-5")
def test_a_certain_answer_has_the_instructions_and_the_address_of_the_policy_as_details_in_2_2() -> None:
    (extension,) = answer_in(SITUATIONS[0], "2.2").assertions
    codes = [child({"extension": detail}, "code")["coding"][0]["code"] for detail in children(extension, "detail")]
    assert sorted(codes) == ["instructions", "policy-link"]


@pytest.mark.requirement("resp-42")
def test_other_information_needed_is_explained_by_a_detail_in_2_2() -> None:
    for situation, version in asserting():
        for extension in answer_in(situation, version).assertions:
            if version == "2.2" and "OTH" in children(extension, "info-needed"):
                assert children(extension, "detail")


def test_there_is_no_detail_in_2_0() -> None:
    for situation, version in asserting():
        if version == "2.0":
            assert all(children(each, "detail") == [] for each in answer_in(situation, version).assertions)


def test_what_is_possibly_the_procedure_says_which_information_is_needed(service: Service) -> None:
    (old,) = service.call(bodies.order_sign(bodies.unlisted())).assertions
    (new,) = service.call(bodies.order_sign(bodies.unlisted(), version="2.2")).assertions
    assert (child(old, "covered"), child(old, "pa-needed"), child(old, "info-needed")) == ("conditional", "conditional", "OTH")
    assert children(old, "reason")[0]["coding"][0]["code"] == "detail-code"
    assert (child(new, "covered"), child(new, "pa-needed"), child(new, "info-needed")) == ("conditional", None, "detail-code")
    assert "coding" not in children(new, "reason")[0]
    assert child(old, "billingCode") is child(new, "billingCode") is None


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda e: e["extension"].pop(0), "Extension.extension:coverage: 0 of 1..1"),
        (lambda e: e["extension"].append(e["extension"][1]), "Extension.extension:covered: 2 of 1..1"),
        (lambda e: e["extension"].append({"url": "category", "valueCode": "x"}), "Extension: category is no child of it"),
        (lambda e: e["extension"][1].update(valueCode="indeterminate"), "Extension.extension:covered.value[x]: indeterminate is"),
        (lambda e: e["extension"][-2].update(valueDateTime=e["extension"][-2].pop("valueDate")), "is of none of the types"),
        (lambda e: e.update(url="http://elsewhere"), "Extension.url: is not"),
    ],
)
def test_what_breaks_the_2_0_1_definition_is_found_out(change: Any, told: str) -> None:
    """The judge judged."""
    extension: Json = copy.deepcopy(answer_in(SITUATIONS[0], "2.0").assertions[0])
    change(extension)
    assert told in "\n".join(problems(extension, "ext-coverage-information"))


def test_an_order_that_breaks_the_2_0_1_profile_is_found_out() -> None:
    assert problems(bodies.order(status="active"), "profile-servicerequest") == ["ServiceRequest.status: is not draft"]
    assert problems(bodies.order(requester=None), "profile-servicerequest") == ["ServiceRequest.requester: 0 of 1..1"]
    assert coverage_information(bodies.order()) == []

"""Does an order show a clinical trial? The signs, and what only looks like one."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cds_service.crd.trial import trial_shown

from .builders import CPT, order

ICD10 = "http://hl7.org/fhir/sid/icd-10-cm"
BILLING = "http://hl7.org/fhir/us/davinci-crd/StructureDefinition/ext-billing-options"


def shown(**elements: Any) -> str | None:
    body = order(**elements)
    return trial_shown(body, json.dumps(body).encode())


def reason(code: Any, system: Any = ICD10, **elements: Any) -> list[Any]:
    return [{"coding": [{"system": system, "code": code}], **elements}]


def code(*codings: Any, **elements: Any) -> dict[str, Any]:
    return {"coding": [{"system": CPT, **each} for each in codings], "text": "MR neurography", **elements}


SIGNS: dict[str, tuple[dict[str, Any], str]] = {
    "Z00.6": ({"reasonCode": reason("Z00.6")}, "reason code Z00.6"),
    "Z006": ({"reasonCode": reason("Z006")}, "reason code Z00.6"),
    "z00.6": ({"reasonCode": reason("z00.6")}, "reason code Z00.6"),
    "Z00.6 with space around": ({"reasonCode": reason(" Z00.6 ")}, "reason code Z00.6"),
    "Z00.6 without system": ({"reasonCode": [{"coding": [{"code": "Z00.6"}]}]}, "reason code Z00.6"),
    "Z00.6 under a loose system": ({"reasonCode": reason("Z00.6", "ICD10")}, "reason code Z00.6"),
    "Z00.6 under the OID": ({"reasonCode": reason("Z006", "urn:oid:2.16.840.1.113883.6.90")}, "reason code Z00.6"),
    "Z00.6 as second reason": ({"reasonCode": [*reason("G54.0"), *reason("Z00.6")]}, "reason code Z00.6"),
    "Z00.6 as second coding": ({"reasonCode": [{"coding": [{"code": "G54.0"}, {"code": "Z00.6"}]}]}, "reason code Z00.6"),
    "Z00.6 typed": ({"reasonCode": [{"text": "Z00.6 exam in clinical research program"}]}, "reason code Z00.6"),
    "Z00.6 in brackets": ({"reasonCode": [{"text": "Research participant (Z00.6)."}]}, "reason code Z00.6"),
    "Q1 as a coding": ({"code": code({"code": "76498"}, {"code": "Q1"})}, "modifier Q1"),
    "Q0 as a coding": ({"code": code({"code": "76498"}, {"code": " q0 "})}, "modifier Q0"),
    "76498-Q1": ({"code": code({"code": "76498-Q1"})}, "modifier Q1"),
    "76498-Q0": ({"code": code({"code": "76498-Q0"})}, "modifier Q0"),
    "76498 Q1": ({"code": code({"code": "76498 Q1"})}, "modifier Q1"),
    "76498,Q1": ({"code": code({"code": "76498,Q1"})}, "modifier Q1"),
    "76498/q1": ({"code": code({"code": "76498/q1"})}, "modifier Q1"),
    "76498:Q1": ({"code": code({"code": "76498:Q1"})}, "modifier Q1"),
    "76498Q1": ({"code": code({"code": "76498Q1"})}, "modifier Q1"),
    "76498-26-Q1": ({"code": code({"code": "76498-26-Q1"})}, "modifier Q1"),
    "76498-Q1-26": ({"code": code({"code": "76498-Q1-26"})}, "modifier Q1"),
    "76498, 26, Q0": ({"code": code({"code": "76498, 26, Q0"})}, "modifier Q0"),
    "modifier in the text": ({"code": {"text": "76498-Q1 MR neurography"}}, "modifier Q1"),
    "modifier behind CPT": ({"code": {"text": "CPT 76498-Q0"}}, "modifier Q0"),
    "modifier at the end of the text": ({"code": {"text": "MR neurography, CPT 76498-Q1"}}, "modifier Q1"),
    "modifier in a display": ({"code": code({"code": "76498", "display": "Unlisted MR 76498-Q1"})}, "modifier Q1"),
    "modifier in a billing option": (
        {"code": code({"code": "1"}, extension=[{"url": BILLING, "valueCodeableConcept": {"coding": [{"code": "76498-Q1"}]}}])},
        "modifier Q1",
    ),
    "registry number in a note": ({"note": [{"text": "Enrolled in NCT01234567, arm B."}]}, "a trial registry number"),
    "registry number in lower case": ({"note": [{"text": "nct01234567"}]}, "a trial registry number"),
    "registry number with a space": ({"note": [{"text": "NCT 01234567"}]}, "a trial registry number"),
    "registry number with a colon": ({"note": [{"text": "NCT: 01234567"}]}, "a trial registry number"),
    "registry number with a mark": ({"note": [{"text": "NCT # 01234567"}]}, "a trial registry number"),
    "registry number as an identifier": (
        {"identifier": [{"system": "https://clinicaltrials.gov", "value": "NCT01234567"}]}, "a trial registry number",
    ),
    "registry number in an address": (
        {"note": [{"text": "https://clinicaltrials.gov/study/NCT01234567?rank=1"}]}, "a trial registry number",
    ),
    "registry number in an answer": (
        {"extension": [{"url": "urn:question", "valueString": "Trial: NCT01234567"}]}, "a trial registry number",
    ),
    "reference to a study": (
        {"supportingInfo": [{"reference": "ResearchStudy/s1"}]}, "a reference to a research study",
    ),
    "absolute reference to a subject": (
        {"supportingInfo": [{"reference": "https://ehr.example.org/fhir/ResearchSubject/s1"}]}, "a reference to a research study",
    ),
    "reference to a study by its type": (
        {"supportingInfo": [{"type": "ResearchStudy", "identifier": {"value": "s1"}}]}, "a reference to a research study",
    ),
    "extension with a study": (
        {"extension": [{"url": "http://hl7.org/fhir/StructureDefinition/workflow-researchStudy",
                        "valueReference": {"reference": "ResearchStudy/s1/_history/2"}}]}, "a reference to a research study",
    ),
    "contained study": ({"contained": [{"resourceType": "ResearchStudy", "id": "s"}]}, "a reference to a research study"),
    "study as the reason": ({"reasonReference": [{"reference": "ResearchStudy/s1"}]}, "a reference to a research study"),
}  # fmt: skip


@pytest.mark.parametrize(("elements", "by"), SIGNS.values(), ids=SIGNS.keys())
def test_a_sign_of_a_trial_is_seen(elements: dict[str, Any], by: str) -> None:
    assert shown(**elements) == by


NO_SIGNS: dict[str, dict[str, Any]] = {
    "a plain order": {},
    "Z00.60": {"reasonCode": reason("Z00.60")},
    "Z00.0": {"reasonCode": reason("Z00.0")},
    "Z00": {"reasonCode": reason("Z00")},
    "Z00.6 elsewhere": {"bodySite": [{"coding": [{"code": "Z00.6"}]}]},
    "Z00.61 typed": {"reasonCode": [{"text": "Z00.61"}]},
    "AZ006 typed": {"reasonCode": [{"text": "AZ006 and 1.Z006"}]},
    "the first quarter in a note": {"note": [{"text": "Follow-up in Q1 2024, MRI again in Q0."}]},
    "the first quarter as the text": {"code": {"text": "MR neurography Q1"}},
    "the first quarter behind a code": {"code": {"text": "MR neurography 76498 Q1 2024"}},
    "the first quarter with a dash": {"code": {"text": "MR neurography 76498, Q1-2024"}},
    "every hour": {"patientInstruction": "check q1h"},
    "modifier Q2": {"code": code({"code": "76498-Q2"})},
    "modifier Q5": {"code": code({"code": "Q5"})},
    "a code with Q1 inside": {"code": code({"code": "76498-Q12"})},
    "a HCPCS code with Q": {"code": code({"code": "Q1001"})},
    "a local code with Q1": {"code": code({"code": "IMGQ1"})},
    "Q1 as a reason": {"reasonCode": reason("Q1")},
    "seven digits": {"note": [{"text": "NCT0123456"}]},
    "nine digits": {"note": [{"text": "NCT012345678"}]},
    "letters before": {"note": [{"text": "XNCT01234567"}]},
    "nerve conduction test": {"note": [{"text": "NCT done 01/02/2023, NCT 2"}]},
    "the word research": {"note": [{"text": "Research suggests early imaging. Researched at length."}]},
    "the words clinical trial": {"note": [{"text": "no clinical trial"}]},
    "a study of another kind": {"supportingInfo": [{"reference": "ImagingStudy/s1"}]},
    "ResearchStudy as a text": {"note": [{"text": "ResearchStudy/s1"}]},
    "a definition of research": {"supportingInfo": [{"reference": "ResearchDefinition/s1"}]},
}  # fmt: skip


@pytest.mark.parametrize("elements", NO_SIGNS.values(), ids=NO_SIGNS.keys())
def test_what_only_looks_like_a_sign_is_none(elements: dict[str, Any]) -> None:
    assert shown(**elements) is None


def test_a_sign_written_with_escapes_is_seen() -> None:
    body = order(reasonCode=reason("Z00.6"))
    raw = json.dumps(body).replace("Z00.6", "\\u005a00.6").encode()
    assert json.loads(raw) == body
    assert trial_shown(body, raw) == "reason code Z00.6"


@pytest.mark.parametrize(
    "value", [None, 5, "Z00.6", [], {}, [None], ["Z00.6"], [{"coding": "Z00.6"}], [{"coding": [None, {"code": []}]}]]
)
@pytest.mark.parametrize("element", ["reasonCode", "code", "extension"])
def test_an_element_of_the_wrong_kind_shows_nothing_and_is_no_error(element: str, value: Any) -> None:
    assert trial_shown({element: value}, json.dumps({element: value}).encode()) is None


JSON = st.recursive(
    st.none()
    | st.integers()
    | st.text(max_size=10)
    | st.sampled_from(["Z00.6", "Q1", "76498-Q1", "ResearchStudy/1", "NCT01234567"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["reasonCode", "coding", "code", "text", "extension", "valueCodeableConcept", "reference"]), inner
        )
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(["reasonCode", "code", "extension", "note", "supportingInfo"]), JSON))
@settings(max_examples=100, deadline=None)
def test_any_order_shows_a_trial_or_none(body: dict[str, Any]) -> None:
    assert trial_shown(body, json.dumps(body).encode()) in {None, "modifier Q1", *(by for _, by in SIGNS.values())}


@pytest.mark.parametrize("unit", ["76498 ", "76498-26-26-26-", "NCT ", "12345,", "Z00.", "q1 "])
def test_a_long_hostile_text_costs_little(unit: str) -> None:
    text = unit * (200_000 // len(unit))
    begun = time.process_time()
    shown(code={"text": text}, note=[{"text": text}], reasonCode=[{"text": text}])
    assert time.process_time() - begun < 1

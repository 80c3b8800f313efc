"""Is a resource valid FHIR R4? The library judges, our own checks stand in where it is lax, and nothing of it ever raises."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cds_service.crd import validation
from cds_service.crd.fhir import Resource
from cds_service.crd.remembered import Remembered
from cds_service.crd.validation import fhir_issues, model_of

from .builders import as_resource, coverage, member_coverage, order, plan


def issues(body: Any) -> tuple[str, ...]:
    return fhir_issues(as_resource(body))


VALID: dict[str, dict[str, Any]] = {
    "an order": order(),
    "a bare order": {
        "resourceType": "ServiceRequest",
        "status": "active",
        "intent": "plan",
        "subject": {"reference": "Patient/1"},
    },
    "every form of date": order(occurrenceDateTime="2023", authoredOn="2023-11-01T02:00:00.123Z"),
    "a period": order(occurrenceDateTime=None, occurrencePeriod={"start": "2023-10", "end": "2023-11-01"}),
    "a timing": order(occurrenceDateTime=None, occurrenceTiming={"event": ["2023-11-01"]}),
    "a quantity to the digit": order(quantityQuantity={"value": 1.10}),
    "an extension on a primitive": order(_status={"extension": [{"url": "urn:x", "valueString": "y"}]}),
    "an extension on an extension's value": order(
        extension=[{"url": "urn:x", "_valueString": {"extension": [{"url": "urn:y", "valueBoolean": True}]}, "valueString": "z"}]
    ),
    "a contained resource": order(contained=[{"resourceType": "Patient", "id": "p"}], subject={"reference": "#p"}),
    "a Coverage": member_coverage(),
    "a Coverage with classes and period": member_coverage(
        **{"class": [plan("Blue Advantage", "1")], "period": {"start": "2023"}}
    ),
}


@pytest.mark.parametrize("body", VALID.values(), ids=VALID.keys())
def test_valid_fhir_has_no_issue(body: Any) -> None:
    assert issues(body) == ()


BROKEN: dict[str, tuple[dict[str, Any], str]] = {
    "no subject": (order(subject=None), "subject"),
    "a subject of null": ({**order(), "subject": None}, "subject"),
    "an empty subject": (order(subject={}), "subject"),
    "a text as subject": (order(subject="Patient/pat-1"), "subject"),
    "no status": (order(status=None), "status"),
    "a status that is none": (order(status="signed"), "status"),
    "a status in capitals": (order(status="Draft"), "status"),
    "a status of the wrong kind": (order(status=["draft"]), "status"),
    "no intent": (order(intent=None), "intent"),
    "an intent that is none": (order(intent="wish"), "intent"),
    "a text as code": (order(code="76498"), "code"),
    "a list as code": (order(code=[{"text": "x"}]), "code"),
    "a coding that is no list": (order(code={"coding": {"code": "76498"}}), "code"),
    "a date that is none": (order(occurrenceDateTime="soon"), "occurrenceDateTime"),
    "two occurrences": (order(occurrencePeriod={"start": "2023"}), "ServiceRequest"),
    "a text as period": (order(occurrenceDateTime=None, occurrencePeriod="2023"), "occurrencePeriod"),
    "an unknown element": (order(urgency="high"), "urgency"),
    "a category that is an object": (order(category={"text": "x"}), "category"),
    "no beneficiary": (coverage(beneficiary=None), "beneficiary"),
    "a beneficiary of null": ({**coverage(), "beneficiary": None}, "beneficiary"),
    "no payor": (coverage(payor=None), "payor"),
    "an empty list of payors": (coverage(payor=[]), "payor"),
    "a Coverage status that is none": (coverage(status="in-force"), "status"),
    "a period that is a list": (coverage(period=[{}]), "period"),
}


@pytest.mark.parametrize(("body", "place"), BROKEN.values(), ids=BROKEN.keys())
def test_broken_fhir_is_told_by_its_place(body: Any, place: str) -> None:
    assert any(issue.split(".")[0] == place for issue in issues(body)), issues(body)


@pytest.mark.parametrize(
    "kind",
    ["", "Nothing", "servicerequest", "Service Request", "os", "..", "Patient.x", "\x00", "é" * 30, "__init__", "A" * 5000],
)
def test_a_type_that_fhir_does_not_have_is_an_issue_and_never_an_error(kind: str) -> None:
    known = set(sys.modules)
    assert len(issues({"resourceType": kind, "code": "x"})) >= 1
    assert not {name for name in set(sys.modules) - known if not name.startswith("fhir.")}
    if kind:
        with pytest.raises((ImportError, AttributeError)):
            model_of(kind)


def test_no_value_and_no_member_name_of_the_callers_own_is_told() -> None:
    told = " ".join(
        issues(
            order(
                subject="Jane Testpatient", **{"Jane Testpatient": 1, "x" * 300: 2}, note=[{"Jane Testpatient, born 1948": "A-1"}]
            )
        )
    )
    assert told
    assert "Testpatient" not in told
    assert "xxx" not in told
    assert "1948" not in told


def test_what_is_told_is_bounded() -> None:
    body = order(**{f"x{index}": index for index in range(500)})
    assert 1 <= len(issues(body)) <= 20
    deep: Any = {"a": 1}
    for _ in range(100):
        deep = {"url": "urn:x", "extension": [deep]}
    assert all(len(issue) < 1000 for issue in issues(order(extension=[deep])))


@pytest.mark.parametrize("depth", [50, 200, 400])
def test_deep_nesting_is_an_issue_or_none_and_never_an_error(depth: int) -> None:
    extension = '{"url":"urn:x","extension":[' * depth + '{"url":"urn:y","valueString":"z"}' + "]}" * depth
    raw = json.dumps(order(extension=["@"])).replace('"@"', extension).encode()
    assert isinstance(fhir_issues(Resource("x", "ServiceRequest", "1", raw)), tuple)


def test_a_verdict_is_remembered_and_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(validation, "_verdicts", Remembered(8))
    first = issues(order(id="first"))
    for index in range(20):
        issues(order(id=f"o{index}", status=None))
    assert len(validation._verdicts) == 8
    assert issues(order(id="first")) == first
    assert issues(order(id="o19", status=None)) != ()


def test_the_verdict_asked_for_most_lately_is_kept_longest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(validation, "_verdicts", Remembered(3))
    judged: list[str] = []

    def judge(resource: Resource) -> Any:
        judged.append(str(resource.id))
        return iter(())

    monkeypatch.setattr(validation, "_judge", judge)
    for each in ["a", "b", "c", "a", "d", "a", "b"]:
        issues({"resourceType": "ServiceRequest", "id": each})
    assert judged == ["a", "b", "c", "d", "b"]


def test_the_same_bytes_of_two_types_have_two_verdicts() -> None:
    raw = json.dumps(order()).encode()
    assert fhir_issues(Resource("x", "ServiceRequest", "1", raw)) == ()
    assert fhir_issues(Resource("x", "Coverage", "1", raw)) != ()


KEYS = [
    "status",
    "intent",
    "subject",
    "code",
    "coding",
    "text",
    "extension",
    "url",
    "valueString",
    "occurrencePeriod",
    "start",
    "payor",
]
KEYS += ["_status", "contained", "resourceType", "id", "meta", "reference", "note", "category", "beneficiary", "x y", "div"]
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([0.5, -1.1, 1e21, 1e-7])
    | st.text(max_size=6)
    | st.sampled_from(["draft", "Patient", "2023"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=12,
)


@given(
    st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=5), JSON, max_size=6),
    st.sampled_from(["ServiceRequest", "Coverage", "Appointment", ""]) | st.text(max_size=4),
)
@settings(max_examples=100, deadline=None)
def test_any_json_object_is_judged_without_an_error(body: dict[str, Any], kind: str) -> None:
    assert isinstance(issues({**body, "resourceType": kind}), tuple)

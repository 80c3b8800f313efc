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

    def judge(body: Any, kind: str) -> Any:
        judged.append(str(body["id"]))
        return iter(())

    monkeypatch.setattr(validation, "_judge", judge)
    monkeypatch.setattr(validation, "_elements", lambda _: None)
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


#: Elements of an order, good and bad, of which orders are made that share some.
REFUSED_THOUGH_VALID = {"extension": [{"url": "urn:x", "_valueString": {"extension": [{"url": "urn:y", "valueBoolean": True}]}}]}
CONCEPTS = [{"text": "A"}, {"coding": [{"system": "urn:x", "code": "1", "display": "B"}]}, REFUSED_THOUGH_VALID]
REFERENCES = [{"reference": "Practitioner/1", "display": "A"}, {"identifier": {"value": "1"}}, REFUSED_THOUGH_VALID]
IDENTIFIERS = [{"system": "urn:x", "value": "1"}, {"use": "official", "type": {"text": "A"}}, REFUSED_THOUGH_VALID]
SINGLE: dict[str, list[Any]] = {
    "code": CONCEPTS,
    "encounter": REFERENCES,
    "meta": [{"versionId": "1"}, {"lastUpdated": "2024-03-01T08:15:00Z"}, REFUSED_THOUGH_VALID],
    "performerType": CONCEPTS,
    "requester": REFERENCES,
    "requisition": IDENTIFIERS,
    "text": [{"status": "generated", "div": "<div>A</div>"}],
}
LISTED: dict[str, list[Any]] = {
    **dict.fromkeys(("bodySite", "category", "locationCode", "orderDetail", "reasonCode"), CONCEPTS),
    **dict.fromkeys(("basedOn", "insurance", "locationReference", "performer", "reasonReference"), REFERENCES),
    **dict.fromkeys(("relevantHistory", "replaces", "specimen", "supportingInfo"), REFERENCES),
    "identifier": IDENTIFIERS,
    "extension": REFUSED_THOUGH_VALID["extension"],
    "modifierExtension": [{"url": "urn:x", "valueString": "a"}],
    "note": [{"text": "A"}, {"text": "B", "time": "2024-03-01T08:15:00Z"}],
}
BAD = ["A", None, [], {}, {"words": "A"}, {"coding": [{"code": 1}]}, {"coding": [None]}, {"reference": 5}, {"text": None}]
BAD += [[bad] for bad in BAD]
OTHERS: dict[str, list[Any]] = {
    "id": ["a", "b", 5],
    "status": ["active", "signed", None],
    "_status": [{"extension": [{"url": "urn:x", "valueString": "y"}]}, {"id": 5}],
    "intent": ["plan", None],
    "subject": [{"reference": "Patient/2"}, None, {}],
    "occurrencePeriod": [{"start": "2023"}, {"start": "soon"}, "2023"],
    "occurrenceTiming": [{"event": ["2023"]}],
    "asNeededBoolean": [True, "maybe"],
    "asNeededCodeableConcept": CONCEPTS,
    "quantityQuantity": [{"value": 1.5}],
    "quantityRange": [{"low": {"value": 1}}],
    "note": [[{"text": "A"}], [None], {"text": "A"}],
    "contained": [[{"resourceType": "Patient", "id": "p"}], [{"resourceType": "Nothing"}]],
    "instantiatesUri": [["urn:x", None]],
    "_instantiatesUri": [[None, {"id": "x"}]],
    "_code": [{"id": "x"}],
    "code__ext": [{"id": "x"}],
    "resourceType": ["Coverage", None],
}
GOOD = st.fixed_dictionaries(
    {},
    optional={element: st.sampled_from(values) for element, values in SINGLE.items()}
    | {element: st.lists(st.sampled_from(values), max_size=2) for element, values in LISTED.items()},
)


def pick(source: dict[str, Any], names: list[str]) -> dict[str, Any]:
    return {name: source[name] for name in names if name in source}


ORDERS = st.builds(
    lambda good, bad, others, names: order() | good | bad | pick(others, names),
    GOOD,
    st.dictionaries(st.sampled_from(sorted(SINGLE | LISTED | OTHERS)), st.sampled_from(BAD), max_size=1),
    st.fixed_dictionaries({name: st.sampled_from(values) for name, values in OTHERS.items()}),
    st.lists(st.sampled_from(sorted(OTHERS)), max_size=3),
)


def whole_issues(raw: bytes) -> tuple[str, ...]:
    return tuple(dict.fromkeys(validation._judge(json.loads(raw), "ServiceRequest")))[:20]


@given(st.lists(ORDERS, min_size=1, max_size=6))
@settings(max_examples=300, deadline=None)
def test_an_order_judged_by_what_is_remembered_of_its_elements_has_the_issues_of_the_whole(orders: list[dict[str, Any]]) -> None:
    for each in orders:
        raw = json.dumps(each, indent=1).encode()  # of another digest than any order of the other tests
        assert fhir_issues(Resource("x", "ServiceRequest", "1", raw)) == whole_issues(raw)


#: Values of all kinds for an element of a valid order, most of them broken in a way that its own type alone forbids.
VALUES: list[Any] = [
    *BAD,
    *CONCEPTS,
    *REFERENCES,
    *([each] for each in CONCEPTS + REFERENCES + IDENTIFIERS),
    *("", " ", "draft", "order", "soon", "2024-02-30", "2024", "2024-03-01T08:15:00Z", "2024-03-01T25:00:00Z", "a  b", "x" * 300),
    *(True, False, 0, 1, 1.5, "true", "yes", {"value": "many"}, {"value": 1.10}, {"start": "2023"}, {"start": 5}),
    *({"low": {"value": 1}}, {"numerator": {"value": 1}}, {"event": ["2023"]}, {"event": [None]}, {"resourceType": "Patient"}),
    *({"resourceType": "Reference", "reference": "Patient/1"}, {"id": "#"}, ["urn:x"], ["urn:x", None], [5], [["urn:x"]]),
]


@given(
    st.sampled_from(
        [name for name in model_of("ServiceRequest").model_fields if "__ext" not in name] + ["resourceType", "_status"]
    ),
    st.sampled_from(VALUES),
    st.sampled_from(VALUES),
)
@settings(max_examples=1500, deadline=None)
def test_an_element_judged_by_itself_is_judged_as_in_the_whole(element: str, first: Any, second: Any) -> None:
    for value in (first, second, first):
        raw = json.dumps(order(requester=None) | {element: value, "supportingInfo": REFERENCES[:1]}, indent=2).encode()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(validation, "_verdicts", Remembered(8))
            assert fhir_issues(Resource("x", "ServiceRequest", "1", raw)) == whole_issues(raw)


def test_no_rule_of_the_model_is_new_to_what_judges_elements_apart() -> None:
    """Those that look at more than one element: which are required, which are a choice, and null in lists (one at a time)."""
    rules = model_of("ServiceRequest").__pydantic_decorators__
    assert set(rules.model_validators) == {"reject_null_complex_elements", "validate_after_model_construction"}
    assert not rules.field_validators
    assert not rules.root_validators
    assert not rules.validators


def test_what_is_judged_apart_has_one_name_and_no_rule_beside_its_type() -> None:
    fields = model_of("ServiceRequest").model_fields
    for element in validation._judges():
        assert fields[element].alias in (None, element)  # no second name under which it could be sent besides
        assert [name for name, other in fields.items() if other.alias == element and name != element] == []
        assert not fields[element].metadata
    assert not {"contained", "fhir_comments", "_status", "status__ext", "resourceType"} & validation._judges().keys()


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is judged from now on, with nothing remembered: names of elements, and "whole"."""
    noted: list[str] = []
    judge, judge_element = validation._judge, validation._is_valid

    def whole(body: Any, kind: str) -> Any:
        noted.append("whole")
        return judge(body, kind)

    def one(element: str, raw: Any) -> bool:
        noted.append(element)
        return judge_element(element, raw)

    monkeypatch.setattr(validation, "_judge", whole)
    monkeypatch.setattr(validation, "_is_valid", one)
    for name in ("_verdicts", "_valid_elements", "_valid_sets"):
        monkeypatch.setattr(validation, name, Remembered(64))
    return noted


def test_of_an_order_with_the_elements_of_a_valid_one_only_what_is_new_is_judged(judged: list[str]) -> None:
    assert issues(order(id="first")) == ()
    assert judged == ["whole", *(name for name in order() if name != "resourceType")]
    judged.clear()
    assert issues(order(id="second", code={"text": "new"})) == ()
    assert sorted(judged) == ["code", "id"]


def test_an_order_with_a_broken_element_or_one_more_or_less_is_judged_as_a_whole(judged: list[str]) -> None:
    assert issues(order(id="first")) == issues(order(id="second", requester=None)) == ()
    judged.clear()
    assert issues(order(id="a", code={"coding": "broken"})) != ()
    assert issues(order(id="b", priority="routine")) == ()
    assert issues(order(id="c", status=None)) != ()
    assert issues(order(id="d", occurrencePeriod={"start": "2023"})) == ("ServiceRequest",)
    assert issues(order(id="e", _status={"extension": [{"url": "urn:x", "valueString": "y"}]})) == ()
    assert judged.count("whole") == 5


@pytest.mark.parametrize(
    "elements",
    [{"contained": [{"resourceType": "Patient", "id": "p"}]}, {"_status": {"id": "x"}}, {"extension": [REFUSED_THOUGH_VALID]}],
)
def test_an_order_with_what_cannot_be_judged_alone_is_judged_as_a_whole_each_time(
    judged: list[str], elements: dict[str, Any]
) -> None:
    for number in range(3):
        issues(order(id=str(number), **elements))
    assert judged.count("whole") == 3


def test_an_element_nested_deeply_is_judged_with_the_whole_each_time(judged: list[str]) -> None:
    deep: Any = {"url": "urn:x", "valueString": "y"}
    for _ in range(validation.MOST_BRACKETS // 2):
        deep = {"url": "urn:x", "extension": [deep]}
    for number in range(3):
        issues(order(id=str(number), extension=[deep]))
    assert judged.count("whole") == 3


def test_a_name_given_twice_counts_as_it_does_in_the_whole() -> None:
    good, bad = json.dumps(order(id="twice")), '"code": {"coding": "none"}'
    assert issues(order(id="once")) == ()
    assert fhir_issues(Resource("x", "ServiceRequest", "1", f"{{{bad}, {good[1:]}".encode())) == ()
    assert fhir_issues(Resource("x", "ServiceRequest", "1", f"{good[:-1]}, {bad}}}".encode())) != ()


def test_no_more_elements_and_sets_of_names_are_remembered_than_their_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(validation, "_valid_elements", Remembered(8))
    monkeypatch.setattr(validation, "_valid_sets", Remembered(4))
    base = {name: value for name, value in order().items() if name != "id"}
    for number in range(20):
        assert issues({**base, "id": f"bound-{number}", "code": {"text": str(number)}}) == ()
    names = sorted(base)
    for number in range(len(names)):
        assert issues({name: base[name] for name in names[number:] + names[:number]}) == ()
    assert len(validation._valid_elements) == 8
    assert len(validation._valid_sets) == 4


def test_an_id_is_not_remembered_which_never_comes_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(validation, "_valid_elements", Remembered(64))
    for number in range(20):
        assert issues(order(id=f"never-again-{number}")) == ()
    assert len(validation._valid_elements) == len(order()) - 2

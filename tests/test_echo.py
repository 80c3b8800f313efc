"""The order comes back as it was received, byte for byte, but for its ``extension`` (CRD 2.2.1 resp-37)."""

from __future__ import annotations

import copy
import json
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.conformance import bodies
from tests.conformance.bodies import EXTENSION, Json
from tests.conformance.harness import Answer, Service, child, coverage_information

_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_elements = msgspec.json.Decoder(list[msgspec.Raw]).decode

VERSIONS = pytest.mark.parametrize("version", ["2.0", "2.2"])


@pytest.fixture(scope="module")
def service() -> Service:
    """The service with the settings it comes with."""
    return Service()


class _Action(msgspec.Struct):
    resource: msgspec.Raw


class _Response(msgspec.Struct, rename="camel"):
    cards: msgspec.Raw
    system_actions: list[_Action] = []


def sign(service: Service, *orders: str, version: str | None = None, **members: Any) -> tuple[Answer, list[bytes]]:
    """Send orders as they are written; the answer, and the bytes of each resource of a system action."""
    marks = [{"resourceType": "ServiceRequest", "id": f"mark-{index}"} for index, _ in enumerate(orders)]
    body = json.dumps(bodies.order_sign(*marks, version=version, **members))
    for mark, order in zip(marks, orders, strict=True):
        body = body.replace(json.dumps(mark), order)
    answer = service.post(body.encode())
    assert answer.status == 200, answer.raw
    return answer, [bytes(action.resource) for action in msgspec.json.decode(answer.raw, type=_Response).system_actions]


def written(order: Json, **raw: str) -> str:
    """``order`` as JSON, ``raw`` members put in as they are written."""
    text = json.dumps(order)
    for name, value in raw.items():
        text = text[:-1] + f", {json.dumps(name)}: {value}}}"
    return text


def others(raw: bytes | str) -> list[tuple[str, bytes]]:
    """Every member but ``extension``, in order, each value as its bytes."""
    return [(name, bytes(value)) for name, value in _members(raw).items() if name != "extension"]


def extensions(raw: bytes | str) -> list[bytes]:
    """The elements of ``extension`` as bytes."""
    present = _members(raw).get("extension")
    return [] if present is None or bytes(present) == b"null" else [bytes(each) for each in _elements(present)]


ODD = {
    "unknown elements": written(bodies.order(), _resolvedThing='{"a": [1, {"b": null}]}', **{"x-vendor": '"y"'}),
    "decimals": written(
        bodies.order(),
        quantityQuantity='{"value": 1.10, "unit": "1"}',
        vendor="[1.10, 1e2, 1E+2, 12345678901234567890.123, -0, -0.0, 0.10e-7, 100000000000000000000000]",
    ),
    "unicode escapes": written(bodies.order(), note='[{"text": "M\\u00fcller \\u2028 \\ud83d\\ude00 \\/ \\u0000 \u2028 😀"}]'),
    "null members": written(bodies.order(), locationCode="null", vendor='{"a": null, "b": [null]}'),
    "empty values": written(bodies.order(), reasonCode="[]", bodySite="[{}]", encounter="{}", patientInstruction='""'),
    "whitespace": written(bodies.order(), note='[ {  "text"\t:\n "a  b" } ,\r\n  { } ]'),
    "siblings of primitives": written(
        bodies.order(), _status='{"extension": [{"url": "u", "valueString": "v"}]}', _authoredOn='{"id": "a"}'
    ),
    "order of arrays": written(bodies.order(), identifier='[{"value": "2"}, {"value": "1"}, {"value": "2"}]'),
    "nested extensions": written(
        bodies.order(),
        performer='[{"reference": "P/1", "extension": [{"url": "a", "extension": [{"url": "b", "valueDecimal": 1.50}]}]}]',
        modifierExtension='[{"url": "c", "valueBoolean": false}]',
    ),
    "invalid elements": written(bodies.order(), priority="17", category='{"coding": "x"}', basedOn='"ServiceRequest/1"'),
    "members before resourceType": '{"vendor": 1.0, ' + written(bodies.order())[1:],
    "long": written(bodies.order(), supportingInfo="[" + ", ".join('{"reference": "Observation/1"}' for _ in range(2000)) + "]"),
}


@pytest.mark.parametrize("order", ODD.values(), ids=ODD.keys())
@pytest.mark.requirement("resp-37", "cds-hooks-2.0/update-whole-resource", "conf-12")
def test_every_other_element_comes_back_as_the_bytes_it_was(service: Service, order: str) -> None:
    _, (echoed,) = sign(service, order)
    assert others(echoed) == others(order)
    assert list(_members(echoed)) == [*list(_members(order)), "extension"]


FOREIGN = [
    '{"url": "http://vendor/x", "valueDecimal": 2.50}',
    '{"url":"http://hl7.org/fhir/us/davinci-crd/StructureDefinition/ext-coverage-information","extension":[{"url":"coverage",'
    '"valueReference":{"reference":"Coverage/other"}},{"url":"covered","valueCode":"covered"},'
    '{"url":"coverage-assertion-id","valueString":"HUMANA-1"}]}',
    '{"url":"http://hl7.org/fhir/us/davinci-crd/StructureDefinition/ext-coverage-information","extension":[{"url":"coverage",'
    '"valueReference":{"reference":"Coverage/cov-1"}},{"url":"coverage-assertion-id","valueString":"OTHER-SYSTEM-1"}]}',
    "null",
    "{}",
    '"not an object"',
]


@pytest.mark.parametrize("present", ["null", "[]", "[" + ", ".join(FOREIGN) + "]"], ids=["null", "empty", "of others"])
@pytest.mark.requirement("resp-37")
def test_our_extension_comes_after_those_that_are_there(service: Service, present: str) -> None:
    order = written(bodies.order(), extension=present)
    _, (echoed,) = sign(service, order)
    assert others(echoed) == others(order)
    assert list(_members(echoed)) == list(_members(order))
    kept = extensions(order)
    assert extensions(echoed)[: len(kept)] == kept
    assert len(extensions(echoed)) == len(kept) + 1


@pytest.mark.parametrize("present", ['{"url": "x"}', '"x"', "1", "true"])
@pytest.mark.requirement("resp-37")
def test_an_extension_that_is_no_array_is_left_alone_and_the_card_is_shown(service: Service, present: str) -> None:
    answer, echoed = sign(service, written(bodies.order(), extension=present))
    assert (len(answer.cards), echoed) == (1, [])


def answered(service: Service, **members: Any) -> bytes:
    """An order that bears our answer, a foreign extension on either side of it."""
    order = written(bodies.order(), extension=f"[{FOREIGN[0]}]")
    _, (echoed,) = sign(service, order, **members)
    return echoed[:-1].removesuffix(b"]") + b", " + FOREIGN[1].encode() + b"]}"


@VERSIONS
@pytest.mark.requirement("resp-35", "resp-36", "hook-16")
def test_nothing_is_sent_when_nothing_is_new(service: Service, version: str) -> None:
    order = answered(service, version=version).decode()
    answer, echoed = sign(service, order, version=version)
    assert echoed == []
    assert b"systemActions" not in answer.raw
    assert len(answer.cards) == 1


@VERSIONS
@pytest.mark.parametrize("hook", ["order-select", "order-dispatch", "appointment-book"])
@pytest.mark.requirement("resp-35")
def test_an_order_that_bears_our_answer_alerts_on_order_sign_only(service: Service, version: str, hook: str) -> None:
    order = service.call(bodies.order_sign(bodies.order(), version=version)).resources[0]
    bodies_of: dict[str, Json] = {
        "order-select": bodies.order_select(order, version=version),
        "order-dispatch": bodies.order_dispatch({"dispatchedOrders": ["ServiceRequest/mrn-1"]}, order, version=version),
    }
    booked = bodies.appointment(start=None, end=None, requestedPeriod=None)
    if hook == "appointment-book" and version == "2.0":
        first = service.call(bodies.appointment_book(booked, orders=(order,)))
        booked = first.resources[0]
    bodies_of["appointment-book"] = bodies.appointment_book(booked, orders=(order,), version=version)
    assert service.call(bodies_of[hook]).raw == b'{"cards":[]}'


@VERSIONS
@pytest.mark.parametrize(
    "respelt",
    [
        lambda e: e["extension"].reverse(),
        lambda e: e["extension"][0]["valueReference"].update(reference="https://ehr.example.org/fhir/Coverage/cov-1"),
        lambda e: e["extension"][0]["valueReference"].update(display="Blue Advantage"),
        lambda e: next(p for p in e["extension"] if p["url"] == "date").update(valueDate="2025-01-01"),
    ],
    ids=["children in another order", "absolute reference", "display added", "given on an earlier day"],
)
@pytest.mark.requirement("resp-35")
def test_the_same_answer_spelt_otherwise_is_nothing_new(service: Service, version: str, respelt: Any) -> None:
    order = service.call(bodies.order_sign(bodies.order(), version=version)).resources[0]
    respelt(order["extension"][0])
    assert service.call(bodies.order_sign(order, version=version)).actions == []


@VERSIONS
@pytest.mark.requirement("resp-35", "resp-37")
def test_a_changed_answer_replaces_ours_in_its_place_and_no_other(service: Service, version: str) -> None:
    earlier = answered(service, version=version)
    order = earlier.replace(b'"2023-11-01"', b'"2023-10-31"').decode()
    _, (echoed,) = sign(service, order, version=version)
    assert others(echoed) == others(order)
    before, after = extensions(order), extensions(echoed)
    assert len(before) == len(after) == 3
    assert (after[0], after[2]) == (before[0], before[2])
    old, new = json.loads(before[1]), json.loads(after[1])
    assert child(old, "coverage-assertion-id") != child(new, "coverage-assertion-id")
    assert "for services to 10/31/2023" in child(new, "reason")["text"]


@VERSIONS
@pytest.mark.requirement("resp-35")
def test_two_answers_of_ours_for_one_coverage_become_one(service: Service, version: str) -> None:
    earlier = json.loads(answered(service, version=version))
    earlier["extension"].append(copy.deepcopy(earlier["extension"][1]))
    (echoed,) = service.call(bodies.order_sign(earlier, version=version)).resources
    ours = [each for each in coverage_information(echoed) if str(child(each, "coverage-assertion-id")).startswith("BCBSAL-CRD-")]
    assert len(ours) == 1
    assert len(echoed["extension"]) == 3


@VERSIONS
@pytest.mark.requirement("resp-32", "resp-37")
def test_our_answer_for_another_coverage_stays(service: Service, version: str) -> None:
    earlier = service.call(bodies.order_sign(bodies.order(), version=version)).resources[0]
    other = {"coverage": bodies.searchset(bodies.coverage(id="cov-2"))}
    (echoed,) = service.call(bodies.order_sign(earlier, version=version, prefetch=other)).resources
    assert echoed["extension"][0] == earlier["extension"][0]
    assert [child(each, "coverage")["reference"] for each in echoed["extension"]] == ["Coverage/cov-1", "Coverage/cov-2"]


@pytest.mark.parametrize(
    "malformed",
    [
        {"url": EXTENSION, "valueString": "BCBSAL-CRD-1"},
        {"url": EXTENSION, "extension": {"url": "coverage-assertion-id", "valueString": "BCBSAL-CRD-1"}},
        {"url": EXTENSION, "extension": [{"url": ["coverage-assertion-id"], "valueString": "BCBSAL-CRD-1"}]},
        {"url": EXTENSION, "extension": [{"url": "coverage-assertion-id", "valueString": ["BCBSAL-CRD-1"]}, "x", None]},
        {"url": "http://elsewhere", "extension": [{"url": "coverage-assertion-id", "valueString": "BCBSAL-CRD-1"}]},
        {"url": EXTENSION, "extension": [{"url": "coverage-assertion-id", "valueString": "x BCBSAL-CRD-1"}]},
        ["BCBSAL-CRD-1"],
    ],
)
@pytest.mark.requirement("resp-37")
def test_what_only_looks_like_an_answer_of_ours_stays(service: Service, malformed: Any) -> None:
    (echoed,) = service.call(bodies.order_sign(bodies.order(extension=[malformed]))).resources
    assert echoed["extension"][0] == malformed
    assert len(echoed["extension"]) == 2


def test_an_answer_of_ours_that_names_no_coverage_stays_and_does_not_hinder(service: Service) -> None:
    nameless = {"url": EXTENSION, "extension": [{"url": "coverage-assertion-id", "valueString": "BCBSAL-CRD-1"}]}
    (echoed,) = service.call(bodies.order_sign(bodies.order(extension=[nameless]))).resources
    assert echoed["extension"][0] == nameless


@VERSIONS
@pytest.mark.requirement("resp-35", "resp-37")
def test_an_outgrown_answer_is_replaced_once(service: Service, version: str) -> None:
    edited = json.loads(answered(service, version=version)) | {"code": {"text": "MRI right knee"}}
    answer = service.call(bodies.order_sign(edited, version=version))
    (echoed,) = answer.resources
    assert answer.cards == []
    assert echoed == edited | {"extension": [edited["extension"][0], echoed["extension"][1], edited["extension"][2]]}
    assert child(echoed["extension"][1], "covered") == ("conditional" if version == "2.0" else "indeterminate")
    assert "no longer read as MR neurography" in child(echoed["extension"][1], "reason")["text"]
    assert service.call(bodies.order_sign(echoed, version=version)).raw == b'{"cards":[]}'


@pytest.mark.parametrize("edit", [{"doNotPerform": True}, {"status": "revoked"}, {"status": "entered-in-error"}])
def test_a_withdrawn_order_keeps_the_answer_it_bears(service: Service, edit: Json) -> None:
    edited = service.call(bodies.order_sign(bodies.order())).resources[0] | edit
    assert service.call(bodies.order_sign(edited)).raw == b'{"cards":[]}'


@pytest.mark.requirement("resp-29")
def test_an_order_without_an_id_gets_the_card_only(service: Service) -> None:
    answer = service.call(bodies.order_sign(bodies.order(id=None), bodies.order()))
    assert [resource["id"] for resource in answer.resources] == ["mrn-1"]
    assert len(answer.cards) == 1
    assert service.call(bodies.order_sign(bodies.order(id=None))).actions == []


@pytest.mark.parametrize("identifier", ["", 17, None, ["mrn-1"], {}])
def test_an_id_that_is_no_string_is_none(service: Service, identifier: Any) -> None:
    order = bodies.order() | {"id": identifier}
    answer = service.call(bodies.order_sign(order))
    assert (len(answer.cards), answer.actions) == (1, [])


@VERSIONS
def test_a_coverage_without_an_id_cannot_be_pointed_at(service: Service, version: str) -> None:
    nameless = {"coverage": bodies.searchset(bodies.coverage(id=None))}
    answer = service.call(bodies.order_sign(bodies.order(), prefetch=nameless, version=version))
    assert (len(answer.cards), answer.actions) == (1, [])


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8")),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=8), inner, max_size=3)
    ),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    extra=st.dictionaries(st.text(st.characters(codec="utf-8"), min_size=1, max_size=12), JSON, max_size=4),
    ascii_only=st.booleans(),
)
@example(extra={"": 1}, ascii_only=True)
@example(extra={"extension\u0000": [None]}, ascii_only=False)
@pytest.mark.requirement("resp-37", "found-33")
def test_whatever_else_an_order_bears_comes_back(service: Service, extra: Json, ascii_only: bool) -> None:
    fixed = {"extension", "id", "resourceType", "code", "subject", "status", "intent", "occurrenceDateTime", "doNotPerform"}
    order = bodies.order() | {f"x{name}": value for name, value in extra.items() if name not in fixed}
    text = json.dumps(order, ensure_ascii=ascii_only)
    answer, resources = sign(service, text)
    for echoed in resources:
        assert others(echoed) == others(text)
    assert resources or not answer.cards

"""Request JSON to a checked HookRequest: what is refused, with which place and cure, and what real clients may send."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cds_service.crd.errors import BadRequest, CallError, ConstraintBroken, TooLarge, operation_outcome
from cds_service.crd.hook_contexts import MAX_ORDERS
from cds_service.crd.hook_request import parse_hook_request
from cds_service.crd.hooks import HOOKS

from .builders import bundle, member_coverage, order, parse, sign_body, with_value, without

SIGN = sign_body(order(), prefetch={"coverage": bundle(member_coverage())})


def refused(body: Any, service_id: str = "order-sign-crd", kind: type[CallError] = BadRequest) -> CallError:
    with pytest.raises(CallError) as caught:
        parse(body, service_id)
    assert type(caught.value) is kind
    return caught.value


def select_body(*orders: Any, selections: Any = ("ServiceRequest/order-1",)) -> dict[str, Any]:
    body = sign_body(*orders, hook="order-select")
    return with_value(body, ["context", "selections"], list(selections) if isinstance(selections, tuple) else selections)


def dispatch_body(**context: Any) -> dict[str, Any]:
    made: dict[str, Any] = {"patientId": "pat-1", "performer": "Organization/o1"}
    return {"hook": "order-dispatch", "hookInstance": "1", "context": made | context}


def book_body(*appointments: Any, **context: Any) -> dict[str, Any]:
    made: dict[str, Any] = {"patientId": "pat-1", "userId": "Practitioner/p", "appointments": bundle(*appointments)}
    return {"hook": "appointment-book", "hookInstance": "1", "context": made | context}


def appointment(*based_on: Any, **elements: Any) -> dict[str, Any]:
    return {"resourceType": "Appointment", "id": "a1", "basedOn": [{"reference": each} for each in based_on], **elements}


# What a good request becomes


def test_a_good_request_is_read_whole() -> None:
    body = {
        **SIGN,
        "fhirServer": "https://ehr.example.org/fhir",
        "fhirAuthorization": {"access_token": "t0ken", "expires_in": 300},
    }
    found = parse(body)
    assert (found.hook.name, found.hook_instance, found.patient_id) == ("order-sign", SIGN["hookInstance"], "pat-1")
    assert (found.version, found.configuration.coverage_info, found.configuration.guideline) == ("2.0", True, True)
    assert (found.fhir.server, found.fhir.access_token) == ("https://ehr.example.org/fhir", "t0ken")
    assert [each.reference for each in found.orders] == ["ServiceRequest/order-1"]
    assert list(found.prefetch) == ["coverage"]


def test_the_token_is_not_in_what_a_request_prints_as() -> None:
    found = parse({**SIGN, "fhirServer": "https://ehr.example.org", "fhirAuthorization": {"access_token": "t0ken"}})
    assert "t0ken" not in repr(found)


def test_an_order_keeps_the_bytes_it_came_as() -> None:
    raw = b'{"resourceType":"ServiceRequest" , "id":"a","quantityQuantity":{"value":1.10},"x":"\\u00e9"}'
    body = json.dumps(sign_body("@")).encode().replace(b'"@"', raw)
    assert parse(body).orders[0].raw == raw


def test_a_byte_order_mark_is_passed_over() -> None:
    assert parse(b"\xef\xbb\xbf" + json.dumps(SIGN).encode()).patient_id == "pat-1"


@pytest.mark.parametrize("given", ["Patient/pat-1", " pat-1 "])
def test_a_patient_id_is_bared(given: str) -> None:
    assert parse(with_value(SIGN, ["context", "patientId"], given)).patient_id == "pat-1"


@pytest.mark.parametrize("instance", ["d1577c69-dfbe-44ad-ba6d-3e05e953b2ea", "x", "not a uuid"])
def test_any_hook_instance_with_something_in_it_is_taken(instance: str) -> None:
    assert parse({**SIGN, "hookInstance": instance}).hook_instance == instance


# What is refused

MISTYPED: list[tuple[Sequence[str], Any, str, str]] = [
    # path, value, place told, a word of the problem
    (["hook"], 5, "hook", "a string"),
    (["hook"], None, "hook", "a string"),
    (["hook"], "", "hook", "something in it"),
    (["hook"], ["order-sign"], "hook", "an array"),
    (["hook"], "patient-view", "hook", "not served"),
    (["hook"], "order-sign ", "hook", "not served"),
    (["hookInstance"], 7, "hookInstance", "a number"),
    (["hookInstance"], "", "hookInstance", "something in it"),
    (["hookInstance"], None, "hookInstance", "null"),
    (["context"], None, "context", "an object"),
    (["context"], "x", "context", "an object"),
    (["context"], [], "context", "an object"),
    (["context", "patientId"], 5, "context.patientId", "a string"),
    (["context", "patientId"], "", "context.patientId", "something in it"),
    (["context", "patientId"], "Patient/", "context.patientId", "no patient"),
    (["context", "patientId"], "  ", "context.patientId", "no patient"),
    (["context", "userId"], {}, "context.userId", "a string"),
    (["context", "userId"], "", "context.userId", "something in it"),
    (["context", "draftOrders"], None, "context.draftOrders", "object"),
    (["context", "draftOrders"], "x", "context.draftOrders", "object"),
    (["context", "draftOrders"], [], "context.draftOrders", "object"),
    (["context", "draftOrders"], {}, "context.draftOrders", "not a Bundle"),
    (["context", "draftOrders"], {"resourceType": "Patient"}, "context.draftOrders", "not a Bundle"),
    (["context", "draftOrders", "entry"], "x", "context.draftOrders.entry", "list of Bundle entries"),
    (["context", "draftOrders", "entry"], [5], "context.draftOrders.entry", "list of Bundle entries"),
    (["context", "draftOrders", "entry"], [{"resource": 5}], "context.draftOrders.entry[0].resource", "object"),
    (["context", "draftOrders", "entry"], [{}, {"resource": []}], "context.draftOrders.entry[1].resource", "object"),
    (["prefetch"], [], "prefetch", "an object or null"),
    (["prefetch"], "x", "prefetch", "an object or null"),
]


@pytest.mark.requirement("hook-10")
@pytest.mark.parametrize(("path", "value", "place", "problem"), MISTYPED, ids=[f"{'.'.join(p)}={v!r}" for p, v, _, _ in MISTYPED])
def test_a_mistyped_member_is_refused_with_its_place_and_a_cure(
    path: Sequence[str], value: Any, place: str, problem: str
) -> None:
    error = refused(with_value(SIGN, path, value))
    assert error.place == place
    assert problem in error.problem
    assert error.cure.startswith("Send ")
    issue = operation_outcome(error)["issue"][0]
    assert issue["expression"] == [place]
    assert error.cure in issue["diagnostics"]


@pytest.mark.parametrize(
    "path",
    [["hook"], ["hookInstance"], ["context"], ["context", "patientId"], ["context", "userId"], ["context", "draftOrders"]],
    ids=".".join,
)
def test_a_missing_member_is_refused_with_its_place_and_a_cure(path: Sequence[str]) -> None:
    error = refused(without(SIGN, path))
    assert (error.place, error.problem) == (".".join(path), "is missing")
    assert error.cure


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"{",
        json.dumps(SIGN).encode() + b"x",
        b"not json",
        b"<xml/>",
        b"NaN",
        b'{"hook": NaN}',
        b"{'hook': 1}",
        b'{"hook": "order-sign",}',
        b'"text"',
        b"[]",
        b"5",
        b"null",
        b"true",
        b"\x00",
        b'{"hook":"\x01"}',
    ],
)
def test_what_is_no_json_object_is_refused(body: bytes) -> None:
    assert "JSON" in str(refused(body).problem)


@pytest.mark.parametrize("body", [b"\xff\xfe{\x00}\x00", json.dumps(SIGN).encode("utf-16"), json.dumps(SIGN).encode() + b"\xe9"])
def test_what_is_no_utf_8_is_refused(body: bytes) -> None:
    assert "UTF-8" in str(refused(body).cure)


def test_of_several_mistakes_the_outermost_is_told_and_of_those_the_first() -> None:
    body = with_value(SIGN, ["context", "draftOrders", "entry"], [5])
    assert refused(body).place == "context.draftOrders.entry"
    body = with_value(body, ["context", "draftOrders", "resourceType"], "List")
    assert refused(body).place == "context.draftOrders"
    body = without(body, ["context", "userId"])
    assert refused(body).place == "context.userId"
    body = {**body, "extension": {"davinci-crd.requestedVersion": "1.0"}}
    assert refused(body, kind=ConstraintBroken).place == "extension.davinci-crd.requestedVersion"
    body = {**body, "hook": "patient-view"}
    assert refused(body).place == "hook"
    assert refused({**body, "prefetch": 5}).place == "prefetch"


def test_a_patients_data_within_a_bad_request_is_not_in_the_error() -> None:
    for path in (["hook"], ["context"], ["context", "draftOrders"], ["context", "draftOrders", "entry"]):
        error = refused(with_value(SIGN, path, "Jane Testpatient"))
        assert "Testpatient" not in json.dumps(operation_outcome(error))


@pytest.mark.parametrize("depth", [2000, 200_000])
@pytest.mark.parametrize("path", [["context"], ["context", "draftOrders", "entry"], ["extension"], ["ignored"]], ids=".".join)
def test_nesting_too_deep_is_refused(path: Sequence[str], depth: int) -> None:
    body = json.dumps(with_value(SIGN, path, "@")).encode().replace(b'"@"', b"[" * depth + b"]" * depth)
    assert "nested too deeply" in refused(body).problem


def test_bundles_within_bundles_are_read_but_not_without_end() -> None:
    def nested(times: int) -> Any:
        made: Any = order()
        for _ in range(times):
            made = bundle(made)
        return made

    assert len(parse(sign_body(nested(3))).orders) == 1
    assert "nested too deeply" in refused(sign_body(nested(20))).problem


def test_as_many_orders_as_are_read_are_accepted_and_one_more_is_not() -> None:
    many = [{"resourceType": "ServiceRequest", "id": str(index)} for index in range(MAX_ORDERS)]
    assert len(parse(sign_body(*many)).orders) == MAX_ORDERS
    error = refused(sign_body(*many, order()), kind=TooLarge)
    assert (error.status, error.place) == (413, "context.draftOrders")


# What real clients send


def test_empty_orders_and_empty_entries_are_no_error() -> None:
    empty = {"resourceType": "ServiceRequest", "code": {"coding": [{}]}, "reasonCode": []}
    assert len(parse(sign_body(empty, {})).orders) == 1
    for entries in ([], None, [None], [{}], [{"resource": None}]):
        assert parse(with_value(SIGN, ["context", "draftOrders", "entry"], entries)).orders == ()
    assert parse(without(SIGN, ["context", "draftOrders", "entry"])).orders == ()


def test_a_bundle_needs_neither_type_nor_full_urls() -> None:
    body = with_value(SIGN, ["context", "draftOrders"], {"resourceType": "Bundle", "entry": [{"resource": order()}]})
    assert len(parse(body).orders) == 1


def test_orders_of_other_kinds_are_kept_and_what_is_no_order_is_passed_over() -> None:
    found = parse(sign_body({"resourceType": "MedicationRequest"}, {"resourceType": "Patient"}, {"id": "x"}, order()))
    assert [each.resource_type for each in found.orders] == ["MedicationRequest", "ServiceRequest"]
    assert found.other_resources == ("Patient", "?")


@pytest.mark.parametrize("name", ["order-sign", "order-select", "order-dispatch", "appointment-book"])
def test_a_body_of_another_known_hook_is_answered_by_the_rules_of_its_endpoint(name: str) -> None:
    assert parse({**SIGN, "hook": name}).hook.name == "order-sign"


@pytest.mark.parametrize(
    "authorization",
    [None, "null", [], {}, {"access_token": ""}, {"access_token": None}, {"access_token": 5}, {"access_token": " "}],
)
def test_an_authorization_without_a_token_is_none(authorization: Any) -> None:
    assert parse({**SIGN, "fhirAuthorization": authorization}).fhir.access_token is None


@pytest.mark.parametrize("server", [None, 5, "", [], {}])
def test_a_fhir_server_that_is_no_text_is_none(server: Any) -> None:
    assert parse({**SIGN, "fhirServer": server}).fhir.server is None


def test_unknown_members_and_a_prefetch_of_null_are_no_error() -> None:
    assert parse({**SIGN, "prefetch": None, "later": {"x": 1}, "context": {**SIGN["context"], "encounterId": 5}}).prefetch == {}


# Version and configuration


@pytest.mark.requirement("dev-3")
@pytest.mark.parametrize(
    ("requested", "version"),
    [(None, "2.0"), ("2.0", "2.0"), ("2.0.1", "2.0"), ("2.2", "2.2"), ("2.2.0", "2.2"), ("2.2.17", "2.2")],
)
def test_the_version_asked_for_is_answered_whatever_its_patch(requested: Any, version: str) -> None:
    assert parse({**SIGN, "extension": {"davinci-crd.requestedVersion": requested}}).version == version


@pytest.mark.parametrize(
    "requested",
    ["2.1", "2", "3.0", "1.0", "", "2.2.", "v2.2", " 2.2", "2.2.1.1", "2.2-ballot", "２.２", 2.2, 2, True, ["2.2"], {}],
)
def test_a_version_that_is_not_served_is_a_broken_constraint(requested: Any) -> None:
    error = refused({**SIGN, "extension": {"davinci-crd.requestedVersion": requested}}, kind=ConstraintBroken)
    assert (error.status, error.place) == (422, "extension.davinci-crd.requestedVersion")
    assert "2.0, 2.2" in error.cure


@pytest.mark.requirement("dev-6", "dev-14")
@pytest.mark.parametrize(
    ("configuration", "coverage_info", "guideline"),
    [
        ({}, True, True),
        ({"coverage-info": False}, False, True),
        ({"guideline": False}, True, False),
        ({"coverage-info": True, "guideline": True}, True, True),
        ({"coverage-info": False, "guideline": False, "cost": True, "max-cards": 5}, False, False),
        ({"coverage-info": "false", "guideline": 0}, True, True),
        ({"coverage-info": None, "guideline": []}, True, True),
        ({"alt-drug": True}, True, True),
        ("off", True, True),
        ([False], True, True),
        (None, True, True),
    ],
)
def test_known_options_are_obeyed_and_nonsense_is_survived(configuration: Any, coverage_info: bool, guideline: bool) -> None:
    found = parse({**SIGN, "extension": {"davinci-crd.configuration": configuration}}).configuration
    assert (found.coverage_info, found.guideline) == (coverage_info, guideline)


@pytest.mark.parametrize("extension", [None, [], "x", 5, {"": 1}])
def test_an_extension_of_any_kind_is_survived(extension: Any) -> None:
    assert parse({**SIGN, "extension": extension}).version == "2.0"


# order-select


@pytest.mark.requirement("hook-34")
@pytest.mark.parametrize(
    ("selections", "ids"),
    [
        (("ServiceRequest/order-1",), ["order-1"]),
        (("ServiceRequest/order-2", "ServiceRequest/order-1"), ["order-1", "order-2"]),
        (("https://ehr.example.org/fhir/ServiceRequest/order-2",), ["order-2"]),
        (("order-2",), ["order-2"]),
        (("MedicationRequest/order-1",), []),
        (("ServiceRequest/order-3",), []),
        (("ServiceRequest",), []),
        ((), []),
    ],
)
def test_only_selected_orders_are_read(selections: tuple[str, ...], ids: list[str]) -> None:
    found = parse(select_body(order(), order(id="order-2"), selections=selections), "order-select-crd")
    assert [each.id for each in found.orders] == ids


def test_an_order_without_an_id_is_selected_by_its_full_url() -> None:
    body = with_value(
        select_body(selections=("urn:uuid:1",)),
        ["context", "draftOrders", "entry"],
        [{"fullUrl": "urn:uuid:1", "resource": order(id=None)}, {"resource": order(id=None)}],
    )
    assert len(parse(body, "order-select-crd").orders) == 1


@pytest.mark.parametrize("selections", [None, "ServiceRequest/order-1", {}, [5], [None]])
def test_selections_of_the_wrong_kind_are_refused(selections: Any) -> None:
    assert refused(select_body(order(), selections=selections), "order-select-crd").place.startswith("context.selections")


def test_missing_selections_are_refused_on_order_select_only() -> None:
    assert refused(sign_body(order()), "order-select-crd").place == "context.selections"
    assert len(parse(select_body(order(), selections=()), "order-sign-crd").orders) == 1


# order-dispatch


@pytest.mark.requirement("hook-30")
@pytest.mark.parametrize(
    "context",
    [
        {"dispatchedOrders": ["ServiceRequest/s1"]},
        {"dispatched-orders": ["ServiceRequest/s1"]},
        {"order": "ServiceRequest/s1", "task": {"resourceType": "Task"}},
        {"dispatchedOrders": ["https://ehr.example.org/fhir/ServiceRequest/s1", "ServiceRequest/s1", "MedicationRequest/m1"]},
        {"dispatchedOrders": ["ServiceRequest/s1"], "order": "ServiceRequest/s2"},
    ],
)
def test_every_spelling_of_the_dispatched_orders_is_read(context: Any) -> None:
    found = parse(dispatch_body(**context), "order-dispatch-crd")
    assert (found.order_references, found.orders) == ((("ServiceRequest", "s1"),), ())


@pytest.mark.parametrize(
    ("context", "place"),
    [
        ({}, "context.dispatchedOrders"),
        ({"dispatchedOrders": []}, "context.dispatchedOrders"),
        ({"dispatchedOrders": None, "order": None}, "context.dispatchedOrders"),
        ({"dispatchedOrders": "ServiceRequest/s1"}, "context.dispatchedOrders"),
        ({"dispatchedOrders": [5]}, "context.dispatchedOrders[0]"),
        ({"order": {"reference": "ServiceRequest/s1"}}, "context.order"),
        ({"dispatchedOrders": ["ServiceRequest/s1"], "patientId": ""}, "context.patientId"),
    ],
)
def test_dispatched_orders_missing_or_mistyped_are_refused(context: Any, place: str) -> None:
    assert refused(dispatch_body(**context), "order-dispatch-crd").place == place


def test_order_dispatch_needs_no_user() -> None:
    assert parse(dispatch_body(dispatchedOrders=["ServiceRequest/s1"]), "order-dispatch-crd").patient_id == "pat-1"


def test_dispatched_orders_of_other_kinds_are_no_error() -> None:
    assert parse(dispatch_body(dispatchedOrders=["DeviceRequest/d1", "", "#x"]), "order-dispatch-crd").order_references == ()


def test_a_dispatched_order_given_by_its_bare_id_is_taken_for_a_service_request() -> None:
    found = parse(dispatch_body(dispatchedOrders=["s1"]), "order-dispatch-crd").order_references
    assert found == (("ServiceRequest", "s1"),)


def test_more_dispatched_orders_than_are_read_are_refused() -> None:
    many = [f"ServiceRequest/{index}" for index in range(MAX_ORDERS + 1)]
    assert len(parse(dispatch_body(dispatchedOrders=many[1:]), "order-dispatch-crd").order_references) == MAX_ORDERS
    assert refused(dispatch_body(dispatchedOrders=many), "order-dispatch-crd", TooLarge).status == 413


# appointment-book


def test_an_appointments_orders_are_those_it_is_based_on() -> None:
    first = appointment("ServiceRequest/s1", "https://x.example/fhir/ServiceRequest/s2", "Task/t1")
    found = parse(
        book_body({"resourceType": "Patient"}, first, appointment("ServiceRequest/s2", id="a2")), "appointment-book-crd"
    )
    assert found.order_references == (("ServiceRequest", "s1"), ("ServiceRequest", "s2"))
    booked = [[each.id for each in found.appointments[reference]] for reference in found.order_references]
    assert booked == [["a1"], ["a1", "a2"]]


@pytest.mark.parametrize(
    "based_on", [None, [], "ServiceRequest/s1", [None], ["ServiceRequest/s1"], [{}], [{"reference": 5}], {"reference": "x"}]
)
def test_an_appointment_based_on_nothing_readable_has_no_orders(based_on: Any) -> None:
    found = parse(book_body({"resourceType": "Appointment", "id": "a1", "basedOn": based_on}), "appointment-book-crd")
    assert found.order_references == ()


@pytest.mark.parametrize("missing", ["userId", "patientId", "appointments"])
def test_appointment_book_needs_its_context(missing: str) -> None:
    assert refused(without(book_body(), ["context", missing]), "appointment-book-crd").place == f"context.{missing}"


def test_more_appointments_than_are_read_are_refused() -> None:
    many = [appointment(id=str(index)) for index in range(MAX_ORDERS + 1)]
    assert parse(book_body(*many[1:]), "appointment-book-crd").orders == ()
    assert refused(book_body(*many), "appointment-book-crd", TooLarge).place == "context.appointments"


# Anything at all

KEYS = ["hook", "hookInstance", "context", "prefetch", "extension", "fhirServer", "fhirAuthorization", "patientId", "userId"]
KEYS += [
    "draftOrders",
    "selections",
    "dispatchedOrders",
    "order",
    "appointments",
    "entry",
    "resource",
    "resourceType",
    "basedOn",
    "id",
]
VALUES = st.none() | st.booleans() | st.integers() | st.sampled_from([0.5, -1.1, 1e21, 1e-7]) | st.text(max_size=8)
VALUES |= st.sampled_from(["order-sign", "order-dispatch", "Bundle", "ServiceRequest", "Appointment", "ServiceRequest/1", "2.2"])
JSON = st.recursive(
    VALUES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=6), max_leaves=25
)


@given(JSON, st.sampled_from(sorted(HOOKS)))
@settings(max_examples=120, deadline=None)
def test_any_json_is_read_or_refused_with_a_call_error(body: Any, service_id: str) -> None:
    check(json.dumps(body).encode(), service_id)


@given(
    st.fixed_dictionaries({"hook": st.sampled_from(["order-sign"]), "hookInstance": st.just("1"), "context": JSON}),
    st.sampled_from(sorted(HOOKS)),
)
@settings(max_examples=80, deadline=None)
def test_any_context_is_read_or_refused_with_a_call_error(body: Any, service_id: str) -> None:
    check(json.dumps(body).encode(), service_id)


@given(st.binary(max_size=60), st.integers(0, 400))
@settings(max_examples=100, deadline=None)
def test_any_bytes_within_a_body_are_read_or_refused_with_a_call_error(noise: bytes, at: int) -> None:
    body = json.dumps(SIGN).encode()
    check(body[:at] + noise + body[at:], "order-sign-crd")


def check(body: bytes, service_id: str) -> None:
    """Only a CallError may come of it; anything else fails the test."""
    with suppress(CallError):
        assert parse_hook_request(body, HOOKS[service_id]).patient_id

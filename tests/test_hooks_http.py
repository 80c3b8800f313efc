"""Each hook as it is called: where its orders come from, which of them are looked at, and on what the answer is written."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.conformance import bodies
from tests.conformance.bodies import (
    Json,
    appointment,
    appointment_book,
    coverage,
    knee,
    order,
    order_dispatch,
    order_select,
    order_sign,
    searchset,
    unlisted,
)
from tests.conformance.harness import SERVICE_IDS, Service, child, children

VERSIONS = pytest.mark.parametrize("version", ["2.0", "2.2"])


@pytest.fixture(scope="module")
def service() -> Service:
    """The service with the settings it comes with."""
    return Service()


# order-select


@VERSIONS
@pytest.mark.requirement("hook-34", "hook-39", "resp-27", "ops-1")
def test_order_select_answers_for_the_selected_orders_only(service: Service, version: str) -> None:
    request = order_select(order(), order(id="mrn-2"), selections=["ServiceRequest/mrn-2"], version=version)
    answer = service.call(request)
    assert [each["id"] for each in answer.resources] == ["mrn-2"]
    assert len(answer.cards) == 1


@VERSIONS
@pytest.mark.requirement("hook-34")
def test_order_select_without_a_selection_of_ours_is_silent(service: Service, version: str) -> None:
    for selections in ([], ["ServiceRequest/knee-1"], ["MedicationRequest/mrn-1"]):
        assert service.call(order_select(order(), knee(), selections=selections, version=version)).raw == b'{"cards":[]}'


@VERSIONS
@pytest.mark.requirement("hook-19")
def test_order_select_asks_nobody_to_name_the_procedure_but_writes_what_is_known(service: Service, version: str) -> None:
    answer = service.call(order_select(unlisted(), version=version))
    assert answer.cards == []
    assert child(answer.assertions[0], "covered") == "conditional"


# order-dispatch

SPELLINGS: list[Json] = [
    {"dispatchedOrders": ["ServiceRequest/mrn-1"]},
    {"dispatched-orders": ["ServiceRequest/mrn-1"]},
    {"order": "ServiceRequest/mrn-1"},
    {"order": "ServiceRequest/mrn-1", "task": {"resourceType": "Task", "status": "draft", "intent": "order"}},
    {"dispatchedOrders": ["ServiceRequest/mrn-1"], "fulfillmentTasks": [{"resourceType": "Task"}]},
    {"dispatchedOrders": ["ServiceRequest/mrn-1"], "fulfillment-tasks": "nonsense", "task": 17},
    {"dispatchedOrders": ["https://ehr.example.org/fhir/ServiceRequest/mrn-1"]},
    {"dispatchedOrders": ["ServiceRequest/mrn-1/_history/3", "ServiceRequest/mrn-1"]},
]


@VERSIONS
@pytest.mark.parametrize("context", SPELLINGS, ids=range(len(SPELLINGS)))
@pytest.mark.requirement("hook-33", "hook-23", "found-33", "resp-26")
def test_order_dispatch_finds_the_prefetched_order_however_its_context_is_spelt(
    service: Service, version: str, context: Json
) -> None:
    answer = service.call(order_dispatch(context, order(), version=version))
    (resource,) = answer.resources
    assert {name: value for name, value in resource.items() if name != "extension"} == order()
    assert len(answer.cards) == 1


@VERSIONS
@pytest.mark.requirement("hook-30")
def test_order_dispatch_looks_at_the_dispatched_orders_only(service: Service, version: str) -> None:
    request = order_dispatch({"dispatchedOrders": ["ServiceRequest/knee-1"]}, order(), knee(), version=version)
    assert service.call(request).raw == b'{"cards":[]}'


@VERSIONS
@pytest.mark.requirement("resp-29", "resp-33")
def test_order_dispatch_answers_for_every_dispatched_order(service: Service, version: str) -> None:
    context = {"dispatchedOrders": ["ServiceRequest/mrn-1", "MedicationRequest/m", "ServiceRequest/unlisted-1"]}
    answer = service.call(order_dispatch(context, order(), unlisted(), version=version))
    assert [each["id"] for each in answer.resources] == ["mrn-1", "unlisted-1"]
    assert len({child(each, "coverage-assertion-id") for each in answer.assertions}) == 1
    assert len(answer.cards) == 2


@pytest.mark.parametrize("key", ["serviceRequests", "serviceRequestBundle", "x"])
def test_a_dispatched_order_is_taken_from_whatever_key_it_came_under(service: Service, key: str) -> None:
    prefetch = {"coverage": searchset(coverage()), key: order()}
    assert len(service.call(order_dispatch({"order": "ServiceRequest/mrn-1"}, prefetch=prefetch)).actions) == 1


# appointment-book


@pytest.mark.requirement("hook-26", "resp-26")
def test_appointment_book_answers_on_the_order_in_2_2(service: Service) -> None:
    answer = service.call(appointment_book(appointment(), orders=(order(),), version="2.2"))
    assert [each["resourceType"] for each in answer.resources] == ["ServiceRequest"]


@pytest.mark.requirement("hook-26", "resp-37")
def test_appointment_book_answers_on_the_appointment_in_2_0(service: Service) -> None:
    answer = service.call(appointment_book(appointment(), orders=(order(),)))
    (resource,) = answer.resources
    assert {name: value for name, value in resource.items() if name != "extension"} == appointment()
    assert answer.cards[0]["extension"]["davinci-crd.associated-resource"] == ["ServiceRequest/mrn-1"]


PERIOD = [{"start": "2023-11-05", "end": "2023-11-07"}]


@VERSIONS
@pytest.mark.parametrize(
    ("elements", "said", "told"),
    [
        ({"start": "2023-10-31T23:30:00-05:00"}, "10/31/2023", "start of the appointment"),
        ({"start": "2023-11-01T00:30:00-05:00"}, "11/1/2023", "start of the appointment"),
        ({"start": None, "requestedPeriod": PERIOD}, "11/5/2023 to 11/7/2023", "period requested for the appointment"),
        ({"start": None, "requestedPeriod": None}, "11/1/2023", "occurrenceDateTime of the order"),
    ],
)
@pytest.mark.requirement("hook-26")
def test_the_appointment_says_when_before_the_order_does(
    service: Service, version: str, elements: Json, said: str, told: str
) -> None:
    answer = service.call(appointment_book(appointment(**elements), orders=(order(),), version=version))
    assert f"Date of service {said}, from the {told}." in answer.cards[0]["detail"]
    assert ("Chapter 16" in answer.cards[0]["summary"]) is (said != "10/31/2023")


@VERSIONS
@pytest.mark.requirement("hook-22", "conf-12")
def test_an_appointment_that_is_based_on_no_order_is_passed_over(service: Service, version: str) -> None:
    for based_on in (None, [], [{"display": "MR neurography"}], [{"reference": "CarePlan/1"}]):
        answer = service.call(appointment_book(appointment(basedOn=based_on), orders=(order(),), version=version))
        assert answer.raw == b'{"cards":[]}'


@VERSIONS
def test_each_appointment_of_a_bundle_is_answered(service: Service, version: str) -> None:
    second = appointment(id="apt-2", basedOn=[{"reference": "ServiceRequest/mrn-2"}], start="2023-11-02T09:00:00-05:00")
    request = appointment_book(appointment(), second, orders=(order(), order(id="mrn-2")), version=version)
    answer = service.call(request)
    assert [each["id"] for each in answer.resources] == (["apt-1", "apt-2"] if version == "2.0" else ["mrn-1", "mrn-2"])
    assert len(answer.cards) == 2


# every hook


def _every_hook(version: str | None = None) -> Iterator[Json]:
    yield order_sign(order(), version=version)
    yield order_select(order(), version=version)
    yield order_dispatch({"dispatchedOrders": ["ServiceRequest/mrn-1"]}, order(), version=version)
    yield appointment_book(appointment(), orders=(order(),), version=version)


@VERSIONS
@pytest.mark.requirement("found-33", "hook-23", "conf-2", "conf-7", "conf-8", "conf-9", "hook-22", "found-34", "billopt-2")
def test_unknown_members_everywhere_and_missing_optional_ones_hinder_nothing(service: Service, version: str) -> None:
    for body in _every_hook(version):
        expected = service.call(body)
        body["context"] |= {"encounterId": {"odd": True}, "unknown": [None]}
        body |= {"unknown": {"a": 1}, "fhirServer": 17, "fhirAuthorization": ["x"]}
        body["prefetch"] |= {"encounter": None, "devices": searchset(), "odd": {"resourceType": "OperationOutcome"}}
        for bundle in ("draftOrders", "appointments"):
            if bundle in body["context"]:
                body["context"][bundle].pop("type")
                for entry in body["context"][bundle]["entry"]:
                    entry.pop("fullUrl")
        answer = service.call(body)
        assert (len(answer.cards), len(answer.actions)) == (len(expected.cards), len(expected.actions)) == (1, 1)


@VERSIONS
@pytest.mark.requirement("billopt-2", "billopt-3")
def test_billing_options_on_the_code_are_read_where_they_are_sent(service: Service, version: str) -> None:
    url = "http://hl7.org/fhir/us/davinci-crd/StructureDefinition/ext-billing-options"
    concept = {"coding": [{"system": bodies.CPT, "code": "76498"}]}
    code = {
        "coding": [{"system": "http://example.org/local", "code": "NERVE1", "display": "Special nerve study"}],
        "extension": [{"url": url, "valueCodeableConcept": concept}],
    }
    answer = service.call(order_sign(order(code=code), version=version))
    assert answer.assertions
    assert [child(each, "covered") for each in answer.assertions] == ["conditional"]


_NAMED = [{"text": "MR neurography"}]
_TRIAL = [{"coding": [{"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": "Z00.6"}]}]
_ASKS = "Name the procedure. If MR neurography"
_OLD, _NEW, _BOTH = "investigational. Blue Advantage policy #177", "investigational. For services from 11/1/2023", "To 10/31/2023"
#: An order, a Coverage, and by what the answer shows that the element was read: words of the card, and what is asserted.
_READ: dict[str, tuple[Json, Json, str | None, str | None]] = {
    "no code": (order(code=None), coverage(), None, None),
    "code": (unlisted(), coverage(), _ASKS, "conditional"),
    "category": (unlisted(category=_NAMED), coverage(), _NEW, "not-covered"),
    "reasonCode, its text": (unlisted(reasonCode=_NAMED), coverage(), _NEW, "not-covered"),
    "reasonCode, its code": (order(reasonCode=_TRIAL), coverage(), "The order shows a clinical trial", "not-covered"),
    "doNotPerform": (order(doNotPerform=True), coverage(), None, None),
    "occurrenceDateTime before": (order(**bodies.BEFORE), coverage(), _OLD, "not-covered"),
    "occurrenceDateTime after": (order(**bodies.AFTER), coverage(), _NEW, "not-covered"),
    "occurrencePeriod": (order(**bodies.ACROSS), coverage(), _BOTH, "not-covered"),
    "occurrenceTiming": (order(occurrenceTiming={"event": ["2023-10-31"]}), coverage(), _OLD, "not-covered"),
    "class": (order(), bodies.another_product(), None, None),
    "payor": (order(), bodies.another_payers(), None, None),
    "status": (order(), coverage(status="cancelled"), "If this patient is a Blue Advantage member", None),
    "period that ended": (order(), coverage(period={"end": "2023-10-31"}), "If this patient is a Blue Advantage member", None),
    "period that holds": (order(), coverage(period={"end": "2023-11-01"}), _NEW, "not-covered"),
}


@pytest.mark.parametrize(("asked", "insured", "said", "covered"), _READ.values(), ids=_READ)
@pytest.mark.requirement("conf-4")
def test_each_element_of_order_and_coverage_that_helps_is_read(
    service: Service, asked: Json, insured: Json, said: str | None, covered: str | None
) -> None:
    answer = service.call(order_sign(asked | {"authoredOn": "2024-02-01"}, prefetch={"coverage": searchset(insured)}))
    assert [child(each, "covered") for each in answer.assertions] == ([covered] if covered else [])
    if said is None:
        assert answer.cards == []
    else:
        (card,) = answer.cards
        assert said in card["summary"] + card["detail"]


@VERSIONS
@pytest.mark.requirement("found-24")
def test_what_was_prefetched_is_used_under_whichever_keys_it_came(service: Service, version: str) -> None:
    context = {"dispatchedOrders": ["ServiceRequest/mrn-1"]}
    usual = {"coverage": searchset(coverage()), "serviceRequests": searchset(order())}
    others: list[Json] = [
        {"item1": usual["coverage"], "item2": usual["serviceRequests"]},
        {"coverageBundle": bodies.collection(coverage()), "serviceRequestBundle": bodies.collection(order())},
        {"all": bodies.collection(coverage(), order())},
        {"a": coverage(), "b": order()},
    ]
    expected = service.call(order_dispatch(context, prefetch=usual, version=version))
    assert (len(expected.cards), child(expected.assertions[0], "covered")) == (1, "not-covered")
    for prefetch in others:
        answer = service.call(order_dispatch(context, prefetch=prefetch, version=version))
        assert [card["summary"] for card in answer.cards] == [card["summary"] for card in expected.cards]
        assert [child(each, "coverage") for each in answer.assertions] == [child(expected.assertions[0], "coverage")]


_REPLACEMENTS: tuple[Any, ...] = (None, [], {}, "", "x", 0, -1.5, True, [[]], [None], [{}], {"x": []}, {"coding": 5}, "2.2")
_DEEP = "[" * 400 + "]" * 400


def _mutated(value: Any) -> Iterator[tuple[list[Any], Any]]:
    """Every path within ``value``."""
    if isinstance(value, dict):
        for name, member in value.items():
            yield [name], member
            for path, inner in _mutated(member):
                yield [name, *path], inner
    elif isinstance(value, list):
        for index, element in enumerate(value):
            yield [index], element
            for path, inner in _mutated(element):
                yield [index, *path], inner


@pytest.mark.slow
@VERSIONS
@pytest.mark.parametrize("hook", range(4))
@pytest.mark.requirement("hook-9", "hook-10", "hook-13")
def test_no_part_of_a_request_of_the_wrong_kind_breaks_the_service(service: Service, version: str, hook: int) -> None:
    """Every node of a request in turn becomes every odd value; the answer is an answer or an OperationOutcome, never a 500."""
    request = list(_every_hook(version))[hook]
    answered = copy.deepcopy(service.call(request).resources[0])
    if hook == 0:
        request["context"]["draftOrders"]["entry"][0]["resource"] = answered
    for path, _ in list(_mutated(request)):
        for replacement in _REPLACEMENTS:
            changed = copy.deepcopy(request)
            parent: Any = changed
            for step in path[:-1]:
                parent = parent[step]
            parent[path[-1]] = replacement
            answer = service.call(changed, SERVICE_IDS[request["hook"]])
            assert answer.status in (200, 400, 412, 422), (path, replacement, answer.raw)
            if answer.status == 200:
                assert set(answer.json) <= {"cards", "systemActions"}
            else:
                assert answer.json["resourceType"] == "OperationOutcome"


@pytest.mark.parametrize("version", ["2.0", "2.2"])
def test_nesting_without_end_is_refused_wherever_it_stands(service: Service, version: str) -> None:
    for place in ('"reasonCode"', '"extension"', '"code"'):
        text = json.dumps(order_sign(order(), version=version))
        deep = text.replace('"requester"', f'{place}: {_DEEP}, "requester"', 1)
        assert service.post(deep.encode()).status in (200, 400)


@pytest.mark.requirement("found-33")
def test_a_prefetch_that_nobody_needs_is_not_even_looked_at(service: Service) -> None:
    assert service.call(order_sign(knee(), prefetch={"coverage": "nonsense"}, version="2.2")).raw == b'{"cards":[]}'


@pytest.mark.requirement("found-13")
def test_orders_that_say_the_same_share_one_card(service: Service) -> None:
    answer = service.call(order_sign(order(), order(id="mrn-2"), order(id="mrn-3", **bodies.BEFORE)))
    assert len(answer.actions) == 3
    assert len(answer.cards) == 2


def test_the_reason_differs_where_the_dates_do(service: Service) -> None:
    answer = service.call(order_sign(order(), order(id="mrn-3", **bodies.BEFORE)))
    reasons = [children(each, "reason")[0]["text"] for each in answer.assertions]
    assert "11/1/2023" in reasons[0]
    assert "for services to 10/31/2023" in reasons[1]

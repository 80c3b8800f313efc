"""What is fetched from a call's FHIR server, when, with which token, and what becomes of the answer when that goes wrong."""

from __future__ import annotations

import inspect
import logging
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from cds_service.fhir_client import FhirClient
from tests.conformance import bodies
from tests.conformance.bodies import (
    PATIENT,
    Json,
    appointment,
    appointment_book,
    by_reference,
    coverage,
    knee,
    order,
    order_dispatch,
    order_select,
    order_sign,
    payer_organization,
    searchset,
)
from tests.conformance.fhir_server import TOKEN, FhirServer
from tests.conformance.harness import Service, child, children

pytestmark = pytest.mark.slow  # waits for slow FHIR servers

SEARCH = f"/fhir/Coverage?patient={PATIENT}&status=active"
PAYOR = "/fhir/Organization/payer-1"
ORDER = "/fhir/ServiceRequest/mrn-1"
OUTCOME: Json = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "exception"}]}

VERSIONS = pytest.mark.parametrize("version", ["2.0", "2.2"])


@pytest.fixture
def fhir() -> Iterator[FhirServer]:
    """The FHIR server that the service may call."""
    with FhirServer() as server:
        yield server


@pytest.fixture
def elsewhere() -> Iterator[FhirServer]:
    """A FHIR server that the service may not call."""
    with FhirServer() as server:
        yield server


@pytest.fixture
def service(fhir: FhirServer) -> Service:
    """The service, allowed to call ``fhir``, for a second in all."""
    return Service(fhir_servers=fhir.origin, fetch_budget=1.0)


def untold(**elements: Any) -> Json:
    """A Coverage that only its payor Organization could tell to be ours."""
    return by_reference(**{"class": None} | elements)


# what is fetched, and what is not


@VERSIONS
@pytest.mark.requirement("found-5", "found-28", "cds-hooks-2.0/fhir-access")
def test_a_missing_coverage_is_searched_for_with_the_token_of_the_call(service: Service, fhir: FhirServer, version: str) -> None:
    fhir.answers[SEARCH] = (200, searchset(coverage()))
    answer = service.call(order_sign(order(), prefetch=None, version=version, **fhir.access))
    assert child(answer.assertions[0], "coverage") == {"reference": "Coverage/cov-1"}
    assert fhir.asked == [(SEARCH, f"Bearer {TOKEN}", "application/fhir+json")]


@VERSIONS
@pytest.mark.requirement("found-28")
def test_nothing_is_fetched_unless_an_order_is_recognised(service: Service, fhir: FhirServer, version: str) -> None:
    for request in (order_sign(knee(), prefetch=None), order_select(order(), selections=[], prefetch=None)):
        assert service.call(request | fhir.access).raw == b'{"cards":[]}'
    assert fhir.asked == []


@VERSIONS
@pytest.mark.requirement("found-28")
def test_nothing_is_fetched_that_was_sent(service: Service, fhir: FhirServer, version: str) -> None:
    prefetches: list[Json] = [
        {"coverage": searchset(coverage())},
        {"coverage": searchset(untold(), payer_organization())},
        {"coverage": None},
        {"coverage": searchset()},
        {"coverageBundle": searchset(coverage())},
    ]
    for prefetch in prefetches:
        service.call(order_sign(order(), prefetch=prefetch, version=version, **fhir.access))
    service.call(order_dispatch({"order": "ServiceRequest/mrn-1"}, order(), version=version, **fhir.access))
    assert fhir.asked == []


@VERSIONS
def test_a_coverage_under_a_clients_own_key_that_is_empty_is_searched_for_after_all(
    service: Service, fhir: FhirServer, version: str
) -> None:
    fhir.answers[SEARCH] = (200, searchset(coverage()))
    answer = service.call(order_sign(order(), prefetch={"coverageBundle": searchset()}, version=version, **fhir.access))
    assert len(answer.actions) == 1


@VERSIONS
@pytest.mark.requirement("found-5")
def test_a_payor_told_by_reference_only_is_read_once(service: Service, fhir: FhirServer, version: str) -> None:
    told = by_reference(payor=[{"reference": "https://elsewhere.example.org/fhir/Organization/payer-1"}])
    fhir.answers[PAYOR] = (200, payer_organization())
    request = order_sign(order(), order(id="mrn-2"), prefetch={"coverage": searchset(told)}, version=version)
    assert len(service.call(request | fhir.access).actions) == 2
    assert fhir.paths == [PAYOR]


@VERSIONS
def test_several_orders_need_one_search(service: Service, fhir: FhirServer, version: str) -> None:
    fhir.answers[SEARCH] = (200, searchset())
    service.call(order_sign(order(), order(id="mrn-2", **bodies.BEFORE), prefetch=None, version=version, **fhir.access))
    assert fhir.paths == [SEARCH]


@VERSIONS
@pytest.mark.requirement("found-5", "hook-33")
def test_dispatched_orders_that_were_not_sent_are_read_each_and_come_back_whole(
    service: Service, fhir: FhirServer, version: str
) -> None:
    raw = b'{"resourceType": "ServiceRequest", "id": "mrn-2", "status": "active", "intent": "order", '
    raw += b'"quantityQuantity": {"value": 1.10}, '
    raw += b'"code": {"text": "MR neurography"}, "subject": {"reference": "Patient/pat-al-001"}, "authoredOn": "2024-01-02", '
    raw += b'"requester": {"reference": "Practitioner/p1"}}'
    fhir.answers = {ORDER: (200, order()), "/fhir/ServiceRequest/mrn-2": (200, raw)}
    context = {"dispatchedOrders": ["ServiceRequest/mrn-1", "ServiceRequest/mrn-2"]}
    request = order_dispatch(context, prefetch={"coverage": searchset(coverage())}, version=version, **fhir.access)
    answer = service.call(request)
    assert [each["id"] for each in answer.resources] == ["mrn-1", "mrn-2"]
    assert b'"quantityQuantity":{"value": 1.10}' in answer.raw
    assert len({child(each, "coverage-assertion-id") for each in answer.assertions}) == 1


@VERSIONS
@pytest.mark.requirement("found-5", "hook-26")
def test_the_order_of_an_appointment_is_read(service: Service, fhir: FhirServer, version: str) -> None:
    fhir.answers[ORDER] = (200, order())
    request = appointment_book(appointment(), prefetch={"coverage": searchset(coverage())}, version=version, **fhir.access)
    assert len(service.call(request).actions) == 1
    assert fhir.paths == [ORDER]


@VERSIONS
def test_of_several_dispatched_orders_those_that_can_be_read_are_answered(
    service: Service, fhir: FhirServer, version: str
) -> None:
    fhir.answers[ORDER] = (200, order())
    context = {"dispatchedOrders": ["ServiceRequest/gone", "ServiceRequest/mrn-1"]}
    request = order_dispatch(context, prefetch={"coverage": searchset(coverage())}, version=version, **fhir.access)
    assert [each["id"] for each in service.call(request).resources] == ["mrn-1"]


@VERSIONS
@pytest.mark.parametrize("found", [order(id="mrn-9"), OUTCOME, {"resourceType": "Patient", "id": "mrn-1"}, b"no JSON", b"[]"])
def test_an_order_is_not_taken_for_another(service: Service, fhir: FhirServer, version: str, found: Any) -> None:
    fhir.answers[ORDER] = (200, found)
    request = order_dispatch({"order": "ServiceRequest/mrn-1"}, prefetch=None, version=version, **fhir.access)
    assert service.call(request).status == 412


# pages


@VERSIONS
@pytest.mark.parametrize("link", ["Coverage?page=2", "absolute"])
@pytest.mark.requirement("cds-hooks-2.0/paginated-prefetch")
def test_further_pages_of_coverages_are_read_until_the_members_is_found(
    service: Service, fhir: FhirServer, version: str, link: str
) -> None:
    second = f"{fhir.base}/Coverage?page=2" if link == "absolute" else link
    lapsed = coverage(id="old", period={"end": "2020-01-01"})
    third = [{"relation": "self", "url": "x"}, {"relation": "next", "url": "Coverage?page=3"}]
    fhir.answers = {
        "/fhir/Coverage?page=2": (200, searchset(lapsed, link=third)),
        "/fhir/Coverage?page=3": (200, searchset(coverage(), link=[{"relation": "next", "url": "Coverage?page=4"}])),
    }
    prefetch = {"coverage": searchset(coverage(id="older", status="cancelled"), link=[{"relation": "next", "url": second}])}
    answer = service.call(order_sign(order(), prefetch=prefetch, version=version, **fhir.access))
    assert child(answer.assertions[0], "coverage") == {"reference": "Coverage/cov-1"}
    assert fhir.paths == ["/fhir/Coverage?page=2", "/fhir/Coverage?page=3"]


@VERSIONS
def test_pages_without_end_are_given_up(service: Service, fhir: FhirServer, version: str) -> None:
    again = [{"relation": "next", "url": "Coverage?page=again"}]
    fhir.answers["/fhir/Coverage"] = (200, searchset(link=again))
    answer = service.call(order_sign(order(), prefetch={"coverage": searchset(link=again)}, version=version, **fhir.access))
    assert answer.status == (400 if version == "2.2" else 200)
    assert len(fhir.asked) <= 12


@VERSIONS
def test_pages_of_something_else_are_left_alone(service: Service, fhir: FhirServer, version: str) -> None:
    prefetch = {
        "coverage": searchset(untold()),
        "serviceRequests": searchset(order(), link=[{"relation": "next", "url": f"{fhir.base}/ServiceRequest?page=2"}]),
    }
    service.call(order_dispatch({"order": "ServiceRequest/mrn-1"}, prefetch=prefetch, version=version, **fhir.access))
    assert fhir.paths == [PAYOR]


@VERSIONS
def test_a_page_elsewhere_is_never_followed(service: Service, fhir: FhirServer, elsewhere: FhirServer, version: str) -> None:
    elsewhere.answers["/fhir/Coverage"] = (200, searchset(coverage()))
    prefetch = {"coverage": searchset(link=[{"relation": "next", "url": f"{elsewhere.base}/Coverage?page=2"}])}
    service.call(order_sign(order(), prefetch=prefetch, version=version, **fhir.access))
    assert elsewhere.asked == fhir.asked == []


# where the token goes


@pytest.mark.requirement("sec-1", "cds-hooks-2.0/fhir-access")
def test_a_server_that_the_operator_did_not_allow_gets_nothing(service: Service, elsewhere: FhirServer, fhir: FhirServer) -> None:
    for server in (
        elsewhere.base,
        f"http://user@127.0.0.1:{fhir.origin.rpartition(':')[2]}/fhir",
        fhir.base.replace("127.0.0.1", "localhost"),
    ):
        request = order_sign(order(), prefetch=None, version="2.2") | elsewhere.access | {"fhirServer": server}
        assert service.call(request).status == 412
    assert elsewhere.asked == fhir.asked == []


@pytest.mark.requirement("sec-1")
def test_by_default_no_server_gets_anything(fhir: FhirServer) -> None:
    assert Service().call(order_sign(order(), prefetch=None, version="2.2", **fhir.access)).status == 412
    assert fhir.asked == []


@VERSIONS
@pytest.mark.parametrize(
    "authorization", [None, {}, {"access_token": ""}, {"access_token": "  "}, {"access_token": 17}, "token", []]
)
@pytest.mark.requirement("conf-12")
def test_without_a_token_nothing_is_fetched(service: Service, fhir: FhirServer, version: str, authorization: Any) -> None:
    request = order_sign(order(), prefetch=None, version=version, fhirServer=fhir.base)
    if authorization is not None:
        request["fhirAuthorization"] = authorization
    assert service.call(request).status == (412 if version == "2.2" else 200)
    assert fhir.asked == []


@VERSIONS
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.requirement("sec-1")
def test_a_redirect_is_not_followed(service: Service, fhir: FhirServer, elsewhere: FhirServer, version: str, status: int) -> None:
    elsewhere.answers["/fhir/Coverage"] = (200, searchset(coverage()))
    fhir.answers["/fhir/Coverage"] = (status, b"", {"Location": f"{elsewhere.base}/Coverage"})
    answer = service.call(order_sign(order(), prefetch=None, version=version, **fhir.access))
    assert answer.status == (412 if version == "2.2" else 200)
    assert elsewhere.asked == []
    assert len(fhir.asked) == 1


def test_a_slash_at_the_end_of_the_fhir_address_does_no_harm(service: Service, fhir: FhirServer) -> None:
    fhir.answers[SEARCH] = (200, searchset(coverage()))
    request = order_sign(order(), prefetch=None, **fhir.access) | {"fhirServer": f"{fhir.base}/"}
    assert len(service.call(request).actions) == 1


@VERSIONS
@pytest.mark.requirement("sec-6", "cds-hooks-2.0/fhir-access")
def test_the_token_is_in_no_answer_and_in_no_log(
    service: Service, fhir: FhirServer, version: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    answers: list[Any] = [(200, searchset(coverage())), (500, OUTCOME), (200, b"x"), (302, b"", {"Location": f"/{TOKEN}"})]
    for found in answers:
        fhir.answers["/fhir/Coverage"] = found
        assert TOKEN.encode() not in service.call(order_sign(order(), prefetch=None, version=version, **fhir.access)).raw
    written = "".join(capfd.readouterr()) + caplog.text
    assert TOKEN not in written
    assert PATIENT not in written


# when it goes wrong


@VERSIONS
@pytest.mark.parametrize(
    "found",
    [(500, OUTCOME), (503, b""), (429, OUTCOME), (200, b"<html>"), (200, b'{"resourceType": 17}'), (200, OUTCOME), (204, b"")],
    ids=["500", "503", "429", "no JSON", "no resource", "OperationOutcome", "204"],
)
@pytest.mark.requirement("cds-hooks-2.0/precondition", "found-34", "impl-2")
def test_a_failing_search_leaves_the_clinician_with_what_can_be_said(
    service: Service, fhir: FhirServer, version: str, found: Any
) -> None:
    fhir.answers["/fhir/Coverage"] = found
    answer = service.call(order_sign(order(), prefetch=None, version=version, **fhir.access))
    if version == "2.2":
        assert answer.status == 412
    else:
        assert (len(answer.cards), answer.actions) == (1, [])


@pytest.mark.requirement("resp-43")
@pytest.mark.parametrize("found", [(500, OUTCOME), (200, b"x"), (200, b"[]")], ids=["500", "no JSON", "no object"])
def test_a_payor_that_cannot_be_read_is_a_technical_failure_in_2_2(service: Service, fhir: FhirServer, found: Any) -> None:
    fhir.answers[PAYOR] = found
    request = order_sign(order(), prefetch={"coverage": searchset(untold())}, version="2.2", **fhir.access)
    answer = service.call(request)
    (extension,) = answer.assertions
    assert child(extension, "covered") == "indeterminate"
    (reason,) = children(extension, "reason")
    assert [coding["code"] for coding in reason["coding"]] == ["technical"]
    assert "technical failure" in reason["text"]
    assert answer.cards[0]["detail"].startswith("**If this patient is")


@VERSIONS
def test_a_payor_that_is_not_there_is_not_a_technical_failure(service: Service, fhir: FhirServer, version: str) -> None:
    request = order_sign(order(), prefetch={"coverage": searchset(untold())}, version=version, **fhir.access)
    answer = service.call(request)
    assert fhir.paths == [PAYOR]
    assert answer.status == (400 if version == "2.2" else 200)


@VERSIONS
@pytest.mark.requirement("found-2")
def test_all_fetches_of_a_call_share_one_budget(fhir: FhirServer, version: str) -> None:
    fhir.held = {"/fhir/Coverage"}
    slow = Service(fhir_servers=fhir.origin, fetch_budget=0.3)
    start = time.monotonic()
    answer = slow.call(order_sign(order(), prefetch=None, version=version, **fhir.access))
    assert time.monotonic() - start < 2
    assert answer.status == (412 if version == "2.2" else 200)


def test_a_body_beyond_the_cap_is_not_read_to_its_end(service: Service, fhir: FhirServer) -> None:
    fhir.answers["/fhir/Coverage"] = (200, searchset(coverage(), note="x" * 3_000_000))
    assert service.call(order_sign(order(), prefetch=None, version="2.2", **fhir.access)).status == 412


@pytest.mark.requirement("found-2")
def test_a_slow_fhir_server_does_not_hold_up_calls_that_fetch_nothing(fhir: FhirServer) -> None:
    """As many calls as may fetch at once hang on the server; one that has its coverage with it is answered meanwhile."""
    fhir.held = {"/fhir/Coverage"}
    slow = Service(fhir_servers=fhir.origin, fetch_budget=3)
    waiting = order_sign(order(), prefetch=None, **fhir.access)
    at_once: int = inspect.signature(FhirClient).parameters["max_concurrent"].default // 2  # on one server
    threads = [threading.Thread(target=slow.call, args=(waiting,)) for _ in range(at_once)]
    for thread in threads:
        thread.start()
    give_up = time.monotonic() + 4
    while len(fhir.asked) < at_once and time.monotonic() < give_up:
        time.sleep(0.01)
    assert len(fhir.asked) == at_once
    start = time.monotonic()
    assert len(slow.call(order_sign(order())).actions) == 1
    # one fetch more waits a quarter of the budget behind the others, then what can be said without it is said
    further = slow.call(waiting)
    assert (len(further.cards), further.actions) == (1, [])
    assert time.monotonic() - start < 1
    fhir.release.set()
    for thread in threads:
        thread.join(10)

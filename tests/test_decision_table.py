"""Every row of ``docs/decision-table.md``, read from that file and asked of the service."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conformance import bodies
from tests.conformance.bodies import Json, coverage, knee, order, order_dispatch, order_sign, searchset, unlisted
from tests.conformance.fhir_server import FhirServer
from tests.conformance.harness import Answer, Service, child, children

TABLE = Path(__file__).parents[1] / "docs" / "decision-table.md"
_ROW = re.compile(r"^\| ([A-Z]\d+) \| .+ \| (.+?) \| (.+?) \|$", re.MULTILINE)
EXPECTED = {row: {"2.2": new, "2.0": old, None: old} for row, new, old in _ROW.findall(TABLE.read_text())}

Build = Callable[..., Json | bytes]


def signed(*orders: Json, **members: Any) -> Build:
    """An order-sign request in the version asked for."""
    return lambda version: order_sign(*(orders or (order(),)), version=version, **members)


def covered_by(*coverages: Json, **entries: Any) -> Build:
    """An order-sign request with these Coverages under ``coverage``."""
    return signed(prefetch={"coverage": searchset(*coverages)} | entries)


def prefetched(**prefetch: Any) -> Build:
    """An order-sign request with this prefetch."""
    return signed(prefetch=prefetch)


def changed(**members: Any) -> Build:
    """An order-sign request with members replaced; None leaves one out."""

    def build(version: str | None) -> Json:
        body = order_sign(order(), version=version) | members
        return {name: value for name, value in body.items() if value is not None}

    return build


def with_context(**members: Any) -> Build:
    """An order-sign request with members of its context replaced; None leaves one out."""

    def build(version: str | None) -> Json:
        body = order_sign(order(), version=version)
        context = {name: value for name, value in (body["context"] | members).items() if value is not None}
        return body | {"context": context}

    return build


def as_text(body: str) -> Build:
    """A body as it is written, whatever the version."""
    return lambda version: body.encode()


def bearing_our_answer(**edit: Any) -> Build:
    """An order that bears our answer, then edited."""
    return lambda version: order_sign(service().call(order_sign(order(), version=version)).resources[0] | edit, version=version)


def dispatched(context: Json, *orders: Json, **members: Any) -> Build:
    """An order-dispatch request."""
    return lambda version: order_dispatch(context, *orders, version=version, **members)


def booked(*appointments: Json, **members: Any) -> Build:
    """An appointment-book request."""
    return lambda version: bodies.appointment_book(*appointments, version=version, **members)


OURS_BY_REFERENCE = {"payor": [{"reference": "Organization/payer-1"}]}
ONLY_COVERAGE = {"coverage": searchset(coverage())}
CONTAINED = [{"resourceType": "Organization", "id": "p", "name": "BlueCross BlueShield of Alabama"}]

CASES: dict[str, list[Build]] = {
    "C1": [covered_by(coverage())],
    "C2": [signed(unlisted())],
    "C3": [prefetched(), signed(prefetch=None), prefetched(patient=None)],
    "C4": [prefetched(coverage=None)],
    "C5": [covered_by(), prefetched(coverage={"resourceType": "Bundle", "type": "searchset", "entry": []})],
    "C6": [prefetched(coverage={"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "exception"}]})],
    "C7": [prefetched(coverage=each) for each in ("Coverage/cov-1", 17, [coverage()], {"resourceType": "Bundle", "entry": 5})],
    "C8": [prefetched(coverage=coverage())],
    "C9": [prefetched(coverageBundle=searchset(coverage())), prefetched(x=coverage(), y=None, z="odd")],
    "C10": [prefetched(coverageBundle=searchset())],
    "C11": [covered_by(coverage(), coverage(id="cov-2"))],
    "C12": [covered_by(bodies.another_payers(), coverage())],
    "C13": [covered_by(coverage(id="old", period={"end": "2020-12-31"}), coverage())],
    "C14": [covered_by(bodies.another_payers())],
    "C15": [covered_by(bodies.another_product())],
    "C16": [covered_by(coverage(**{"class": None}))],
    "C17": [covered_by(coverage(**OURS_BY_REFERENCE, **{"class": None})), covered_by(bodies.by_reference(**{"class": None}))],
    "C18": [covered_by(coverage(payor=[{"display": "Blue Advantage (BCBSAL)"}], **{"class": None}))],
    "C19": [
        covered_by(
            bodies.by_reference(
                **{"class": [{"type": {"coding": [{"code": "plan"}]}, "value": "1", "name": "BCBSAL Blue Advantage"}]}
            )
        )
    ],
    "C20": [covered_by(coverage(payor=[{"identifier": {"system": "urn:x", "value": "BCBSAL"}}]))],
    "C21": [covered_by(coverage(contained=CONTAINED, payor=[{"reference": "#p"}]))],
    "C22": [
        covered_by(bodies.by_reference(), organizations=searchset(bodies.payer_organization())),
        covered_by(bodies.by_reference(), bodies.payer_organization()),
    ],
    "C23": [covered_by(coverage(period={"start": "2019-01-01", "end": "2023-10-30"}))],
    "C24": [covered_by(coverage(period={"start": "2023-11-02"}))],
    "C25": [covered_by(coverage(status="cancelled"))],
    "C26": [covered_by(bodies.another_payers(period={"end": "2020-12-31"}))],
    "C27": [covered_by(coverage(beneficiary={"reference": "Patient/somebody-else"}))],
    "C28": [covered_by(coverage(relationship="self")), covered_by(coverage(dependent=7))],
    "C29": [covered_by(coverage(id=None))],
    "F1": [prefetched()],
    "F2": [prefetched()],
    "F3": [prefetched()],
    "F4": [prefetched()],
    "F5": [prefetched()],
    "F6": [covered_by(bodies.by_reference())],
    "F7": [covered_by(bodies.by_reference(**{"class": None}))],
    "F8": [covered_by(bodies.by_reference(**{"class": None}))],
    "F9": [covered_by(bodies.by_reference(**{"class": None}))],
    "F10": [prefetched(coverage=searchset(link=[{"relation": "next", "url": "Coverage?page=2"}]))],
    "F11": [prefetched(coverage=searchset(link=[{"relation": "next", "url": "Coverage?page=2"}]))],
    "O1": [signed(order(id=None))],
    "O2": [signed(order(requester=None)), signed(order(authoredOn=None))],
    "O3": [signed(order(reasonCode="pain")), signed(order(status="drafted")), signed(order(subject="Patient/p"))],
    "O4": [signed(order(extension={"url": "x"}))],
    "O5": [signed(knee()), signed(knee(), prefetch=None), signed(knee(requester=17), prefetch={"coverage": None})],
    "O6": [signed(knee()), signed({"resourceType": "DeviceRequest", "id": "d", "intent": "order"})],
    "O7": [signed(knee(), prefetch={"coverage": searchset(bodies.another_payers())}), signed(knee(), prefetch=None)],
    "O8": [signed(order(subject={"reference": "Patient/somebody-else"}))],
    "O9": [bearing_our_answer()],
    "O10": [bearing_our_answer(code=knee()["code"])],
    "O11": [signed(order(occurrenceDateTime=None))],
    "O12": [signed(order(doNotPerform=True))],
    "O13": [lambda version: bodies.order_select(unlisted(), version=version)],
    "R1": [as_text(each) for each in ("", "{", "[]", "null", '"x"', "{} {}", '{"hook": "order-sign"')],
    "R2": [
        changed(hook=None),
        changed(hookInstance=None),
        changed(context=None),
        changed(context=[]),
        changed(hook=17),
        changed(prefetch=[]),
        with_context(patientId=None),
        with_context(patientId=""),
        with_context(userId=None),
    ],
    "R3": [changed(hook="patient-view")],
    "R4": [with_context(draftOrders=None)],
    "R5": [with_context(draftOrders=each) for each in ({}, [], order(), {"resourceType": "Bundle", "entry": {}})],
    "R6": [lambda version: changed(hook="order-select")(version)],
    "R7": [changed(hook="order-select")],
    "R8": [signed(*(knee(id=str(index)) for index in range(1001)))],
    "R9": [lambda version: _configured(version, {"coverage-info": False})],
    "R10": [lambda version: _configured(version, {"guideline": False})],
    "D1": [
        dispatched({"dispatchedOrders": ["ServiceRequest/mrn-1"]}, prefetch=ONLY_COVERAGE),
        dispatched({"order": "ServiceRequest/mrn-1"}, prefetch=None),
    ],
    "D2": [
        dispatched({"dispatchedOrders": ["ServiceRequest/mrn-1"]}, knee()),
        dispatched({"order": "ServiceRequest/mrn-1"}, prefetch=ONLY_COVERAGE | {"serviceRequests": None}),
    ],
    "D3": [dispatched({"dispatchedOrders": []}), dispatched({}), dispatched({"dispatchedOrders": "ServiceRequest/mrn-1"})],
    "D4": [dispatched({"dispatchedOrders": ["MedicationRequest/1"]}), dispatched({"order": "DeviceRequest/1"}, prefetch=None)],
    "D5": [booked(bodies.appointment(), prefetch=ONLY_COVERAGE)],
    "D6": [booked(bodies.appointment(basedOn=None)), booked(bodies.appointment(basedOn=[{"display": "x"}]), prefetch=None)],
}


def _configured(version: str | None, options: Json) -> Json:
    return order_sign(order(), version=version, extension={"davinci-crd.configuration": options})


_PAYOR = "/fhir/Organization/payer-1"
#: What the FHIR server answers, by row: path -> status and body.
ON_THE_SERVER: dict[str, dict[str, tuple[int, Json]]] = {
    "F1": {"/fhir/Coverage": (200, searchset(coverage()))},
    "F2": {"/fhir/Coverage": (200, searchset())},
    "F3": {"/fhir/Coverage": (500, {"resourceType": "OperationOutcome"})},
    "F4": {"/fhir/Coverage": (403, {"resourceType": "OperationOutcome"})},
    "F5": {"/fhir/Coverage": (200, {"resourceType": "OperationOutcome"})},
    "F6": {_PAYOR: (200, bodies.payer_organization())},
    "F7": {_PAYOR: (200, bodies.payer_organization(name="Humana"))},
    "F8": {_PAYOR: (404, {"resourceType": "OperationOutcome"})},
    "F9": {_PAYOR: (503, {"resourceType": "OperationOutcome"})},
    "F10": {"/fhir/Coverage": (200, searchset(coverage()))},
    "F11": {"/fhir/Coverage": (500, {"resourceType": "OperationOutcome"})},
}
SETTINGS: dict[str, tuple[tuple[str, Any], ...]] = dict.fromkeys(("O6", "O7"), (("unmatched", "conditional"),))
SERVICE_IDS = {"R6": "order-select-crd", "R7": "order-sign-crd"}


@functools.cache
def service(*settings: tuple[str, Any]) -> Service:
    """The service with ``settings``, made once."""
    return Service(**dict(settings))


@pytest.fixture(scope="module")
def fhir_server() -> Iterator[FhirServer]:
    """A FHIR server that the service may call."""
    with FhirServer() as server:
        yield server


def outcome_of(answer: Answer) -> str:
    """An answer in the words of the table."""
    if answer.status != 200:
        assert answer.json["resourceType"] == "OperationOutcome"
        assert answer.json["issue"][0]["diagnostics"]
        return str(answer.status)
    said = ["card"] if answer.cards else []
    for extension in answer.assertions:
        codes = [coding["code"] for reason in children(extension, "reason") for coding in reason.get("coding", ())]
        told = f" ({codes[0]})" if codes and codes[0] in ("no-active-coverage", "technical") else ""
        said.append(f"{child(extension, 'covered')}{told}")
    return f"200 {', '.join(said) or 'nothing'}"


@pytest.mark.parametrize("version", ["2.2", "2.0", None])
@pytest.mark.parametrize("row", EXPECTED)
@pytest.mark.requirement(
    "hook-13", "hook-9", "hook-10", "found-32", "resp-43", "resp-45", "conf-12", "cds-hooks-2.0/precondition"
)
def test_the_service_answers_as_the_row_says(row: str, version: str | None, fhir_server: FhirServer) -> None:
    asked = service(*SETTINGS.get(row, ()))
    if row in ON_THE_SERVER:
        asked = service(("fhir_servers", fhir_server.origin))
        fhir_server.answers = ON_THE_SERVER[row]
    for build in CASES[row]:
        body = build(version)
        if row in ON_THE_SERVER:
            assert isinstance(body, dict)
            body |= fhir_server.access
        service_id = SERVICE_IDS.get(row)
        if isinstance(body, bytes):
            answer = asked.post(body)
        elif service_id is None and body.get("hook") not in ("order-select", "order-dispatch", "appointment-book"):
            answer = asked.post(json.dumps(body).encode())
        else:
            answer = asked.call(body, service_id)
        assert outcome_of(answer) == EXPECTED[row][version], (row, body)


def test_every_row_is_tested_and_every_test_has_its_row() -> None:
    assert sorted(EXPECTED) == sorted(CASES)


@pytest.mark.requirement("dev-2", "hook-13")
def test_a_version_that_is_not_served_is_422() -> None:
    assert service().call(order_sign(order(), version="3.0")).status == 422


@pytest.mark.requirement("hook-13")
def test_an_unknown_service_is_404_and_another_media_type_415() -> None:
    assert service().post(b"{}", "nothing-crd").status == 404
    assert service().post(b"{}", "order-sign-crd", Content_Type="text/plain").status == 415

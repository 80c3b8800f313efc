"""Whatever Bundles a client or a FHIR server sends, a call is answered or refused with a CallError, and explained."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from contextlib import suppress
from datetime import date
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cds_service.crd.cards import render_response
from cds_service.crd.determination import Decision, decide
from cds_service.crd.errors import CallError
from cds_service.crd.explanation import explain
from cds_service.crd.hooks import HOOKS
from cds_service.crd.needs import Fetched, Need, run
from cds_service.crd.order_reading import Circumstances
from cds_service.crd.policy import Policy
from cds_service.crd.system_actions import Presentation

from .builders import CHICAGO, CPT, OURS, bundle, coverage, member_coverage, order, parse, plan, sign_body

TODAY = date(2024, 6, 15)
EXTENSION = "http://hl7.org/fhir/us/davinci-crd/StructureDefinition/ext-coverage-information"

TEXTS = st.text(max_size=8) | st.sampled_from(
    [
        "MR neurography",
        "76498",
        CPT,
        "Blue Advantage",
        OURS,
        "Patient/pat-1",
        "draft",
        "active",
        "2023-11-01",
        "2023",
        "Z00.6",
        "order",
        "76498-Q1",
        "ResearchStudy/1",
        EXTENSION,
        "coverage",
        "coverage-assertion-id",
        "BCBSAL-CRD-1",
        "Organization/1",
        "Coverage/cov-1",
    ]
)
SCALARS = st.none() | st.booleans() | st.integers() | st.sampled_from([0.5, -1.1, 1e21, 1e-7]) | TEXTS
KEYS = st.sampled_from(
    [
        "code",
        "coding",
        "system",
        "display",
        "text",
        "div",
        "note",
        "reasonCode",
        "bodySite",
        "category",
        "extension",
        "url",
        "valueString",
        "valueCodeableConcept",
        "valueReference",
        "reference",
        "identifier",
        "value",
        "period",
        "start",
        "end",
        "event",
        "repeat",
        "type",
    ]
)
JSON = st.recursive(SCALARS, lambda x: st.lists(x, max_size=3) | st.dictionaries(KEYS, x, max_size=4), max_leaves=8)

ORDER_ELEMENTS = [
    "id",
    "status",
    "intent",
    "doNotPerform",
    "code",
    "subject",
    "occurrenceDateTime",
    "occurrencePeriod",
    "occurrenceTiming",
]
ORDER_ELEMENTS += [
    "authoredOn",
    "requester",
    "note",
    "reasonCode",
    "orderDetail",
    "bodySite",
    "category",
    "text",
    "extension",
    "contained",
]
COVERAGE_ELEMENTS = ["id", "status", "beneficiary", "payor", "class", "type", "period", "contained", "extension"]
APPOINTMENT_ELEMENTS = ["id", "status", "start", "requestedPeriod", "participant", "extension"]

ORDERS = st.dictionaries(st.sampled_from(ORDER_ELEMENTS), JSON, max_size=4).map(lambda spoilt: {**order(), **spoilt})
COVERAGES = st.dictionaries(st.sampled_from(COVERAGE_ELEMENTS), JSON, max_size=3).flatmap(
    lambda spoilt: st.sampled_from(
        [member_coverage(), coverage(), coverage(payor=[{"display": OURS}], **{"class": [plan("Blue Adv")]})]
    ).map(lambda good: {**good, **spoilt})
)
APPOINTMENTS = st.dictionaries(st.sampled_from(APPOINTMENT_ELEMENTS), JSON, max_size=3).map(
    lambda spoilt: {"resourceType": "Appointment", "id": "a1", "basedOn": [{"reference": "ServiceRequest/order-1"}], **spoilt}
)
OTHERS = st.fixed_dictionaries(
    {"resourceType": st.sampled_from(["Organization", "Patient", "OperationOutcome", "MedicationRequest", "NutritionOrder", ""])}
)
#: Mostly resources, and now and then anything at all.
RESOURCES = st.one_of(COVERAGES, ORDERS, COVERAGES, OTHERS, ORDERS, JSON)
BUNDLES = st.one_of(
    COVERAGES.map(bundle),
    st.tuples(ORDERS, COVERAGES).map(lambda both: bundle(*both)),
    st.lists(RESOURCES, max_size=3).map(lambda resources: bundle(*resources)),
    RESOURCES,
)


def draft_body(hook: str, drafts: Any, appointments: Any) -> dict[str, Any]:
    context: dict[str, Any] = {"userId": "Practitioner/1", "patientId": "pat-1", "draftOrders": drafts}
    if hook == "order-select":
        context["selections"] = ["ServiceRequest/order-1"]
    if hook == "order-dispatch":
        context = {"patientId": "pat-1", "dispatchedOrders": ["ServiceRequest/order-1", "ServiceRequest/order-2"]}
    if hook == "appointment-book":
        context = {"userId": "Practitioner/1", "patientId": "pat-1", "appointments": appointments}
    return {"hook": hook, "hookInstance": "1", "context": context}


def answer(
    body: Any, service_id: str, policy: Policy, fetched: Iterator[Any], unmatched: bool
) -> tuple[Decision, dict[str, Any]]:
    def fetch(_need: Need) -> Fetched:
        found = next(fetched)
        return Fetched(None, found) if isinstance(found, str) else Fetched(json.dumps(found).encode())

    given = Circumstances((policy,), TODAY, CHICAGO, unmatched)
    ids = itertools.count(1)
    how = Presentation("https://crd.example.org", TODAY, lambda: f"id-{next(ids)}", unmatched)
    decision = run(decide(parse(body, service_id), given), fetch)
    return decision, json.loads(render_response(decision, (policy,), how).body)


def empties(value: Any, place: str = "") -> Iterator[str]:
    """Every place with an empty array, an empty text or null, but ``cards`` and what is echoed."""
    if value in ([], "", None) and place != ".cards":
        yield place
    if isinstance(value, dict):
        for name, member in value.items():
            if name != "resource":
                yield from empties(member, f"{place}.{name}")
    elif isinstance(value, list):
        for each in value:
            yield from empties(each, f"{place}[]")


@given(
    st.sampled_from(sorted(HOOKS)),
    st.sampled_from([None, "2.2"]),
    st.lists(ORDERS, min_size=1, max_size=3) | st.lists(ORDERS | RESOURCES, min_size=1, max_size=3),
    st.lists(APPOINTMENTS, min_size=1, max_size=2),
    st.dictionaries(st.sampled_from(["coverage", "serviceRequests", "x"]), BUNDLES, max_size=3),
    st.lists(
        st.sampled_from(["absent", "timeout", "not-allowed"]) | BUNDLES.filter(lambda body: not isinstance(body, str)), max_size=3
    ),
    st.booleans(),
)
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_any_bundles_are_answered_or_refused_with_a_call_error(
    policy: Policy,
    service_id: str,
    version: str | None,
    drafts: Any,
    appointments: Any,
    prefetch: Any,
    fetched: Any,
    unmatched: bool,
) -> None:
    body = draft_body(HOOKS[service_id].name, bundle(*drafts), bundle(*appointments)) | {"prefetch": prefetch}
    if version:
        body["extension"] = {"davinci-crd.requestedVersion": version}
    with suppress(CallError):
        decision, response = answer(body, service_id, policy, itertools.chain(fetched, itertools.repeat("absent")), unmatched)
        assert all(isinstance(line, str) for line in explain(decision))
        assert all(len(card["summary"]) < 140 for card in response["cards"])
        assert list(empties(response)) == []
        written = [json.dumps(action["resource"], sort_keys=True) for action in response.get("systemActions", [])]
        assert all(action["description"] for action in response.get("systemActions", []))
        assert all(EXTENSION in resource for resource in written)


@pytest.mark.parametrize("depth", [50, 150, 250, 450, 2000])
@pytest.mark.parametrize(
    "element", ["extension", "code", "note", "contained", "occurrenceTiming", "reasonCode", "text", "orderDetail"]
)
@pytest.mark.parametrize("version", ["2.0", "2.2"])
def test_deep_nesting_in_an_order_is_answered_or_refused(policy: Policy, element: str, depth: int, version: str) -> None:
    body = sign_body(order(**{element: "@@"}), prefetch={"coverage": bundle(member_coverage())})
    body["extension"] = {"davinci-crd.requestedVersion": version}
    nested = '[{"extension":' * depth + "[]" + "}]" * depth
    raw = json.dumps(body).replace('"@@"', nested).encode()
    with suppress(CallError):
        decision, _ = answer(raw, "order-sign-crd", policy, itertools.repeat("absent"), False)
        assert list(explain(decision))


@pytest.mark.parametrize("depth", [50, 250, 450, 2000])
@pytest.mark.parametrize("element", ["contained", "payor", "class", "type", "period", "extension"])
def test_deep_nesting_in_a_coverage_is_answered_or_refused(policy: Policy, element: str, depth: int) -> None:
    body = sign_body(order(), prefetch={"coverage": bundle({**member_coverage(), element: "@@"})})
    nested = '[{"extension":' * depth + "[]" + "}]" * depth
    raw = json.dumps(body).replace('"@@"', nested).encode()
    with suppress(CallError):
        decision, _ = answer(raw, "order-sign-crd", policy, itertools.repeat("absent"), True)
        assert list(explain(decision))


@pytest.mark.parametrize("spoilt", ["\\ud800", "\\udfff x", "\\u0000", "\\u202e"])
@pytest.mark.parametrize("where", ["order", "coverage", "organization"])
def test_odd_characters_are_answered_or_refused(policy: Policy, where: str, spoilt: str) -> None:
    mark = {each: f"@{each}@" for each in ("order", "coverage", "organization")}
    organization = {"resourceType": "Organization", "id": "payor-1", "name": f"{OURS} {mark['organization']}"}
    body = sign_body(
        order(note=[{"text": mark["order"]}]),
        prefetch={"coverage": bundle(coverage(type={"text": f"Blue Advantage {mark['coverage']}"}), organization)},
    )
    raw = json.dumps(body).replace(mark[where], spoilt).encode()
    with suppress(CallError):
        _, response = answer(raw, "order-sign-crd", policy, itertools.repeat("absent"), False)
        assert len(response["cards"]) == 1

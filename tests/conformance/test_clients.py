"""The bodies that two real clients send, as they were captured: the CDS Hooks Sandbox and the CRD Request Generator.

Both are used unmodified. Neither names a CRD version, so 2.0 and its leniency are what they get.
"""

from __future__ import annotations

import copy
from typing import Any

import pytest

from .bodies import CPT, Json
from .harness import Answer, Service, child

PATIENT = "pat-al-001"
UNLISTED = "Unlisted magnetic resonance procedure (eg, diagnostic, interventional)"


def coverage(**elements: Any) -> Json:
    """The patient's Coverage on the clients' FHIR server; the payor is told by reference and display."""
    body: Json = {
        "resourceType": "Coverage",
        "id": "cov-al-001",
        "status": "active",
        "beneficiary": {"reference": f"Patient/{PATIENT}"},
        "payor": [{"reference": "Organization/org-bcbsal", "display": "Blue Advantage (BlueCross BlueShield of Alabama)"}],
    }
    return body | elements


# the CDS Hooks Sandbox


def sandbox_order(code: str = "76498", display: str = UNLISTED, **elements: Any) -> Json:
    """The order that the imaging view makes: no date, requester, category or encounter; the text is the code's display."""
    body: Json = {
        "resourceType": "ServiceRequest",
        "id": "example-request-id",
        "status": "draft",
        "intent": "plan",
        "code": {"coding": [{"code": code, "display": display, "system": CPT}], "text": display},
        "subject": {"reference": f"Patient/{PATIENT}"},
        "reasonCode": [
            {
                "coding": [{"code": "25064002", "display": "Headache (finding)", "system": "http://snomed.info/sct"}],
                "text": "Headache (finding)",
            }
        ],
    }
    return body | elements


def sandbox(hook: str, *orders: Json, prefetch: Json | None = None, **members: Any) -> Json:
    """A call of the Sandbox: no Bundle type, no fullUrl, selections for order-sign too."""
    body: Json = {
        "hookInstance": "5c11b0c0-1c1b-4a8f-8d2f-5a6c3a1c6f57",
        "hook": hook,
        "fhirServer": "http://127.0.0.1:8180/fhir",
        "context": {
            "patientId": PATIENT,
            "userId": "Practitioner/COREPRACTITIONER1",
            "selections": [f"{each['resourceType']}/{each['id']}" for each in orders],
            "draftOrders": {"resourceType": "Bundle", "entry": [{"resource": each} for each in orders]},
        },
    }
    if prefetch is not None:
        body["prefetch"] = prefetch
    return body | members


def found(*resources: Json) -> Json:
    """A searchset as a real server answers it: without ``entry`` when it found nothing."""
    bundle: Json = {"resourceType": "Bundle", "id": "b", "type": "searchset", "link": [{"relation": "self", "url": "http://x"}]}
    if resources:
        bundle["entry"] = [{"fullUrl": "http://127.0.0.1:8180/fhir/x", "resource": each} for each in resources]
    return bundle


def kinds(answer: Answer) -> list[str]:
    """Which cards there are: ``certain`` ones have links."""
    return ["certain" if "links" in card else "possible" for card in answer.cards]


@pytest.mark.requirement("conf-12", "found-34", "hook-22", "conf-8")
def test_the_sandbox_gets_a_card_and_the_order_back_with_coverage_information(service: Service) -> None:
    order = sandbox_order()
    answer = service.call(sandbox("order-sign", order, prefetch={"coverage": found(coverage())}))
    assert kinds(answer) == ["possible"]
    (resource,) = answer.resources
    assert {name: value for name, value in resource.items() if name != "extension"} == order
    assert child(answer.assertions[0], "coverage") == {"reference": "Coverage/cov-al-001"}


def test_the_sandbox_without_prefetch_gets_a_card_that_asks_for_membership(service: Service) -> None:
    for prefetch in (None, {}, {"patient": {"resourceType": "Patient", "id": PATIENT}}, {"coverage": found()}):
        answer = service.call(sandbox("order-sign", sandbox_order(), prefetch=prefetch))
        assert kinds(answer) == ["possible"]
        assert answer.cards[0]["detail"].startswith("**If this patient is a Blue Advantage member:**")
        assert answer.actions == []


def test_the_sandbox_asks_again_while_choosing_and_is_not_nagged(service: Service) -> None:
    answer = service.call(sandbox("order-select", sandbox_order(), prefetch={"coverage": found(coverage())}))
    assert answer.cards == []
    assert len(answer.actions) == 1


@pytest.mark.parametrize(
    ("code", "display"),
    [
        ("73721", "MRI any joint of lower extremity without contrast"),
        ("72148", "MRI lumbar spine without contrast"),
        ("76497", "Unlisted computed tomography procedure (eg, diagnostic, interventional)"),
    ],
)
def test_other_studies_of_the_sandbox_are_passed_over(service: Service, code: str, display: str) -> None:
    assert service.call(sandbox("order-sign", sandbox_order(code, display))).raw == b'{"cards":[]}'


EMPTY_STUDY: Json = sandbox_order(code="", display="") | {"code": {"coding": [{}]}, "reasonCode": []}
NO_MEDICATION: Json = {
    "resourceType": "MedicationRequest",
    "id": "request-123",
    "status": "draft",
    "subject": {"reference": f"Patient/{PATIENT}"},
}
MEDICATION: Json = NO_MEDICATION | {
    "intent": "order",
    "category": {
        "coding": [{"system": "http://terminology.hl7.org/CodeSystem/medicationrequest-category", "code": "outpatient"}]
    },
    "medicationCodeableConcept": {
        "coding": [{"system": "http://www.nlm.nih.gov/research/umls/rxnorm", "code": "1049502", "display": "oxycodone"}],
        "text": "oxycodone",
    },
}


@pytest.mark.parametrize("hook", ["order-sign", "order-select"])
@pytest.mark.parametrize("order", [EMPTY_STUDY, NO_MEDICATION, MEDICATION], ids=["no study", "no medication", "medication"])
@pytest.mark.requirement("conf-12", "found-33", "cds-hooks-2.0/response")
def test_calls_with_nothing_of_ours_in_them_are_answered_with_no_cards(service: Service, hook: str, order: Json) -> None:
    assert service.call(sandbox(hook, order, prefetch={"coverage": found(coverage())})).raw == b'{"cards":[]}'
    # quirk 19: the Generator adds a member that is not FHIR's
    resolved = order | {"_resolvedMedication": {"resourceType": "Medication"}}
    assert service.call(sandbox(hook, resolved)).raw == b'{"cards":[]}'


@pytest.mark.requirement("hook-13")
def test_a_call_without_draft_orders_is_told_what_is_missing(service: Service) -> None:
    """Quirk 11: pressing the open Rx tab again. CDS Hooks requires them; the Sandbox shows no card either way."""
    body = sandbox("order-select")
    body["context"] = {"patientId": PATIENT, "userId": "Practitioner/COREPRACTITIONER1"}
    assert service.call(body).status == 400


def test_a_hook_that_contradicts_the_address_is_answered_by_the_address(service: Service) -> None:
    """Quirk 13: the order-select service is called with ``hook: order-sign``."""
    body = sandbox("order-sign", sandbox_order(), prefetch={"coverage": found(coverage())})
    answer = service.call(body, "order-select-crd")
    assert answer.cards == []
    assert len(answer.actions) == 1


def test_the_first_call_of_a_smart_launch_may_be_about_another_patient(service: Service) -> None:
    """Quirk 17: the default patient's id in the context, the order already another's."""
    body = sandbox("order-sign", sandbox_order())
    body["context"]["patientId"] = "smart-1288992"
    assert service.call(body).raw == b'{"cards":[]}'


@pytest.mark.parametrize("literal", [{"serviceRequestBundle": found()}, {"serviceRequests": found()}])
def test_a_search_sent_with_its_literal_braces_found_nothing_and_the_order_counts_all_the_same(
    service: Service, literal: Json
) -> None:
    """Quirk 21: ``ServiceRequest?_id={{...}}`` comes back as an empty Bundle; the order is in the context."""
    answer = service.call(sandbox("order-sign", sandbox_order(), prefetch=literal | {"coverage": found(coverage())}))
    assert len(answer.actions) == 1


@pytest.mark.requirement("cds-hooks-2.0/cors")
def test_a_discovery_address_with_a_slash_at_its_end_works(service: Service) -> None:
    """Quirk 2: the Sandbox then posts to ``/cds-services//order-sign-crd``; a redirect would break the preflight."""
    assert service.get("/cds-services/").status == 200
    body = sandbox("order-sign", sandbox_order())
    answer = service.client.post("/cds-services//order-sign-crd", json=body)
    assert answer.status_code == 200
    preflight = service.client.options("/cds-services//order-sign-crd", headers={"Origin": "http://localhost:8080"})
    assert preflight.status_code == 200


# the CRD Request Generator


def generated(order: Json, *others: Json, **members: Any) -> Json:
    """A call of the Generator: constants for user, encounter and instance; its own prefetch keys; an empty token."""
    entry = {
        "fullUrl": f"http://127.0.0.1:8180/fhir/ServiceRequest/{order['id']}",
        "resource": order,
        "search": {"mode": "match"},
    }
    patient = {"fullUrl": "http://x", "resource": {"resourceType": "Patient", "id": PATIENT}, "search": {"mode": "include"}}
    performers: list[Json] = [
        {"resourceType": "Organization", "id": "org-imaging", "name": "Imaging Center of Alabama"},
        {"resourceType": "PractitionerRole", "id": "role-1"},
        {"resourceType": "Practitioner", "id": "pra-1"},
    ]
    body: Json = {
        "hookInstance": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea",
        "fhirServer": "http://127.0.0.1:8180/fhir",
        "hook": "order-sign",
        "fhirAuthorization": {
            "access_token": "",
            "token_type": "Bearer",
            "expires_in": 300,
            "scope": "patient/Patient.read patient/Observation.read",
            "subject": "cds-service4",
        },
        "context": {
            "userId": "Practitioner/example",
            "patientId": PATIENT,
            "encounterId": "enc89284",
            "draftOrders": {"resourceType": "Bundle", "entry": [{"resource": order}]},
        },
        "extension": {"davinci-crd.configuration": {"alt-drug": True}},
        "prefetch": {
            "serviceRequestBundle": {
                "resourceType": "Bundle",
                "type": "collection",
                "entry": [entry, patient, *({"fullUrl": "http://x", "resource": each} for each in performers)],
            },
            "coverageBundle": {
                "resourceType": "Bundle",
                "type": "collection",
                "entry": [{"fullUrl": "http://x", "resource": each, "search": {"mode": "match"}} for each in others],
            },
        },
    }
    return body | members


def stored(**elements: Any) -> Json:
    """An order as it is stored on the Generator's FHIR server."""
    body: Json = {
        "resourceType": "ServiceRequest",
        "id": "mrn-order-1",
        "meta": {"versionId": "1", "lastUpdated": "2026-01-05T00:00:00.000+00:00"},
        "status": "active",
        "intent": "order",
        "code": {"coding": [{"system": CPT, "code": "76498", "display": "MR neurography brachial plexus"}]},
        "subject": {"reference": f"Patient/{PATIENT}"},
        "authoredOn": "2026-01-05",
        "insurance": [{"reference": "Coverage/cov-al-001"}],
        "performer": [{"reference": "Organization/org-imaging"}],
    }
    return body | elements


@pytest.mark.requirement("found-33", "dev-17", "conf-12")
def test_the_generator_gets_a_card_and_the_order_back_with_coverage_information(service: Service) -> None:
    answer = service.call(generated(stored(), coverage()))
    assert kinds(answer) == ["certain"]
    (resource,) = answer.resources
    assert {name: value for name, value in resource.items() if name != "extension"} == stored()
    assert answer.cards[0]["source"]["topic"]["display"]


@pytest.mark.parametrize(
    "coding",
    [
        {"code": "76498", "system": "Unknown", "display": "Unknown"},
        {"code": "Unknown", "system": "Unknown", "display": "MR neurography"},
        {"code": "76498", "system": "https://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets", "display": "MR neurography"},
    ],
)
def test_what_the_generator_fills_in_for_missing_members_of_a_coding_does_no_harm(service: Service, coding: Json) -> None:
    """Quirk 16: the word Unknown for a missing system, display or code."""
    answer = service.call(generated(stored(code={"coding": [coding]}), coverage()))
    assert kinds(answer) in (["certain"], ["possible"])
    assert len(answer.actions) == 1


def test_the_generator_without_prefetch_or_with_empty_bundles_gets_the_card(service: Service) -> None:
    bare = generated(stored())
    bare.pop("prefetch")
    for body in (bare, generated(stored())):
        answer = service.call(body)
        assert kinds(answer) == ["certain"]
        assert answer.actions == []


def test_a_deidentified_coverage_is_told_by_what_is_left_of_it(service: Service) -> None:
    """Quirk 24: identifier, subscriberId and name are taken out; display and class remain."""
    bare = coverage()
    assert "identifier" not in bare
    assert len(service.call(generated(stored(), bare)).actions) == 1
    payor_only = coverage(payor=[{"reference": "Organization/org-bcbsal"}])
    answer = service.call(generated(stored(), payor_only))
    assert (kinds(answer), answer.actions) == (["certain"], [])


def test_the_generators_order_is_answered_whatever_its_status(service: Service) -> None:
    for status in ("draft", "active", "on-hold"):
        assert len(service.call(generated(stored(status=status), coverage())).actions) == 1


def test_a_constant_hook_instance_is_no_reason_to_answer_only_once(service: Service) -> None:
    """Quirk 15: neither ids nor the instance tell two calls apart."""
    body = generated(stored(), coverage())
    first, second = service.call(body), service.call(copy.deepcopy(body))
    assert (len(first.actions), len(second.actions)) == (1, 1)


@pytest.mark.requirement("cds-hooks-2.0/feedback")
@pytest.mark.parametrize(
    "item",
    [
        {"outcome": "overridden"},
        {"outcome": "overridden", "overrideReason": {"reason": {"code": "clinically-necessary", "system": "urn:x"}}},
        {"outcome": "accepted", "acceptedSuggestions": [{"id": "6a8f1d0e-8a54-4b31-9d2e-6c9c2f0a7b11"}]},
    ],
    ids=["overridden", "with a reason", "accepted"],
)
def test_the_sandboxs_feedback_is_taken(service: Service, item: Json) -> None:
    (card,) = service.call(sandbox("order-sign", sandbox_order())).cards
    report = {"card": card["uuid"], "outcomeTimestamp": "2026-11-22T15:00:00.000Z"} | item
    answer = service.client.post("/cds-services/order-sign-crd/feedback", json={"feedback": [report]})
    assert (answer.status_code, answer.data) == (200, b"{}")

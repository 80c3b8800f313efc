"""Which CRD version is answered, what differs by it, and which configuration options are obeyed."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conformance import bodies
from tests.conformance.bodies import order, order_sign, unlisted
from tests.conformance.harness import Answer, Service, child, children

TOPICS = {
    "2.0": "http://hl7.org/fhir/us/davinci-crd/CodeSystem/temp",
    "2.2": "http://terminology.hl7.org/CodeSystem/cdshooks-card-type",
}


@pytest.fixture(scope="module")
def service() -> Service:
    """The service with the settings it comes with."""
    return Service()


def version_of(answer: Answer) -> str:
    """The CRD version that an answer is in, told by its card's topic, its reference shape and its extension alike."""
    (card,), (extension,) = answer.cards, answer.assertions
    told = {next(version for version, system in TOPICS.items() if system == card["source"]["topic"]["system"])}
    told.add("2.0" if card["extension"]["davinci-crd.associated-resource"] == ["ServiceRequest/mrn-1"] else "2.2")
    told.add("2.2" if children(extension, "detail") else "2.0")
    (version,) = told
    return version


@pytest.mark.parametrize(
    ("requested", "answered"),
    [("2.0", "2.0"), ("2.0.1", "2.0"), ("2.0.99", "2.0"), ("2.2", "2.2"), ("2.2.0", "2.2"), ("2.2.1", "2.2")],
)
@pytest.mark.requirement("dev-2", "resp-5", "dev-25")
def test_the_requested_version_is_answered_whatever_its_patch(service: Service, requested: str, answered: str) -> None:
    assert version_of(service.call(order_sign(order(), version=requested))) == answered


@pytest.mark.parametrize(
    "extension",
    [
        {},
        {"davinci-crd.requestedVersion": None},
        None,
        [],
        "2.2",
        2.2,
        ["davinci-crd.requestedVersion"],
        {"requestedVersion": "2.2"},
    ],
)
@pytest.mark.requirement("dev-15", "found-33", "conf-12")
def test_a_request_that_names_no_version_is_answered_in_2_0(service: Service, extension: Any) -> None:
    body = order_sign(order())
    if extension is not None:
        body["extension"] = extension
    assert version_of(service.call(body)) == "2.0"


@pytest.mark.parametrize(
    "requested", ["2.1", "2", "1.0", "3.0", "", " 2.2", "2.2 ", "v2.2", "2.2.1.1", "٢.٢", 2.2, True, ["2.2"], {}]
)
@pytest.mark.requirement("dev-2")
def test_a_version_that_is_not_served_is_refused_with_those_that_are(service: Service, requested: Any) -> None:
    body = order_sign(order()) | {"extension": {"davinci-crd.requestedVersion": requested}}
    answer = service.call(body)
    assert answer.status == 422
    assert "2.0, 2.2" in answer.diagnostics
    assert answer.json["issue"][0]["expression"] == ["extension.davinci-crd.requestedVersion"]


@pytest.mark.requirement("resp-35")
def test_an_answer_in_one_version_is_replaced_when_the_other_is_asked_for(service: Service) -> None:
    earlier = service.call(order_sign(order(), version="2.0")).resources[0]
    later = service.call(order_sign(earlier, version="2.2"))
    assert version_of(later) == "2.2"


@pytest.mark.parametrize(
    ("options", "cards", "actions"),
    [
        ({}, 1, 1),
        ({"coverage-info": True, "guideline": True}, 1, 1),
        ({"guideline": False}, 0, 1),
        ({"coverage-info": False}, 0, 0),
        ({"coverage-info": False, "guideline": True}, 0, 0),
        ({"coverage-info": False, "guideline": False}, 0, 0),
    ],
)
@pytest.mark.parametrize("version", ["2.0", "2.2"])
@pytest.mark.requirement("dev-5", "dev-14", "resp-28")
def test_known_options_are_obeyed(service: Service, version: str, options: Any, cards: int, actions: int) -> None:
    answer = service.call(order_sign(order(), version=version, extension={"davinci-crd.configuration": options}))
    assert (len(answer.cards), len(answer.actions)) == (cards, actions)
    assert ("systemActions" in answer.json) is bool(actions)


@pytest.mark.parametrize(
    "options",
    [
        None,
        [],
        "coverage-info",
        17,
        {"max-cards": 0, "cost": False, "unsolicited-determ": False, "alt-drug": True, "": {}, "claim": None},
        {"coverage-info": "false", "guideline": 0},
        {"coverage-info": None, "guideline": []},
        {"coverage-info": {"value": False}},
        {"Coverage-Info": False},
        [{"code": "coverage-info", "value": False}],
    ],
)
@pytest.mark.parametrize("version", ["2.0", "2.2"])
@pytest.mark.requirement("dev-6", "dev-15", "dev-17", "found-33")
def test_unknown_and_nonsensical_options_are_survived(service: Service, version: str, options: Any) -> None:
    answer = service.call(order_sign(order(), version=version, extension={"davinci-crd.configuration": options}))
    assert (len(answer.cards), len(answer.actions)) == (1, 1)


def test_literal_q2_adds_no_auth_to_answers_in_2_0_that_are_certain_and_to_no_others() -> None:
    literal = Service(literal_q2=True)
    said = {
        version: [
            child(extension, "pa-needed")
            for extension in literal.call(order_sign(order(), unlisted(), version=version)).assertions
        ]
        for version in ("2.0", "2.2")
    }
    assert said == {"2.0": ["no-auth", "conditional"], "2.2": [None, None]}


@pytest.mark.requirement("resp-29")
@pytest.mark.parametrize("version", ["2.0", "2.2"])
def test_orders_that_no_policy_is_about_are_answered_only_where_that_is_set(version: str) -> None:
    request = order_sign(order(), bodies.knee(), version=version)
    silent, telling = Service(), Service(unmatched="conditional")
    assert [each["id"] for each in silent.call(request).resources] == ["mrn-1"]
    answer = telling.call(request)
    assert [each["id"] for each in answer.resources] == ["mrn-1", "knee-1"]
    assert [child(extension, "covered") for extension in answer.assertions] == ["not-covered", "conditional"]
    assert "evaluates only the policies it holds" in children(answer.assertions[1], "reason")[0]["text"]
    assert len(answer.cards) == 1


@pytest.mark.parametrize(
    "elements",
    [
        {"status": "revoked"},
        {"status": " Revoked "},
        {"status": "Entered-in-Error"},
        {"doNotPerform": True},
        {"doNotPerform": "true"},
        {"doNotPerform": " True"},
    ],
    ids=repr,
)
def test_where_that_is_set_an_order_that_asks_for_nothing_is_not_answered_however_it_says_so(elements: Any) -> None:
    assert Service(unmatched="conditional").call(order_sign(bodies.knee() | elements)).actions == []


@pytest.mark.parametrize(
    "resource",
    [
        {"resourceType": "MedicationRequest", "subject": {"reference": f"Patient/{bodies.PATIENT}"}},
        {"resourceType": "NutritionOrder", "patient": {"reference": f"Patient/{bodies.PATIENT}"}},
        {"resourceType": "VisionPrescription", "patient": {"reference": f"Patient/{bodies.PATIENT}"}},
    ],
    ids=lambda each: str(each["resourceType"]),
)
def test_where_that_is_set_it_holds_for_every_type_of_order_of_this_patient(resource: Any) -> None:
    telling = Service(unmatched="conditional")
    answer = telling.call(order_sign(resource | {"id": "other-1"}))
    assert [child(extension, "covered") for extension in answer.assertions] == ["conditional"]
    element = "subject" if "subject" in resource else "patient"
    anothers = resource | {"id": "other-1", element: {"reference": "Patient/somebody-else"}}
    assert telling.call(order_sign(anothers)).actions == []

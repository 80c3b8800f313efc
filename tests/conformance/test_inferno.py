"""What the ONC Inferno CRD server suite asserts of a server, asked of this one, for CRD 2.0.1 and 2.2.1.

The suite's own body: one order that is certainly MR neurography and one with an unlisted code. It must come to a
coverage-information action, an External Reference card and an Instructions card, all of them valid.
"""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from fhir.resources.R4B import get_fhir_model_class

from . import bodies
from .bodies import Json
from .harness import PUBLIC_URL, Answer, Service, child, coverage_information, empty_places

VERSIONS = [None, "2.0", "2.2"]
#: Of a card of ours: no suggestions and no selectionBehavior among them.
CARD_MEMBERS = {"uuid", "summary", "indicator", "detail", "source", "links", "overrideReasons", "extension"}
TOPIC_SYSTEM = {
    None: "http://hl7.org/fhir/us/davinci-crd/CodeSystem/temp",
    "2.0": "http://hl7.org/fhir/us/davinci-crd/CodeSystem/temp",
    "2.2": "http://terminology.hl7.org/CodeSystem/cdshooks-card-type",
}


@pytest.fixture(params=VERSIONS, ids=["no version", "2.0", "2.2"])
def version(request: pytest.FixtureRequest) -> Any:
    """The CRD version that the client asks for."""
    return request.param


@pytest.fixture
def signed(service: Service, version: str | None) -> Answer:
    """The answer to the suite's order-sign body."""
    return service.call(bodies.order_sign(bodies.order(), bodies.unlisted(), version=version))


@pytest.mark.requirement("cds-hooks-2.0/discovery", "cds-hooks-2.0/discovery-fields")
def test_discovery_names_hook_description_and_id_of_every_service(service: Service) -> None:
    answer = service.get("/cds-services")
    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("application/json")
    assert isinstance(answer.json["services"], list)
    for each in answer.json["services"]:
        assert all(isinstance(each[name], str) and each[name] for name in ("hook", "description", "id", "title"))
        assert all(isinstance(template, str) for template in each["prefetch"].values())


@pytest.mark.requirement("resp-14", "resp-15", "resp-26", "hook-16", "hook-39")
def test_one_body_yields_all_three_response_types(signed: Answer) -> None:
    certain, possible = signed.cards
    assert certain["links"]
    assert "links" not in possible
    assert len(signed.actions) == 2


@pytest.mark.requirement("resp-13", "resp-4", "resp-5", "cds-hooks-2.0/card-fields", "cds-hooks-2.0/card-summary")
def test_every_card_is_valid(signed: Answer, version: str | None) -> None:
    assert set(signed.json) == {"cards", "systemActions"}
    for card in signed.cards:
        assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", card["uuid"])
        assert 0 < len(card["summary"]) < 140
        assert "\n" not in card["summary"]
        assert card["indicator"] in ("info", "warning", "critical")
        assert card["source"]["label"] == "Blue Advantage (BlueCross BlueShield of Alabama)"
        assert card["source"]["topic"]["system"] == TOPIC_SYSTEM[version]
        assert card["source"]["topic"]["code"] == "guideline"
        assert set(card) <= CARD_MEMBERS
        for reason in card["overrideReasons"]:
            assert all(isinstance(reason[name], str) and reason[name] for name in ("code", "system", "display"))


@pytest.mark.requirement("resp-17", "resp-18", "resp-19", "resp-22", "cds-hooks-2.0/links")
def test_the_external_reference_card_has_absolute_links_only(signed: Answer) -> None:
    (card,) = [each for each in signed.cards if "links" in each]
    assert "suggestions" not in card
    for link in card["links"]:
        assert set(link) == {"label", "url", "type"}
        assert link["type"] == "absolute"
        assert link["label"]
        assert re.fullmatch(rf"{PUBLIC_URL}/policies/blue-advantage-177#from-[\d-]+|https://www\.cms\.gov/\S+", link["url"])


@pytest.mark.requirement("resp-24", "resp-23")
def test_the_instructions_card_has_detail_and_neither_links_nor_suggestions(signed: Answer) -> None:
    (card,) = [each for each in signed.cards if "links" not in each]
    assert card["detail"]
    assert "suggestions" not in card
    assert not re.search(r"https?://|\]\(", card["summary"] + card["detail"])


@pytest.mark.requirement("resp-48", "resp-52", "resp-29", "cds-hooks-2.0/system-actions", "cds-hooks-2.0/update-whole-resource")
def test_every_system_action_is_an_update_with_a_description_and_the_whole_order(signed: Answer) -> None:
    sent = [bodies.order(), bodies.unlisted()]
    for action, order in zip(signed.actions, sent, strict=True):
        assert set(action) == {"type", "description", "resource"}
        assert action["type"] == "update"
        assert action["description"]
        assert {name: value for name, value in action["resource"].items() if name != "extension"} == order
        get_fhir_model_class("ServiceRequest").model_validate(action["resource"])


@pytest.mark.requirement("resp-25", "resp-12")
def test_coverage_information_is_never_inside_a_card(signed: Answer) -> None:
    assert all("suggestions" not in card and "ext-coverage-information" not in str(card) for card in signed.cards)


@pytest.mark.requirement("resp-33", "resp-32")
def test_one_coverage_has_one_assertion_id_throughout_a_response(signed: Answer) -> None:
    ids = {child(extension, "coverage-assertion-id") for extension in signed.assertions}
    references = {child(extension, "coverage")["reference"] for extension in signed.assertions}
    assert len(signed.assertions) == 2
    assert len(ids) == len(references) == 1


@pytest.mark.requirement("resp-32")
def test_orders_of_one_call_under_different_coverages_bear_different_assertion_ids(service: Service) -> None:
    until, since = bodies.coverage(period={"end": "2023-10-31"}), bodies.coverage(id="cov-2", period={"start": "2023-11-01"})
    orders = bodies.order(**bodies.BEFORE), bodies.order(id="mrn-2", **bodies.AFTER)
    answer = service.call(bodies.order_sign(*orders, prefetch={"coverage": bodies.searchset(until, since)}))
    stated = {child(each, "coverage")["reference"]: child(each, "coverage-assertion-id") for each in answer.assertions}
    assert list(stated) == ["Coverage/cov-1", "Coverage/cov-2"]
    assert len(set(stated.values())) == 2


@pytest.mark.requirement("resp-32")
def test_answers_for_different_coverages_bear_different_assertion_ids(service: Service) -> None:
    first = service.call(bodies.order_sign(bodies.order()))
    other = {"coverage": bodies.searchset(bodies.coverage(id="cov-2"))}
    second = service.call(bodies.order_sign(first.resources[0], prefetch=other))
    ids = [child(extension, "coverage-assertion-id") for extension in coverage_information(second.resources[0])]
    assert len(set(ids)) == 2


@pytest.mark.requirement("hook-16", "hook-26", "hook-33", "hook-39", "resp-26", "resp-28")
@pytest.mark.parametrize("hook", ["order-sign", "order-dispatch", "appointment-book"])
def test_each_primary_hook_is_answered_with_a_system_action(service: Service, version: str | None, hook: str) -> None:
    requests: dict[str, Json] = {
        "order-sign": bodies.order_sign(bodies.order(), version=version),
        "order-dispatch": bodies.order_dispatch(
            {"order": "ServiceRequest/mrn-1", "task": {"resourceType": "Task"}}, bodies.order(), version=version
        ),
        "appointment-book": bodies.appointment_book(bodies.appointment(), orders=(bodies.order(),), version=version),
    }
    answer = service.call(requests[hook])
    assert [action["type"] for action in answer.actions] == ["update"]
    assert len(answer.assertions) == 1


@pytest.mark.requirement("cds-hooks-2.0/no-empty-attributes", "found-40")
def test_nothing_null_or_empty_is_sent(signed: Answer) -> None:
    assert list(empty_places(signed.json)) == []
    assert [place for each in signed.assertions for place in empty_places(each)] == []


@pytest.mark.requirement("found-40")
def test_no_insignificant_whitespace_is_sent(service: Service) -> None:
    compact = json.dumps(bodies.order_sign(bodies.order(), version="2.2"), separators=(",", ":")).encode()
    answer = service.post(compact)
    assert answer.raw.decode() == json.dumps(answer.json, separators=(",", ":"), ensure_ascii=False)


@pytest.mark.requirement("cds-hooks-2.0/no-empty-attributes", "cds-hooks-2.0/response")
def test_no_guidance_is_an_empty_array_of_cards_and_nothing_else(service: Service, version: str | None) -> None:
    assert service.call(bodies.order_sign(bodies.knee(), version=version)).raw == b'{"cards":[]}'


@pytest.mark.requirement("dev-24", "dev-25")
def test_a_card_says_which_orders_it_is_about(service: Service, version: str | None) -> None:
    second = bodies.order(id="mrn-2", code={"text": "MR neurogram of the left sciatic nerve"})
    (card,) = service.call(bodies.order_sign(bodies.order(), second, bodies.knee(), version=version)).cards
    assert "MR neurography, right brachial plexus" in card["detail"]
    assert "MR neurogram of the left sciatic nerve" in card["detail"]
    assert "knee" not in card["detail"]
    references = ["ServiceRequest/mrn-1", "ServiceRequest/mrn-2"]
    expected: Any = [{"reference": each} for each in references] if version == "2.2" else references
    assert card["extension"] == {"davinci-crd.associated-resource": expected}

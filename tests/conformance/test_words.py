"""The words on cards and orders: no more than the source says, and all that it says about this order."""

from __future__ import annotations

import re

import pytest

from . import bodies
from .bodies import Json
from .harness import Service, children, empty_places
from .situations import SITUATIONS, Situation, answer_in

ALL = [pytest.param(s, version, id=f"{version} {s.name}") for s in SITUATIONS for version in ("2.0", "2.2")]

#: Never said: the manual does not decide on MR neurography, this is no organization determination, nobody is told to stop.
OVERSTATED = (
    r"(?i)chapter 16 (?:excludes|lists|states|says|names) ",
    r"(?i)\bmedicare (?:does not cover|excludes)",
    r"(?i)\bprior authori[sz]ation (?:is|was) (?:denied|required)",
    r"(?i)\b(?:is|has been) denied\b",
    r"(?i)\bdo not (?:order|perform|proceed)\b",
    r"(?i)\bexperimental\b",
)


def texts_of(body: Json) -> str:
    """Every text of ours in an answer: of its cards, and of the extensions it writes."""
    words = [card["summary"] + "\n" + card["detail"] for card in body["cards"]]
    for action in body.get("systemActions", ()):
        words.append(action["description"])
        words += [reason["text"] for extension in _ours(action) for reason in children(extension, "reason")]
    return "\n".join(words)


def _ours(action: Json) -> list[Json]:
    return [each for each in action["resource"]["extension"] if each["url"] == bodies.EXTENSION]


@pytest.mark.parametrize(("situation", "version"), ALL)
@pytest.mark.requirement("found-13", "resp-17", "resp-23")
def test_nothing_is_said_that_the_source_does_not_say(situation: Situation, version: str) -> None:
    said = texts_of(answer_in(situation, version).json)
    assert said
    assert [pattern for pattern in OVERSTATED if re.search(pattern, said)] == []


@pytest.mark.parametrize(("situation", "version"), ALL)
@pytest.mark.requirement("cds-hooks-2.0/no-empty-attributes")
def test_nothing_of_ours_is_null_or_empty(situation: Situation, version: str) -> None:
    answer = answer_in(situation, version)
    assert list(empty_places(answer.json)) == []
    assert [place for action in answer.actions for each in _ours(action) for place in empty_places(each)] == []


@pytest.mark.parametrize("version", ["2.0", "2.2"])
@pytest.mark.parametrize(
    ("dates", "policy", "manual"),
    [(bodies.BEFORE, True, False), (bodies.AFTER, True, True), (bodies.ACROSS, True, True)],
    ids=["before", "after", "across"],
)
@pytest.mark.requirement("found-9")
def test_card_and_order_name_the_same_authority_for_the_date_of_service(
    service: Service, version: str, dates: Json, policy: bool, manual: bool
) -> None:
    answer = service.call(bodies.order_sign(bodies.order(**dates), version=version))
    reason = children(answer.assertions[0], "reason")[0]["text"]
    for text in (answer.cards[0]["detail"], reason):
        assert ("policy #177" in text) is policy
        assert ("CMS Manual 100-02" in text and "Chapter 16" in text) is manual
        assert ("does not name MR neurography" in text) is manual
    assert ("organization determination" in reason) is manual


@pytest.mark.requirement("resp-6", "resp-7", "resp-8", "resp-11")
def test_the_card_says_first_what_is_held_then_why_then_what_can_be_done(service: Service) -> None:
    (card,) = service.call(bodies.order_sign(bodies.order())).cards
    paragraphs = card["detail"].split("\n\n")
    assert paragraphs[0].startswith("**MR neurography")
    said_in_turn = ("non-covered", "Authority for services", "Needed care", "What can be done now")
    order = [card["detail"].index(words) for words in said_in_turn]
    assert order == sorted(order)
    assert "non-covered, investigational" in card["summary"]


@pytest.mark.requirement("resp-1", "resp-2")
def test_no_card_is_critical_and_an_unclear_order_is_only_informed_about(service: Service) -> None:
    certain, possible = service.call(bodies.order_sign(bodies.order(), bodies.unlisted())).cards
    assert (certain["indicator"], possible["indicator"]) == ("warning", "info")


@pytest.mark.requirement("found-9", "resp-9", "resp-10", "resp-20", "resp-21")
def test_links_lead_to_the_version_in_force_and_to_the_cited_document_and_none_hides_in_the_text(service: Service) -> None:
    for dates, anchors in ((bodies.BEFORE, 1), (bodies.AFTER, 1), (bodies.ACROSS, 2)):
        (card,) = service.call(bodies.order_sign(bodies.order(**dates))).cards
        assert len([link for link in card["links"] if "/policies/blue-advantage-177#" in link["url"]]) == anchors
        assert any("cms.gov" in link["url"] for link in card["links"]) is (dates is not bodies.BEFORE)
        assert "](" not in card["detail"]


@pytest.mark.requirement("found-34", "resp-51", "resp-30")
@pytest.mark.parametrize("version", ["2.0", "2.2"])
def test_an_assumed_date_of_service_is_named_as_an_assumption(service: Service, version: str) -> None:
    answer = service.call(bodies.order_sign(bodies.order(occurrenceDateTime=None), version=version))
    assert "assumed" in answer.cards[0]["detail"]
    assert "the day the order was written was taken" in children(answer.assertions[0], "reason")[0]["text"]


@pytest.mark.parametrize("version", ["2.0", "2.2"])
def test_care_is_not_to_be_delayed_on_the_card_and_on_the_order(service: Service, version: str) -> None:
    answer = service.call(bodies.order_sign(bodies.order(), version=version))
    assert "Needed care should not be delayed" in answer.cards[0]["detail"]
    assert "Needed care should not be delayed or refused because of a coverage determination" in str(answer.assertions[0])


@pytest.mark.parametrize("version", ["2.0", "2.2"])
def test_a_trial_is_told_on_the_card_and_on_the_order(service: Service, version: str) -> None:
    shown = bodies.order(reasonCode=[{"coding": [{"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": "Z00.6"}]}])
    answer = service.call(bodies.order_sign(shown, version=version))
    for text in (answer.cards[0]["detail"].split("\n\n")[0], children(answer.assertions[0], "reason")[0]["text"]):
        assert "Original Medicare (NCD 310.1)" in text


@pytest.mark.parametrize("version", ["2.0", "2.2"])
def test_an_unknown_member_is_told_so_before_anything_else(service: Service, version: str) -> None:
    told_of_no_plan = {"coverage": bodies.searchset(bodies.coverage(**{"class": None}))}
    answer = service.call(bodies.order_sign(bodies.order(), prefetch=told_of_no_plan, version=version))
    assert answer.cards[0]["detail"].startswith("**If this patient is a Blue Advantage member:**")
    assert answer.actions == []


@pytest.mark.requirement("sec-5", "found-13")
def test_nothing_of_the_patient_is_on_a_card(service: Service) -> None:
    for card in service.call(bodies.order_sign(bodies.order(), bodies.unlisted())).cards:
        assert bodies.PATIENT not in str(card)
        assert "XAB123" not in str(card)

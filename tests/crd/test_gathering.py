"""What came with a call and what is asked for beside it: nothing that was sent, and nothing without need."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

import msgspec
import pytest

from cds_service.crd.errors import BadRequest, DataUnavailable
from cds_service.crd.gathering import Coverages, Sent, orders_referred_to
from cds_service.crd.membership import CoverageReading, Membership
from cds_service.crd.needs import Fetched, Need, not_allowed, run
from cds_service.crd.policy import Policy
from cds_service.crd.service_dates import ServiceDates, Span

from .builders import CHICAGO, OURS, bundle, coverage, member_coverage, order, parse, plan, sign_body

DAY = ServiceDates((Span(date(2023, 11, 1), date(2023, 11, 1)),), "occurrenceDateTime")
OUTCOME = {"resourceType": "OperationOutcome", "issue": []}
ORGANIZATION = {"resourceType": "Organization", "id": "payor-1", "name": OURS}


class Server:
    """Answers needs from ``answers`` by their place, and notes what was asked; what it does not have is absent."""

    def __init__(self, answers: Mapping[str, Any] | None = None) -> None:
        self.answers = answers or {}
        self.asked: list[str] = []

    def __call__(self, need: Need) -> Fetched:
        self.asked.append(need.place)
        answer = self.answers.get(need.place, "absent")
        return Fetched(None, answer) if isinstance(answer, str) else Fetched(json.dumps(answer).encode())


def raw(prefetch: Mapping[str, Any]) -> dict[str, msgspec.Raw]:
    return {key: msgspec.Raw(json.dumps(value).encode()) for key, value in prefetch.items()}


def linked(page: Any, *resources: Any) -> dict[str, Any]:
    return bundle(*resources, link=[{"relation": "next", "url": page}])


# What was sent


@pytest.mark.requirement("found-32")
def test_absent_null_empty_paginated_single_and_failed_prefetch_are_told_apart() -> None:
    def sent(prefetch: Mapping[str, Any]) -> tuple[set[str], int, list[str]]:
        found = Sent(raw(prefetch))
        return found.answered, len(found.resources), found.pages

    assert sent({}) == (set(), 0, [])
    assert sent({"coverage": None}) == ({"coverage"}, 0, [])
    assert sent({"coverage": {"resourceType": "Bundle"}}) == ({"coverage"}, 0, [])
    assert sent({"coverage": bundle()}) == ({"coverage"}, 0, [])
    assert sent({"coverage": linked("https://x/2", coverage())}) == ({"coverage"}, 1, ["https://x/2"])
    assert sent({"coverage": coverage()}) == ({"coverage"}, 1, [])
    assert sent({"coverage": OUTCOME}) == (set(), 0, [])
    assert sent({"coverage": bundle(OUTCOME, coverage())}) == ({"coverage"}, 1, [])


def test_resources_are_found_by_type_under_any_key_and_in_bundles_within_bundles() -> None:
    found = Sent(
        raw({"coverageBundle": bundle(coverage(), order()), "x": bundle(bundle(coverage(id="c2"))), "y": coverage(id="c3")})
    )
    assert [each.id for each in found.of("Coverage")] == ["cov-1", "c2", "c3"]
    assert [each.id for each in found.of("ServiceRequest")] == ["order-1"]


def test_what_cannot_hold_a_type_that_is_needed_is_not_parsed_and_a_type_in_escapes_is_found() -> None:
    prefetch = {"problems": msgspec.Raw(b"no JSON"), "mine": msgspec.Raw(rb'{"resourceType": "\u0043overage", "id": "c"}')}
    found = Sent(prefetch)
    assert [each.id for each in found.resources] == ["c"]
    assert found.answered == {"mine"}


def test_further_pages_are_wanted_of_coverages_only() -> None:
    assert Sent(raw({"labs": linked("https://x/2", {"resourceType": "Observation"})})).pages == []
    assert Sent(raw({"mine": linked("https://x/2", coverage())})).pages == ["https://x/2"]
    assert Sent(raw({"coverage": linked("https://x/2")})).pages == ["https://x/2"]


@pytest.mark.parametrize("value", [5, "x", True, [], [coverage()], {"resourceType": "Bundle", "entry": "x"}])
def test_what_is_no_resource_is_passed_over_or_where_asked_for_strictly_refused(value: Any) -> None:
    prefetch = raw({"coverage": value, "other": coverage()})
    assert len(Sent(prefetch).of("Coverage")) == 1
    with pytest.raises(BadRequest) as caught:
        Sent(prefetch, ("coverage",), strict=True)
    assert caught.value.place.startswith("prefetch.coverage")
    assert len(Sent(prefetch, ("serviceRequests",), strict=True).of("Coverage")) == 1


def test_a_prefetch_key_that_is_the_callers_text_is_not_told() -> None:
    with pytest.raises(BadRequest) as caught:
        Sent(raw({"Jane Testpatient": 5}), ("Jane Testpatient",), strict=True)
    assert "Testpatient" not in str(caught.value)


# Orders that the context only refers to


def dispatched(*references: str, prefetch: Any = None) -> Any:
    context = {"patientId": "pat-1", "dispatchedOrders": list(references)}
    return parse(sign_body(hook="order-dispatch", context=context, prefetch=prefetch), "order-dispatch-crd")


def referred(request: Any, server: Callable[[Need], Fetched]) -> list[tuple[str | None, str]]:
    pairs = run(orders_referred_to(request, Sent(request.prefetch)), server)
    return [(each.id, each.place) for each, _ in pairs]


def test_an_order_that_was_sent_is_not_asked_for() -> None:
    server = Server()
    found = referred(dispatched("ServiceRequest/order-1", prefetch={"mine": bundle(order())}), server)
    assert (found, server.asked) == ([("order-1", "prefetch.mine.entry[0].resource")], [])


def test_orders_that_were_not_sent_are_read_and_each_has_a_place_of_its_own() -> None:
    server = Server({"ServiceRequest/a": order(id="a"), "ServiceRequest/b": order(id="b")})
    found = referred(dispatched("ServiceRequest/a", "ServiceRequest/b"), server)
    assert [id_ for id_, _ in found] == ["a", "b"]
    assert len({place for _, place in found}) == 2
    assert server.asked == ["ServiceRequest/a", "ServiceRequest/b"]


def test_an_order_that_is_not_there_is_passed_over_beside_one_that_is() -> None:
    server = Server({"ServiceRequest/a": order(id="a")})
    assert [id_ for id_, _ in referred(dispatched("ServiceRequest/gone", "ServiceRequest/a"), server)] == ["a"]


def test_what_is_read_in_place_of_the_order_is_not_taken_for_it() -> None:
    answers: list[Any] = [OUTCOME, {"resourceType": "Patient", "id": "a"}, order(id="another")]
    for answer in answers:
        with pytest.raises(DataUnavailable):
            referred(dispatched("ServiceRequest/a"), Server({"ServiceRequest/a": answer}))


@pytest.mark.parametrize("failure", ["absent", "not-allowed", "timeout"])
def test_orders_neither_sent_nor_to_be_read_are_data_unavailable(failure: str) -> None:
    with pytest.raises(DataUnavailable) as caught:
        referred(dispatched("ServiceRequest/a"), Server({"ServiceRequest/a": failure}))
    assert (caught.value.status, caught.value.place) == (412, "prefetch.serviceRequests")


def test_orders_looked_for_and_not_there_are_none_but_a_broken_fetch_is_data_unavailable() -> None:
    request = dispatched("ServiceRequest/a", prefetch={"serviceRequests": bundle()})
    assert referred(request, Server()) == []
    with pytest.raises(DataUnavailable):
        referred(request, Server({"ServiceRequest/a": "timeout"}))


# Coverages

SEARCH = "Coverage?patient=pat-1&status=active"


def covered(policy: Policy, prefetch: Any, server: Callable[[Need], Fetched]) -> tuple[list[CoverageReading], Coverages]:
    request = parse(sign_body(order(), prefetch=prefetch))
    coverages = Coverages(request, Sent(request.prefetch), CHICAGO)
    return run(coverages.on(DAY, policy.document.coverage), server), coverages


def memberships(found: list[CoverageReading]) -> list[Membership]:
    return [each.membership for each in found]


def test_a_coverage_that_was_sent_is_not_searched_for(policy: Policy) -> None:
    server = Server()
    found, _ = covered(policy, {"anything": bundle(member_coverage())}, server)
    assert (memberships(found), server.asked) == ([Membership.MEMBER], [])


@pytest.mark.parametrize("sent", [None, bundle(), {"resourceType": "Bundle"}])
def test_a_coverage_looked_for_and_not_there_is_not_searched_for_again(policy: Policy, sent: Any) -> None:
    server = Server()
    found, coverages = covered(policy, {"coverage": sent}, server)
    assert (found, server.asked, coverages.were_to_be_had) == ([], [], True)


@pytest.mark.parametrize("prefetch", [None, {}, {"coverage": OUTCOME}, {"coverageBundle": bundle()}])
def test_a_coverage_not_sent_is_searched_for_once(policy: Policy, prefetch: Any) -> None:
    server = Server({SEARCH: bundle(member_coverage())})
    request = parse(sign_body(order(), prefetch=prefetch))
    coverages = Coverages(request, Sent(request.prefetch), CHICAGO)
    for _ in range(2):
        assert memberships(run(coverages.on(DAY, policy.document.coverage), server)) == [Membership.MEMBER]
    assert server.asked == [SEARCH]


def test_a_search_that_fails_is_not_tried_again_and_tells_that_nothing_was_to_be_had(policy: Policy) -> None:
    server = Server({SEARCH: "timeout"})
    request = parse(sign_body(order()))
    coverages = Coverages(request, Sent(request.prefetch), CHICAGO)
    for _ in range(2):
        assert run(coverages.on(DAY, policy.document.coverage), server) == []
    assert (server.asked, coverages.were_to_be_had) == ([SEARCH], False)


def test_nothing_at_all_is_needed_where_nothing_may_be_fetched(policy: Policy) -> None:
    assert covered(policy, None, not_allowed)[0] == []


def test_further_pages_are_read_until_a_member_is_found(policy: Policy) -> None:
    server = Server({
        "https://x/2": linked("https://x/3", coverage(id="c2")),
        "https://x/3": linked("https://x/4", member_coverage(id="c3")),
        "https://x/4": bundle(coverage(id="c4")),
    })  # fmt: skip
    found, _ = covered(policy, {"coverage": linked("https://x/2", coverage())}, server)
    assert [each.coverage.id for each in found] == ["cov-1", "c2", "c3"]
    assert server.asked == ["https://x/2", "https://x/3"]


def test_pages_that_lead_in_a_circle_are_read_once(policy: Policy) -> None:
    server = Server(
        {"https://x/2": linked("https://x/1", coverage(id="c2")), "https://x/1": linked("https://x/2", coverage(id="c1"))}
    )
    found, _ = covered(policy, {"coverage": linked("https://x/2", coverage(payor=[{"display": "Aetna"}]))}, server)
    assert len(found) == 3
    assert [place for place in server.asked if place.startswith("https")] == ["https://x/2", "https://x/1"]


@pytest.mark.parametrize("answer", ["absent", "timeout", OUTCOME])
def test_a_page_that_cannot_be_read_ends_the_reading(policy: Policy, answer: Any) -> None:
    server = Server({"https://x/2": answer})
    found, coverages = covered(policy, {"coverage": linked("https://x/2")}, server)
    assert (found, server.asked) == ([], ["https://x/2"])
    assert not coverages.were_to_be_had


def test_the_payor_is_read_where_nothing_else_tells(policy: Policy) -> None:
    server = Server({"Organization/payor-1": ORGANIZATION})
    found, coverages = covered(policy, {"coverage": bundle(coverage(**{"class": [plan("Blue Advantage")]}))}, server)
    assert (memberships(found), server.asked, coverages.failed_payor) == ([Membership.MEMBER], ["Organization/payor-1"], False)


def test_a_payor_that_was_sent_is_not_read(policy: Policy) -> None:
    server = Server()
    body = bundle(coverage(**{"class": [plan("Blue Advantage")]}), ORGANIZATION)
    assert memberships(covered(policy, {"coverage": body}, server)[0]) == [Membership.MEMBER]
    assert server.asked == []


def test_a_payor_is_read_once_for_all_coverages_and_not_for_another_patients(policy: Policy) -> None:
    anothers = coverage(id="c3", payor=[{"reference": "Organization/p9"}], beneficiary={"reference": "Patient/other"})
    server = Server()
    covered(policy, {"coverage": bundle(coverage(), coverage(id="c2"), anothers)}, server)
    assert server.asked == ["Organization/payor-1"]


def test_no_payor_is_read_beside_a_member(policy: Policy) -> None:
    server = Server()
    covered(policy, {"coverage": bundle(coverage(), member_coverage(id="c2"))}, server)
    assert server.asked == []


@pytest.mark.parametrize(("failure", "technical"), [("timeout", True), ("absent", False), ("not-allowed", False)])
def test_a_payor_that_cannot_be_read_for_technical_reasons_is_remembered(policy: Policy, failure: str, technical: bool) -> None:
    found, coverages = covered(policy, {"coverage": bundle(coverage())}, Server({"Organization/payor-1": failure}))
    assert (memberships(found), coverages.failed_payor) == ([Membership.UNKNOWN], technical)


def test_a_coverage_sent_twice_is_one(policy: Policy) -> None:
    found, _ = covered(policy, {"a": bundle(coverage(), coverage(id="c2")), "b": coverage()}, Server())
    assert [each.coverage.id for each in found] == ["cov-1", "c2"]

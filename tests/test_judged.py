"""What independent judges of the running service found, pinned."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.calls import MEMBER, SIGN, client_for_tests, hook_call, order

BOOK = "/cds-services/appointment-book-crd"
COVERAGE_INFORMATION = "http://hl7.org/fhir/us/davinci-crd/StructureDefinition/ext-coverage-information"


@pytest.fixture
def client() -> FlaskClient:
    return client_for_tests()


def asked(client: FlaskClient, request: dict[str, Any], path: str = SIGN, version: str | None = None) -> dict[str, Any]:
    if version:
        request = {**request, "extension": {"davinci-crd.requestedVersion": version}}
    answer = client.post(path, json=request)
    assert answer.status_code == 200, answer.get_json()
    body: dict[str, Any] = answer.get_json()
    return body


def written(resource: dict[str, Any]) -> list[dict[str, Any]]:
    return [each for each in resource.get("extension", []) if each["url"] == COVERAGE_INFORMATION]


@pytest.mark.parametrize(
    "plan",
    [
        "BlueAdvantage Administrators of Arkansas",
        "BlueAdvantage of Tennessee",
        "BlueAdvantage Tennessee",
        "Blue Advantage HMO Louisiana",
        "BCBST BlueAdvantage",
        "Blue Advantage - BlueCross BlueShield of Louisiana",
    ],
)
def test_a_like_named_product_of_another_state_is_no_plan_of_ours_whoever_pays(client: FlaskClient, plan: str) -> None:
    coverage = copy.deepcopy(MEMBER)
    coverage["class"][0]["name"] = plan
    assert asked(client, hook_call(order(), coverage=[coverage])) == {"cards": []}


def appointment(identity: str, start: str) -> dict[str, Any]:
    return {
        "resourceType": "Appointment",
        "id": identity,
        "status": "proposed",
        "start": start,
        "basedOn": [{"reference": "ServiceRequest/sr-1"}],
        "participant": [{"actor": {"reference": "Patient/pat-1"}, "status": "accepted"}],
    }


def booking(*appointments: dict[str, Any]) -> dict[str, Any]:
    request = hook_call(hook="appointment-book")
    del request["context"]["draftOrders"]
    entries = [{"resource": each} for each in appointments]
    request["context"]["appointments"] = {"resourceType": "Bundle", "type": "collection", "entry": entries}
    request["prefetch"]["serviceRequests"] = {"resourceType": "Bundle", "entry": [{"resource": order()}]}
    return request


@pytest.mark.requirement("hook-26", "resp-29")
def test_in_2_0_each_appointment_of_an_order_is_answered_by_its_own_date(client: FlaskClient) -> None:
    made = booking(appointment("a1", "2023-10-01T10:00:00-05:00"), appointment("a2", "2026-12-01T10:00:00-06:00"))
    answer = asked(client, made, BOOK)
    resources = [action["resource"] for action in answer["systemActions"]]
    assert [resource["id"] for resource in resources] == ["a1", "a2"]
    reasons = [str(written(resource)) for resource in resources]
    assert "policy #177 for services to 10/31/2023" in reasons[0]
    assert "Chapter 16" in reasons[1]
    assert len(answer["cards"]) == 2


@pytest.mark.requirement("hook-26")
def test_in_2_2_the_order_is_answered_once_for_the_dates_of_all_its_appointments(client: FlaskClient) -> None:
    made = booking(appointment("a1", "2023-10-01T10:00:00-05:00"), appointment("a2", "2026-12-01T10:00:00-06:00"))
    answer = asked(client, made, BOOK, "2.2")
    assert [action["resource"]["id"] for action in answer["systemActions"]] == ["sr-1"]
    assert "policy #177" in answer["cards"][0]["summary"]
    assert "Chapter 16" in answer["cards"][0]["summary"]


@pytest.mark.requirement("resp-35", "resp-37")
def test_a_stale_answer_that_stands_twice_is_replaced_by_one_and_then_left(client: FlaskClient) -> None:
    bearing = asked(client, hook_call(order()))["systemActions"][0]["resource"]
    bearing["code"] = {"text": "MRI knee"}
    bearing["extension"] *= 2
    answer = asked(client, hook_call(bearing))
    mended = answer["systemActions"][0]["resource"]
    assert len(written(mended)) == 1
    assert asked(client, hook_call(mended)) == {"cards": []}


@pytest.mark.parametrize("version", [None, "2.2"])
def test_a_stale_answer_is_withdrawn_also_where_unmatched_orders_are_answered(version: str | None) -> None:
    client = client_for_tests(unmatched="conditional")
    bearing = asked(client, hook_call(order()), version=version)["systemActions"][0]["resource"]
    bearing["code"] = {"text": "MRI knee"}
    mended = asked(client, hook_call(bearing), version=version)["systemActions"][0]["resource"]
    assert "no longer read as MR neurography" in str(written(mended))
    assert asked(client, hook_call(mended), version=version) == {"cards": []}


@pytest.mark.requirement("dev-14")
@pytest.mark.parametrize("version", ["2.0", "2.2"])
def test_a_client_that_wants_nothing_is_asked_for_nothing(client: FlaskClient, version: str) -> None:
    extension = {"davinci-crd.requestedVersion": version, "davinci-crd.configuration": {"coverage-info": False}}
    assert asked(client, hook_call(order(), coverage=None, extension=extension)) == {"cards": []}


@pytest.mark.requirement("resp-35")
def test_the_order_in_which_two_coverages_of_ours_are_sent_is_no_news(client: FlaskClient) -> None:
    second = {**MEMBER, "id": "cov-2"}
    bearing = asked(client, hook_call(order(), coverage=[MEMBER, second]))["systemActions"][0]["resource"]
    assert "systemActions" not in asked(client, hook_call(bearing, coverage=[second, MEMBER]))


@pytest.mark.requirement("resp-45")
def test_an_inactive_coverage_of_our_insurer_that_names_no_plan_is_answered_as_not_active(client: FlaskClient) -> None:
    coverage = {**MEMBER, "status": "cancelled", "class": []}
    answer = asked(client, hook_call(order(), coverage=[coverage]), version="2.2")
    assert "no-active-coverage" in str(answer["systemActions"])


def test_an_inactive_coverage_of_another_product_of_ours_is_passed_over(client: FlaskClient) -> None:
    coverage = copy.deepcopy({**MEMBER, "status": "cancelled"})
    coverage["class"][0]["name"] = "Blue Secure Silver"
    assert asked(client, hook_call(order(), coverage=[coverage]), version="2.2") == {"cards": []}


def test_a_payor_that_is_an_object_and_no_list_is_read_all_the_same(client: FlaskClient) -> None:
    coverage = {**MEMBER, "payor": MEMBER["payor"][0], "class": MEMBER["class"][0]}
    assert "systemActions" in asked(client, hook_call(order(), coverage=[coverage]))

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


UNLISTED = order(None, id="sr-2", code={"coding": [{"system": "http://www.ama-assn.org/go/cpt", "code": "76498"}]})


def shared_booking(*orders: dict[str, Any], start: str | None = "2026-12-01T10:00:00-06:00") -> dict[str, Any]:
    """One appointment that is based on all ``orders``."""
    made = booking(
        {**appointment("a1", start or ""), "basedOn": [{"reference": f"ServiceRequest/{each['id']}"} for each in orders]}
    )
    if start is None:
        del made["context"]["appointments"]["entry"][0]["resource"]["start"]
    made["prefetch"]["serviceRequests"]["entry"] = [{"resource": each} for each in orders]
    return made


@pytest.mark.requirement("found-11", "resp-29")
def test_an_appointment_of_several_orders_bears_the_surest_answer_whatever_their_order(client: FlaskClient) -> None:
    for orders in ((order(), UNLISTED), (UNLISTED, order())):
        answer = asked(client, shared_booking(*orders), BOOK)
        (action,) = answer["systemActions"]
        (said,) = written(action["resource"])
        assert {"url": "covered", "valueCode": "not-covered"} in said["extension"]
        assert len(answer["cards"]) == 2


@pytest.mark.requirement("resp-29")
def test_an_appointment_of_orders_of_several_days_bears_the_authority_of_each(client: FlaskClient) -> None:
    days = ("2023-10-31", "2024-01-01")
    orders = [order(None, id=f"sr-{day}", occurrenceDateTime=day) for day in days]
    (action,) = asked(client, shared_booking(*orders, start=None), BOOK)["systemActions"]
    (said,) = written(action["resource"])
    assert "policy #177 for services to 10/31/2023" in str(said)
    assert "Chapter 16" in str(said)


@pytest.mark.parametrize("version", ["2.0", "2.2"])
@pytest.mark.requirement("resp-35", "resp-37")
def test_an_answer_for_a_coverage_that_turns_out_not_to_be_of_the_plan_is_withdrawn(client: FlaskClient, version: str) -> None:
    bearing = asked(client, hook_call(order()), version=version)["systemActions"][0]["resource"]
    other = copy.deepcopy(MEMBER)
    other["class"][0]["name"] = "Blue Saver Silver"
    answer = asked(client, hook_call(bearing, coverage=[other]), version=version)
    assert answer["cards"] == []
    (said,) = written(answer["systemActions"][0]["resource"])
    assert "The coverage is not one of Blue Advantage." in str(said)
    assert "not-covered" not in str(said)
    again = hook_call(answer["systemActions"][0]["resource"], coverage=[other])
    assert asked(client, again, version=version) == {"cards": []}


def test_an_answer_for_another_coverage_than_the_one_sent_now_is_left_alone(client: FlaskClient) -> None:
    bearing = asked(client, hook_call(order()))["systemActions"][0]["resource"]
    other = copy.deepcopy({**MEMBER, "id": "cov-of-another"})
    other["class"][0]["name"] = "Blue Saver Silver"
    assert asked(client, hook_call(bearing, coverage=[other])) == {"cards": []}


@pytest.mark.parametrize("version", ["2.0", "2.2"])
@pytest.mark.requirement("hook-30", "hook-26")
def test_an_order_without_an_id_yet_is_found_by_the_fullurl_that_names_it(client: FlaskClient, version: str) -> None:
    named = "urn:uuid:6f0a4bfe-6a0a-4f3e-8d0b-0f3a0d6d3f10"
    orders = {"resourceType": "Bundle", "entry": [{"fullUrl": named, "resource": order()}]}
    dispatched = hook_call(hook="order-dispatch")
    dispatched["context"] = {"patientId": "pat-1", "dispatchedOrders": [named]}
    booked = booking({**appointment("a1", "2026-12-01T10:00:00-06:00"), "basedOn": [{"reference": named}]})
    for request, path in ((dispatched, "/cds-services/order-dispatch-crd"), (booked, BOOK)):
        request["prefetch"]["serviceRequests"] = orders
        answer = asked(client, request, path, version)
        assert (len(answer["cards"]), len(answer["systemActions"])) == (1, 1)


def test_an_urn_that_names_nothing_sent_is_not_asked_for_elsewhere(client: FlaskClient) -> None:
    request = hook_call(hook="order-dispatch")
    request["context"] = {"patientId": "pat-1", "dispatchedOrders": ["urn:uuid:6f0a4bfe-6a0a-4f3e-8d0b-0f3a0d6d3f10"]}
    request["prefetch"]["serviceRequests"] = {"resourceType": "Bundle", "entry": []}
    assert asked(client, request, "/cds-services/order-dispatch-crd") == {"cards": []}


def test_an_order_before_the_policys_time_is_not_told_that_no_policy_is_about_it() -> None:
    client = client_for_tests(unmatched="conditional")
    answer = asked(client, hook_call(order(occurrenceDateTime="2005-01-01")))
    assert "no version of the policy on this order held on the date of service" in str(answer["systemActions"])
    assert "none of them is about this order" in str(asked(client, hook_call(order("MRI knee")))["systemActions"])


@pytest.mark.requirement("hook-13")
def test_a_coverage_entered_in_error_gets_no_assertion(client: FlaskClient) -> None:
    request = {
        **hook_call(order(), coverage=[{**MEMBER, "status": "entered-in-error"}]),
        "extension": {"davinci-crd.requestedVersion": "2.2"},
    }
    assert client.post(SIGN, json=request).status_code == 400


def refused(client: FlaskClient, request: dict[str, Any]) -> dict[str, Any]:
    answer = client.post(SIGN, json={**request, "extension": {"davinci-crd.requestedVersion": "2.2"}})
    assert answer.status_code == 400
    (issue,) = answer.get_json()["issue"]
    found: dict[str, Any] = issue
    return found


@pytest.mark.requirement("hook-10", "hook-13")
def test_a_refusal_tells_why_a_coverage_does_not_count_and_which_ones_do(client: FlaskClient) -> None:
    another = {**MEMBER, "beneficiary": {"reference": "Patient/another"}}
    assert "no Coverage was sent or found" in refused(client, hook_call(order(), coverage=[]))["diagnostics"]
    assert "its beneficiary is another patient" in refused(client, hook_call(order(), coverage=[another]))["diagnostics"]
    both = refused(client, hook_call(order(), coverage=[MEMBER, {**MEMBER, "id": "cov-2"}]))
    assert both["expression"] == [f"prefetch.coverage.entry[{number}].resource" for number in (0, 1)]


@pytest.mark.requirement("hook-10", "hook-13")
def test_a_refusal_of_invalid_fhir_names_every_place_within_its_resource(client: FlaskClient) -> None:
    broken = {**MEMBER, "class": [{"type": {"text": "plan"}, "name": "Blue Advantage PPO"}]}
    place = "prefetch.coverage.entry[0].resource.class[0].value"
    assert refused(client, hook_call(order(), coverage=[broken]))["expression"] == [place]
    twice = order(intent="wish", status="wished")
    ours = "context.draftOrders.entry[0].resource"
    assert refused(client, hook_call(twice))["expression"] == [f"{ours}.status", f"{ours}.intent"]
    assert refused(client, hook_call(order(marjorie=1)))["expression"] == [f"{ours}.?"]
    choice = order(occurrencePeriod={"start": "2026-12-01"})
    assert refused(client, hook_call(choice))["expression"] == [ours]


def test_an_answer_on_a_shared_appointment_is_not_withdrawn_for_the_order_that_it_was_not_about(client: FlaskClient) -> None:
    knee = order("MRI knee", id="sr-knee")
    (action,) = asked(client, shared_booking(order()), BOOK)["systemActions"]
    again = shared_booking(knee, order())
    bearing = again["context"]["appointments"]["entry"][0]["resource"]
    bearing["extension"] = action["resource"]["extension"]
    again["prefetch"]["coverage"] = {"resourceType": "Bundle", "entry": []}
    answer = asked(client, again, BOOK)
    assert len(answer["cards"]) == 1
    assert "systemActions" not in answer

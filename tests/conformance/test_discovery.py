"""Discovery: what is declared of hooks, prefetch, versions and configuration options."""

from __future__ import annotations

import re
from typing import Any

import pytest

from .harness import Service

#: The first-level token that every version of CDS Hooks understands; 2.0.1 misprints it as context.patient.
COVERAGE_TEMPLATE = "Coverage?patient={{context.patientId}}&status=active"
#: CRD 2.2.1's standard expressions for the two hooks whose context only refers to orders.
STANDARD_ORDERS = {
    "order-dispatch": "ServiceRequest?_id={{context.dispatchedOrders.resolve().ofType(ServiceRequest).id}}",
    "appointment-book": "ServiceRequest?_id={{context.appointments.entry.resource.basedOn.resolve().ofType(ServiceRequest).id}}",
}
CARD_TYPES = ("coverage-info", "guideline")


@pytest.fixture
def declared(service: Service) -> dict[str, Any]:
    """Each declared service by its hook."""
    return {each["hook"]: each for each in service.get("/cds-services").json["services"]}


@pytest.mark.requirement("hook-4", "ops-1", "cds-hooks-2.0/discovery")
def test_four_hooks_are_served_each_at_its_own_id(declared: dict[str, Any]) -> None:
    assert {hook: each["id"] for hook, each in declared.items()} == {
        "order-sign": "order-sign-crd",
        "order-select": "order-select-crd",
        "order-dispatch": "order-dispatch-crd",
        "appointment-book": "appointment-book-crd",
    }


@pytest.mark.requirement("found-24", "found-26", "found-27", "found-29", "cds-hooks-2.0/prefetch-templates")
def test_prefetch_asks_for_the_coverage_and_where_needed_the_orders_by_the_standard_expressions(declared: dict[str, Any]) -> None:
    for hook, each in declared.items():
        wanted = {"coverage": COVERAGE_TEMPLATE}
        if hook in STANDARD_ORDERS:
            wanted["serviceRequests"] = STANDARD_ORDERS[hook]
        assert each["prefetch"] == wanted


@pytest.mark.requirement("dev-1", "dev-2")
def test_both_crd_versions_are_declared_for_every_hook(declared: dict[str, Any]) -> None:
    for each in declared.values():
        assert each["extension"]["davinci-crd.version"] == ["2.0", "2.2"]


@pytest.mark.requirement("dev-4", "dev-5", "dev-7", "dev-10")
def test_every_card_type_has_one_boolean_option_with_code_name_description_and_default(declared: dict[str, Any]) -> None:
    for each in declared.values():
        options = each["extension"]["davinci-crd.configuration-options"]
        assert [option["code"] for option in options] == list(CARD_TYPES)
        for option in options:
            assert set(option) == {"code", "type", "name", "description", "default"}
            assert (option["type"], option["default"]) == ("boolean", True)
            assert re.fullmatch(r"[A-Za-z][A-Za-z0-9-]*", option["code"])


@pytest.mark.requirement("dev-8", "dev-9")
def test_options_are_told_apart_by_code_name_and_description_and_are_worded_alike_everywhere(declared: dict[str, Any]) -> None:
    worded = [each["extension"]["davinci-crd.configuration-options"] for each in declared.values()]
    assert all(options == worded[0] for options in worded)
    for member in ("code", "name", "description"):
        assert len({option[member] for option in worded[0]}) == len(worded[0])


@pytest.mark.requirement("dev-5")
def test_every_topic_that_a_card_bears_has_an_option(service: Service, declared: dict[str, Any]) -> None:
    from . import bodies

    for version in ("2.0", "2.2"):
        for card in service.call(bodies.order_sign(bodies.order(), bodies.unlisted(), version=version)).cards:
            assert card["source"]["topic"]["code"] in CARD_TYPES


@pytest.mark.requirement("cds-hooks-2.0/no-empty-attributes", "cds-hooks-2.0/extensions")
def test_discovery_holds_nothing_empty_and_extensions_are_objects(service: Service, declared: dict[str, Any]) -> None:
    from .harness import empty_places

    assert list(empty_places(service.get("/cds-services").json)) == []
    assert all(isinstance(each["extension"], dict) for each in declared.values())

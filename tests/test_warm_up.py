from __future__ import annotations

import pytest

from cds_service import warm_up
from cds_service.crd.fhir import Resource
from cds_service.crd.validation import fhir_issues
from cds_service.policy_files import load_policies


def test_a_valid_order_and_a_valid_coverage_are_judged_before_the_first_call_of_crd_2_2(monkeypatch: pytest.MonkeyPatch) -> None:
    judged: dict[str | None, tuple[str, ...]] = {}

    def noted(resource: Resource) -> tuple[str, ...]:
        judged[resource.resource_type] = fhir_issues(resource)
        return judged[resource.resource_type]

    monkeypatch.setattr(warm_up, "fhir_issues", noted)
    warm_up.warm_up(load_policies(None))
    assert judged == {"ServiceRequest": (), "Coverage": ()}

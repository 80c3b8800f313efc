"""Records to write: what a call with a determination keeps, and one without."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import datetime

import msgspec

from cds_service.crd.cards import render_response
from cds_service.crd.determination import Decision
from cds_service.crd.policy import Policy
from cds_service.crd.system_actions import Presentation
from cds_service.records import CallRecord, DeterminationRecord


def call_record(
    body: bytes, decision: Decision, policies: tuple[Policy, ...], how: Presentation
) -> Callable[[int, datetime], CallRecord]:
    """Makes the record of a call with ``body`` that was decided so."""
    response = render_response(decision, policies, how).body
    determinations = tuple(
        DeterminationRecord("ServiceRequest/1", said.policy.id, ("2023-11-01",), "yes", "M1", "not-covered", None, [], {})
        for said in decision.determinations
    )

    def made(number: int, at: datetime) -> CallRecord:
        return CallRecord(
            call_id=str(uuid.uuid4()),
            at=at,
            hook="order-sign",
            service_id="order-sign-crd",
            hook_instance=f"{number}",
            client=None,
            status=200,
            duration_ms=1.0,
            crd_version="2.0",
            software_version="0",
            policy_hashes={policy.id: policy.sha256 for policy in policies},
            request=body,
            response=response,
            today=at.date().isoformat(),
            determinations=tuple(
                msgspec.structs.replace(each, assertion_id=f"urn:uuid:{uuid.uuid4()}") for each in determinations
            ),
        )

    return made

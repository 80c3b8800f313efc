"""What the views work with, wired together by ``app.py`` and by nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from zoneinfo import ZoneInfo

from flask import current_app

from cds_service.auth import Authenticator
from cds_service.crd.order_reading import Circumstances
from cds_service.crd.policy import Policy
from cds_service.crd.system_actions import Presentation
from cds_service.fhir_client import FhirClient
from cds_service.records import Store
from cds_service.settings import Settings


@dataclass(frozen=True)
class Services:
    """One application's parts.

    ``now`` gives an aware moment, ``new_id`` a fresh UUID; ``public_url`` has no slash at its end. ``authenticator`` is None in
    open mode, else ``origins`` are those that browsers may call from; ``store`` is None where nothing is kept.
    """

    settings: Settings
    policies: tuple[Policy, ...]
    public_url: str
    fhir: FhirClient
    now: Callable[[], datetime]
    new_id: Callable[[], str]
    zone: ZoneInfo
    authenticator: Authenticator | None = None
    origins: frozenset[str] = frozenset()
    store: Store | None = None
    on_record_failure: Callable[[], None] = lambda: None

    @cached_property
    def policy_hashes(self) -> dict[str, str]:
        """The SHA-256 of each policy file, by policy id."""
        return {policy.id: policy.sha256 for policy in self.policies}

    @property
    def today(self) -> date:
        """The day in the plan's time zone."""
        return self.day_of(self.now())

    def day_of(self, moment: datetime) -> date:
        """The day in the plan's time zone at an aware ``moment``."""
        return moment.astimezone(self.zone).date()

    def circumstances(self, today: date) -> Circumstances:
        """What a decision on ``today`` depends on besides the request."""
        return Circumstances(self.policies, today, self.zone, self.settings.unmatched == "conditional")

    def presentation(self, today: date, asserting: bool = True) -> Presentation:
        """What an answer on ``today`` depends on besides the decision."""
        return Presentation(self.public_url, today, self.new_id, self.settings.literal_q2, asserting)


def services() -> Services:
    """The parts of the application that is serving the current request."""
    found: Services = current_app.extensions["cds_service"]
    return found

"""Dates as people write and read them on the pages."""

from __future__ import annotations

import re
from datetime import date, timedelta

from cds_service.crd.card_text import span_text, us_date
from cds_service.crd.policy import Policy
from cds_service.crd.policy_file import PolicyVersion
from cds_service.crd.service_dates import Span

__all__ = ["Span", "iso_date", "period_text", "span_text", "us_date"]

_US_DATE = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4})", re.ASCII)


def iso_date(text: str) -> str:
    """``text`` as a FHIR date where it is one written the American way (10/31/2023); anything else as it is, trimmed."""
    text = text.strip()
    found = _US_DATE.fullmatch(text)
    return f"{found[3]}-{int(found[1]):02}-{int(found[2]):02}" if found else text


def last_day(policy: Policy, version: PolicyVersion) -> date | None:
    """The last day (inclusive) on which ``version`` holds, or None for the version that has no end."""
    later = [each.start for each in policy.document.versions if each.start > version.start]
    return min(later) - timedelta(days=1) if later else None


def period_text(policy: Policy, version: PolicyVersion) -> str:
    """The dates of service for which ``version`` holds: "6/1/2011 to 10/31/2023", "from 11/1/2023"."""
    end = last_day(policy, version)
    return f"{us_date(version.start)} to {us_date(end)}" if end else f"from {us_date(version.start)}"

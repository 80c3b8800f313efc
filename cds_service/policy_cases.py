"""A policy's cases: orders with the answer that its author expects, as data beside the policy, and what comes of them.

``NAME.cases.toml`` stands beside ``NAME.toml``. Each ``[[cases]]`` becomes an order-sign call that the service decides by that
policy alone, with the same code as a real call.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

import msgspec

from cds_service.crd.errors import PolicyError, place_and_problem
from cds_service.crd.fhir_values import as_list
from cds_service.crd.membership import Membership
from cds_service.crd.policy import Policy
from cds_service.crd.recognition import Answer
from cds_service.crd.service_dates import parse_fhir_date
from cds_service.crd.toml_text import parse_toml
from cds_service.policy_files import CASES_SUFFIX
from cds_service.settings import Settings
from cds_service.trying import Outcome, TryContext, try_request

#: Whether a date can be read is the same in every zone.
_ANY_ZONE = ZoneInfo("UTC")

Expected = Literal[
    "covered",
    "not-covered",
    "conditional",
    "possibly",
    "covered if a member",
    "not-covered if a member",
    "conditional if a member",
    "possibly if a member",
    "no card",
]


class Payor(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A coverage by the names that it bears: of its payor and, if it names one, of its plan."""

    payor: str
    plan: str | None = None


class Case(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One order and the answer expected.

    ``order`` is the text of the order, ``code`` a code such as "CPT 76498" with a system of the policy's ``systems``; one of them
    is needed. ``service_date`` (``date`` in the file: a TOML date, or text as FHIR writes it, such as "2023"; it must be
    readable); None: the order states none. ``coverage``: "member" of the policy's plan, "none", or names. ``cites``: the
    ``from`` dates of the versions cited; None: not looked at.
    """

    name: Annotated[str, msgspec.Meta(min_length=1)]
    expect: Expected
    order: str | None = None
    code: str | None = None
    service_date: str | None = msgspec.field(default=None, name="date")
    coverage: Literal["member", "none"] | Payor = "member"
    cites: tuple[date, ...] | None = None


class _CaseFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    cases: Annotated[tuple[Case, ...], msgspec.Meta(min_length=1)]


@dataclass(frozen=True)
class Result:
    """What came of one case: the answer, the versions cited, and why, in one sentence."""

    case: Case
    answer: str
    cites: tuple[date, ...]
    why: str

    @property
    def passed(self) -> bool:
        """Is it what was expected? Versions count only where the case names some."""
        return self.answer == self.case.expect and self.case.cites in (None, self.cites)


def cases_beside(policy_path: Path) -> Path:
    """Where the cases of the policy file ``policy_path`` stand."""
    return policy_path.with_name(policy_path.name.removesuffix(".toml") + CASES_SUFFIX)


def load_cases(path: Path) -> tuple[Case, ...]:
    """Read a file of cases. Raises PolicyError with file, place and cure."""
    try:
        data = parse_toml(path.read_text(encoding="utf-8"))
        for each in as_list(data.get("cases")):
            if isinstance(each, dict) and isinstance(each.get("date"), date):
                each["date"] = each["date"].isoformat()
        cases = msgspec.convert(data, _CaseFile).cases
    except (OSError, UnicodeDecodeError) as error:
        cure = "write cases there, or name a file of cases with --cases"
        raise PolicyError(str(path), "file", f"cannot be read ({type(error).__name__})", cure) from None
    except msgspec.ValidationError as error:
        place, problem = place_and_problem(error)
        raise PolicyError(str(path), place or "cases", problem, "see docs/writing-a-policy.md") from None
    except ValueError as error:
        raise PolicyError(str(path), "TOML", str(error), "mend the syntax there") from None
    for case in cases:
        if not (case.order or case.code):
            raise PolicyError(str(path), case.name, "neither order nor code is given", "write the order's text, a code, or both")
        if case.service_date is not None and parse_fhir_date(case.service_date, _ANY_ZONE) is None:
            cure = 'write a date as 2023-11-01, or "2023-11" or "2023"; leave it out for an order without a date'
            raise PolicyError(str(path), case.name, f"date cannot be read (found {case.service_date[:60]!r})", cure)
    return cases


def run_cases(policy: Policy, cases: tuple[Case, ...], settings: Settings, today: date) -> list[Result]:
    """Decide every case by ``policy`` alone, as on ``today``. Raises PolicyError for a code of an unknown system."""
    context = TryContext.from_settings(settings, today, policies=(policy,))
    return [_result(case, try_request(_call(case, policy), context)) for case in cases]


def _call(case: Case, policy: Policy) -> bytes:
    order: dict[str, Any] = {
        "resourceType": "ServiceRequest",
        "id": "order",
        "status": "draft",
        "intent": "order",
        "code": ({"text": case.order} if case.order else {}) | ({"coding": [_coding(case.code, policy)]} if case.code else {}),
        "subject": {"reference": "Patient/patient"},
    }
    if case.service_date is not None:
        order["occurrenceDateTime"] = case.service_date
    request = {
        "hook": "order-sign",
        "hookInstance": "policy-case",
        "context": {
            "userId": "Practitioner/author",
            "patientId": "patient",
            "draftOrders": {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": order}]},
        },
        "prefetch": {"coverage": _coverage(case, policy)},
    }
    return msgspec.json.encode(request)


def _coding(code: str, policy: Policy) -> dict[str, str]:
    name, _, bare = code.partition(" ")
    for system in policy.document.recognition.systems:
        if system.name == name and bare:
            return {"system": system.uris[0], "code": bare}
    names = ", ".join(system.name for system in policy.document.recognition.systems) or "none"
    raise PolicyError(policy.file, "cases", f"found code {code!r}", f'write "SYSTEM CODE" with a system of recognition ({names})')


def _coverage(case: Case, policy: Policy) -> dict[str, Any] | None:
    if case.coverage == "none":
        return None
    names = case.coverage if isinstance(case.coverage, Payor) else Payor(policy.document.payer, policy.document.plan)
    coverage: dict[str, Any] = {
        "resourceType": "Coverage",
        "id": "coverage",
        "status": "active",
        "beneficiary": {"reference": "Patient/patient"},
        "payor": [{"display": names.payor}],
    }
    if names.plan:
        coverage["class"] = [{"type": {"coding": [{"code": "plan"}]}, "value": names.plan, "name": names.plan}]
    return coverage


def _result(case: Case, outcome: Outcome) -> Result:
    decision = outcome.decision
    reading = decision.readings[0]
    why = reading.recognition.reason if reading.recognition else "No word and no code of the policy stands in the order."
    if not decision.determinations:
        if reading.is_recognised:
            why = "; ".join(coverage.why for coverage in decision.coverages).capitalize() + "."
        elif reading.dates and not reading.versions:
            why = "No version of the policy held on that date."
        return Result(case, "no card", (), why)
    said = decision.determinations[0]
    covered = {version.covered for version in said.versions}
    answer = "possibly" if said.answer is Answer.POSSIBLY else covered.pop() if len(covered) == 1 else "conditional"
    suffix = "" if said.membership is Membership.MEMBER else " if a member"
    return Result(case, answer + suffix, tuple(version.start for version in said.versions), why)

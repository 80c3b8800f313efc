"""What can be wrong with a call or a policy file, and how it is told to the caller.

::

    CrdError                       never raised itself
    |-- CallError                  the caller's: becomes an OperationOutcome
    |   |-- BadRequest             400  not JSON, not CDS Hooks, not FHIR, or (CRD 2.2) not our payer (hook-13)
    |   |-- UnknownService         404  no hook service of that id
    |   |-- DataUnavailable        412  needed data neither prefetched nor to be had (CDS Hooks, "Prefetch")
    |   |-- TooLarge               413  more bytes or more orders than the service reads
    |   |-- NotJson                415  a media type or content encoding that is not read
    |   `-- ConstraintBroken       422  valid CDS Hooks that breaks a CRD rule (hook-13)
    `-- PolicyError                a policy file is defective: stops the start

The HTTP status of a CallError stands here once, as ``status``; ``app.py`` maps it to an answer through that alone. What concerns
only the edge (who calls, whether the records are up, HTTP itself) has errors there, and their status in ``app.py``.
"""

from __future__ import annotations

import re
from typing import Any, ClassVar

import msgspec

_AT = re.compile(r"(.*?)(?: - at `\$\.?(.*)`)?", re.DOTALL)


def place_and_problem(error: msgspec.ValidationError) -> tuple[str, str]:
    """Where and what msgspec finds wrong: a path such as ``versions[0].from``, "" for the whole, and the problem in its words."""
    found = _AT.fullmatch(str(error))
    assert found is not None  # the pattern matches any text
    return found[2] or "", found[1]


class CrdError(Exception):
    """The root of the tree."""


class CallError(CrdError):
    """A call that cannot be answered: what is wrong, at which place, and what mends it.

    ``place`` is a path within the request body such as ``context.patientId`` (no values: it may be logged), or
    ``""`` when no single place is to blame. ``problem`` and ``cure`` are for the caller's developer and never quote
    the request's content, which may be a patient's. ``more_places`` are further places at which the same is wrong.
    ``so_far`` is the ``Decision`` as far as it got, for people who ask why; None where nothing was read.
    """

    status: ClassVar[int] = 400
    #: code of http://hl7.org/fhir/ValueSet/issue-type
    issue_type: ClassVar[str] = "invalid"

    def __init__(self, place: str, problem: str, cure: str, more_places: tuple[str, ...] = ()) -> None:
        super().__init__(f"{place}: {problem}" if place else problem)
        self.place = place
        self.problem = problem
        self.cure = cure
        self.more_places = more_places
        self.so_far: object = None


class BadRequest(CallError):
    """The body is not JSON, or breaks a rule of CDS Hooks or FHIR; in CRD 2.2 also: not this payer's (hook-13)."""


class UnknownService(CallError):
    """No hook service has the id of the URL."""

    status = 404
    issue_type = "not-found"


class DataUnavailable(CallError):
    """Needed data was neither prefetched nor obtainable (CDS Hooks 2.0, "Prefetch Template"; CRD found-32)."""

    status = 412
    issue_type = "incomplete"


class TooLarge(CallError):
    """More bytes, or more orders, than the service reads in one call."""

    status = 413
    issue_type = "too-costly"


class NotJson(CallError):
    """A media type or content encoding that the service does not read."""

    status = 415
    issue_type = "not-supported"


class ConstraintBroken(CallError):
    """Valid CDS Hooks and FHIR that breaks a CRD constraint (CRD 2.2.1 hook-13)."""

    status = 422
    issue_type = "business-rule"


class PolicyError(CrdError):
    """A policy file is defective: which file, which place in it, the value found, and the cure."""

    def __init__(self, file: str, place: str, problem: str, cure: str) -> None:
        super().__init__(f"{file}: {place}: {problem}; {cure}")
        self.file = file
        self.place = place


def operation_outcome(error: CallError) -> dict[str, Any]:
    """Render ``error`` as a FHIR R4 OperationOutcome with one issue (CRD 2.2.1 hook-10)."""
    issue: dict[str, Any] = {
        "severity": "error",
        "code": error.issue_type,
        "diagnostics": f"{error}. {error.cure}.",
    }
    if error.place:
        issue["expression"] = [error.place, *error.more_places]
    return {"resourceType": "OperationOutcome", "issue": [issue]}

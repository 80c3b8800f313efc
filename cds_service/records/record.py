"""What is kept of a hook call, and what can go wrong with keeping it.

::

    RecordsError                    never raised itself
    |-- RecordsMisconfigured        stops the start or a command: a setting, file or migration is wrong; says the cure
    |-- RecordsUnavailable          the store cannot write or read now; a call is answered without an assertion
    |   `-- RecordUnstorable        this one value cannot be stored, now or later
    `-- RecordUnreadable            one record cannot be opened: its key is missing, or it was tampered with

No message of these holds a value from a record: they may be logged.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

#: The name in ``CallRecord.settings`` that tells, by False, that an answer's assertions were withheld. Else it is absent.
ASSERTING = "asserting"


class RecordsError(Exception):
    """The root of the tree."""


class RecordsMisconfigured(RecordsError):
    """A setting, key file or database is not fit for use: the message says which, and the cure."""


class RecordsUnavailable(RecordsError):
    """The store cannot be written or read at the moment.

    Of what was to be written nothing is kept, unless a server got the commit and its reply never came.
    """


class RecordUnstorable(RecordsUnavailable):
    """A value has a type or content that the database does not take; trying again will not help."""


class RecordUnreadable(RecordsError):
    """A record's sealed part cannot be opened with the keys at hand."""


class DeterminationRecord(msgspec.Struct, frozen=True):
    """What the payer said of one order (CRD 2.2.1 found-11).

    ``order_place`` names the order within the call, such as ``ServiceRequest/1``. ``answer`` is ``yes``, ``possibly``
    or ``no``. ``covered`` and ``assertion_id`` are None when the order bears no coverage-information of ours after the call;
    ``is_repeated`` tells that it bore it already when it came in, so that nothing was added.
    ``evidence`` and ``dates`` hold what the decision rested on: JSON-like values, or structs, which are read back as such.
    Order, evidence and dates are patient data: they are kept sealed; the rest stands in plain columns.
    """

    order_place: str
    policy: str
    policy_versions: tuple[str, ...]
    answer: str
    rule: str
    covered: str | None
    assertion_id: str | None
    evidence: Any
    dates: Any
    is_repeated: bool = False

    def __repr__(self) -> str:
        return f"DeterminationRecord(policy={self.policy!r}, answer={self.answer!r})"


class CardRecord(msgspec.Struct, frozen=True):
    """One card of the response: its ``uuid``, by which feedback names it, and the determinations it tells."""

    uuid: str
    policy: str
    answer: str
    assertion_ids: tuple[str, ...] = ()


class CallRecord(msgspec.Struct, frozen=True):
    """One hook call with its answer, and all that is needed to decide it again (CRD 2.2.1 found-11, found-37).

    ``call_id`` is a UUID made by the caller of the store, ``at`` the aware time the call came in. ``client`` is the
    registered name, None without authentication. ``duration_ms`` is the time from the start of the request's service (its token
    not yet checked) until the answer was ready to be kept.
    ``policy_hashes`` maps policy ids to the SHA-256 (hex) of their files; ``fetched`` what the FHIR server returned,
    by place; ``today`` the plan's day (ISO); ``settings`` those settings the decision used, never a secret.

    Of a call that was refused before it was understood, ``hook_instance``, ``crd_version`` and ``request`` may be empty; of
    one that the service failed on (status 500), ``response`` is.

    The whole value is what gets sealed. A field added later needs a default, or older records cannot be read.
    """

    call_id: str
    at: datetime
    hook: str
    service_id: str
    hook_instance: str
    client: str | None
    status: int
    duration_ms: float
    crd_version: str
    software_version: str
    policy_hashes: dict[str, str]
    request: bytes
    response: bytes
    fetched: dict[str, bytes] = {}
    today: str = ""
    settings: dict[str, Any] = {}
    determinations: tuple[DeterminationRecord, ...] = ()
    cards: tuple[CardRecord, ...] = ()

    @property
    def was_decided(self) -> bool:
        """Did an answer come of it that can be decided again: no failure of ours, nor a body that was not kept?"""
        return self.status < 300 or (self.status < 500 and self.request != b"")

    def __repr__(self) -> str:
        # msgspec's own would put the request into every traceback that shows locals.
        return f"CallRecord(call_id={self.call_id!r}, hook={self.hook!r}, status={self.status})"


class KeptFeedback(msgspec.Struct, frozen=True):
    """One feedback report as it was kept: CDS Hooks 2.0 "Feedback", with the time it was received."""

    card: str
    outcome: str
    outcome_at: datetime
    received_at: datetime
    service_id: str
    accepted: tuple[str, ...] = ()
    reason_system: str | None = None
    reason_code: str | None = None
    reason_display: str | None = None
    comment: str | None = None

    def __repr__(self) -> str:
        return f"KeptFeedback(card={self.card!r}, outcome={self.outcome!r})"


class FoundCall(msgspec.Struct, frozen=True):
    """A kept call, opened, with the feedback its own client sent on its cards, oldest first."""

    row_id: int
    call: CallRecord
    feedback: tuple[KeptFeedback, ...] = ()

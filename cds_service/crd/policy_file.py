"""The shape of a policy file: its keys, and what each may hold. The vocabulary's are in ``recognition_table``."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

import msgspec

from .vocabulary import Vocabulary

Text = Annotated[str, msgspec.Meta(pattern=r"\S")]
Covered = Literal["covered", "not-covered", "conditional"]


class _Part(msgspec.Struct, frozen=True, eq=False, forbid_unknown_fields=True, kw_only=True):
    """A part of a policy file: unknown keys are refused, so that a misspelt one cannot be overlooked.

    A part is equal to itself alone, which makes it a key by which what follows from it is remembered.
    """


class Reference(_Part, frozen=True, kw_only=True):
    """What a version rests on; ``url`` is absolute, or None where the document has no public address."""

    title: Text
    url: Text | None = None


class PolicyVersion(_Part, frozen=True, rename={"start": "from"}, kw_only=True):
    """What the policy says of dates of service from ``start`` (inclusive) until the next version's ``start``."""

    start: date
    in_force: Text
    covered: Covered
    determination: Text
    statement: Text
    summary_alone: Text
    summary_among: Text
    authority: Text
    reason: Text
    why: Text
    references: Annotated[tuple[Reference, ...], msgspec.Meta(min_length=1)]

    @property
    def anchor(self) -> str:
        """The fragment that names this version on the policy's page."""
        return f"from-{self.start.isoformat()}"


class CardText(_Part, frozen=True, kw_only=True):
    """The sentences around the determination."""

    member_unknown: Text
    member_inactive: Text
    unclear: Text
    read_as: Text
    care: Text
    next_steps: Annotated[tuple[Text, ...], msgspec.Meta(min_length=1)]
    instructions: Text
    trial_shown: Text
    trial_mention: Text
    disclaimer: Text


class Code(_Part, frozen=True, kw_only=True):
    """A billing code with a short label of our own."""

    system: Text
    code: Text
    label: Text


class OverrideReason(_Part, frozen=True, kw_only=True):
    """One reason for which a clinician may go on in spite of the card."""

    code: Text
    display: Text


class Override(_Part, frozen=True, kw_only=True):
    """The override reasons and the one code system they belong to."""

    system: Text
    reasons: Annotated[tuple[OverrideReason, ...], msgspec.Meta(min_length=1)]


class Identifier(_Part, frozen=True, kw_only=True):
    """A payer identifier that is ours."""

    system: Text
    value: Text


class CoverageNames(_Part, frozen=True, kw_only=True):
    """How a Coverage of this payer and plan is told from others; see the comments in the policy file."""

    insurer_names: Annotated[tuple[Text, ...], msgspec.Meta(min_length=1)]
    plan_names: Annotated[tuple[Text, ...], msgspec.Meta(min_length=1)]
    spelled_alike: tuple[Annotated[tuple[Text, ...], msgspec.Meta(min_length=2)], ...] = ()
    other_plans: tuple[Text, ...] = ()
    shared_brands: tuple[Text, ...] = ()
    home: tuple[Text, ...] = ()
    generic_words: tuple[Text, ...] = ()
    other_insurers: tuple[Text, ...] = ()
    elsewhere: tuple[Text, ...] = ()
    identifiers: tuple[Identifier, ...] = ()


class HistoryEntry(_Part, frozen=True, kw_only=True):
    """One line of the document's review history, its date as the document writes it."""

    date: Text
    text: Text


class PolicyFile(_Part, frozen=True, kw_only=True):
    """The shape of a policy file."""

    id: Text
    number: Text
    title: Text
    procedure: Text
    plan: Text
    payer: Text
    source_label: Text
    category: Text
    summary: Text
    literature: tuple[Text, ...] = ()
    versions: Annotated[tuple[PolicyVersion, ...], msgspec.Meta(min_length=1)]
    card: CardText
    codes: tuple[Code, ...] = ()
    override: Override
    coverage: CoverageNames
    history: tuple[HistoryEntry, ...] = ()
    recognition: Vocabulary

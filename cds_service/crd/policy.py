"""A payer's policy as dated data: TOML text to ``Policy``, and which versions hold over given days.

The only module that knows the keys of a policy file. Versions carry only the day they begin; one holds until the next
begins, so neither a gap nor an overlap can be written.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Iterable
from datetime import date, timedelta
from itertools import pairwise
from typing import Annotated, Any, Literal

import msgspec

from .errors import PolicyError
from .service_dates import Span
from .vocabulary import CompiledVocabulary, Vocabulary, compile_vocabulary

#: CDS Hooks 2.0 "Card Attributes": a summary has fewer than 140 characters.
MAX_SUMMARY = 139

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


class CoverageNames(_Part, frozen=True, kw_only=True, cache_hash=True):
    """How a Coverage of this payer and plan is told from others; see the comments in the policy file.

    Its hash is kept: each call looks up by it.
    """

    insurer_names: Annotated[tuple[Text, ...], msgspec.Meta(min_length=1)]
    plan_names: Annotated[tuple[Text, ...], msgspec.Meta(min_length=1)]
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


class Policy(msgspec.Struct, frozen=True, eq=False):
    """A checked policy: the file's content, its name, the SHA-256 of its bytes, and the vocabulary made ready.

    Equal to itself alone, as its parts are.
    """

    file: str
    sha256: str
    document: PolicyFile
    vocabulary: CompiledVocabulary

    @property
    def id(self) -> str:
        """The policy's id, which is its place in URLs."""
        return self.document.id

    def versions_over(self, spans: Iterable[Span]) -> tuple[PolicyVersion, ...]:
        """The versions that hold on at least one day of ``spans``, in order of date; none before the first began."""
        versions = self.document.versions
        ends = [later.start - timedelta(days=1) for later in versions[1:]] + [date.max]
        spans = tuple(spans)
        return tuple(
            version
            for version, end in zip(versions, ends, strict=True)
            if any(span.touches(version.start, end) for span in spans)
        )

    def version_on(self, day: date) -> PolicyVersion | None:
        """The version in force on ``day``, or None before the first."""
        found = self.versions_over((Span(day, day),))
        return found[0] if found else None

    def summary_of(self, versions: tuple[PolicyVersion, ...]) -> str:
        """What ``versions`` determine and on whose authority, in one line."""
        if len(versions) == 1:
            return f"{versions[0].determination}. {versions[0].summary_alone}"
        if len({version.determination for version in versions}) == 1:
            return f"{versions[0].determination}. " + "; ".join(_lower_first(versions))
        return "; ".join(f"{version.summary_among}: {version.determination}" for version in versions)


def _lower_first(versions: tuple[PolicyVersion, ...]) -> list[str]:
    """The authorities as parts of one sentence: only the first keeps its capital."""
    first, *others = (version.summary_among for version in versions)
    return [first, *(other[:1].lower() + other[1:] for other in others)]


#: What mends an error of a kind, told by how msgspec begins its message.
_CURES = {
    "Object missing required field": "add it",
    "Object contains unknown field": "correct its spelling or take it out; the keys are those of blue-advantage-177.toml",
    "Expected `array` of length >= 1": "give at least one",
    "Expected `str` matching": "write something there",
    "Invalid enum value": "use one that blue-advantage-177.toml explains",
    "Expected `date`": "write a date as 2023-11-01, without quotes or time",
    "Invalid RFC3339": "write a date as 2023-11-01, without quotes or time",
}
_SEE = "write it as blue-advantage-177.toml does"
_AT = re.compile(r"^(?P<problem>.*?)(?: - at `\$\.?(?P<place>.*)`)?$", re.DOTALL)


def parse_policy(text: str, file: str) -> Policy:
    """Check ``text``, the content of the policy file named ``file``. Raises PolicyError with place, value and cure."""
    try:
        data = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # TOMLDecodeError is a ValueError; so is a number of 5000 digits
        raise PolicyError(file, "TOML", str(error), "mend the syntax at that line") from None
    try:
        document = msgspec.convert(data, PolicyFile)
    except msgspec.ValidationError as error:
        found = _AT.match(str(error))
        place = found["place"] or "top level" if found else "top level"
        problem = found["problem"] if found else str(error)
        cure = next((cure for begin, cure in _CURES.items() if problem.startswith(begin)), _SEE)
        raise PolicyError(file, place, f"{problem}{_value_at(data, place)}", cure) from None
    try:
        vocabulary = compile_vocabulary(document.recognition)
    except ValueError as error:
        raise PolicyError(file, "recognition", str(error), "mend the vocabulary") from None
    policy = Policy(file, hashlib.sha256(text.encode()).hexdigest(), document, vocabulary)
    _check(policy)
    return policy


def _value_at(data: Any, place: str) -> str:
    """The offending value, shortened, for the error message."""
    value = data
    for step in re.findall(r"[^.\[\]]+", place):
        try:
            value = value[int(step)] if isinstance(value, list) else value[step]
        except (KeyError, IndexError, ValueError, TypeError):
            return ""
    return "" if isinstance(value, dict | list) else f" (found {str(value)[:60]!r})"


def _check(policy: Policy) -> None:
    """What types cannot say: order of versions, lengths of summaries, addresses, unique codes."""
    document = policy.document
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", document.id):
        raise PolicyError(policy.file, "id", f"found {document.id!r}", "use lower-case letters, digits and hyphens")
    starts = [version.start for version in document.versions]
    for index, (earlier, later) in enumerate(pairwise(starts)):
        if later <= earlier:
            raise PolicyError(
                policy.file, f"versions[{index + 1}].from", f"found {later}, not after {earlier}", "order versions by date"
            )
    for index, version in enumerate(document.versions):
        for place, reference in enumerate(version.references):
            if reference.url is not None and not re.fullmatch(r"https?://[^\s/]+\S*", reference.url):
                where = f"versions[{index}].references[{place}].url"
                raise PolicyError(policy.file, where, f"found {reference.url!r}", "write an absolute web address")
        for last in range(index, len(starts)):
            _check_summary(policy, index, last)
    codes = [reason.code for reason in document.override.reasons]
    if len(set(codes)) < len(codes):
        raise PolicyError(policy.file, "override.reasons", f"found {codes}", "give each reason a code of its own")


def _check_summary(policy: Policy, first: int, last: int) -> None:
    summary = max(summaries(policy, policy.document.versions[first : last + 1]), key=len)
    if len(summary) > MAX_SUMMARY:
        raise PolicyError(
            policy.file,
            f"versions[{first}].summary_{'alone' if first == last else 'among'}",
            f"makes a summary of {len(summary)} characters, {summary!r}",
            f"shorten it to {MAX_SUMMARY} characters in all",
        )


def summaries(policy: Policy, versions: tuple[PolicyVersion, ...]) -> tuple[str, str]:
    """The card's summary when the procedure is certain, and when it is only possible."""
    told, procedure = policy.summary_of(versions), policy.document.procedure
    return f"{procedure[:1].upper()}{procedure[1:]}: {told}", f"Name the procedure. If {procedure}: {told}"

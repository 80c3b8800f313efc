"""A payer's policy as dated data: TOML text to ``Policy``, and which versions hold over given days.

Versions carry only the day they begin; one holds until the next begins, so neither a gap nor an overlap can be written.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from datetime import date, timedelta
from itertools import pairwise
from typing import Any

import msgspec

from .errors import PolicyError, place_and_problem
from .policy_file import PolicyFile, PolicyVersion
from .service_dates import Span
from .toml_text import parse_toml
from .vocabulary import CompiledVocabulary, compile_vocabulary

#: CDS Hooks 2.0 "Card Attributes": a summary has fewer than 140 characters.
MAX_SUMMARY = 139


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


def parse_policy(text: str, file: str) -> Policy:
    """Check ``text``, the content of the policy file named ``file``. Raises PolicyError with place, value and cure."""
    try:
        data = parse_toml(text)
    except ValueError as error:
        raise PolicyError(file, "TOML", str(error), "mend the syntax at that line") from None
    try:
        document = msgspec.convert(data, PolicyFile)
    except msgspec.ValidationError as error:
        where, problem = place_and_problem(error)
        place = where or "top level"
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

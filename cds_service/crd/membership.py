"""Is a Coverage ours: member, other, or unknown; and why.

The insurer and the plan are told from what the Coverage and its payor Organization say in words and identifiers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from enum import Enum
from typing import Any, cast
from zoneinfo import ZoneInfo

import msgspec

from .coverage_names import Payor, class_names, payors_of, type_texts
from .fhir import Resource, decode
from .fhir_values import as_object, reference_tail
from .payer_names import Names, has_any, is_anothers, is_elsewhere, is_ours, names_a_plan, names_of
from .policy_file import CoverageNames
from .remembered import Remembered
from .service_dates import ServiceDates, parse_fhir_date


class Insurer(Enum):
    """Whose a Coverage is, as far as it tells."""

    OURS = "ours"
    OTHER = "another insurer"
    UNKNOWN = "not told"


class Membership(Enum):
    """What a Coverage makes of the patient: a member of our plan, insured otherwise, or untold."""

    MEMBER = "member"
    OTHER = "other"
    UNKNOWN = "unknown"


class CoverageReading(msgspec.Struct, frozen=True):
    """What one Coverage tells.

    ``not_counting`` is None if it counts, else why not; ``inactive`` tells whether status or period alone are to blame.
    ``payor_to_read`` is an Organization that it names as payor and that was not sent, as (type, id), or None.
    """

    coverage: Resource
    insurer: Insurer
    membership: Membership
    why: str
    not_counting: str | None = None
    inactive: bool = False
    payor_to_read: tuple[str, str] | None = None

    @property
    def counts(self) -> bool:
        """Is it this patient's, active, and touching the date of service?"""
        return self.not_counting is None


class Identity(msgspec.Struct, frozen=True):
    """What a Coverage tells whatever the date: see CoverageReading. ``first`` and ``last`` bound its period, both inclusive.

    It says of the patient no more than that, so that it may be remembered.
    """

    insurer: Insurer
    membership: Membership
    why: str
    payor_to_read: tuple[str, str] | None
    beyond: str | None
    is_active: bool
    first: date
    last: date

    def on(self, coverage: Resource, dates: ServiceDates) -> CoverageReading:
        """The reading of ``coverage``, whose identity this is, for ``dates``: does it count then?"""
        inactive = self._inactive(dates)
        return CoverageReading(
            coverage,
            self.insurer,
            self.membership,
            self.why,
            self.beyond or inactive,
            inactive is not None and self.beyond is None,
            self.payor_to_read,
        )

    def _inactive(self, dates: ServiceDates) -> str | None:
        """Why it is not active on ``dates``, or None if it is."""
        if not self.is_active:
            return "its status is not active"
        if any(span.touches(self.first, self.last) for span in dates.spans):
            return None
        if all(span.last < self.first for span in dates.spans):
            return "its period begins after the date of service"
        if all(span.first > self.last for span in dates.spans):
            return "its period ended before the date of service"
        return "its period does not touch the date of service"


def identify_coverages(
    coverages: Sequence[Resource], organizations: Sequence[Resource], patient_id: str, zone: ZoneInfo, names: CoverageNames
) -> list[Identity]:
    """What each of ``coverages`` tells, given the ``organizations`` of the call. Raises BadRequest if one cannot be decoded.

    A patient's coverage comes with each of their orders, so what it told is remembered under a digest of all it rests on.
    """
    digests = _digests(coverages, organizations, patient_id, zone, names)
    known = [_identities.get(digest) for digest in digests]
    if coverages and None not in known:
        return cast(list[Identity], known)
    by_reference = _by_reference(organizations)
    identities = [identify_coverage(each, by_reference, patient_id, zone, names) for each in coverages]
    for digest, identity in zip(digests, identities, strict=True):
        if identity.payor_to_read is None:  # text of the caller's; and what is read then makes another identity of it
            _identities.keep(digest, identity)
    return identities


#: How many Coverages are remembered; an entry takes about 400 bytes.
REMEMBERED = 4096
_identities: Remembered[Identity] = Remembered(REMEMBERED)


def _digests(
    coverages: Sequence[Resource], organizations: Sequence[Resource], patient_id: str, zone: ZoneInfo, names: CoverageNames
) -> list[bytes]:
    """A digest for each Coverage, of everything that ``identify_coverage`` reads; lengths tell each part from the next."""
    shared = hashlib.blake2b(key=names_of(names).digest, digest_size=16)
    parts = [patient_id.encode(), str(zone.key).encode()]
    for each in organizations:
        parts += [(each.full_url or "").encode(), each.raw]
    for part in parts:
        shared.update(b"%d:" % len(part) + part)
    digests = []
    for coverage in coverages:
        one = shared.copy()
        one.update(coverage.raw)
        digests.append(one.digest())
    return digests


def _by_reference(organizations: Sequence[Resource]) -> dict[tuple[str, str], Mapping[str, Any]]:
    found: dict[tuple[str, str], Mapping[str, Any]] = {}
    for each in organizations:
        body = as_object(decode(each.raw, each.place))
        if each.id:
            found["Organization", each.id] = body
        if each.full_url:
            found["", each.full_url] = body
    return found


def identify_coverage(
    coverage: Resource,
    organizations: Mapping[tuple[str, str], Mapping[str, Any]],
    patient_id: str,
    zone: ZoneInfo,
    names: CoverageNames,
) -> Identity:
    """What ``coverage`` tells whatever the date. Raises BadRequest if it cannot be decoded.

    ``organizations`` maps (type, id), or ("", fullUrl), to the Organizations that came with the call. A Coverage counts if its
    beneficiary is ``patient_id`` or not stated, its status is ``active``, and its period, of which a bound that cannot be read
    counts as not stated, touches the date of service (``Identity.on``).
    """
    body = as_object(decode(coverage.raw, coverage.place))
    payors = list(payors_of(body, organizations))
    insurer, plan, why = _identify(body, payors, names_of(names))
    missing = next((payor.to_read for payor in payors if payor.to_read), None)
    period = as_object(body.get("period"))
    start, end = parse_fhir_date(period.get("start"), zone), parse_fhir_date(period.get("end"), zone)
    return Identity(
        insurer,
        plan,
        why,
        missing if insurer is Insurer.UNKNOWN else None,
        _beyond_use(body, patient_id),
        body.get("status") == "active",
        start.first if start else date.min,
        end.last if end else date.max,
    )


def _beyond_use(body: Mapping[str, Any], patient_id: str) -> str | None:
    """Why nothing may be told of it, not even that it is inactive; None if something may."""
    stated = reference_tail(as_object(body.get("beneficiary")).get("reference"))
    if stated and stated[1] != patient_id:
        return "its beneficiary is another patient"
    return "it was entered in error, as its status says" if body.get("status") == "entered-in-error" else None


def _identify(body: Mapping[str, Any], payors: list[Payor], names: Names) -> tuple[Insurer, Membership, str]:
    """The insurer, what it makes of the patient, and why, from names and identifiers."""
    insurers = {found for payor in payors for found in _insurers_named(payor, names)}
    classes = [(is_plan, names.words(name)) for is_plan, name in class_names(body)]
    product_words = [words for _, words in classes] + [names.words(text) for text in type_texts(body)]
    if not insurers:
        insurers |= {Insurer.OURS for words in product_words if is_ours(words, names)}
    if Insurer.OURS not in insurers and any(is_elsewhere(words, names) for words in product_words):
        insurers.add(Insurer.OTHER)
    if Insurer.OTHER in insurers and Insurer.OURS in insurers:
        return Insurer.UNKNOWN, Membership.UNKNOWN, "its payor is named both as ours and as another's"
    if Insurer.OTHER in insurers:
        return Insurer.OTHER, Membership.OTHER, "its payor is another insurer, or the like-named product of another state"
    all_words = [names.words(text) for payor in payors for text in (*payor.texts, *payor.hints)] + product_words
    is_plan = any(has_any(words, names.plan) and not is_elsewhere(words, names) for words in all_words)
    if Insurer.OURS in insurers:
        if is_plan:
            return Insurer.OURS, Membership.MEMBER, "payor and plan are ours"
        if any(is_elsewhere(words, names) for words in product_words):
            return Insurer.OURS, Membership.OTHER, "our insurer, but it names the like-named product of another state"
        if any(has_any(words, names.other_plans) for words in all_words) or any(
            is_name and names_a_plan(words, names) for is_name, words in classes
        ):
            return Insurer.OURS, Membership.OTHER, "our insurer, but it names another plan"
        return Insurer.OURS, Membership.UNKNOWN, "our insurer, but no plan is named"
    if is_plan:
        return Insurer.UNKNOWN, Membership.UNKNOWN, "the plan's name is ours, but nothing says whose plan it is"
    return Insurer.UNKNOWN, Membership.UNKNOWN, "nothing in it tells the insurer"


def _insurers_named(payor: Payor, names: Names) -> Iterator[Insurer]:
    """What each name and identifier of a payor says of the insurer."""
    known_systems = {system for system, _ in names.identifiers}
    for system, value in payor.identifiers:
        if (system, value) in names.identifiers:
            yield Insurer.OURS
        elif system in known_systems:
            yield Insurer.OTHER
    # An identifier may spell our name ("BCBSAL"); letters that do not are a code of somebody's, and tell nothing.
    if any(is_ours(names.words(hint), names) for hint in payor.hints):
        yield Insurer.OURS
    for text in payor.texts:
        words = names.words(text)
        if is_ours(words, names):
            yield Insurer.OURS
        elif is_anothers(words, names):
            yield Insurer.OTHER

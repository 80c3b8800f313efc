"""Is a Coverage ours: member, other, or unknown; and why.

The insurer and the plan are told from what the Coverage and its payor Organization say in words and identifiers. Names
are policy data; what is done with them is here.
"""

from __future__ import annotations

import functools
import hashlib
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from enum import Enum
from itertools import islice
from typing import Any, cast
from zoneinfo import ZoneInfo

import msgspec

from .fhir import Resource, as_list, as_object, as_text, codings, decode, reference_tail
from .policy import CoverageNames
from .remembered import Remembered
from .service_dates import ServiceDates, parse_fhir_date

#: Payors, classes, codings, identifiers and aliases of one Coverage or Organization that are read; real ones have a few of each.
MOST = 20


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

    ``not_counting`` is None if it counts, else why not; ``inactive`` tells whether status or period are to blame.
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


def _words(text: str) -> str:
    """``text`` as lower-case words with one space around each; brand names written apart or together count the same."""
    text = text[:400]
    if text.isascii():  # nearly all are: the same as below, in one step
        plain = text.translate(_PLAIN)
    else:
        # marks first: NFKD would make of "Advantage™" one word, "AdvantageTM"
        unmarked = "".join(" " if char in "®©™℠" else char for char in text if unicodedata.category(char) != "Cf")
        folded = unicodedata.normalize("NFKD", unmarked).casefold()
        plain = "".join(char if char.isalnum() else " " for char in folded if not unicodedata.combining(char))
    joined = f" {' '.join([word for word in plain.split() if word not in _NO_NAMES])} "
    for apart, together in _TOGETHER:
        joined = joined.replace(apart, together)
    return joined


#: ASCII to lower-case letters, digits and blanks.
_PLAIN = {code: chr(code).lower() if chr(code).isalnum() else " " for code in range(128)}
_NO_NAMES = frozenset(("and", "of", "the", "inc", "llc", "co", "company", "corp"))
_TOGETHER = (
    (" bluecrossblueshield ", " bluecross blueshield "),
    (" bluecrossblue shield ", " bluecross blueshield "),
    (" blue crossblue shield ", " bluecross blueshield "),
    (" blue cross ", " bluecross "),
    (" blue shield ", " blueshield "),
    (" blue advantage ", " blueadvantage "),
)


class _Names(msgspec.Struct, frozen=True):
    """``CoverageNames`` in the form in which texts are compared, and a digest of them."""

    digest: bytes

    insurer: tuple[str, ...]
    plan: tuple[str, ...]
    other_plans: tuple[str, ...]
    brands: tuple[str, ...]
    home: tuple[str, ...]
    generic: frozenset[str]
    other: frozenset[str]
    elsewhere: tuple[str, ...]
    identifiers: tuple[tuple[str, str], ...]


@functools.lru_cache(maxsize=64)
def _names(names: CoverageNames) -> _Names:
    def words(values: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(sorted((_words(value) for value in values), key=len, reverse=True))

    return _Names(
        hashlib.blake2b(msgspec.json.encode(names), digest_size=16).digest(),
        words(names.insurer_names),
        words(names.plan_names),
        words(names.other_plans),
        words(names.shared_brands),
        words(names.home),
        frozenset(word.strip() for word in words(names.generic_words)),
        frozenset(words(names.other_insurers)),
        words(names.elsewhere),
        tuple((identifier.system, identifier.value) for identifier in names.identifiers),
    )


def _has(words: str, names: tuple[str, ...]) -> bool:
    return any(name in words for name in names)


def _rest(words: str, names: _Names) -> list[str]:
    """The words of a name that are neither ours, nor a shared brand, nor generic: what makes it somebody's or something's.

    A number, or a code such as a contract number ("H0104"), is nobody's name.
    """
    for known in (*names.insurer, *names.plan, *names.brands, *names.home):
        while known in words:
            words = words.replace(known, " ", 1)
    return [word for word in words.split() if word not in names.generic and not any(char.isdigit() for char in word)]


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
            inactive is not None,
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


def read_coverage(
    coverage: Resource,
    organizations: Mapping[tuple[str, str], Mapping[str, Any]],
    patient_id: str,
    dates: ServiceDates,
    zone: ZoneInfo,
    names: CoverageNames,
) -> CoverageReading:
    """Say whether ``coverage`` is ours and whether it counts.

    ``organizations`` maps (type, id), or ("", fullUrl), to the Organizations that came with the call. A Coverage counts if
    its beneficiary is ``patient_id`` or not stated, its status is ``active``, and its period, of which a bound that cannot be
    read counts as not stated, touches ``dates``.
    """
    return identify_coverage(coverage, organizations, patient_id, zone, names).on(coverage, dates)


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
    shared = hashlib.blake2b(key=_names(names).digest, digest_size=16)
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
    """The part of ``read_coverage`` that does not depend on the date: it reads the texts, which costs the time."""
    body = as_object(decode(coverage.raw, coverage.place))
    payors = list(_payors(body, organizations))
    insurer, plan, why = _identify(body, payors, _names(names))
    missing = next((payor.to_read for payor in payors if payor.to_read), None)
    period = as_object(body.get("period"))
    start, end = parse_fhir_date(period.get("start"), zone), parse_fhir_date(period.get("end"), zone)
    return Identity(
        insurer,
        plan,
        why,
        missing if insurer is Insurer.UNKNOWN else None,
        _another_beneficiary(body, patient_id),
        body.get("status") == "active",
        start.first if start else date.min,
        end.last if end else date.max,
    )


def _another_beneficiary(body: Mapping[str, Any], patient_id: str) -> str | None:
    stated = reference_tail(as_object(body.get("beneficiary")).get("reference"))
    return "its beneficiary is another patient" if stated and stated[1] != patient_id else None


class _Payor(msgspec.Struct, frozen=True):
    """One payor: its names, what else may spell ours, its identifiers as (system, value), and where to read more of it.

    ``hints`` are further names, identifiers and their assigners: they can tell that a payor is ours, never that it is not.
    """

    texts: tuple[str, ...]
    hints: tuple[str, ...]
    identifiers: tuple[tuple[str, str], ...]
    to_read: tuple[str, str] | None = None


def _each(value: Any) -> list[Any]:
    """The elements of a list; an object where a list belongs, as some clients send one, is its only element."""
    return [value] if isinstance(value, dict) else as_list(value)[:MOST]


def _payors(body: Mapping[str, Any], organizations: Mapping[tuple[str, str], Mapping[str, Any]]) -> Iterator[_Payor]:
    contained = {
        f"#{each['id']}": each
        for each in as_list(body.get("contained"))
        if isinstance(each, dict) and isinstance(each.get("id"), str)
    }
    for payor in _each(body.get("payor")):
        payor = as_object(payor)
        reference = payor.get("reference")
        tail = reference_tail(reference)
        sent = None
        if isinstance(reference, str):
            sent = contained.get(reference) or organizations.get(("", reference)) or (organizations.get(tail) if tail else None)
        texts = [as_text(payor.get("display")), as_text((sent or {}).get("name"))]
        identifiers = [as_object(each) for each in (payor.get("identifier"), *as_list((sent or {}).get("identifier"))[:MOST])]
        hints = [as_text(alias) for alias in as_list((sent or {}).get("alias"))[:MOST]]
        for each in identifiers:
            hints += [as_text(each.get("value")), as_text(as_object(each.get("assigner")).get("display"))]
        to_read = tail if sent is None and tail and tail[0] == "Organization" else None
        yield _Payor(
            tuple(text for text in texts if text),
            tuple(hint for hint in hints if hint),
            tuple((str(each.get("system")), str(each.get("value")).strip()) for each in identifiers),
            to_read,
        )


def _class_names(body: Mapping[str, Any]) -> Iterator[tuple[bool, str]]:
    """Each name and value in the Coverage's classes, and whether it is the name of a plan.

    Where a plan has no name its value stands in, if it reads like words; else that is a code, and may stand for any plan.
    """
    for each in _each(body.get("class")):
        each = as_object(each)
        concept = as_object(each.get("type"))
        said = (concept.get("text"), *(coding.get("code") for coding in islice(codings(concept), MOST)))
        kinds = {str(kind).strip().lower() for kind in said}
        is_plan = bool(kinds & {"plan", "subplan"})
        name, value = as_text(each.get("name")), as_text(each.get("value"))
        if name:
            yield is_plan, name
        if value:
            yield is_plan and not name and " " in value.strip(), value


def _type_texts(body: Mapping[str, Any]) -> Iterator[str]:
    concept = as_object(body.get("type"))
    for text in (concept.get("text"), *(coding.get("display") for coding in islice(codings(concept), MOST))):
        if as_text(text):
            yield str(text)


def _identify(body: Mapping[str, Any], payors: list[_Payor], names: _Names) -> tuple[Insurer, Membership, str]:
    """The insurer, what it makes of the patient, and why, from names and identifiers."""
    insurers = {found for payor in payors for found in _insurers_named(payor, names)}
    classes = [(is_plan, _words(name)) for is_plan, name in _class_names(body)]
    product_words = [words for _, words in classes] + [_words(text) for text in _type_texts(body)]
    if not insurers:
        insurers |= {Insurer.OURS for words in product_words if _is_ours(words, names)}
    if Insurer.OURS not in insurers and any(_is_elsewhere(words, names) for words in product_words):
        insurers.add(Insurer.OTHER)
    if Insurer.OTHER in insurers and Insurer.OURS in insurers:
        return Insurer.UNKNOWN, Membership.UNKNOWN, "its payor is named both as ours and as another's"
    if Insurer.OTHER in insurers:
        return Insurer.OTHER, Membership.OTHER, "its payor is another insurer, or the like-named product of another state"
    all_words = [_words(text) for payor in payors for text in (*payor.texts, *payor.hints)] + product_words
    is_plan = any(_has(words, names.plan) and not _is_elsewhere(words, names) for words in all_words)
    if Insurer.OURS in insurers:
        if is_plan:
            return Insurer.OURS, Membership.MEMBER, "payor and plan are ours"
        if any(_is_elsewhere(words, names) for words in product_words):
            return Insurer.OURS, Membership.OTHER, "our insurer, but it names the like-named product of another state"
        if any(_has(words, names.other_plans) for words in all_words) or any(
            is_name and _names_a_plan(words, names) for is_name, words in classes
        ):
            return Insurer.OURS, Membership.OTHER, "our insurer, but it names another plan"
        return Insurer.OURS, Membership.UNKNOWN, "our insurer, but no plan is named"
    if is_plan:
        return Insurer.UNKNOWN, Membership.UNKNOWN, "the plan's name is ours, but nothing says whose plan it is"
    return Insurer.UNKNOWN, Membership.UNKNOWN, "nothing in it tells the insurer"


def _names_a_plan(words: str, names: _Names) -> bool:
    """Do the words name some plan, rather than number or classify it?"""
    return any(len(word) > 2 and word.isalpha() for word in _rest(words, names))


def _is_ours(words: str, names: _Names) -> bool:
    """Our insurer's name; or our state's with our plan's name, or with a shared brand and nothing that is somebody's."""
    if _has(words, names.insurer):
        return True
    if not _has(words, names.home) or _has(words, names.elsewhere):
        return False
    return _has(words, names.plan) or (_has(words, names.brands) and not _rest(words, names))


def _is_elsewhere(words: str, names: _Names) -> bool:
    """A shared brand or our plan's name, with the name of another state or of a company there."""
    if _is_ours(words, names) or not _has(words, names.elsewhere):
        return False
    return _has(words, names.plan) or _has(words, names.brands)


def _insurers_named(payor: _Payor, names: _Names) -> Iterator[Insurer]:
    """What each name and identifier of a payor says of the insurer."""
    known_systems = {system for system, _ in names.identifiers}
    for system, value in payor.identifiers:
        if (system, value) in names.identifiers:
            yield Insurer.OURS
        elif system in known_systems:
            yield Insurer.OTHER
    # An identifier may spell our name ("BCBSAL"); letters that do not are a code of somebody's, and tell nothing.
    if any(_is_ours(_words(hint), names) for hint in payor.hints):
        yield Insurer.OURS
    for text in payor.texts:
        words = _words(text)
        if _is_ours(words, names):
            yield Insurer.OURS
        elif words in names.other or any(len(word) > 1 for word in _rest(words, names)):
            yield Insurer.OTHER

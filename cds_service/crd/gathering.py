"""What came with a call, and what may be asked for beside it: orders referred to, Coverages, their payors.

Nothing is asked for that was sent.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Generator, Iterator, Mapping
from zoneinfo import ZoneInfo

import msgspec

from .errors import BadRequest, DataUnavailable, TooLarge
from .fhir import Resource, bundle_resources, next_page, open_bundle, resource
from .hook_request import HookRequest
from .membership import CoverageReading, Identity, Membership, identify_coverages
from .needs import Fetched, Need
from .policy_file import CoverageNames
from .service_dates import ServiceDates

#: More Coverages than this are refused: each is read, and held against every order.
MAX_COVERAGES = 100

#: The types of which a resource can be needed, and the keys of which it matters whether they were answered (``hooks``).
_NEEDED = (b"Coverage", b"Organization", b"ServiceRequest")
_ASKED_FOR = ("coverage", "serviceRequests")

#: A prefetch key is the client's text: told in a place only if it is an ordinary one.
_KEY = re.compile(r"[A-Za-z0-9_.-]{1,64}", re.ASCII)


class Sent:
    """The resources in the prefetch, looked at once, when first needed (CDS Hooks 2.0 "Prefetch Template").

    A key can be absent (not to be had), null or an empty Bundle (looked for, none there), a Bundle with more pages, a single
    resource, or an OperationOutcome (the client failed). Resources are found by type: real clients use their own keys.
    What is no resource is refused under a key that was asked for if ``strict``, else passed over as if it were not there.
    What else a client sends, such as the patient's whole problem list, is not even parsed.
    """

    def __init__(
        self, prefetch: Mapping[str, msgspec.Raw], asked_for: Collection[str] = _ASKED_FOR, strict: bool = False
    ) -> None:
        self.resources: list[Resource] = []
        self.pages: list[str] = []
        self.answered: set[str] = set()
        self._linked: set[str] = set()
        for key, value in prefetch.items():
            raw = bytes(value)
            if key not in asked_for and not _may_be_needed(raw):
                continue
            try:
                self.add(key, raw)
            except BadRequest:
                if strict and key in asked_for:
                    raise

    def add(self, key: str, raw: bytes) -> bool:
        """Take in what stands under ``key``; False if it tells that looking failed. Raises BadRequest if it is no resource."""
        if raw.strip() == b"null":
            self.answered.add(key)
            return True
        found = resource(raw, f"prefetch.{key if _KEY.fullmatch(key) else '?'}")
        if found.resource_type == "OperationOutcome":
            return False
        if found.resource_type != "Bundle":
            self.resources.append(found)
            self.answered.add(key)
            return True
        bundle = open_bundle(found)
        entries = [each for each in bundle_resources(bundle, found.place) if each.resource_type != "OperationOutcome"]
        self.resources += entries
        self.answered.add(key)
        page = next_page(bundle)
        # only more Coverages are ever looked for: the next page of a Bundle of something else is not worth the call
        wanted = key == "coverage" or any(each.resource_type == "Coverage" for each in entries)
        if page and wanted and page not in self._linked:  # each once: a server's links may lead in a circle
            self._linked.add(page)
            self.pages.append(page)
        return True

    def add_fetched(self, key: str, raw: bytes) -> bool:
        """As ``add``, for what a FHIR server answered; what is no resource is a failure of that server, not of the caller."""
        try:
            return self.add(key, raw)
        except BadRequest:
            return False

    def of(self, resource_type: str) -> list[Resource]:
        """All resources of one type, in the order they came."""
        return [each for each in self.resources if each.resource_type == resource_type]


def _may_be_needed(raw: bytes) -> bool:
    """A cheap look: can a resource of a type that is needed be in ``raw``? With escapes a type can be spelt in other bytes."""
    if b"\\" in raw and b"\\u" in raw:
        return True
    return any(name in raw for name in _NEEDED)


#: An order, and the appointments based on it that it is answered for together.
Asked = tuple[Resource, tuple[Resource, ...]]


def orders_referred_to(request: HookRequest, sent: Sent) -> Generator[Need, Fetched, list[Asked]]:
    """The ServiceRequests that the context refers to, from the prefetch or by a read, with their appointments.

    CRD 2.0.1 answers on the Appointment, so there each appointment is answered by itself; 2.2.1 on the order.
    """
    orders = sent.of("ServiceRequest")
    by_reference = {("", order.full_url): order for order in orders} | {
        (order.resource_type, order.id): order for order in orders
    }
    pairs: list[Asked] = []
    technical = False
    for index, reference in enumerate(request.order_references):
        order = by_reference.get(reference)
        if order is None and reference[0]:
            fetched = yield Need("read", *reference)
            technical |= fetched.is_technical
            if fetched.raw is not None:
                order = resource(fetched.raw, f"context.{request.hook.orders_in}[{index}]")
        if order is not None and reference in ((order.resource_type, order.id), ("", order.full_url)):
            booked = request.appointments.get(reference, ())
            pairs += [(order, (each,)) for each in booked] if booked and request.version == "2.0" else [(order, booked)]
    if not pairs and (technical or "serviceRequests" not in sent.answered):
        raise DataUnavailable(
            "prefetch.serviceRequests",
            "the orders that the context refers to were neither prefetched nor to be read",
            "Prefetch serviceRequests as discovery asks, or send fhirServer and fhirAuthorization of an allowed server",
        )
    return pairs


class Coverages:
    """The Coverages of the call: those sent, else searched for once, their payors read where nothing else tells."""

    def __init__(self, request: HookRequest, sent: Sent, zone: ZoneInfo) -> None:
        self.request = request
        self.sent = sent
        self.zone = zone
        self.looked = False
        self.failed_payor = False
        self.failed_page = False
        self.asked: set[tuple[str, str]] = set()
        self._identified: dict[CoverageNames, list[tuple[Resource, Identity]]] = {}
        self._identified_of = 0

    @property
    def were_to_be_had(self) -> bool:
        """Were Coverages sent, or looked for to the last page by the client or by us, even if there are none?"""
        return bool(self.sent.of("Coverage")) or ("coverage" in self.sent.answered and not self.failed_page)

    def on(self, dates: ServiceDates, names: CoverageNames) -> Generator[Need, Fetched, list[CoverageReading]]:
        """Read every Coverage against ``dates`` and the ``names`` of a policy."""
        yield from self._search()
        found = self._read(dates, names)
        while self.sent.pages and not self.failed_page and not _has_member(found):
            yield from self._next_page()
            found = self._read(dates, names)
        if not _has_member(found):
            for each in found:
                if each.payor_to_read and each.payor_to_read not in self.asked and not is_beyond_use(each):
                    yield from self._read_payor(each.payor_to_read)
            found = self._read(dates, names)
        return found

    def _search(self) -> Generator[Need, Fetched, None]:
        if self.looked:
            return
        self.looked = True
        if self.were_to_be_had:
            return
        fetched = yield Need("search", "Coverage", query=(("patient", self.request.patient_id), ("status", "active")))
        if fetched.raw is not None:
            self.sent.add_fetched("coverage", fetched.raw)

    def _next_page(self) -> Generator[Need, Fetched, None]:
        self.looked = True
        fetched = yield Need("page", "Bundle", url=self.sent.pages.pop(0))
        if fetched.raw is None or not self.sent.add_fetched("coverage", fetched.raw):
            self.failed_page = True

    def _read_payor(self, payor: tuple[str, str]) -> Generator[Need, Fetched, None]:
        self.asked.add(payor)
        fetched = yield Need("read", *payor)
        self.failed_payor |= fetched.is_technical
        if fetched.raw is not None:
            self.sent.add_fetched("organizations", fetched.raw)

    def _read(self, dates: ServiceDates, names: CoverageNames) -> list[CoverageReading]:
        """Read each Coverage against ``dates``; whose it is, which costs the time, once for all orders."""
        if self._identified_of != len(self.sent.resources):
            self._identified_of = len(self.sent.resources)
            self._identified.clear()
        if names not in self._identified:
            self._identified[names] = self._identify(names)
        return [identity.on(coverage, dates) for coverage, identity in self._identified[names]]

    def _identify(self, names: CoverageNames) -> list[tuple[Resource, Identity]]:
        coverages = list(_distinct(self.sent.of("Coverage")))
        if len(coverages) > MAX_COVERAGES:
            cure = "Send the active Coverages of this patient only"
            raise TooLarge("prefetch.coverage", f"there are more than {MAX_COVERAGES} Coverages", cure)
        organizations = self.sent.of("Organization")
        identities = identify_coverages(coverages, organizations, self.request.patient_id, self.zone, names)
        return list(zip(coverages, identities, strict=True))


def _has_member(found: list[CoverageReading]) -> bool:
    return any(each.counts and each.membership is Membership.MEMBER for each in found)


def is_beyond_use(reading: CoverageReading) -> bool:
    """Is it not this patient's? (One that is merely inactive may still have to be told as ours.)"""
    return reading.not_counting is not None and not reading.inactive


def _distinct(coverages: list[Resource]) -> Iterator[Resource]:
    """The same Coverage may stand in several prefetch entries: once is enough."""
    seen: set[str | bytes] = set()
    for coverage in coverages:
        key = coverage.id or coverage.raw
        if key not in seen:
            seen.add(key)
            yield coverage

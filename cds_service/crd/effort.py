"""The work that one call may cost: what several orders share is done once, and the rest within bounds.

Time spent on a call is time that other callers wait. The bounds lie far beyond what order entry sends, and a call of the
largest size then takes about a second.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .errors import TooLarge
from .fhir import Resource, decode
from .fhir_values import as_object
from .order_text import MAX_TOTAL
from .validation import fhir_issues

#: Bytes of orders that may name a procedure and are read for it; of one order no more counts than is read of it.
MAX_READ = 512 * 1024
#: Values within the resources that are judged by FHIR's rules, which takes about 25 microseconds for each.
MAX_JUDGED = 30_000

_CURE = "Send fewer orders in one call, or less in each"


class Effort:
    """What one call has cost so far."""

    def __init__(self) -> None:
        self._read = 0
        self._judged = 0
        self._issues: dict[bytes, tuple[str, ...]] = {}
        self._bodies: dict[bytes, Mapping[str, Any]] = {}

    def spend_reading(self, order: Resource) -> None:
        """Count ``order`` as read for what it names. Raises TooLarge beyond MAX_READ."""
        self._read += min(len(order.raw), MAX_TOTAL)
        if self._read > MAX_READ:
            raise TooLarge(order.place, "the orders have more text than is read in one call", _CURE)

    def body(self, resource: Resource) -> Mapping[str, Any]:
        """``resource`` as values, decoded once however many orders refer to it."""
        if resource.raw not in self._bodies:
            self._bodies[resource.raw] = as_object(decode(resource.raw, resource.place))
        return self._bodies[resource.raw]

    def issues(self, resource: Resource, strict: bool) -> tuple[str, ...]:
        """``fhir_issues`` of ``resource``, judged once. Beyond MAX_JUDGED: TooLarge if ``strict``, else it passes unjudged."""
        if resource.raw not in self._issues:
            self._judged += sum(map(resource.raw.count, (b"{", b"[", b",")))
            if self._judged <= MAX_JUDGED:
                self._issues[resource.raw] = fhir_issues(resource)
            elif strict:
                raise TooLarge(resource.place, "the resources have more elements than are judged in one call", _CURE)
            else:
                self._issues[resource.raw] = ()
        return self._issues[resource.raw]

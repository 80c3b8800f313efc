"""Tolerant looks at FHIR R4 values: none raises on odd shapes.

Clients do send ``reasonCode: []`` or a string where an object belongs. Whether a resource is valid FHIR is for ``validation``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final


def as_list(value: Any) -> list[Any]:
    """``value`` if it is a list, else an empty one."""
    return value if isinstance(value, list) else []


def as_object(value: Any) -> Mapping[str, Any]:
    """``value`` if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def as_text(value: Any) -> str | None:
    """``value`` if it is a string with something in it, else None."""
    return value if isinstance(value, str) and value.strip() else None


def codings(concept: Any) -> Iterator[Mapping[str, Any]]:
    """Yield the codings of a CodeableConcept that are objects."""
    for coding in as_list(as_object(concept).get("coding")):
        if isinstance(coding, dict):
            yield coding


#: FHIR R4 request status under which nothing is asked for any more.
DEAD_STATUS: Final = frozenset({"revoked", "entered-in-error"})


def status_of(order: Mapping[str, Any]) -> str | None:
    """The status of ``order`` as R4 writes it, whatever the case and the blanks it came with; None without one."""
    status = order.get("status")
    return status.strip().lower() if isinstance(status, str) else None


def is_forbidden(order: Mapping[str, Any]) -> bool:
    """Does ``order`` say that it must not be performed? Some clients write ``"true"`` for true."""
    forbidden = order.get("doNotPerform")
    return forbidden is True or (isinstance(forbidden, str) and forbidden.strip().lower() == "true")


def reference_tail(reference: Any) -> tuple[str, str] | None:
    """(type, id) of ``Patient/1``, ``https://x/fhir/Patient/1`` or ``Patient/1/_history/2``; None for ``#p``, ``urn:uuid:..``.

    Servers are told apart by nobody here: the examples of the CRD guide mix three base addresses (digest of CRD 2.2.1,
    hook contexts), so a reference is matched on its trailing ``Type/id``.
    """
    if not isinstance(reference, str):
        return None
    parts = reference.split("?")[0].split("#")[0].rstrip("/").split("/")
    if len(parts) >= 4 and parts[-2] == "_history":
        parts = parts[:-2]
    if len(parts) < 2 or not parts[-2][:1].isupper() or not parts[-1]:
        return None
    return parts[-2], parts[-1]

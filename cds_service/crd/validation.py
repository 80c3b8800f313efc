"""Is a resource valid FHIR R4? fhir.resources judges; it never carries, since what it writes back differs.

Its R4B classes serve R4: the resources used here have the same elements and cardinalities in both. Where it is lax
(``"subject": null``, a string where an object belongs, codes of a required value set) a few checks of our own stand in.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from importlib import import_module
from typing import Any

from .fhir import Resource, as_list, as_object, decode
from .remembered import Remembered

#: How many verdicts are remembered. A digest says nothing of the patient; an entry takes about 200 bytes.
REMEMBERED = 4096

_ORDER_STATUS = ("draft", "active", "on-hold", "revoked", "completed", "entered-in-error", "unknown")
_INTENT = (
    "proposal",
    "plan",
    "directive",
    "order",
    "original-order",
    "reflex-order",
    "filler-order",
    "instance-order",
    "option",
)
_COVERAGE_STATUS = ("active", "cancelled", "draft", "entered-in-error")
#: (type, element) -> its required value set in R4; fhir.resources does not check these.
_REQUIRED_CODES = {
    ("ServiceRequest", "status"): _ORDER_STATUS,
    ("ServiceRequest", "intent"): _INTENT,
    ("Coverage", "status"): _COVERAGE_STATUS,
}
#: Elements that R4 demands and fhir.resources lets pass as null or with the wrong kind of value.
_REQUIRED_OBJECTS = {"ServiceRequest": ("subject",), "Coverage": ("beneficiary",)}

_verdicts: Remembered[tuple[str, ...]] = Remembered(REMEMBERED)


def fhir_issues(resource: Resource) -> tuple[str, ...]:
    """The places (FHIRPath-like, values never) at which ``resource`` breaks FHIR R4; empty if it is valid.

    A verdict is remembered under a digest of the bytes, so order-select followed by order-sign, and a patient's coverage,
    are judged once. Raises BadRequest only for bytes that cannot be decoded.
    """
    digest = hashlib.blake2b(resource.raw, digest_size=16, person=(resource.resource_type or "").encode()[:16]).digest()
    known = _verdicts.get(digest)
    if known is not None:
        return known
    issues = tuple(dict.fromkeys(_judge(resource)))[:20]
    _verdicts.keep(digest, issues)
    return issues


_NAME = re.compile(r"_?[A-Za-z][A-Za-z0-9]{0,63}", re.ASCII)


def model_of(resource_type: str) -> Any:
    """The R4B class of ``resource_type``, loaded when first asked for. Raises ImportError or AttributeError if there is none."""
    if not _NAME.fullmatch(resource_type):
        raise ImportError("no resource type")
    return getattr(import_module(f"fhir.resources.R4B.{resource_type.lower()}"), resource_type)


def _judge(resource: Resource) -> Iterator[str]:
    body = decode(resource.raw, resource.place)
    kind = resource.resource_type or ""
    for (of, element), allowed in _REQUIRED_CODES.items():
        if of == kind and body.get(element) is not None and body[element] not in allowed:
            yield element
    for element in _REQUIRED_OBJECTS.get(kind, ()):
        if not as_object(body.get(element)):
            yield element
    for element in ("code", "subject", "beneficiary", "period", "occurrencePeriod", "occurrenceTiming"):
        if element in body and not isinstance(body[element], dict):
            yield element
    if kind == "Coverage" and not as_list(body.get("payor")):
        yield "payor"
    yield from _judged_by_library(kind, body)


def _judged_by_library(kind: str, body: Any) -> Iterator[str]:
    from pydantic import ValidationError

    try:
        model_of(kind).model_validate(body)
    except ValidationError as error:
        for issue in error.errors(include_input=False, include_url=False, include_context=False):
            place = ".".join(_step(step) for step in issue["loc"][:12])
            # fhir.resources issue 204: a primitive extension on an extension's value is valid FHIR and refused there
            if not (issue["type"] == "extra_forbidden" and "._value" in f".{place}" and "extension" in place):
                yield place or kind
    except Exception:  # it raises KeyError, TypeError, RecursionError and more; whatever it chokes on is no valid FHIR
        yield kind if _NAME.fullmatch(kind) else "resourceType"


def _step(step: int | str) -> str:
    """One step of a place. A member's name is the caller's text: told only if it can be an element's."""
    return str(step) if isinstance(step, int) or _NAME.fullmatch(step) else "?"

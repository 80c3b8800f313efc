"""Is a resource valid FHIR R4? fhir.resources judges; it never carries, since what it writes back differs.

Its R4B classes serve R4: the resources used here have the same elements and cardinalities in both. Where it is lax
(``"subject": null``, a string where an object belongs, codes of a required value set) a few checks of our own stand in.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from functools import lru_cache
from importlib import import_module
from typing import Any

from .fhir import Resource, as_list, as_object, decode, members
from .remembered import Remembered

#: How many verdicts are remembered. A digest says nothing of the patient; an entry takes about 200 bytes.
REMEMBERED = 4096
#: Elements of an order that come again with other bytes around them: an EHR takes a code or a requester from its catalogues
#: and directories, and between order-select and order-sign an order changes little. Each is valid or not by itself: it may be
#: left out, it is no choice such as occurrence[x], it has no ``_element`` beside it, and no rule of fhir.resources speaks of
#: it and another one. ``fhir_issues`` rests on that, and tests hold it.
APART = frozenset(
    """
    basedOn bodySite category code encounter extension identifier insurance locationCode locationReference meta
    modifierExtension note orderDetail performer performerType reasonCode reasonReference relevantHistory replaces requester
    requisition specimen supportingInfo text
    """.split()  # noqa: SIM905  one line a reader can check against FHIR
)

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
_valid_elements: Remembered[bool] = Remembered(REMEMBERED)


def fhir_issues(resource: Resource) -> tuple[str, ...]:
    """The places (FHIRPath-like, values never) at which ``resource`` breaks FHIR R4; empty if it is valid.

    A verdict is remembered under a digest of the bytes, so order-select followed by order-sign, and a patient's coverage,
    are judged once; and so is it of the elements of a valid order that come again with others (``APART``). Raises BadRequest
    only for bytes that cannot be decoded.
    """
    digest = hashlib.blake2b(resource.raw, digest_size=16, person=(resource.resource_type or "").encode()[:16]).digest()
    verdict = _verdicts.get(digest)
    if verdict is not None:
        return verdict
    kind, body = resource.resource_type or "", decode(resource.raw, resource.place)
    digests = _digests_apart(resource)
    known = {element for element, each in digests.items() if _valid_elements.get(each)}
    # What the library finds in one of these depends on it alone, and its rules across elements (required primitives, choices)
    # speak of none of them: if the rest is valid the whole is. Else the whole is judged, for all its issues in their order.
    if known and not any(_judge({element: value for element, value in body.items() if element not in known}, kind)):
        issues: tuple[str, ...] = ()
    else:
        issues = tuple(dict.fromkeys(_judge(body, kind)))[:20]
    if not issues:
        for element, each in digests.items():
            if element not in known:
                _valid_elements.keep(each, True)
    _verdicts.keep(digest, issues)
    return issues


def _digests_apart(resource: Resource) -> dict[str, bytes]:
    """The digests of an order's elements of ``APART``; none of any other resource."""
    if resource.resource_type != "ServiceRequest":
        return {}
    return {
        element: element.encode() + hashlib.blake2b(raw, digest_size=16).digest()
        for element, raw in members(resource.raw).items()
        if element in APART
    }


_NAME = re.compile(r"_?[A-Za-z][A-Za-z0-9]{0,63}", re.ASCII)


@lru_cache(maxsize=16)
def model_of(resource_type: str) -> Any:
    """The R4B class of ``resource_type``, loaded when first asked for. Raises ImportError or AttributeError if there is none."""
    if not _NAME.fullmatch(resource_type):
        raise ImportError("no resource type")
    return getattr(import_module(f"fhir.resources.R4B.{resource_type.lower()}"), resource_type)


def _judge(body: Any, kind: str) -> Iterator[str]:
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

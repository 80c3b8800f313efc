"""Is a resource valid FHIR R4? fhir.resources judges; it never carries, since what it writes back differs.

Its R4B classes serve R4: the resources used here have the same elements and cardinalities in both. Where it is lax
(``"subject": null``, a string where an object belongs, codes of a required value set) a few checks of our own stand in.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from importlib import import_module
from typing import Any

import msgspec

from .fhir import Resource, decode, members
from .fhir_values import as_list, as_object
from .remembered import Remembered

#: How many verdicts are remembered. A digest says nothing of the patient; an entry takes about 200 bytes.
REMEMBERED = 4096
#: How many sets of names are remembered that the elements of valid orders had; an entry takes up to 1 KB.
REMEMBERED_SETS = 256
#: Brackets within an element up to which it is judged alone. Deeper nesting may be too deep for the whole and not for it.
MOST_BRACKETS = 100

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
_OBJECTS = ("code", "subject", "beneficiary", "period", "occurrencePeriod", "occurrenceTiming")

_verdicts: Remembered[tuple[str, ...]] = Remembered(REMEMBERED)
_valid_elements: Remembered[bool] = Remembered(REMEMBERED)
_valid_sets: Remembered[bool] = Remembered(REMEMBERED_SETS)


def fhir_issues(resource: Resource) -> tuple[str, ...]:
    """The places (FHIRPath-like, values never) at which ``resource`` breaks FHIR R4; empty if it is valid.

    A verdict is remembered under a digest of the bytes, so order-select followed by order-sign, and a patient's coverage,
    are judged once. A fresh order is judged by its elements (``_are_valid``) as far as that shows it valid. Raises
    BadRequest only for bytes that cannot be decoded.
    """
    digest = hashlib.blake2b(resource.raw, digest_size=16, person=(resource.resource_type or "").encode()[:16]).digest()
    verdict = _verdicts.get(digest)
    if verdict is not None:
        return verdict
    found = _elements(resource)
    if found and _valid_sets.get(_names(found)) and _are_valid(found):
        issues: tuple[str, ...] = ()
    else:
        kind, body = resource.resource_type or "", decode(resource.raw, resource.place)
        issues = tuple(dict.fromkeys(_judge(body, kind)))[:20]
        if found and not issues and _are_valid(found):
            _valid_sets.keep(_names(found), True)
    _verdicts.keep(digest, issues)
    return issues


# An EHR takes a code or a requester from its catalogues and directories, and between order-select and order-sign an order
# changes little. So a fresh order is judged by its elements: it is valid if each of them is valid by itself, which is
# remembered under a digest, and if an order was valid that had elements of the same names. For the rules of fhir.resources
# across elements, what is required and what is a choice such as occurrence[x], ask only which elements there are; and an
# element that is valid by itself is there. If this does not show it valid the whole is judged, for all issues in their order.


def _elements(resource: Resource) -> dict[str, msgspec.Raw] | None:
    """The elements of an order as the bytes they came as; None where one of them, or another resource, cannot be judged so."""
    if resource.resource_type != "ServiceRequest":
        return None
    try:
        found = members(resource.raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    if bytes(found.pop("resourceType", b"")) != b'"ServiceRequest"':
        return None
    return found if found.keys() <= _judges().keys() else None


def _names(found: Iterable[str]) -> bytes:
    return " ".join(found).encode()


def _are_valid(found: Mapping[str, msgspec.Raw]) -> bool:
    """Tell whether each element of an order is valid by itself; False also where that cannot be told."""
    for element, raw in found.items():
        if element == "id":  # never comes again
            if not _is_valid(element, raw):
                return False
            continue
        digest = element.encode() + hashlib.blake2b(raw, digest_size=16).digest()
        if _valid_elements.get(digest) is None:
            if not _is_valid(element, raw):
                return False
            _valid_elements.keep(digest, True)
    return True


def _is_valid(element: str, raw: msgspec.Raw) -> bool:
    text = bytes(raw)
    if text.count(b"[") + text.count(b"{") > MOST_BRACKETS:
        return False
    try:
        value = decode(text, element)
        if value is None or (isinstance(value, list) and None in value) or _breaks_own_rule(element, value):
            return False
        return _judges()[element](value) is not None
    except Exception:  # as in ``_judged_by_library``; the whole is judged then
        return False


def _breaks_own_rule(element: str, value: Any) -> bool:
    """What ``_judge`` asks of an order's element besides the library."""
    allowed = _REQUIRED_CODES.get(("ServiceRequest", element))
    if allowed is not None and value not in allowed:
        return True
    return element in _OBJECTS and not (isinstance(value, dict) and (value or element not in _REQUIRED_OBJECTS["ServiceRequest"]))


@lru_cache(maxsize=1)
def _judges() -> dict[str, Callable[[Any], Any]]:
    """What judges an element of an order as the model of the whole does, by its name.

    Not those that hold any resource, nor extensions of primitives, which may stand in place of a required element.
    """
    from pydantic import TypeAdapter

    return {
        name: TypeAdapter(field.annotation).validate_python
        for name, field in model_of("ServiceRequest").model_fields.items()
        if name not in ("contained", "fhir_comments") and not name.endswith("__ext")
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
    for element in _OBJECTS:
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


@lru_cache(maxsize=1)
def element_names() -> frozenset[str]:
    """The names of all elements that an order, a Coverage and their parts can have: what else a place names is the caller's."""
    found: set[str] = set()
    for module in _WITH_ELEMENTS:
        for model in vars(import_module(f"fhir.resources.R4B.{module}")).values():
            for name, field in getattr(model, "model_fields", {}).items():
                found |= {name, field.alias or name}
    return frozenset(found)


_WITH_ELEMENTS = (
    "servicerequest",
    "coverage",
    "annotation",
    "attachment",
    "codeableconcept",
    "coding",
    "extension",
    "identifier",
    "meta",
    "money",
    "narrative",
    "period",
    "quantity",
    "range",
    "ratio",
    "reference",
    "timing",
)


def _step(step: int | str) -> str:
    """One step of a place. A member's name is the caller's text: told only if it can be an element's."""
    return str(step) if isinstance(step, int) or _NAME.fullmatch(step) else "?"

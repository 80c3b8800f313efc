"""FHIR R4 as it arrives: resources and Bundles, which stay the bytes they came as.

What opens received bytes refuses by BadRequest: :func:`decode`, :func:`resource`, :func:`open_bundle`,
:func:`bundle_resources`. ``fhir_values`` looks at what was decoded.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec

from .errors import BadRequest
from .fhir_values import as_list

#: Looks go no deeper than this: FHIR's own nesting rarely passes 20. (The parser itself refuses what it cannot follow.)
MAX_DEPTH = 200

#: Digits of a number with a fraction or an exponent that is read, and its powers of ten below zero; above, as a double has them.
MAX_NUMBER = 400


def _number(text: str) -> Decimal:
    """A JSON number as it was written. Raises ArithmeticError beyond MAX_NUMBER and beyond a double.

    Whatever makes an integer of ``1e999999999`` later, such as a validator, would be at it for hours.
    """
    if len(text) > MAX_NUMBER or abs(float(text)) == float("inf"):
        raise OverflowError
    value = Decimal(text)
    if value.adjusted() < -MAX_NUMBER:
        raise OverflowError
    return value


_decoder = msgspec.json.Decoder(float_hook=_number)
_raw_members = msgspec.json.Decoder(dict[str, msgspec.Raw])
_raw_list = msgspec.json.Decoder(list[msgspec.Raw])


class Resource(msgspec.Struct, frozen=True):
    """One resource as received: its place in the request, its type and id where they are strings, its bytes, its fullUrl."""

    place: str
    resource_type: str | None
    id: str | None
    raw: bytes
    full_url: str | None = None

    @property
    def reference(self) -> str | None:
        """``Type/id``, or None without an id."""
        return f"{self.resource_type}/{self.id}" if self.resource_type and self.id else None


class _Head(msgspec.Struct, rename="camel"):
    resource_type: Any = None
    id: Any = None


class _Entry(msgspec.Struct, rename="camel"):
    resource: msgspec.Raw = msgspec.Raw(b"null")
    full_url: Any = None


class Bundle(_Head):
    """What is read of a Bundle: its type as it says, its entries, its links."""

    entry: list[_Entry | None] | None = None
    link: Any = None


_heads = msgspec.json.Decoder(_Head)
_head_lists = msgspec.json.Decoder(list[_Head | None])
_bundles = msgspec.json.Decoder(Bundle)


def decode(raw: bytes, place: str) -> Any:
    """``raw`` as Python values, decimals as Decimal. Raises BadRequest naming ``place`` if it is no JSON or too deep."""
    try:
        return _decoder.decode(raw)
    except RecursionError:
        raise too_deep(place) from None
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise malformed(place, error, raw) from None
    except ArithmeticError:
        raise BadRequest(place, "holds a number beyond all measure", "Send numbers as FHIR R4 has them") from None


_BYTE = re.compile(r"\(byte (\d+)\)")


def malformed(place: str, error: Exception, raw: bytes | msgspec.Raw) -> BadRequest:
    """The error for what cannot be read as JSON: at which line and column, or what about it; never its content."""
    subject = "" if place else "the body "
    cure = "Send one JSON value, RFC 8259, in UTF-8"
    found = _BYTE.search(str(error))
    if found:
        before = bytes(raw)[: int(found[1])]
        line, column = before.count(b"\n") + 1, len(before) - before.rfind(b"\n")
        return BadRequest(place, f"{subject}is not valid JSON at line {line}, column {column}", cure)
    if isinstance(error, UnicodeDecodeError):
        return BadRequest(place, f"{subject}is not valid JSON: not UTF-8 at byte {error.start}", cure)
    if "out of range" in str(error):
        return BadRequest(
            place, f"{subject}is not valid JSON for us: a number in it is too long", "Send numbers as FHIR R4 has them"
        )
    return BadRequest(place, f"{subject}is not valid JSON: it ends too early, or holds half of a surrogate pair", cure)


def too_deep(place: str) -> BadRequest:
    """The error for JSON nested beyond what is read."""
    problem = "is nested too deeply" if place else "the body is nested too deeply"
    return BadRequest(place, problem, "Send FHIR resources as they are; none needs such nesting")


def resource(raw: bytes | msgspec.Raw, place: str, full_url: Any = None) -> Resource:
    """Read the type and id of ``raw``. Raises BadRequest if it is no JSON object."""
    return _resource(bytes(raw), place, None, full_url)


def _resource(raw: bytes, place: str, head: _Head | None, full_url: Any) -> Resource:
    if head is None:
        try:
            head = _heads.decode(raw)
        except RecursionError:
            raise too_deep(place) from None
        except (msgspec.MsgspecError, UnicodeDecodeError):
            raise BadRequest(place, "is not a JSON object", "Send a FHIR resource") from None
    kind, identifier = head.resource_type, head.id
    return Resource(
        place,
        kind if type(kind) is str else None,
        identifier if type(identifier) is str and identifier else None,
        raw,
        full_url if type(full_url) is str else None,
    )


def open_bundle(bundle: Resource) -> Bundle:
    """Read the entries and links of a Bundle. Raises BadRequest where ``entry`` is malformed."""
    try:
        return _bundles.decode(bundle.raw)
    except RecursionError:
        raise too_deep(bundle.place) from None
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise BadRequest(f"{bundle.place}.entry", "is not a list of Bundle entries", "Send a FHIR R4 Bundle") from None


def bundle_resources(bundle: Bundle, place: str, depth: int = 0) -> list[Resource]:
    """The resources of the Bundle at ``place``, those of Bundles in it too. Raises BadRequest where one is malformed."""
    if depth > 8:
        raise too_deep(place)
    filled = [(index, entry) for index, entry in enumerate(bundle.entry or ()) if entry is not None]
    raws = [bytes(entry.resource) for _, entry in filled]
    found: list[Resource] = []
    for (index, entry), raw, head in zip(filled, raws, _heads_of(raws), strict=True):
        if raw == b"null":
            continue
        each = _resource(raw, f"{place}.entry[{index}].resource", head, entry.full_url)
        if each.resource_type == "Bundle":
            found += bundle_resources(open_bundle(each), each.place, depth + 1)
        else:
            found.append(each)
    return found


def _heads_of(raws: list[bytes]) -> list[_Head | None]:
    """The heads of ``raws``, read in one pass; None for each where one of them is no object."""
    try:
        heads = _head_lists.decode(b"".join((b"[", b",".join(raws), b"]")))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        heads = []
    return heads if len(heads) == len(raws) else [None] * len(raws)


def next_page(bundle: Bundle) -> str | None:
    """The ``next`` link of a paginated Bundle, or None on its last page."""
    for link in as_list(bundle.link):
        if isinstance(link, Mapping) and link.get("relation") == "next" and isinstance(link.get("url"), str):
            return str(link["url"])
    return None


def members(raw: bytes) -> dict[str, msgspec.Raw]:
    """The top-level members of an object, each as the bytes it came as. Raises msgspec.DecodeError if ``raw`` is none."""
    return _raw_members.decode(raw)


def elements(raw: bytes | msgspec.Raw) -> list[msgspec.Raw] | None:
    """The elements of a JSON array as bytes, [] for ``null``, or None for anything else."""
    raw = bytes(raw)
    if raw.strip() == b"null":
        return []
    try:
        return _raw_list.decode(raw)
    except msgspec.MsgspecError:
        return None

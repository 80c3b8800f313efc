"""Writing coverage information onto a resource, byte for byte: only its ``extension`` changes (CRD 2.2.1 resp-37)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from typing import Any

import msgspec

from .coverage_information import EXTENSION_URL, Children
from .fhir import Resource, decode, elements, members
from .fhir_values import as_list, as_object, reference_tail

#: What every coverage-assertion-id of ours begins with: by it an earlier answer of ours is told from others'.
ASSERTION_PREFIX = "BCBSAL-CRD-"
#: The same as bytes: a resource without it bears no answer of ours.
ASSERTION_MARK = ASSERTION_PREFIX.encode()

_encode = msgspec.json.Encoder(decimal_format="number").encode


class Annotation(msgspec.Struct, frozen=True):
    """What came of writing on a resource: ``raw`` is it with the extension, None where it already bears the same answer.

    ``assertion_id`` is the id it then bears, whether new or from before.
    """

    raw: bytes | None
    assertion_id: str


class _Earlier(msgspec.Struct, frozen=True):
    """An answer of ours that the resource already bears: at which index, for which coverage, saying what."""

    index: int
    coverage: dict[str, Any]
    assertion_id: str
    said: bytes


def annotate(
    carrier: Resource, coverage: str, children: Children, today: date, new_assertion_id: Callable[[], str]
) -> Annotation | None:
    """Write ``children`` for ``coverage`` ("Coverage/1") onto ``carrier``; None where its ``extension`` is no array.

    An earlier answer of ours for the same coverage is replaced, never doubled; other repetitions and extensions stay.
    """
    present = members(carrier.raw)
    extensions = _extensions(present)
    if extensions is None:
        return None
    earlier = [each for each in _earlier(extensions) if _same(each.coverage, coverage)]
    if len(earlier) == 1 and earlier[0].said == _said(children):
        return Annotation(None, earlier[0].assertion_id)
    assertion_id = new_assertion_id()
    written = _extension({"reference": coverage}, children, today, assertion_id)
    return Annotation(_splice(present, extensions, {each.index for each in earlier}, [written]), assertion_id)


def replace_earlier(
    carrier: Resource,
    children: Children,
    today: date,
    new_assertion_id: Callable[[str], str],
    of: frozenset[tuple[str, str]] | None = None,
) -> bytes | None:
    """``carrier`` with our earlier answers replaced by ``children``, one for each coverage; None if there is none to replace.

    ``of``: only those for these Coverages, (type, id). An answer that says ``children`` already stays.
    """
    present = members(carrier.raw)
    extensions = _extensions(present)
    if extensions is None:
        return None
    said = _said(children)
    by_coverage: dict[str, list[_Earlier]] = {}
    for each in _earlier(extensions):
        reference = each.coverage.get("reference")
        tail = reference_tail(reference)
        if of is None or tail in of:
            by_coverage.setdefault("/".join(tail or (str(reference),)), []).append(each)
    outgrown = [same for same in by_coverage.values() if len(same) > 1 or same[0].said != said]
    written = [
        _extension(same[0].coverage, children, today, new_assertion_id(str(same[0].coverage.get("reference"))))
        for same in outgrown
    ]
    replaced = {each.index for same in outgrown for each in same}
    return _splice(present, extensions, replaced, written) if outgrown else None


def bears_other(carrier: Resource, children: Children) -> bool:
    """Does ``carrier`` bear an answer of ours that says something else than ``children``?"""
    extensions = _extensions(members(carrier.raw)) if ASSERTION_MARK in carrier.raw else None
    return any(each.said != _said(children) for each in _earlier(extensions or []))


def _extension(coverage: dict[str, Any], children: Children, today: date, assertion_id: str) -> msgspec.Raw:
    parts = [
        {"url": "coverage", "valueReference": coverage},
        *children,
        {"url": "date", "valueDate": today.isoformat()},
        {"url": "coverage-assertion-id", "valueString": assertion_id},
    ]
    return msgspec.Raw(_encode({"url": EXTENSION_URL, "extension": parts}))


def _extensions(present: dict[str, msgspec.Raw]) -> list[msgspec.Raw] | None:
    """The extensions among the members of a resource; None where what stands there is no array."""
    raw = present.get("extension")
    return [] if raw is None else elements(raw)


def _earlier(extensions: list[msgspec.Raw]) -> Iterator[_Earlier]:
    for index, raw in enumerate(extensions):
        if ASSERTION_MARK not in bytes(raw):
            continue
        extension = as_object(decode(bytes(raw), "extension"))
        children = [dict(child) for child in as_list(extension.get("extension")) if isinstance(child, dict)]
        by_url = {str(child.get("url")): child for child in children}
        assertion_id = by_url.get("coverage-assertion-id", {}).get("valueString")
        if extension.get("url") == EXTENSION_URL and isinstance(assertion_id, str) and assertion_id.startswith(ASSERTION_PREFIX):
            coverage = dict(as_object(by_url.get("coverage", {}).get("valueReference")))
            said = [each for each in children if each.get("url") not in ("coverage", "date", "coverage-assertion-id")]
            yield _Earlier(index, coverage, assertion_id, _said(said))


def _said(children: Children) -> bytes:
    """``children`` in a form in which equal answers are equal, whatever the order of children and members."""
    return b"\n".join(sorted(msgspec.json.encode(child, order="deterministic") for child in children))


def _same(stated: dict[str, Any], coverage: str) -> bool:
    return reference_tail(stated.get("reference")) == reference_tail(coverage)


def _splice(
    present: dict[str, msgspec.Raw], extensions: list[msgspec.Raw], replaced: set[int], written: list[msgspec.Raw]
) -> bytes:
    """The resource of the members ``present`` with ``written`` where the first replaced extension stood, or at the end."""
    kept: list[msgspec.Raw] = []
    first = min(replaced, default=None)
    for index, raw in enumerate(extensions):
        if index not in replaced:
            kept.append(raw)
        elif index == first:
            kept += written
    if not replaced:
        kept += written
    return _encode({**present, "extension": kept})

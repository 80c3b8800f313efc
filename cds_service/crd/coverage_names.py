"""What a Coverage says in words and identifiers: of its payors, its classes, its type. What that means is ``membership``'s."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

import msgspec

from .fhir_values import as_list, as_object, as_text, codings, reference_tail

#: Payors, classes, codings, identifiers and aliases of one Coverage or Organization that are read; real ones have a few of each.
MOST = 20


class Payor(msgspec.Struct, frozen=True):
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


def payors_of(body: Mapping[str, Any], organizations: Mapping[tuple[str, str], Mapping[str, Any]]) -> Iterator[Payor]:
    """The payors of a Coverage, each with what its Organization says: one contained, or one of ``organizations``.

    Those are by (type, id), or by ("", fullUrl).
    """
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
        yield Payor(
            tuple(text for text in texts if text),
            tuple(hint for hint in hints if hint),
            tuple((str(each.get("system")), str(each.get("value")).strip()) for each in identifiers),
            to_read,
        )


def class_names(body: Mapping[str, Any]) -> Iterator[tuple[bool, str]]:
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


def type_texts(body: Mapping[str, Any]) -> Iterator[str]:
    """What the Coverage's type says in words."""
    concept = as_object(body.get("type"))
    for text in (concept.get("text"), *(coding.get("display") for coding in islice(codings(concept), MOST))):
        if as_text(text):
            yield str(text)

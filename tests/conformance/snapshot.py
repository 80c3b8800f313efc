"""Checks a resource against the snapshot of a CRD 2.0.1 profile: cardinalities, fixed values, types, required bindings."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_DATA = Path(__file__).parents[1] / "data" / "crd-2.0.1.json"

Element = dict[str, Any]


@functools.cache
def _package() -> dict[str, Any]:
    """Reduced by ``reduce_package``; the package is in the public domain (CC0-1.0)."""
    package: dict[str, Any] = json.loads(_DATA.read_text())
    return package


def problems(value: Any, profile: str) -> list[str]:
    """What of ``value`` breaks ``profile``; empty if nothing does."""
    elements: list[Element] = _package()["profiles"][profile]
    return list(_object(value, elements[0]["id"], elements))


def _object(value: Any, parent: str, elements: list[Element]) -> Iterator[str]:
    beneath = [each for each in elements if each["id"].rpartition(".")[0] == parent]
    for element in beneath:
        name, _, of_slice = element["id"].rpartition(".")[2].partition(":")
        if of_slice and name != "extension":
            continue
        if name == "extension" and of_slice and parent.startswith("Extension"):
            found = [each for each in value.get("extension", []) if each.get("url") == of_slice]
        elif of_slice:
            continue
        else:
            found = list(_values(value, name, element, parent))
        yield from _counted(found, element)
        for each in found:
            yield from _checked(each, element)
            if isinstance(each, dict) and any(other["id"].startswith(f"{element['id']}.") for other in elements):
                yield from _object(each, element["id"], elements)
    slices = {each["id"].rpartition(":")[2] for each in beneath if ".extension:" in each["id"].removeprefix(parent)}
    if slices and parent.startswith("Extension"):
        yield from (f"{parent}: {each['url']} is no child of it" for each in value["extension"] if each["url"] not in slices)


def _values(value: Any, name: str, element: Element, parent: str) -> Iterator[Any]:
    if not name.endswith("[x]"):
        found = value.get(name, [])
        yield from found if isinstance(found, list) else [found]
        return
    stem = name.removesuffix("[x]")
    for key, member in value.items():
        if key.startswith(stem) and key[len(stem) :][:1].isupper():
            kind = key[len(stem) :]
            if "types" in element and kind.lower() not in [each.lower() for each in element["types"]]:
                member = _Wrong(f"{parent}.{key}: is of none of the types {element['types']}")
            yield member


class _Wrong(str):
    """A value of a wrong type; says so."""


def _counted(found: list[Any], element: Element) -> Iterator[str]:
    most = float("inf") if element["max"] == "*" else int(element["max"])
    if not element["min"] <= len(found) <= most:
        yield f"{element['id']}: {len(found)} of {element['min']}..{element['max']}"


def _checked(value: Any, element: Element) -> Iterator[str]:
    if isinstance(value, _Wrong):
        yield str(value)
        return
    fixed = element.get("fixedUri", element.get("fixedCode"))
    if fixed is not None and value != fixed:
        yield f"{element['id']}: is not {fixed}"
    codes = _package()["valueSets"].get(element.get("required"))
    if codes is not None and value not in codes:
        yield f"{element['id']}: {value} is not in {element['required']}"

"""The extensions of an order: billing options, and the questions that an EHR asks at ordering, with their answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from .order_text import MAX_DEPTH, Collector, Role, items

BILLING_OPTIONS: Final = "http://hl7.org/fhir/us/davinci-crd/StructureDefinition/ext-billing-options"
#: A payer's answer on the order, an earlier one of ours too: it says what was read, never what is ordered.
COVERAGE_INFORMATION: Final = "http://hl7.org/fhir/us/davinci-crd/StructureDefinition/ext-coverage-information"
#: Elements whose content never says what is ordered.
_UNREAD: Final = frozenset(
    {"identifier", "requisition", "subject", "contained", "meta", "text", "requester", "insurance", "encounter"}
)


def collect_extensions(found: Collector, order: Mapping[str, Any]) -> None:
    """Read the extensions of ``order``, wherever they stand, into ``found``."""
    if _is_extended(order):
        _stray(found, "", order)


def _extensions(found: Collector, element: str, value: object, depth: int = 0) -> None:
    """Read every answer of the extensions at ``element``; a yes or no is read together with its question."""
    if depth > MAX_DEPTH:
        return
    for place, extension in items(element, value):
        if not isinstance(extension, dict) or extension.get("url") == COVERAGE_INFORMATION:
            continue
        billing = extension.get("url") == BILLING_OPTIONS
        role = Role.BILLING if billing else Role.INSTRUCTION
        nested = extension.get("extension")
        if nested is not None and not _question(found, place, nested):
            _extensions(found, f"{place}.extension", nested, depth + 1)
        if isinstance(extension.get("valueBoolean"), bool):
            label = _label(extension.get("url"))
            found.text(f"{place}.valueBoolean", f"{label}: {'yes' if extension['valueBoolean'] else 'no'}", role)
        for key in ("valueString", "valueMarkdown", "valueCode"):
            if key in extension:
                found.text(f"{place}.{key}", extension[key], role)
        if "valueCodeableConcept" in extension:
            found.concept(f"{place}.valueCodeableConcept", extension["valueCodeableConcept"], role)
        if "valueCoding" in extension:
            found.coding(f"{place}.valueCoding", extension["valueCoding"], role)
        annotation = extension.get("valueAnnotation")
        if isinstance(annotation, dict):
            found.text(f"{place}.valueAnnotation.text", annotation.get("text"), role)


def _question(found: Collector, element: str, nested: object) -> bool:
    """Read a question and its answer as one text; False where ``nested`` is no such pair."""
    pairs = [(str(part.get("url")), part) for _, part in items("", nested) if isinstance(part, dict)]
    asked = next((_plain_value(part) for url, part in pairs if _is_question(url)), None)
    answers = [_plain_value(part) for url, part in pairs if not _is_question(url)]
    answers = [answer for answer in answers if answer]
    if not asked or not answers:
        return False
    answer = ", ".join(answers)
    found.text(element, f"{asked.rstrip(' :?')}{'?' if '?' in asked else ':'} {answer}", Role.INSTRUCTION)
    for _, part in pairs:
        for key in ("valueCodeableConcept", "valueCoding"):
            value = part.get(key)
            codings = value.get("coding") if isinstance(value, dict) and key == "valueCodeableConcept" else [value]
            for place, coding in items(f"{element}.{key}.coding", codings):
                if isinstance(coding, dict):
                    found.coding(place, {**coding, "display": None}, Role.INSTRUCTION)
    return True


def _stray(found: Collector, element: str, value: object, depth: int = 0) -> None:
    """Find extensions anywhere under ``value`` and read them."""
    if depth > MAX_DEPTH:
        return
    if isinstance(value, dict):
        for key, inner in value.items():
            if not isinstance(inner, (dict, list)) or (depth == 0 and key in _UNREAD):
                continue  # before its path is made: most members are plain values
            place = f"{element}.{key}" if element else str(key)
            if key in ("extension", "modifierExtension"):
                _extensions(found, place, inner)
            else:
                _stray(found, place, inner, depth + 1)
    elif isinstance(value, list):
        for place, inner in items(element, value):
            if isinstance(inner, (dict, list)):
                _stray(found, place, inner, depth + 1)


def _is_extended(order: Mapping[str, Any]) -> bool:
    """Tell whether there is an extension anywhere, which takes half as long to see as to walk all with their paths."""
    if "extension" in order or "modifierExtension" in order:
        return True
    inside = [value for key, value in order.items() if isinstance(value, (dict, list)) and key not in _UNREAD]
    while inside:
        value = inside.pop()
        if isinstance(value, dict) and ("extension" in value or "modifierExtension" in value):
            return True
        inner = value.values() if isinstance(value, dict) else value
        inside += [each for each in inner if isinstance(each, (dict, list))]
    return False


def _is_question(url: str) -> bool:
    tail = url.rstrip("/").rpartition("/")[2].rpartition("#")[2].lower()
    return tail in ("question", "questiontext", "question-text", "prompt", "label", "name", "linkid", "text", "title") or (
        tail.endswith("question") and "answer" not in tail
    )


def _label(url: object) -> str:
    """Return the last part of an extension's URL in words, "include-x-sequences" as "include x sequences"."""
    if not isinstance(url, str):
        return ""
    tail = url.rstrip("/").rpartition("/")[2].rpartition(":")[2][:80]
    return "".join(f" {c}" if c.isupper() and not tail.isupper() else c for c in tail).replace("-", " ").replace("_", " ")


def _plain_value(extension: Mapping[str, Any]) -> str:
    """Return what an extension's value says as plain text; "" where it says nothing."""
    for key, value in extension.items():
        if not isinstance(key, str) or not key.startswith("value"):
            continue
        if isinstance(value, bool):
            return "yes" if value else "no"
        if isinstance(value, str):
            return value
        if isinstance(value, dict):
            found = Collector()
            found.concept("", value, Role.INSTRUCTION)
            if found.texts:
                return found.texts[0].words
    return ""

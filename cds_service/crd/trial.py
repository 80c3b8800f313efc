"""Does an order show a clinical trial, and by what?

Under NCD 310.1 covered services related to a qualifying trial are billed to Original Medicare, not to the plan, so an
order that shows a trial is told that first.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from .fhir import MAX_DEPTH
from .fhir_values import as_list, as_object, codings, reference_tail

#: ICD-10-CM Z00.6: examination of a participant in a clinical research programme; some systems send it without the dot.
_TRIAL_REASONS = ("Z00.6", "Z006")
#: HCPCS modifiers: Q0 investigational, Q1 routine service in a qualifying trial.
_TRIAL_MODIFIERS = ("Q0", "Q1")
_TRIAL_REASON = re.compile(r"(?<![\w.])Z00\.?6(?![\w]|\.\d)", re.IGNORECASE | re.ASCII)
_REGISTRY_NUMBER = re.compile(r"\bNCT[ :#-]{0,3}\d{8}\b", re.IGNORECASE | re.ASCII)
#: Behind a procedure code, other modifiers between: "76498-Q1", "76498 26 Q1", "76498Q1"; not the quarter in "76498 Q1 2024".
_MODIFIER = re.compile(
    r"\b[0-9]{4}[0-9A-Z](?:[ ,/:-]{0,2}(?!Q[01])[0-9A-Z]{2}){0,3}[ ,/:-]{0,2}(Q[01])\b(?![ ,/-]{0,2}\d{4}\b)",
    re.IGNORECASE | re.ASCII,
)
_RESEARCH = ("ResearchStudy", "ResearchSubject")
_HINTS = (b"z00", b"research", b"nct", b"q0", b"q1")


def trial_shown(order: Mapping[str, Any], raw: bytes) -> str | None:
    """By what ``order`` (``raw``: the same as bytes) shows a clinical trial, in a few words, or None."""
    lowered = raw.lower()
    if not any(hint in lowered for hint in _HINTS) and b"\\u" not in lowered:
        return None
    for reason in as_list(order.get("reasonCode")):
        if _TRIAL_REASON.search(str(as_object(reason).get("text"))):
            return "reason code Z00.6"
        for coding in codings(reason):
            if str(coding.get("code")).strip().upper() in _TRIAL_REASONS:
                return "reason code Z00.6"
    modifier = _modifier(order)
    if modifier:
        return f"modifier {modifier}"
    for key, value in _strings(order):
        if key == "reference" and (reference_tail(value) or ("", ""))[0] in _RESEARCH:
            return "a reference to a research study"
        if key in ("type", "resourceType") and value in _RESEARCH:
            return "a reference to a research study"
        if _REGISTRY_NUMBER.search(value):
            return "a trial registry number"
    return None


def _modifier(order: Mapping[str, Any]) -> str | None:
    """Q0 or Q1 as a coding of its own on the order's code, or behind a procedure code ("76498-Q1")."""
    code = as_object(order.get("code"))
    concepts = [code, *(as_object(each).get("valueCodeableConcept") for each in as_list(code.get("extension")))]
    for concept in concepts:
        for coding in codings(concept):
            if str(coding.get("code")).strip().upper() in _TRIAL_MODIFIERS:
                return str(coding["code"]).strip().upper()
        texts = (as_object(concept).get("text"), *(coding.get(key) for coding in codings(concept) for key in ("code", "display")))
        for text in texts:
            found = _MODIFIER.search(text) if isinstance(text, str) else None
            if found:
                return found[1].upper()
    return None


def _strings(value: Any, key: str = "", depth: int = 0) -> Iterator[tuple[str, str]]:
    """Yield every (member name, string) within ``value``."""
    if isinstance(value, str):
        yield key, value
    elif depth < MAX_DEPTH:
        if isinstance(value, dict):
            for name, member in value.items():
                yield from _strings(member, name, depth + 1)
        elif isinstance(value, list):
            for element in value:
                yield from _strings(element, key, depth + 1)

"""The texts and codes of a ServiceRequest as EHRs send it, collected from all its elements.

Contained resources, identifiers and the requisition are not read: what they name is not what is ordered.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from .narrative import narrative_words
from .order_questions import collect_extensions
from .order_text import MAX_TEXT, Collector, OrderText, Role, items

_CONCEPTS: Final = (
    ("code", Role.NAME),
    ("orderDetail", Role.DETAIL),
    ("bodySite", Role.SITE),
    ("category", Role.CATEGORY),
    ("reasonCode", Role.REASON),
    ("reason", Role.REASON),
    ("performerType", Role.PERFORMER),
)
_DISPLAYS: Final = (
    ("reasonReference", Role.REASON),
    ("performer", Role.PERFORMER),
    ("locationReference", Role.PERFORMER),
)


def collect(order: Mapping[str, Any]) -> OrderText:
    """Collect what ``order``, a ServiceRequest as received, says in words and codes. Never raises, whatever its shape."""
    found = Collector()
    for element, role in _CONCEPTS:
        if element in order:
            for place, concept in items(element, order[element]):
                found.concept(place, concept, role)
    if "note" in order:
        for place, note in items("note", order["note"]):
            if isinstance(note, dict):
                found.text(f"{place}.text", note.get("text"), Role.INSTRUCTION)
            else:
                found.text(place, note, Role.INSTRUCTION)
    if "patientInstruction" in order:
        for place, instruction in items("patientInstruction", order["patientInstruction"]):
            found.text(place, instruction, Role.INSTRUCTION)
    for element, role in _DISPLAYS:
        if element in order:
            for place, reference in items(element, order[element]):
                if isinstance(reference, dict):
                    found.text(f"{place}.display", reference.get("display"), role)
    collect_extensions(found, order)
    narrative = order.get("text")
    div = narrative.get("div") if isinstance(narrative, dict) else narrative
    if isinstance(div, str):
        found.text("text.div", narrative_words(div[:MAX_TEXT]), Role.NARRATIVE)
    return OrderText(tuple(found.texts), tuple(found.codes))

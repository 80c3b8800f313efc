"""What an order says: its texts and codes, each with the path of the element it stands in, and the collector of them.

Survives any JSON value: what is not of the shape FHIR R4 gives it is passed over, or read as the text it plainly is (a
string where a CodeableConcept belongs).
"""

from __future__ import annotations

import enum
from typing import Final

import msgspec

#: Levels of nesting below which nothing is read, and texts and codes beyond which nothing more is.
MAX_DEPTH: Final = 8
MAX_ITEMS: Final = 400
#: Characters of one text that are read, and of all of them together.
MAX_TEXT: Final = 20_000
MAX_TOTAL: Final = 60_000


class Role(enum.Enum):
    """What kind of element a text stands in."""

    NAME = "name"  # names what is ordered: code.text, code.coding.display
    BILLING = "billing"  # the billing options on the code
    DETAIL = "detail"  # orderDetail
    INSTRUCTION = "instruction"  # note, patientInstruction, order questions
    NARRATIVE = "narrative"  # text.div
    REASON = "reason"  # reasonCode, display of reasonReference
    SITE = "site"  # bodySite
    CATEGORY = "category"
    PERFORMER = "performer"  # performerType, display of performer and location


#: Elements where a bare noun is the name of what is ordered.
#: A tuple, since it is asked for each text several times: a set would have to hash the role, which an Enum does in Python.
NAMING: Final = (Role.NAME, Role.CATEGORY, Role.BILLING, Role.DETAIL)


class Text(msgspec.Struct, frozen=True):
    """One text: the path of its element, what it says, and the kind of element."""

    element: str
    words: str
    role: Role


class Code(msgspec.Struct, frozen=True):
    """One coding: the path of its element, its system and display as sent (None where absent or no string), its code."""

    element: str
    system: str | None
    code: str
    display: str | None
    role: Role


class OrderText(msgspec.Struct, frozen=True):
    """All that an order says in words and codes."""

    texts: tuple[Text, ...]
    codes: tuple[Code, ...]


class Collector:
    """What was found so far. Decoded JSON has no mappings but dicts, and asking for the abstract ``Mapping`` takes long."""

    __slots__ = ("codes", "room", "texts")

    def __init__(self) -> None:
        self.texts: list[Text] = []
        self.codes: list[Code] = []
        self.room = MAX_TOTAL

    def text(self, element: str, value: object, role: Role) -> None:
        """Keep ``value`` if it is a text that says anything, as far as there is room."""
        if isinstance(value, str) and value.strip() and len(self.texts) < MAX_ITEMS and self.room > 0:
            words = value[: min(MAX_TEXT, self.room)]
            self.room -= len(words)
            self.texts.append(Text(element, words, role))

    def coding(self, element: str, value: object, role: Role) -> None:
        """Read a Coding, or what a system wrote in its place."""
        if not isinstance(value, dict):
            self.text(element, value, role)
            return
        display, system, code, text = value.get("display"), value.get("system"), value.get("code"), value.get("text")
        shown = display if isinstance(display, str) else None
        if shown is not None:
            if shown.strip().lower() in ("unknown", "null"):
                shown = None
            else:
                self.text(f"{element}.display", shown, role)
        if text is not None:
            self.text(f"{element}.text", text, role)
        if code is None or isinstance(code, (bool, dict, list)) or len(self.codes) >= MAX_ITEMS:
            return
        self.codes.append(Code(element, system if isinstance(system, str) else None, str(code).strip()[:64], shown, role))

    def concept(self, element: str, value: object, role: Role) -> None:
        """Read a CodeableConcept, or what a system wrote in its place."""
        if not isinstance(value, dict):
            self.text(element, value, role)
            return
        if (text := value.get("text")) is not None:
            self.text(f"{element}.text", text, role)
        if (codings := value.get("coding")) is not None:
            for place, coding in items(f"{element}.coding", codings):
                self.coding(place, coding, role)
        if "display" in value or "code" in value:  # a Coding where a CodeableConcept belongs
            self.coding(element, value, role)
        if "concept" in value:  # R5 CodeableReference
            self.concept(f"{element}.concept", value["concept"], role)


def items(element: str, value: object) -> list[tuple[str, object]]:
    """Return the entries of a list with their paths; an object or string where a list belongs counts as its only entry."""
    if isinstance(value, list):
        if len(value) == 1:  # nearly every list of an order
            return [(f"{element}[0]", value[0])]
        return [(f"{element}[{index}]", item) for index, item in enumerate(value[:MAX_ITEMS])]
    return [] if value is None else [(element, value)]

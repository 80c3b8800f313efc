"""The texts and codes of a ServiceRequest as EHRs send it, each with the path of the element it stands in.

Survives any JSON value: what is not of the shape FHIR R4 gives it is passed over, or read as the text it plainly is (a
string where a CodeableConcept belongs). Contained resources, identifiers and the requisition are not read: what
they name is not what is ordered.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Any, Final

import msgspec
import nh3

#: Levels of nesting below which nothing is read, and texts and codes beyond which nothing more is.
MAX_DEPTH: Final = 8
MAX_ITEMS: Final = 400
#: Characters of one text that are read, and of all of them together.
MAX_TEXT: Final = 20_000
MAX_TOTAL: Final = 60_000

BILLING_OPTIONS: Final = "http://hl7.org/fhir/us/davinci-crd/StructureDefinition/ext-billing-options"
#: A payer's answer on the order, an earlier one of ours too: it says what was read, never what is ordered.
COVERAGE_INFORMATION: Final = "http://hl7.org/fhir/us/davinci-crd/StructureDefinition/ext-coverage-information"

_BLOCKS: Final = set(
    """
    address article blockquote br caption dd div dl dt h1 h2 h3 h4 h5 h6 hr li ol p pre section table tbody tfoot thead tr ul
    """.split()  # noqa: SIM905  one line a reader can check against HTML
)
_CELLS: Final = {"td", "th"}


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
    """All that an order says in words and codes. ``status`` is None where absent or no string."""

    texts: tuple[Text, ...]
    codes: tuple[Code, ...]
    status: str | None
    do_not_perform: bool


class _Collector:
    """What was found so far. Decoded JSON has no mappings but dicts, and asking for the abstract ``Mapping`` takes long."""

    __slots__ = ("codes", "room", "texts")

    def __init__(self) -> None:
        self.texts: list[Text] = []
        self.codes: list[Code] = []
        self.room = MAX_TOTAL

    def text(self, element: str, value: object, role: Role) -> None:
        if isinstance(value, str) and value.strip() and len(self.texts) < MAX_ITEMS and self.room > 0:
            words = value[: min(MAX_TEXT, self.room)]
            self.room -= len(words)
            self.texts.append(Text(element, words, role))

    def coding(self, element: str, value: object, role: Role) -> None:
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
            for place, coding in _items(f"{element}.coding", codings):
                self.coding(place, coding, role)
        if "display" in value or "code" in value:  # a Coding where a CodeableConcept belongs
            self.coding(element, value, role)
        if "concept" in value:  # R5 CodeableReference
            self.concept(f"{element}.concept", value["concept"], role)

    def extensions(self, element: str, value: object, depth: int = 0) -> None:
        """Read every answer of the extensions at ``element``; a yes or no is read together with its question."""
        if depth > MAX_DEPTH:
            return
        for place, extension in _items(element, value):
            if not isinstance(extension, dict) or extension.get("url") == COVERAGE_INFORMATION:
                continue
            billing = extension.get("url") == BILLING_OPTIONS
            role = Role.BILLING if billing else Role.INSTRUCTION
            nested = extension.get("extension")
            if nested is not None and not self._question(place, nested):
                self.extensions(f"{place}.extension", nested, depth + 1)
            if isinstance(extension.get("valueBoolean"), bool):
                label = _label(extension.get("url"))
                self.text(f"{place}.valueBoolean", f"{label}: {'yes' if extension['valueBoolean'] else 'no'}", role)
            for key in ("valueString", "valueMarkdown", "valueCode"):
                if key in extension:
                    self.text(f"{place}.{key}", extension[key], role)
            if "valueCodeableConcept" in extension:
                self.concept(f"{place}.valueCodeableConcept", extension["valueCodeableConcept"], role)
            if "valueCoding" in extension:
                self.coding(f"{place}.valueCoding", extension["valueCoding"], role)
            annotation = extension.get("valueAnnotation")
            if isinstance(annotation, dict):
                self.text(f"{place}.valueAnnotation.text", annotation.get("text"), role)

    def _question(self, element: str, nested: object) -> bool:
        """Read a question and its answer as one text; False where ``nested`` is no such pair."""
        pairs = [(str(part.get("url")), part) for _, part in _items("", nested) if isinstance(part, dict)]
        asked = next((_plain_value(part) for url, part in pairs if _is_question(url)), None)
        answers = [_plain_value(part) for url, part in pairs if not _is_question(url)]
        answers = [answer for answer in answers if answer]
        if not asked or not answers:
            return False
        answer = ", ".join(answers)
        self.text(element, f"{asked.rstrip(' :?')}{'?' if '?' in asked else ':'} {answer}", Role.INSTRUCTION)
        for _, part in pairs:
            for key in ("valueCodeableConcept", "valueCoding"):
                value = part.get(key)
                codings = value.get("coding") if isinstance(value, dict) and key == "valueCodeableConcept" else [value]
                for place, coding in _items(f"{element}.{key}.coding", codings):
                    if isinstance(coding, dict):
                        self.coding(place, {**coding, "display": None}, Role.INSTRUCTION)
        return True

    def stray_extensions(self, element: str, value: object, depth: int = 0) -> None:
        """Find extensions anywhere under ``value`` and read them."""
        if depth > MAX_DEPTH:
            return
        if isinstance(value, dict):
            for key, inner in value.items():
                if not isinstance(inner, (dict, list)) or (depth == 0 and key in _UNREAD):
                    continue  # before its path is made: most members are plain values
                place = f"{element}.{key}" if element else str(key)
                if key in ("extension", "modifierExtension"):
                    self.extensions(place, inner)
                else:
                    self.stray_extensions(place, inner, depth + 1)
        elif isinstance(value, list):
            for place, inner in _items(element, value):
                if isinstance(inner, (dict, list)):
                    self.stray_extensions(place, inner, depth + 1)


#: Elements whose content never says what is ordered.
_UNREAD: Final = frozenset(
    {"identifier", "requisition", "subject", "contained", "meta", "text", "requester", "insurance", "encounter"}
)


def _items(element: str, value: object) -> list[tuple[str, object]]:
    """The entries of a list with their paths; an object or string where a list belongs counts as its only entry."""
    if isinstance(value, list):
        if len(value) == 1:  # nearly every list of an order
            return [(f"{element}[0]", value[0])]
        return [(f"{element}[{index}]", item) for index, item in enumerate(value[:MAX_ITEMS])]
    return [] if value is None else [(element, value)]


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
            found = _Collector()
            found.concept("", value, Role.INSTRUCTION)
            if found.texts:
                return found.texts[0].words
    return ""


def narrative_words(div: str) -> str:
    """Return the words of an XHTML narrative without its tags, blocks on lines of their own (HTML read by nh3)."""
    if "<" not in div and "&" not in div:
        return div
    kept = nh3.clean(div[:MAX_TEXT], tags=_BLOCKS | _CELLS, attributes={}, url_schemes=set(), strip_comments=True, link_rel=None)
    pieces: list[str] = []
    for piece in kept.split("<"):
        tag, closed, rest = piece.partition(">")
        if not closed:  # the text before the first tag
            pieces.append(piece)
            continue
        name = tag.strip("/ ").split(" ", 1)[0]
        if name in _CELLS:
            pieces.append(": " if name == "th" and tag.startswith("/") else " ")
        else:
            pieces.append("\n" if name in _BLOCKS else "")
        pieces.append(rest)
    text = "".join(pieces)
    for entity, character in (("&nbsp;", " "), ("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&amp;", "&")):
        text = text.replace(entity, character)
    return text


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
    found = _Collector()
    for element, role in _CONCEPTS:
        if element in order:
            for place, concept in _items(element, order[element]):
                found.concept(place, concept, role)
    if "note" in order:
        for place, note in _items("note", order["note"]):
            if isinstance(note, dict):
                found.text(f"{place}.text", note.get("text"), Role.INSTRUCTION)
            else:
                found.text(place, note, Role.INSTRUCTION)
    if "patientInstruction" in order:
        for place, instruction in _items("patientInstruction", order["patientInstruction"]):
            found.text(place, instruction, Role.INSTRUCTION)
    for element, role in _DISPLAYS:
        if element in order:
            for place, reference in _items(element, order[element]):
                if isinstance(reference, dict):
                    found.text(f"{place}.display", reference.get("display"), role)
    if _is_extended(order):
        found.stray_extensions("", order)
    narrative = order.get("text")
    div = narrative.get("div") if isinstance(narrative, dict) else narrative
    if isinstance(div, str):
        found.text("text.div", narrative_words(div), Role.NARRATIVE)
    status = order.get("status")
    forbidden = order.get("doNotPerform")
    return OrderText(
        texts=tuple(found.texts),
        codes=tuple(found.codes),
        status=status.strip().lower() if isinstance(status, str) else None,
        do_not_perform=forbidden is True or (isinstance(forbidden, str) and forbidden.strip().lower() == "true"),
    )

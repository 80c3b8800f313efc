"""What kind of service an order is for: the procedure's modality, another service, an unlisted code, or nothing that tells.

Rules D2 and D3 of the recognition rules: the names and the billing codes say what is ordered; free text does not.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, NamedTuple

import msgspec

from .mentions import Scanned
from .order_text import Code, OrderText, Role, Text
from .recognition_table import OtherService, Unlisted
from .vocabulary import CompiledVocabulary, Tag
from .words import plain

_CODE: Final = re.compile(
    r"(?:cpt|hcpcs|ama)?(?:[ -]?4)?[ :#()-]{0,3}([0-9]{5})(?:[a-z]{2})?(?:[ ,;:/_.()-]{1,3}[0-9a-z]{2}){0,5}[ ,;.)]?"
)
_DIGIT: Final = re.compile(r"[0-9]")
_NO_WORD: Final = re.compile(r"[^a-z0-9]+")
_OPENERS: Final = frozenset({"for", "due", "dx", "indication", "reason", "history", "hx", "status"})
_SAYS_NOTHING: Final = frozenset(
    {
        "procedure",
        "procedures",
        "proc",
        "unlisted",
        "see",
        "comment",
        "comments",
        "detail",
        "details",
        "note",
        "notes",
        "other",
        "misc",
        "special",
        "order",
        "below",
    }
)
_PROCEDURE_ENDINGS: Final = (
    "gram",
    "graphy",
    "scopy",
    "tomy",
    "plasty",
    "ectomy",
    "metry",
    "desis",
    "centesis",
    "therapy",
    "ation",
)


class Kind(msgspec.Struct, frozen=True):
    """What the order is for.

    ``other``: another service, by name or code; ``modality``: a name or code says the procedure's modality; both: they
    contradict each other. ``category``: a category says the department, ``category_modality``: the very modality;
    ``to_department``: it asks the modality's department.
    ``unlisted``: the entry of the unlisted billing code, with the element it stands in; None where it names another thing.
    """

    other: OtherService | None
    other_element: str
    modality: bool
    modality_named: bool
    category: bool
    category_modality: bool
    to_department: bool
    unlisted: Unlisted | None
    unlisted_element: str
    named_otherwise: OtherService | None
    named_element: str
    ordinary: bool


def bare_code(code: str) -> str:
    """Return the five digits of a procedure code written with a label or modifiers ("CPT 76498-26"), else the code folded."""
    folded = plain(code)
    match = _CODE.fullmatch(folded) if len(folded) >= 5 else None
    return match.group(1) if match else folded


def _first_decisive(scanned: Scanned) -> OtherService | bool | None:
    """Return the first service that a name names: True for the modality, an entry for another, None where it names none."""
    if not scanned.has(Tag.MODALITY | Tag.NAME | Tag.OTHER_SERVICE):
        return None
    others = dict(reversed(scanned.others))
    opened = False
    for index, tags in enumerate(scanned.tags):
        if tags & (Tag.MODALITY | Tag.NAME):
            if tags & Tag.MODALITY or any(m.first <= index <= m.last and m.modality_here for m in scanned.mentions):
                return True
        elif tags & Tag.OTHER_SERVICE and not opened:
            entry = others.get(index)
            if entry is not None:
                return entry
        if scanned.passage.words[index] in _OPENERS:
            opened = True
    return None


def _guided(scanned: Scanned, vocabulary: CompiledVocabulary) -> OtherService | None:
    """Return the operation that "guided" or "under guidance" makes of an examination's name."""
    if scanned.others and ("guided" in scanned.passage.words or "guidance" in scanned.passage.words):
        return next((entry for _, entry in scanned.others if entry.rule == "D3"), None)
    return None


def classify(order: OrderText, names: tuple[Scanned, ...], vocabulary: CompiledVocabulary) -> Kind:
    """Tell what kind of service ``order`` is for. ``names`` are its scanned naming texts (name, billing, detail, category)."""
    other: OtherService | None = None
    other_element = ""
    modality_text = False
    for scanned in names:
        if scanned.text.role is Role.CATEGORY or (scanned.text.role is Role.DETAIL and other is not None):
            continue
        decisive = _guided(scanned, vocabulary) or _first_decisive(scanned)
        if isinstance(decisive, OtherService):
            if other is None and scanned.text.role is not Role.DETAIL:
                other, other_element = decisive, scanned.text.element
        elif decisive:
            modality_text = True
    codes = _read_codes(order, vocabulary)
    categories = _category_words(order)
    modality_code, other_code, code_element = _codes(codes, vocabulary)
    if other is None and other_code is not None and not modality_code:
        other, other_element = other_code, code_element
    unlisted, unlisted_element = _unlisted(codes, names, vocabulary)
    if other is None and not modality_text and not modality_code and unlisted is None:
        other, other_element = _other_category(categories, vocabulary)
    named, named_element, ordinary = _named_otherwise(names, unlisted, vocabulary)
    return Kind(
        other=other,
        other_element=other_element,
        modality=modality_text or modality_code,
        modality_named=modality_text,
        category=_category(categories, vocabulary),
        category_modality=not vocabulary.modality_words.isdisjoint([words for _, words in categories]),
        to_department=_to_department(order, names, vocabulary),
        unlisted=unlisted,
        unlisted_element=unlisted_element,
        named_otherwise=named,
        named_element=named_element,
        ordinary=ordinary,
    )


def _to_department(order: OrderText, names: tuple[Scanned, ...], vocabulary: CompiledVocabulary) -> bool:
    """Tell whether the order is addressed to the modality's department, by its name or its performer."""
    for scanned in names:
        if scanned.has(Tag.REFERRAL) and scanned.text.role is not Role.CATEGORY:
            return True
    return performed_by_department(order.texts, vocabulary)


def performed_by_department(texts: Iterable[Text], vocabulary: CompiledVocabulary) -> bool:
    """Tell whether one of ``texts`` names the modality's department as the performer."""
    performers = [plain(text.words) for text in texts if text.role is Role.PERFORMER]
    return any(word in performer for performer in performers for word in vocabulary.departments)


class _ReadCode(NamedTuple):
    """A code that can say what is ordered: the name here of its system, as ``system_name`` tells it, and its ``bare_code``."""

    code: Code
    system: str | None
    digits: str


def _read_codes(order: OrderText, vocabulary: CompiledVocabulary) -> list[_ReadCode]:
    return [
        _ReadCode(code, vocabulary.system_name(code.system), bare_code(code.code))
        for code in order.codes
        if code.role in (Role.NAME, Role.BILLING, Role.DETAIL, Role.INSTRUCTION)
    ]


def _codes(codes: list[_ReadCode], vocabulary: CompiledVocabulary) -> tuple[bool, OtherService | None, str]:
    """Return whether a code says the modality, and the entry of a code of another service with its element."""
    modality = False
    other: OtherService | None = None
    element = ""
    for code, system, digits in codes:
        if system is None:
            continue
        name = system or "CPT"
        if vocabulary.modality_codes.holds(name, digits):
            modality = True
        elif code.role is Role.NAME and other is None:
            found = next((entry for ranges, entry in vocabulary.other_codes if ranges.holds(name, digits)), None)
            if found is not None:
                other, element = found, code.element
    return modality, other, element


def _is_unlisted(read: _ReadCode, vocabulary: CompiledVocabulary, names: tuple[Scanned, ...]) -> Unlisted | None:
    entry = vocabulary.unlisted.get(read.digits)
    if entry is None:
        return None
    if read.system == "" or read.system == entry.code.partition(" ")[0]:
        return entry
    generic = any(
        scanned.text.role is Role.NAME and scanned.has(Tag.UNLISTED | Tag.MODALITY) and not scanned.has(Tag.OTHER_EXAM)
        for scanned in names
    )
    return entry if read.system is None and generic else None


def _unlisted(codes: list[_ReadCode], names: tuple[Scanned, ...], vocabulary: CompiledVocabulary) -> tuple[Unlisted | None, str]:
    """Find the unlisted code of an order: as a coding, as the only billing option, or typed as text."""
    billed = all(vocabulary.unlisted.get(read.digits) is not None for read in codes if read.code.role is Role.BILLING)
    for read in codes:
        if billed or read.code.role is not Role.BILLING:
            entry = _is_unlisted(read, vocabulary, names)
            if entry is not None:
                return entry, read.code.element
    for scanned in names:
        if not _DIGIT.search(scanned.passage.folded):
            continue
        words, tags = scanned.passage.words, scanned.tags
        for index, word in enumerate(words):
            entry = vocabulary.unlisted.get(bare_code(word)) if word[-5:].isdigit() else None
            if entry is None:
                continue
            labelled = (index > 0 and words[index - 1] in ("cpt", "hcpcs", "code", "cpt4", "4")) or not word.isdigit()
            if labelled or scanned.has(Tag.UNLISTED) or all(t or w.isdigit() for t, w in zip(tags, words, strict=True)):
                return entry, scanned.text.element
    return None, ""


def _other_category(categories: list[tuple[str, str]], vocabulary: CompiledVocabulary) -> tuple[OtherService | None, str]:
    for element, words in categories:
        entry = vocabulary.other_categories.get(words)
        if entry is not None:
            return entry, element
    return None, ""


def _category_words(order: OrderText) -> list[tuple[str, str]]:
    found = [(text.element, plain(text.words).strip()) for text in order.texts if text.role is Role.CATEGORY]
    return found + [(code.element, plain(code.code)) for code in order.codes if code.role is Role.CATEGORY]


def _category(categories: list[tuple[str, str]], vocabulary: CompiledVocabulary) -> bool:
    for _, words in categories:
        if words in vocabulary.categories or not vocabulary.categories.isdisjoint(_NO_WORD.split(words[:80])):
            return True
    return False


def _named_otherwise(
    names: tuple[Scanned, ...], unlisted: Unlisted | None, vocabulary: CompiledVocabulary
) -> tuple[OtherService | None, str, bool]:
    """Return the entry and element of a name that names another procedure; True last where it is an ordinary examination."""
    says_unlisted = any(scanned.has(Tag.UNLISTED) for scanned in names)
    for scanned in names:
        if scanned.text.role is Role.CATEGORY:
            continue
        for _, entry in scanned.others:
            if entry.where == "name-unless-unlisted" and says_unlisted:
                continue
            return entry, scanned.text.element, False
    for scanned in names:
        if scanned.text.role is Role.CATEGORY or unlisted is None or scanned.has(Tag.UNLISTED) or scanned.mentions:
            continue
        if _names_something(scanned, unlisted):
            return None, scanned.text.element, True
    return None, "", False


def _names_something(scanned: Scanned, unlisted: Unlisted) -> bool:
    """Tell whether a naming text beside an unlisted code names a procedure of its own rather than nothing in particular."""
    words, tags = scanned.passage.words, scanned.tags
    known = Tag.SITE | Tag.GENERIC | Tag.MODALITY | Tag.SUPPORT | Tag.DIAGNOSIS | Tag.UNSPECIFIED
    strange = [word for word, tag in zip(words, tags, strict=True) if not tag & known and not word.isdigit() and len(word) > 2]
    if any(word.endswith(_PROCEDURE_ENDINGS) for word in strange):
        return True
    if any(word in _SAYS_NOTHING for word in words):
        return False
    if scanned.has(Tag.MODALITY):
        sided = sum(1 for tag in tags if tag & Tag.SITE)
        return bool(strange) or (sided > 0 and not scanned.has(Tag.DIAGNOSIS))
    return bool(strange) and not unlisted.fixes_modality

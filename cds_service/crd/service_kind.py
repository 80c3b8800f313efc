"""What kind of service an order is for: the procedure's modality, another service, an unlisted code, or nothing that tells.

Rules D2 and D3 of the recognition rules: the names and the billing codes say what is ordered; free text does not.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

import msgspec

from .labelled import billed_as
from .mentions import Scanned
from .order_codes import find_unlisted, read_codes, said_by_codes
from .order_text import OrderText, Role, Text
from .recognition_table import Other, OtherExam, OtherService, Unlisted
from .vocabulary import CompiledVocabulary, Tag
from .words import plain

_NO_WORD: Final = re.compile(r"[^a-z0-9]+")
_OPENERS: Final = frozenset({"for", "due", "dx", "indication", "reason", "history", "hx", "status"})
#: Words of a name that say nothing of what is ordered.
_SAYS_NOTHING: Final = frozenset(
    """
    procedure procedures proc unlisted see comment comments detail details note notes other misc special order below
    """.split()  # noqa: SIM905  one line a reader can check
)
_PROCEDURE_ENDINGS: Final = tuple(
    """
    gram graphy scopy tomy plasty ectomy metry desis centesis therapy ation
    """.split()  # noqa: SIM905  one line a reader can check
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
    named_otherwise: Other | None
    named_element: str
    ordinary: bool


def _first_decisive(scanned: Scanned) -> OtherService | bool | None:
    """Return the first service that a name names: True for the modality, an entry for another, None where it names none."""
    if not scanned.has(Tag.MODALITY | Tag.NAME | Tag.OTHER_SERVICE):
        return None
    others = {index: entry for index, entry in reversed(scanned.others) if isinstance(entry, OtherService)}
    opened = False
    for index, tags in enumerate(scanned.tags):
        if scanned.dismissed and index in scanned.dismissed:
            continue
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


def _guided(scanned: Scanned) -> OtherService | None:
    """Return the operation that "guided" or "under guidance" makes of an examination's name."""
    if scanned.others and ("guided" in scanned.passage.words or "guidance" in scanned.passage.words):
        services = ((place, entry) for place, entry in scanned.others if isinstance(entry, OtherService))
        return next((entry for place, entry in services if entry.rule == "D3" and place not in scanned.dismissed), None)
    return None


def classify(order: OrderText, names: tuple[Scanned, ...], vocabulary: CompiledVocabulary) -> Kind:
    """Tell what kind of service ``order`` is for. ``names`` are its scanned naming texts (name, billing, detail, category)."""
    other: OtherService | None = None
    other_element = ""
    modality_text = False
    for scanned in names:
        if scanned.text.role is Role.CATEGORY or (scanned.text.role is Role.DETAIL and other is not None):
            continue
        decisive = _guided(scanned) or _first_decisive(scanned)
        if isinstance(decisive, OtherService):
            if other is None and scanned.text.role is not Role.DETAIL:
                other, other_element = decisive, scanned.text.element
        elif decisive:
            modality_text = True
    codes = read_codes(order, vocabulary)
    categories = _category_words(order)
    modality_code, other_code, code_element = said_by_codes(codes, vocabulary)
    if other is None and other_code is not None and not modality_code:
        other, other_element = other_code, code_element
    unlisted, unlisted_element = find_unlisted(codes, names, vocabulary)
    if unlisted is None and other is None and all(_says_nothing(scanned) for scanned in names if scanned.text.role is Role.NAME):
        unlisted_element, unlisted = next(billed_as(order.texts, vocabulary), ("", None))
    if other is None and not modality_text and not modality_code and unlisted is None:
        other, other_element = _other_category(categories, vocabulary)
    named, named_element, ordinary = _named_otherwise(names, unlisted)
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


def _says_nothing(scanned: Scanned) -> bool:
    """Tell whether a name says at most the modality, so that a code in a note says more ("MRI", "Miscellaneous order")."""
    nothing = Tag.GENERIC | Tag.UNSPECIFIED | Tag.UNLISTED | Tag.MODALITY | Tag.SUPPORT
    return all(tags & nothing or word in _SAYS_NOTHING for word, tags in zip(scanned.passage.words, scanned.tags, strict=True))


def _other_category(categories: list[tuple[str, str]], vocabulary: CompiledVocabulary) -> tuple[OtherService | None, str]:
    """Return the other service that a category names, with its element; None and "" where there is none."""
    for element, words in categories:
        entry = vocabulary.other_categories.get(words)
        if entry is not None:
            return entry, element
    return None, ""


def _category_words(order: OrderText) -> list[tuple[str, str]]:
    """Return the element and the folded words or code of each category."""
    found = [(text.element, plain(text.words).strip()) for text in order.texts if text.role is Role.CATEGORY]
    return found + [(code.element, plain(code.code)) for code in order.codes if code.role is Role.CATEGORY]


def _category(categories: list[tuple[str, str]], vocabulary: CompiledVocabulary) -> bool:
    """Tell whether a category is the modality's, or holds it among its words."""
    for _, words in categories:
        if words in vocabulary.categories or not vocabulary.categories.isdisjoint(_NO_WORD.split(words[:80])):
            return True
    return False


def _named_otherwise(names: tuple[Scanned, ...], unlisted: Unlisted | None) -> tuple[Other | None, str, bool]:
    """Return the entry and element of a name that names another procedure; True last where it is an ordinary examination."""
    says_unlisted = any(scanned.has(Tag.UNLISTED) for scanned in names)
    for scanned in names:
        if scanned.text.role is Role.CATEGORY:
            continue
        for _, entry in scanned.others:
            if isinstance(entry, OtherExam) and entry.where == "name-unless-unlisted" and says_unlisted:
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

"""What the codes of an order say of the service it is for: the modality, another service, or an unlisted procedure."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from .mentions import Scanned
from .order_text import Code, OrderText, Role
from .recognition_table import OtherService, Unlisted
from .vocabulary import CompiledVocabulary, Tag
from .words import plain

_CODE: Final = re.compile(
    r"(?:cpt|hcpcs|ama)?(?:[ -]?4)?[ :#()-]{0,3}([0-9]{5})(?:[a-z]{2})?(?:[ ,;:/_.()-]{1,3}[0-9a-z]{2}){0,5}[ ,;.)]?"
)
_DIGIT: Final = re.compile(r"[0-9]")


def bare_code(code: str) -> str:
    """Return the five digits of a procedure code written with a label or modifiers ("CPT 76498-26"), else the code folded."""
    folded = plain(code)
    match = _CODE.fullmatch(folded) if len(folded) >= 5 else None
    return match.group(1) if match else folded


class ReadCode(NamedTuple):
    """A code that can say what is ordered: the name here of its system, as ``system_name`` tells it, and its ``bare_code``."""

    code: Code
    system: str | None
    digits: str


def read_codes(order: OrderText, vocabulary: CompiledVocabulary) -> list[ReadCode]:
    """Return the codes of ``order`` that can say what is ordered: not those of its category, reasons, sites and performers."""
    return [
        ReadCode(code, vocabulary.system_name(code.system), bare_code(code.code))
        for code in order.codes
        if code.role in (Role.NAME, Role.BILLING, Role.DETAIL, Role.INSTRUCTION)
    ]


def said_by_codes(codes: list[ReadCode], vocabulary: CompiledVocabulary) -> tuple[bool, OtherService | None, str]:
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


def _is_unlisted(read: ReadCode, vocabulary: CompiledVocabulary, names: tuple[Scanned, ...]) -> Unlisted | None:
    """Return the entry of an unlisted code; under a stranger's system only where a name says that it is one."""
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


def find_unlisted(
    codes: list[ReadCode], names: tuple[Scanned, ...], vocabulary: CompiledVocabulary
) -> tuple[Unlisted | None, str]:
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

"""The ``[recognition]`` table of a policy file: the words and codes by which a policy's procedure is known, checked.

Nothing here is about one procedure. A policy for another kind of imaging fills the same tables with its own words; one for
a laboratory test leaves ``modality`` empty, and then a name alone says the procedure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, Literal

import msgspec

from .words import plain

Words = tuple[str, ...]
#: "abc", "n*ogr" (a word that begins with n and holds ogr), "al n." (a word ending in al, then n.).
_TRIGGER: Final = re.compile(r"[a-z0-9]+(?:\*[a-z0-9]+|[ .,a-z0-9]*)|[ .,]*[a-z0-9]+[ .,]*")


#: The recognition rules that an answer can cite.
Rule = Literal[
    "D1", "D2", "D3", "D4", "D5", "M1", "M2", "M3", "M4", "M5", "M6", "M7", "M8", "M9", "P1", "P2", "P3", "P4", "P5", "P6",
    "N1", "N2", "N3", "N4", "N5", "N6", "N7", "N8", "N9", "N10",
]  # fmt: skip


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table of the policy file: unknown keys are refused."""


class Names(_Table, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Words that name the technique.

    ``words`` count as written, ``other_languages`` likewise but are cited as such; ``misspelt`` are the names of which a
    misspelling (up to two edits) or a truncation (down to ``shortest`` letters) counts too. After one of
    ``not_after``, or in a sentence with one of ``not_with`` and no modality, the word means another technique ("electro
    neurography"); ``lookalikes`` are real words near a misspelling that are never taken for one.
    """

    words: Words
    other_languages: Words = ()
    misspelt: Words = ()
    shortest: int = 7
    not_after: Words = ()
    not_with: Words = ()
    lookalikes: Words = ()


class Modality(_Table, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What fixes the modality. Empty ``words``: the procedure needs none, and a name alone says it.

    ``words`` fix it wherever they stand; ``supports`` (contrast, field strength) and ``categories`` only beside a name.
    ``codes`` are ranges "CPT 72141-72158" or single codes "LOINC 24582-9" whose display may be missing.
    """

    words: Words = ()
    supports: Words = ()
    categories: Words = ()
    codes: Words = ()
    unspecified: Words = ()  # words of an order that names no modality, such as "imaging study"


class Abbreviation(_Table, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A short form that names the procedure only in the place of an exam's name and beside a site or support.

    ``not_after`` and ``not_before`` are words that give it its other meaning (a number behind it does so too).
    """

    words: Words
    not_after: Words = ()
    not_before: Words = ()
    after: Words = ()  # words such as "done as" before it, at the end of a sentence, likewise
    labels: Words = ()  # words such as "protocol" with a colon before it, likewise
    carriers: Words = ()  # words such as "protocol" behind it that make it the name of an exam


class Keyword(_Table, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A phrase of the policy's key words that does not fix the modality by itself.

    ``with_modality`` is the answer once the modality is fixed: "yes" or "possibly"; ``alone`` is what it answers in an
    exam's name when nothing is: "possibly" or "no". ``not_before``/``not_after``: neighbours that make it a
    diagnosis or another procedure. ``rule``: the rule cited with the modality, ``rule_alone`` without.
    """

    words: Words
    with_modality: Literal["yes", "possibly"]
    alone: Literal["possibly", "no"]
    rule: Rule
    rule_alone: Rule | Literal[""] = ""
    not_before: Words = ()
    not_after: Words = ()
    where: Literal["anywhere", "name"] = "anywhere"  # "name": counts only where the exam is named
    aimed_by: Words = ()  # then counts in a note too behind one of these ("images of"), at most AIM words before


class OtherService(_Table, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Words, codes (as in Modality) and categories that say that something else than the modality is ordered.

    ``rule`` is cited, and says what else: beside a name, words of N3 and N4 give it their meaning; a note that asks for a
    procedure of D3 says what an unlisted code is for; N10 is a referral or paperwork. ``performs``: a referral that, addressed
    to the modality's department, asks it to perform the procedure.
    """

    rule: Literal["D3", "N3", "N4", "N10"]
    label: str
    words: Words = ()
    codes: Words = ()
    categories: Words = ()
    performs: bool = False


class OtherExam(_Table, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Words that name another examination of the same modality (rule N9).

    ``where``: "anywhere"; "name" if they say so only in the name of an order, not in a note; "name-unless-unlisted" if they
    then say nothing beside one of ``unlisted_words`` either.
    """

    label: str
    words: Words
    where: Literal["anywhere", "name", "name-unless-unlisted"] = "anywhere"


#: What says that something else is ordered.
Other = OtherService | OtherExam


class Unlisted(_Table, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A billing code under which the procedure may be ordered. ``fixes_modality``: the code itself says the modality."""

    code: str
    rule: Rule
    label: str
    fixes_modality: bool


class CodeSystem(_Table, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A code system by its name here, the URIs under which it is sent, and the loose names EHRs write for it."""

    name: str
    uris: Words
    loose: Words = ()


class TechniqueCode(_Table, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A code that names the technique, counting once one of ``beside`` (modality codes of the same system) stands with it."""

    code: str
    beside: Words = ()


class Vocabulary(_Table, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The ``[recognition]`` table. Codes are written "SYSTEM CODE" or "SYSTEM FIRST-LAST", SYSTEM as named in ``systems``."""

    procedure: str
    triggers: Words
    names: Names
    modality: Modality = Modality()
    abbreviations: tuple[Abbreviation, ...] = ()
    keywords: tuple[Keyword, ...] = ()
    sites: Words = ()
    diagnosis_words: Words = ()
    generic: Words = ()
    unlisted_words: Words = ()
    referral_to_modality: Words = ()
    other_services: tuple[OtherService, ...] = ()
    other_exams: tuple[OtherExam, ...] = ()
    unlisted: tuple[Unlisted, ...] = ()
    technique_codes: tuple[TechniqueCode, ...] = ()
    systems: tuple[CodeSystem, ...] = ()

    def __post_init__(self) -> None:
        """Raise ValueError, with place and cure, where the table contradicts itself."""
        for place, words in _all_words(self):
            for word in words:
                if not any(character.isalnum() for character in plain(word)):
                    raise ValueError(f"{place}: {word!r} holds no letter or digit: write a word or take the entry out")
        _check_triggers(self)
        _check_codes(self)


def _all_words(v: Vocabulary) -> Iterator[tuple[str, Words]]:
    yield "names.words", v.names.words
    yield "names.other_languages", v.names.other_languages
    yield "names.misspelt", v.names.misspelt
    yield "modality.words", v.modality.words
    yield "modality.supports", v.modality.supports
    for index, abbreviation in enumerate(v.abbreviations):
        yield f"abbreviations[{index}].words", abbreviation.words
    for index, keyword in enumerate(v.keywords):
        yield f"keywords[{index}].words", keyword.words
    yield "sites", v.sites
    yield "generic", v.generic


def _holds(word: str, trigger: str) -> bool:
    head, star, tail = trigger.partition("*")
    if star:
        return any(part.startswith(head) and tail in part for part in word.split())
    return trigger in f" {word} "


def _check_triggers(v: Vocabulary) -> None:
    """Every word that can lead to an answer must hold a trigger, or the cheap look at the order would miss it."""
    if not v.triggers:
        raise ValueError("triggers: the list is empty: write parts of words, one of which every recognised order holds")
    for trigger in v.triggers:
        if trigger != plain(trigger) or not trigger.isascii() or not _TRIGGER.fullmatch(trigger):
            raise ValueError(
                f"triggers: {trigger!r} must be lower-case ASCII letters and digits, one star, or blanks and stops, among them"
            )
    leading: list[tuple[str, str]] = []
    leading += [("names.words", word) for word in v.names.words + v.names.other_languages + v.names.misspelt]
    leading += [("abbreviations", word) for entry in v.abbreviations for word in entry.words]
    leading += [("keywords", word) for entry in v.keywords for word in entry.words]
    leading += [("unlisted", entry.code) for entry in v.unlisted]
    leading += [("technique_codes", entry.code.partition(" ")[2]) for entry in v.technique_codes]
    for place, word in leading:
        if not any(_holds(plain(word), trigger) for trigger in v.triggers):
            raise ValueError(f"{place}: {word!r} holds none of the triggers: add a part of it to recognition.triggers")


def _check_codes(v: Vocabulary) -> None:
    names = {system.name for system in v.systems}
    places: list[tuple[str, Words]] = [("modality.codes", v.modality.codes)]
    places += [(f"other_services[{i}].codes", service.codes) for i, service in enumerate(v.other_services)]
    places += [("technique_codes", (entry.code, *entry.beside)) for entry in v.technique_codes]
    places += [("unlisted", (entry.code,)) for entry in v.unlisted]
    for place, codes in places:
        for code in codes:
            system, _, rest = code.partition(" ")
            if system not in names or not rest:
                raise ValueError(f'{place}: {code!r} must read "SYSTEM CODE" with a SYSTEM of recognition.systems')

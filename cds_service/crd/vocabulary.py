"""A policy's vocabulary made ready for reading orders: phrase tables, code ranges, and the glance at an order's bytes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Final

import msgspec
from pydantic_core import SchemaValidator, core_schema

from .boxes import BOXES
from .cue_words import SPELT
from .phrases import PhraseTable
from .recognition_table import Abbreviation, Keyword, Other, Vocabulary, Words
from .spelling import Respeller, Spellings
from .words import plain, plain_words

__all__ = ["CodeRanges", "CompiledVocabulary", "Mark", "Tag", "Vocabulary", "compile_vocabulary"]


#: Letters that a star in a trigger stands for at most; at least one.
STAR: Final = 4


#: Where a word starts, in a text or in the JSON that escapes its line ends.
_WORD_STARTS: Final = r"(?:(?<![a-z0-9\\])|(?<=\\[nrtbf]))"


class Tag:
    """What a word of an order is, as far as the vocabulary knows: bits of an int (an enum's would cost most of the reading)."""

    NONE: Final = 0
    NAME: Final = 1
    MODALITY: Final = 2
    SUPPORT: Final = 4
    SITE: Final = 8
    DIAGNOSIS: Final = 16
    GENERIC: Final = 32
    UNLISTED: Final = 64
    UNSPECIFIED: Final = 128
    REFERRAL: Final = 256
    OTHER_SERVICE: Final = 512
    OTHER_EXAM: Final = 1024
    NAME_TURNS: Final = 2048  # before a name, gives it another meaning
    TURNS_NEARBY: Final = 4096  # in the sentence of a name, gives it another meaning


class Mark(msgspec.Struct, frozen=True):
    """What a phrase of the vocabulary stands for: its tag and, where it has one, the entry it came from."""

    tag: int
    entry: Abbreviation | Keyword | Other | None = None
    foreign: bool = False


class CompiledVocabulary:
    """A vocabulary made ready: phrase tables, code ranges and triggers. Built once per policy; never changed after."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        v = self.vocabulary = vocabulary
        starred = tuple(trigger for trigger in v.triggers if "*" in trigger)
        self._holds_literal = _search_for_any(trigger for trigger in v.triggers if "*" not in trigger)
        self._holds_part = _search_for_any(max(trigger.split("*"), key=len) for trigger in v.triggers)
        self._starred = tuple(re.compile(glance) for glance in _glances(starred))
        #: finds a trigger within a word
        self.trigger_word = re.compile("|".join(_glances(tuple(t for t in v.triggers if t.replace("*", "").isalnum()))))
        self.phrases: PhraseTable[Mark] = PhraseTable(_marks(v))
        #: words that need no look-up of phrases
        self.simple_tags = _simple_tags(v)
        self.spelled = _spelled(v)
        self.name_words = frozenset(plain(word) for word in v.names.words + v.names.other_languages)
        #: beginnings of a name, as left by a space or hyphen within it
        self.name_heads = frozenset(word[:length] for word in self.name_words for length in range(3, min(9, len(word) - 2)))
        self.modality_words = frozenset(plain(word) for word in v.modality.words)
        self.modality_lengths = sorted({len(word) for word in self.modality_words if word.isalnum()})
        self.needs_modality = bool(v.modality.words)
        self.misspelt = tuple(plain(word) for word in v.names.misspelt)
        self.misspelt_initials = frozenset(word[0] for word in self.misspelt)
        self.lookalikes = frozenset(plain(word) for word in v.names.lookalikes)
        self.spellings = Spellings((*self.misspelt, *self.lookalikes))
        self.categories = frozenset(plain(word) for word in v.modality.categories)
        self.other_categories = {plain(each): entry for entry in reversed(v.other_services) for each in entry.categories}
        self.departments = tuple(plain(word) for word in v.referral_to_modality)
        self.systems = {plain(uri): system.name for system in v.systems for uri in (*system.uris, *system.loose)}
        self.unlisted = {entry.code.partition(" ")[2]: entry for entry in v.unlisted}
        self.modality_codes = CodeRanges(v.modality.codes)
        self.other_codes = tuple((CodeRanges(entry.codes), entry) for entry in v.other_services if entry.codes)
        #: the codes that name the technique, as written in lower case; the same with their systems and those they count beside
        self.technique_words = frozenset(_system_and_code(entry.code)[1] for entry in v.technique_codes)
        self.technique_codes = tuple(
            (_system_and_code(entry.code), tuple(_system_and_code(code) for code in entry.beside)) for entry in v.technique_codes
        )
        #: the codes that name the technique and those they count beside
        self.technique_codings = self.technique_words.union(code for _, beside in self.technique_codes for _, code in beside)
        neighbours = [words for keyword in v.keywords for words in (keyword.not_after, keyword.not_before, keyword.aimed_by)]
        for entry in v.abbreviations:
            neighbours += [entry.not_after, entry.not_before, entry.after, entry.labels, entry.carriers]
        self.neighbours = {words: PhraseTable((word, True) for word in words) for words in neighbours if words}

    def holds_trigger(self, lowered: str) -> bool:
        """Tell whether ``lowered``, ASCII in lower case, holds a trigger. Nearly all orders are told by the first look."""
        if not self._holds_part(lowered):  # of a trigger with a star, its longer side
            return False
        if self._holds_literal(lowered):
            return True
        # A plain loop: any() over a generator costs half as much again
        for starred in self._starred:  # noqa: SIM110
            if starred.search(lowered):
                return True
        return False

    def system_name(self, system: object) -> str | None:
        """Return the name here of a coding's ``system``; "" where none or a loose nothing was sent; None for a stranger's."""
        if not isinstance(system, str) or not system.strip():
            return ""
        return self.systems.get(plain(system).strip().rstrip("/"))


def _search_for_any(parts: Iterable[str]) -> Callable[[str], bool]:
    """Return what tells whether an ASCII text holds any of ``parts``.

    Rust's regular expressions, which pydantic brings along, look for all at once and at many letters at a time. Python's
    take as long for each pattern as decoding the JSON does, and there are seven.
    """
    wanted = sorted(set(parts))
    if not wanted:  # an empty pattern is found anywhere
        return lambda _: False
    pattern = "|".join(re.escape(part) for part in wanted if not any(other in part for other in wanted if other != part))
    return SchemaValidator(core_schema.str_schema(pattern=pattern, regex_engine="rust-regex", strict=True)).isinstance_python


def _glances(triggers: Words) -> Iterator[str]:
    """Yield patterns that together find any trigger, as few as possible: each costs one pass over the text.

    A pattern begins with two letters that the engine looks for first. They are those with which its triggers begin; or,
    behind a star or a blank, those of the end, and only then does it look back at what stands before.
    """
    stars = [trigger.partition("*")[2] for trigger in triggers if "*" in trigger]
    patterns: dict[str, list[str]] = {}
    for trigger in sorted(triggers):
        head, star, tail = trigger.partition("*")
        tail = tail or next((end for end in stars if trigger.endswith(end)), "")
        if star:
            heads = [f"{_WORD_STARTS}{re.escape(head)}[a-z]{{{length}}}{tail}" for length in range(1, STAR + 1)]
        else:
            heads = [re.escape(trigger)]
            if trigger.endswith(".") and " " in trigger.strip():
                tail = trigger.rpartition(" ")[2]
        if tail:
            behind = "|".join(f"(?<={each})" for each in heads)
            patterns.setdefault(tail[:2], []).append(f"{re.escape(tail[2:])}(?:{behind})")
        else:
            patterns.setdefault(trigger[:2], []).append(re.escape(trigger[2:]))
    for start, rest in patterns.items():
        yield f"{re.escape(start)}(?:{'|'.join(rest)})"


def _system_and_code(code: str) -> tuple[str, str]:
    system, _, rest = code.partition(" ")
    return system, rest.lower()


class CodeRanges:
    """A set of codes given as "SYSTEM CODE" or "SYSTEM FIRST-LAST", the ends included, compared as numbers of equal length."""

    def __init__(self, codes: Iterable[str]) -> None:
        self.single: set[tuple[str, str]] = set()
        self.ranges: list[tuple[str, str, str]] = []
        for code in codes:
            system, _, rest = code.partition(" ")
            first, dash, last = rest.partition("-")
            if dash and len(first) == len(last):
                self.ranges.append((system, first, last))
            else:
                self.single.add((system, rest.lower()))

    def holds(self, system: str, code: str) -> bool:
        """Tell whether ``code`` of the named system is one of these."""
        if (system, code.lower()) in self.single:
            return True
        return any(name == system and len(first) == len(code) and first <= code <= last for name, first, last in self.ranges)


def _simple_tags(v: Vocabulary) -> dict[str, int]:
    """Return the tags of words that start no longer phrase and stand for nothing but their tags: most of those of a note."""
    found: dict[str, int] = {}
    involved: set[str] = set()
    for phrase, mark in _marks(v):
        words = plain_words(phrase)
        if len(words) > 1 or mark.entry is not None or mark.tag & Tag.NAME:
            involved.add(words[0])
        else:
            found[words[0]] = found.get(words[0], 0) | mark.tag
    for box in BOXES:
        found[box] = found.get(box, 0) | Tag.GENERIC
    return {word: tags for word, tags in found.items() if word not in involved}


def _spelled(v: Vocabulary) -> Respeller:
    """Return what corrects a misspelling of the long words in phrases: those of the modality, the key words, the language."""
    phrases = [*v.modality.words, *(word for keyword in v.keywords for word in keyword.words)]
    known = {word for phrase, _ in _marks(v) for word in plain_words(phrase)}
    return Respeller([word for phrase in phrases for word in plain_words(phrase)] + sorted(SPELT), known | SPELT)


def _marks(v: Vocabulary) -> Iterator[tuple[str, Mark]]:
    simple: tuple[tuple[Words, int], ...] = (
        (v.names.words, Tag.NAME),
        (v.names.not_after, Tag.NAME_TURNS),
        (v.names.not_with, Tag.TURNS_NEARBY),
        (v.modality.words, Tag.MODALITY),
        (v.modality.supports, Tag.SUPPORT),
        (v.modality.unspecified, Tag.UNSPECIFIED),
        (v.sites, Tag.SITE),
        (v.diagnosis_words, Tag.DIAGNOSIS),
        (v.generic, Tag.GENERIC),
        (v.unlisted_words, Tag.UNLISTED),
        (v.referral_to_modality, Tag.REFERRAL),
    )
    for words, tag in simple:
        yield from ((word, Mark(tag)) for word in words)
    yield from ((word, Mark(Tag.NAME, foreign=True)) for word in v.names.other_languages)
    entries: list[Abbreviation | Keyword] = [*v.abbreviations, *v.keywords]
    for entry in entries:
        yield from ((word, Mark(Tag.NONE, entry)) for word in entry.words)
    for service in v.other_services:
        yield from ((word, Mark(Tag.OTHER_SERVICE, service)) for word in service.words)
    for exam in v.other_exams:
        yield from ((word, Mark(Tag.OTHER_EXAM, exam)) for word in exam.words)


def compile_vocabulary(vocabulary: Vocabulary) -> CompiledVocabulary:
    """Make ``vocabulary`` ready for use.

    Raises ValueError, with place and cure, where an entry cannot be compiled.
    """
    return CompiledVocabulary(vocabulary)

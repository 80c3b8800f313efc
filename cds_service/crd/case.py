"""One order under decision: its texts read, what it is for, and what each mention would answer if it were asked for."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from itertools import islice
from typing import Final, Literal

import msgspec

from .cues import Standing
from .labelled import is_about_modality, is_empty, is_of_today, named_by_label
from .mentions import LONGEST_NAME, Mention, Scanned, scan, scan_name
from .order_text import NAMING, OrderText, Role, Text
from .recognition_table import Abbreviation, Keyword, OtherService
from .service_kind import Kind, classify
from .vocabulary import CompiledVocabulary, Tag
from .words import plain

#: Labelled lines of an order that are read, and characters of a question with its answer.
MAX_LABELLED: Final = 8
MAX_QUESTION: Final = 300
#: Roles of the texts that an EHR takes from its catalogues: those of the order's code and its category.
OF_CATALOGUES: Final = (Role.NAME, Role.CATEGORY)


class Answer(enum.Enum):
    """Whether the order asks for the procedure; POSSIBLY where it does not let the plan tell."""

    YES = "yes"
    POSSIBLY = "possibly"
    NO = "no"


class Evidence(msgspec.Struct, frozen=True):
    """One thing in the order that weighed: the element's path, its words as written (at most 120 characters), the rule."""

    element: str
    words: str
    rule: str
    weighs: Literal["for", "against"]


def is_triggered(text: str, vocabulary: CompiledVocabulary) -> bool:
    """Tell whether ``text``, as the order writes it, holds a trigger of the vocabulary; without one it cannot be a mention."""
    return vocabulary.holds_trigger(plain(text))


class Case:
    """One order under decision: its texts scanned, the kind of service, and its mentions by how they stand.

    ``looked_further``: texts were asked for, or would have been if there were any, that are neither names of the order nor
    hold a trigger (``further``).
    """

    def __init__(self, order: OrderText, vocabulary: CompiledVocabulary) -> None:
        self.order = order
        self.vocabulary = vocabulary
        self.looked_further = False
        self._scans: dict[str, Scanned] = {}
        self._alike: dict[tuple[str, Role], Scanned] = {}
        self.names = tuple([self.scan(text) for text in order.texts if text.role in NAMING])
        self.free = tuple(
            [
                self.scan(text)
                for text in order.texts
                if text.role not in NAMING and text.role is not Role.PERFORMER and is_triggered(text.words, vocabulary)
            ]
        )
        if all(is_empty(scanned) for scanned in self.names if scanned.text.role is Role.NAME):
            named = named_by_label(tuple(scanned.text for scanned in self.free), vocabulary)
            self.names += tuple(scan(text, vocabulary) for text in islice(named, MAX_LABELLED))
        self.kind: Kind = self._answered(classify(order, self.names, vocabulary))
        self.mentions = [mention for scanned in self.names + self.free for mention in scanned.mentions]
        self.against = [
            Evidence(scanned.text.element, words[:120], rule, "against")
            for scanned in self.names + self.free
            for words, rule in scanned.turned
        ]

    def further(self) -> tuple[Text, ...]:
        """The texts of the order, for a stage that looks at others than names and those with a trigger."""
        self.looked_further = True
        return self.order.texts

    def _questions(self) -> Iterator[Scanned]:
        """Yield the questions of the order with their answers."""
        for text in self.further():
            if text.role is Role.INSTRUCTION and "extension" in text.element and len(text.words) < MAX_QUESTION:
                yield self.scan(text)

    def _answered(self, kind: Kind) -> Kind:
        """Return ``kind`` with what the answer to a question for the modality says, where names and codes do not say it."""
        if kind.modality or kind.other is not None or not self.vocabulary.needs_modality:
            return kind
        for scanned in self._questions():
            if is_about_modality(scanned.text):
                if scanned.has(Tag.MODALITY):
                    return msgspec.structs.replace(kind, modality=True)
                if scanned.others and isinstance(other := scanned.others[0][1], OtherService):
                    return msgspec.structs.replace(kind, other=other, other_element=scanned.text.element)
        return kind

    def _asked_about(self) -> bool:
        """Tell whether a question of the order is about the modality ("MRI safety form completed?")."""
        return any(scanned.has(Tag.MODALITY) and is_of_today(scanned.text) for scanned in self._questions())

    def scan(self, text: Text) -> Scanned:
        """Scan ``text`` once, however often it is asked for."""
        found = self._scans.get(text.element)
        if found is None or found.text is not text:
            found = self._scans[text.element] = self._scanned(text)
        return found

    def _scanned(self, text: Text) -> Scanned:
        if text.role in OF_CATALOGUES and len(text.words) <= LONGEST_NAME:
            return scan_name(text, self.vocabulary)
        alike = self._alike.get((text.words, text.role))  # EHRs repeat a name in the text and the display
        found = self._alike[text.words, text.role] = alike.of(text) if alike else scan(text, self.vocabulary)
        return found

    @property
    def names_an_examination(self) -> bool:
        """Tell whether the order names an examination of its own, so that a note need not say which."""
        if self.kind.unlisted is not None or not self.kind.modality:
            return False
        nothing = Tag.MODALITY | Tag.GENERIC | Tag.UNLISTED | Tag.UNSPECIFIED | Tag.SUPPORT
        named = [scanned for scanned in self.names if scanned.text.role is Role.NAME]
        return not named or any(tags & ~nothing or not tags for scanned in named for tags in scanned.tags)

    def _supported(self) -> str:
        """Return the element whose contrast or field strength fits only the modality; "" where there is none."""
        for scanned in self.names:
            if scanned.has(Tag.SUPPORT):
                return scanned.text.element
        for text in self.further():
            if text.role in (Role.INSTRUCTION, Role.NARRATIVE) and self.scan(text).has(Tag.SUPPORT):
                return text.element
        return ""

    def modality_fixed(self, mention: Mention) -> bool:
        """Tell whether anything fixes the modality of ``mention``: its own sentence, or the order's codes and category."""
        if not self.vocabulary.needs_modality or mention.modality_here or self.kind.modality:
            return True
        if mention.entry is not None and not isinstance(mention.entry, Abbreviation):
            return self.kind.category_modality
        return self.kind.category or bool(self._supported()) or self._asked_about()

    def weight(self, mention: Mention) -> tuple[Answer, str]:
        """Return what a mention would answer if it were plainly asked for, and by which rule."""
        entry = mention.entry
        fixed = self.modality_fixed(mention)
        if isinstance(entry, Keyword):
            return self._key_weight(mention, entry, fixed)
        if isinstance(entry, Abbreviation):
            return (Answer.YES, "M2") if fixed or not _bare(mention) else (Answer.POSSIBLY, "P3")
        if not fixed:
            return Answer.POSSIBLY, "P3"
        if mention.foreign:
            return Answer.YES, "M9"
        if mention.reading.standing is Standing.REPEAT:
            return Answer.YES, "M7"
        if mention.text.role not in NAMING and self.kind.modality and not mention.modality_here:
            return Answer.YES, "M6"
        return Answer.YES, "M1" if mention.modality_here else "M4"

    def _key_weight(self, mention: Mention, entry: Keyword, fixed: bool) -> tuple[Answer, str]:
        """Return the same for a key word; ``fixed``: something fixes the modality."""
        role = mention.text.role
        naming = role in NAMING
        if entry.where == "name" and not naming and role is not Role.SITE:
            return (Answer.POSSIBLY, entry.rule) if self.kind.modality else (Answer.NO, entry.rule_alone or entry.rule)
        if entry.where == "name" and not naming:
            aimed = role is Role.SITE and entry.alone == "no" and self.kind.modality and self.kind.unlisted is None
            return (Answer.POSSIBLY, entry.rule) if aimed else (Answer.NO, entry.rule_alone or entry.rule)
        if mention.modality_here or (fixed and (naming or entry.alone == "possibly")):
            bound = mention.modality_here or not _behind_for(mention) or entry.alone == "possibly"
            if entry.with_modality == "yes" and bound:
                return Answer.YES, entry.rule
            return Answer.POSSIBLY, entry.rule if entry.with_modality == "possibly" else "P5"
        if fixed and entry.with_modality == "yes" and _carried(mention):
            return Answer.YES, entry.rule
        if entry.alone == "possibly" and (naming or not self.kind.modality):
            return Answer.POSSIBLY, entry.rule_alone or entry.rule
        return Answer.NO, entry.rule_alone or entry.rule


def _bare(mention: Mention) -> bool:
    """Tell whether the mention is all that its sentence says."""
    return mention.bounds == (mention.first, mention.last)


def _behind_for(mention: Mention) -> bool:
    """Tell whether a "for" stands within 40 words before the mention, which then may be an indication."""
    return "for" in mention.passage.words[max(0, mention.first - 40) : mention.first]


def _carried(mention: Mention) -> bool:
    """Tell whether the word behind the mention makes it a way of imaging ("... protocol")."""
    behind = mention.last + 1
    words = mention.passage.words
    return behind < len(words) and words[behind] in ("protocol", "sequences", "sequence", "imaging", "technique")


def evidence_of(mention: Mention, rule: str, weighs: Literal["for", "against"]) -> Evidence:
    """Return ``mention`` as evidence, with a few words around it, under ``rule``."""
    return Evidence(mention.text.element, mention.words, rule, weighs)

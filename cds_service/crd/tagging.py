"""The words of a text tagged by a policy's vocabulary: what each is, and where names, abbreviations and key words stand.

A name counts as written, misspelt, truncated, parted by a blank or hyphen, or grown together with its modality.
"""

from __future__ import annotations

from functools import cache
from typing import Final

from .gaps import DASH
from .order_text import Text
from .reading import Part
from .recognition_table import Abbreviation, Keyword, Other, OtherExam, OtherService
from .spelling import LIMIT, LONGEST
from .vocabulary import CompiledVocabulary, Tag
from .words import Passage

#: Different words of one text that are compared with the names; also bounds the time that nonsense can take.
MAX_STRANGERS: Final = 2_000
#: Letters of the longest word that is taken as written.
SHORT: Final = 5
#: Names of one text that are looked at.
MAX_NAMES: Final = 200


class Tagged:
    """The tagging of one text."""

    def __init__(self, text: Text, vocabulary: CompiledVocabulary) -> None:
        self.text = text
        self.vocabulary = vocabulary
        self.passage = Passage(text.words)
        count = len(self.passage.words)
        self.tags = [0] * count
        self.names: list[tuple[int, int, bool]] = []
        self.entries: list[tuple[int, int, Abbreviation | Keyword]] = []
        self.others: list[tuple[int, Other]] = []
        self.turned: list[tuple[str, str]] = []
        self.known: dict[str, tuple[int, bool] | None] = {}  # words already compared with the names
        self.other_at: dict[int, Other] = {}
        self._site_to = -1  # the last word of a site of several words
        marked, simple, heads = vocabulary.phrases.first_words, vocabulary.simple_tags, vocabulary.name_heads
        triggered = vocabulary.trigger_word.search
        hot = triggered(self.passage.folded) is not None
        if hot:
            meant = vocabulary.spelled.meant
            words = self.passage.words
            words[:] = [meant(word) if len(word) > SHORT and word not in simple else word for word in words]
        tags = self.tags
        for index, word in enumerate(self.passage.words):
            if word in simple:
                tags[index] |= simple[word]
            elif word in marked:
                self._mark(index)
            # without a trigger in the text no word of it can be a name
            if hot and (word in heads or triggered(word)) and not tags[index] & Tag.NAME:
                self._name(index, word)
        #: the tags of all words together
        self.seen = 0
        for each in tags:
            self.seen |= each

    def _mark(self, index: int) -> None:
        """Note every phrase of the vocabulary that starts with word ``index``."""
        for length, mark in self.vocabulary.phrases.starting(self.passage, index):
            if index <= self._site_to and isinstance(mark.entry, OtherExam):
                continue  # the head of "fibular head"
            if mark.tag == Tag.SITE and length > 1:
                self._site_to = index + length - 1
            for place in range(index, index + length):
                self.tags[place] |= mark.tag
            if mark.tag & Tag.NAME:
                self.names.append((index, index + length - 1, mark.foreign))
            elif isinstance(mark.entry, (OtherService, OtherExam)):
                self.others.append((index, mark.entry))
                self.other_at.setdefault(index, mark.entry)
            elif mark.entry is not None:
                self.entries.append((index, index + length - 1, mark.entry))

    def _name(self, index: int, word: str) -> None:
        """Note a name at word ``index`` that stands there misspelt, truncated, parted or grown together."""
        head = word in self.vocabulary.name_heads  # the answer depends on the next word
        if len(self.names) > MAX_NAMES or (not head and len(self.known) > MAX_STRANGERS):
            return
        found = self.known[word] if word in self.known else _name_at(self.passage, index, self.vocabulary)
        if not head:
            self.known[word] = found
        if found is not None:
            length, with_modality = found
            if length > 1:  # its halves say nothing by themselves
                self.others = [each for each in self.others if not index <= each[0] < index + length]
            for place in range(index, index + length):
                self.tags[place] |= Tag.NAME | (Tag.MODALITY if with_modality else Tag.NONE)
            self.names.append((index, index + length - 1, False))


def _is_name(word: str, vocabulary: CompiledVocabulary) -> bool:
    """Tell whether ``word`` is a misspelling or a truncation of a name."""
    if len(word) < vocabulary.vocabulary.names.shortest or len(word) > LONGEST or word in vocabulary.lookalikes:
        return False
    if any(name.startswith(word) for name in vocabulary.misspelt):
        return True
    near = vocabulary.spellings.near(word)
    best = min((near[name] for name in vocabulary.misspelt if name in near), default=LIMIT + 1)
    if best > LIMIT or (best == LIMIT and (len(word) < 9 or word[0] not in vocabulary.misspelt_initials)):
        return False
    return all(count > best for other, count in near.items() if other in vocabulary.lookalikes)


def _name_at(passage: Passage, index: int, vocabulary: CompiledVocabulary) -> tuple[int, bool] | None:
    """Return (words taken, modality included) where a name stands at word ``index`` in an unlisted form."""
    word = passage.words[index]
    following = passage.words[index + 1] if index + 1 < len(passage.words) and passage.breaks[index + 1] <= DASH else ""
    if 3 <= len(word) <= 8 and 3 <= len(following) <= 10:  # "neuro graphy", "neuro-gram"
        joined = word + following
        if joined in vocabulary.name_words:
            return 2, False
    if len(word) < vocabulary.vocabulary.names.shortest or len(word) > 40:
        return None
    if _is_name(word, vocabulary):
        return 1, False
    for length in vocabulary.modality_lengths:  # grown together with its modality: "mrneurogram"
        rest = word[length:]
        if word[:length] in vocabulary.modality_words and (rest in vocabulary.name_words or _is_name(rest, vocabulary)):
            return 1, True
    return None


@cache
def part_of(tags: int) -> Part:
    """Return what a word with these tags is to a clause. There are few sets of tags, so each is remembered."""
    if tags & Tag.NAME:
        return Part.MENTION
    if tags & (Tag.OTHER_SERVICE | Tag.MODALITY):
        return Part.EXAM
    if tags & Tag.SITE:
        return Part.SITE
    if tags & Tag.SUPPORT:
        return Part.ATTRIBUTE
    return Part.CONTENT

"""Where the texts of an order mention a policy's procedure, by the vocabulary of that policy; and how each mention stands.

A mention is a name of the technique (as written, misspelt, truncated or grown together with its modality), an abbreviation
in the place of an examination's name, or one of the policy's key words.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Final

import msgspec

from . import clauses
from .clauses import Part, Reading
from .cues import Standing
from .order_text import Role, Text
from .recognition_table import Abbreviation, Keyword, OtherService
from .spelling import LIMIT, LONGEST
from .vocabulary import CompiledVocabulary, Tag
from .words import COLON, COMMA, DASH, PAREN, QUESTION, SLASH, Passage

#: Mentions of one text that are read; nobody names a procedure more often in one element.
MAX_MENTIONS: Final = 40
#: Different words of one text that are compared with the names; also bounds the time that nonsense can take.
MAX_STRANGERS: Final = 2_000
#: Words between "images of" and what is to be imaged.
AIM: Final = 3
#: Names of one text that are looked at.
MAX_NAMES: Final = 200
#: Elements where a bare noun is the name of what is ordered.
NAMING = frozenset({Role.NAME, Role.BILLING, Role.DETAIL, Role.CATEGORY})
_BY = frozenset({"por", "par", "by", "via", "per", "with", "mit", "con", "using", "in", "mediante", "tramite", "em", "imaging"})
_OPENERS = frozenset(
    {
        "for",
        "rule",
        "r",
        "evaluate",
        "eval",
        "assess",
        "due",
        "dx",
        "indication",
        "reason",
        "hx",
        "history",
        "because",
        "suspected",
        "s",
    }
)


class Mention(msgspec.Struct, frozen=True):
    """One mention. ``entry`` is None for a name of the technique; ``modality_here``: its own sentence fixes the modality."""

    text: Text
    passage: Passage
    first: int
    last: int
    entry: Abbreviation | Keyword | None
    foreign: bool
    modality_here: bool
    reading: Reading

    @property
    def words(self) -> str:
        """The mention as the order writes it, with a few words around it, at most 120 characters."""
        bounds = self.passage.sentence(self.first)
        first, last = max(bounds[0], self.first - 6), min(bounds[1], self.last + 8)
        return self.passage.quote(first, last)


class Scanned(msgspec.Struct, frozen=True):
    """A text cut into words, each with its tags; ``others`` are the places of words of another service or examination.

    ``turned`` quotes the words that look like the procedure and mean something else, each with the rule that says so.
    """

    text: Text
    passage: Passage
    tags: list[int]
    parts: list[Part]
    mentions: tuple[Mention, ...]
    others: tuple[tuple[int, OtherService], ...]
    turned: tuple[tuple[str, str], ...]

    def of(self, text: Text) -> Scanned:
        """Return the same for another text of the same words and role."""
        mentions = tuple(msgspec.structs.replace(mention, text=text) for mention in self.mentions)
        return msgspec.structs.replace(self, text=text, mentions=mentions)

    def has(self, tag: int) -> bool:
        """Tell whether any word bears ``tag``."""
        for tags in self.tags:  # noqa: SIM110  any() over a generator costs several times as much
            if tags & tag:
                return True
        return False


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


class _Scan:
    """The tagging of one text."""

    def __init__(self, text: Text, vocabulary: CompiledVocabulary) -> None:
        self.text = text
        self.vocabulary = vocabulary
        self.passage = Passage(text.words)
        count = len(self.passage.words)
        self.tags = [0] * count
        self.names: list[tuple[int, int, bool]] = []
        self.entries: list[tuple[int, int, Abbreviation | Keyword]] = []
        self.others: list[tuple[int, OtherService]] = []
        self.turned: list[tuple[str, str]] = []
        self.known: dict[str, tuple[int, bool] | None] = {}  # words already compared with the names
        self.other_at: dict[int, OtherService] = {}
        marked, simple, heads = vocabulary.phrases.first_words, vocabulary.simple_tags, vocabulary.name_heads
        triggered = vocabulary.trigger_word.search
        hot = triggered(self.passage.folded) is not None
        for index, word in enumerate(self.passage.words):
            if word in simple:
                self.tags[index] |= simple[word]
            elif word in marked:
                self._mark(index)
            # without a trigger in the text no word of it can be a name
            if hot and (word in heads or triggered(word)) and not self.tags[index] & Tag.NAME:
                self._name(index, word)
        self.nearby = any(tags & Tag.TURNS_NEARBY for tags in self.tags)

    def _mark(self, index: int) -> None:
        """Note every phrase of the vocabulary that starts with word ``index``."""
        for length, mark in self.vocabulary.phrases.starting(self.passage, index):
            for place in range(index, index + length):
                self.tags[place] |= mark.tag
            if mark.tag & Tag.NAME:
                self.names.append((index, index + length - 1, mark.foreign))
            elif isinstance(mark.entry, OtherService):
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

    def spans(self) -> Iterator[tuple[int, int, bool, Abbreviation | Keyword | None]]:
        """Yield every mention's span, a name's with the modality that stands at its side."""
        taken: set[int] = set()
        for first, last, foreign in self.names:
            if last in taken:
                continue
            if (rule := self._turns(first, last)) is not None:
                self.turned.append((self.passage.quote(max(0, first - 2), last), rule))
                continue
            first, last = self._widen(first, last)
            taken.update(range(first, last + 1))
            yield first, last, foreign, None
        for first, last, entry in self.entries:
            if first in taken or last in taken:
                continue
            if isinstance(entry, Abbreviation):
                if self._is_exam(first, last, entry):
                    taken.update(range(first, last + 1))
                    yield first, last, False, entry
                else:
                    self.turned.append((self.passage.quote(max(0, first - 2), min(last + 2, len(self.tags) - 1)), "N1"))
            elif entry.where == "name" and not self._counts_here(first, entry):
                continue  # says nothing here: not worth reading its clause
            elif self._is_key(first, last, entry):
                taken.update(range(first, last + 1))
                yield first, last, False, entry
            else:
                self.turned.append((self.passage.quote(max(0, first - 2), min(last + 2, len(self.tags) - 1)), "N2"))

    def _counts_here(self, first: int, entry: Keyword) -> bool:
        """Tell whether a key word that belongs in a name counts where it stands."""
        if self.text.role in NAMING or self.text.role is Role.SITE:
            return True
        floor = max(0, first - AIM)
        return any(self._beside(index, index, entry.aimed_by, True) for index in range(floor, first + 1))

    def _turns(self, first: int, last: int) -> str | None:
        """Return the rule under which the neighbours of a name give it another meaning, None where they do not."""
        breaks, tags, words = self.passage.breaks, self.tags, self.passage.words
        if any(tags[place] & Tag.MODALITY for place in range(max(0, first - 2), min(last + 2, len(tags)))):
            return None
        if self.nearby and self._turned_nearby(first):
            return "N3"
        if first > 0 and breaks[first] <= DASH and tags[first - 1] & Tag.NAME_TURNS:
            return "N3"
        if last + 1 < len(tags) and breaks[last + 1] <= PAREN and tags[last + 1] & Tag.NAME_TURNS:
            return "N3"
        for index in range(max(0, first - 2), min(len(tags), last + 3)):
            other = self.other_at.get(index)
            if other is None:
                continue
            near_before = 0 < first - index <= 2 and max(breaks[index + 1 : first + 1]) <= SLASH
            near_after = 0 < index - last <= 2 and max(breaks[last + 1 : index + 1]) <= (PAREN if index == last + 1 else SLASH)
            beside = words[index + (1 if near_before else -1)]
            joined = abs(index - (first if near_before else last)) == 1 or beside in (
                "and", "und", "y", "et", "e", "plus", "mit", "with",
            )  # fmt: skip
            if (near_before or near_after) and joined and other.rule in ("N3", "N4"):
                return other.rule
        return None

    def _turned_nearby(self, first: int) -> bool:
        """Tell whether the sentence speaks of another technique and of no modality."""
        bounds = self.passage.sentence(first)
        sentence = self.tags[bounds[0] : bounds[1] + 1]
        return any(tags & Tag.TURNS_NEARBY for tags in sentence) and not any(tags & Tag.MODALITY for tags in sentence)

    def _widen(self, first: int, last: int) -> tuple[int, int]:
        breaks, tags, words = self.passage.breaks, self.tags, self.passage.words
        while (
            first > 0
            and breaks[first] <= DASH
            and (
                tags[first - 1] & Tag.MODALITY or (words[first - 1] == "imaging" and first > 1 and tags[first - 2] & Tag.MODALITY)
            )
        ):
            first -= 1
        end = last
        if end + 2 < len(words) and words[end + 1] in _BY and breaks[end + 1] <= DASH and tags[end + 2] & Tag.MODALITY:
            end += 1
        while end + 1 < len(words) and tags[end + 1] & Tag.MODALITY and breaks[end + 1] <= PAREN:
            closes = end + 2 >= len(words) or breaks[end + 2] >= COMMA or bool(tags[end + 2] & Tag.MODALITY)
            if breaks[end + 1] >= DASH and not closes:
                break
            end += 1
        return first, end if end > last and tags[end] & Tag.MODALITY else last

    def _beside(self, first: int, last: int, words: tuple[str, ...], before: bool) -> bool:
        table = self.vocabulary.neighbours.get(words)
        if table is None:
            return False
        if before:
            return first > 0 and self.passage.breaks[first] < COMMA and bool(table.ending(self.passage, first - 1))
        behind = last + 1
        return behind < len(self.tags) and self.passage.breaks[behind] <= COLON and bool(table.starting(self.passage, behind))

    def _is_key(self, first: int, last: int, entry: Keyword) -> bool:
        if self._beside(first, last, entry.not_after, True) or self._beside(first, last, entry.not_before, False):
            return False
        if entry.with_modality == "possibly" and any(
            other.where == "name-unless-unlisted" for _, other in self.others[:MAX_MENTIONS]
        ):
            return False  # in a region without the nerves in question the key word means something else
        behind = last + 1
        breaks = self.passage.breaks
        if behind < len(self.tags) and breaks[behind] <= SLASH and self.tags[behind] & Tag.DIAGNOSIS:
            return False
        # "peripheral nerve root compression", "ulnar nerve at elbow entrapment"
        if behind + 1 < len(self.tags) and max(breaks[behind : behind + 2]) <= SLASH and self.tags[behind + 1] & Tag.DIAGNOSIS:
            return bool(self.tags[behind] & (Tag.MODALITY | Tag.GENERIC)) or self.passage.words[behind] in ("for", "with", "in")
        return not (
            first > 0 and breaks[first] <= SLASH and self.tags[first - 1] & Tag.DIAGNOSIS and entry.with_modality != "yes"
        )

    def _is_exam(self, first: int, last: int, entry: Abbreviation) -> bool:
        """Tell whether an abbreviation stands where an examination's name stands."""
        words, breaks, tags = self.passage.words, self.passage.breaks, self.tags
        if self._beside(first, last, entry.not_after, True) or self._beside(first, last, entry.not_before, False):
            return False
        behind = last + 1
        strong = breaks[behind] if behind < len(words) else QUESTION + 1
        gap = self.passage.gap_after(last)
        if any(mark in gap for mark in "#=_"):
            return False
        following = words[behind] if strong <= COLON else ""
        if following and any(c.isdigit() for c in following) and not tags[behind] & (Tag.SUPPORT | Tag.SITE):
            return False
        if self._beside(first, last, entry.carriers, False) and strong < COMMA and self._leads_on(behind):
            return True
        site_behind = bool(following) and bool(tags[behind] & (Tag.SITE | Tag.SUPPORT))
        if strong == COLON and site_behind:
            tail = words[behind : behind + 6]
            return not any(len(word) > 3 and any(c.isdigit() for c in word) for word in tail)
        site_before = first > 0 and breaks[first] <= DASH and bool(tags[first - 1] & (Tag.SITE | Tag.SUPPORT | Tag.MODALITY))
        if strong == COLON:
            return False
        if self.text.role in NAMING:
            bounds = self.passage.sentence(first)
            alone = bounds == (first, last)
            near = any(
                tags[i] & (Tag.SITE | Tag.SUPPORT | Tag.MODALITY)
                for i in range(bounds[0], bounds[1] + 1)
                if not first <= i <= last
            )
            return alone or near
        if strong >= COMMA and (self._beside(first, last, entry.after, True) or self._labelled(first, entry)):
            return True
        if site_behind and strong <= SLASH:
            return not any(len(word) > 4 and any(c.isdigit() for c in word) for word in words[behind : behind + 4])
        return site_before and strong >= COMMA and not any(c.isdigit() for c in following)

    def _labelled(self, first: int, entry: Abbreviation) -> bool:
        """Tell whether a label such as "protocol:" stands before the abbreviation."""
        table = self.vocabulary.neighbours.get(entry.labels)
        if table is None or first == 0 or self.passage.breaks[first] not in (COLON, QUESTION, DASH):
            return False
        return bool(table.ending(self.passage, first - 1))

    def _leads_on(self, index: int) -> bool:
        """Tell whether the word at ``index`` is no preposition, or one that leads to a site, contrast or field strength."""
        if self.passage.words[index] not in ("of", "with", "without", "w", "wo"):
            return True
        return any(tags & (Tag.SITE | Tag.SUPPORT) for tags in self.tags[index + 1 : index + 5])

    def scanned(self) -> Scanned:
        spans = list(islice(self.spans(), MAX_MENTIONS))
        parts = [part_of(tags) if tags else Part.CONTENT for tags in self.tags]
        for first, last, _, entry in spans:
            if entry is None or isinstance(entry, Abbreviation) or entry.with_modality == "yes":
                parts[first : last + 1] = [Part.MENTION] * (last - first + 1)
        found = []
        for first, last, foreign, entry in spans:
            bounds = self.passage.sentence(first)
            here = any(self.tags[place] & Tag.MODALITY for place in range(bounds[0], bounds[1] + 1))
            if isinstance(entry, Keyword) and here:
                here = self._modality_binds(first, last)
            end = last
            if isinstance(entry, Keyword) and last + 1 < len(parts) and self.tags[last + 1] & Tag.MODALITY:
                end += self.passage.breaks[last + 1] <= DASH  # "... nerve MRI": the cues stand behind both
            reading = clauses.read(self.passage, first, end, parts)
            if reading.standing in (Standing.HISTORY, Standing.DATED) and clauses.asks_again(self.passage, last, parts):
                reading = Reading(Standing.REPEAT, "")
            found.append(Mention(self.text, self.passage, first, last, entry, foreign, here, reading))
        return Scanned(self.text, self.passage, self.tags, parts, tuple(found), tuple(self.others), tuple(self.turned))

    def _modality_binds(self, first: int, last: int) -> bool:
        """Tell whether a word of the modality stands with a key word, and not before an indication ("MRI knee for ...")."""
        bounds = self.passage.sentence(first)
        for place in range(last + 1, min(bounds[1], last + 6) + 1):
            if self.tags[place] & Tag.MODALITY:
                return True
            if self.passage.words[place] in _OPENERS:
                break
        for place in range(first - 1, bounds[0] - 1, -1):
            if self.tags[place] & Tag.MODALITY:
                return True
            if self.passage.words[place] in _OPENERS:
                return False
        return False


def part_of(tags: int) -> Part:
    """Return what a word with these tags is to a clause."""
    if tags & Tag.NAME:
        return Part.MENTION
    if tags & (Tag.OTHER_SERVICE | Tag.MODALITY):
        return Part.EXAM
    if tags & Tag.SITE:
        return Part.SITE
    if tags & Tag.SUPPORT:
        return Part.ATTRIBUTE
    return Part.CONTENT


def scan(text: Text, vocabulary: CompiledVocabulary) -> Scanned:
    """Cut and tag one text and read the mentions in it. Linear in its length."""
    return _Scan(text, vocabulary).scanned()

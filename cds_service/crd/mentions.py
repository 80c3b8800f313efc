"""Where the texts of an order mention a policy's procedure, by the vocabulary of that policy; and how each mention stands.

A mention is a name of the technique, an abbreviation in the place of an examination's name, or one of the policy's key
words (``tagging`` finds them, ``neighbours`` says which count). ``clauses`` reads how each stands.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from itertools import islice
from typing import Final

import msgspec

from . import asides, binding, clauses, forms, neighbours
from .cues import Standing
from .gaps import DASH
from .order_text import NAMING, Role, Text
from .reading import Part, Reading
from .recognition_table import Abbreviation, Keyword, Other
from .tagging import Tagged, part_of
from .vocabulary import CompiledVocabulary, Tag
from .words import Passage

#: Mentions of one text that are read; nobody names a procedure more often in one element.
MAX_MENTIONS: Final = 40
#: Names of catalogues whose scan is remembered, and characters of the longest of them.
KNOWN_NAMES: Final = 512
LONGEST_NAME: Final = 200


_NONE: Final[frozenset[int]] = frozenset()


class Mention(msgspec.Struct, frozen=True):
    """One mention. ``entry`` is None for a name of the technique; ``modality_here``: its own sentence fixes the modality.

    ``bounds`` are the first and the last word of its sentence.
    """

    text: Text
    passage: Passage
    first: int
    last: int
    bounds: tuple[int, int]
    entry: Abbreviation | Keyword | None
    foreign: bool
    modality_here: bool
    reading: Reading

    @property
    def words(self) -> str:
        """The mention as the order writes it, with a few words around it, at most 120 characters."""
        first, last = max(self.bounds[0], self.first - 6), min(self.bounds[1], self.last + 8)
        return self.passage.quote(first, last)


class Scanned(msgspec.Struct, frozen=True):
    """A text cut into words, each with its tags; ``others`` are the places of words of another service or examination.

    ``seen``: the tags of all words together.
    ``turned`` quotes the words that look like the procedure and mean something else, each with the rule that says so.
    ``dismissed`` are the places of words of the modality beside a mention, and in a name of services before it, that are over or
    ruled out, and of what is not ticked.
    """

    text: Text
    passage: Passage
    tags: list[int]
    seen: int
    parts: list[Part]
    mentions: tuple[Mention, ...]
    others: tuple[tuple[int, Other], ...]
    turned: tuple[tuple[str, str], ...]
    dismissed: frozenset[int]

    def of(self, text: Text) -> Scanned:
        """Return the same for another text of the same words and role."""
        mentions = tuple([msgspec.structs.replace(mention, text=text) for mention in self.mentions])
        return msgspec.structs.replace(self, text=text, mentions=mentions)

    def has(self, tag: int) -> bool:
        """Tell whether any word bears ``tag``."""
        return bool(self.seen & tag)


def _spans(tagged: Tagged) -> Iterator[tuple[int, int, bool, Abbreviation | Keyword | None]]:
    """Yield every mention's span, a name's with the modality that stands at its side."""
    taken: set[int] = set()
    for first, last, foreign in tagged.names:
        if last in taken:
            continue
        if (rule := neighbours.turns(tagged, first, last)) is not None:
            tagged.turned.append((tagged.passage.quote(max(0, first - 2), last), rule))
            continue
        first, last = neighbours.widen(tagged, first, last)
        taken.update(range(first, last + 1))
        yield first, last, foreign, None
    for first, last, entry in tagged.entries:
        if first in taken or last in taken:
            continue
        if isinstance(entry, Abbreviation):
            if neighbours.is_exam(tagged, first, last, entry):
                taken.update(range(first, last + 1))
                yield first, last, False, entry
            else:
                tagged.turned.append((tagged.passage.quote(max(0, first - 2), min(last + 2, len(tagged.tags) - 1)), "N1"))
        elif entry.where == "name" and not neighbours.counts_here(tagged, first, entry):
            continue  # says nothing here: not worth reading its clause
        elif neighbours.is_key(tagged, first, last, entry):
            taken.update(range(first, last + 1))
            yield first, last, False, entry
        else:
            tagged.turned.append((tagged.passage.quote(max(0, first - 2), min(last + 2, len(tagged.tags) - 1)), "N2"))


def _scanned(tagged: Tagged) -> Scanned:
    spans = list(islice(_spans(tagged), MAX_MENTIONS))
    parts = [part_of(tags) for tags in tagged.tags]
    for first, last, _, entry in spans:
        if entry is None or isinstance(entry, Abbreviation) or entry.with_modality == "yes":
            parts[first : last + 1] = [Part.MENTION] * (last - first + 1)
    found = []
    dismissed = forms.not_ticked(tagged.passage, parts) if tagged.passage.boxed else []
    for first, last, foreign, entry in spans:
        bounds = tagged.passage.sentence(first)
        bound = binding.bind(tagged, first, last, entry, bounds, parts)
        dismissed += bound.dismissed
        end = last
        if isinstance(entry, Keyword) and last + 1 < len(parts) and tagged.tags[last + 1] & Tag.MODALITY:
            end += tagged.passage.breaks[last + 1] <= DASH  # "... nerve MRI": the cues stand behind both
        reading = clauses.read(tagged.passage, first, end, parts)
        if reading.standing in (Standing.HISTORY, Standing.DATED) and clauses.asks_again(tagged.passage, last, parts):
            reading = Reading(Standing.REPEAT, "")
        if bound.shared is not None and reading.standing is Standing.REQUEST:
            reading = bound.shared
        found.append(Mention(tagged.text, tagged.passage, first, last, bounds, entry, foreign, bound.here, reading))
    if tagged.others and tagged.text.role in NAMING:
        names = [mention for mention in found if not isinstance(mention.entry, Keyword)]
        dismissed += asides.told_before(tagged, [(name.first, name.reading.standing) for name in names], parts)
    return Scanned(
        tagged.text,
        tagged.passage,
        tagged.tags,
        tagged.seen,
        parts,
        tuple(found),
        tuple(tagged.others),
        tuple(tagged.turned),
        frozenset(dismissed) if dismissed else _NONE,
    )


def scan(text: Text, vocabulary: CompiledVocabulary) -> Scanned:
    """Cut and tag one text and read the mentions in it. Linear in its length."""
    return _scanned(Tagged(text, vocabulary))


def scan_name(text: Text, vocabulary: CompiledVocabulary) -> Scanned:
    """Do the same for what an order's code or category says, at most LONGEST_NAME characters, and remember it.

    An EHR sends the words of its catalogue again and again.
    """
    return _scan_name(text.words, text.role, vocabulary).of(text)


# Holds an order's names as sent in its code and category, and what the vocabulary says of them; none of its notes, reasons and
# other texts, which speak of the patient. Names are a catalogue's as a rule, but a clinician may have typed one: they stay in
# this process's memory, and go nowhere from there. It depends on nothing else; the vocabulary counts by its identity and
# never changes, nor does a text once it is scanned. An entry of 200 characters takes some 10 KB, a usual one 2.
@lru_cache(maxsize=KNOWN_NAMES)
def _scan_name(words: str, role: Role, vocabulary: CompiledVocabulary) -> Scanned:
    return scan(Text("", words, role), vocabulary)

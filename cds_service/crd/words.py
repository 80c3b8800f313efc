"""Text as an order carries it becomes folded words with the breaks between them.

Everything here is linear in the length of the text: one pass to fold, one to cut. Nothing knows of medicine.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from itertools import accumulate
from typing import Final

from . import answer_pairs, boxes
from .gaps import HARD, LIGHT, QUESTION, has_no_capitals, weigh

#: Words to either side beyond which no sentence is followed, so that a text without stops costs no more than another.
SIGHT: Final = 40

_FOREIGN: Final = re.compile("[\u0370-\u052f]")
_BEYOND_ASCII: Final = re.compile(r"[^\x00-\x7f]")
_WORD: Final = re.compile(r"([a-z0-9]+(?:'[a-z]+)*)")
_DASHES: Final = "‐‑‒–—―−"
#: Cyrillic and Greek letters that look like Latin ones, and the Latin ones.
_ALIKE: Final = str.maketrans(
    "АВЕЅІЈКМНОРСТУХаеѕіјорсухԁԛѡһΑΒΕΖΗΙΚΜΝΟΡΤΥΧαινορυ",
    "ABESIJKMHOPCTYXaesijopcyxdqwhABEZHIKMNOPTYXaivopu",
)
_APOSTROPHES: Final = "’‘`´ʼ"
_BULLETS: Final = "•·▪◦‣●■"


@lru_cache(maxsize=4096)
def _folded_character(character: str) -> str:
    if character in _DASHES:
        return "-" if character in "‐‑−" else " - "
    if character in _APOSTROPHES:
        return "'"
    if character in _BULLETS or character in "\u2028\u2029\x85":
        return "\n"
    if character == "±":
        return " plusminus "
    category = unicodedata.category(character)
    if category in {"Cf", "Mn", "Me"}:  # soft hyphen, zero-width characters, combining accents
        return ""
    return "".join(
        part
        for part in unicodedata.normalize("NFKD", character).translate(_ALIKE).casefold()
        if unicodedata.category(part) not in {"Mn", "Me", "Cf"}
    )


def fold(text: str) -> tuple[str, list[int] | None]:
    """Fold ``text`` to lower case without accents, full-width forms, soft hyphens and zero-width characters.

    The second value maps each folded character to the index of the character it came from; None where both are the same
    index (plain ASCII).
    """
    if text.isascii():
        return text.lower(), None
    pieces: list[str] = []
    origins: list[int] = []
    end = 0
    for match in _BEYOND_ASCII.finditer(text):
        index = match.start()
        piece = _folded_character(match.group())
        pieces += (text[end:index].lower(), piece)
        origins += range(end, index)
        origins += [index] * len(piece)
        end = index + 1
    pieces.append(text[end:].lower())
    origins += range(end, len(text))
    return "".join(pieces), origins


def latin(text: str) -> str:
    """Return ``text`` with the Cyrillic and Greek letters that look like Latin ones as these."""
    return text.translate(_ALIKE) if _FOREIGN.search(text) else text


def plain(text: str) -> str:
    """Return the folded text alone; what ``fold`` gives, without its map."""
    return text.lower() if text.isascii() else fold(text)[0]


#: What mostly stands between two words, weighed once: what these weigh depends on no word beside them.
_COMMON: Final = {
    gap: weigh(gap, (), (), 0, lower=False, all_lower=False)
    for gap in (" ", "-", ", ", "/", " / ", " - ", " (", ") ", "), ", "; ", ": ", "? ", " & ", " + ", ",", ":")
}
_UNCOMMON: Final = -1  # to be weighed


def _span(place: tuple[int, int], origins: list[int]) -> tuple[int, int]:
    start, stop = place
    return place if start >= stop else (origins[start], origins[stop - 1] + 1)


class Passage:
    """One text cut into folded words.

    ``breaks[i]`` weighs what stands before word i (0 means a plain space or hyphen); the first word has HARD.
    ``spans[i]`` is the word's place in ``source``, end exclusive. ``boxed``: check boxes stand among the words (``boxes``).
    """

    __slots__ = ("boxed", "breaks", "folded", "places", "source", "spans", "words")

    def __init__(self, source: str) -> None:
        folded, origins = fold(source)
        if "+/-" in folded:
            folded = folded.replace("+/-", "~=~")  # same length, so that the places stay true
        self.source = source
        self.folded = folded
        pieces = _WORD.split(folded)  # a gap, a word, a gap, ... a gap
        ends = list(accumulate(map(len, pieces)))
        gaps = pieces[:-1:2]
        self.words: list[str] = pieces[1::2]
        if "'" in folded:
            self.words = [word.replace("'", "") for word in self.words]
        self.breaks: list[int] = [_COMMON.get(gap, _UNCOMMON) for gap in gaps]
        self.places: list[tuple[int, int]] = list(zip(ends[:-1:2], ends[1::2], strict=True))
        if _UNCOMMON in self.breaks:
            self._weigh_uncommon(gaps, origins)
        if self.breaks:
            self.breaks[0] = HARD
        if "~=~" in folded:
            self._name_signs(gaps)
        answer_pairs.part(self.words, self.breaks)
        self.boxed = boxes.may_hold(folded) and self._name_boxes()
        self.spans = self.places if origins is None else [_span(place, origins) for place in self.places]

    def _weigh_uncommon(self, gaps: list[str], origins: list[int] | None) -> None:
        words, breaks = self.words, self.breaks
        all_lower = ". " in self.folded and has_no_capitals(self.source)
        for index, weight in enumerate(breaks):
            if weight == _UNCOMMON:
                start = self.places[index][0]
                first = self.source[origins[start] if origins is not None else start]
                breaks[index] = weigh(gaps[index], words, breaks, index, first.islower(), all_lower)

    def _name_signs(self, gaps: list[str]) -> None:
        """Put the word "plusminus" where a gap holds the sign: it takes the gap's place and its weight."""
        words, breaks, places = self.words, self.breaks, self.places
        self.words, self.breaks, self.places = [], [], []
        end = 0
        for word, weight, place, gap in zip(words, breaks, places, gaps, strict=True):
            signed = "~=~" in gap
            if signed:
                self.words.append("plusminus")
                self.breaks.append(weight)
                self.places.append((end, place[0]))
            self.words.append(word)
            self.breaks.append(LIGHT if signed else weight)
            self.places.append(place)
            end = place[1]

    def _name_boxes(self) -> bool:
        """Put a word where a check box stands; False where there is none."""
        named = boxes.name(self.folded, boxes.Cut(self.words, self.breaks, self.places))
        if named is None:
            return False
        self.words, self.breaks, self.places = named
        return True

    def gap_before(self, index: int) -> str:
        """Return the folded characters between word ``index`` and the one before; from the start for word 0."""
        start = self.places[index - 1][1] if index else 0
        return self.folded[start : self.places[index][0]]

    def gap_after(self, index: int) -> str:
        """Return the folded characters between word ``index`` and the next; to the end for the last word."""
        stop = self.places[index + 1][0] if index + 1 < len(self.places) else len(self.folded)
        return self.folded[self.places[index][1] : stop]

    def sentence(self, index: int) -> tuple[int, int]:
        """Return the first and the last word (inclusive) of the sentence of word ``index``, or of the SIGHT around it."""
        breaks = self.breaks
        first = index
        floor = max(0, index - SIGHT)
        while first > floor and breaks[first] < QUESTION:
            first -= 1
        last = index
        ceiling = min(len(breaks) - 1, index + SIGHT)
        while last < ceiling and breaks[last + 1] < QUESTION:
            last += 1
        return first, last

    def quote(self, first: int, last: int, limit: int = 120) -> str:
        """Return the source from word ``first`` to word ``last`` (inclusive) as it was written, at most ``limit`` long."""
        return self.source[self.spans[first][0] : self.spans[last][1]][:limit]


def bare_words(text: str) -> list[str]:
    """Return the folded words of ``text`` without their places, in a third of the time; signs are no words here."""
    return [word.replace("'", "") for word in _WORD.findall(plain(text))]


def plain_words(text: str) -> tuple[str, ...]:
    """Return the folded words of ``text`` alone."""
    return tuple(Passage(text).words)

"""Phrases that are found in a text by one dictionary look-up per word of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from typing import Generic, TypeVar

from .gaps import DASH
from .words import Passage, plain_words

T = TypeVar("T")


def listed(table: str) -> tuple[str, ...]:
    """Return the phrases of a table, in which "|" parts one from the next."""
    return tuple(" ".join(phrase.split()) for phrase in table.split("|"))


class PhraseTable(Generic[T]):
    """Phrases of folded words, each with a value, found by one look-up per word."""

    def __init__(self, phrases: Iterable[tuple[str, T]]) -> None:
        ahead: dict[str, list[tuple[tuple[str, ...], T]]] = {}
        behind: dict[str, list[tuple[tuple[str, ...], T]]] = {}
        for text, value in phrases:
            words = plain_words(text)
            if not words:
                raise ValueError(f"{text!r} holds no letter or digit: write a word or take the entry out")
            ahead.setdefault(words[0], []).append((words, value))
            behind.setdefault(words[-1], []).append((words, value))
        self._by_first = {word: _Entries(entries, 1) for word, entries in ahead.items()}
        self._by_last = {word: _Entries(entries, -2) for word, entries in behind.items()}
        #: words with which a phrase starts, and with which one ends; what else needs no look-up
        self.first_words: Set[str] = self._by_first.keys()
        self.last_words: Set[str] = self._by_last.keys()

    def starting(self, passage: Passage, index: int) -> Sequence[tuple[int, T]]:
        """Return (number of words, value) of every phrase that starts with word ``index``, the longest first."""
        entries = self._by_first.get(passage.words[index])
        if entries is None:
            return ()
        if entries.longer and index + 1 < len(passage.words):
            longer = entries.longer.get(passage.words[index + 1])
            if longer is not None:
                found = [(len(words), value) for words, value in longer if _stands(passage, index, words)]
                return [*found, *entries.single]
        return entries.single

    def ending(self, passage: Passage, index: int) -> Sequence[tuple[int, T]]:
        """Return (number of words, value) of every phrase that ends with word ``index``, the longest first."""
        entries = self._by_last.get(passage.words[index])
        if entries is None:
            return ()
        if entries.longer and index:
            longer = entries.longer.get(passage.words[index - 1])
            if longer is not None:
                found = [(len(words), value) for words, value in longer if _stands(passage, index - len(words) + 1, words)]
                return [*found, *entries.single]
        return entries.single


class _Entries(Generic[T]):
    """The phrases of one first or last word: those of that word alone, and the longer ones by the word that is next to it."""

    __slots__ = ("longer", "single")

    def __init__(self, entries: list[tuple[tuple[str, ...], T]], beside: int) -> None:
        self.single = tuple((1, value) for words, value in entries if len(words) == 1)
        self.longer: dict[str, list[tuple[tuple[str, ...], T]]] = {}
        for words, value in sorted(entries, key=lambda entry: -len(entry[0])):
            if len(words) > 1:
                self.longer.setdefault(words[beside], []).append((words, value))


def _stands(passage: Passage, start: int, words: Sequence[str]) -> bool:
    if start < 0 or start + len(words) > len(passage.words):
        return False
    for place, word in enumerate(words, start):  # a plain loop: all() over a generator costs as much again
        if passage.words[place] != word or (place > start and passage.breaks[place] >= DASH):
            return False
    return True


def marks(table: str) -> PhraseTable[bool]:
    """A table of the phrases of ``table`` that tells no more of each than that it is there."""
    return PhraseTable((phrase, True) for phrase in listed(table))

"""Phrases that are found in a text by one dictionary look-up per word of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from typing import Generic, TypeVar

from .words import DASH, Passage, plain_words

T = TypeVar("T")


class PhraseTable(Generic[T]):
    """Phrases of folded words, each with a value, found by one look-up per word."""

    def __init__(self, phrases: Iterable[tuple[str, T]]) -> None:
        self._by_first: dict[str, list[tuple[tuple[str, ...], T]]] = {}
        #: words with which a phrase starts; what else needs no look-up
        self.first_words: Set[str] = self._by_first.keys()
        self._by_last: dict[str, list[tuple[tuple[str, ...], T]]] = {}
        for text, value in phrases:
            words = plain_words(text)
            if not words:
                raise ValueError(f"{text!r} holds no letter or digit: write a word or take the entry out")
            self._by_first.setdefault(words[0], []).append((words, value))
            self._by_last.setdefault(words[-1], []).append((words, value))
        for table in (self._by_first, self._by_last):
            for entries in table.values():
                entries.sort(key=lambda entry: -len(entry[0]))

    def starting(self, passage: Passage, index: int) -> list[tuple[int, T]]:
        """Return (number of words, value) of every phrase that starts with word ``index``, the longest first."""
        entries = self._by_first.get(passage.words[index])
        if entries is None:
            return []
        if len(entries[0][0]) == 1:  # sorted: no entry is longer
            return [(1, value) for _, value in entries]
        following = passage.words[index + 1] if index + 1 < len(passage.words) else ""
        return [
            (len(words), value)
            for words, value in entries
            if len(words) == 1 or (words[1] == following and _stands(passage, index, words))
        ]

    def ending(self, passage: Passage, index: int) -> list[tuple[int, T]]:
        """Return (number of words, value) of every phrase that ends with word ``index``, the longest first."""
        entries = self._by_last.get(passage.words[index])
        if entries is None:
            return []
        if len(entries[0][0]) == 1:
            return [(1, value) for _, value in entries]
        before = passage.words[index - 1] if index else ""
        return [
            (len(words), value)
            for words, value in entries
            if len(words) == 1 or (words[-2] == before and _stands(passage, index - len(words) + 1, words))
        ]


def _stands(passage: Passage, start: int, words: Sequence[str]) -> bool:
    if start < 0 or start + len(words) > len(passage.words):
        return False
    return all(
        passage.words[start + offset] == word and (offset == 0 or passage.breaks[start + offset] < DASH)
        for offset, word in enumerate(words)
    )

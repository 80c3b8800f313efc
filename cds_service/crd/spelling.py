"""How near a word is to given ones, in edits; found without comparing it to each of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

#: The most edits looked for.
LIMIT: Final = 2
#: Letters of the longest word looked up: what is longer is nobody's misspelling, and would cost its length squared.
LONGEST: Final = 20


def edits(word: str, target: str, limit: int) -> int:
    """Count the edits from ``word`` to ``target``; more than ``limit`` counts as ``limit + 1``.

    An edit inserts, drops or changes a letter, or swaps two neighbours (optimal string alignment).
    """
    if abs(len(word) - len(target)) > limit:
        return limit + 1
    width = len(target)
    far = limit + 1
    before: list[int] = []
    row: list[int] = [min(cost, far) for cost in range(width + 1)]
    for i, left in enumerate(word, start=1):
        last, before, row = before, row, [i if i <= limit else far] + [far] * width
        near = False
        for j in range(max(1, i - limit), min(width, i + limit) + 1):  # further from the diagonal the cost is beyond the limit
            right = target[j - 1]
            cost = before[j - 1]
            if left != right:
                cost += 1
                if before[j] < cost - 1:
                    cost = before[j] + 1
                if row[j - 1] < cost - 1:
                    cost = row[j - 1] + 1
                if i > 1 and j > 1 and left == target[j - 2] and word[i - 2] == right and last[j - 2] < cost - 1:
                    cost = last[j - 2] + 1
            row[j] = cost
            near = near or cost <= limit
        if not near and row[0] > limit:
            return far
    return min(row[width], far)


class Spellings:
    """Words that are looked up by what is left of them when up to LIMIT letters are dropped.

    Two words within LIMIT edits of each other leave something in common; only such pairs are compared letter by letter.
    """

    __slots__ = ("_by_rest",)

    def __init__(self, words: Iterable[str]) -> None:
        self._by_rest: dict[str, list[str]] = {}
        for word in dict.fromkeys(words):
            for rest in _rests(word):
                self._by_rest.setdefault(rest, []).append(word)

    def near(self, word: str) -> dict[str, int]:
        """Return the words within LIMIT edits of ``word``, each with their number; none for a word longer than LONGEST."""
        if len(word) > LONGEST:
            return {}
        targets = {target for rest in self._by_rest.keys() & _rests(word) for target in self._by_rest[rest]}
        found = {target: edits(word, target, LIMIT) for target in targets}
        return {target: count for target, count in found.items() if count <= LIMIT}


class Respeller:
    """Long words of which a slip of the pen is read as meant: one edit, two from TWICE letters on, the ends untouched."""

    __slots__ = ("_by_ends", "_known")

    SHORTEST: Final = 7
    TWICE: Final = 10

    def __init__(self, words: Iterable[str], known: Iterable[str]) -> None:
        self._known = frozenset(known)
        self._by_ends: dict[str, list[str]] = {}
        for word in dict.fromkeys(words):
            if len(word) >= self.SHORTEST:
                self._by_ends.setdefault(word[0] + word[-1], []).append(word)

    def meant(self, word: str) -> str:
        """Return the word that ``word`` misspells; ``word`` itself where it is one of the known or near none."""
        if not self.SHORTEST - 1 <= len(word) <= LONGEST or word in self._known:
            return word
        for target in self._by_ends.get(word[0] + word[-1], ()):
            limit = 2 if len(target) >= self.TWICE else 1
            if abs(len(word) - len(target)) <= limit and edits(word, target, limit) <= limit:
                return target
        return word


def _rests(word: str) -> set[str]:
    """Return ``word`` and what is left of it without one and without two of its letters."""
    once = {word[:index] + word[index + 1 :] for index in range(len(word))}
    return {word, *once, *[each[:index] + each[index + 1 :] for each in once for index in range(len(each))]}

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cds_service.crd.spelling import LIMIT, LONGEST, Spellings, edits


@pytest.mark.parametrize(
    ("word", "target", "count"),
    [
        ("scan", "scan", 0),
        ("scn", "scan", 1),
        ("scann", "scan", 1),
        ("scqn", "scan", 1),
        ("sacn", "scan", 1),
        ("csna", "scan", 2),
        ("s", "scan", 3),
        ("xyzw", "scan", 3),
        ("", "", 0),
        ("", "ab", 2),
    ],
)
def test_edits_are_letters_dropped_added_changed_or_swapped_with_their_neighbour(word: str, target: str, count: int) -> None:
    assert edits(word, target, 2) == edits(target, word, 2) == count


def plainly(word: str, target: str) -> int:
    """Optimal string alignment as the textbook writes it, without a limit."""
    rows = [[i + j if i * j == 0 else 0 for j in range(len(target) + 1)] for i in range(len(word) + 1)]
    for i in range(1, len(word) + 1):
        for j in range(1, len(target) + 1):
            rows[i][j] = min(rows[i - 1][j] + 1, rows[i][j - 1] + 1, rows[i - 1][j - 1] + (word[i - 1] != target[j - 1]))
            if i > 1 and j > 1 and word[i - 1] == target[j - 2] and word[i - 2] == target[j - 1]:
                rows[i][j] = min(rows[i][j], rows[i - 2][j - 2] + 1)
    return rows[-1][-1]


WORDS = st.text("abc", max_size=9)


@given(WORDS, WORDS)
def test_the_count_is_that_of_the_textbook_up_to_the_limit(word: str, target: str) -> None:
    assert edits(word, target, LIMIT) == min(plainly(word, target), LIMIT + 1)


@given(WORDS, st.lists(WORDS, max_size=8))
def test_every_word_within_the_limit_is_found_and_no_other(word: str, words: list[str]) -> None:
    expected = {each: plainly(word, each) for each in words if plainly(word, each) <= LIMIT}
    assert Spellings(words).near(word) == expected


def test_a_word_longer_than_any_misspelling_is_near_nothing() -> None:
    long = "a" * (LONGEST + 1)
    assert Spellings([long]).near(long) == {}

"""Names of insurers and plans in words that can be compared, and whose a name is. The names are policy data."""

from __future__ import annotations

import functools
import hashlib
import unicodedata

import msgspec

from .policy_file import CoverageNames

#: Spellings of names and the one that is taken for them, each as ``name_words`` makes it of no spellings.
Spellings = tuple[tuple[str, str], ...]


def name_words(text: str, spellings: Spellings = ()) -> str:
    """``text`` as lower-case words with one space around each, each of ``spellings`` replaced by what is taken for it."""
    text = text[:400]
    if text.isascii():  # nearly all are: the same as below, in one step
        plain = text.translate(_PLAIN)
    else:
        # marks first: NFKD would make of "Advantage™" one word, "AdvantageTM"
        unmarked = "".join(" " if char in "®©™℠" else char for char in text if unicodedata.category(char) != "Cf")
        folded = unicodedata.normalize("NFKD", unmarked).casefold()
        plain = "".join(char if char.isalnum() else " " for char in folded if not unicodedata.combining(char))
    joined = f" {' '.join([word for word in plain.split() if word not in _NO_NAMES])} "
    for spelling, taken in spellings:
        joined = joined.replace(spelling, taken)
    return joined


#: ASCII to lower-case letters, digits and blanks.
_PLAIN = {code: chr(code).lower() if chr(code).isalnum() else " " for code in range(128)}
_NO_NAMES = frozenset(("and", "of", "the", "inc", "llc", "co", "company", "corp"))


class Names(msgspec.Struct, frozen=True):
    """``CoverageNames`` in the form in which texts are compared, and a digest of them."""

    digest: bytes
    spellings: Spellings
    insurer: tuple[str, ...]
    plan: tuple[str, ...]
    other_plans: tuple[str, ...]
    brands: tuple[str, ...]
    home: tuple[str, ...]
    generic: frozenset[str]
    other: frozenset[str]
    elsewhere: tuple[str, ...]
    identifiers: tuple[tuple[str, str], ...]

    def words(self, text: str) -> str:
        """``text`` as words, to be held against these names."""
        return name_words(text, self.spellings)


@functools.lru_cache(maxsize=64)
def names_of(names: CoverageNames) -> Names:
    """``names``, made ready once for each policy."""

    spellings = tuple((name_words(spelling), name_words(row[0])) for row in names.spelled_alike for spelling in row[1:])

    def words(values: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(sorted((name_words(value, spellings) for value in values), key=len, reverse=True))

    return Names(
        hashlib.blake2b(msgspec.json.encode(names), digest_size=16).digest(),
        spellings,
        words(names.insurer_names),
        words(names.plan_names),
        words(names.other_plans),
        words(names.shared_brands),
        words(names.home),
        frozenset(word.strip() for word in words(names.generic_words)),
        frozenset(words(names.other_insurers)),
        words(names.elsewhere),
        tuple((identifier.system, identifier.value) for identifier in names.identifiers),
    )


def has_any(words: str, names: tuple[str, ...]) -> bool:
    """Is any of ``names`` among ``words``, both as ``name_words`` makes them?"""
    return any(name in words for name in names)


def _rest(words: str, names: Names) -> list[str]:
    """The words of a name that are neither ours, nor a shared brand, nor generic: what makes it somebody's or something's.

    A number, or a code such as a contract number ("H0104"), is nobody's name.
    """
    for known in (*names.insurer, *names.plan, *names.brands, *names.home):
        while known in words:
            words = words.replace(known, " ", 1)
    return [word for word in words.split() if word not in names.generic and not any(char.isdigit() for char in word)]


def names_a_plan(words: str, names: Names) -> bool:
    """Do the words name some plan, rather than number or classify it?"""
    return any(len(word) > 2 and word.isalpha() for word in _rest(words, names))


def is_ours(words: str, names: Names) -> bool:
    """Our insurer's name; or our state's with our plan's name, or with a shared brand and nothing that is somebody's."""
    if has_any(words, names.insurer):
        return True
    if not has_any(words, names.home) or has_any(words, names.elsewhere):
        return False
    return has_any(words, names.plan) or (has_any(words, names.brands) and not _rest(words, names))


def is_anothers(words: str, names: Names) -> bool:
    """Another insurer's name: one that the policy lists, or one with words that are nobody's here."""
    return words in names.other or any(len(word) > 1 for word in _rest(words, names))


def is_elsewhere(words: str, names: Names) -> bool:
    """A shared brand or our plan's name, with the name of another state or of a company there."""
    if is_ours(words, names) or not has_any(words, names.elsewhere):
        return False
    return has_any(words, names.plan) or has_any(words, names.brands)

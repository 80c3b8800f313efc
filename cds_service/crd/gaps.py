"""How strongly the characters between two words part them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

#: How strongly the characters before a word part it from the word before. From COMMA on a phrase never crosses; from
#: QUESTION on a sentence ends.
LIGHT: Final = 0
SLASH: Final = 1
DASH: Final = 2
COMMA: Final = 3
PAREN: Final = 4
COLON: Final = 5
QUESTION: Final = 6
HARD: Final = 7

#: Words after which a full stop ends no sentence.
_ABBREVIATED: Final = frozenset(
    """
    dr mr ms mrs st vs eg ie lt rt lft bilat approx w wo s p h o r l e g i m n no hx pt dx tx sx rx f u c d etc eval evaluate diff
    poss prev inf sup lat med ant post ext upr lwr up low brach lumb cerv plex contr nerv seq mag res perf addl incl ggf evtl bzw
    inkl li re bds zn magn reson neurogr neurog surg diag ca vgl
    """.split()  # noqa: SIM905
)
#: Those of them that end a sentence as often as not: before a capital letter the stop parts, but ends none.
_ENDING: Final = frozenset({"pt", "tx", "sx", "rx", "etc", "hx", "dx", "imaging"})
#: Answers: right behind a question, a label or a dash they end what they answer, with a stop or the end of the line.
_ANSWERS: Final = frozenset({"no", "none", "yes", "n", "y", "na", "nein", "ja", "non", "oui", "si", "nil"})
_SENTENCE_CAPITAL: Final = re.compile(r"[.!?;]\s+[A-Z]")


def has_no_capitals(text: str) -> bool:
    """Tell whether ``text`` begins its sentences with small letters, so that one behind a stop says nothing."""
    return text[:1].islower() and _SENTENCE_CAPITAL.search(text) is None


def weigh(gap: str, words: Sequence[str], breaks: Sequence[int], index: int, lower: bool, all_lower: bool) -> int:
    """Tell how strongly ``gap``, the characters before word ``index``, parts it from the word before.

    ``breaks`` are known up to there. ``lower``: the word begins with a small letter; ``all_lower``: so do all sentences.
    """
    if gap in (" ", "-", ""):
        return LIGHT
    if "?" in gap:
        return QUESTION
    if any(mark in gap for mark in ";!|") or "\n\n" in gap:
        return HARD
    if "\n" in gap or "\r" in gap:
        if gap[0] == "-" and lower and not gap[1:].strip():
            return LIGHT  # a word parted at the end of a line
        return COMMA if lower and gap.strip() in ("", ",") and not _answers(words, breaks, index - 1) else HARD
    if ":" in gap or " = " in gap:
        return COLON
    if "." in gap:
        return _weigh_stop(gap, words, breaks, index, lower, all_lower)
    if any(mark in gap for mark in "()[]{}"):
        return PAREN
    if any(mark in gap for mark in ',<>"'):
        return COMMA
    if ("-" in gap and " " in gap.strip("-")) or "--" in gap:
        return DASH
    if "/" in gap or "\\" in gap:
        return SLASH
    return LIGHT


def _weigh_stop(gap: str, words: Sequence[str], breaks: Sequence[int], index: int, lower: bool, all_lower: bool) -> int:
    before = words[index - 1] if index else ""
    if ".." in gap:
        return HARD
    if gap == ".":  # no space: a decimal, initials, or a forgotten space between sentences
        return HARD if len(before) > 3 and len(words[index]) > 1 and not before.isdigit() else LIGHT
    if _ends(words, breaks, index, lower):
        return HARD
    if before in _ENDING and not lower:
        return DASH
    if before in _ABBREVIATED or len(before) == 1 or (lower and not _ends_all_lower(before, all_lower)):
        return PAREN if any(mark in gap for mark in "()[]") else COMMA if "," in gap else LIGHT
    return HARD


def _answers(words: Sequence[str], breaks: Sequence[int], index: int) -> bool:
    """Tell whether word ``index`` is all that answers a question or label ("Contrast: no", "Last one: 2019")."""
    if index < 1 or breaks[index] not in (DASH, COLON, QUESTION):
        return False
    return words[index] in _ANSWERS or _is_year(words[index])


def _ends(words: Sequence[str], breaks: Sequence[int], index: int, lower: bool) -> bool:
    """Tell "Contrast: no. Scan ..." and "Scan w/o. Add ..." from "no. 4" and "w/o. contrast" before word ``index``."""
    before, behind = words[index - 1] if index else "", words[index]
    if any(character.isdigit() for character in behind):
        return False
    if before == "no" or _answers(words, breaks, index - 1):
        return True
    return not lower and (before == "wo" or (before == "o" and index > 1 and words[index - 2] == "w"))


def _ends_all_lower(before: str, all_lower: bool) -> bool:
    """Tell whether a stop ends a sentence although a small letter follows: nobody abbreviates a year or a last word."""
    return _is_year(before) or (all_lower and len(before) > 2 and not before.isdigit())


def _is_year(word: str) -> bool:
    return len(word) == 4 and word.isdigit() and word[:2] in ("19", "20")

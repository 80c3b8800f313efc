"""What a whole sentence makes of a mention: a label, a condition, a choice, a question, a date."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from . import cue_words, order_cues
from .cues import Standing
from .gaps import COLON, COMMA, DASH, QUESTION
from .reading import Part, Reading
from .words import SIGHT, Passage


def label_of(passage: Passage, first: int, start: int) -> str:
    """Return the label of the sentence that starts at word ``start``: what its last colon ends, or the question before it."""
    if COLON in passage.breaks[start + 1 : first + 1]:
        colon = next(index for index in range(first, start, -1) if passage.breaks[index] == COLON)
    else:
        if start == 0 or passage.breaks[start] != QUESTION:
            return ""
        colon = start
        start = max(0, start - 14)
    begin = colon - 1
    while begin > start and passage.breaks[begin] < COMMA:
        begin -= 1
    return " ".join(passage.words[begin:colon])


def conditioned(passage: Passage, first: int, last: int, bounds: tuple[int, int], parts: Sequence[int]) -> Reading | None:
    """Tell whether an "if" governs the mention, and whether it leaves the choice to a judgement or to a later finding."""
    start, end = bounds
    words = passage.words
    if words[start] != "should" and cue_words.OPENS.isdisjoint(words[max(start, first - 25) : last + 10]):
        return None  # no word of the reach opens a condition
    optional = any(word in ("add", "adding", "include", "including") for word in words[max(start, first - 4) : first]) or any(
        word in ("sequences", "sequence", "protocol") for word in words[last + 1 : last + 3]
    )
    for index in range(first - 1, max(start, first - 25) - 1, -1):
        if words[index] == "but" and index < first - 1:
            break
        supposed = words[index] == "should" and index == start and parts[index + 1] == Part.EXAM  # "should the X-ray be normal"
        reflexive = words[index] in ("si", "se") and words[index + 1] in cue_words.REFLEXIVE  # "si richiede uno SCAN"
        if (words[index] in cue_words.OPENS and not reflexive) or supposed:
            if words[index] in ("when", "once") and not cue_words.STATE.isdisjoint(words[index + 1 : index + 5]):
                break
            if _closes_its_phrase(passage, index, first, start):
                break  # "contrast if needed, SCAN"
            if index > start and words[index - 1] in cue_words.DOUBT:
                return Reading(Standing.DISCRETION, passage.quote(index - 1, index))
            clause = words[index : last + 6] if not _parted(passage, index, first) else words[index:first]
            judged = optional or any(word in cue_words.JUDGED for word in clause)
            inside = (
                judged and not any(word in cue_words.JUDGED for word in words[index:first]) and not _parted(passage, index, first)
            )
            standing = Standing.HYPOTHETICAL if inside else Standing.DISCRETION if judged else Standing.PLAN
            return Reading(standing, passage.quote(index, last))
    for index in range(last + 1, min(end, last + 9) + 1):
        if words[index] in _OPENS_BEHIND:
            clause = words[index : min(end, index + 9) + 1]
            if any(word in cue_words.JUDGED for word in clause[:6]) or optional:
                return Reading(Standing.DISCRETION, passage.quote(index, min(end, index + 4)))
            if any(word in cue_words.FINDINGS for word in clause) or parts[min(index + 1, end)] == Part.EXAM:
                return Reading(Standing.PLAN, passage.quote(index, min(end, index + 4)))
            return None
        if parts[index] in (Part.ATTRIBUTE, Part.EXAM, Part.MENTION) or words[index] in cue_words.STRENGTHS:
            return None
        if parts[index] == Part.CONTENT and words[index] not in cue_words.AFTER_BINDING:
            return None
    return None


def _closes_its_phrase(passage: Passage, index: int, first: int, start: int) -> bool:
    """Tell whether the condition at word ``index`` belongs to what stands before it, in a phrase that ends before the mention."""
    breaks = passage.breaks
    if (
        index == start
        or breaks[index] >= DASH
        or passage.words[index] == "permitting"
        or passage.words[index - 1] in _BEFORE_CONDITION
    ):
        return False
    return any(breaks[place] >= DASH for place in range(index + 1, first + 1))


_BEFORE_CONDITION: Final = cue_words.DOUBT | frozenset("and but or then so only please also even add order".split())  # noqa: SIM905
_OPENS_BEHIND: Final = cue_words.OPENS - {"unless", "when"}


def _parted(passage: Passage, start: int, first: int) -> bool:
    return any(passage.breaks[index] in (COMMA, DASH) or passage.words[index] == "then" for index in range(start + 1, first + 1))


_OR: Final = frozenset({"vs", "versus", "or", "oder", "ou", "o"})


def alternative(passage: Passage, first: int, last: int, bounds: tuple[int, int], parts: Sequence[int]) -> str:
    """Return the "or", "vs" that sets the mention beside another examination; "" where there is none."""
    start, end = bounds
    words = passage.words
    if "/" in passage.folded and (slash := _slashed(passage, first, last, bounds, parts)):
        return slash
    if _OR.isdisjoint(words[start:end]):
        return ""
    for index in range(first - 1, start - 1, -1):
        if _is_or(words, index) and _names_exam(parts, start, index):
            return words[index]
        if parts[index] in (Part.EXAM, Part.MENTION) or (parts[index] == Part.CONTENT and words[index] not in cue_words.BINDING):
            break
    for index in range(last + 1, end):
        if _is_or(words, index):
            closes = next((i for i in range(index + 2, end + 1) if passage.breaks[i] >= DASH), end + 1)
            tail = [Part.EXAM if words[i] in cue_words.PLAIN else parts[i] for i in range(index + 1, min(closes, index + 8))]
            if tail and Part.EXAM in tail and Part.MENTION not in tail[: tail.index(Part.EXAM)]:
                return words[index]
        if parts[index] in (Part.EXAM, Part.MENTION) or words[index] in ("if", "but", "please", "negative", "fails"):
            break
    return ""


def _is_or(words: Sequence[str], index: int) -> bool:
    """Tell an "or" between examinations from "with or without" and from the end of "w/o", which reads like a Spanish "or"."""
    return words[index] in _OR and not (index > 0 and words[index - 1] in ("with", "w"))


def _slashed(passage: Passage, first: int, last: int, bounds: tuple[int, int], parts: Sequence[int]) -> str:
    """Return the slash between the mention and another examination that says its own site ("SCAN / X-ray arm")."""
    start, end = bounds
    before = next((i for i in range(first, max(start, first - 5), -1) if passage.gap_before(i).strip() == "/"), 0)
    after = next((i for i in range(last + 1, min(end, last + 6) + 1) if passage.gap_before(i).strip() == "/"), 0)
    for place, near, far in (
        (before, range(before, first), range(start, before)),
        (after, range(last + 1, after), range(after, end + 1)),
    ):
        if not place or any(parts[i] not in (Part.SITE, Part.ATTRIBUTE) for i in near) or passage.gap_before(place) != " / ":
            continue
        side = [parts[i] for i in far]
        if Part.EXAM in side and Part.SITE in side and Part.MENTION not in side:
            return "/"
    return ""


def _names_exam(parts: Sequence[int], start: int, end: int) -> bool:
    return any(parts[index] == Part.EXAM for index in range(max(start, end - 10), end))


def _is_year(word: str) -> bool:
    return len(word) == 4 and word.isdigit() and word[:2] in ("19", "20")


def is_dated(passage: Passage, first: int, last: int, parts: Sequence[int]) -> bool:
    """Tell whether a date follows the mention closely ("scan 2021", "scan of 3/12/2022"), or a year precedes it."""
    words, breaks = passage.words, passage.breaks
    if first > 0 and breaks[first] < COMMA and _is_year(words[first - 1]):
        return True
    for index in range(last + 1, min(last + 7, len(words))):
        if breaks[index] >= QUESTION:
            return False
        word = words[index]
        if word.isdigit():
            if _is_year(word):
                return True
            following = words[index + 1] if index + 1 < len(words) else ""
            return (
                len(word) <= 2
                and following.isdigit()
                and passage.gap_before(index + 1) in ("/", "-", ".")
                and len(following) in (2, 4, 1)
            )
        if word in cue_words.MONTHS:
            continue
        if parts[index] != Part.SITE and word not in cue_words.AFTER_BINDING and word not in ("dated", "done"):
            return False
    return False


def asks_again(passage: Passage, after: int, parts: Sequence[int]) -> bool:
    """Tell whether the passage, behind word ``after``, asks to repeat what it spoke of ("Please repeat.")."""
    if order_cues.ASK_AGAIN.first_words.isdisjoint(passage.words[after + 1 : after + 2 * SIGHT]):
        return False
    for index in range(after + 1, min(len(passage.words), after + 2 * SIGHT)):
        for length, _ in order_cues.ASK_AGAIN.starting(passage, index):
            behind = parts[index + length : index + length + 4]
            negated = index > 0 and passage.words[index - 1] in ("not", "no", "dont", "without")
            if not negated and Part.EXAM not in behind and _again_meant(passage, index, length):
                return True
    return False


def _again_meant(passage: Passage, index: int, length: int) -> bool:
    """Tell "same SCAN again, please" from "was the same SCAN as before" and from "repeat SCAN not needed"."""
    words = passage.words
    tail = words[index + length : passage.sentence(index)[1] + 1][:6]
    if not cue_words.NOT_AGAIN.isdisjoint(tail):
        return False
    if words[index + length - 1] == "one" and tail and passage.breaks[index + length] < COMMA:
        return tail[0] in cue_words.AGAIN_HOW
    if words[index] != "same":
        return True
    if tail[:1] == ["as"] or not cue_words.NOT_AGAIN.isdisjoint(words[max(0, index - 4) : index]):
        return False
    return passage.breaks[index] >= COMMA or words[index - 1] in (
        "please",
        "pls",
        "needs",
        "need",
        "want",
        "wants",
        "do",
        "for",
        "the",
    )


def asks_whether(passage: Passage, first: int, last: int) -> bool:
    """Tell whether the sentence is a question about the mention ("Would a scan be useful?"), not a polite request."""
    start, end = passage.sentence(first)
    return (
        "?" in passage.gap_after(end)
        and end - last <= 8
        and passage.words[start] in cue_words.ASKING
        and not any(word in ("you", "please", "we", "pls", "kindly") for word in passage.words[start:first])
    )


def left_open(passage: Passage, bounds: tuple[int, int], parts: Sequence[int]) -> Reading | None:
    """Find words that leave the whole sentence to somebody's choice, unless they speak of the contrast."""
    if order_cues.CHOICE.first_words.isdisjoint(passage.words[bounds[0] : bounds[1] + 1]):
        return None
    for index in range(bounds[0], bounds[1] + 1):
        if passage.words[index] not in order_cues.CHOICE.first_words:
            continue
        for length, _ in order_cues.CHOICE.starting(passage, index):
            if Part.ATTRIBUTE not in parts[max(bounds[0], index - 4) : index]:
                return Reading(Standing.DISCRETION, passage.quote(index, index + length - 1))
    return None

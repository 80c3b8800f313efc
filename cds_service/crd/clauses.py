"""How a clause speaks of something it names: asks for it, rules it out, remembers it, plans it, leaves it open.

Table-driven, and ignorant of what is named: the caller says which words are the mention and which are parts of an
examination's name. The reading is local. From the mention it walks outwards over words that bind (articles, verbs of
ordering, sites) and stops at the first that does not, so that in "no relief, MR scan of the arm" the "no" governs the relief.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import Final, NamedTuple

from . import cues
from .cues import Standing
from .words import COLON, COMMA, DASH, PAREN, QUESTION, SIGHT, SLASH, Passage


class Part(enum.IntEnum):
    """What a word is to the clause; the caller's tagging."""

    CONTENT = 0
    SITE = 1  # goes with a name: a site, a side
    ATTRIBUTE = 2  # says how: contrast, field strength
    EXAM = 3  # names another examination or its modality
    MENTION = 4  # belongs to a mention of the thing itself


class Reading(NamedTuple):
    """A mention's standing, and the words of the clause that said so ("" where the mention stands bare)."""

    standing: Standing
    cue: str


_REACH: Final = 14  # words that a cue reaches at most


class _Walk(NamedTuple):
    """The cues found on one side of a mention, the nearest first, each with its words."""

    found: tuple[tuple[Standing, str], ...]

    def cue(self, *standings: Standing) -> str | None:
        return next((words for standing, words in self.found if standing in standings), None)


def _walk_before(passage: Passage, first: int, parts: Sequence[int]) -> _Walk:
    """Walk left from word ``first`` and collect the cues that reach it."""
    found: list[tuple[Standing, str]] = []
    listed = verb = comma = bound = False  # crossed "and"/"or"; crossed a verb of ordering; crossed a comma
    index = first - 1
    strong = passage.breaks[first]
    while index >= 0 and first - index <= _REACH and strong < QUESTION:
        if strong in (COMMA, PAREN, COLON, DASH):
            if strong == COLON or (strong != DASH and found):
                break
            comma = True
        if strong == SLASH:
            listed = True
        ignored = cues.NO_CUE.ending(passage, index)
        if ignored:
            break
        here = cues.BEFORE.ending(passage, index)
        had = cues.HAD.ending(passage, index)
        word = passage.words[index]
        if had and not here:
            here = [(had[0][0], Standing.HISTORY)]
        if here:
            length, standing = here[0]
            phrase = passage.quote(index - length + 1, index)
            if bound and phrase.lower() in cues.LOOSE:
                break
            if comma and not _crosses_comma(standing, bool(had), listed):
                break
            found.append((standing, phrase))
            strong = passage.breaks[index - length + 1]
            index -= length
            continue
        part = parts[index]
        if word == "to" and parts[index - 1] == Part.EXAM and any(w.startswith("prefer") for w in passage.words[max(0, index - 5) : index]):
            found.append((Standing.NEGATED, passage.quote(index, index)))  # "prefers a plain one to it"
            break
        if word in ("and", "or", "nor", "plus", "y", "et", "und"):
            listed = True
        elif word in cues.TURNS or part == Part.ATTRIBUTE:
            break
        elif part == Part.EXAM:
            if verb or not (listed or comma):
                break
        elif part == Part.SITE:
            if verb:
                break
        elif part == Part.MENTION:
            if not (listed or comma):
                break
        elif word in cues.RESULTS:
            if comma or index > 0 and parts[index - 1] in (Part.EXAM, Part.SITE):
                break
            found.append((Standing.HISTORY, word))
        elif word not in cues.BINDING:
            break
        elif word in cues.VERBS:
            verb = True
        elif word == "for":
            bound = True
        strong = passage.breaks[index]
        index -= 1
    return _Walk(tuple(found))


def _crosses_comma(standing: Standing, had: bool, listed: bool) -> bool:
    """Tell whether a cue reaches across a comma: a list goes on ("had EMG, MRI, MR ..."), a new clause does not."""
    if had:
        return True
    return listed and standing in (Standing.NEGATED, Standing.HISTORY, Standing.ELSEWHERE, Standing.NEUTRAL)


def _walk_after(passage: Passage, last: int, parts: Sequence[int]) -> _Walk:
    """Walk right from word ``last`` and take the first cue that reaches back to it."""
    index = last + 1
    attribute, past = False, ""
    to_be = any(word in cues.ENSURE for word in passage.words[max(0, last - 8) : last])
    words, breaks = passage.words, passage.breaks
    while index < len(words) and index - last <= _REACH and breaks[index] < QUESTION:
        far = breaks[index] in (COMMA, PAREN, DASH, COLON)
        for length, standing in cues.AFTER.starting(passage, index):
            phrase = passage.quote(index, index + length - 1)
            if _binds_back(passage, index, length, standing, parts, to_be, attribute, far):
                return _Walk(((standing, phrase),))
        word, part = words[index], parts[index]
        if index + 2 < len(words) and words[index + 2] == "ago" and words[index + 1] in cues.UNITS:
            return _Walk(((Standing.HISTORY, passage.quote(index, index + 2)),))
        if word == "in" and index + 2 < len(words) and words[index + 2] in cues.UNITS:
            return _Walk(((Standing.PLAN, passage.quote(index, index + 2)),))
        if part == Part.ATTRIBUTE:
            attribute = True
        elif part in (Part.EXAM, Part.MENTION) and not (part == Part.MENTION and breaks[index] == PAREN):
            break
        elif part == Part.CONTENT and word not in cues.AFTER_BINDING:
            break
        if word in cues.TO_BE:
            to_be = True
        elif word == "was":
            past = passage.quote(index, index)
        index += 1
    return _Walk(((Standing.HISTORY, past),) if past else ())


def _binds_back(
    passage: Passage, index: int, length: int, standing: Standing, parts: Sequence[int], to_be: bool, attribute: bool, far: bool
) -> bool:
    word = passage.words[index]
    after = index + length
    ends = after >= len(passage.words) or passage.breaks[after] >= COMMA
    follower = "" if after >= len(passage.words) else passage.words[after]
    if standing is Standing.HISTORY:
        if word in cues.PARTICIPLES and (
            to_be or (follower in ("at", "on", "with", "using", "in", "under", "by") and _attributed(parts, after))
        ):
            return False
        if word in cues.RESULTS and length == 1:
            return (
                ends
                or follower.isdigit()
                or follower
                in (
                    "for",
                    "in",
                    "at",
                    "per",
                    "as",
                    "and",
                    "on",
                    "but",
                    "by",
                    "with",
                    "so",
                    "then",
                    "last",
                    "study",
                )
            )
        if word in (
            "was",
            "had",
            "before",
            "read",
            "date",
            "images",
            "show",
            "limited",
            "report",
            "result",
            "results",
            "ago",
            "failed",
            "found",
        ):
            return not far or ends
        return True
    if standing in (Standing.DISCRETION, Standing.PLAN) and attribute:
        return False  # "with contrast as needed": the contrast is left open, not the examination
    if standing is Standing.DISCRETION and word in ("possible", "possibly", "ok", "okay", "maybe"):
        return ends
    if standing is Standing.ELSEWHERE and length == 1 and far:
        return ends or word in ("separately", "scheduled", "booked")
    if standing is Standing.PLAN and word in ("next", "later", "when", "once", "considered", "discussed", "pending"):
        return not far or ends or word == "pending"
    return True


def _attributed(parts: Sequence[int], index: int) -> bool:
    return any(parts[place] == Part.ATTRIBUTE for place in range(index + 1, min(index + 3, len(parts))))


def _answer(passage: Passage, last: int) -> bool | None:
    """Return what a question or label ending in the mention is answered with; None where it is none or has no answer."""
    index = last + 1
    while index < len(passage.words) and index - last <= 8:
        if passage.breaks[index] in (QUESTION, COLON):
            if passage.words[index] in cues.NO:
                return False
            if passage.words[index] in cues.YES:
                return True
            return None
        if passage.breaks[index] > QUESTION:
            return None
        index += 1
    return None


def _label(passage: Passage, first: int, start: int) -> str:
    """Return the label of the sentence that starts with word ``start``: what stands before its last colon, or the question before it."""
    colon = next((index for index in range(first, start, -1) if passage.breaks[index] == COLON), None)
    if colon is None:
        if start == 0 or passage.breaks[start] != QUESTION:
            return ""
        colon = start
        start = max(0, start - 14)
    begin = colon - 1
    while begin > start and passage.breaks[begin] < COMMA:
        begin -= 1
    return " ".join(passage.words[begin:colon])


def _conditioned(passage: Passage, first: int, last: int, bounds: tuple[int, int], parts: Sequence[int]) -> Reading | None:
    """Tell whether an "if" governs the mention, and whether it leaves the choice to a judgement or to a later finding."""
    start, end = bounds
    words = passage.words
    optional = any(word in ("add", "adding", "include", "including") for word in words[max(start, first - 4) : first]) or any(
        word in ("sequences", "sequence", "protocol") for word in words[last + 1 : last + 3]
    )
    for index in range(first - 1, max(start, first - 25) - 1, -1):
        if words[index] in ("but", "please") and index < first - 1 and words[index] == "but":
            break
        if words[index] in cues.OPENS:
            if index > start and words[index - 1] in cues.DOUBT:
                return Reading(Standing.DISCRETION, passage.quote(index - 1, index))
            clause = words[index : last + 6] if not _parted(passage, index, first) else words[index:first]
            judged = optional or any(word in cues.JUDGED for word in clause)
            inside = judged and not any(word in cues.JUDGED for word in words[index:first]) and not _parted(passage, index, first)
            standing = Standing.HYPOTHETICAL if inside else Standing.DISCRETION if judged else Standing.PLAN
            return Reading(standing, passage.quote(index, last))
    for index in range(last + 1, min(end, last + 9) + 1):
        if words[index] in cues.OPENS - {"unless", "when"}:
            clause = words[index : min(end, index + 9) + 1]
            if any(word in cues.JUDGED for word in clause[:6]) or optional:
                return Reading(Standing.DISCRETION, passage.quote(index, min(end, index + 4)))
            if any(word in cues.FINDINGS for word in clause) or parts[min(index + 1, end)] == Part.EXAM:
                return Reading(Standing.PLAN, passage.quote(index, min(end, index + 4)))
            return None
        if parts[index] in (Part.ATTRIBUTE, Part.EXAM, Part.MENTION):
            return None
        if parts[index] == Part.CONTENT and words[index] not in cues.AFTER_BINDING:
            return None
    return None


def _parted(passage: Passage, start: int, first: int) -> bool:
    return any(passage.breaks[index] in (COMMA, DASH) or passage.words[index] == "then" for index in range(start + 1, first + 1))


def _alternative(passage: Passage, first: int, last: int, bounds: tuple[int, int], parts: Sequence[int]) -> str:
    """Return the "or", "vs" that sets the mention beside another examination; "" where there is none."""
    start, end = bounds
    words = passage.words
    for index in range(first - 1, start - 1, -1):
        if words[index] in ("vs", "versus", "or", "oder", "ou", "o") and _names_exam(parts, start, index):
            return words[index]
        if parts[index] in (Part.EXAM, Part.MENTION) or (parts[index] == Part.CONTENT and words[index] not in cues.BINDING):
            break
    for index in range(last + 1, end):
        if words[index] in ("vs", "versus", "or", "oder", "ou", "o") and words[index - 1] not in ("with", "w"):
            tail = [Part.EXAM if words[i] in cues.PLAIN else parts[i] for i in range(index + 1, min(end, index + 7) + 1)]
            if tail and Part.EXAM in tail and Part.MENTION not in tail[: tail.index(Part.EXAM)]:
                return words[index]
        if parts[index] in (Part.EXAM, Part.MENTION) or words[index] in ("if", "but", "please", "negative", "fails"):
            break
    return ""


def _names_exam(parts: Sequence[int], start: int, end: int) -> bool:
    return any(parts[index] == Part.EXAM for index in range(max(start, end - 10), end))


def _is_dated(passage: Passage, last: int, parts: Sequence[int]) -> bool:
    """Tell whether a date follows the mention closely ("MR scan 2021", "MR scan of 3/12/2022")."""
    words, breaks = passage.words, passage.breaks
    for index in range(last + 1, min(last + 7, len(words))):
        if breaks[index] >= QUESTION:
            return False
        word = words[index]
        if word.isdigit():
            if len(word) == 4 and word[:2] in ("19", "20"):
                return True
            following = words[index + 1] if index + 1 < len(words) else ""
            return (
                len(word) <= 2
                and following.isdigit()
                and passage.gap_before(index + 1) in ("/", "-", ".")
                and len(following) in (2, 4, 1)
            )
        if word in cues.MONTHS:
            continue
        if parts[index] != Part.SITE and word not in cues.AFTER_BINDING and word not in ("dated", "done"):
            return False
    return False


def asks_again(passage: Passage, after: int, parts: Sequence[int]) -> bool:
    """Tell whether the passage, behind word ``after``, asks to repeat what it spoke of ("Please repeat.")."""
    for index in range(after + 1, min(len(passage.words), after + 2 * SIGHT)):
        for length, _ in cues.ASK_AGAIN.starting(passage, index):
            behind = parts[index + length : index + length + 4]
            negated = index > 0 and passage.words[index - 1] in ("not", "no", "dont", "without")
            if not negated and Part.EXAM not in behind:
                return True
    return False


def read(passage: Passage, first: int, last: int, parts: Sequence[int]) -> Reading:
    """Read how the mention, words ``first`` to ``last`` (inclusive) of ``passage``, stands in its clause.

    ``parts`` holds one Part for each word of the passage. Never raises.
    """
    bounds = passage.sentence(first)
    before = _walk_before(passage, first, parts)
    after = _walk_after(passage, last, parts)
    conditioned = _conditioned(passage, first, last, bounds, parts)
    outright = _ruled_out(passage, first, last, before, after)
    if outright is not None:
        inside = conditioned is not None and before.cue(Standing.NEGATED) is None and outright.standing is Standing.NEGATED
        return conditioned if inside and conditioned is not None else outright
    choice = _alternative(passage, first, last, bounds, parts)
    if choice:
        return Reading(Standing.ALTERNATIVE, choice)
    label = _label(passage, first, bounds[0])
    if (cue := before.cue(Standing.REPEAT) or after.cue(Standing.REPEAT)) is not None:
        if (later := after.cue(Standing.PLAN)) is not None:
            return Reading(Standing.PLAN, later)
        return conditioned or Reading(Standing.REPEAT, cue)
    asked = after.cue(Standing.REQUEST) is not None
    for standing, words in before.found:
        if standing in (Standing.HISTORY, Standing.ELSEWHERE) and not (asked and standing is Standing.HISTORY):
            if standing is Standing.ELSEWHERE and _addressed(passage, bounds):
                return Reading(Standing.REQUEST, words)
            if not _is_protocol(passage, last, words):
                return Reading(standing, words)
    if (label in cues.LABELS or not cues.PAST.isdisjoint(label.split())) and not asked:
        return Reading(Standing.HISTORY, label)
    if label in cues.NEGATED_LABELS:
        return Reading(Standing.NEGATED, label)
    if label in cues.PLAN_LABELS:
        return Reading(Standing.PLAN, label)
    if (cue := after.cue(Standing.HISTORY, Standing.ELSEWHERE)) is not None:
        return Reading(after.found[0][0], cue)
    if any(mark in passage.gap_after(last) for mark in ("(-", "(+", "( -", "( +")):
        return Reading(Standing.HISTORY, passage.gap_after(last).strip())
    if (chosen := _left_open(passage, bounds, parts)) is not None:
        return chosen
    if (cue := after.cue(Standing.PLAN)) is not None:
        return Reading(Standing.PLAN, cue)
    if conditioned is not None and conditioned.standing is Standing.PLAN:
        return conditioned
    for walk in (before, after):
        for standing, words in walk.found:
            if standing in (Standing.PLAN, Standing.DISCRETION):
                if standing is Standing.PLAN and _addressed(passage, bounds) and walk is before:
                    return Reading(Standing.REQUEST, words)
                return Reading(standing, words)
    if conditioned is not None:
        return conditioned
    if not asked and (cue := before.cue(Standing.SUGGESTED) or after.cue(Standing.SUGGESTED)) is not None:
        return Reading(Standing.SUGGESTED, cue)
    if not asked and _is_dated(passage, last, parts):
        return Reading(Standing.DATED, passage.quote(last, min(last + 3, bounds[1])))
    return Reading(Standing.REQUEST, after.cue(Standing.REQUEST) or "")


def _ruled_out(passage: Passage, first: int, last: int, before: _Walk, after: _Walk) -> Reading | None:
    """Read negation and answered questions, which go before everything else."""
    answered = _answer(passage, last)
    if answered is not None:
        past = before.cue(Standing.HISTORY, Standing.NEUTRAL) is not None or after.cue(Standing.HISTORY) is not None
        if past:  # "had one before? yes"
            return Reading(Standing.HISTORY, "yes") if answered else Reading(Standing.NEUTRAL, "no")
        return Reading(Standing.REQUEST, "yes") if answered else Reading(Standing.NEGATED, "no")
    negated = before.cue(Standing.NEGATED)
    kept = (after.cue(Standing.HISTORY) or "").lower() in cues.KEPT
    if before.cue(Standing.NEUTRAL) is not None or (negated and (kept or before.cue(Standing.HISTORY))):
        return Reading(Standing.NEUTRAL, before.found[-1][1])
    if negated is not None:
        return Reading(Standing.NEGATED, negated)
    for standing in (Standing.NEUTRAL, Standing.NEGATED):
        if (cue := after.cue(standing)) is not None:
            past = before.cue(Standing.HISTORY)  # "the prior one was cancelled"
            return Reading(standing, cue) if past is None else Reading(Standing.HISTORY, past)
    gap = passage.gap_before(first)
    queried = "?" in gap and (first == 0 or gap[0] != "?")  # "? scan", "MRI ?scan", not "Done? Scan"
    tail = last
    while tail + 1 < len(passage.words) and tail < last + 3 and passage.words[tail + 1] in cues.AFTER_BINDING and passage.breaks[tail + 1] < COMMA:
        tail += 1
    if queried or "?" in passage.gap_after(last) or "?" in passage.gap_after(tail) or _asks_whether(passage, first, last):
        return Reading(Standing.DISCRETION, "?")
    return None


def _asks_whether(passage: Passage, first: int, last: int) -> bool:
    """Tell whether the sentence is a question about the mention ("Would a scan be useful?"), not a polite request."""
    start, end = passage.sentence(first)
    return (
        "?" in passage.gap_after(end)
        and end - last <= 8
        and passage.words[start] in cues.ASKING
        and not any(word in ("you", "please", "we", "pls", "kindly") for word in passage.words[start:first])
    )


def _addressed(passage: Passage, bounds: tuple[int, int]) -> bool:
    """Tell whether the sentence speaks to the patient: what "you are scheduled for" is this order."""
    return any(word in ("you", "your", "youre") for word in passage.words[bounds[0] : bounds[1] + 1])


def _is_protocol(passage: Passage, last: int, cue: str) -> bool:
    """Tell "on/per/from the X protocol", which asks for X, from "seen on X"."""
    return (
        cue.lower() in ("on", "per", "from", "images", "given")
        and last + 1 < len(passage.words)
        and passage.words[last + 1]
        in (
            "protocol",
            "sequences",
            "sequence",
            "technique",
        )
    )


def _left_open(passage: Passage, bounds: tuple[int, int], parts: Sequence[int]) -> Reading | None:
    """Find words that leave the whole sentence to somebody's choice, unless they speak of the contrast."""
    for index in range(bounds[0], bounds[1] + 1):
        for length, _ in cues.CHOICE.starting(passage, index):
            if Part.ATTRIBUTE not in parts[max(bounds[0], index - 4) : index]:
                return Reading(Standing.DISCRETION, passage.quote(index, index + length - 1))
    return None


def downgrades(passage: Passage, parts: Sequence[int]) -> str:
    """Return the words that order the ordinary examination in place of a special one ("routine protocol only"), else ""."""
    words = passage.words
    for index, word in enumerate(words):
        if word not in cues.PLAIN:
            continue
        first, last = passage.sentence(index)
        near = range(index + 1, min(last, index + 5) + 1)
        if not any(
            parts[place] == Part.EXAM or words[place] in ("protocol", "sequences", "exam", "study", "imaging") for place in near
        ):
            continue
        negated = any(
            words[place]
            in (
                "not",
                "no",
                "than",
                "dont",
                "isnt",
                "negative",
                "prior",
                "previous",
                "had",
                "was",
                "were",
                "underwent",
                "done",
                "after",
                "if",
                "recent",
                "last",
            )
            for place in range(max(first, index - 4), index)
        )
        if not negated and (
            any(words[place] in cues.SUFFICES for place in range(max(first, index - 3), min(last, index + 8) + 1))
            or any(words[place] in cues.CHANGES for place in range(max(first, index - 5), index))
        ):
            return passage.quote(first, last)
    return ""

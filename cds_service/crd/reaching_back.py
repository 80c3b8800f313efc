"""Whether a cue behind a mention speaks of it, or of something else that it names ("SCAN of the leg, refused injections")."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from . import asking_words, cue_words, cues, reaching_words
from .cues import Standing
from .gaps import COMMA, DASH
from .reading import Part
from .words import Passage


def set_apart(passage: Passage, last: int) -> tuple[Standing, str] | None:
    """Return the cue behind "must be" and the like, word ``last`` its "be", that makes another order of it or cancels it."""
    if passage.words[last] != "be" or last + 1 >= len(passage.words):
        return None
    for length, standing in cues.AFTER.starting(passage, last + 1):
        elsewhere = standing is Standing.ELSEWHERE and passage.words[last + length] in cue_words.APART
        if elsewhere or standing is Standing.NEGATED:
            return standing, passage.quote(last + 1, last + length)
    return None


def taken_back(passage: Passage, last: int, parts: Sequence[int]) -> tuple[Standing, str] | None:
    """Return the cue that takes a request back, which ends with word ``last``: "SCAN requested but denied by insurance"."""
    words, breaks = passage.words, passage.breaks
    index, limit = last + 1, min(len(words), last + 9)
    if index == len(words):
        return None
    apart = next(((length, how) for length, how in cues.AFTER.starting(passage, index) if how is Standing.ELSEWHERE), None)
    if apart is not None and words[index] in ("separately", "elsewhere", "on"):
        return Standing.ELSEWHERE, passage.quote(index, index + apart[0] - 1)
    while index < limit and words[index] != "but" and breaks[index] < COMMA:
        if parts[index] in (Part.ATTRIBUTE, Part.EXAM):
            return None
        index += 1
    while index < min(len(words), last + 14) and words[index] in reaching_words.RESUMING:
        index += 1
    if index >= len(words) or index == last + 1:
        return None
    for length, standing in cues.AFTER.starting(passage, index):
        after = index + length
        if standing is Standing.NEGATED and not _has_object(passage, after, parts) and words[after - 1] != "not":
            goes_on = not reaching_words.GOING_ON.isdisjoint(words[after : after + 8])
            return None if goes_on else (standing, passage.quote(index, after - 1))
    return None


class Behind(NamedTuple):
    """A cue found behind the mention, and what the walk to it crossed."""

    place: int
    length: int
    to_be: bool  # "to be", "please": what follows is to do, not done
    attribute: bool  # contrast and the like
    far: bool  # a comma, a bracket or a dash right before the cue
    comma: bool  # one of them anywhere between the mention and the cue


def _instructs(passage: Passage, first: int, last: int) -> bool:
    """Tell whether a participle, words ``first`` to ``last``, says how a thing is to be done ("performed at 3T only, please")."""
    if passage.words[first] not in cue_words.PARTICIPLES and passage.words[first] != "read":
        return False
    end = last + 1
    while end < len(passage.words) and passage.breaks[end] < DASH:
        end += 1
    return not reaching_words.INSTRUCTING.isdisjoint(passage.words[last + 1 : end])


def binds_back(passage: Passage, cue: Behind, standing: Standing, parts: Sequence[int]) -> bool:
    """Tell whether a cue behind the mention speaks of it."""
    word = passage.words[cue.place]
    after = cue.place + cue.length
    ends = after >= len(passage.words) or passage.breaks[after] >= COMMA
    if word == "images" and passage.words[after : after + 1] == ["of"] and Part.SITE in parts[after + 1 : after + 4]:
        return False  # "SCAN images of the left arm" are to be made
    if standing is Standing.NEGATED and passage.words[after - 1] in ("do", "perform"):
        return ends or passage.words[after] in ("it", "this", "now", "today")  # not "SCAN, do not perform the X-ray"
    if word in ("void", "voided", "inactive"):  # "SCAN, void", not "SCAN of the pelvis after void"
        return ends and cue.far
    if _is_of_another(passage, cue, standing, parts):
        return False
    if standing is Standing.HISTORY:
        return _says_past(passage, cue, ends, parts)
    if standing in (Standing.DISCRETION, Standing.PLAN) and cue.attribute:
        return False  # "with contrast as needed": the contrast is left open, not the examination
    if standing is Standing.DISCRETION and word in cue_words.BRIEF_CHOICES:
        return ends
    if standing is Standing.ELSEWHERE and cue.length == 1 and cue.far:
        return ends or word in ("separately", "scheduled", "booked")
    if standing is Standing.PLAN and word in cue_words.BRIEF_PLANS:
        return not cue.far or ends
    return True


def _is_of_another(passage: Passage, cue: Behind, standing: Standing, parts: Sequence[int]) -> bool:
    """Tell whether a cue behind the mention is about something else: what stands right before it, or what follows it."""
    words = passage.words
    before, first, last = words[cue.place - 1], words[cue.place], words[cue.place + cue.length - 1]
    if standing in (Standing.NEGATED, Standing.DISCRETION, Standing.PLAN) and _is_how(words, parts, cue.place - 1):
        return True  # "SCAN, contrast not needed", "3T preferred"
    if before in asking_words.PATIENT and first in ("available", "noted", "reported"):
        return True
    if before == "order" and first in ("attached", "enclosed", "scanned"):
        return True
    after = cue.place + cue.length
    follower = words[after] if after < len(words) and passage.breaks[after] < DASH else ""
    behind = _object(passage, after, follower, parts)
    if standing is Standing.NEGATED:
        return _undoes_another(cue, last, behind, parts)
    if standing is Standing.HISTORY:
        return _past_of_another(words, cue, last, behind) or _instructs(passage, cue.place, after - 1)
    if standing is Standing.ELSEWHERE:
        if first in ("authorization", "approval", "appointment"):
            return follower.isdigit()
        return last == "scheduled" and follower == "for" and not _is_day("".join(words[after + 1 : after + 2]))
    if standing is Standing.PLAN and last in ("when", "once") and not cue_words.STATE.isdisjoint(words[after : after + 4]):
        return True  # "SCAN when stable"
    if standing is Standing.PLAN and last == "considered" and cue.comma:
        return follower == "for" or behind.is_one
    return standing is Standing.PLAN and last == "planned" and behind.is_one


class _Object(NamedTuple):
    """What follows a cue in its phrase: its first word, "" for none; whether the cue is about it; the place behind the cue."""

    word: str
    is_one: bool
    is_finding: bool
    is_therapy: bool  # "PT" that is no patient
    place: int


def _object(passage: Passage, place: int, follower: str, parts: Sequence[int]) -> _Object:
    words, breaks = passage.words, passage.breaks
    end = place
    while end < len(words) and breaks[end] < DASH:
        end += 1
    is_finding = any(word in cue_words.FOUND and word != "no" for word in words[place : min(end, place + 3)])
    is_therapy = follower == "pt" and (
        end == place + 1 or words[place + 1] in reaching_words.OF_THERAPY or words[place + 1].isdigit()
    )
    return _Object(follower, _has_object(passage, place, parts), is_finding, is_therapy, place)


def _undoes_another(cue: Behind, last: str, behind: _Object, parts: Sequence[int]) -> bool:
    if last == "drop":  # "foot drop", "drop in strength"
        return bool(behind.word) or (parts[cue.place - 1] == Part.SITE and not cue.far)
    if last == "withdrawn":
        return behind.is_one or behind.word == "from"
    if last in reaching_words.UNDONE:
        return behind.is_one or behind.word in ("if", "unless", "off") or behind.is_therapy
    if last in ("by", "to") or (last == "with" and cue.length > 1):  # "replaced by", "changed to"
        return not any(part == Part.EXAM for part in parts[behind.place : behind.place + 4])
    if last not in reaching_words.DENIALS or not behind.word or parts[behind.place] != Part.CONTENT:
        return False
    return behind.word not in reaching_words.DENIED and not behind.word.endswith("ly")


def _past_of_another(words: Sequence[str], cue: Behind, last: str, behind: _Object) -> bool:
    first, follower = words[cue.place], behind.word
    if cue.comma and (first in reaching_words.INDICATING or words[cue.place - 1] in ("exam", "examination")):
        return True  # "SCAN, concerning for a tear", "SCAN, exam shows weakness"
    if last in ("already", "previously"):
        return bool(follower) and not follower.isdigit() and follower not in cue_words.PARTICIPLES
    if last in ("results", "result", "report") or last == "found":
        return follower == "to"
    if last == "evaluated":
        return bool(follower)
    if last == "available":
        return (
            follower == "for"
            and words[behind.place + 1 : behind.place + 2] != []
            and words[behind.place + 1] not in reaching_words.REVIEWS
        )
    if first == "outside":
        return behind.is_one and (cue.comma or cue.length > 1)
    if last == "had":
        counted = follower.isdigit() and len(follower) < 4
        return (behind.is_one or counted or behind.is_therapy) and follower not in reaching_words.HAD_BY_IT
    if last in reaching_words.OTHERS_PAST:
        return (behind.is_one and not behind.is_finding) or behind.is_therapy
    return False


def _is_day(word: str) -> bool:
    return word[:1].isdigit() or word in cue_words.MONTHS or word in reaching_words.DAYS


def _is_how(words: Sequence[str], parts: Sequence[int], index: int) -> bool:
    """Tell whether word ``index`` says how, on its own: "contrast", not "with contrast"."""
    if not (parts[index] == Part.ATTRIBUTE or words[index] in cue_words.STRENGTHS):
        return False
    return words[index - 1] not in ("with", "w", "without", "wo", "o", "and", "at", "on")


def _has_object(passage: Passage, index: int, parts: Sequence[int]) -> bool:
    """Tell whether what stands at word ``index``, behind a cue, is something that the cue is about: no day, manner or reason."""
    words, breaks = passage.words, passage.breaks
    while index < len(words) and parts[index] == Part.SITE and breaks[index] < DASH:
        index += 1  # "cancelled left leg 4/2"
    if index >= len(words) or breaks[index] >= DASH or parts[index] == Part.MENTION:
        return False
    word = words[index]
    return not (word[:1].isdigit() or word in reaching_words.ADVERBS or word.endswith("ly"))


def _says_past(passage: Passage, cue: Behind, ends: bool, parts: Sequence[int]) -> bool:
    """Tell whether a word of the past or of a result behind the mention is about the mention."""
    word = passage.words[cue.place]
    after = cue.place + cue.length
    follower = "" if after >= len(passage.words) else passage.words[after]
    if word in cue_words.PARTICIPLES:  # "to be done", "performed at 3T"
        return not (cue.to_be or (follower in cue_words.MANNER and _attributed(parts, after)))
    if word in cue_words.RESULTS and cue.length == 1:
        return ends or follower.isdigit() or follower in cue_words.AFTER_RESULT
    if word == "before":
        return ends  # "before surgery" is a time to come
    return not cue.far or ends or word not in cue_words.BRIEF_PAST


def _attributed(parts: Sequence[int], index: int) -> bool:
    return any(parts[place] == Part.ATTRIBUTE for place in range(index + 1, min(index + 3, len(parts))))

"""Is a thing that a note names being asked for, or does the note only speak of it?

``clauses`` finds the words that take a mention away. A note can speak of a thing without any of them ("the payer holds a
SCAN to be experimental"), so where another examination is what is ordered, a mention counts as a request only if it is
put like one. The phrase of the mention, from comma to comma, must be

1. a command or a wish: a verb of asking before it ("please add", "surgeon wants", "protocol as"), or "please",
   "requested", "needed" behind it, and nothing in the phrase that makes it somebody's report; or
2. a bare name: in front of it only articles, sites and the like, behind it besides those a purpose ("to assess ...").

Anything else is prose. Prose with a word of telling, refusing, of the past or of later only tells of the thing; other
prose leaves unclear whether it is wanted.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import Final

from . import asking_words, cue_words, phrasing
from .forbidding import is_forbidden, is_kept_out
from .gaps import COLON, COMMA, DASH
from .reading import Part
from .words import Passage


class Tone(enum.Enum):
    """How a note speaks of what it names."""

    ASKING = "asks for it"
    TELLING = "tells of it"
    UNCLEAR = "names it"


def tone(passage: Passage, first: int, last: int, parts: Sequence[int], *, cued: bool, labelled: bool) -> Tone:
    """Tell in what tone the phrase of the mention, words ``first`` to ``last`` inclusive, speaks.

    ``cued``: words behind the mention ask for it. ``labelled``: the text answers a question of the order, so that any
    label before the mention is the question. Linear in the length of the sentence. Never raises.
    """
    words = passage.words
    start, end = phrasing.phrase(passage, first, last)
    around = words[start:first] + words[last + 1 : end + 1]
    if last < end and words[last + 1] in asking_words.PLACES:
        return Tone.TELLING  # "referred by the SCAN clinic"
    if phrasing.wonders(passage, start, first):
        return Tone.TELLING
    if _aside(passage, start, parts):
        return Tone.UNCLEAR
    if phrasing.points_elsewhere(words[start:first], words[last + 1 : end + 1]):
        return Tone.TELLING if phrasing.names_another(words[last + 1 : end + 1]) else Tone.UNCLEAR
    if "for" in words[start : start + 1] and start < first and not asking_words.COMING.isdisjoint(words[end + 1 : end + 2]):
        return Tone.TELLING  # "for a SCAN, allow two hours"
    alone, start = start, phrasing.list_start(passage, start, first, end, parts)
    listed = start < alone
    if cued and asking_words.TELLING.isdisjoint(words[start:first]):
        return Tone.ASKING
    if not asking_words.APPROVAL.isdisjoint(around) and asking_words.REFUSING.isdisjoint(around):
        return Tone.ASKING
    if _forbids_undoing(passage, start, first, parts):
        return Tone.ASKING
    lead = _lead(passage, start, first, parts)
    if lead is _Lead.WISH and not (asking_words.NO_REPORT.isdisjoint(words[start:first]) and "comparison" not in around):
        lead = _Lead.PROSE
    if lead is _Lead.NOTHING and not labelled and not phrasing.label_asks(passage, start):
        lead = _Lead.PROSE
    if lead is not _Lead.PROSE and not _states(passage, last, end, parts, lead):
        return Tone.ASKING
    if then_commanded(passage, last):
        return Tone.ASKING
    opening, close = passage.sentence(first)
    labels = [index for index in range(end + 1, close + 1) if passage.breaks[index] == COLON]
    if len(labels) > 1:
        close = labels[1] - 1  # what further labels of a form say is not said of this
    said = words[opening:first] + words[last + 1 : close + 1]
    offered = listed and any(phrasing.is_ours(words, start, index) for index in range(start, first))
    return Tone.TELLING if offered or not asking_words.ONLY_TOLD.isdisjoint(said) else Tone.UNCLEAR


def _aside(passage: Passage, start: int, parts: Sequence[int]) -> bool:
    """Tell whether the phrase stands in brackets behind a word that is no examination's ("Dr. Smith (SCAN) aware")."""
    if start == 0 or "(" not in passage.gap_before(start):
        return False
    word = passage.words[start - 1]
    return parts[start - 1] == Part.CONTENT and not (
        word in asking_words.NEUTRAL or word in asking_words.CARRIERS or word in asking_words.COMMANDS
    )


#: Words between a verb of undoing and what it would undo.
_OBJECTS: Final = cue_words.UNDOING | frozenset("a an the this that our out off or and dedicated any".split())  # noqa: SIM905


def _forbids_undoing(passage: Passage, start: int, first: int, parts: Sequence[int]) -> bool:
    """Tell "do not skip the SCAN" and "do not substitute an X-ray for the SCAN" from "do not delay the X-ray for a SCAN"."""
    words = passage.words
    for index in range(start, first):
        if words[index] not in cue_words.UNDOING or not is_forbidden(passage, index):
            continue
        if words[index].startswith(("substitut", "replac")):
            return not is_kept_out(passage, first, parts)
        between = range(index + 1, first)
        if all(words[i] in _OBJECTS or parts[i] in (Part.SITE, Part.ATTRIBUTE, Part.MENTION) for i in between):
            return True
    return False


class _Lead(enum.Enum):
    """What governs the mention from before it."""

    NOTHING = 0  # only articles, sites and the like
    COMMAND = 1
    WISH = 2  # somebody asks: counts unless reported
    PROSE = 3


def _lead(passage: Passage, start: int, first: int, parts: Sequence[int]) -> _Lead:
    """Walk left from the mention to what governs it."""
    words = passage.words
    if phrasing.is_our_wish(words[start:first]):
        return _Lead.COMMAND
    infinitive = False
    for index in range(first - 1, start - 1, -1):
        word = words[index]
        before = words[index - 1] if index > start else ""
        if word == "repeat" and index > start and before not in asking_words.BEFORE_COMMAND:
            continue  # "asks for a repeat SCAN"
        if word in asking_words.COMMANDS and before == "to":  # who is to do it stands further left
            infinitive = True
            continue
        found = _verb(words, start, index, first)
        if found is not None:
            return found
        if word in asking_words.MEANS and words[start] in asking_words.EXAMINING:
            return _Lead.WISH
        if word in cue_words.TURNS and word != "then":  # "X-ray, then a SCAN" is an order of events
            return _Lead.COMMAND
        lacking = word in asking_words.LACKING and parts[index + 1] == Part.ATTRIBUTE  # "no contrast"
        if parts[index] == Part.CONTENT and not lacking and word not in asking_words.NEUTRAL and not word.isdigit():
            return _Lead.PROSE
    if infinitive:
        return _Lead.WISH if asking_words.PATIENT.isdisjoint(words[start:first]) else _Lead.PROSE
    return _Lead.NOTHING


def _verb(words: Sequence[str], start: int, index: int, first: int) -> _Lead | None:
    """Return how word ``index``, if it is a verb of asking, governs the mention at word ``first``; None where it is none."""
    word = words[index]
    before = words[index - 1] if index > start else ""
    if word == "like" and before in ("would", "id", "d"):
        return _Lead.PROSE if not asking_words.PATIENT.isdisjoint(words[start:index]) else _Lead.COMMAND
    if (word == "placed" and before in ("order", "orders")) or (word in ("receive", "undergo") and before == "to"):
        return _Lead.COMMAND  # "order placed for a SCAN", "subject to receive a SCAN"
    if word in asking_words.JOINING and not asking_words.ACROSS.isdisjoint(words[index + 1 : first]):
        return _Lead.PROSE  # "schedule with", "add to"
    if phrasing.is_ours(words, start, index):
        return _Lead.PROSE
    if word in asking_words.COMMANDS:
        opens = index == start or before in asking_words.BEFORE_COMMAND
        return _Lead.COMMAND if opens or word in asking_words.COURTESIES else _Lead.WISH
    if (before == "should" and word in ("read", "say", "state")) or words[max(start, index - 2) : index + 1] == _SHOULD_BE:
        return _Lead.COMMAND  # "order should read SCAN", "should have been a SCAN"
    if word == "doing" and before == "is":
        return _Lead.PROSE  # "the other hospital is doing the SCAN"
    if word in asking_words.WISHES or (word == "have" and before in ("to", "must")):
        wanting = words[start:index]  # what a patient wants is no order; what I want for one is
        theirs = word in asking_words.LIKINGS and not (
            asking_words.PATIENT.isdisjoint(wanting) or not asking_words.WE.isdisjoint(wanting)
        )
        return _Lead.PROSE if theirs or before in ("has", "have", "had") else _Lead.WISH
    return None


_SHOULD_BE: Final = ["should", "have", "been"]


def _states(passage: Passage, last: int, end: int, parts: Sequence[int], lead: _Lead) -> bool:
    """Tell whether what stands behind the mention makes a statement of it ("... is experimental", "... clinic in May").

    Right behind a bare name any word does that is no site, purpose or the like; further on, and behind a verb of asking,
    only a verb of stating.
    """
    words = passage.words
    placed = lead is not _Lead.NOTHING
    for index in range(last + 1, end + 1):
        word = words[index]
        if word == "only" and index < end and words[index + 1] in asking_words.PURPOSES | asking_words.NEUTRAL:
            return True  # "SCAN only for those who ..."
        if word in asking_words.SUPPOSING:  # "to see whether the nerve is intact"
            return False
        if word in asking_words.STATING:
            done = index < end and words[index + 1] in cue_words.PARTICIPLES
            if not (lead is _Lead.COMMAND and done):  # "ensure that a SCAN is done"
                return True
        if not placed and not _binds(passage, index, parts):
            return True
        if word in ("with", "w") and not cue_words.FOUND.isdisjoint(words[index + 1 : index + 3]):
            return True  # "SCAN with a thickened root"
        placed = (
            placed
            or word in asking_words.PURPOSES
            or word in asking_words.CARRIERS
            or parts[index] in (Part.SITE, Part.ATTRIBUTE)
        )
    behind = end + 1  # "SCAN: thickened root"
    return (
        behind < len(words)
        and passage.breaks[behind] in (DASH, COLON)
        and not cue_words.FOUND.isdisjoint(words[behind : behind + 2])
        and not (words[behind] == "no" and (behind + 1 == len(words) or passage.breaks[behind + 1] >= COMMA))
    )


def _binds(passage: Passage, index: int, parts: Sequence[int]) -> bool:
    """Tell whether a word right behind a bare name goes on with it."""
    words = passage.words
    word = words[index]
    following = words[index + 1] if index + 1 < len(words) and passage.breaks[index + 1] < DASH else ""
    if word == "not":  # "SCAN, not plain X-ray"
        return following in cue_words.PLAIN or (bool(following) and parts[index + 1] == Part.EXAM)
    if word == "ordered":
        return not following
    if word == "of":
        return following not in asking_words.REFUSING
    if word == "from":  # "from the hip to the knee"
        return Part.SITE in parts[index + 1 : index + 4]
    if word in asking_words.LACKING:
        return Part.ATTRIBUTE in parts[index + 1 : index + 3]
    return (
        parts[index] != Part.CONTENT
        or word in asking_words.PURPOSES
        or word in asking_words.CARRIERS
        or word in asking_words.NEUTRAL
        or word.isdigit()
    )


def then_commanded(passage: Passage, last: int) -> bool:
    """Tell whether the next sentence, or one after "I agree", orders what was spoken of ("...; please perform.")."""
    close = passage.sentence(last)[1]
    commas = (i for i in range(last + 1, close + 1) if passage.breaks[i] == COMMA)
    return any(_commands(passage, index) for index in (*commas, close + 1))


def _commands(passage: Passage, index: int) -> bool:
    words = passage.words[index : index + 3]
    if len(words) < 2 or words[0] not in asking_words.COURTESIES or words[1] not in asking_words.COMMANDS:
        return False
    return len(words) == 2 or passage.breaks[index + 2] >= COMMA or words[2] in asking_words.COMMANDED_HOW

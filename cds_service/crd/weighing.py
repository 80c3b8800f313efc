"""The mentions of an order weighed: how each stands, and so what speaks for the procedure and what against."""

from __future__ import annotations

from itertools import pairwise
from typing import Final

import msgspec

from . import asking, clauses, phrasing
from .asking import Tone
from .case import Answer, Case, evidence_of
from .cues import Standing
from .mentions import Mention
from .order_text import NAMING
from .vocabulary import Tag

_STANDS_FOR: Final = frozenset({Standing.REQUEST, Standing.REPEAT})
_LEFT_OPEN: Final = frozenset({Standing.DISCRETION, Standing.ALTERNATIVE, Standing.HYPOTHETICAL, Standing.UNCLEAR})


#: Beginnings of cues of the past that, behind the name of an order, say what it is for.
_INDICATING: Final = ("concerning", "consistent", "suspicious", "suggestive", "c/w", "evidence")


def _standing(case: Case, mention: Mention) -> Standing:
    """Return how a mention stands, given where it stands and what else is ordered."""
    return _in_a_name(case, mention) if mention.text.role in NAMING else _in_a_note(case, mention)


def _in_a_name(case: Case, mention: Mention) -> Standing:
    """Return how a mention stands in a name of the order: what is said there of payment, day and purpose leaves it ordered."""
    standing, cue = mention.reading.standing, mention.reading.cue.lower()
    if standing is Standing.DATED:
        return Standing.REQUEST
    if standing is Standing.SUGGESTED:
        return Standing.TOLD if _is_for_another(case) else Standing.REQUEST
    if standing is Standing.HISTORY and mention.first == 0 and cue.startswith(_INDICATING):
        return Standing.REQUEST
    if standing is Standing.PLAN and cue.startswith("in "):
        return Standing.REQUEST  # an order for a day to come is an order
    if case.kind.other is None:
        if is_of_payment(mention):
            return Standing.REQUEST
        if cue in _DAYS and (case.kind.unlisted is not None or not _modality_named_apart(case)):
            return Standing.REQUEST
        if standing is Standing.PLAN and not _modality_named_apart(case):
            return Standing.DISCRETION
    if standing is Standing.REQUEST and _sent_elsewhere(mention):
        return Standing.TOLD
    return standing


def _in_a_note(case: Case, mention: Mention) -> Standing:
    """Return how a mention stands anywhere else: in prose on a named examination it is no request."""
    standing = mention.reading.standing
    if standing is Standing.DATED:
        return Standing.HISTORY
    if standing is Standing.SUGGESTED:
        return _suggested(case, mention)
    if standing is Standing.DISCRETION and phrasing.wonders(mention.passage, mention.bounds[0], mention.first):
        return Standing.TOLD  # "the patient asks whether a SCAN would be better"
    if standing is Standing.REQUEST or (standing is Standing.REPEAT and mention.reading.cue):
        return _put_like_a_request(case, mention)
    return standing


def _suggested(case: Case, mention: Mention) -> Standing:
    """Return how a suggestion in a note stands: refused, taken up, or left to whoever reads it."""
    behind = mention.passage.words[mention.last + 1 : mention.last + 13]
    if phrasing.is_refused(behind):
        return Standing.TOLD
    if asking.then_commanded(mention.passage, mention.last) or ("i", "agree") in pairwise(behind):
        return Standing.REQUEST
    if _is_for_another(case):
        return Standing.TOLD
    return Standing.DISCRETION if case.kind.modality_named and case.kind.unlisted is None else Standing.REQUEST


def _is_for_another(case: Case) -> bool:
    return case.kind.other is not None and not case.kind.to_department


#: Cues of what is to come that, in the name of an order, say when it is for.
_DAYS: Final = frozenset({"next week", "next month", "tomorrow", "next", "next visit", "at next visit"})


def is_of_payment(mention: Mention) -> bool:
    """Tell whether what rules a mention out is only that it is not covered."""
    behind = mention.passage.words[mention.last + 1 : mention.last + 8]
    return mention.reading.standing is Standing.NEGATED and ("covered" in behind or "cover" in mention.reading.cue.lower())


def _sent_elsewhere(mention: Mention) -> bool:
    """Tell "for a SCAN use order 4417" within an order's name: who wants one is to place another order."""
    passage = mention.passage
    start, _ = phrasing.phrase(passage, mention.first, mention.last)
    behind = passage.words[mention.last + 1 : mention.bounds[1] + 1]
    return phrasing.points_elsewhere(passage.words[start : mention.first], behind) and phrasing.names_another(behind)


def _put_like_a_request(case: Case, mention: Mention) -> Standing:
    """Return how a mention stands that no cue takes from a note: in prose on a named examination it is no request."""
    standing = mention.reading.standing
    if mention.reading.cue == "yes":  # a question answered
        return standing
    tone = asking.tone(
        mention.passage,
        mention.first,
        mention.last,
        case.scan(mention.text).parts,
        cued=bool(mention.reading.cue) and standing is Standing.REQUEST,
        labelled="extension" in mention.text.element,
    )
    if tone is Tone.ASKING:
        return standing
    if clauses.asks_again(mention.passage, mention.last, case.scan(mention.text).parts):
        return Standing.REPEAT
    if tone is Tone.TELLING:
        return Standing.TOLD
    return Standing.UNCLEAR if case.names_an_examination else standing


def _modality_named_apart(case: Case) -> bool:
    """Tell whether a name of the order names the modality outside its mentions, so that they are not all it asks for."""
    return any(
        scanned.has(Tag.MODALITY)
        and any(
            tags & Tag.MODALITY and not any(m.first <= index <= m.last for m in scanned.mentions)
            for index, tags in enumerate(scanned.tags)
        )
        for scanned in case.names
    )


AGAINST_RULE: Final = {
    Standing.NEGATED: "N8",
    Standing.HISTORY: "N7",
    Standing.DATED: "N7",
    Standing.PLAN: "N7",
    Standing.NEUTRAL: "N7",
    Standing.ELSEWHERE: "N10",
    Standing.DISCRETION: "P4",
    Standing.ALTERNATIVE: "P4",
    Standing.SUGGESTED: "P4",
    Standing.HYPOTHETICAL: "P4",
    Standing.TOLD: "N7",
    Standing.UNCLEAR: "P4",
}


class Weighed(msgspec.Struct):
    """Mentions by what they say: asked for, left open, ambiguous key words asked for, and everything that speaks against."""

    asked: list[tuple[Mention, str]]
    open: list[tuple[Mention, str]]
    ambiguous: list[tuple[Mention, str]]
    against: list[tuple[Mention, Standing]]

    def standings(self) -> set[Standing]:
        """Return how the mentions stand that speak against."""
        return {standing for _, standing in self.against}


def weigh(case: Case) -> Weighed:
    """Weigh every mention of ``case``. Those that say nothing of the procedure are added to ``case.against``, as evidence."""
    weighed = Weighed([], [], [], [])
    for mention in case.mentions:
        answer, rule = case.weight(mention)
        standing = _standing(case, mention)
        if answer is Answer.NO:
            case.against.append(evidence_of(mention, rule, "against"))
        elif standing in _STANDS_FOR:
            (weighed.asked if answer is Answer.YES else weighed.ambiguous).append((mention, rule))
        elif standing in _LEFT_OPEN:
            weighed.open.append((mention, "P4")) if answer is Answer.YES else weighed.ambiguous.append((mention, rule))
        elif answer is Answer.YES or mention.entry is None:
            weighed.against.append((mention, standing))
        else:
            case.against.append(evidence_of(mention, AGAINST_RULE[standing], "against"))
    return weighed

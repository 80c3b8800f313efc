"""How a clause speaks of something it names: asks for it, rules it out, remembers it, plans it, leaves it open.

Table-driven, and ignorant of what is named: the caller says which words are the mention and which are parts of an
examination's name. First what rules the thing out, then history, then what leaves it open; only what nothing took away is
asked for (``read``). The reading is local. From the mention it walks outwards over words that bind (articles, verbs of
ordering, sites) and stops at the first that does not, so that in "no relief, MR scan of the arm" the "no" governs the relief.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from . import answers, asking_words, cue_words, cues, forms, labels, sentences
from .cues import Standing
from .downgrades import downgrades, is_unusable, may_downgrade
from .gaps import COMMA
from .reach import Walk, walk_after, walk_before
from .reading import Part, Reading
from .sentences import asks_again
from .words import Passage

__all__ = ["asks_again", "downgrades", "is_unusable", "may_downgrade", "read"]


class _Clause(NamedTuple):
    """A mention with all that was found around it."""

    passage: Passage
    first: int
    last: int
    parts: Sequence[int]
    bounds: tuple[int, int]
    before: Walk
    after: Walk
    condition: Reading | None

    @property
    def is_asked(self) -> bool:
        """Tell whether words behind the mention ask for it ("... requested")."""
        return self.after.cue(Standing.REQUEST) is not None


def read(passage: Passage, first: int, last: int, parts: Sequence[int]) -> Reading:
    """Read how the mention, words ``first`` to ``last`` (inclusive) of ``passage``, stands in its clause.

    ``parts`` holds one Part for each word of the passage. Never raises.
    """
    bounds = passage.sentence(first)
    if passage.boxed and (boxed := forms.by_box(passage, first, bounds, parts)) is not None:
        return boxed
    before, after = walk_before(passage, first, parts), walk_after(passage, last, parts)
    condition = sentences.conditioned(passage, first, last, bounds, parts)
    clause = _Clause(passage, first, last, parts, bounds, before, after, condition)
    outright = _ruled_out(clause)
    if outright is not None:
        if condition is not None and outright.standing is Standing.NEGATED and before.cue(Standing.NEGATED) is None:
            return condition  # "if a scan cannot be had": it is the condition that is negative
        return outright
    choice = sentences.alternative(passage, first, last, bounds, parts)
    if choice:
        return Reading(Standing.ALTERNATIVE, choice)
    return _again(clause) or _past(clause) or _open(clause) or _asked(clause)


def _again(clause: _Clause) -> Reading | None:
    """Read a repetition: asked for again, unless it is put off or depends on something."""
    cue = clause.before.cue(Standing.REPEAT) or clause.after.cue(Standing.REPEAT)
    if cue is None:
        return None
    later = clause.after.cue(Standing.PLAN)
    if later is not None:
        return Reading(Standing.PLAN, later)
    return clause.condition or Reading(Standing.REPEAT, cue)


def _past(clause: _Clause) -> Reading | None:
    """Read what is over or somewhere else: history, results, another order; and what a label says of it."""
    for standing, words in clause.before.found:
        if standing is Standing.ELSEWHERE and _addressed(clause) and cue_words.PICTURES.isdisjoint(words.lower().split()):
            return Reading(Standing.REQUEST, words)
        relevant = standing is Standing.ELSEWHERE or (standing is Standing.HISTORY and not clause.is_asked)
        if relevant and not _is_protocol(clause, words):
            return Reading(standing, words)
    label = sentences.label_of(clause.passage, clause.first, clause.bounds[0])
    if not clause.is_asked and (label in labels.PAST_LABELS or _is_past(label)):
        return Reading(Standing.HISTORY, label)
    if label in labels.NEGATED_LABELS:
        return Reading(Standing.NEGATED, label)
    if label in labels.PLAN_LABELS:
        return Reading(Standing.PLAN, label)
    for standing, words in clause.after.found:
        if standing in (Standing.HISTORY, Standing.ELSEWHERE):
            return Reading(standing, words)
    gap = clause.passage.gap_after(clause.last)
    signed = "(" in gap and any(mark in gap for mark in ("(-", "(+", "( -", "( +"))
    return Reading(Standing.HISTORY, gap.strip()) if signed else None


def _is_past(label: str) -> bool:
    """Tell "outside SCAN:" from "outside referral:", which came from outside and is for now."""
    words = set(label.split())
    past = words & cue_words.PAST
    return bool(past) and not (past == {"outside"} and words & cue_words.ORDERS)


def _open(clause: _Clause) -> Reading | None:
    """Read what is not settled: a choice left to somebody, a plan, a condition."""
    chosen = sentences.left_open(clause.passage, clause.bounds, clause.parts)
    if chosen is not None:
        return chosen
    if (cue := clause.after.cue(Standing.PLAN)) is not None:
        return Reading(Standing.PLAN, cue)
    if clause.condition is not None and clause.condition.standing is Standing.PLAN:
        return clause.condition
    for standing, words in clause.before.found:
        if standing is Standing.PLAN and _addressed(clause):
            return Reading(Standing.REQUEST, words)
        if standing in (Standing.PLAN, Standing.DISCRETION):
            return Reading(standing, words)
    if (cue := clause.after.cue(Standing.DISCRETION)) is not None:
        return Reading(Standing.DISCRETION, cue)
    if clause.condition is not None and _sends_elsewhere(clause):
        return Reading(Standing.ELSEWHERE, clause.condition.cue)
    return clause.condition


def _sends_elsewhere(clause: _Clause) -> bool:
    """Tell "if a SCAN is desired, order 4417": who wants one is told which other order to place."""
    passage = clause.passage
    behind = (i for i in range(clause.last + 1, clause.bounds[1] + 1) if passage.breaks[i] == COMMA)
    comma = next(behind, len(passage.words))
    words = passage.words[comma : comma + 5]
    return words[:1] == ["order"] and any(sum(map(str.isdigit, word)) > 2 for word in words)


def _asked(clause: _Clause) -> Reading:
    """Read what nothing took away: a request, bare or in words; a recommendation; a name with a date."""
    if not clause.is_asked:
        cue = clause.before.cue(Standing.SUGGESTED) or clause.after.cue(Standing.SUGGESTED)
        if cue is not None:
            return Reading(Standing.SUGGESTED, cue)
        if sentences.is_dated(clause.passage, clause.first, clause.last, clause.parts):
            end = min(clause.last + 3, clause.bounds[1])
            return Reading(Standing.DATED, clause.passage.quote(clause.last, end))
    return Reading(Standing.REQUEST, clause.after.cue(Standing.REQUEST) or "")


def _ruled_out(clause: _Clause) -> Reading | None:
    """Read negation and answered questions, which go before everything else."""
    passage, first, last, before, after = clause.passage, clause.first, clause.last, clause.before, clause.after
    answer = answers.answer_to(passage, last, clause.parts)
    if answer is not None:
        past = before.cue(Standing.HISTORY, Standing.NEUTRAL) or after.cue(Standing.HISTORY)
        if answer is Standing.ALTERNATIVE:
            return Reading(answer, "yes or no")
        wanted = answer is Standing.REQUEST
        if past is not None:  # "had one before? yes"
            return Reading(Standing.HISTORY, "yes") if wanted else Reading(Standing.NEUTRAL, "no")
        return Reading(answer, "yes" if wanted else "no")
    negated = before.cue(Standing.NEGATED)
    kept = (after.cue(Standing.HISTORY) or "").lower() in cues.KEPT
    if before.cue(Standing.NEUTRAL) is not None or (negated and (kept or before.cue(Standing.HISTORY))):
        return Reading(Standing.NEUTRAL, before.found[-1][1])
    if negated is not None:
        return Reading(Standing.REQUEST, "here") if _to_be_had_here(clause, negated) else Reading(Standing.NEGATED, negated)
    for standing in (Standing.NEUTRAL, Standing.NEGATED):
        if (cue := after.cue(standing)) is not None and not _done_elsewhere(clause, cue):
            old = before.cue(Standing.HISTORY)  # "the prior one was cancelled"
            return Reading(standing, cue) if old is None else Reading(Standing.HISTORY, old)
    queried = "?" in passage.folded and (_is_queried(passage, first, last) or sentences.asks_whether(passage, first, last))
    if queried:
        return Reading(Standing.DISCRETION, "?")
    return None


def _done_elsewhere(clause: _Clause, cue: str) -> bool:
    """Tell "SCAN not available here, to be done in town" from "SCAN not available"."""
    said = clause.passage.words[clause.last + 1 : clause.bounds[1] + 1]
    return cue.lower() in ("not available", "not offered", "not performed", "not done") and any(
        said[index : index + 2] == ["to", "be"] or word in ("send", "sending", "referring") for index, word in enumerate(said)
    )


def _to_be_had_here(clause: _Clause, cue: str) -> bool:
    """Tell "unable to get a SCAN in town, please do it here" from "unable to get a SCAN"."""
    words, breaks = clause.passage.words, clause.passage.breaks
    if cue_words.CANNOT.isdisjoint(cue.lower().replace("'", "").split()):
        return False
    command = parted = False
    for index in range(clause.last + 1, min(len(words), clause.last + 16)):
        parted = parted or breaks[index] >= COMMA
        command = command or (parted and words[index] in asking_words.COMMANDS)
        if clause.parts[index] >= Part.EXAM or words[index] in cue_words.NO or words[index] == "not":
            return False
        if words[index] == "here":
            return command
    return False


def _is_queried(passage: Passage, first: int, last: int) -> bool:
    """Tell whether a question mark stands right before or behind the mention."""
    gap = passage.gap_before(first)
    if "?" in gap and (first == 0 or gap[0] != "?"):  # "? scan", "MRI ?scan", not "Done? Scan"
        return True
    tail, end = last, min(last + 3, len(passage.words) - 1)
    while tail < end and passage.words[tail + 1] in cue_words.AFTER_BINDING and passage.breaks[tail + 1] < COMMA:
        tail += 1
    return "?" in passage.gap_after(last) or "?" in passage.gap_after(tail)


def _addressed(clause: _Clause) -> bool:
    """Tell whether the sentence speaks to the patient: what "you are scheduled for" is this order, unless under an "if"."""
    return clause.condition is None and any(
        word in ("you", "your", "youre") for word in clause.passage.words[clause.bounds[0] : clause.bounds[1] + 1]
    )


def _is_protocol(clause: _Clause, cue: str) -> bool:
    """Tell "on/per/from the X protocol", which asks for X, from "seen on X"."""
    behind = clause.passage.words[clause.last + 1 : clause.last + 2]
    return cue.lower() in ("on", "per", "from", "images", "given") and behind in (
        ["protocol"],
        ["sequences"],
        ["sequence"],
        ["technique"],
    )

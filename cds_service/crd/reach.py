"""How far a cue reaches: from a mention outwards over the words that bind, to the first that does not.

So in "no relief, SCAN of the arm" the "no" governs the relief, and in "no need for a SCAN" the scan.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from . import cue_words, cues
from .cues import Standing
from .forbidding import forbids, keeps
from .gaps import COLON, COMMA, DASH, PAREN, QUESTION, SLASH
from .reaching_back import Behind, binds_back, set_apart, taken_back
from .reading import Part
from .words import Passage

_PAYERS: Final = frozenset({"insurance", "insurer", "payer", "plan"})
_REFUSED: Final = frozenset({"denied", "declined", "refused", "rejected"})
_REACH: Final = 14  # words that a cue reaches at most
_UNDONE: Final = (Standing.NEGATED, Standing.PLAN)
#: The words that can end a cue before the mention, or what looks like one: any other is looked up in no table.
_ENDS: Final = cues.NO_CUE.last_words | cues.BEFORE.last_words | cues.HAD.last_words


class Walk(NamedTuple):
    """The cues found on one side of a mention, the nearest first, each with its words."""

    found: tuple[tuple[Standing, str], ...]

    def cue(self, *standings: Standing) -> str | None:
        """Return the words of the nearest cue of one of these standings, None where there is none."""
        for standing, words in self.found:
            if standing in standings:
                return words
        return None


def walk_before(passage: Passage, first: int, parts: Sequence[int]) -> Walk:
    """Walk left from word ``first`` and collect the cues that reach it."""
    found: list[tuple[Standing, str]] = []
    way = _Way()
    index = first - 1
    strong = passage.breaks[first]
    while index >= 0 and first - index <= _REACH and strong < QUESTION:
        if strong in (COMMA, PAREN, COLON, DASH):
            if strong == COLON or (strong != DASH and found):
                break
            way.comma = True
            way.commas += strong in (COMMA, DASH)
        way.listed = way.listed or strong == SLASH
        if passage.words[index] in _ENDS:
            if cues.NO_CUE.ending(passage, index):
                break
            here = cues.BEFORE.ending(passage, index)
            had = cues.HAD.ending(passage, index)
            if had and not here:
                here = [(had[0][0], Standing.HISTORY)]
            if here:
                length, standing = here[0]
                if keeps(passage, index - length + 1, index):
                    break
                phrase = passage.quote(index - length + 1, index)
                if _lacks_no_more(passage, index) or not _reaches(
                    passage, index - length, way, standing, phrase, bool(had), parts
                ):
                    break
                found.append((standing, phrase))
                strong = passage.breaks[index - length + 1]
                index -= length
                continue
        if _prefers_to(passage, index, parts):
            found.append((Standing.NEGATED, passage.quote(index, index)))  # "prefers a plain one to it"
            break
        if not way.crosses(passage, index, parts):
            break
        if passage.words[index] in cue_words.RESULTS and parts[index] == Part.CONTENT:
            found.append((Standing.HISTORY, passage.words[index]))
        strong = passage.breaks[index]
        index -= 1
    return Walk(tuple(found))


class _Way:
    """What a walk to the left has crossed, and so what it may still cross."""

    __slots__ = ("bound", "comma", "commas", "listed", "verb")

    def __init__(self) -> None:
        self.listed = False  # "and", "or", a slash: what follows is one of several
        self.verb = False  # a verb of ordering
        self.comma = False  # a comma, a bracket or a dash
        self.commas = 0  # those of them that are no brackets
        self.bound = False  # "for"

    def crosses(self, passage: Passage, index: int, parts: Sequence[int]) -> bool:
        """Cross word ``index``, which is no cue; False where it does not bind and the walk ends."""
        word, part = passage.words[index], parts[index]
        if word in ("and", "or", "nor", "plus", "y", "et", "und"):
            self.listed = True
            return True
        if word in cue_words.TURNS or part == Part.ATTRIBUTE:
            return False
        if part == Part.EXAM:
            return not self.verb and (self.listed or self.comma)
        if part == Part.SITE:
            return not self.verb
        if part == Part.MENTION:
            return self.listed or self.comma
        if word in cue_words.RESULTS:
            return not self.comma and not (index > 0 and parts[index - 1] in (Part.EXAM, Part.SITE))
        if word not in cue_words.BINDING:
            return False
        if word in cue_words.VERBS:
            self.verb = True
        elif word == "for":
            self.bound = True
        return True


def _reaches(passage: Passage, beyond: int, way: _Way, standing: Standing, phrase: str, had: bool, parts: Sequence[int]) -> bool:
    """Tell whether a cue reaches the mention over what was crossed. ``beyond``: the word before the cue."""
    if way.bound and phrase.lower() in cue_words.LOOSE:
        return False
    if way.comma and not _crosses_comma(standing, had, way):
        return False
    participle = standing is Standing.NEGATED and passage.words[beyond + 1].endswith("ed")
    return not (participle and _speaks_of_another(parts, beyond))


def _of_date(word: str) -> bool:
    return word.isdigit() or word in cue_words.MONTHS


def _lacks_no_more(passage: Passage, index: int) -> bool:
    """Tell "X-ray w/o + SCAN", where the contrast went unsaid, at the last word of its "w/o"."""
    if passage.words[index] not in ("o", "wo", "without"):
        return False
    gap = passage.gap_after(index)
    return "+" in gap or "&" in gap or passage.words[index + 1] in ("and", "plus", "und", "et", "y")


def _prefers_to(passage: Passage, index: int, parts: Sequence[int]) -> bool:
    """Tell "prefers X-ray to a SCAN" at its "to"."""
    words = passage.words
    if words[index] != "to" or parts[index - 1] != Part.EXAM:
        return False
    return any(word.startswith("prefer") for word in words[max(0, index - 5) : index])


def _crosses_comma(standing: Standing, had: bool, way: _Way) -> bool:
    """Tell whether a cue reaches across a comma: a list goes on ("had EMG, MRI, SCAN"), a new one does not ("had PT, SCAN")."""
    if had:
        return way.listed or way.commas != 1
    return way.listed and standing in (Standing.NEGATED, Standing.HISTORY, Standing.ELSEWHERE, Standing.NEUTRAL)


def _speaks_of_another(parts: Sequence[int], index: int) -> bool:
    """Tell whether a participle has its object before it: in "X-ray cancelled, do a SCAN" it is not the scan."""
    return index >= 0 and parts[index] == Part.EXAM


def _cue_at(passage: Passage, behind: Behind, parts: Sequence[int], *, dated: bool) -> Walk | None:
    """Return what the cues that begin at ``behind.place`` say of the mention before them; None where the walk goes on.

    ``dated``: a date stands between; behind it only what was done, or ruled out, is about the mention.
    """
    for length, standing in cues.AFTER.starting(passage, behind.place):
        end = behind.place + length - 1
        phrase = passage.quote(behind.place, end)
        if dated and standing not in (Standing.NEGATED, Standing.HISTORY):
            return Walk(())  # "SCAN 6/12 at 8, please be on time"
        if standing in _UNDONE and forbids(passage, behind.place, end):
            return Walk(((Standing.REQUEST, phrase),))  # "... should not be delayed"
        if standing in _UNDONE and keeps(passage, behind.place, end):
            closes = end + 1 >= len(passage.words) or passage.breaks[end + 1] >= COMMA
            return Walk(((Standing.REQUEST, phrase),) if closes else ())  # "do not skip", not "do not skip meals"
        if standing is Standing.REQUEST:
            undone = set_apart(passage, end) or taken_back(passage, end, parts)
            if undone is not None:
                return Walk((undone,))
        if binds_back(passage, behind._replace(length=length), standing, parts):
            return Walk(((standing, phrase),))
    return None


def walk_after(passage: Passage, last: int, parts: Sequence[int]) -> Walk:
    """Walk right from word ``last`` and take the first cue that reaches back to it."""
    index = last + 1
    attribute, comma, dated, past = False, False, False, ""
    words, breaks = passage.words, passage.breaks
    to_be = not cue_words.ENSURE.isdisjoint(words[max(0, last - 8) : last])
    while index < len(words) and index - last <= _REACH and breaks[index] < QUESTION:
        far = breaks[index] in (COMMA, PAREN, DASH, COLON)
        comma, dated = comma or far, dated or _of_date(words[index])
        word, part = words[index], parts[index]
        if word in cues.AFTER.first_words:
            behind = Behind(index, 0, to_be, attribute, far, comma)
            if (found := _cue_at(passage, behind, parts, dated=dated)) is not None:
                return found
        if index + 2 < len(words) and words[index + 2] == "ago" and words[index + 1] in cue_words.UNITS:
            return Walk(((Standing.HISTORY, passage.quote(index, index + 2)),))
        if word == "in" and index + 2 < len(words) and words[index + 2] in cue_words.UNITS and words[index + 1] != "this":
            return Walk(((Standing.PLAN, passage.quote(index, index + 2)),))
        if part == Part.ATTRIBUTE:
            attribute = True
        elif comma and word in _PAYERS and index + 1 < len(words) and words[index + 1] in _REFUSED:
            pass  # "SCAN, insurance denied"
        elif (
            part == Part.EXAM
            or (part == Part.MENTION and breaks[index] != PAREN)
            or (part == Part.CONTENT and word not in cue_words.AFTER_BINDING and not _of_date(word))
        ):
            break
        if word in cue_words.TO_BE:
            to_be = True
        elif word == "was":
            past = passage.quote(index, index)
        index += 1
    return Walk(((Standing.HISTORY, past),) if past else ())

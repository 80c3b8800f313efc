"""What the words beside a name, an abbreviation or a key word make of it: the procedure, or something else."""

from __future__ import annotations

from typing import Final

from .gaps import COLON, COMMA, DASH, LIGHT, PAREN, QUESTION, SLASH
from .order_text import NAMING, Role
from .recognition_table import Abbreviation, Keyword, OtherExam, OtherService
from .tagging import Tagged
from .vocabulary import Tag

#: Words between "images of" and what is to be imaged.
AIM: Final = 3
#: Other services of one text that are looked at.
MAX_OTHERS: Final = 40
#: Words that join a name to the modality behind it ("... by MRI").
_BY: Final = frozenset(
    {"por", "par", "by", "via", "per", "with", "mit", "con", "using", "in", "mediante", "tramite", "em", "imaging"}
)


def counts_here(tagged: Tagged, first: int, entry: Keyword) -> bool:
    """Tell whether a key word that belongs in a name counts where it stands."""
    if tagged.text.role in NAMING or tagged.text.role is Role.SITE:
        return True
    floor = max(0, first - AIM)
    return any(_beside(tagged, index, index, entry.aimed_by, True) for index in range(floor, first + 1))


def turns(tagged: Tagged, first: int, last: int) -> str | None:
    """Return the rule under which the neighbours of a name give it another meaning, None where they do not."""
    breaks, tags, words = tagged.passage.breaks, tagged.tags, tagged.passage.words
    for place in range(max(0, first - 2), min(last + 2, len(tags))):
        if tags[place] & Tag.MODALITY and not _is_parted(breaks, place, first, last):
            return None
    if tagged.seen & Tag.TURNS_NEARBY and _turned_nearby(tagged, first):
        return "N3"
    if first > 0 and breaks[first] <= DASH and tags[first - 1] & Tag.NAME_TURNS:
        return "N3"
    if last + 1 < len(tags) and breaks[last + 1] <= PAREN and tags[last + 1] & Tag.NAME_TURNS:
        return "N3"
    for index in range(max(0, first - 2), min(len(tags), last + 3) if tagged.other_at else 0):
        other = tagged.other_at.get(index)
        if not isinstance(other, OtherService) or other.rule not in ("N3", "N4"):
            continue
        near_before = 0 < first - index <= 2 and max(breaks[index + 1 : first + 1]) <= SLASH
        near_after = 0 < index - last <= 2 and max(breaks[last + 1 : index + 1]) <= (PAREN if index == last + 1 else SLASH)
        beside = words[index + (1 if near_before else -1)]
        joined = (
            abs(index - (first if near_before else last)) == 1
            or beside in ("and", "und", "y", "et", "e", "plus", "mit", "with")
            or (near_before and bool(tags[first - 1] & Tag.OTHER_SERVICE))  # "nerve conduction / ..."
        )
        if (near_before or near_after) and joined:
            return other.rule
    return None


def _is_parted(breaks: list[int], place: int, first: int, last: int) -> bool:
    """Tell whether a comma parts the modality from the name ("EMG und Neurographie, MRT ..."); a bracket does not."""
    between = breaks[place + 1 : first + 1] if place < first else breaks[last + 1 : place + 1]
    return any(each == COMMA or each > PAREN for each in between)


def _turned_nearby(tagged: Tagged, first: int) -> bool:
    """Tell whether the sentence speaks of another technique and of no modality."""
    bounds = tagged.passage.sentence(first)
    sentence = tagged.tags[bounds[0] : bounds[1] + 1]
    return any(tags & Tag.TURNS_NEARBY for tags in sentence) and not any(tags & Tag.MODALITY for tags in sentence)


def widen(tagged: Tagged, first: int, last: int) -> tuple[int, int]:
    """Return the span of the name at words ``first`` to ``last`` with the words of the modality beside it, ends inclusive."""
    breaks, tags, words = tagged.passage.breaks, tagged.tags, tagged.passage.words
    while (
        first > 0
        and breaks[first] <= DASH
        and (tags[first - 1] & Tag.MODALITY or (words[first - 1] == "imaging" and first > 1 and tags[first - 2] & Tag.MODALITY))
    ):
        first -= 1
    end = last
    if end + 2 < len(words) and words[end + 1] in _BY and breaks[end + 1] <= DASH and tags[end + 2] & Tag.MODALITY:
        end += 1
    while end + 1 < len(words) and tags[end + 1] & Tag.MODALITY and breaks[end + 1] <= PAREN:
        closes = end + 2 >= len(words) or breaks[end + 2] >= COMMA or bool(tags[end + 2] & Tag.MODALITY)
        if breaks[end + 1] >= SLASH and not closes:
            break
        end += 1
    return first, end if end > last and tags[end] & Tag.MODALITY else last


def _beside(tagged: Tagged, first: int, last: int, words: tuple[str, ...], before: bool) -> bool:
    """Tell whether one of ``words`` stands right ``before`` words ``first`` to ``last``, or else right behind them."""
    table = tagged.vocabulary.neighbours.get(words)
    if table is None:
        return False
    if before:
        return first > 0 and tagged.passage.breaks[first] < COMMA and bool(table.ending(tagged.passage, first - 1))
    behind = last + 1
    return behind < len(tagged.tags) and tagged.passage.breaks[behind] <= COLON and bool(table.starting(tagged.passage, behind))


def is_key(tagged: Tagged, first: int, last: int, entry: Keyword) -> bool:
    """Tell whether the key word at words ``first`` to ``last`` names an examination: no diagnosis, no other procedure."""
    if _beside(tagged, first, last, entry.not_after, True) or _beside(tagged, first, last, entry.not_before, False):
        return False
    if entry.with_modality == "possibly" and any(
        isinstance(other, OtherExam) and other.where == "name-unless-unlisted" for _, other in tagged.others[:MAX_OTHERS]
    ):
        return False  # in a region without the nerves in question the key word means something else
    behind = last + 1
    breaks = tagged.passage.breaks
    if behind < len(tagged.tags) and breaks[behind] <= SLASH and tagged.tags[behind] & Tag.DIAGNOSIS:
        return False
    # "peripheral nerve root compression", "ulnar nerve at elbow entrapment"
    if behind + 1 < len(tagged.tags) and max(breaks[behind : behind + 2]) <= SLASH and tagged.tags[behind + 1] & Tag.DIAGNOSIS:
        return bool(tagged.tags[behind] & (Tag.MODALITY | Tag.GENERIC)) or tagged.passage.words[behind] in ("for", "with", "in")
    return not (first > 0 and breaks[first] <= SLASH and tagged.tags[first - 1] & Tag.DIAGNOSIS and entry.with_modality != "yes")


def is_exam(tagged: Tagged, first: int, last: int, entry: Abbreviation) -> bool:
    """Tell whether an abbreviation stands where an examination's name stands."""
    words, breaks, tags = tagged.passage.words, tagged.passage.breaks, tagged.tags
    if _beside(tagged, first, last, entry.not_after, True) or _beside(tagged, first, last, entry.not_before, False):
        return False
    behind = last + 1
    strong = breaks[behind] if behind < len(words) else QUESTION + 1
    gap = tagged.passage.gap_after(last)
    if any(mark in gap for mark in "#=_"):
        return False
    following = words[behind] if strong <= COLON else ""
    if following and any(c.isdigit() for c in following) and not tags[behind] & (Tag.SUPPORT | Tag.SITE):
        return False
    if strong <= COLON and _is_number(tagged, behind):
        return False
    if _beside(tagged, first, last, entry.carriers, False) and strong < COMMA and _leads_on(tagged, behind):
        return True
    site_behind = bool(following) and bool(tags[behind] & (Tag.SITE | Tag.SUPPORT))
    if strong == COLON and site_behind:
        tail = words[behind : behind + 6]
        return not any(len(word) > 3 and any(c.isdigit() for c in word) for word in tail)
    site_before = first > 0 and breaks[first] <= DASH and bool(tags[first - 1] & (Tag.SITE | Tag.SUPPORT | Tag.MODALITY))
    if strong == COLON:
        return False
    if tagged.text.role in NAMING:
        bounds = tagged.passage.sentence(first)
        alone = bounds == (first, last)
        near = any(
            tags[i] & (Tag.SITE | Tag.SUPPORT | Tag.MODALITY) for i in range(bounds[0], bounds[1] + 1) if not first <= i <= last
        )
        return alone or near
    if strong >= COMMA and (_beside(tagged, first, last, entry.after, True) or _labelled(tagged, first, entry)):
        return True
    if site_behind and strong <= SLASH:
        return not any(len(word) > 4 and any(c.isdigit() for c in word) for word in words[behind : behind + 4])
    return site_before and strong >= COMMA and not any(c.isdigit() for c in following)


def _is_number(tagged: Tagged, index: int) -> bool:
    """Tell whether a number of at least three digits with letters before it starts at word ``index`` ("A-4471", "UAB 55213")."""
    words, tags = tagged.passage.words, tagged.tags
    for behind in range(index + 1, min(index + 3, len(words))):
        letters = words[behind - 1]
        if len(letters) > 3 or not letters.isalpha() or tagged.passage.breaks[behind] > LIGHT:
            return False
        means_something = tags[behind - 1] & (Tag.SITE | Tag.SUPPORT) or (len(letters) > 1 and tags[behind - 1] & Tag.GENERIC)
        if means_something and tagged.passage.gap_before(behind) == " ":  # "... LS 3T", "... CPT 76498"
            return False
        if words[behind].isdigit():
            return len(words[behind]) >= 3
    return False


def _labelled(tagged: Tagged, first: int, entry: Abbreviation) -> bool:
    """Tell whether a label such as "protocol:" stands before the abbreviation."""
    table = tagged.vocabulary.neighbours.get(entry.labels)
    if table is None or first == 0 or tagged.passage.breaks[first] not in (COLON, QUESTION, DASH):
        return False
    return bool(table.ending(tagged.passage, first - 1))


def _leads_on(tagged: Tagged, index: int) -> bool:
    """Tell whether the word at ``index`` is no preposition, or one that leads to a site, contrast or field strength."""
    if tagged.passage.words[index] not in ("of", "with", "without", "w", "wo"):
        return True
    return any(tags & (Tag.SITE | Tag.SUPPORT) for tags in tagged.tags[index + 1 : index + 5])

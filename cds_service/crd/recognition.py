"""Does an order ask for the procedure of a policy: yes, possibly or no; and by which words of the order.

How an order becomes an answer, step by step; the rules D1 to D5 are those of the recognition rules:

1. ``may_concern`` looks at the bytes for the policy's triggers. An order without one is answered no and never parsed.
2. ``order_text`` collects every text and code with the path of its element. D1: an order that is not live is answered no.
3. ``words`` folds each text and cuts it into words; ``tagging`` says by the policy's vocabulary what each word is, and
   ``neighbours`` which names, abbreviations and key words count. What is left are the mentions (``mentions``).
4. ``clauses`` reads how each mention stands: asked for, ruled out, history, a plan, left open. From the mention ``reach``
   walks outwards to the cue words that reach it; ``sentences`` reads what the whole sentence makes of it.
5. ``service_kind`` says what is ordered: the modality, another service, an unlisted code (D2, D3).
6. ``weighing`` lays the mentions on the scales. In a note on an order that names another examination a mention counts
   only if it is put like a request (``asking``).
7. Here the scales are read: D4 asked for is yes; left open or ambiguous, or an unlisted code alone, is possibly; D5 otherwise
   no (``verdicts`` for orders of another service, of an unlisted code, and for those that ask for nothing).

Most orders are told by their names alone, the words of code and category, which an EHR takes from its catalogues: steps 3 to
7 are gone through once for the same names (``_by_names``) while nothing else in the orders could change the answer.

For example "MRI brachial plexus" with the note "EMG cancelled. Prior MR neurogram limited; needs MR neurography." holds two
mentions. From the first the walk meets "prior": history. From the second it meets "needs", not "cancelled", which lies
beyond a full stop: asked for, and "needs" opens the phrase, so it is put like a request. The order names the modality and
no other service. One mention asks, none takes it back: yes, by M1, and the prior one is cited against.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from . import clauses, verdicts
from .case import OF_CATALOGUES, Answer, Case, Evidence, evidence_of, is_triggered
from .cues import Standing
from .mentions import KNOWN_NAMES, LONGEST_NAME, Mention
from .order_text import NAMING, Code, OrderText, Role, Text, collect
from .service_kind import performed_by_department
from .verdicts import Recognition
from .vocabulary import CompiledVocabulary, Tag
from .weighing import Weighed, weigh
from .words import latin

__all__ = ["Answer", "Evidence", "Recognition", "may_concern", "recognise"]


#: Names and codes of an order, each, beyond which it is not remembered what they alone say.
MOST_NAMES: Final = 12
#: FHIR R4 request status under which nothing is asked for any more (rule D1).
_DEAD: Final = frozenset({"revoked", "entered-in-error"})
_ESCAPE: Final = re.compile(rb"\\u([0-9a-fA-F]{4})")


def may_concern(raw: bytes, vocabulary: CompiledVocabulary) -> bool:
    """Look cheaply at an order's JSON bytes; False means that ``recognise`` would answer no."""
    if not raw.isascii() or b"&" in raw or (b"\\" in raw and b"\\u" in raw):
        unescaped = _ESCAPE.sub(lambda match: chr(int(match.group(1), 16)).encode("utf-8", "replace"), raw)
        if b"&#" in unescaped or b"&shy" in unescaped or b"&zw" in unescaped:
            return True
        text = latin(unicodedata.normalize("NFKD", unescaped.decode("utf-8", "replace"))).encode("ascii", "ignore")
    else:
        text = raw
    return vocabulary.holds_trigger(text.lower().decode())


def recognise(order: Mapping[str, Any], vocabulary: CompiledVocabulary) -> Recognition:
    """Decide whether ``order``, a ServiceRequest as received, asks for the vocabulary's procedure.

    Never raises, whatever the order's shape. An unknown or absent status counts as live (rule D1 names only
    ``revoked`` and ``entered-in-error``).
    """
    collected = collect(order)
    name = vocabulary.vocabulary.procedure
    if collected.do_not_perform:
        return Recognition(
            Answer.NO,
            "D1",
            "The order says that it must not be performed (doNotPerform).",
            (Evidence("doNotPerform", "true", "D1", "against"),),
        )
    if collected.status in _DEAD:
        return Recognition(
            Answer.NO,
            "D1",
            f"The order's status is {collected.status}: nothing is asked for.",
            (Evidence("status", collected.status or "", "D1", "against"),),
        )
    names, rest = _apart(collected)
    if names is not None and _is_silent(rest, vocabulary):
        found = _by_names(names.texts, names.codes, vocabulary)
        if found is not None:
            return found
    if not is_triggered(_said(collected), vocabulary):  # no word of the order can name the procedure
        return Recognition(Answer.NO, "D5", f"Nothing in the order names {name}.", ())
    return _decide(Case(collected, vocabulary))


def _said(order: OrderText) -> str:
    return "\n".join([text.words for text in order.texts] + [code.code for code in order.codes])


def _apart(order: OrderText) -> tuple[OrderText | None, OrderText]:
    """Return what of a live ``order`` comes from the EHR's catalogues, and the rest.

    The first is None where it is too long or too much to remember, or where the rest says what is ordered besides: order
    details, billing options, answers to questions by code.
    """
    names = OrderText(
        tuple([text for text in order.texts if text.role in OF_CATALOGUES]),
        tuple([code for code in order.codes if code.role in OF_CATALOGUES]),
        None,
        False,
    )
    rest = OrderText(
        tuple([text for text in order.texts if text.role not in OF_CATALOGUES]),
        tuple([code for code in order.codes if code.role not in OF_CATALOGUES]),
        None,
        False,
    )
    return names if _is_short(names) and not _names_more(rest) else None, rest


def _is_short(names: OrderText) -> bool:
    if len(names.texts) > MOST_NAMES or len(names.codes) > MOST_NAMES:
        return False
    for text in names.texts:
        if len(text.words) > LONGEST_NAME or len(text.element) > LONGEST_NAME:
            return False
    for code in names.codes:
        if len(code.system or "") > LONGEST_NAME or len(code.display or "") > LONGEST_NAME or len(code.element) > LONGEST_NAME:
            return False
    return True


def _names_more(rest: OrderText) -> bool:
    roles = [text.role for text in rest.texts] + [code.role for code in rest.codes]
    return any(role in NAMING for role in roles) or any(code.role is Role.INSTRUCTION for code in rest.codes)


def _is_silent(rest: OrderText, vocabulary: CompiledVocabulary) -> bool:
    """Tell whether ``rest``, texts and codes that are no names, holds nothing that a stage looks for in every order.

    That are triggers, words that take the technique back, the modality's department, and codes of the technique. What a stage
    looks for in some orders only, it gets by ``Case.further``.
    """
    # a text is folded letter by letter, so that a trigger in one of the texts is one in all of them joined
    if is_triggered(_said(rest), vocabulary) or performed_by_department(rest.texts, vocabulary):
        return False
    for text in rest.texts:
        if text.role is Role.INSTRUCTION and clauses.may_downgrade(text.words):
            return False
    return not rest.codes or vocabulary.technique_codings.isdisjoint([code.code.lower() for code in rest.codes])


# Holds the names and codes of orders, like the scans of names (``mentions``, which says why), and what follows from them; nothing
# of an order's notes, reasons and other texts, which speak of the patient. An entry takes a few KB, some 20 at the very most.
@lru_cache(maxsize=KNOWN_NAMES)
def _by_names(texts: tuple[Text, ...], codes: tuple[Code, ...], vocabulary: CompiledVocabulary) -> Recognition | None:
    """Decide a live order by its names alone; None where they do not tell, or other texts would be looked at besides."""
    names = OrderText(texts, codes, None, False)
    if not is_triggered(_said(names), vocabulary):
        return None
    case = Case(names, vocabulary)
    found = _decide(case)
    return None if case.looked_further else found


def _decide(case: Case) -> Recognition:
    weighed = weigh(case)
    coded = _technique_coded(case)
    if case.kind.other is not None and not _to_perform(case):
        return verdicts.other_service(case, weighed)
    if weighed.asked or coded is not None:
        return _asked(case, weighed, coded)
    if weighed.open:
        return verdicts.answer(
            case, weighed, Answer.POSSIBLY, "P4", "The order leaves open whether {name} is to be done: {cue}.", weighed.open
        )
    if case.kind.unlisted is not None:
        return verdicts.unlisted(case, weighed)
    if weighed.ambiguous:
        rule = weighed.ambiguous[0][1]
        return verdicts.answer(
            case, weighed, Answer.POSSIBLY, rule, "The words may mean {name}, but nothing says so: {words}.", weighed.ambiguous
        )
    return verdicts.nothing_asked(case, weighed)


def _to_perform(case: Case) -> bool:
    """Tell a referral to the modality's department, which may be asked to perform the procedure (exception to D3)."""
    other = case.kind.other
    return other is not None and other.performs and case.kind.to_department


def _technique_coded(case: Case) -> Evidence | None:
    """Return the evidence of a code that names the technique, standing beside the modality."""
    if case.vocabulary.technique_words.isdisjoint([code.code.lower() for code in case.order.codes]):
        return None  # as nearly always
    coded = {(case.vocabulary.system_name(code.system), code.code.lower()): code for code in case.order.codes}
    for wanted, beside in case.vocabulary.technique_codes:
        found = coded.get(wanted)
        if found is not None and (case.kind.modality or any(code in coded for code in beside)):
            return Evidence(found.element, f"{found.code} {found.display or ''}".strip()[:120], "M5", "for")
    return None


def _asked(case: Case, weighed: Weighed, coded: Evidence | None) -> Recognition:
    """Decide an order that affirmatively asks for the procedure: yes, unless it contradicts itself."""
    places = {mention.text.element for mention, _ in weighed.asked}
    contrary = [
        m
        for m, standing in weighed.against
        if standing is Standing.NEGATED and (m.text.element not in places or _later(m, weighed))
    ]
    choices = [m for m, _ in weighed.open if m.text.element not in places and _leaves_open(m)]
    downgraded = _downgraded(case) or _contradicted(case, places)
    if contrary or choices or downgraded is not None:
        against = [evidence_of(m, "P4", "against") for m in contrary + choices] + ([downgraded] if downgraded else [])
        evidence = tuple(evidence_of(m, rule, "for") for m, rule in weighed.asked) + tuple(against)
        name = case.vocabulary.vocabulary.procedure
        return Recognition(
            Answer.POSSIBLY,
            "P4",
            f"The order asks for {name} in one place and takes it back or leaves it open in another.",
            evidence,
        )
    if not weighed.asked and coded is not None:
        return Recognition(
            Answer.YES, "M5", f"The codes of the order together say {case.vocabulary.vocabulary.procedure}.", (coded,)
        )
    return verdicts.answer(case, weighed, Answer.YES, weighed.asked[0][1], "The order asks for {name}: {words}.", weighed.asked)


def _later(negated: Mention, weighed: Weighed) -> bool:
    """Tell whether a negated mention comes after every one that asks, in the same text: the last word counts."""
    return all(mention.first < negated.first for mention, _ in weighed.asked if mention.text.element == negated.text.element)


def _leaves_open(mention: Mention) -> bool:
    reading = mention.reading
    if reading.standing in (Standing.HYPOTHETICAL, Standing.REQUEST):  # the latter: named in prose
        return False
    return reading.standing is Standing.ALTERNATIVE or "consider" not in reading.cue.lower()


def _contradicted(case: Case, places: set[str]) -> Evidence | None:
    """Return the name of another examination that stands beside a name of this one, of a part of the body it never shares."""
    asked = [scanned for scanned in case.names if scanned.text.element in places and scanned.has(Tag.SITE)]
    named = any(scanned.text.element.endswith("code.text") for scanned in asked)  # the text says more than a code (M5)
    if not asked or named or any(scanned.has(Tag.OTHER_EXAM) for scanned in asked):
        return None
    for scanned in case.names:
        others = [entry for _, entry in scanned.others if entry.where != "name" and entry.rule == "N9"]
        if scanned.text.role is Role.NAME and others and not scanned.mentions and not scanned.has(Tag.SITE):
            return Evidence(scanned.text.element, scanned.text.words[:120], "P4", "against")
    return None


def _downgraded(case: Case) -> Evidence | None:
    """Return a comment that takes the technique back without naming it ("routine protocol only")."""
    for text in case.order.texts:
        if text.role not in (Role.INSTRUCTION, Role.DETAIL):
            continue
        # beside a trigger a misspelt word is read as meant, so that only the scan can tell
        if is_triggered(text.words, case.vocabulary) or clauses.may_downgrade(text.words):
            scanned = case.scan(text)
            found = clauses.downgrades(scanned.passage, scanned.parts)
            if found:
                return Evidence(text.element, found[:120], "P4", "against")
    return None

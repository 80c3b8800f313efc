"""Does an order ask for the procedure of a policy: yes, possibly or no; and by which words of the order.

How an order becomes an answer, step by step; the rules D1 to D5 are those of the recognition rules:

1. ``may_concern`` looks at the bytes for the policy's triggers. An order without one is answered no and never parsed.
2. D1: an order that is not live is answered no. Of another ``collecting`` takes every text and code with the path of its
   element.
3. ``words`` folds each text and cuts it into words, with what parts them (``gaps``) and the check boxes of a form (``boxes``);
   ``tagging`` says by the policy's vocabulary what each word is, ``neighbours`` which names, abbreviations and key words count,
   ``binding`` whether a word of the modality goes with them. What is left are the mentions (``mentions``).
4. ``clauses`` reads how each mention stands: asked for, ruled out, history, a plan, left open. From the mention ``reach``
   walks outwards to the cue words that reach it, unless they are forbidden themselves (``forbidding``); ``sentences`` reads
   what the whole sentence makes of it, ``forms`` what the box before it does.
5. ``service_kind`` says what is ordered: the modality, another service, an unlisted code (D2, D3).
6. ``weighing`` lays the mentions on the scales. In a note on an order that names another examination a mention counts
   only if it is put like a request (``asking``).
7. Here the scales are read: D4 asked for is yes; left open or ambiguous, or an unlisted code alone, is possibly; D5 otherwise
   no (``verdicts`` for orders of another service, of an unlisted code, and for those that ask for nothing).

Most orders are told by their names alone, the words of code and category, which an EHR takes from its catalogues: steps 3 to
7 are gone through once for the same names (``_by_names``) while nothing else in the orders could change the answer
(``catalogue_names``).

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
from .boxes import UNTICKED
from .case import Answer, Case, Evidence, evidence_of, is_triggered
from .catalogue_names import apart, is_silent, said
from .collecting import collect
from .cues import Standing
from .fhir_values import DEAD_STATUS, is_forbidden, status_of
from .mentions import KNOWN_NAMES, Mention
from .order_text import Code, OrderText, Role, Text
from .recognition_table import OtherExam
from .verdicts import Recognition
from .vocabulary import CompiledVocabulary, Tag
from .weighing import Weighed, is_of_payment, weigh
from .words import latin

__all__ = ["Answer", "Evidence", "Recognition", "may_concern", "recognise"]


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
    if is_forbidden(order):
        return Recognition(
            Answer.NO,
            "D1",
            "The order says that it must not be performed (doNotPerform).",
            (Evidence("doNotPerform", "true", "D1", "against"),),
        )
    status = status_of(order)
    if status is not None and status in DEAD_STATUS:
        return Recognition(
            Answer.NO,
            "D1",
            f"The order's status is {status}: nothing is asked for.",
            (Evidence("status", status, "D1", "against"),),
        )
    collected = collect(order)
    names, rest = apart(collected)
    if names is not None and is_silent(rest, vocabulary):
        found = _by_names(names.texts, names.codes, vocabulary)
        if found is not None:
            return found
    if not is_triggered(said(collected), vocabulary):  # no word of the order can name the procedure
        return Recognition(Answer.NO, "D5", f"Nothing in the order names {vocabulary.vocabulary.procedure}.", ())
    return _decide(Case(collected, vocabulary))


# Holds the names and codes of orders, like the scans of names (``mentions``, which says why), and what follows from them; nothing
# of an order's notes, reasons and other texts, which speak of the patient. An entry takes a few KB, some 20 at the very most.
@lru_cache(maxsize=KNOWN_NAMES)
def _by_names(texts: tuple[Text, ...], codes: tuple[Code, ...], vocabulary: CompiledVocabulary) -> Recognition | None:
    """Decide a live order by its names alone; None where they do not tell, or other texts would be looked at besides."""
    names = OrderText(texts, codes)
    if not is_triggered(said(names), vocabulary):
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
        return verdicts.cited(
            case, weighed, Answer.POSSIBLY, "P4", "The order leaves open whether {name} is to be done: {words}.", weighed.open
        )
    if case.kind.unlisted is not None:
        return verdicts.unlisted(case, weighed)
    if weighed.ambiguous:
        rule = weighed.ambiguous[0][1]
        return verdicts.cited(
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
        if standing is Standing.NEGATED and not is_of_payment(m) and (m.text.element not in places or _later(m, weighed))
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
    return verdicts.cited(case, weighed, Answer.YES, weighed.asked[0][1], "The order asks for {name}: {words}.", weighed.asked)


def _later(negated: Mention, weighed: Weighed) -> bool:
    """Tell whether a negated mention comes after every one that asks, in the same text: the last word counts.

    What is not ticked is no word, wherever it stands.
    """
    return negated.reading.cue != UNTICKED and all(
        mention.first < negated.first for mention, _ in weighed.asked if mention.text.element == negated.text.element
    )


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
        others = [entry for _, entry in scanned.others if isinstance(entry, OtherExam) and entry.where != "name"]
        if scanned.text.role is Role.NAME and others and not scanned.mentions and not scanned.has(Tag.SITE):
            return Evidence(scanned.text.element, scanned.text.words[:120], "P4", "against")
    return None


def _downgraded(case: Case) -> Evidence | None:
    """Return a comment that takes the technique back without naming it ("routine protocol only"), or a name out of use."""
    for scanned in case.names:
        if clauses.is_unusable(scanned.passage, scanned.parts):
            return Evidence(scanned.text.element, scanned.text.words[:120], "P4", "against")
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

"""Does an order ask for the procedure of a policy: yes, possibly or no; and by which words of the order.

The order of decision is that of the recognition rules: D1 is it live; D2, D3 what is ordered (``service_kind``); D4 does it
affirmatively and now ask for the procedure (``mentions``, ``clauses``); D5 otherwise. The procedure's own words are
data of the policy; here stands only how they are weighed.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from . import clauses
from .cues import Standing
from .mentions import NAMING, Mention
from .order_text import Role, collect
from .vocabulary import CompiledVocabulary
from .weighing import AGAINST_RULE, Answer, Case, Evidence, Weighed, evidence_of, is_triggered, weigh

__all__ = ["Answer", "Evidence", "Recognition", "may_concern", "recognise"]


class Recognition(msgspec.Struct, frozen=True):
    """The answer, the deciding rule (such as "M2"), the reason as one plain sentence, and what weighed for and against."""

    answer: Answer
    rule: str
    reason: str
    evidence: tuple[Evidence, ...]


#: FHIR R4 request status under which nothing is asked for any more (rule D1).
_DEAD: Final = frozenset({"revoked", "entered-in-error"})
_ESCAPE: Final = re.compile(rb"\\u([0-9a-fA-F]{4})")


def may_concern(raw: bytes, vocabulary: CompiledVocabulary) -> bool:
    """Look cheaply at an order's JSON bytes; False means that ``recognise`` would answer no."""
    if not raw.isascii() or b"&" in raw or (b"\\" in raw and b"\\u" in raw):
        unescaped = _ESCAPE.sub(lambda match: chr(int(match.group(1), 16)).encode("utf-8", "replace"), raw)
        if b"&#" in unescaped or b"&shy" in unescaped or b"&zw" in unescaped:
            return True
        text = unicodedata.normalize("NFKD", unescaped.decode("utf-8", "replace"))
        lowered = text.encode("ascii", "ignore").lower()
    else:
        lowered = raw.lower()
    # A plain loop: any() over a generator costs as much again on a short order
    for glance in vocabulary.glances:  # noqa: SIM110
        if glance.search(lowered):
            return True
    return False


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
    if not any(is_triggered(text.words, vocabulary) for text in collected.texts) and not any(
        is_triggered(code.code, vocabulary) for code in collected.codes
    ):
        return Recognition(Answer.NO, "D5", f"Nothing in the order names {name}.", ())
    return _decide(Case(collected, vocabulary))


def _decide(case: Case) -> Recognition:
    weighed = weigh(case)
    coded = _technique_coded(case)
    if case.kind.other is not None and not _to_perform(case):
        return _other_service(case, weighed)
    if weighed.asked or coded is not None:
        return _asked(case, weighed, coded)
    if weighed.open:
        return _answer(
            case, weighed, Answer.POSSIBLY, "P4", "The order leaves open whether {name} is to be done: {cue}.", weighed.open
        )
    if case.kind.unlisted is not None:
        return _unlisted(case, weighed)
    if weighed.ambiguous:
        rule = weighed.ambiguous[0][1]
        return _answer(
            case, weighed, Answer.POSSIBLY, rule, "The words may mean {name}, but nothing says so: {words}.", weighed.ambiguous
        )
    return _no(case, weighed)


def _to_perform(case: Case) -> bool:
    """Tell a referral to the modality's department, which may be asked to perform the procedure (exception to D3)."""
    other = case.kind.other
    return other is not None and other.performs and case.kind.to_department


def _other_service(case: Case, weighed: Weighed) -> Recognition:
    """Decide an order for another service: it counts only where its own name asks for the procedure besides."""
    other = case.kind.other
    assert other is not None
    beside = [(m, rule) for m, rule in weighed.asked if m.text.role in NAMING and _coordinate(case, m)]
    elsewhere = [(m, rule) for m, rule in weighed.asked if m.text.role in NAMING and m.text.element != case.kind.other_element]
    if elsewhere and case.kind.modality_named:
        reason = "The order names {name} in one place and {other} in another."
        return _answer(case, weighed, Answer.POSSIBLY, "P4", reason, elsewhere)
    if beside:
        return _answer(
            case, weighed, Answer.YES, beside[0][1], "The order asks for {name} besides another service: {words}.", beside
        )
    named_open = [(m, rule) for m, rule in weighed.open if m.text.role in NAMING and m.reading.standing is Standing.ALTERNATIVE]
    if named_open:
        return _answer(
            case,
            weighed,
            Answer.POSSIBLY,
            "P4",
            "The order leaves open whether {name} or another service is to be done.",
            named_open,
        )
    evidence = Evidence(case.kind.other_element, _words_of(case, case.kind.other_element), other.rule, "against")
    extra = [evidence_of(m, "D3", "against") for m in case.mentions][:6]
    return Recognition(
        Answer.NO,
        other.rule,
        f"What is ordered is {other.label}, not {case.vocabulary.vocabulary.procedure}.",
        (evidence, *extra),
    )


def _coordinate(case: Case, mention: Mention) -> bool:
    """Tell whether a name sets the mention beside the other service ("EMG and ..."), not under it ("sedation for ...")."""
    words, breaks = mention.passage.words, mention.passage.breaks
    if breaks[mention.first] >= 6:
        return True
    under = {
        "for",
        "of",
        "to",
        "re",
        "about",
        "regarding",
        "before",
        "after",
        "on",
        "from",
        "prior",
        "discuss",
        "seen",
        "during",
        "with",
        "by",
        "under",
        "using",
    }
    joined = False
    for index in range(mention.first - 1, -1, -1):
        if (
            breaks[index + 1] in (1, 3)
            or words[index] in ("and", "plus", "also", "y", "et", "und")
            or "+" in mention.passage.gap_before(index + 1)
        ):
            joined = True
        if words[index] in under:
            return False
        if breaks[index] >= 6:
            break
    return joined


def _words_of(case: Case, element: str) -> str:
    for text in case.order.texts:
        if text.element == element:
            return text.words[:120]
    return next(((code.display or code.code)[:120] for code in case.order.codes if code.element == element), "")


def _technique_coded(case: Case) -> Evidence | None:
    """Return the evidence of a code that names the technique, standing beside the modality."""
    coded = {(case.vocabulary.system_name(code.system), code.code.lower()): code for code in case.order.codes}
    for entry in case.vocabulary.vocabulary.technique_codes:
        wanted, *beside = (_code_key(code) for code in (entry.code, *entry.beside))
        found = coded.get(wanted)
        if found is not None and (case.kind.modality or any(code in coded for code in beside)):
            return Evidence(found.element, f"{found.code} {found.display or ''}".strip()[:120], "M5", "for")
    return None


def _code_key(code: str) -> tuple[str, str]:
    system, _, rest = code.partition(" ")
    return system, rest.lower()


def _asked(case: Case, weighed: Weighed, coded: Evidence | None) -> Recognition:
    """Decide an order that affirmatively asks for the procedure: yes, unless it contradicts itself."""
    places = {mention.text.element for mention, _ in weighed.asked}
    contrary = [
        m
        for m, standing in weighed.against
        if standing is Standing.NEGATED and (m.text.element not in places or _later(m, weighed))
    ]
    choices = [m for m, _ in weighed.open if m.text.element not in places and _leaves_open(m)]
    downgraded = _downgraded(case)
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
    return _answer(case, weighed, Answer.YES, weighed.asked[0][1], "The order asks for {name}: {words}.", weighed.asked)


def _later(negated: Mention, weighed: Weighed) -> bool:
    """Tell whether a negated mention comes after every one that asks, in the same text: the last word counts."""
    return all(mention.first < negated.first for mention, _ in weighed.asked if mention.text.element == negated.text.element)


def _leaves_open(mention: Mention) -> bool:
    reading = mention.reading
    if reading.standing in (Standing.HYPOTHETICAL, Standing.REQUEST):  # the latter: named in prose
        return False
    return reading.standing is Standing.ALTERNATIVE or "consider" not in reading.cue.lower()


def _downgraded(case: Case) -> Evidence | None:
    """Return a comment that takes the technique back without naming it ("routine protocol only")."""
    for text in case.order.texts:
        if text.role in (Role.INSTRUCTION, Role.DETAIL):
            scanned = case.scan(text)
            found = clauses.downgrades(scanned.passage, scanned.parts)
            if found:
                return Evidence(text.element, found[:120], "P4", "against")
    return None


def _unlisted(case: Case, weighed: Weighed) -> Recognition:
    """Decide an order under an unlisted code that does not ask for the procedure in words (rules P1, P2, P6, N9)."""
    kind, name = case.kind, case.vocabulary.vocabulary.procedure
    assert kind.unlisted is not None
    code = Evidence(kind.unlisted_element, _code_words(case), kind.unlisted.rule, "for")
    against = tuple(evidence_of(m, AGAINST_RULE[standing], "against") for m, standing in weighed.against)
    if Standing.NEGATED in weighed.standings():
        return Recognition(Answer.NO, "N8", f"The order rules out {name}.", (*against, code))
    if weighed.ambiguous:
        rule = weighed.ambiguous[0][1]
        return _answer(
            case, weighed, Answer.POSSIBLY, rule, "An unlisted code with words that may mean {name}: {words}.", weighed.ambiguous
        )
    if kind.named_otherwise is not None or kind.ordinary:
        rule = "N9"
        other = Evidence(kind.named_element, _words_of(case, kind.named_element), rule, "against")
        return Recognition(Answer.NO, rule, f"The order names another procedure under {kind.unlisted.code}.", (other, code))
    noted = _noted_otherwise(case)
    if noted is not None:
        return Recognition(
            Answer.NO, "N9", f"The order's text names another procedure under {kind.unlisted.code}.", (noted, code)
        )
    if weighed.against:
        reason = f"{kind.unlisted.code} with {name} only as history, a plan or another order: what is ordered now is not said."
        return Recognition(Answer.POSSIBLY, "P6", reason, (code, *against))
    reason = f"{kind.unlisted.code} ({kind.unlisted.label}) may be {name}; no text says which procedure."
    return Recognition(Answer.POSSIBLY, kind.unlisted.rule, reason, (code, *case.against[:6]))


def _code_words(case: Case) -> str:
    for code in case.order.codes:
        if code.element == case.kind.unlisted_element:
            return f"{code.code} {code.display or ''}".strip()[:120]
    return _words_of(case, case.kind.unlisted_element)


def _noted_otherwise(case: Case) -> Evidence | None:
    """Return the note that names another procedure as the one ordered."""
    for text in case.order.texts:
        if text.role in NAMING or text.role is Role.PERFORMER:
            continue
        scanned = case.scan(text)
        for index, entry in scanned.others:
            exam = entry in case.vocabulary.vocabulary.other_exams and entry.where == "anywhere"
            procedure = (
                not exam
                and text.role is not Role.REASON
                and entry.rule == "D3"
                and not (case.kind.unlisted and case.kind.unlisted.fixes_modality)
            )
            if (exam or procedure) and clauses.read(scanned.passage, index, index, scanned.parts).standing in (
                Standing.REQUEST,
                Standing.SUGGESTED,
            ):
                return Evidence(text.element, scanned.passage.quote(*scanned.passage.sentence(index)), "N9", "against")
    return None


def _no(case: Case, weighed: Weighed) -> Recognition:
    """Say why nothing is asked for."""
    name = case.vocabulary.vocabulary.procedure
    against = tuple(evidence_of(m, AGAINST_RULE[standing], "against") for m, standing in weighed.against)
    if weighed.against:
        mention, standing = weighed.against[0]
        rule = AGAINST_RULE[standing]
        return Recognition(
            Answer.NO,
            rule,
            f"The order only mentions {name} ({mention.reading.standing.value}).",
            against + tuple(case.against[:6]),
        )
    if case.against:
        return Recognition(
            Answer.NO, case.against[0].rule, f"The order's words mean something else than {name}.", tuple(case.against[:6])
        )
    if case.kind.modality:
        return Recognition(Answer.NO, "N5", f"The order asks for an ordinary examination, not for {name}.", ())
    return Recognition(Answer.NO, "D5", f"Nothing in the order asks for {name}.", ())


def _answer(
    case: Case, weighed: Weighed, answer: Answer, rule: str, reason: str, mentions: list[tuple[Mention, str]]
) -> Recognition:
    first = mentions[0][0]
    other = case.kind.other.label if case.kind.other else "another service"
    quoted = f'"{" ".join(first.words[:80].split())}"'
    said = reason.format(name=case.vocabulary.vocabulary.procedure, words=quoted, cue=quoted, other=other)
    evidence = [evidence_of(m, each, "for") for m, each in mentions]
    evidence += [evidence_of(m, AGAINST_RULE[standing], "against") for m, standing in weighed.against]
    return Recognition(answer, rule, said, tuple((evidence + case.against)[:12]))

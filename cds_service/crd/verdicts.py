"""The verdicts on an order that is for another service, under an unlisted code, or asks for nothing; each with its reason."""

from __future__ import annotations

import msgspec

from . import clauses
from .case import Answer, Case, Evidence, evidence_of
from .cues import Standing
from .mentions import Mention
from .order_text import NAMING, Role
from .weighing import AGAINST_RULE, Weighed


class Recognition(msgspec.Struct, frozen=True):
    """The answer, the deciding rule (such as "M2"), the reason as one plain sentence, and what weighed for and against."""

    answer: Answer
    rule: str
    reason: str
    evidence: tuple[Evidence, ...]


def answer(
    case: Case, weighed: Weighed, answer: Answer, rule: str, reason: str, mentions: list[tuple[Mention, str]]
) -> Recognition:
    first = mentions[0][0]
    other = case.kind.other.label if case.kind.other else "another service"
    quoted = f'"{" ".join(first.words[:80].split())}"'
    said = reason.format(name=case.vocabulary.vocabulary.procedure, words=quoted, cue=quoted, other=other)
    evidence = [evidence_of(m, each, "for") for m, each in mentions]
    evidence += [evidence_of(m, AGAINST_RULE[standing], "against") for m, standing in weighed.against]
    return Recognition(answer, rule, said, tuple((evidence + case.against)[:12]))


def other_service(case: Case, weighed: Weighed) -> Recognition:
    """Decide an order for another service: it counts only where its own name asks for the procedure besides."""
    other = case.kind.other
    assert other is not None
    beside = [(m, rule) for m, rule in weighed.asked if m.text.role in NAMING and _coordinate(case, m)]
    elsewhere = [(m, rule) for m, rule in weighed.asked if m.text.role in NAMING and m.text.element != case.kind.other_element]
    if elsewhere and case.kind.modality_named:
        reason = "The order names {name} in one place and {other} in another."
        return answer(case, weighed, Answer.POSSIBLY, "P4", reason, elsewhere)
    if beside:
        return answer(
            case, weighed, Answer.YES, beside[0][1], "The order asks for {name} besides another service: {words}.", beside
        )
    named_open = [(m, rule) for m, rule in weighed.open if m.text.role in NAMING and m.reading.standing is Standing.ALTERNATIVE]
    if named_open:
        return answer(
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


def unlisted(case: Case, weighed: Weighed) -> Recognition:
    """Decide an order under an unlisted code that does not ask for the procedure in words (rules P1, P2, P6, N9)."""
    kind, name = case.kind, case.vocabulary.vocabulary.procedure
    assert kind.unlisted is not None
    code = Evidence(kind.unlisted_element, _code_words(case), kind.unlisted.rule, "for")
    against = tuple(evidence_of(m, AGAINST_RULE[standing], "against") for m, standing in weighed.against)
    if Standing.NEGATED in weighed.standings():
        return Recognition(Answer.NO, "N8", f"The order rules out {name}.", (*against, code))
    if weighed.ambiguous:
        rule = weighed.ambiguous[0][1]
        return answer(
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
    for text in case.further():
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


def nothing_asked(case: Case, weighed: Weighed) -> Recognition:
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

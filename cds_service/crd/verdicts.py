"""The verdicts on an order that is for another service, under an unlisted code, or asks for nothing; each with its reason."""

from __future__ import annotations

from typing import Final

import msgspec

from . import clauses
from .case import Answer, Case, Evidence, evidence_of
from .cues import Standing
from .gaps import COMMA, QUESTION, SLASH
from .mentions import Mention
from .order_text import NAMING, Role
from .recognition_table import OtherExam, OtherService
from .weighing import AGAINST_RULE, Weighed

#: Words that set what follows them under what stands before.
_UNDER: Final = frozenset(
    """
    for of to re about regarding before after on from prior discuss seen during with by under using
    """.split()  # noqa: SIM905  one line a reader can check
)


class Recognition(msgspec.Struct, frozen=True):
    """The answer, the deciding rule (such as "M2"), the reason as one plain sentence, and what weighed for and against."""

    answer: Answer
    rule: str
    reason: str
    evidence: tuple[Evidence, ...]


def cited(
    case: Case, weighed: Weighed, answer: Answer, rule: str, reason: str, mentions: list[tuple[Mention, str]]
) -> Recognition:
    """Return ``answer`` by ``rule``, citing for it ``mentions``, each with its rule, and against it what was weighed against.

    ``reason`` is one sentence, in which {name} becomes the procedure, {words} the first of the mentions as the order writes it
    (at most 80 characters), {other} the other service that is ordered.
    """
    words = f'"{" ".join(mentions[0][0].words[:80].split())}"'
    other = case.kind.other.label if case.kind.other else "another service"
    said = reason.format(name=case.vocabulary.vocabulary.procedure, words=words, other=other)
    evidence = [evidence_of(m, each, "for") for m, each in mentions]
    evidence += [evidence_of(m, AGAINST_RULE[standing], "against") for m, standing in weighed.against]
    return Recognition(answer, rule, said, tuple((evidence + case.against)[:12]))


def other_service(case: Case, weighed: Weighed) -> Recognition:
    """Decide an order for another service: it counts only where its own name asks for the procedure besides."""
    other = case.kind.other
    assert other is not None
    beside = [(m, rule) for m, rule in weighed.asked if m.text.role in NAMING and _coordinate(m)]
    elsewhere = [(m, rule) for m, rule in weighed.asked if m.text.role in NAMING and m.text.element != case.kind.other_element]
    if elsewhere and case.kind.modality_named:
        reason = "The order names {name} in one place and {other} in another."
        return cited(case, weighed, Answer.POSSIBLY, "P4", reason, elsewhere)
    if beside:
        return cited(
            case, weighed, Answer.YES, beside[0][1], "The order asks for {name} besides another service: {words}.", beside
        )
    named_open = [(m, rule) for m, rule in weighed.open if m.text.role in NAMING and m.reading.standing is Standing.ALTERNATIVE]
    if named_open:
        return cited(
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


def _coordinate(mention: Mention) -> bool:
    """Tell whether a name sets the mention beside the other service ("EMG and ..."), not under it ("sedation for ...")."""
    words, breaks = mention.passage.words, mention.passage.breaks
    if breaks[mention.first] >= QUESTION:
        return True
    joined = False
    for index in range(mention.first - 1, -1, -1):
        if (
            breaks[index + 1] in (SLASH, COMMA)
            or words[index] in ("and", "plus", "also", "y", "et", "und")
            or "+" in mention.passage.gap_before(index + 1)
        ):
            joined = True
        if words[index] in _UNDER:
            return False
        if breaks[index] >= QUESTION:
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
        return cited(
            case, weighed, Answer.POSSIBLY, rule, "An unlisted code with words that may mean {name}: {words}.", weighed.ambiguous
        )
    if kind.named_otherwise is not None or kind.ordinary:
        rule = "N9"
        other = Evidence(kind.named_element, _words_of(case, kind.named_element), rule, "against")
        named = kind.named_otherwise.label if kind.named_otherwise is not None else "another procedure"
        return Recognition(Answer.NO, rule, f"The order names {named} under {kind.unlisted.code}.", (other, code))
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
            exam = isinstance(entry, OtherExam) and entry.where == "anywhere"
            procedure = (
                isinstance(entry, OtherService)
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

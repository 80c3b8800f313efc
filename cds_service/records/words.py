"""A kept call in plain words: what was asked, what was answered, and why. For a person who may see patient data."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from cds_service.records.record import ASSERTING, CallRecord, DeterminationRecord, FoundCall, KeptFeedback

_RECOGNISED = {
    "yes": "is recognised",
    "possibly": "is possibly meant",
    "no": "is not recognised",
}

_WITHOUT_POLICY = {
    "not-evaluated": "not evaluated, since no policy held here is about it",
    "withdrawn": "an earlier answer on it no longer fits, and was withdrawn",
}


def told(found: FoundCall) -> Iterator[str]:
    """The lines of one kept call."""
    call = found.call
    yield f"Call {call.call_id}, {call.at:%Y-%m-%d %H:%M:%S} UTC"
    yield f"  asked:     hook {call.hook} at {call.service_id}, by {call.client or 'no named client'}"
    yield f"  instance:  {call.hook_instance or 'not told'}"
    yield f"  answered:  HTTP {call.status} in {call.duration_ms:.0f} ms; CRD {call.crd_version or 'version not told'}"
    yield f"  software:  cds-service {call.software_version}"
    yield f"  the day:   {call.today or 'not kept'}"
    for policy, sha256 in call.policy_hashes.items():
        yield f"  policy:    {policy}, file with SHA-256 {sha256}"
    for place in call.fetched:
        yield f"  fetched:   {place}"
    for place, failure in call.settings.get("failed_fetches", {}).items():
        yield f"  missing:   {place} ({failure})"
    if not call.settings.get(ASSERTING, True):
        yield "  withheld:  coverage information, since it could not be recorded in time"
    if call.status >= 300:
        yield from _refusal(call)
    elif not call.determinations:
        yield "  No card and no coverage information was given."
    for determination in call.determinations:
        yield from _determination(determination)
    yield from _cards(call)
    for report in found.feedback:
        yield from _report(report)


def _determination(determination: DeterminationRecord) -> Iterator[str]:
    if determination.policy:
        yield from _recognition(determination)
    else:
        said = _WITHOUT_POLICY.get(determination.rule, determination.rule)
        yield f"  Order {determination.order_place}: {said}."
    if determination.is_repeated:
        borne = f", coverage-assertion-id {determination.assertion_id}" if determination.assertion_id else ""
        yield f"    {'covered:':10} {determination.covered}{borne}: the order bore this already; nothing was added"
    elif determination.assertion_id is None:
        yield "    No coverage information was written onto the order."
    else:
        yield f"    {'covered:':10} {determination.covered}, coverage-assertion-id {determination.assertion_id}"


def _recognition(determination: DeterminationRecord) -> Iterator[str]:
    recognised = _RECOGNISED.get(determination.answer, determination.answer)
    versions = ", ".join(determination.policy_versions) or "none in force"
    yield f"  Order {determination.order_place}: what {determination.policy} is about {recognised} (rule {determination.rule})."
    for label, value in (("because", determination.evidence), ("dates", determination.dates)):
        for line in _in_words(value):
            yield f"    {label + ':':10} {line}"
    yield f"    {'version:':10} {versions}"


def _refusal(call: CallRecord) -> Iterator[str]:
    try:
        issues = msgspec.json.decode(call.response)["issue"]
        said = [str(issue["diagnostics"]) for issue in issues]
    except (msgspec.MsgspecError, KeyError, TypeError):
        said = []
    did = "The service failed on the call" if call.status >= 500 else "The call was refused"
    yield f"  {did}; nothing was said of coverage."
    yield from (f"    {line}" for line in said)
    if not call.request:
        yield "  Its body was not kept: it is no JSON object, or a token may stand in it."


def _cards(call: CallRecord) -> Iterator[str]:
    try:
        cards = msgspec.json.decode(call.response)["cards"]
    except (msgspec.MsgspecError, KeyError, TypeError):
        cards = []
    for card in cards:
        yield f"  Card {card.get('uuid', 'without uuid')} ({card.get('indicator')}): {card.get('summary')}"
        for line in str(card.get("detail", "")).splitlines():
            yield f"    | {line}"


def _report(report: KeptFeedback) -> Iterator[str]:
    line = f"  Feedback on card {report.card}, {report.outcome_at:%Y-%m-%d %H:%M:%S} UTC: {report.outcome}"
    reason = report.reason_display or report.reason_code
    yield line + (f", because: {reason}" if reason else "")
    if report.accepted:
        yield f"    suggestions taken: {', '.join(report.accepted)}"
    if report.comment:
        yield f"    comment: {report.comment}"


def _in_words(value: Any) -> list[str]:
    """``value``, of JSON's shape, as lines: one for each item of a list, ``name value`` for members that say something."""
    if value is None or value == {}:
        return []
    if isinstance(value, list | tuple):
        return [line for item in value for line in _in_words(item)]
    if isinstance(value, dict):
        return [
            "; ".join(name if item is True else f"{name} {'; '.join(_in_words(item))}" for name, item in value.items() if item)
        ]
    return [str(value)]

"""Decision to the body of a CDS Hooks response: its cards here, its system actions from ``system_actions``."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import msgspec

from .card_text import detail_of
from .coverage_information import policy_page
from .determination import Decision, Determination
from .hooks import CrdVersion, Hook
from .policy import Policy, summaries
from .policy_file import PolicyVersion
from .recognition import Answer
from .system_actions import OrderAnswer, OtherAssertion, Presentation, SystemActions

#: The system of card types: the codes are the same in CRD 2.0.1 and 2.2.1, their system is not.
TOPIC_SYSTEMS: dict[CrdVersion, str] = {
    "2.0": "http://hl7.org/fhir/us/davinci-crd/CodeSystem/temp",
    "2.2": "http://terminology.hl7.org/CodeSystem/cdshooks-card-type",
}
_encode = msgspec.json.Encoder(decimal_format="number").encode


class ShownCard(msgspec.Struct, frozen=True):
    """One card of the response: its uuid and the answers it is about, so that feedback can be joined to them."""

    uuid: str
    policy_id: str
    answer: Answer
    answers: tuple[OrderAnswer, ...]


class Response(msgspec.Struct, frozen=True):
    """The body of a CDS Hooks response, what its cards are about, what each order bears, whether it has system actions.

    ``others`` are assertions on orders that no policy is about.
    """

    body: bytes
    cards: tuple[ShownCard, ...]
    answers: tuple[OrderAnswer, ...]
    has_actions: bool
    others: tuple[OtherAssertion, ...] = ()


def render_response(decision: Decision, policies: tuple[Policy, ...], how: Presentation) -> Response:
    """Render the answer to one hook call: one card for all orders with the same answer, one action per order with news.

    ``coverage-info: false`` turns both off, ``guideline: false`` the cards (CRD 2.2.1 dev-5, dev-14).
    """
    wanted = decision.request.configuration
    if not wanted.coverage_info:
        return Response(b'{"cards":[]}', (), tuple(map(OrderAnswer, decision.determinations)), has_actions=False)
    actions = SystemActions(decision, how)
    answers = tuple(actions.answer(determination) for determination in decision.determinations)
    for reading, coverage in decision.unmatched:
        actions.answer_unmatched(reading, coverage.coverage.reference)
    actions.withdraw_outgrown(policies)
    shown: list[ShownCard] = []
    cards: list[dict[str, Any]] = []
    for group in _groups(answers, decision.request.hook) if wanted.guideline else ():
        card = _card([each.determination for each in group], decision.request.version, how)
        cards.append(card)
        shown.append(ShownCard(card["uuid"], group[0].determination.policy.id, group[0].determination.answer, tuple(group)))
    body: dict[str, Any] = {"cards": cards}
    if actions.rendered:
        body["systemActions"] = actions.rendered
    return Response(_encode(body), tuple(shown), answers, bool(actions.rendered), tuple(actions.others))


def _groups(answers: Iterable[OrderAnswer], hook: Hook) -> Iterable[list[OrderAnswer]]:
    """The answers that get a card, those that say the same together.

    An order that already bears our answer alerts on order-sign only, and nobody is asked to name a procedure while still
    choosing orders (CRD 2.2.1 hook-19).
    """
    groups: dict[tuple[Any, ...], list[OrderAnswer]] = {}
    for answer in answers:
        said = answer.determination
        if answer.is_repeated and hook.name != "order-sign":
            continue
        if said.answer is Answer.POSSIBLY and hook.name == "order-select":
            continue
        starts = tuple(version.start for version in said.versions)
        key = (
            said.policy.id,
            said.answer,
            starts,
            said.membership,
            said.assertion == "no-active-coverage",
            said.trial is not None,
        )
        groups.setdefault(key, []).append(answer)
    return groups.values()


def _card(group: list[Determination], version: CrdVersion, how: Presentation) -> dict[str, Any]:
    first = group[0]
    around = _around(first.policy, first.versions, first.answer, version, how.public_url)
    # The members' order is the one in which people read a card.
    card: dict[str, Any] = {"uuid": how.new_id(), **around.before, "detail": detail_of(group), **around.behind}
    references = list(dict.fromkeys(each.reading.order.reference for each in group if each.reading.order.reference))
    if references:
        shape = references if version == "2.0" else [{"reference": reference} for reference in references]
        card["extension"] = {"davinci-crd.associated-resource": shape}
    return card


class _Around(msgspec.Struct, frozen=True):
    """What of a card follows from the policy alone: its members before the detail, and those behind it, encoded."""

    before: dict[str, Any]
    behind: dict[str, msgspec.Raw]


@lru_cache(maxsize=256)
def _around(policy: Policy, versions: tuple[PolicyVersion, ...], answer: Answer, version: CrdVersion, public_url: str) -> _Around:
    document = policy.document
    certain, possible = summaries(policy, versions)
    is_certain = answer is Answer.YES
    before = {
        "summary": certain if is_certain else possible,
        "indicator": "warning" if is_certain and _concerns_payment(versions) else "info",
    }
    behind: dict[str, Any] = {
        "source": {
            "label": document.source_label,
            "topic": {"system": TOPIC_SYSTEMS[version], "code": "guideline", "display": "Guideline"},
        },
        "overrideReasons": [
            {"system": document.override.system, "code": reason.code, "display": reason.display}
            for reason in document.override.reasons
        ],
    }
    if is_certain:
        behind["links"] = _links(policy, versions, public_url)
    return _Around(before, {name: msgspec.Raw(_encode(value)) for name, value in behind.items()})


def _concerns_payment(versions: tuple[PolicyVersion, ...]) -> bool:
    """May payment be affected, so that the card is a warning (CRD 2.2.1 resp-1)? Not where every version covers it."""
    return any(version.covered != "covered" for version in versions)


def _links(policy: Policy, versions: tuple[PolicyVersion, ...], public_url: str) -> list[dict[str, str]]:
    """The policy's page on this service at each version cited, and each cited document that has a public address."""
    links = []
    for version in versions:
        label = f"{policy.document.plan} policy #{policy.document.number}: {version.in_force}"
        links.append({"label": label, "url": policy_page(public_url, policy, version), "type": "absolute"})
        links += [
            {"label": reference.title, "url": reference.url, "type": "absolute"}
            for reference in version.references
            if reference.url
        ]
    return links

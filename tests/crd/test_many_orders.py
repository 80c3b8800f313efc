"""Of many orders in one call each is read as if it were alone."""

from __future__ import annotations

import json
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cds_service.crd.determination import Decision, decide
from cds_service.crd.hook_request import parse_hook_request
from cds_service.crd.hooks import HOOKS
from cds_service.crd.needs import not_allowed, run
from cds_service.crd.order_reading import Circumstances
from cds_service.crd.policy import Policy

from .builders import CHICAGO, bundle, member_coverage, order, sign_body

TEXTS = [
    "MR neurography right brachial plexus",
    "MR n\u00e9urography",
    "MR neuro\u00adgraphy",
    "MRI knee left without contrast",
    "R\u00f6ntgen thorax \u2013 2 Ebenen",
    "Chest radiograph & rib detail",
    "Unlisted &#109;agnetic resonance",
    "MR neurogram, then EMG",
    "",
]


def decided(policy: Policy, texts: list[str], ascii_only: bool) -> Decision:
    orders = [order(id=f"sr-{number}", code={"text": text}) for number, text in enumerate(texts)]
    body = sign_body(*orders, prefetch={"coverage": bundle(member_coverage())})
    raw = json.dumps(body, ensure_ascii=ascii_only).encode()
    given_ = Circumstances((policy,), date(2024, 6, 15), CHICAGO)
    return run(decide(parse_hook_request(raw, HOOKS["order-sign-crd"]), given_), not_allowed)


@settings(max_examples=60, deadline=None)
@given(texts=st.lists(st.sampled_from(TEXTS), min_size=1, max_size=20), ascii_only=st.booleans())
def test_each_of_many_orders_is_read_as_if_it_were_alone(policy: Policy, texts: list[str], ascii_only: bool) -> None:
    together = decided(policy, texts, ascii_only)
    alone = [decided(policy, [text], ascii_only).readings[0] for text in texts]
    assert [each.recognition for each in together.readings] == [each.recognition for each in alone]
    assert [each.dates for each in together.readings] == [each.dates for each in alone]


@pytest.mark.parametrize("place", range(20))
def test_the_one_order_of_ours_is_found_wherever_it_stands(policy: Policy, place: int) -> None:
    texts = ["MRI knee left without contrast"] * 20
    texts[place] = "MR neurography right brachial plexus"
    found = decided(policy, texts, ascii_only=True)
    assert [index for index, each in enumerate(found.readings) if each.is_recognised] == [place]

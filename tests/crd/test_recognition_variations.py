"""Many ways of phrasing one order, written by the authors of the code beside the labelled cases: each with its answer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cds_service.crd.recognition import recognise

from .recognition_report import vocabulary

VARIATIONS = [
    json.loads(line) for line in Path(__file__).with_name("recognition_variations.jsonl").read_text("utf-8").splitlines()
]


def _name(case: object) -> str:
    return json.dumps(case, ensure_ascii=True)[:100] if isinstance(case, dict) else str(case)


@pytest.mark.parametrize("case", VARIATIONS, ids=_name)
def test_an_order_phrased_like_this_is_answered(case: dict[str, Any]) -> None:
    found = recognise({"resourceType": "ServiceRequest", "intent": "order", **case["order"]}, vocabulary())
    assert found.answer.value == case["answer"], found

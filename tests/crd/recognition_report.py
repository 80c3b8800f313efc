"""Precision and recall of the recognition over a file of labelled orders: ``python -m tests.crd.recognition_report FILE``.

One JSON object a line, with ``id``, ``rule``, ``tier`` (plain or hard), ``answer`` (yes, possibly, no), ``why`` and ``order``.
"""

from __future__ import annotations

import json
import sys
import tomllib
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from cds_service.crd.recognition import Recognition, recognise
from cds_service.crd.vocabulary import CompiledVocabulary, Vocabulary, compile_vocabulary

POLICY = Path(__file__).parents[2] / "cds_service" / "policies" / "blue-advantage-177.toml"
CASES = Path(__file__).with_name("recognition_cases.jsonl")
HELD_BACK = Path(__file__).with_name("recognition_held_back.jsonl")
BLIND = Path(__file__).with_name("recognition_blind.jsonl")
SECOND_LOOK = Path(__file__).with_name("recognition_second_look.jsonl")
THIRD_LOOK = Path(__file__).with_name("recognition_third_look.jsonl")


class Judged(NamedTuple):
    case: dict[str, Any]
    found: Recognition

    @property
    def is_right(self) -> bool:
        return bool(self.case["answer"] == self.found.answer.value)


@cache
def vocabulary() -> CompiledVocabulary:
    """The policy's vocabulary, read without the rest of the policy file."""
    return compile_vocabulary(msgspec.convert(tomllib.loads(POLICY.read_text("utf-8"))["recognition"], Vocabulary))


def read_cases(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()]


def judge(cases: list[dict[str, Any]]) -> list[Judged]:
    return [Judged(case, recognise(case["order"], vocabulary())) for case in cases]


def figures(judged: list[Judged]) -> str:
    """Right answers by tier, precision and recall by answer, and the wrong ones, one a line."""
    lines = []
    for tier in sorted({each.case["tier"] for each in judged}):
        those = [each for each in judged if each.case["tier"] == tier]
        right = sum(each.is_right for each in those)
        lines.append(f"{tier}: {right} of {len(those)} right ({right / len(those):.1%})")
        pairs = Counter((each.case["answer"], each.found.answer.value) for each in those)
        for answer in ("yes", "possibly", "no"):
            hit = pairs[answer, answer]
            given = sum(count for (_, found), count in pairs.items() if found == answer)
            wanted = sum(count for (label, _), count in pairs.items() if label == answer)
            precision = f"{hit / given:.1%}" if given else "-"
            recall = f"{hit / wanted:.1%}" if wanted else "-"
            lines.append(f"  {answer:<9} precision {precision:>6}  recall {recall:>6}  ({wanted} cases)")
    for each in judged:
        if not each.is_right:
            case, found = each
            lines.append(
                f"{case['id']} [{case['tier']}] is {case['answer']}, read as {found.answer.value} by {found.rule}: {found.reason}"
            )
    return "\n".join(lines)


if __name__ == "__main__":
    sys.stdout.write(figures(judge(read_cases(Path(sys.argv[1]) if len(sys.argv) > 1 else CASES))) + "\n")

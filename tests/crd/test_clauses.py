"""The reading of clauses, shown on a thing that no policy names: a "scan" that stands as the word SCAN."""

from __future__ import annotations

import pytest

from cds_service.crd import clauses
from cds_service.crd.cues import Standing
from cds_service.crd.reading import Part
from cds_service.crd.words import Passage

KINDS = {
    "zzscan": Part.MENTION,
    **dict.fromkeys(("xray", "tap", "plainscan"), Part.EXAM),
    **dict.fromkeys(("left", "right", "arm", "knee"), Part.SITE),
    "contrast": Part.ATTRIBUTE,
}


def standing(text: str) -> Standing:
    passage = Passage(text.replace("SCAN", "zzscan"))
    place = passage.words.index("zzscan")
    parts = [KINDS.get(word, Part.CONTENT) for word in passage.words]
    return clauses.read(passage, place, place, parts).standing


TABLE = {
    Standing.REQUEST: [
        "SCAN",
        "please do SCAN",
        "SCAN of the left arm",
        "no contrast, SCAN",
        "no contrast SCAN",
        "no relief. SCAN",
        "no relief from therapy SCAN please",
        "SCAN without contrast",
        "instead of xray please do SCAN",
        "SCAN rather than xray",
        "not only xray but SCAN",
        "prior xray negative, SCAN requested",
        "history of trauma, SCAN",
        "SCAN to be done today",
        "rule out tear - SCAN",
        "xray negative; proceed to SCAN",
        "62 year old SCAN left arm",
        "SCAN with contrast if needed",
        "SCAN requested? Yes",
        "not an xray but SCAN",
        "cannot have contrast. SCAN",
    ],
    Standing.NEGATED: [
        "no SCAN",
        "no SCAN needed",
        "SCAN not needed",
        "SCAN of the left arm is not indicated",
        "do not perform SCAN",
        "xray, not SCAN",
        "xray without SCAN",
        "cancel SCAN",
        "SCAN cancelled",
        "patient declined SCAN",
        "no xray or SCAN",
        "xray instead of SCAN",
        "SCAN requested? No",
        "we do not want SCAN",
        "insurance will not cover SCAN",
        "SCAN was denied",
    ],
    Standing.HISTORY: [
        "prior SCAN",
        "prior left arm SCAN",
        "s/p SCAN",
        "had xray, tap and SCAN",
        "SCAN showed a tear",
        "SCAN already done",
        "SCAN last year",
        "abnormal SCAN",
        "SCAN results attached",
        "lesion seen on SCAN",
        "Comparison: SCAN",
        "Prior imaging? SCAN",
        "SCAN two years ago",
        "compare with SCAN",
        "SCAN: normal",
        "SCAN (-)",
    ],
    Standing.DATED: ["SCAN 2021", "SCAN 3/12/2022", "SCAN of the left arm 06/2020", "SCAN March 2021"],
    Standing.NEUTRAL: ["no prior SCAN", "never had SCAN", "SCAN not previously done", "no SCAN on file"],
    Standing.PLAN: [
        "will consider SCAN",
        "may need SCAN",
        "if xray negative, SCAN",
        "SCAN in 6 months",
        "plan for SCAN",
        "SCAN if symptoms persist",
        "hold SCAN",
        "discussed SCAN",
    ],
    Standing.DISCRETION: [
        "SCAN if indicated",
        "SCAN at the radiologist's discretion",
        "consider SCAN",
        "+/- SCAN",
        "± SCAN",
        "SCAN as needed",
        "?SCAN",
        "SCAN?",
        "would SCAN be useful?",
        "if the radiologist thinks fit, SCAN",
        "not sure whether SCAN is needed",
        "with or without SCAN",
    ],
    Standing.ALTERNATIVE: ["xray or SCAN", "SCAN vs xray", "SCAN or plain xray"],
    Standing.ELSEWHERE: [
        "sedation for SCAN",
        "SCAN scheduled separately",
        "separate order for SCAN",
        "authorization for SCAN",
        "import SCAN",
        "upcoming SCAN",
    ],
    Standing.SUGGESTED: ["recommend SCAN", "SCAN recommended"],
    Standing.REPEAT: ["repeat SCAN", "prior tap unclear, repeat SCAN"],
    Standing.HYPOTHETICAL: ["if SCAN is not available do xray"],
}


@pytest.mark.parametrize(("text", "expected"), [(text, expected) for expected, texts in TABLE.items() for text in texts])
def test_a_clause_is_read_as_it_stands(text: str, expected: Standing) -> None:
    assert standing(text) is expected


def test_an_old_one_that_is_to_be_repeated_is_asked_for_again() -> None:
    passage = Passage("Prior zzscan limited by motion. Please repeat.")
    assert clauses.asks_again(passage, 1, [Part.CONTENT] * len(passage.words))


def test_a_repeat_of_another_examination_is_not() -> None:
    passage = Passage("Prior zzscan normal. Please repeat xray.")
    parts = [Part.EXAM if word == "xray" else Part.CONTENT for word in passage.words]
    assert not clauses.asks_again(passage, 1, parts)


@pytest.mark.parametrize(
    ("text", "taken_back"),
    [
        ("routine protocol only", True),
        ("change to standard xray", True),
        ("plain xray negative", False),
        ("had standard xray only", False),
    ],
)
def test_a_comment_that_orders_the_ordinary_form_takes_the_special_one_back(text: str, taken_back: bool) -> None:
    passage = Passage(text)
    parts = [Part.EXAM if word == "xray" else Part.CONTENT for word in passage.words]
    assert bool(clauses.downgrades(passage, parts)) is taken_back

"""The tone of a note, shown on a thing that no policy names: a "scan" that stands as the word SCAN."""

from __future__ import annotations

import pytest

from cds_service.crd.asking import Tone, tone
from cds_service.crd.reading import Part
from cds_service.crd.words import Passage

KINDS = {
    "zzscan": Part.MENTION,
    **dict.fromkeys(("xray", "tap"), Part.EXAM),
    **dict.fromkeys(("left", "right", "arm", "knee"), Part.SITE),
    "contrast": Part.ATTRIBUTE,
}


def heard(text: str, *, cued: bool = False, labelled: bool = False) -> Tone:
    passage = Passage(text.replace("SCAN", "zzscan"))
    place = passage.words.index("zzscan")
    parts = [KINDS.get(word, Part.CONTENT) for word in passage.words]
    return tone(passage, place, place, parts, cued=cued, labelled=labelled)


TABLE = {
    Tone.ASKING: [
        "SCAN",
        "please add SCAN",
        "do as SCAN",
        "surgeon wants SCAN",
        "Dr. Ames would like a SCAN",
        "needs SCAN of the left arm",
        "SCAN of the arm to see whether the joint is intact",
        "SCAN protocol",
        "SCAN, no contrast",
        "no contrast SCAN",
        "no relief with therapy. SCAN of the knee.",
        "xray negative: SCAN",
        "Protocol: SCAN",
        "the payer approved SCAN",
        "Dr. Ames thinks SCAN is right; please perform.",
        "evaluate the arm with SCAN",
        "referred for SCAN",
        "SCAN, not plain xray",
        "ensure that SCAN is performed",
    ],
    Tone.TELLING: [
        "told that she needs SCAN",
        "payer calls SCAN experimental",
        "seen in SCAN clinic",
        "no reason to do SCAN",
        "had a panic attack during SCAN",
        "mother wants SCAN",
        "workup so far: SCAN, tap",
        "lesion confirmed by SCAN",
        "SCAN with thickened wall, known",
        "SCAN reserved for others",
        "xray, then SCAN",
        "patient would like SCAN",
        "SCAN: thickened wall",
    ],
    Tone.UNCLEAR: [
        "SCAN question",
        "Dr. Ames (SCAN)",
        "for SCAN order 4417",
        "patient wants SCAN",
        "SCAN: mild swelling",
        "we do SCAN only for athletes",
    ],
}


@pytest.mark.parametrize(("text", "expected"), [(text, expected) for expected, texts in TABLE.items() for text in texts])
def test_a_note_is_heard_in_its_tone(text: str, expected: Tone) -> None:
    assert heard(text) is expected


def test_words_behind_the_mention_that_ask_for_it_count_unless_reported() -> None:
    assert heard("no relief from therapy SCAN please", cued=True) is Tone.ASKING
    assert heard("she was told SCAN needed", cued=True) is Tone.TELLING


def test_an_answer_to_a_question_of_the_order_may_stand_behind_any_label() -> None:
    assert heard("Which one: SCAN", labelled=True) is Tone.ASKING
    assert heard("Which one: SCAN") is Tone.UNCLEAR

from __future__ import annotations

import pytest

from cds_service.crd.words import Passage


def sentences(text: str) -> list[str]:
    passage, found, index = Passage(text), [], 0
    while index < len(passage.words):
        first, last = passage.sentence(index)
        found.append(" ".join(passage.words[first : last + 1]))
        index = last + 1
    return found


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("Contrast no. Scan please", "contrast no"),
        ("Metal - no. scan", "metal no"),
        ("X-ray w/o. Add a scan", "x ray w o"),
        ("X-RAY WO. SCAN", "x ray wo"),
        ("Pregnant: N. Scan", "pregnant n"),
        ("contrast: no\nscan", "contrast no"),
        ("had surgery 2019. scan", "had surgery 2019"),
        ("no prior film. scan requested", "no prior film"),
    ],
)
def test_an_answer_and_a_bare_without_end_their_sentence(text: str, first: str) -> None:
    assert sentences(text)[0] == first


@pytest.mark.parametrize(
    "text",
    [
        "order no. 4471 scan",
        "order no. A4471 scan",
        "X-ray w/o. contrast",
        "prior film wo. scan",
        "no\nscan",
        "please: do no\nscan",
        "Prior plain film. scan of the arm",
        "prev. scan of the arm",
        "list 4. scan",
    ],
)
def test_an_abbreviation_and_a_wrapped_line_end_none(text: str) -> None:
    assert len(sentences(text)) == 1

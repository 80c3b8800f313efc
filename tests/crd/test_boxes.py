from __future__ import annotations

import pytest

from cds_service.crd.gaps import HARD, LIGHT
from cds_service.crd.words import Passage


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[x] scan [ ] x-ray", "ticked scan unticked x ray"),
        ("[X] scan []", "ticked scan unticked"),
        ("( ) scan (x) x-ray", "unticked scan ticked x ray"),
        ("☐ scan ☑ x-ray ☒ both", "unticked scan ticked x ray ticked both"),
        ("[✓] scan", "ticked scan"),
        ("Scan: [ ] yes [x] no", "scan unticked yes ticked no"),
    ],
)
def test_a_box_is_a_word(text: str, words: str) -> None:
    passage = Passage(text)
    assert passage.words == words.split()
    assert passage.boxed


@pytest.mark.parametrize("text", ["scan (x)", "scan ( ) arm", "scan [arm]", "scan (left) x 2", "scan []", "ticked"])
def test_brackets_that_tick_nothing_are_no_box(text: str) -> None:
    passage = Passage(text)
    assert not passage.boxed
    assert passage.words == [word.strip("()[]") for word in text.split() if word.strip("()[]")]


def test_a_sentence_begins_with_its_box_and_a_line_of_a_form_is_by_itself() -> None:
    passage = Passage("[x] scan [ ] x-ray\nprotocol")
    assert passage.breaks == [HARD, LIGHT, HARD, LIGHT, LIGHT, HARD]


def test_a_sentence_ends_with_its_box_where_the_line_does() -> None:
    passage = Passage("scan [x] film [ ]")
    assert passage.words == ["scan", "ticked", "film", "unticked"]
    assert passage.breaks == [HARD, LIGHT, HARD, LIGHT]


def test_boxes_before_a_full_stop_and_behind_it_may_stand_on_different_sides() -> None:
    passage = Passage("exams: [ ] scan [ ] film. X-ray [x]")
    assert passage.words == ["exams", "unticked", "scan", "unticked", "film", "x", "ray", "ticked"]
    assert passage.breaks == [HARD, HARD, LIGHT, HARD, LIGHT, HARD, LIGHT, LIGHT]


@pytest.mark.parametrize("text", ["scan [x] film [ ].", "scan [x]. film [ ].", "R. scan [x] L. film [ ]"])
def test_a_full_stop_behind_a_box_or_an_abbreviation_parts_no_line_of_a_form(text: str) -> None:
    passage = Passage(text)
    assert passage.breaks[passage.words.index("ticked")] == passage.breaks[passage.words.index("unticked")] == LIGHT


def test_a_box_stands_at_its_place() -> None:
    passage = Passage("Füße: [x] Scan  ☐ X")
    assert [passage.source[start:stop] for start, stop in passage.spans] == ["Füße", "[x]", "Scan", "☐", "X"]

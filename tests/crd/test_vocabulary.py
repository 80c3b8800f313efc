from __future__ import annotations

import re
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cds_service.crd.recognition import Answer, recognise
from cds_service.crd.vocabulary import STAR, CodeRanges, CompiledVocabulary, Vocabulary, compile_vocabulary

#: A second policy, of another modality: what is data in one file is data in the next.
THERMOGRAPHY: dict[str, Any] = {
    "procedure": "infrared thermography of the breast",
    "triggers": ["thermo", "93799"],
    "names": {"words": ["thermography", "thermogram"], "misspelt": ["thermography", "thermogram"], "not_after": ["photo"]},
    "modality": {"words": ["infrared", "digital infrared"], "supports": ["camera"], "categories": ["imaging"]},
    "sites": ["breast", "breasts", "left", "right"],
    "generic": ["procedure", "unlisted"],
    "unlisted_words": ["unlisted"],
    "unlisted": [{"code": "CPT 93799", "rule": "P1", "label": "unlisted procedure", "fixes_modality": False}],
    "systems": [{"name": "CPT", "uris": ["http://www.ama-assn.org/go/cpt"], "loose": ["CPT"]}],
}
#: A third, of a laboratory test, which needs no modality.
LABORATORY: dict[str, Any] = {
    "procedure": "septin 9 methylation",
    "triggers": ["sept"],
    "names": {"words": ["septin 9", "sept9", "septin9"]},
}


#: Triggers of each kind: with a star and without, one within another, with a blank and a full stop.
TRIGGERS = ["n*ogr", "neur", "neuro", "g*am", "ic n.", "n. med", "6498"]


def compiled(table: dict[str, Any]) -> CompiledVocabulary:
    return compile_vocabulary(msgspec.convert(table, Vocabulary))


def holds(text: str, trigger: str) -> bool:
    """The definition of a trigger: its letters anywhere; with a star a word's beginning, one to STAR letters, and its end."""
    head, star, tail = trigger.partition("*")
    if not star:
        return trigger in text
    starts = rf"(?:(?<![a-z0-9\\])|(?<=\\[nrtbf])){head}[a-z]{{1,{STAR}}}{tail}"  # behind an escaped line end too
    return re.search(starts, text) is not None


@pytest.mark.parametrize("chosen", [TRIGGERS, ["n*ogr", "neur"], ["neur", "ic n."]])
@settings(max_examples=200, deadline=None)
@given(
    pieces=st.lists(st.sampled_from([*"naegr. \\0", "ogr", "neu", "ic", " n.", "med", "64", "98", "gram", "\\n"]), max_size=12)
)
def test_a_text_holds_a_trigger_if_one_stands_in_it(chosen: list[str], pieces: list[str]) -> None:
    vocabulary = compiled({**LABORATORY, "triggers": ["sept", *chosen]})
    text = "".join(pieces)
    assert vocabulary.holds_trigger(text) == any(holds(text, trigger) for trigger in ("sept", *chosen))


def test_all_triggers_may_have_a_star() -> None:
    vocabulary = compiled({**LABORATORY, "triggers": ["s*pt"]})
    assert vocabulary.holds_trigger("a sept9 test")
    assert not vocabulary.holds_trigger("a spt test")


@pytest.mark.parametrize(
    ("order", "answer"),
    [
        ({"code": {"text": "Infrared thermography of both breasts"}}, Answer.YES),
        ({"code": {"text": "infrared thermografphy"}}, Answer.YES),
        ({"code": {"text": "Thermogram left breast"}}, Answer.POSSIBLY),
        ({"code": {"text": "Thermogram left breast"}, "category": [{"text": "Imaging"}]}, Answer.YES),
        ({"code": {"text": "Infrared camera check"}, "note": [{"text": "no thermography"}]}, Answer.NO),
        ({"code": {"coding": [{"system": "CPT", "code": "93799"}]}}, Answer.POSSIBLY),
        ({"code": {"text": "Mammogram"}, "note": [{"text": "prior infrared thermogram 2020"}]}, Answer.NO),
    ],
)
def test_another_modality_is_another_file(order: dict[str, Any], answer: Answer) -> None:
    assert recognise(order, compiled(THERMOGRAPHY)).answer is answer


@pytest.mark.parametrize(
    ("text", "answer"),
    [("SEPT9 methylation, plasma", Answer.YES), ("Septin 9", Answer.YES), ("no septin 9 needed", Answer.NO), ("CBC", Answer.NO)],
)
def test_a_laboratory_test_needs_no_modality(text: str, answer: Answer) -> None:
    assert recognise({"code": {"text": text}}, compiled(LABORATORY)).answer is answer


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"triggers": []}, "triggers"),
        ({"triggers": ["Thermo"]}, "triggers"),
        ({"triggers": ["93799"]}, "names.words"),
        ({"names": {"words": ["---"]}}, "names.words"),
        ({"modality": {"words": ["x"], "codes": ["LOINC 1-2"]}}, "modality.codes"),
        ({"unlisted": [{"code": "93799", "rule": "P1", "label": "x", "fixes_modality": False}]}, "unlisted"),
        ({"keywords": [{"words": ["thermo"], "with_modality": "no", "alone": "no", "rule": "P3"}]}, "keywords"),
        ({"other_exams": [{"label": "x", "words": ["cad"], "where": "there"}]}, "other_exams"),
        ({"nmaes": {}}, "nmaes"),
        ({"names": {"words": ["thermogram"], "shrotest": 5}}, "shrotest"),
    ],
)
def test_a_defective_table_is_refused_with_its_place(change: dict[str, Any], place: str) -> None:
    with pytest.raises(ValueError, match=place.replace(".", r"\.")):
        msgspec.convert(THERMOGRAPHY | change, Vocabulary)


def test_a_range_of_codes_includes_both_its_ends_and_only_codes_of_its_length() -> None:
    ranges = CodeRanges(["CPT 72141-72149", "LOINC 24582-9"])
    assert ranges.holds("CPT", "72141")
    assert ranges.holds("CPT", "72149")
    assert not ranges.holds("CPT", "72150")
    assert not ranges.holds("CPT", "721415")
    assert not ranges.holds("LOINC", "72141")
    assert ranges.holds("LOINC", "24582-9")

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from cds_service.crd.collecting import collect
from cds_service.crd.narrative import narrative_words
from cds_service.crd.order_questions import BILLING_OPTIONS
from cds_service.crd.order_text import MAX_TOTAL, OrderText, Role


def places(found: OrderText) -> dict[str, str]:
    return {text.element: text.words for text in found.texts}


def test_every_text_stands_under_the_path_of_its_element() -> None:
    order: dict[str, Any] = {
        "code": {"text": "A", "coding": [{"display": "B", "code": "1", "system": "s"}]},
        "orderDetail": [{"text": "C"}],
        "note": [{"text": "D"}, {"text": "E"}],
        "patientInstruction": "F",
        "reasonCode": [{"text": "G", "coding": [{"display": "H"}]}],
        "bodySite": [{"text": "I"}],
        "category": [{"text": "J"}],
        "performerType": {"text": "K"},
        "extension": [{"url": "u", "valueString": "L"}, {"url": "u", "valueCodeableConcept": {"coding": [{"display": "M"}]}}],
        "text": {"div": "<div><p>N</p></div>"},
    }
    assert {element: words.strip() for element, words in places(collect(order)).items()} == {
        "code.text": "A",
        "code.coding[0].display": "B",
        "orderDetail[0].text": "C",
        "note[0].text": "D",
        "note[1].text": "E",
        "patientInstruction": "F",
        "reasonCode[0].text": "G",
        "reasonCode[0].coding[0].display": "H",
        "bodySite[0].text": "I",
        "category[0].text": "J",
        "performerType.text": "K",
        "extension[0].valueString": "L",
        "extension[1].valueCodeableConcept.coding[0].display": "M",
        "text.div": "N",
    }


def test_a_question_is_read_together_with_its_answer() -> None:
    pair = [{"url": "question", "valueString": "Special technique?"}, {"url": "answer", "valueBoolean": False}]
    assert places(collect({"extension": [{"url": "q", "extension": pair}]})) == {"extension[0]": "Special technique? no"}


def test_a_yes_or_no_without_a_question_is_read_with_the_name_of_its_extension() -> None:
    found = collect({"extension": [{"url": "http://x/include-special-sequences", "valueBoolean": True}]})
    assert places(found) == {"extension[0].valueBoolean": "include special sequences: yes"}


def test_billing_options_are_told_from_other_extensions() -> None:
    concept = {"coding": [{"system": "http://www.ama-assn.org/go/cpt", "code": "76498"}]}
    found = collect({"code": {"extension": [{"url": BILLING_OPTIONS, "valueCodeableConcept": concept}]}})
    assert [(code.element, code.code, code.role) for code in found.codes] == [
        ("code.extension[0].valueCodeableConcept.coding[0]", "76498", Role.BILLING)
    ]


def test_identifiers_subjects_and_contained_resources_name_nothing() -> None:
    order = {
        "identifier": [{"value": "x", "extension": [{"url": "u", "valueString": "no"}]}],
        "requisition": {"value": "x"},
        "subject": {"display": "x"},
        "contained": [{"code": {"text": "x"}, "extension": [{"url": "u", "valueString": "no"}]}],
    }
    assert collect(order).texts == ()


def test_words_of_adjacent_blocks_stay_apart_and_words_within_tags_stay_together() -> None:
    table = "<table><tr><td>three</td><td>fo<b>ur</b></td></tr></table>"
    words = narrative_words(f"<div><p>one</p><p>two</p>{table}<script>x</script></div>")
    assert words.split() == ["one", "two", "three", "four"]


def test_a_label_cell_ends_with_a_colon() -> None:
    words = narrative_words("<table><tr><th>Exam</th><td>scan</td></tr></table>")
    assert " ".join(words.split()).replace(" :", ":") == "Exam: scan"


@pytest.mark.parametrize(
    ("order", "text"),
    [
        ({"code": "scan"}, "scan"),
        ({"code": [{"text": "scan"}]}, "scan"),
        ({"code": {"coding": {"display": "scan"}}}, "scan"),
        ({"code": {"coding": ["scan"]}}, "scan"),
        ({"note": "scan"}, "scan"),
        ({"note": {"text": "scan"}}, "scan"),
        ({"reasonCode": {"text": "scan"}}, "scan"),
        ({"text": "<p>scan</p>"}, "scan"),
    ],
)
def test_a_text_of_the_wrong_shape_is_read_all_the_same(order: dict[str, Any], text: str) -> None:
    assert [found.words.strip() for found in collect(order).texts] == [text]


@pytest.mark.parametrize(
    "value",
    [None, 5, Decimal("1.10"), True, [], {}, [None], [[[]]], {"coding": None}, {"coding": [None, 5, {}]}, {"text": []}],
)
def test_an_element_of_any_shape_is_survived(value: Any) -> None:
    for element in ("code", "note", "reasonCode", "extension", "text", "category", "status", "bodySite", "patientInstruction"):
        collect({element: value})


def test_a_code_sent_as_a_number_is_a_code() -> None:
    assert [code.code for code in collect({"code": {"coding": [{"code": 76498}]}}).codes] == ["76498"]


def test_a_display_that_says_unknown_says_nothing() -> None:
    assert collect({"code": {"coding": [{"code": "1", "display": "Unknown"}]}}).texts == ()


def test_more_text_than_anybody_writes_is_not_read() -> None:
    found = collect({"note": [{"text": "x" * 50_000}] * 10})
    assert sum(len(text.words) for text in found.texts) == MAX_TOTAL

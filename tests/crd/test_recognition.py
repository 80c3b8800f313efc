from __future__ import annotations

import gc
import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cds_service.crd import catalogue_names, clauses, mentions, recognition
from cds_service.crd.case import Case, is_triggered
from cds_service.crd.collecting import collect
from cds_service.crd.recognition import Answer, Recognition, may_concern, recognise
from cds_service.crd.recognition_table import Names, Vocabulary
from cds_service.crd.vocabulary import compile_vocabulary

from .recognition_report import BLIND, CASES, HELD_BACK, SECOND_LOOK, THIRD_LOOK, Judged, figures, judge, read_cases, vocabulary

#: The cases the recognition was developed on, those kept back from its author until it stood, and two written blind after.
SETS = {
    "developed on": judge(read_cases(CASES)),
    "held back": judge(read_cases(HELD_BACK)),
    "blind": judge(read_cases(BLIND)),
}
#: Orders written later to find faults, too few for a set of their own; the faults they found are mended.
SECOND = judge(read_cases(SECOND_LOOK))
#: Four sets of orders as clinicians dictate them, names, reasons and answers run together; most of their faults are mended.
THIRD = judge(read_cases(THIRD_LOOK))
JUDGED = [each for judged in (*SETS.values(), SECOND, THIRD) for each in judged]
CPT = "http://www.ama-assn.org/go/cpt"


def order(**elements: Any) -> dict[str, Any]:
    return {"resourceType": "ServiceRequest", "status": "draft", "intent": "order", **elements}


@pytest.mark.parametrize(("tier", "bar"), [("plain", 0.99), ("hard", 0.90)])
@pytest.mark.parametrize("judged", SETS.values(), ids=SETS)
def test_the_labelled_cases_of_each_tier_are_answered_right(judged: list[Judged], tier: str, bar: float) -> None:
    those = [each for each in judged if each.case["tier"] == tier]
    assert len(those) >= 100
    assert sum(each.is_right for each in those) / len(those) >= bar, "\n" + figures(judged)


@pytest.mark.parametrize("judged", SETS.values(), ids=SETS)
def test_no_plain_no_is_ever_answered_yes(judged: list[Judged]) -> None:
    plain = [each for each in judged if each.case["answer"] == "no" and each.case["tier"] == "plain"]
    assert len(plain) >= 100
    assert [each.case["id"] for each in plain if each.found.answer is Answer.YES] == []


def test_every_order_of_the_second_look_is_answered_right() -> None:
    assert len(SECOND) == 281
    assert all(each.is_right for each in SECOND), "\n" + figures(SECOND)


def test_of_the_third_look_no_plain_order_is_answered_wrong_outright_and_few_hard_ones() -> None:
    assert len(THIRD) == 696
    wrong = [each for each in THIRD if not each.is_right]
    assert all(each.case["tier"] == "hard" or each.found.answer is Answer.POSSIBLY for each in wrong), "\n" + figures(THIRD)
    assert len(wrong) <= 14, "\n" + figures(THIRD)


def test_an_order_passed_over_at_a_glance_is_always_answered_no() -> None:
    for each in JUDGED:
        for ascii_only in (True, False):
            raw = json.dumps(each.case["order"], ensure_ascii=ascii_only).encode()
            assert may_concern(raw, vocabulary()) or each.found.answer is Answer.NO, each.case["id"]


def test_a_no_under_an_unlisted_code_says_which_examination_is_named_instead() -> None:
    named = order(code={"coding": [{"system": CPT, "code": "76498", "display": "MRI fetal"}]})
    found = recognise(named, vocabulary())
    assert (found.answer, found.rule) == (Answer.NO, "N9")
    assert found.reason == "The order names another unlisted MR procedure under CPT 76498."


@pytest.mark.parametrize(
    "text",
    [
        "MRI knee without contrast",
        "Chest radiograph",
        "Mammogram screening",
        "CT angiogram head",
        "MR urogram",
        "CT myelogram lumbar",
        "Open MRI lumbar spine",
        "Weight program",
        "Photograph of wound",
        "Echocardiogram",
        "knee pain x n.",
    ],
)
def test_most_ordinary_orders_are_passed_over_at_a_glance(text: str) -> None:
    ordinary = order(code={"coding": [{"system": CPT, "code": "73721", "display": text}]}, note=[{"text": f"n. {text}.\n{text}"}])
    assert not may_concern(json.dumps(ordinary).encode(), vocabulary())


@pytest.mark.parametrize(
    "text",
    [
        "MR nuerogram",
        "MR nuerographi arm",
        "MR meurography",
        "MRI\nnuerography",
        "MRInuerogram",
        "MRI sciatic n. left",
        "MRI n. ulnaris",
    ],
)
def test_a_misspelt_or_abbreviated_order_is_not_passed_over(text: str) -> None:
    assert may_concern(json.dumps(order(code={"text": text})).encode(), vocabulary())
    assert recognise(order(code={"text": text}), vocabulary()).answer is not Answer.NO


@pytest.mark.parametrize(
    "raw",
    [
        b'{"code": {"text": "MR \\u006eeurography"}}',
        '{"code": {"text": "MR neu\u00adrography"}}'.encode(),
        '{"code": {"text": "ＭＲ ｎｅｕｒｏｇｒａｐｈｙ"}}'.encode(),
        b'{"text": {"div": "<div>MR &#110;&#101;&#117;&#114;ography</div>"}}',
    ],
)
def test_escaped_and_disguised_letters_are_seen_at_a_glance(raw: bytes) -> None:
    assert may_concern(raw, vocabulary())


def test_every_case_decided_by_a_rule_gives_its_reason_and_its_words() -> None:
    for each in JUDGED:
        assert each.found.rule
        assert each.found.reason.endswith((".", '"', "!"))
        assert "\n" not in each.found.reason.strip() or each.found.answer is not Answer.YES
        for evidence in each.found.evidence:
            assert evidence.element
            assert len(evidence.words) <= 120
        if each.found.answer is not Answer.NO:
            assert any(evidence.weighs == "for" for evidence in each.found.evidence), each.case["id"]


def test_the_evidence_names_the_element_and_quotes_the_order() -> None:
    found = recognise(order(code={"text": "MRI pelvis"}, note=[{"text": "x"}, {"text": "Bitte MR-Neurographie é"}]), vocabulary())
    assert found.answer is Answer.YES
    assert found.evidence[0].element == "note[1].text"
    assert found.evidence[0].words == "Bitte MR-Neurographie é"


def test_what_spoke_against_stands_in_the_evidence() -> None:
    found = recognise(order(code={"text": "MR neurography pelvis"}, note=[{"text": "No neurography."}]), vocabulary())
    assert (found.answer, found.rule) == (Answer.POSSIBLY, "P4")
    assert [evidence.weighs for evidence in found.evidence] == ["for", "against"]


@pytest.mark.parametrize("status", ["draft", "active", "on-hold", "completed", "unknown", None, 5, {"a": []}, ["revoked"]])
def test_only_revoked_and_entered_in_error_are_dead(status: Any) -> None:
    assert recognise(order(status=status, code={"text": "MR neurography"}), vocabulary()).answer is Answer.YES


@pytest.mark.parametrize("elements", [{"status": "revoked"}, {"status": "entered-in-error"}, {"doNotPerform": True}])
def test_a_dead_or_forbidden_order_asks_for_nothing(elements: dict[str, Any]) -> None:
    found = recognise(order(code={"text": "MR neurography"}) | elements, vocabulary())
    assert (found.answer, found.rule) == (Answer.NO, "D1")


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.decimals(allow_nan=False)
    | st.text(max_size=30)
    | st.sampled_from(
        ["MR neurography", "76498", CPT, "MRN", "no neurogram", "nerve evaluation", "neurography?", "MRI or neurogram"]
    ),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                [
                    "code",
                    "coding",
                    "text",
                    "display",
                    "system",
                    "extension",
                    "url",
                    "valueString",
                    "note",
                    "div",
                    "valueCodeableConcept",
                    "valueBoolean",
                ]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=25,
)
ELEMENTS = [
    "code",
    "note",
    "reasonCode",
    "orderDetail",
    "bodySite",
    "category",
    "extension",
    "text",
    "patientInstruction",
    "status",
    "doNotPerform",
    "performer",
]


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(st.sampled_from(ELEMENTS), JSON, max_size=8))
def test_any_json_in_any_element_is_survived(elements: dict[str, Any]) -> None:
    found = recognise(elements, vocabulary())
    assert found.answer in Answer
    raw = json.dumps(elements, default=str).encode()
    assert may_concern(raw, vocabulary()) or found.answer is Answer.NO


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=200))
def test_any_text_beside_the_name_is_survived(text: str) -> None:
    recognise(order(code={"text": f"MRI {text}"}, note=[{"text": f"{text} neurography {text}"}]), vocabulary())


def test_what_is_remembered_of_a_name_is_told_of_each_order_at_its_own_element() -> None:
    text = "MR neurography of the left arm"
    for concept, element in (({"text": text}, "code.text"), ({"coding": [{"display": text}]}, "code.coding[0].display")):
        assert [each.element for each in recognise(order(code=concept), vocabulary()).evidence] == [element]


def test_only_short_names_and_categories_are_remembered_and_neither_notes_nor_reasons() -> None:
    def kept(**elements: Any) -> int:
        mentions._scan_name.cache_clear()
        recognition._by_names.cache_clear()
        recognise(order(**elements), vocabulary())
        return mentions._scan_name.cache_info().currsize

    said: dict[str, Any] = {"text": "MR neurography"}
    assert kept(code=said) == kept(code={"coding": [{"display": "MR neurography"}]}) == kept(category=[said]) == 1
    assert kept(note=[said], reasonCode=[said], orderDetail=[said], bodySite=[said], extension=[{"valueString": "nerve"}]) == 0
    assert kept(text={"div": "<div>Procedure: MR neurography</div>"}, note=[{"text": "Exam: MR neurography"}]) == 0
    assert kept(code={"text": "MR neurography " + "x" * mentions.LONGEST_NAME}) == 0


def test_no_more_names_are_remembered_than_their_bound() -> None:
    mentions._scan_name.cache_clear()
    for number in range(mentions.KNOWN_NAMES + 20):
        recognise(order(code={"text": f"MR neurography {number}"}), vocabulary())
    assert mentions._scan_name.cache_info().currsize == mentions.KNOWN_NAMES


def test_a_name_is_remembered_for_each_vocabulary_by_itself() -> None:
    other = compile_vocabulary(Vocabulary(procedure="scan", triggers=("scan",), names=Names(words=("scan",))))
    for _ in range(2):
        assert recognise(order(code={"text": "scan of a nerve"}), other).answer is Answer.YES
        assert recognise(order(code={"text": "scan of a nerve"}), vocabulary()).answer is Answer.NO


def decided_anew(order: dict[str, Any]) -> Recognition:
    """What ``recognise`` answers to an order whose names were never seen, with all its texts at hand."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recognition, "_by_names", lambda *_: None)
        return recognise(order, vocabulary())


@pytest.mark.parametrize("judged", SETS.values(), ids=SETS)
def test_an_order_whose_names_were_seen_before_is_decided_as_if_they_never_were(judged: list[Judged]) -> None:
    for _ in range(2):
        for each in judged:
            assert recognise(each.case["order"], vocabulary()) == decided_anew(each.case["order"]), each.case["id"]


#: What may stand beside an order's names: said of the patient, asked of the doctor, taken back, sent elsewhere, coded.
BESIDE: dict[str, list[Any]] = {
    "note": [
        [{"text": text}]
        for text in (
            "Weakness for six months.",
            "routine protocol only",
            "Please do the routine study instead",
            "3 tesla with gadolinium",
            "EMG done. Please schedule CT of the chest",
            "neurography",
            "no neurogram needed",
            "Fluoroscopic guided injection, please perform",
            "Prozedur: MRT",
            "\u00e9tude \u2013 routine seulement",
        )
    ],
    "reasonCode": [
        [{"text": "brachial plexopathy"}],
        [{"coding": [{"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": "G54.0", "display": "Disorder"}]}],
        [{"coding": [{"system": "http://radlex.org", "code": "RID38779"}, {"system": "http://radlex.org", "code": "RID10312"}]}],
        [{"coding": [{"system": "http://radlex.org", "code": "rid10312"}]}],
    ],
    "bodySite": [[{"text": "left arm"}], [{"text": "brachial plexus nerves"}]],
    "performer": [[{"display": "Radiology MRI"}], [{"display": "Dr. Avery"}]],
    "patientInstruction": ["Drink nothing.", "without neurography"],
    "orderDetail": [[{"text": "nerve protocol"}], [{"coding": [{"code": "76498"}]}]],
    "text": [{"div": "<div>Procedure: MRI of the nerve</div>"}, {"div": "<div>contrast 3T</div>"}],
    "extension": [
        [{"extension": [{"url": "question", "valueString": "Modality"}, {"url": "answer", "valueString": word}]}]
        for word in ("MRI", "CT", "none")
    ]
    + [[{"url": "urn:x", "valueString": "MRI safety form completed"}], [{"url": "urn:x", "valueCoding": {"code": "76498"}}]],
    "status": ["draft", "revoked"],
}


@settings(max_examples=600, deadline=None)
@given(st.sampled_from(JUDGED), st.fixed_dictionaries({}, optional={k: st.sampled_from(v) for k, v in BESIDE.items()}), st.text())
def test_whatever_stands_beside_names_seen_before_is_weighed_as_if_they_never_were(
    judged: Judged, beside: dict[str, Any], said: str
) -> None:
    names = {name: value for name, value in judged.case["order"].items() if name in ("resourceType", "code", "category")}
    recognise(names, vocabulary())
    for elements in (beside, beside | {"note": [{"text": said}]}, judged.case["order"] | beside):
        whole = names | elements
        assert recognise(whole, vocabulary()) == decided_anew(whole)


def test_an_order_is_not_read_again_whose_note_alone_is_new(monkeypatch: pytest.MonkeyPatch) -> None:
    recognition._by_names.cache_clear()
    said = {"coding": [{"system": CPT, "code": "76498"}], "text": "MR neurography left arm"}
    first = recognise(order(code=said, note=[{"text": "Weakness since May"}]), vocabulary())
    monkeypatch.setattr(recognition, "Case", None)
    assert recognise(order(code=said, note=[{"text": "Numbness since June"}], status="active"), vocabulary()) == first


def test_no_word_of_a_note_or_a_reason_is_held_with_what_names_say() -> None:
    recognition._by_names.cache_clear()
    seen: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recognition, "Case", lambda read, by: seen.append(str(read)) or Case(read, by))
        recognise(
            order(
                code={"text": "MR neurography"},
                note=[{"text": "Weakness"}],
                reasonCode=[{"text": "Plexopathy", "coding": [{"code": "G54.0"}]}],
                performer=[{"display": "Dr. Avery"}],
            ),
            vocabulary(),
        )
    assert recognition._by_names.cache_info().currsize == len(seen) == 1
    assert not any(word in seen[0] for word in ("Weakness", "Plexopathy", "G54.0", "Avery"))


def test_what_names_say_is_remembered_of_few_and_short_names_only() -> None:
    def kept(**elements: Any) -> int:
        recognition._by_names.cache_clear()
        recognise(order(**elements), vocabulary())
        return recognition._by_names.cache_info().currsize

    coding = {"system": CPT, "code": "76498"}
    assert kept(code={"text": "MR neurography"}) == 1
    assert kept(code={"text": "MR neurography " + "x" * mentions.LONGEST_NAME}) == 0
    assert kept(code={"text": "MR neurography", "coding": [coding] * (catalogue_names.MOST_NAMES + 1)}) == 0
    assert kept(code={"text": "MR neurography", "coding": [coding | {"system": "urn:" + "x" * mentions.LONGEST_NAME}]}) == 0
    for number in range(mentions.KNOWN_NAMES + 20):
        recognise(order(code={"text": f"MR neurography {number}"}), vocabulary())
    assert recognition._by_names.cache_info().currsize == mentions.KNOWN_NAMES


@pytest.mark.parametrize("judged", SETS.values(), ids=SETS)
def test_a_text_passed_over_at_a_glance_downgrades_nothing(judged: list[Judged]) -> None:
    for each in judged:
        for text in collect(each.case["order"]).texts:
            if not clauses.may_downgrade(text.words) and not is_triggered(text.words, vocabulary()):
                scanned = mentions.scan(text, vocabulary())
                assert clauses.downgrades(scanned.passage, scanned.parts) == "", text.words


def test_deep_nesting_is_not_followed() -> None:
    nested: Any = "MR neurography"
    for _ in range(500):
        nested = {"extension": [nested], "url": "x"}
    assert recognise(order(extension=[nested]), vocabulary()).answer is Answer.NO


HOSTILE = [
    "neurography ",
    "no no not ",
    "MR neurography or MRI vs no prior ",
    "MRN brachial plexus ",
    "76498 ",
    "?.;:,-/()",
    "a",
    "if ",
    "nerve ",
    "neuro ",
    "\n",
    "prior: ",
    "<b>",
    "&amp;",
    "n-",
    "é",
    "neuro-",
    "ogra",
    "nuerogrpahy ",
    "w/o ",
    "[ ] ",
    "[x] MRN ( ) ",
    "Contrast: no\n",
    "do not cancel ",
]


@pytest.mark.parametrize(
    ("unit", "element"),
    [*((unit, "note") for unit in HOSTILE), ("MRN of ", "code"), ("nuerogrpahy ", "code"), ("<b>", "div"), ("<td>x", "div")],
)
def test_hostile_text_costs_no_more_than_its_length(unit: str, element: str) -> None:
    def made(length: int) -> dict[str, Any]:
        text = ("neurography " + unit * (length // len(unit)))[:length]
        if element == "note":
            return order(
                code={"text": "MRI"}, note=[{"text": text[start : start + 18_000]} for start in range(0, length, 18_000)]
            )
        return order(code={"text": text}) if element == "code" else order(text={"div": f"<div>{text}</div>"})

    small, large = made(4_000), made(100_000)
    recognise(made(4_001), vocabulary())  # warm; of another length, so that nothing remembered can flatter the measure
    few, many = _cost(lambda: recognise(small, vocabulary())), _cost(lambda: recognise(large, vocabulary()))
    assert many < 25 * few * 6 + 0.05  # 25 times as long; the rest is the slack of a busy machine
    assert many < 4.0


def _cost(call: Callable[[], object]) -> float:
    gc.disable()  # a full collection among all the tests' objects takes longer than the call
    try:
        start = time.process_time()
        call()
        return time.process_time() - start
    finally:
        gc.enable()

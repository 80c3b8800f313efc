"""Policies as dated data: which version holds, what the packaged file says, and how a defective file is refused."""

from __future__ import annotations

import hashlib
import re
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cds_service.crd.errors import PolicyError
from cds_service.crd.policy import MAX_SUMMARY, Policy, parse_policy, summaries
from cds_service.crd.service_dates import Span
from cds_service.policy_files import PACKAGED, load_policies, load_policy, policy_paths

ADOPTED, CHANGED = date(2011, 6, 1), date(2023, 11, 1)


def over(policy: Policy, *spans: tuple[date, date]) -> list[date]:
    return [version.start for version in policy.versions_over(Span(*span) for span in spans)]


# Which version holds


@pytest.mark.parametrize(
    ("day", "start"),
    [
        (date(2011, 5, 31), None),
        (date(2011, 6, 1), ADOPTED),
        (date(2023, 10, 31), ADOPTED),
        (date(2023, 11, 1), CHANGED),
        (date.min, None),
        (date.max, CHANGED),
    ],
)
def test_a_version_holds_from_its_day_until_the_day_before_the_next(policy: Policy, day: date, start: date | None) -> None:
    version = policy.version_on(day)
    assert (version.start if version else None) == start


def test_a_span_has_every_version_that_holds_on_one_of_its_days_in_order(policy: Policy) -> None:
    assert over(policy, (date(2023, 10, 31), date(2023, 11, 1))) == [ADOPTED, CHANGED]
    assert over(policy, (date(2023, 11, 5), date(2023, 11, 6)), (date(2023, 1, 1), date(2023, 1, 1))) == [ADOPTED, CHANGED]
    assert over(policy, (date.min, date(2011, 5, 31))) == []
    assert over(policy, (date.min, date(2011, 6, 1))) == [ADOPTED]
    assert over(policy, (date.min, date.max)) == [ADOPTED, CHANGED]


def test_no_days_have_no_version(policy: Policy) -> None:
    assert over(policy) == []


@given(st.dates(), st.integers(0, 9000))
@settings(max_examples=80, deadline=None)
def test_a_span_has_the_versions_of_its_days_and_no_others(policy: Policy, first: date, length: int) -> None:
    last = min(first + timedelta(days=length), date.max) if first < date(9970, 1, 1) else first
    ends = {policy.version_on(first), policy.version_on(last)}
    assert {None, *policy.versions_over((Span(first, last),))} == {None, *ends}


# What the packaged file says


def test_the_packaged_policy_asserts_on_each_side_of_the_change_what_its_source_says(policy: Policy) -> None:
    before, after = policy.document.versions
    assert (before.start, before.covered, before.determination) == (ADOPTED, "not-covered", "non-covered, investigational")
    assert "policy #177" in before.authority
    assert "adopted June 2011" in before.authority
    assert (after.start, after.covered) == (CHANGED, "not-covered")
    assert "refers to CMS Manual 100-02" in after.authority
    assert "Chapter 16" in after.authority
    assert "does not name MR neurography" in after.authority
    assert "not an organization determination" in after.authority
    assert [reference.url for reference in after.references if reference.url] == [
        "https://www.cms.gov/Regulations-and-Guidance/Guidance/Manuals/Downloads/bp102c16.pdf"
    ]


def test_no_words_for_the_days_before_the_change_claim_a_day_of_adoption(policy: Policy) -> None:
    before = policy.document.versions[0]
    shown = " ".join(
        [before.summary_alone, before.summary_among, before.authority, before.reason, before.statement, before.in_force]
    )
    assert not re.search(r"6/1/2011|June 1|2011-06", shown)


def test_every_summary_has_its_parts_and_fewer_than_140_characters(policy: Policy) -> None:
    before, after = policy.document.versions
    for versions, authorities in [
        ((before,), ["policy #177"]),
        ((after,), ["refer to CMS Manual 100-02, Chapter 16", "from 11/1/2023"]),
        ((before, after), ["policy #177", "refer to CMS Manual 100-02, Chapter 16"]),
    ]:
        for summary in summaries(policy, versions):
            assert len(summary) < 140
            assert all(part in summary for part in ["MR neurography", "non-covered", "investigational", *authorities])


def test_the_packaged_policy_lists_the_codes_and_the_override_reasons(policy: Policy) -> None:
    assert [code.code for code in policy.document.codes] == ["76498", "64999"]
    assert len({reason.code for reason in policy.document.override.reasons}) == 4


def test_the_digest_is_of_the_files_bytes_line_ends_and_all(tmp_path: Path, policy_text: str) -> None:
    path = tmp_path / "p.toml"
    path.write_bytes(policy_text.replace("\n", "\r\n").encode())
    assert load_policy(path).sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


# Defective files


def defect(text: str) -> PolicyError:
    with pytest.raises(PolicyError) as caught:
        parse_policy(text, "spoilt.toml")
    return caught.value


def spoilt(text: str, old: str, new: str) -> str:
    assert old in text
    return text.replace(old, new, 1)


SECOND = "from = 2023-11-01\n"
REFERENCES = re.compile(r"references = \[\n.*?\n\]\n", re.DOTALL)

DEFECTS: dict[str, tuple[str, str, str, str, str]] = {
    # what is wrong: (old, new, place, value, cure)
    "misspelt key": ('\nwhy = "The plan archived', '\nwyh = "The plan archived', "versions[1]", "wyh", "correct its spelling"),
    "misspelt key at the top": ('number = "177"', 'nubmer = "177"', "top level", "nubmer", "correct its spelling"),
    "missing key": ('category = "Radiology"\n', "", "top level", "category", "add it"),
    "missing key of a version": (SECOND, "", "versions[1]", "from", "add it"),
    "blank text": ('number = "177"', 'number = " "', "number", "' '", "write something"),
    "number for a text": ('number = "177"', "number = 177", "number", "177", "as blue-advantage-177.toml does"),
    "text for a list": (
        "plan_names = [",
        'plan_names = "Blue"\nfurther = [',
        "coverage",
        "plan_names",
        "blue-advantage-177.toml",
    ),
    "dates out of order": (SECOND, "from = 2011-05-31\n", "versions[1].from", "2011-05-31", "order versions by date"),
    "the same date twice": (SECOND, "from = 2011-06-01\n", "versions[1].from", "2011-06-01", "order versions by date"),
    "no date": (SECOND, 'from = "soon"\n', "versions[1].from", "soon", "write a date as 2023-11-01"),
    "half a date": (SECOND, 'from = "2023-11"\n', "versions[1].from", "2023-11", "write a date as 2023-11-01"),
    "a date with a time": (
        SECOND,
        "from = 2023-11-01T00:00:00\n",
        "versions[1].from",
        "2023-11-01 00:00:00",
        "without quotes or time",
    ),
    "a day that is none": (SECOND, "from = 2023-02-30\n", "TOML", "line", "mend the syntax"),
    "unknown assertion": ('covered = "not-covered"', 'covered = "no"', "versions[0].covered", "'no'", "use one"),
    "no absolute address": (
        'url = "https://www.cms.gov/',
        'url = "www.cms.gov/',
        "versions[1].references[0].url",
        "www.cms",
        "absolute",
    ),
    "address of another kind": (
        'url = "https://www.cms.gov/',
        'url = "javascript:alert(1)//',
        "references[0].url",
        "javascript",
        "absolute",
    ),
    "address with a space": ("bp102c16.pdf", "bp102c16.pdf x", "versions[1].references[0].url", "pdf x", "absolute"),
    "two override reasons of one code": (
        'code = "patient-informed"',
        'code = "clinical-trial"',
        "override.reasons",
        "clinical-trial",
        "a code of its own",
    ),
    "id that is no part of an address": (
        'id = "blue-advantage-177"',
        'id = "Blue Advantage"',
        "id",
        "Blue Advantage",
        "lower-case",
    ),
    "summary too long": (
        'summary_alone = "Blue Advantage policy #177"',
        f'summary_alone = "{"long " * 30}"',
        "versions[0].summary_alone",
        "long long",
        "shorten it",
    ),
    "summary too long beside another": (
        'summary_among = "To 10/31/2023 policy #177"',
        f'summary_among = "{"x" * 70}"',
        "versions[0].summary_among",
        "xxx",
        "shorten it",
    ),
    "code without a system": ('code = "CPT 76498"', 'code = "76498"', "recognition", "'76498'", "with a SYSTEM of"),
    "keyword with an unknown place": ('where = "name"', 'where = "nmae"', "recognition.keywords[3].where", "'nmae'", "use one"),
    "keyword with an unknown answer": (
        'with_modality = "yes"',
        'with_modality = "no"',
        "recognition.keywords[0].with_modality",
        "'no'",
        "use one",
    ),
    "keyword with an unknown answer alone": (
        'alone = "possibly"',
        'alone = "yes"',
        "recognition.keywords[0].alone",
        "'yes'",
        "use one",
    ),
    "a rule that does not exist": ('rule = "N10"', 'rule = "Z99"', "recognition.other_services[7].rule", "'Z99'", "use one"),
    "a rule that says nothing of another service": (
        'rule = "N4"',
        'rule = "M1"',
        "recognition.other_services[1].rule",
        "'M1'",
        "use one",
    ),
    "a rule of a key word that does not exist": (
        'rule = "M3"',
        'rule = "M33"',
        "recognition.keywords[0].rule",
        "'M33'",
        "use one",
    ),
    "where for another service": (
        'rule = "N4"',
        'rule = "N4"\nwhere = "name"',
        "recognition.other_services[1]",
        "`where`",
        "take it out",
    ),
    "another examination with an unknown place": (
        'where = "name-unless-unlisted"',
        'where = "nonsense"',
        "recognition.other_exams[2].where",
        "'nonsense'",
        "use one",
    ),
    "codes of another examination": (
        'label = "another unlisted MR procedure"',
        'label = "x"\ncodes = ["CPT 76390"]',
        "recognition.other_exams[0]",
        "`codes`",
        "take it out",
    ),
    "categories of another examination": (
        'label = "another unlisted MR procedure"',
        'label = "x"\ncategories = ["mr"]',
        "recognition.other_exams[0]",
        "`categories`",
        "take it out",
    ),
    "another examination that performs": (
        'label = "another unlisted MR procedure"',
        'label = "x"\nperforms = true',
        "recognition.other_exams[0]",
        "`performs`",
        "take it out",
    ),
    "unknown key of the vocabulary": (
        "[recognition]",
        '[recognition]\ncolour = "blue"',
        "recognition",
        "colour",
        "correct its spelling",
    ),
}


@pytest.mark.parametrize(("old", "new", "place", "value", "cure"), DEFECTS.values(), ids=DEFECTS.keys())
def test_a_defect_is_told_with_file_place_value_and_cure(
    policy_text: str, old: str, new: str, place: str, value: str, cure: str
) -> None:
    error = defect(spoilt(policy_text, old, new))
    assert error.file == "spoilt.toml"
    assert place in error.place
    assert str(error).startswith(f"spoilt.toml: {error.place}: ")
    assert value in str(error)
    assert cure in str(error)
    assert "\n" not in str(error)


@pytest.mark.parametrize("instead", ["", "references = []\n"])
def test_every_version_needs_a_reference(policy_text: str, instead: str) -> None:
    error = defect(REFERENCES.sub(instead, policy_text, count=1))
    assert "versions[0]" in error.place
    assert "references" in str(error)
    assert "add it" in str(error) or "give at least one" in str(error)


@pytest.mark.parametrize(
    "text", ["", "id = ", "{}", "not toml at all", "[[versions]", 'a = "' + "\x00" + '"', "n = " + "9" * 5000]
)
def test_what_is_no_policy_is_a_policy_error(text: str) -> None:
    assert "spoilt.toml: " in str(defect(text))


def test_nesting_without_end_is_a_policy_error() -> None:
    assert defect("a = " + "[" * 5000).place == "TOML"


def test_the_summary_just_short_enough_is_accepted_and_one_character_more_is_not(policy_text: str, policy: Policy) -> None:
    room = MAX_SUMMARY - len(summaries(policy, policy.document.versions[:1])[1])
    old = 'summary_alone = "Blue Advantage policy #177"'
    fits = parse_policy(spoilt(policy_text, old, f'summary_alone = "Blue Advantage policy #177{"." * room}"'), "p.toml")
    assert max(map(len, summaries(fits, fits.document.versions[:1]))) == 139
    defect(spoilt(policy_text, old, f'summary_alone = "Blue Advantage policy #177{"." * (room + 1)}"'))


def test_versions_that_assert_different_things_are_each_told_in_a_summary(policy_text: str) -> None:
    start = policy_text.index(SECOND)
    second = policy_text[start:]
    for old, new in [
        ('"non-covered, investigational"', '"covered"'),
        ('"not-covered"', '"covered"'),
        ('"then refer to CMS Manual 100-02, Chapter 16"', '"then policy #178"'),
    ]:
        second = spoilt(second, old, new)
    policy = parse_policy(policy_text[:start] + second, "p.toml")
    told = policy.summary_of(policy.document.versions)
    assert told == "To 10/31/2023 policy #177: non-covered, investigational; then policy #178: covered"


# Folders


def test_the_packaged_policies_come_first_and_then_those_of_the_folder(tmp_path: Path, policy_text: str) -> None:
    (tmp_path / "b.toml").write_text(spoilt(policy_text, "blue-advantage-177", "second"), encoding="utf-8")
    (tmp_path / "notes.txt").write_text("not a policy", encoding="utf-8")
    assert [path.name for path in policy_paths(tmp_path)] == ["blue-advantage-177.toml", "b.toml"]
    assert [policy.id for policy in load_policies(tmp_path)] == ["blue-advantage-177", "second"]
    assert [policy.id for policy in load_policies(None)] == ["blue-advantage-177"]


def test_two_policies_of_one_id_are_refused(tmp_path: Path, policy_text: str) -> None:
    (tmp_path / "copy.toml").write_text(policy_text, encoding="utf-8")
    with pytest.raises(PolicyError, match="give each policy its own id") as caught:
        load_policies(tmp_path)
    assert str(PACKAGED / "blue-advantage-177.toml") in str(caught.value)
    assert caught.value.place == "id"


@pytest.mark.parametrize("content", [b"\xff\xfe", None])
def test_a_file_that_cannot_be_read_is_a_policy_error(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "odd.toml"
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    with pytest.raises(PolicyError, match="make it readable UTF-8"):
        load_policy(path)

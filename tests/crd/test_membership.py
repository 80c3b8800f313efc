"""Is a Coverage ours? A table of Coverages as payers and EHRs write them, judged as the plan's coverage analyst would."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cds_service.crd import membership
from cds_service.crd.fhir import Resource
from cds_service.crd.membership import CoverageReading, Insurer, Membership, identify_coverage
from cds_service.crd.payer_names import name_words
from cds_service.crd.policy import Policy
from cds_service.crd.policy_file import Identifier
from cds_service.crd.remembered import Remembered
from cds_service.crd.service_dates import ServiceDates, Span

from .builders import CHICAGO, OURS, as_resource, coverage, member_coverage, plan

MEMBER, OTHER, UNKNOWN = Membership.MEMBER, Membership.OTHER, Membership.UNKNOWN
DAY = ServiceDates((Span(date(2023, 11, 1), date(2023, 11, 1)),), "occurrenceDateTime")


def read(
    body: Any,
    policy: Policy,
    organizations: Mapping[tuple[str, str], Any] | None = None,
    dates: ServiceDates = DAY,
    patient: str = "pat-1",
) -> CoverageReading:
    sent = as_resource(body)
    return identify_coverage(sent, organizations or {}, patient, CHICAGO, policy.document.coverage).on(sent, dates)


# What the payor's name alone tells

NAMES = [
    # ours, with the plan
    ("Blue Advantage (BlueCross BlueShield of Alabama)", MEMBER),
    ("BlueCross BlueShield of Alabama - Blue Advantage", MEMBER),
    ("BLUE CROSS AND BLUE SHIELD OF ALABAMA BLUE ADVANTAGE PPO", MEMBER),
    ("Blue Cross & Blue Shield of Alabama / BlueAdvantage", MEMBER),
    ("BCBS of Alabama Blue Advantage Complete (PPO)", MEMBER),
    ("BCBS AL Blue Advantage", MEMBER),
    ("BCBSAL BLUE ADV", MEMBER),
    ("BCBSAL BLUEADV PPO", MEMBER),
    ("BC/BS of Alabama: Blue Advantage Premier", MEMBER),
    ("Alabama Blue Cross Blue Advantage", MEMBER),
    ("Blue Advantage of Alabama", MEMBER),
    ("BlueAdvantage (AL)", MEMBER),
    ("BCBS Blue Advantage, Birmingham AL", MEMBER),
    ("Blue Advantage® from BlueCross BlueShield of Alabama", MEMBER),
    ("Blue Advantage™ BlueCross BlueShield of Alabama℠", MEMBER),
    ("Ｂｌｕｅ　Ａｄｖａｎｔａｇｅ　ＢＣＢＳＡＬ", MEMBER),
    ("Blüe Ádvantage – BlueCross BlueShield of Alabama", MEMBER),
    ("Blue-Advantage / Blue-Cross Blue-Shield of Alabama", MEMBER),
    ("blue\u00a0advantage bcbs\u00a0of\u00a0alabama", MEMBER),
    ("Blue\u200bAdvantage BCBSAL", MEMBER),
    ("BLUE_ADVANTAGE BCBS_AL", MEMBER),
    ("BlueCrossBlueShield of Alabama BlueAdvantage", MEMBER),
    # ours, no plan named
    ("BlueCross BlueShield of Alabama", UNKNOWN),
    ("Blue Cross Blue Shield of Alabama, 450 Riverchase Parkway East, Birmingham", UNKNOWN),
    ("BCBS of Ala.", UNKNOWN),
    ("BCBSAL", UNKNOWN),
    ("BCBS Alabama Medicare Advantage PPO", UNKNOWN),
    ("Blue Cross PPO Alabama", UNKNOWN),
    # ours, another plan
    ("BCBS of Alabama Federal Employee Program", OTHER),
    ("BlueCross BlueShield of Alabama C Plus Medicare Supplement", OTHER),
    # the plan's name and no word of whose
    ("Blue Advantage", UNKNOWN),
    ("BLUE ADVANTAGE (PPO)", UNKNOWN),
    ("BlueAdvantage Medicare", UNKNOWN),
    ("Blue Advantage™", UNKNOWN),
    ("Blue Advantage H0104-013", UNKNOWN),
    ("Blue Cross Blue Shield Blue Advantage", UNKNOWN),
    # a brand that many share
    ("Blue Cross Blue Shield", UNKNOWN),
    ("BCBS", UNKNOWN),
    ("BCBS PPO", UNKNOWN),
    ("BlueCard PPO", UNKNOWN),
    ("Blue Cross Blue Shield Association", UNKNOWN),
    # like names elsewhere
    ("BlueAdvantage Administrators of Arkansas", OTHER),
    ("BlueAdvantage Administrators", OTHER),
    ("Arkansas Blue Cross and Blue Shield", OTHER),
    ("BlueCross BlueShield of Tennessee BlueAdvantage (PPO)", OTHER),
    ("BCBST BlueAdvantage", OTHER),
    ("BlueAdvantage TN", OTHER),
    ("Blue Cross and Blue Shield of Louisiana Blue Advantage (HMO)", OTHER),
    ("Blue Advantage (LA)", OTHER),
    ("Blue Cross Blue Shield of Texas Blue Advantage HMO", OTHER),
    ("Blue Plus Blue Advantage (Minnesota)", OTHER),
    ("Blue Plus", OTHER),
    ("Blue Cross and Blue Shield of Minnesota", OTHER),
    ("Blue Cross Blue Shield of Georgia", OTHER),
    ("Blue Cross & Blue Shield of Mississippi", OTHER),
    ("Florida Blue", OTHER),
    ("Anthem Blue Cross Blue Shield", OTHER),
    ("Blue Shield of California", OTHER),
    ("Blue Cross Blue Shield Federal Employee Program", OTHER),
    # others
    ("Medicare", OTHER),
    ("MEDICARE PART B", OTHER),
    ("Medicare Part A and B", OTHER),
    ("Original Medicare", OTHER),
    ("Centers for Medicare and Medicaid Services", OTHER),
    ("Palmetto GBA", OTHER),
    ("Alabama Medicaid", OTHER),
    ("Aetna", OTHER),
    ("Aetna Medicare Advantage", OTHER),
    ("VIVA Health", OTHER),
    ("VIVA Medicare Plus", OTHER),
    ("Humana Gold Plus", OTHER),
    ("UnitedHealthcare Dual Complete", OTHER),
    ("Cigna HealthSpring", OTHER),
    ("TRICARE", OTHER),
    ("Kaiser Permanente Senior Advantage", OTHER),
    # names that name nobody
    ("Medicare Advantage", UNKNOWN),
    ("Medicare Advantage PPO", UNKNOWN),
    ("Medicare Replacement", UNKNOWN),
    ("Medicare Part C", UNKNOWN),
    ("Unknown", UNKNOWN),
    ("Insurance Company", UNKNOWN),
    ("Primary Insurance", UNKNOWN),
    ("Private insurance", UNKNOWN),
    ("Commercial PPO", UNKNOWN),
    ("Payer 1", UNKNOWN),
    ("Test Payor", UNKNOWN),
    ("N/A", UNKNOWN),
    ("***", UNKNOWN),
    ("00510", UNKNOWN),
    # the patient pays: nobody is named, and a member may be the one who pays for what is not covered
    ("Self-pay", UNKNOWN),
    ("SELF PAY / UNINSURED", UNKNOWN),
]


@pytest.mark.parametrize(("name", "expected"), NAMES, ids=[name for name, _ in NAMES])
@pytest.mark.parametrize("where", ["display", "contained Organization"])
def test_the_payors_name_tells(policy: Policy, where: str, name: str, expected: Membership) -> None:
    if where == "display":
        body = coverage(payor=[{"reference": "Organization/payor-1", "display": name}])
    else:
        organization = {"resourceType": "Organization", "id": "p", "name": name}
        body = coverage(contained=[organization], payor=[{"reference": "#p"}])
    assert read(body, policy).membership is expected


# What the whole Coverage tells


def org(name: Any = OURS, **elements: Any) -> dict[str, Any]:
    return {"resourceType": "Organization", "id": "p", "name": name, **elements}


def at(display: Any, *classes: Any, **elements: Any) -> dict[str, Any]:
    return coverage(payor=[{"display": display}], **{"class": list(classes), **elements})


COVERAGES: dict[str, tuple[dict[str, Any], Membership]] = {
    "plan class by name": (at(OURS, plan("Blue Advantage Premier (PPO)")), MEMBER),
    "plan class by value": (at(OURS, plan(value="Blue Advantage")), MEMBER),
    "plan class with a code for its value": (at(OURS, plan("Blue Advantage", "H0104-003")), MEMBER),
    "group class": (at(OURS, plan("Blue Advantage Group Retirees", "88001", "group")), MEMBER),
    "class whose type is only a text": (at(OURS, {"type": {"text": "Plan"}, "name": "Blue Advantage"}), MEMBER),
    "type text": (at(OURS, type={"text": "Blue Advantage PPO"}), MEMBER),
    "type display": (at(OURS, type={"coding": [{"code": "BA", "display": "Blue Advantage"}]}), MEMBER),
    "insurer only in the class": (coverage(**{"class": [plan("BCBS of Alabama Blue Advantage")]}), MEMBER),
    "insurer only in the type": (coverage(type={"text": "BCBSAL Blue Advantage"}), MEMBER),
    "plan in the class, shared brand as payor": (at("Blue Cross Blue Shield", plan("Blue Advantage")), UNKNOWN),
    "plan in the class, no payor told": (coverage(**{"class": [plan("Blue Advantage")]}), UNKNOWN),
    "plan in the class, Medicare Advantage as payor": (at("Medicare Advantage", plan("Blue Advantage")), UNKNOWN),
    "commercial plan named": (at(OURS, plan("Blue Secure Silver")), OTHER),
    "commercial plan named by value": (at(OURS, plan(value="Blue Saver Bronze")), OTHER),
    "subplan named": (at(OURS, plan("Federal Employee Program", kind="subplan")), OTHER),
    "supplement by type": (at(OURS, type={"text": "Medicare Supplement"}), OTHER),
    "our plan beside another name": (at(OURS, plan("Blue Secure Silver"), plan("Blue Advantage")), MEMBER),
    "class value is a code": (at(OURS, plan(value="MAPPO")), UNKNOWN),
    "class name is a code": (at(OURS, plan("H0104-013")), UNKNOWN),
    "class name is generic": (at(OURS, plan("Medicare Advantage PPO")), UNKNOWN),
    "class name is Unknown": (at(OURS, plan("Unknown")), UNKNOWN),
    "employer as group": (at(OURS, plan("City of Mobile", "12345", "group")), UNKNOWN),
    "employer of another state as group": (at(OURS, plan("Georgia Pacific", "1", "group"), plan("Blue Advantage")), MEMBER),
    "our state as group, brand as payor": (at("Blue Cross Blue Shield", plan("State of Alabama", kind="group")), UNKNOWN),
    "Arkansas plan in the class": (coverage(**{"class": [plan("BlueAdvantage Administrators of Arkansas")]}), OTHER),
    "Tennessee plan, brand as payor": (at("BlueCross BlueShield", plan("BlueAdvantage (Tennessee)")), OTHER),
    "Louisiana payor, plan in the class": (at("Blue Cross of Louisiana", plan("Blue Advantage")), OTHER),
    "Texas payor, plan in the class": (at("BCBSTX", plan("Blue Advantage Plus HMO")), OTHER),
    "another insurer with a like plan": (at("Aetna", plan("Advantage Blue")), OTHER),
    "Aetna": (at("Aetna", plan("Medicare Advantage")), OTHER),
    "word-like identifier": (
        coverage(payor=[{"identifier": {"value": "BCBSAL"}}], **{"class": [plan("Blue Advantage")]}),
        MEMBER,
    ),
    "identifier that tells both": (coverage(payor=[{"identifier": {"value": "BCBSAL-BLUEADV"}}]), MEMBER),
    "assigner of the identifier": (
        coverage(payor=[{"display": "Blue Advantage", "identifier": {"value": "510", "assigner": {"display": OURS}}}]),
        MEMBER,
    ),
    "assigner that is anybody": (
        coverage(payor=[{"display": f"{OURS} Blue Advantage", "identifier": {"value": "5", "assigner": {"display": "NAIC"}}}]),
        MEMBER,
    ),
    "identifier that is a code": (coverage(payor=[{"identifier": {"system": "urn:x", "value": "AETNA01"}}]), UNKNOWN),
    "identifier beside the plan": (
        coverage(payor=[{"identifier": {"value": "00510"}}], **{"class": [plan("Blue Advantage")]}),
        UNKNOWN,
    ),
    "alias tells": (
        coverage(contained=[org("Blue Cross", alias=["BCBS of Alabama", "Blue Advantage"])], payor=[{"reference": "#p"}]),
        MEMBER,
    ),
    "alias that is a nickname": (
        coverage(contained=[org(alias=["The Blues"])], payor=[{"reference": "#p", "display": "Blue Advantage"}]),
        MEMBER,
    ),
    "contained Organization's identifier": (
        coverage(contained=[org(None, identifier=[{"value": "BCBSAL"}])], payor=[{"reference": "#p"}], type={"text": "Blue Adv"}),
        MEMBER,
    ),
    "contained Organization that is not the payor": (coverage(contained=[org()], payor=[{"reference": "#q"}]), UNKNOWN),
    "two payors, one ours": (coverage(payor=[{"display": f"{OURS} Blue Advantage"}, {"display": "Aetna"}]), UNKNOWN),
    "two payors, both ours": (coverage(payor=[{"display": OURS}, {"display": "Blue Advantage"}]), MEMBER),
    "two payors, both others": (coverage(payor=[{"display": "Aetna"}, {"display": "Humana"}]), OTHER),
    "display and Organization disagree": (coverage(contained=[org()], payor=[{"reference": "#p", "display": "Humana"}]), UNKNOWN),
    "the patient as payor": (coverage(payor=[{"reference": "Patient/pat-1"}], type={"coding": [{"code": "pay"}]}), UNKNOWN),
    "deidentified": (coverage(payor=[{"reference": "Organization/1"}]), UNKNOWN),
    "request generator's Unknown": (
        at("Unknown", plan("Unknown", "Unknown"), type={"coding": [{"display": "Unknown"}]}),
        UNKNOWN,
    ),
    "no payor": (coverage(payor=None), UNKNOWN),
}


@pytest.mark.parametrize(("body", "expected"), COVERAGES.values(), ids=COVERAGES.keys())
def test_a_coverage_tells(policy: Policy, body: dict[str, Any], expected: Membership) -> None:
    found = read(body, policy)
    assert (found.membership, found.counts) == (expected, True)


def test_another_plan_of_our_insurer_is_told_from_another_insurer(policy: Policy) -> None:
    ours, theirs = read(at(OURS, plan("Blue Secure Silver")), policy), read(at("Aetna"), policy)
    assert (ours.insurer, ours.membership) == (Insurer.OURS, OTHER)
    assert (theirs.insurer, theirs.membership) == (Insurer.OTHER, OTHER)


# The payor's Organization that came with the call


@pytest.mark.parametrize(
    ("reference", "key"),
    [
        ("Organization/bcbsal", ("Organization", "bcbsal")),
        ("https://ehr.example.org/fhir/Organization/bcbsal", ("Organization", "bcbsal")),
        ("Organization/bcbsal/_history/3", ("Organization", "bcbsal")),
        ("https://ehr.example.org/fhir/Organization/bcbsal", ("", "https://ehr.example.org/fhir/Organization/bcbsal")),
        ("urn:uuid:6f8d0a3e-8d5f-4d2c-9b1a-1f2e3d4c5b6a", ("", "urn:uuid:6f8d0a3e-8d5f-4d2c-9b1a-1f2e3d4c5b6a")),
    ],
)
def test_an_included_organization_is_found_by_reference(policy: Policy, reference: str, key: tuple[str, str]) -> None:
    body = coverage(payor=[{"reference": reference}], **{"class": [plan("Blue Advantage")]})
    found = read(body, policy, {key: org()})
    assert (found.membership, found.payor_to_read) == (MEMBER, None)


@pytest.mark.parametrize("reference", ["Organization/other", "urn:uuid:0", "#contained", "Organization", ""])
def test_an_organization_that_nothing_refers_to_tells_nothing(policy: Policy, reference: str) -> None:
    body = coverage(payor=[{"reference": reference}], **{"class": [plan("Blue Advantage")]})
    assert read(body, policy, {("Organization", "bcbsal"): org(), ("", "urn:uuid:1"): org()}).membership is UNKNOWN


def test_an_organization_not_sent_is_to_be_read_where_nothing_else_tells(policy: Policy) -> None:
    assert read(coverage(payor=[{"reference": "Organization/x1"}]), policy).payor_to_read == ("Organization", "x1")


@pytest.mark.parametrize(
    "body",
    [
        coverage(payor=[{"reference": "Organization/x1", "display": OURS}]),
        coverage(payor=[{"reference": "Organization/x1", "display": "Aetna"}]),
        coverage(payor=[{"reference": "Patient/pat-1"}]),
        coverage(payor=[{"reference": "#p"}]),
        coverage(payor=[{"display": "Blue Advantage"}]),
    ],
)
def test_nothing_is_to_be_read_where_the_insurer_is_told_or_no_organization_named(policy: Policy, body: Any) -> None:
    assert read(body, policy).payor_to_read is None


@given(st.text(st.characters(max_codepoint=127), max_size=399))
def test_plain_ascii_is_cut_into_words_as_any_other_text(text: str) -> None:
    assert name_words(text) == name_words(text + "\u200b")


# What is remembered


def identified(
    coverages: list[Any], policy: Policy, organizations: list[Any] | None = None, patient: str = "pat-1", zone: ZoneInfo = CHICAGO
) -> list[membership.Identity]:
    given = [as_resource(each) for each in organizations or []]
    return membership.identify_coverages(
        [as_resource(each) for each in coverages], given, patient, zone, policy.document.coverage
    )


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[str | None]:
    """The ids of the Coverages that were looked into since; nothing is remembered from before."""
    looked: list[str | None] = []
    identify = membership.identify_coverage

    def look(coverage: Resource, *given: Any) -> membership.Identity:
        looked.append(coverage.id)
        return identify(coverage, *given)

    monkeypatch.setattr(membership, "identify_coverage", look)
    monkeypatch.setattr(membership, "_identities", Remembered(2))
    return looked


def test_what_a_coverage_tells_is_remembered_and_what_is_remembered_is_bounded(policy: Policy, looks: list[str | None]) -> None:
    first, other = member_coverage(id="a"), coverage(id="b", payor=[{"display": "Aetna"}])
    told = identified([first, other], policy)
    assert identified([first, other], policy) == told
    assert looks == ["a", "b"]
    identified([member_coverage(id="c")], policy)
    assert len(membership._identities) == 2
    assert identified([first], policy) == told[:1]
    assert looks == ["a", "b", "c", "a"]


def test_a_coverage_is_looked_into_again_when_anything_that_it_rests_on_is_another(
    policy: Policy, looks: list[str | None]
) -> None:
    body = coverage(payor=[{"reference": "Organization/o1"}])
    ours, theirs = ({"resourceType": "Organization", "id": "o1", "name": name} for name in (OURS, "Aetna"))
    plans = msgspec.structs.replace(policy.document.coverage, plan_names=("Another Plan",))
    other_names = msgspec.structs.replace(policy, document=msgspec.structs.replace(policy.document, coverage=plans))
    assert identified([body], policy, [ours])[0].insurer is Insurer.OURS
    assert identified([body], policy, [theirs])[0].insurer is Insurer.OTHER
    assert identified([body], policy, [ours], patient="pat-2")[0].beyond is not None
    identified([body], policy, [ours], zone=ZoneInfo("UTC"))
    identified([body], other_names, [ours])
    assert len(looks) == 5


def test_a_coverage_whose_payor_is_still_to_be_read_is_not_remembered(policy: Policy, looks: list[str | None]) -> None:
    body = coverage(payor=[{"reference": "Organization/o1"}])
    assert identified([body], policy)[0].payor_to_read == ("Organization", "o1")
    assert len(membership._identities) == 0


def test_what_is_remembered_of_a_coverage_holds_nothing_of_its_text(policy: Policy, looks: list[str | None]) -> None:
    identity = identified([member_coverage(subscriberId="EXAMPLE-77", payor=[{"display": f"{OURS} Testpatient"}])], policy)[0]
    kinds = {type(getattr(identity, field)) for field in identity.__struct_fields__}
    assert kinds <= {Insurer, Membership, str, bool, date, type(None)}
    assert not {"EXAMPLE", "Testpatient"} & set(repr(identity).replace("-", " ").split())


def test_the_plans_own_payer_identifiers_count_both_ways(policy: Policy) -> None:
    ours = msgspec.structs.replace(policy.document.coverage, identifiers=(Identifier(system="urn:naic", value="11111"),))

    def membership(system: str, value: str) -> Membership:
        body = coverage(payor=[{"identifier": {"system": system, "value": value}}], **{"class": [plan("Blue Advantage")]})
        return identify_coverage(as_resource(body), {}, "pat-1", CHICAGO, ours).membership

    assert membership("urn:naic", "11111") is MEMBER
    assert membership("urn:naic", " 11111 ") is MEMBER
    assert membership("urn:naic", "22222") is OTHER
    assert membership("urn:else", "11111") is UNKNOWN


# Whether it counts


@pytest.mark.parametrize(
    ("status", "counts"),
    [
        ("active", True),
        ("cancelled", False),
        ("draft", False),
        ("Active", False),
        (None, False),
        (1, False),
    ],
)
def test_only_an_active_coverage_counts(policy: Policy, status: Any, counts: bool) -> None:
    found = read(member_coverage(status=status), policy)
    assert (found.counts, found.inactive) == (counts, not counts)
    assert found.membership is MEMBER


def test_a_coverage_that_was_entered_in_error_is_not_even_told_as_inactive(policy: Policy) -> None:
    found = read(member_coverage(status="entered-in-error"), policy)
    assert (found.counts, found.inactive, found.not_counting) == (False, False, "it was entered in error, as its status says")


def test_an_inactive_coverage_of_another_patient_is_not_told_as_inactive(policy: Policy) -> None:
    found = read(member_coverage(status="cancelled", beneficiary={"reference": "Patient/another"}), policy)
    assert (found.counts, found.inactive) == (False, False)


@pytest.mark.parametrize(
    ("period", "counts"),
    [
        (None, True),
        ({}, True),
        ({"start": "2023-11-01"}, True),
        ({"start": "2023-11-02"}, False),
        ({"end": "2023-11-01"}, True),
        ({"end": "2023-10-31"}, False),
        ({"start": "2023-01-01", "end": "2023-12-31"}, True),
        ({"start": "2022-01-01", "end": "2022-12-31"}, False),
        ({"start": "2024-01-01", "end": "2024-12-31"}, False),
        ({"start": "2023"}, True),
        ({"start": "2023-11"}, True),
        ({"start": "2023-12"}, False),
        ({"end": "2023"}, True),
        ({"end": "2023-11"}, True),
        ({"end": "2023-10"}, False),
        # an end at the last second of October in UTC lies in October in Alabama
        ({"end": "2023-10-31T23:59:59Z"}, False),
        ({"end": "2023-11-01T05:00:00Z"}, True),
        ({"start": "soon", "end": "later"}, True),
        ({"start": "soon", "end": "2023-10-31"}, False),
        ({"start": 5, "end": []}, True),
        ("2020", True),
        ([], True),
    ],
)
def test_a_coverage_counts_if_its_period_touches_the_date_of_service(policy: Policy, period: Any, counts: bool) -> None:
    found = read(member_coverage(period=period), policy)
    assert (found.counts, found.inactive) == (counts, not counts)


@pytest.mark.parametrize(
    ("start", "end", "counts"),
    [("2023-10-01", "2023-10-30", True), ("2023-11-03", None, True), ("2023-11-04", None, False), (None, "2023-10-14", False)],
)
def test_it_is_enough_to_touch_one_of_several_days(policy: Policy, start: str | None, end: str | None, counts: bool) -> None:
    spans = (Span(date(2023, 10, 15), date(2023, 10, 15)), Span(date(2023, 11, 1), date(2023, 11, 3)))
    period = {name: value for name, value in (("start", start), ("end", end)) if value}
    found = read(member_coverage(period=period), policy, dates=ServiceDates(spans, "occurrenceTiming"))
    assert found.counts is counts


def test_a_period_between_two_days_of_service_touches_neither(policy: Policy) -> None:
    spans = (Span(date(2022, 1, 1), date(2022, 1, 1)), Span(date(2024, 1, 1), date(2024, 1, 1)))
    found = read(member_coverage(period={"start": "2023", "end": "2023"}), policy, dates=ServiceDates(spans, "occurrenceTiming"))
    assert found.not_counting == "its period does not touch the date of service"


@pytest.mark.parametrize(
    ("beneficiary", "counts"),
    [
        ({"reference": "Patient/pat-1"}, True),
        ({"reference": "https://ehr.example.org/fhir/Patient/pat-1"}, True),
        ({"reference": "Patient/pat-1/_history/2"}, True),
        ({"reference": "Patient/pat-2"}, False),
        ({"reference": "https://ehr.example.org/fhir/Patient/pat-2"}, False),
        ({"reference": "Patient/PAT-1"}, False),
        # who that is cannot be told: not plainly another
        ({"reference": "urn:uuid:6f8d0a3e-8d5f-4d2c-9b1a-1f2e3d4c5b6a"}, True),
        ({"reference": "#patient"}, True),
        ({"identifier": {"value": "A-1"}}, True),
        ({}, True),
        (None, True),
        ("Patient/pat-2", True),
        ([{"reference": "Patient/pat-2"}], True),
        ({"reference": 5}, True),
    ],
)
def test_a_coverage_of_another_patient_does_not_count(policy: Policy, beneficiary: Any, counts: bool) -> None:
    found = read(member_coverage(beneficiary=beneficiary), policy)
    assert (found.counts, found.inactive) == (counts, False)


# Odd shapes

ODD: list[Any] = [
    None,
    True,
    5,
    "x",
    [],
    {},
    [None],
    [[]],
    [5],
    ["x"],
    [{}],
    {"x": {}},
    [{"reference": 5, "display": [], "identifier": "x"}],
]


@pytest.mark.parametrize("element", ["payor", "class", "type", "contained", "period", "beneficiary", "status"])
@pytest.mark.parametrize("value", ODD, ids=repr)
def test_an_element_of_the_wrong_kind_is_not_told_and_never_an_error(policy: Policy, element: str, value: Any) -> None:
    found = read({**coverage(), element: value}, policy)
    assert found.membership is UNKNOWN


ANY = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=20)
    | st.sampled_from([OURS, "Blue Advantage", "Patient/pat-1", "#p"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "display",
                    "reference",
                    "identifier",
                    "value",
                    "assigner",
                    "id",
                    "name",
                    "alias",
                    "type",
                    "coding",
                    "code",
                    "text",
                ]
            ),
            inner,
        )
    ),
    max_leaves=10,
)


@given(st.dictionaries(st.sampled_from(["payor", "class", "type", "contained", "period", "beneficiary", "status"]), ANY))
@settings(max_examples=100, deadline=None)
def test_any_coverage_is_read_to_one_of_three_answers(policy: Policy, body: dict[str, Any]) -> None:
    found = read({"resourceType": "Coverage", **json.loads(json.dumps(body))}, policy)
    assert found.membership in (MEMBER, OTHER, UNKNOWN)
    assert found.why


def test_a_very_long_name_costs_little(policy: Policy) -> None:
    assert read(coverage(payor=[{"display": "blue " * 200_000}]), policy).membership is UNKNOWN

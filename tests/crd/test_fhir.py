"""FHIR as it arrives: tolerant looks, references, Bundles, and the two things that are refused."""

from __future__ import annotations

import json
from contextlib import suppress
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cds_service.crd.errors import BadRequest, CallError
from cds_service.crd.fhir import bundle_resources, decode, elements, members, next_page, open_bundle, resource
from cds_service.crd.fhir_values import as_list, as_object, as_text, codings, reference_tail

from .builders import as_resource, bundle, order

ANY: list[Any] = [None, True, 0, 1.5, "", " ", "x", [], [None], {}, {"x": 1}]


@pytest.mark.parametrize(
    ("reference", "tail"),
    [
        ("Patient/1", ("Patient", "1")),
        ("https://ehr.example.org/fhir/Patient/1", ("Patient", "1")),
        ("http://127.0.0.1:8180/fhir/Patient/pat-al-001", ("Patient", "pat-al-001")),
        ("Patient/1/_history/2", ("Patient", "1")),
        ("https://ehr.example.org/fhir/Patient/1/_history/2", ("Patient", "1")),
        ("Patient/1/", ("Patient", "1")),
        ("Patient/1#p", ("Patient", "1")),
        ("Patient/1?_format=json", ("Patient", "1")),
        ("https://ehr.example.org/fhir//Patient/1", ("Patient", "1")),
        ("#p", None),
        ("#Patient/1", None),
        ("urn:uuid:6f8d0a3e-8d5f-4d2c-9b1a-1f2e3d4c5b6a", None),
        ("urn:oid:2.16.840.1", None),
        ("Patient", None),
        ("Patient/", None),
        ("/Patient", None),
        ("/", None),
        ("", None),
        ("patient/1", None),
        ("Patient?identifier=x|1", None),
        ("../../1", None),
        (None, None),
        (5, None),
        (["Patient/1"], None),
        ({"reference": "Patient/1"}, None),
    ],
)
def test_a_reference_is_its_trailing_type_and_id(reference: Any, tail: tuple[str, str] | None) -> None:
    assert reference_tail(reference) == tail


@pytest.mark.parametrize("value", ANY, ids=repr)
def test_a_look_at_anything_gives_the_kind_asked_for(value: Any) -> None:
    assert as_list(value) == (value if isinstance(value, list) else [])
    assert as_object(value) == (value if isinstance(value, dict) else {})
    assert as_text(value) == ("x" if value == "x" else None)
    assert list(codings(value)) == []
    assert list(codings({"coding": value})) == []


def test_only_codings_that_are_objects_are_looked_at() -> None:
    assert list(codings({"coding": [None, "x", {"code": "1"}, [], {}]})) == [{"code": "1"}, {}]


def test_decimals_are_read_to_the_digit() -> None:
    assert decode(b'{"value": 1.10}', "x") == {"value": Decimal("1.10")}
    assert str(decode(b"[1.10]", "x")[0]) == "1.10"


@pytest.mark.parametrize("raw", [b"", b"{", b"NaN", b"{'a':1}", b'"\\ud800"', b"\xff", b"1" * 5000, b'{"a":1}x'])
def test_what_is_no_json_is_refused_at_its_place(raw: bytes) -> None:
    with pytest.raises(BadRequest) as caught:
        decode(raw, "prefetch.coverage")
    assert caught.value.place == "prefetch.coverage"
    assert caught.value.problem.startswith("is not valid JSON")


@pytest.mark.parametrize("raw", [b"null", b"[]", b"5", b'"x"', b"true", b"", b"{", b"\xff"])
def test_what_is_no_object_is_no_resource(raw: bytes) -> None:
    with pytest.raises(BadRequest, match="is not a JSON object"):
        resource(raw, "x")


@pytest.mark.parametrize("opening", [b'{"a":', b"["])
def test_nesting_beyond_what_can_be_followed_is_refused(opening: bytes) -> None:
    with pytest.raises(BadRequest, match="nested too deeply"):
        decode(opening * 5000, "x")
    with pytest.raises(BadRequest, match="nested too deeply"):
        resource(b'{"x":' + opening * 5000, "x")


@pytest.mark.parametrize(
    ("body", "kind", "id_", "reference"),
    [
        ({"resourceType": "Coverage", "id": "c1"}, "Coverage", "c1", "Coverage/c1"),
        ({"resourceType": "Coverage"}, "Coverage", None, None),
        ({"resourceType": "Coverage", "id": ""}, "Coverage", None, None),
        ({"resourceType": "Coverage", "id": 5}, "Coverage", None, None),
        ({"resourceType": ["Coverage"], "id": "c1"}, None, "c1", None),
        ({"id": "c1"}, None, "c1", None),
        ({}, None, None, None),
    ],
)
def test_a_resources_head_is_read_where_it_is_text(body: Any, kind: str | None, id_: str | None, reference: str | None) -> None:
    found = as_resource(body)
    assert (found.resource_type, found.id, found.reference) == (kind, id_, reference)
    assert found.raw == json.dumps(body).encode()


def test_the_resources_of_a_bundle_come_with_their_places_and_full_urls() -> None:
    body = {
        "resourceType": "Bundle",
        "entry": [
            None,
            {"resource": {"resourceType": "A"}, "fullUrl": "urn:uuid:1"},
            {"fullUrl": 5},
            {"resource": bundle(order())},
        ],
    }
    found = list(bundle_resources(open_bundle(as_resource(body)), "context.draftOrders"))
    assert [(each.place, each.full_url) for each in found] == [
        ("context.draftOrders.entry[1].resource", "urn:uuid:1"),
        ("context.draftOrders.entry[3].resource.entry[0].resource", None),
    ]


@pytest.mark.parametrize("entries", ["x", 5, {}, True, [5], ["x"], [[]], [True]])
def test_entries_of_the_wrong_kind_are_refused(entries: Any) -> None:
    with pytest.raises(BadRequest, match=r"b\.entry: is not a list of Bundle entries"):
        open_bundle(as_resource({"resourceType": "Bundle", "entry": entries}, "b"))


@pytest.mark.parametrize(
    ("link", "page"),
    [
        ([{"relation": "self", "url": "a"}, {"relation": "next", "url": "b"}], "b"),
        ([{"relation": "self", "url": "a"}], None),
        ([{"relation": "next"}], None),
        ([{"relation": "next", "url": 5}], None),
        ([None, 5, "next"], None),
        ("next", None),
        ({"relation": "next", "url": "b"}, None),
        (None, None),
    ],
)
def test_the_next_page_is_the_next_link(link: Any, page: str | None) -> None:
    assert next_page(open_bundle(as_resource({"resourceType": "Bundle", "link": link}))) == page


def test_members_and_elements_keep_their_bytes() -> None:
    assert {name: bytes(raw) for name, raw in members(b'{"a": 1.10, "b":[ ]}').items()} == {"a": b"1.10", "b": b"[ ]"}
    assert [bytes(raw) for raw in elements(b'[1.10, {"x": 1 }]') or ()] == [b"1.10", b'{"x": 1 }']
    assert elements(b" null ") == []
    for raw in (b"{}", b'"x"', b"5", b"true"):
        assert elements(raw) is None


JSON = st.recursive(
    st.none() | st.text(max_size=5) | st.integers(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["entry", "resource", "resourceType", "link", "fullUrl"]), inner)
    ),
    max_leaves=12,
)


@given(JSON)
@settings(max_examples=100, deadline=None)
def test_any_json_as_a_bundle_is_read_or_refused_with_a_call_error(body: Any) -> None:
    with suppress(CallError):
        found = open_bundle(as_resource(body))
        next_page(found)
        list(bundle_resources(found, "b"))

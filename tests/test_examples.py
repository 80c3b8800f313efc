"""Every example through the real application, compared with its golden response; and the README that lists them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from fhir.resources.R4B import get_fhir_model_class
from pydantic import ValidationError

from cds_service.crd.fhir import resource
from cds_service.crd.validation import fhir_issues
from tests import examples

_ROW = re.compile(r"^\| \[`([a-z0-9-]+)`\]\((.*?)\) \| (.*?) \| (\d{3}) \| (.*?) \| (.*?) \| (.*?) \|$", re.MULTILINE)


@cache
def table() -> dict[str, dict[str, str]]:
    """The README's rows by example."""
    text = (examples.FOLDER / "README.md").read_text(encoding="utf-8")
    columns = ("file", "shows", "status", "answer", "requirements", "fhir")
    return {name: dict(zip(columns, rest, strict=True)) for name, *rest in _ROW.findall(text)}


def each_example() -> list[Any]:
    """A parameter per example, marked with the requirements that its row names."""
    keys = {name: re.findall(r"[a-z]+-\d+", row["requirements"]) for name, row in table().items()}
    return [pytest.param(name, marks=pytest.mark.requirement(*keys.get(name, ()))) for name in examples.names()]


@cache
def answer(name: str) -> examples.Answer:
    return examples.answer(name)


@pytest.mark.parametrize("name", each_example())
def test_an_example_is_answered_exactly_as_its_golden_response(name: str) -> None:
    assert answer(name).text == examples.response_text(name)


@pytest.mark.parametrize("name", each_example())
def test_the_readme_says_how_an_example_is_answered(name: str) -> None:
    row = table()[name]
    assert row["file"] == f"{name}.request.json"
    assert (int(row["status"]), row["answer"]) == (answer(name).status, examples.in_words(answer(name)))


def test_the_readme_lists_every_example_once_and_no_other() -> None:
    text = (examples.FOLDER / "README.md").read_text(encoding="utf-8")
    assert sorted(name for name, *_ in _ROW.findall(text)) == examples.names()
    assert len(re.findall(r"^\| \[", text, re.MULTILINE)) == len(examples.names())  # no row is written so that it is overlooked


def test_every_request_has_its_response_and_the_folder_holds_nothing_else() -> None:
    files = {path.name for path in examples.FOLDER.iterdir()}
    pairs = {f"{name}.{kind}.json" for name in examples.names() for kind in ("request", "response")}
    assert files == pairs | {"README.md"}


@pytest.mark.parametrize("name", list(examples.DERIVED))
def test_an_order_with_an_earlier_answer_bears_what_the_service_says_today(name: str) -> None:
    source, _ = examples.DERIVED[name]
    assert examples.request_text(name) == examples.derived_request(name, answer(source))


def resources(request: Any) -> Iterator[Any]:
    """Every resource that a request hands over, Bundles whole."""
    context, prefetch = request["context"], request.get("prefetch", {})
    yield from (context[key] for key in ("draftOrders", "appointments", "task") if key in context)
    yield from context.get("fulfillmentTasks", ())
    yield from prefetch.values()


def problems(given: Any) -> list[str]:
    """The places at which a resource, or one within its Bundle, is not valid FHIR R4."""
    found: list[str] = []
    try:
        get_fhir_model_class(given["resourceType"]).model_validate(given)
    except ValidationError as error:
        found += [str(issue["loc"]) for issue in error.errors()]
    inner = [entry["resource"] for entry in given.get("entry", ())] if given["resourceType"] == "Bundle" else [given]
    for each in inner:
        found += fhir_issues(resource(json.dumps(each).encode(), each["resourceType"]))
    return found


@pytest.mark.parametrize("name", examples.names())
def test_what_an_example_sends_is_valid_fhir_unless_the_readme_says_otherwise(name: str) -> None:
    found = [problem for each in resources(json.loads(examples.request_text(name))) for problem in problems(each)]
    assert bool(found) == table()[name]["fhir"].startswith("not valid: "), found
    assert found or table()[name]["fhir"] == "valid"


@pytest.mark.requirement("resp-47")
@pytest.mark.parametrize("name", [name for name in examples.names() if table().get(name, {}).get("fhir") == "valid"])
def test_what_is_written_back_is_valid_fhir_where_the_order_was(name: str) -> None:
    for action in answer(name).body.get("systemActions", ()):
        assert problems(action["resource"]) == []


@pytest.mark.requirement("hook-10")
@pytest.mark.parametrize("name", [name for name, row in table().items() if row["status"] != "200"])
def test_an_error_is_a_valid_operation_outcome(name: str) -> None:
    assert answer(name).body["resourceType"] == "OperationOutcome"
    assert problems(answer(name).body) == []


@pytest.mark.requirement("resp-37")
@pytest.mark.parametrize("name", examples.names())
def test_an_answered_resource_comes_back_with_nothing_but_its_extension_changed(name: str) -> None:
    request = json.loads(examples.request_text(name))
    sent = {
        (each["resourceType"], each["id"]): each
        for bundle in resources(request)
        for each in (entry["resource"] for entry in bundle.get("entry", ()))
        if "id" in each
    }
    for action in answer(name).body.get("systemActions", ()):
        returned = action["resource"]
        before = sent[returned["resourceType"], returned["id"]]
        without = [{key: value for key, value in each.items() if key != "extension"} for each in (returned, before)]
        assert json.dumps(without[0]) == json.dumps(without[1])


def test_the_two_sides_of_the_change_cite_the_two_authorities() -> None:
    before, after = (answer(f"order-sign-{side}-the-change").body["cards"][0]["summary"] for side in ("before", "after"))
    assert "policy #177" in before
    assert "100-02" not in before
    assert "CMS Manual 100-02, Chapter 16" in after
    assert "#177" not in after


@pytest.mark.parametrize("side", ["before", "after"])
def test_crd_2_0_and_2_2_give_the_same_card(side: str) -> None:
    older, newer = (answer(f"order-sign-{version}{side}-the-change").body["cards"][0] for version in ("", "crd-2-2-"))
    assert older["summary"] == newer["summary"]
    assert older["detail"] == newer["detail"]
    assert older["source"]["topic"]["system"] != newer["source"]["topic"]["system"]

"""The OpenAPI document says what the service does: held against the routes, the table of hooks, and the service itself."""

from __future__ import annotations

import json
import re
from typing import Any

import jsonschema
import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from cds_service.crd.hooks import HOOKS, discovery
from cds_service.openapi import document
from tests.calls import app_for_tests

URL = "https://crd.example.org"
METHODS = {"get", "post", "put", "patch", "delete"}


@pytest.fixture(scope="module")
def app() -> Flask:
    return app_for_tests(mode="open")


@pytest.fixture(scope="module")
def described(app: Flask) -> dict[str, Any]:
    found: dict[str, Any] = app.test_client().get("/openapi.json").get_json()
    return found


def operations(described: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [(path, method, said) for path, item in described["paths"].items() for method, said in item.items()]


def validator(described: dict[str, Any], name: str) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator({"$ref": f"#/components/schemas/{name}", "components": described["components"]})


def test_the_document_is_served_to_everyone_as_json(app: Flask) -> None:
    answer = app.test_client().get("/openapi.json")
    assert answer.status_code == 200
    assert answer.mimetype == "application/json"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert answer.get_json()["openapi"].startswith("3.1.")


def test_the_documents_address_is_the_public_one_and_not_a_request_header() -> None:
    app = app_for_tests(mode="open", public_url=URL)
    described = app.test_client().get("/openapi.json", headers={"Host": "evil.example"}).get_json()
    assert described["servers"] == [{"url": URL}]


def test_every_json_route_is_described_and_nothing_else(app: Flask, described: dict[str, Any]) -> None:
    served = set()
    for rule in app.url_map.iter_rules():
        if not rule.rule.startswith(("/cds-services", "/health", "/openapi.json")):
            continue
        for service_id in HOOKS if "<service_id>" in rule.rule else ("",):
            path = rule.rule.replace("<service_id>", service_id)
            served |= {(path, method.lower()) for method in rule.methods or () if method.lower() in METHODS}
    assert {(path, method) for path, method, _ in operations(described)} == served


def test_every_hook_is_described_with_its_title_prefetch_and_context(described: dict[str, Any]) -> None:
    for hook in HOOKS.values():
        said = described["paths"][f"/cds-services/{hook.service_id}"]["post"]
        assert said["summary"] == hook.title
        assert all(query in said["description"] for query in hook.prefetch.values())
        schema = described["components"]["schemas"][
            said["requestBody"]["content"]["application/json"]["schema"]["$ref"].split("/")[-1]
        ]
        assert hook.orders_in in schema["properties"]["context"]["properties"]


def test_every_call_describes_each_error_with_an_operation_outcome(described: dict[str, Any]) -> None:
    for hook in HOOKS.values():
        answers = described["paths"][f"/cds-services/{hook.service_id}"]["post"]["responses"]
        assert set(answers) == {"200", "400", "401", "403", "412", "413", "415", "422"}
    for answer in described["components"]["responses"].values():
        assert answer["content"]["application/json"]["schema"]["$ref"].endswith("/OperationOutcome")


def test_feedback_describes_each_error_too_with_that_of_a_store_that_is_down(described: dict[str, Any]) -> None:
    for hook in HOOKS.values():
        answers = described["paths"][f"/cds-services/{hook.service_id}/feedback"]["post"]["responses"]
        assert set(answers) == {"200", "400", "401", "403", "413", "415", "503"}


def test_every_component_is_referred_to(described: dict[str, Any]) -> None:
    used = set(re.findall(r'"\$ref": ?"#/components/(\w+/\w+)"', json.dumps(described)))
    named = {f"{kind}/{name}" for kind in ("schemas", "responses") for name in described["components"][kind]}
    assert named == used


def test_schemas_are_json_schemas_and_every_reference_leads_somewhere(described: dict[str, Any]) -> None:
    for schema in described["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)
    for reference in re.findall(r'"\$ref": ?"#/([^"]+)"', json.dumps(described)):
        found: Any = described
        for step in reference.split("/"):
            found = found[step]


def test_every_operation_has_an_id_of_its_own(described: dict[str, Any]) -> None:
    ids = [said["operationId"] for _, _, said in operations(described)]
    assert len(ids) == len(set(ids))


def test_every_example_fits_its_schema(described: dict[str, Any]) -> None:
    checked = 0
    bodies = [said["requestBody"]["content"] for _, _, said in operations(described) if "requestBody" in said]
    answers = [answer for _, _, said in operations(described) for answer in said["responses"].values()]
    answers += described["components"]["responses"].values()
    for content in [*bodies, *(answer["content"] for answer in answers if "content" in answer)]:
        media = content["application/json"]
        for example in media.get("examples", {}).values():
            validator(described, media["schema"]["$ref"].split("/")[-1]).validate(example["value"])
            checked += 1
    assert checked >= 2 * len(HOOKS) + 8


def test_the_example_of_each_hook_gets_a_card(app: Flask, described: dict[str, Any]) -> None:
    for hook in HOOKS.values():
        path = f"/cds-services/{hook.service_id}"
        content = described["paths"][path]["post"]["requestBody"]["content"]
        answer = app.test_client().post(path, json=content["application/json"]["examples"]["request"]["value"])
        assert len(answer.get_json()["cards"]) == 1, hook.service_id
        validator(described, "HookResponse").validate(answer.get_json())


def test_the_example_of_an_answer_is_what_the_service_says(described: dict[str, Any]) -> None:
    post = described["paths"]["/cds-services/order-sign-crd"]["post"]
    shown = post["responses"]["200"]["content"]["application/json"]["examples"]["card"]["value"]
    app = app_for_tests(mode="open", public_url=URL)
    request = post["requestBody"]["content"]["application/json"]["examples"]["request"]["value"]
    said = app.test_client().post("/cds-services/order-sign-crd", json=request).get_json()
    assert {**said["cards"][0], "uuid": ""} == {**shown["cards"][0], "uuid": ""}


def test_discovery_fits_its_schema() -> None:
    validator(document(URL), "Discovery").validate(discovery())


def test_a_missing_token_is_answered_as_described(described: dict[str, Any]) -> None:
    validator(described, "OperationOutcome").validate(
        described["components"]["responses"]["NotAuthenticated"]["content"]["application/json"]["examples"]["error"]["value"]
    )


_wsgi = schemathesis.openapi.from_wsgi("/openapi.json", app_for_tests(mode="open"))


@_wsgi.parametrize()
@settings(max_examples=10, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_whatever_is_sent_is_answered_as_described(case: Any) -> None:
    case.call_and_validate(
        checks=[
            not_a_server_error,
            status_code_conformance,
            content_type_conformance,
            response_headers_conformance,
            response_schema_conformance,
        ]
    )

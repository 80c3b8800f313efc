"""The documents as pages: each is served, says what its file says, and leads nowhere that is not there."""

from __future__ import annotations

import gc
import re
import tomllib
import weakref
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from cds_service.document_markdown import render_document
from cds_service.documents import DOCUMENTS, FOLDER, document_page
from tests.calls import app_for_tests
from tests.documents import DOCUMENTS as FILES
from tests.documents import ROOT, blocks
from tests.html_reading import Page

NAMES = [document.name for document in DOCUMENTS]


@pytest.fixture(scope="module")
def client() -> FlaskClient:
    return app_for_tests(mode="open").test_client()


def page(client: FlaskClient, name: str) -> Page:
    answer = client.get(f"/docs/{name}")
    assert answer.status_code == 200
    assert answer.mimetype == "text/html"
    return Page(answer.text)


def rendered(text: str, served: dict[str, str] | None = None) -> str:
    return render_document(text, "docs/here.md", served or {}).html


def test_a_name_of_no_document_is_not_kept() -> None:
    class Name(str):
        """A text whose end can be seen."""

    name = Name("x" * 40_000)
    watched = weakref.ref(name)
    assert document_page(name) is None
    del name
    gc.collect()
    assert watched() is None


def test_every_document_of_the_repository_is_served() -> None:
    assert {document.path for document in DOCUMENTS} == {str(path.relative_to(ROOT)) for path in FILES}
    assert len(set(NAMES)) == len(NAMES)


def test_home_and_the_list_of_documents_lead_to_each_of_them(client: FlaskClient) -> None:
    for path in ("/", "/docs"):
        assert {f"/docs/{name}" for name in NAMES} <= Page(client.get(path).text).values("href")
    assert "/docs" in Page(client.get("/").text).values("href")


@pytest.mark.parametrize("name", NAMES)
def test_a_document_is_shown_whole(client: FlaskClient, name: str) -> None:
    found = page(client, name)
    text = next(document.file for document in DOCUMENTS if document.name == name).read_text(encoding="utf-8")
    for block in blocks(text):
        assert " ".join(block.text.split()) in found.text
    prose = re.sub(r"^```.*?^```", "", text, flags=re.M | re.S)
    headings = [re.sub(r"[`*]", "", heading) for heading in re.findall(r"^#+ (.*)$", prose, re.M)]
    assert all(heading in found.text for heading in headings)
    assert len([tag for tag, _ in found.elements if tag in ("h1", "h2", "h3", "h4")]) == len(headings)
    assert "<!--" not in found.text


@pytest.mark.parametrize("name", NAMES)
def test_links_of_a_document_lead_to_pages_and_headings_that_are_there(client: FlaskClient, name: str) -> None:
    places = page(client, name)
    for href in places.values("href"):
        if href.startswith(("http://", "https://", "/static/", "/#")):
            continue
        path, _, anchor = href.partition("#")
        address = path if path.startswith("/") else f"/docs/{path or name}"
        answer = client.get(address)
        assert answer.status_code == 200, href
        assert not anchor or anchor in Page(answer.text).values("id"), href


@pytest.mark.parametrize("name", NAMES)
def test_a_document_has_each_id_once_no_script_and_nothing_from_elsewhere(client: FlaskClient, name: str) -> None:
    elements = page(client, name).elements
    ids = [attributes["id"] for _, attributes in elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    for tag, attributes in elements:
        assert "style" not in attributes
        assert not any(attribute.startswith("on") for attribute in attributes)
        assert set(attributes.get("aria-labelledby", "").split()) <= set(ids)
        if tag in ("script", "img", "link"):
            assert (attributes.get("src") or attributes["href"]).startswith("/static/")


@pytest.mark.parametrize("path", ["/docs", "/docs/readme", "/docs/none"])
def test_documents_bear_the_security_headers_of_the_other_pages(client: FlaskClient, path: str) -> None:
    home, found = client.get("/").headers, client.get(path).headers
    for name in ("Content-Security-Policy", "X-Content-Type-Options", "Referrer-Policy", "X-Frame-Options"):
        assert found[name] == home[name]


@pytest.mark.parametrize("name", ["none", "readme.md", "SECURITY", "..%2fpyproject.toml", "%2e%2e", "deploy", "\u0000"])
def test_what_is_no_document_is_a_page_that_says_so(client: FlaskClient, name: str) -> None:
    answer = client.get(f"/docs/{name}")
    assert answer.status_code == 404
    assert "There is no page at this address." in answer.text


def test_a_link_to_a_served_document_leads_to_its_page_and_any_other_relative_link_is_text() -> None:
    html = rendered("[a](../README.md#x) [b](there.md) [c](deploy/x.yaml) [d](/etc/passwd) [e](#f)", {"README.md": "readme"})
    assert '<a href="readme#x">a</a> b c d <a href="#f">e</a>' in html
    assert '<a href="there">b</a>' in rendered("[b](there.md)", {"docs/there.md": "there"})


def test_html_and_images_of_a_document_are_shown_as_text() -> None:
    html = rendered('# T\n\n<script>x</script>\n\na <b onclick="x">b</b> ![i](https://evil.example/i) [j](javascript:x)\n')
    assert set(re.findall(r"<(\w+)", html)) <= {"h1", "p", "a"}
    assert "javascript" not in "".join(re.findall(r'href="([^"]*)"', html))


def test_headings_of_one_name_and_of_the_page_around_them_get_ids_of_their_own() -> None:
    html = rendered("# Content\n\n## Server\n\n## `Server`\n")
    assert re.findall(r'id="([^"]*)"', html) == ["content-1", "server", "server-1"]


def test_a_mark_for_the_tests_is_left_out_and_a_comment_in_code_is_kept() -> None:
    html = rendered("<!-- not run: why -->\n```bash\n<!-- kept -->\n```\n")
    assert "not run" not in html
    assert "&lt;!-- kept --&gt;" in html


def test_a_diagram_is_shown_as_its_source_with_a_caption() -> None:
    html = rendered("```mermaid\nflowchart LR\n```\n")
    assert "flowchart LR" in html
    assert "<figcaption>A diagram, as its source in Mermaid.</figcaption>" in html


def test_the_package_and_the_image_hold_every_document() -> None:
    patterns = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]["cds_service"]
    held = {path for pattern in patterns for path in FOLDER.glob(pattern)}
    assert {document.file for document in DOCUMENTS} <= held
    sent = (ROOT / ".dockerignore").read_text().splitlines()
    copied = (ROOT / "Dockerfile").read_text()
    for document in DOCUMENTS:
        top = Path(document.path).parts[0]
        assert f"!{top}" in sent
        assert re.search(rf"^COPY .*\b{re.escape(top)}\b", copied, re.M)

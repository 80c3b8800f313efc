"""The pages for people: what they say, what they refuse, and that nothing hostile comes through them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import date
from io import BytesIO
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from flask.testing import FlaskClient
from markdown_it import MarkdownIt

import cds_service
from cds_service.card_markdown import render_markdown
from cds_service.crd.hooks import HOOKS
from cds_service.crd.service_dates import Span, parse_fhir_date
from cds_service.examples import example_names, example_request
from cds_service.page_dates import iso_date
from cds_service.policy_files import load_policies
from cds_service.timeline import draw_timeline
from tests.calls import app_for_tests, hook_call, order
from tests.html_reading import Page
from tests.signing import jwk_of, jwks, private_key

POLICY = "/policies/blue-advantage-177"
POLICIES = load_policies(None)
TODAY = date(2026, 11, 22)
FORM = "application/x-www-form-urlencoded"
PACKAGED = Path(cds_service.__file__).parent / "policies" / "blue-advantage-177.toml"
STATIC = Path(cds_service.__file__).parent / "static"


@pytest.fixture(scope="module")
def client() -> FlaskClient:
    return app_for_tests(mode="open").test_client()


def page(client: FlaskClient, path: str, status: int = 200) -> Page:
    answer = client.get(path)
    assert answer.status_code == status
    assert answer.mimetype == "text/html"
    return Page(answer.text)


def tried(client: FlaskClient, status: int = 200, **fields: str) -> Page:
    answer = client.post("/try", data=fields)
    assert answer.status_code == status, answer.text[:500]
    return Page(answer.text)


# --- What all pages have ---


@pytest.mark.parametrize("path", ["/", "/try", POLICY, "/policies/none", "/static/site.css"])
def test_every_page_and_static_file_bears_the_security_headers(client: FlaskClient, path: str) -> None:
    with client.get(path) as answer:
        headers = answer.headers
    rules = dict(rule.split(" ", 1) for rule in headers["Content-Security-Policy"].split("; "))
    assert rules == {
        "default-src": "'none'",
        "style-src": "'self'",
        "script-src": "'self'",
        "img-src": "'self' data:",
        "form-action": "'self'",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
    }
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert "camera=()" in headers["Permissions-Policy"]


@pytest.mark.parametrize("path", ["/", "/try", POLICY, "/policies/none"])
def test_pages_hold_no_inline_script_or_style_and_load_nothing_from_elsewhere(client: FlaskClient, path: str) -> None:
    found = Page(client.get(path).text)
    for tag, attributes in found.elements:
        assert tag != "style"
        assert "style" not in attributes
        assert not any(name.startswith("on") for name in attributes)
        if tag in ("script", "img", "link"):
            assert (attributes.get("src") or attributes["href"]).startswith("/static/")


@pytest.mark.parametrize("path", ["/", "/try", POLICY, "/policies/none"])
def test_every_id_is_given_once_and_every_label_and_description_leads_to_one(client: FlaskClient, path: str) -> None:
    elements = Page(client.get(path).text).elements
    ids = [attributes["id"] for _, attributes in elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    for _, attributes in elements:
        for name in ("for", "aria-labelledby", "aria-describedby", "list", "data-copy"):
            assert set(attributes.get(name, "").split()) <= set(ids)


def test_only_what_was_tried_is_kept_out_of_every_cache(client: FlaskClient) -> None:
    assert client.get("/try").headers["Cache-Control"] == "no-store"
    assert client.post("/try", data={"text": "MRI"}).headers["Cache-Control"] == "no-store"
    assert "no-store" not in client.get(POLICY).headers.get("Cache-Control", "")


# --- Home ---


def test_home_names_every_hook_and_leads_to_policy_try_it_discovery_and_openapi(client: FlaskClient) -> None:
    home = page(client, "/")
    for hook in HOOKS.values():
        assert f"/cds-services/{hook.service_id}" in home.text
    assert {"/try", POLICY, "/cds-services", "/openapi.json", f"{POLICY}#from-2023-11-01"} <= home.values("href")
    for path in home.values("href"):
        with client.get(path.split("#")[0] or "/") as answer:
            assert answer.status_code == 200


def test_home_says_the_policy_of_today_in_one_line_and_draws_its_time_line(client: FlaskClient) -> None:
    home = page(client, "/")
    assert "Non-covered, investigational. For services from 11/1/2023 refer to CMS Manual 100-02, Chapter 16." in home.text
    assert "Version 1, dates of service 6/1/2011 to 10/31/2023" in home.text_of(id="line-blue-advantage-177-desc")


def test_home_does_not_lead_to_a_try_it_page_that_is_off() -> None:
    home = page(app_for_tests(mode="open", CDS_SERVICE_TRY=False).test_client(), "/")
    assert "/try" not in home.values("href")


# --- Policy ---


def test_the_policy_page_has_every_part_of_the_policy_file(client: FlaskClient) -> None:
    text = page(client, POLICY).text
    document = POLICIES[0].document
    for version in document.versions:
        for said in (version.statement, version.authority, version.why, *(each.title for each in version.references)):
            assert " ".join(said.split()) in text
    for said in (*(entry.text for entry in document.history), *(code.label for code in document.codes), *document.literature):
        assert " ".join(said.split()) in text
    assert "This is a summary." in text
    assert "prevails" in text
    assert "American Medical Association" in text


def test_what_the_policy_page_says_of_the_card_is_what_the_card_says(client: FlaskClient) -> None:
    text = page(client, POLICY).text
    spans = [
        {"occurrenceDateTime": "2023-10-31"},
        {"occurrenceDateTime": "2023-11-01"},
        {"occurrenceDateTime": None, "occurrencePeriod": {"start": "2023-10-20", "end": "2023-11-20"}},
    ]
    for span in spans:
        card = client.post("/cds-services/order-sign-crd", json=hook_call(order(**span))).get_json()["cards"][0]
        assert card["summary"] in text


def test_every_deep_link_of_a_card_leads_to_a_version_on_the_policy_page(client: FlaskClient) -> None:
    span = order(occurrencePeriod={"start": "2023-10-20", "end": "2023-11-20"}, occurrenceDateTime=None)
    card = client.post("/cds-services/order-sign-crd", json=hook_call(span)).get_json()["cards"][0]
    links = [link["url"] for link in card["links"] if "/policies/" in link["url"]]
    assert len(links) == 2
    for link in links:
        path, fragment = link.removeprefix("http://127.0.0.1:8080").split("#")
        assert fragment in page(client, path).values("id")


@pytest.mark.parametrize(
    ("on", "shown", "cited"),
    [
        ("2023-10-31", "10/31/2023", ["#from-2011-06-01"]),
        ("2023-11-01", "11/1/2023", ["#from-2023-11-01"]),
        ("10/31/2023", "10/31/2023", ["#from-2011-06-01"]),
        ("2023-10", "October 2023", ["#from-2011-06-01"]),
        ("2023", "2023", ["#from-2011-06-01", "#from-2023-11-01"]),
        ("2011-06-01", "6/1/2011", ["#from-2011-06-01"]),
        ("2011-05-31", "5/31/2011", []),
        ("1066-10-14", "10/14/1066", []),
        ("9999-12-31", "12/31/9999", ["#from-2023-11-01"]),
        ("0001-01-01", "1/1/1", []),
    ],
)
def test_the_rule_on_a_chosen_date_is_that_of_the_version_in_force(
    client: FlaskClient, on: str, shown: str, cited: list[str]
) -> None:
    found = page(client, f"{POLICY}?on={on}")
    number = found.index(css="asked")
    inside = [attributes for place, (_, attributes) in zip(found.places, found.elements, strict=True) if number in place[:-1]]
    assert [attributes["href"] for attributes in inside if "href" in attributes] == cited
    assert found.text_of(css="asked").startswith(shown)
    assert shown in found.text_of(id="line-desc")


@pytest.mark.parametrize("on", ["soon", "2023-02-30", "13/13/2023", "<script>alert(1)</script>", "2023-10-31T25:00:00Z"])
def test_a_date_that_cannot_be_read_is_told_beside_its_field(client: FlaskClient, on: str) -> None:
    found = Page(client.get(POLICY, query_string={"on": on}).text)
    assert client.get(POLICY, query_string={"on": on}).status_code == 400
    assert found.text_of(id="on-error") == "That cannot be read as a date."
    field = next(attributes for _, attributes in found.elements if attributes.get("id") == "on")
    assert field["value"] == on
    assert field["aria-invalid"] == "true"
    assert "script" not in found.tags_in(id="content")


def test_an_unknown_policy_is_a_page_that_says_so(client: FlaskClient) -> None:
    assert "There is no page at this address." in page(client, "/policies/none", 404).text


@pytest.mark.parametrize(("written", "read"), [("1/2/2023", "2023-01-02"), (" 2023-10 ", "2023-10"), ("1/2/23", "1/2/23")])
def test_a_date_written_the_american_way_is_read(written: str, read: str) -> None:
    assert iso_date(written) == read


# --- Time line ---


def test_the_time_line_is_to_scale() -> None:
    drawn = draw_timeline(POLICIES[0], TODAY)
    first, second = drawn.bars
    days = [(date(2023, 11, 1) - date(2011, 6, 1)).days, (date(2028, 1, 1) - date(2023, 11, 1)).days]
    assert first.width / second.width == pytest.approx(days[0] / days[1], rel=1e-3)
    assert first.x + first.width == pytest.approx(second.x, abs=0.01)
    assert second.x + second.width == pytest.approx(100, abs=0.01)
    assert second.x < drawn.today.x < 100


@pytest.mark.parametrize(
    "chosen",
    [Span(date(1, 1, 1), date(1, 1, 1)), Span(date(9999, 1, 1), date(9999, 12, 31)), Span(date(2023, 1, 1), date(2023, 12, 31))],
)
def test_a_chosen_date_is_within_the_drawing_however_far_away(chosen: Span) -> None:
    drawn = draw_timeline(POLICIES[0], TODAY, chosen)
    assert drawn.chosen is not None
    assert 0 <= drawn.chosen.x <= drawn.chosen.x + drawn.chosen_width <= 100
    assert len(drawn.ticks) <= 8
    assert drawn.bars[0].width > 20


@pytest.mark.parametrize("on", [f"{year}{month}" for year in range(2010, 2029) for month in ("", "-01", "-09")] + ["2023-10-31"])
def test_no_year_is_written_over_the_chosen_date_on_a_phone(on: str) -> None:
    span = parse_fhir_date(on, ZoneInfo("America/Chicago"))
    drawn = draw_timeline(POLICIES[0], TODAY, span)
    assert drawn.chosen is not None
    left, right = drawn.chosen.reach
    assert left <= drawn.chosen.x <= right
    half_a_year = 15 / 250 * 100  # a label of four digits is 30 px wide, the drawing 250 px on a phone of 320 px
    assert all(tick.x + half_a_year <= left or tick.x - half_a_year >= right for tick in drawn.ticks)


# --- Try it ---


def test_the_try_it_page_is_off_in_jwt_mode_unless_it_is_turned_on(tmp_path: Path) -> None:
    clients = tmp_path / "clients.toml"
    (tmp_path / "keys.json").write_bytes(jwks(jwk_of(private_key("ES384"), "k1", alg="ES384")))
    clients.write_text('[[client]]\nname = "ehr"\niss = "https://ehr.example"\njwks_file = "keys.json"\n')
    assert app_for_tests(mode="jwt", clients=clients).test_client().get("/try").status_code == 404
    assert app_for_tests(mode="jwt", clients=clients, CDS_SERVICE_TRY=True).test_client().get("/try").status_code == 200


def test_the_try_it_page_is_off_where_it_is_turned_off() -> None:
    client = app_for_tests(mode="open", CDS_SERVICE_TRY=False).test_client()
    assert client.get("/try").status_code == client.post("/try", data={"text": "MR neurography"}).status_code == 404


def test_the_form_says_not_to_enter_real_patients_data_and_sends_by_post_only(client: FlaskClient) -> None:
    found = page(client, "/try")
    assert "Never enter real patients’ data." in found.text
    assert {attributes["method"] for tag, attributes in found.elements if tag == "form"} == {"post"}


def test_what_stands_in_the_address_is_not_tried(client: FlaskClient) -> None:
    assert "Zyx" not in client.get("/try?text=Zyx").text


@pytest.mark.parametrize(
    ("date_of_service", "said"),
    [
        ("2023-10-31", "MR neurography: non-covered, investigational. Blue Advantage policy #177"),
        ("11/1/2023", "refer to CMS Manual 100-02, Chapter 16"),
    ],
)
def test_the_form_gets_the_card_of_its_date(client: FlaskClient, date_of_service: str, said: str) -> None:
    found = tried(client, text="MR neurography of the brachial plexus", date=date_of_service, version="2.0")
    assert said in found.text_of(id="card-1")
    assert "Warning" in found.text_of(css="card-kind")
    assert "Clinically necessary, proceed" in found.text_of(css="overrides")
    assert f"{POLICY}#from-" in "".join(found.values("href"))
    assert "No, not covered" in found.text
    assert "Member of the plan" in found.text
    assert "MR neurography of the brachial plexus" in found.text_of(css="evidence")
    assert "code.text" in found.text_of(css="evidence")


@pytest.mark.parametrize(
    ("coverage", "said"),
    [
        ("member-blue-advantage-177", "A card: the patient is a member of the plan."),
        ("plan-blue-advantage-177", "No card: the patient is insured otherwise."),
        ("other", "No card: the patient is insured otherwise."),
        ("unnamed", "A card: the patient may be a member, and the card says so first."),
        ("none", "A card: no coverage was sent"),
        ("unsent", "A card: no coverage was sent"),
    ],
)
def test_each_choice_of_coverage_is_read_as_it_says(client: FlaskClient, coverage: str, said: str) -> None:
    assert said in tried(client, text="MR neurography", date="2024-01-05", coverage=coverage).text


@pytest.mark.parametrize(("coverage", "status"), [("none", "HTTP 400"), ("unsent", "HTTP 412")])
def test_in_2_2_a_coverage_not_sent_is_told_from_one_not_found(client: FlaskClient, coverage: str, status: str) -> None:
    assert status in tried(client, text="MR neurography", date="2024-01-05", coverage=coverage, version="2.2").text


@pytest.mark.parametrize("name", ["date", "until"])
@pytest.mark.parametrize("written", ["31.10.2023", "Nov 1 2023", "13/1/2023", "1/2/23"])
def test_a_date_of_the_form_that_cannot_be_read_is_told_beside_its_field(client: FlaskClient, name: str, written: str) -> None:
    answer = client.post("/try", data={"text": "MR neurography", "coverage": "member-blue-advantage-177", name: written})
    assert answer.status_code == 400
    found = Page(answer.text)
    assert "That cannot be read as a date." in found.text_of(id=f"{name}-error")
    assert written in found.values("value")


def test_a_last_day_before_the_first_is_told_beside_its_field(client: FlaskClient) -> None:
    answer = client.post("/try", data={"text": "MR neurography", "date": "11/1/2023", "until": "2023-10-31"})
    assert "lies before the first" in Page(answer.text).text_of(id="until-error")


def test_an_order_of_another_kind_gets_no_card(client: FlaskClient) -> None:
    found = tried(client, text="MRI of the knee", date="2024-01-05")
    assert "No card" in found.text
    assert "Nothing is written onto an order." in found.text


def test_in_crd_2_2_the_coverage_information_is_told_with_its_instructions(client: FlaskClient) -> None:
    found = tried(client, text="MR neurography", date="2024-01-05", version="2.2")
    assert "Instructions" in found.text
    assert "Assertion id" in found.text


def test_an_order_that_is_not_valid_fhir_is_answered_and_told_so(client: FlaskClient) -> None:
    valid, broken = (json.dumps(hook_call(order(priority=priority))) for priority in ("urgent", ["urgent"]))
    assert "Not valid FHIR R4" not in tried(client, source="paste", body=valid).text
    text = tried(client, source="paste", body=broken).text
    assert "Not valid FHIR R4" in text
    assert "Answered all the same." in text
    assert "context.draftOrders.entry[0].resource: priority" in text


def test_a_call_that_is_refused_shows_place_and_cure(client: FlaskClient) -> None:
    found = tried(client, text="MR neurography", date="2024-01-05", coverage="other", version="2.2")
    assert "HTTP 400" in found.text
    assert "prefetch.coverage" in found.text
    assert "OperationOutcome" in found.text_of(id="response-json")
    assert "code.text" in found.text_of(css="evidence")
    assert "Insured otherwise" in found.text
    assert "No card: the call is refused." in found.text


@pytest.mark.parametrize("name", example_names())
def test_every_example_is_answered_with_what_the_endpoint_says(client: FlaskClient, name: str) -> None:
    body = example_request(name)
    assert body is not None
    service_id = next(hook.service_id for hook in HOOKS.values() if hook.name == json.loads(body)["hook"])
    url = f"/cds-services/{service_id}"
    said = client.post(url, data=body, content_type="application/json").get_json()
    found = tried(client, source="example", example=name)
    assert without_ids(json.loads(found.text_of(id="response-json"))) == without_ids(said)
    assert url in found.text_of(id="curl")


def without_ids(value: Any) -> Any:
    return json.loads(re.sub(r"[0-9a-f]{8}-0000-4000-8000-[0-9]{12}", "id", json.dumps(value)))


def test_a_pasted_request_is_answered_and_stands_there_to_be_changed(client: FlaskClient) -> None:
    found = tried(client, source="paste", body=json.dumps(hook_call(order())))
    assert "refer to CMS Manual 100-02" in found.text_of(id="card-1")
    assert json.loads(found.text_of(id="body")) == json.loads(found.text_of(id="request-json"))


def test_the_request_shown_gets_the_same_card_when_it_is_posted(client: FlaskClient) -> None:
    found = tried(client, text="MR neurography", date="2023-10-20", until="2023-11-20")
    card = client.post("/cds-services/order-sign-crd", json=json.loads(found.text_of(id="request-json"))).get_json()["cards"][0]
    assert card["summary"] == found.text_of(id="card-1")


@pytest.mark.parametrize(
    ("fields", "field", "said"),
    [
        ({"text": " "}, "text", "Write what is ordered, or give a code."),
        ({"source": "paste", "body": "  "}, "body", "Paste a CDS Hooks request in JSON."),
        ({"source": "example", "example": "../../pyproject"}, "example", "Choose one of the examples."),
        ({"source": "bogus", "text": "MRN"}, "source", "Choose where the request comes from."),
        ({"text": "MRN", "coverage": "bogus"}, "coverage", "Choose one of the coverages."),
        ({"text": "MRN", "version": "9.9"}, "version", "Choose one of the CRD versions."),
    ],
)
def test_a_form_without_what_it_needs_says_so_beside_the_field(
    client: FlaskClient, fields: dict[str, str], field: str, said: str
) -> None:
    found = tried(client, 400, **fields)
    assert found.text_of(id=f"{field}-error") == said


@pytest.mark.parametrize(
    "body",
    [
        "{",
        "[]",
        "null",
        '"x"',
        '{"hook": "order-sign"}',
        '{"hook": 7}',
        "[" * 100_000,
        '{"hook":"order-sign","a":"\\ud800"}',
        "\x00",
    ],
)
def test_a_pasted_text_that_is_no_request_is_refused_in_words(client: FlaskClient, body: str) -> None:
    said = client.post("/cds-services/order-sign-crd", data=body, content_type="application/json")
    shown = tried(client, source="paste", body=body)
    assert f"HTTP {said.status_code} · the call is refused" in shown.text
    assert json.loads(shown.text_of(id="response-json")) == said.get_json()


@pytest.mark.parametrize("told", [True, False])
def test_too_large_a_request_is_a_413_page_whether_its_length_is_told_or_not(told: bool) -> None:
    client = app_for_tests(mode="open", max_body=2000).test_client()
    environ = {} if told else {"wsgi.input_terminated": True, "CONTENT_LENGTH": ""}
    for size, status in ((1900, 200), (2001, 413), (50_000, 413)):
        form = BytesIO(b"source=paste&body=" + b"x" * size)
        answer = client.post("/try", input_stream=form, content_type=FORM, environ_overrides=environ, content_length=size + 18)
        assert answer.status_code == status
        assert ("larger than this service reads" in answer.text) == (status == 413)


def test_a_body_of_too_many_fields_is_refused(client: FlaskClient) -> None:
    answer = client.post("/try", data="&".join(["a=1"] * 1000), content_type=FORM)
    assert answer.status_code == 400


@pytest.mark.parametrize("content_type", ["multipart/form-data; boundary=x", "application/json", "text/plain"])
def test_only_the_pages_own_kind_of_form_is_read(client: FlaskClient, content_type: str) -> None:
    assert client.post("/try", data=b"text=MR", content_type=content_type).status_code == 415


@pytest.mark.parametrize(("site", "status"), [("same-origin", 200), ("none", 200), ("cross-site", 403), ("same-site", 403)])
def test_a_form_of_another_site_is_refused(client: FlaskClient, site: str, status: int) -> None:
    assert client.post("/try", data={"text": "MRI"}, headers={"Sec-Fetch-Site": site}).status_code == status


class Untouchable:
    """Anything done with it fails the test."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"the try-it page must not use {name}")


def test_trying_records_and_fetches_nothing() -> None:
    app = app_for_tests(mode="open", store=Untouchable())
    object.__setattr__(app.extensions["cds_service"], "fhir", Untouchable())
    request = hook_call(order(), coverage=None, fhirServer="https://fhir.example", fhirAuthorization={"access_token": "secret"})
    assert "A card: no coverage was sent" in tried(app.test_client(), source="paste", body=json.dumps(request)).text


def test_trying_logs_nothing_of_what_was_entered(
    client: FlaskClient, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    tried(client, text="MR neurography Xanthippe", date="2024-01-05")
    tried(client, source="paste", body='{"hook": "Xanthippe"}')
    captured = capfd.readouterr()
    assert "Xanthippe" not in captured.out + captured.err + caplog.text


def test_with_two_policies_the_hint_says_which_lists_which_code(tmp_path: Path) -> None:
    text = PACKAGED.read_text(encoding="utf-8")
    second = text.replace('id = "blue-advantage-177"', 'id = "second"', 1).replace('number = "177"', 'number = "L-12"', 1)
    (tmp_path / "second.toml").write_text(second.replace('code = "76498"', 'code = "84999"', 1), encoding="utf-8")
    hint = page(app_for_tests(mode="open", policies=tmp_path).test_client(), "/try").text_of(id="code-hint")
    first, _, other = hint.partition(" Blue Advantage policy #L-12 lists ")
    assert first.startswith("Blue Advantage policy #177 lists 76498 (")
    assert "84999" in other
    assert "84999" not in first
    assert "76498" not in other


# --- Hostile order text ---

HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '"><svg/onload=alert(1)>',
    "</code></li></ul><h1>Approved</h1>",
    "![approved](https://evil.example/x.png)",
    "[covered](https://evil.example)",
    "[covered](javascript:alert(1))",
    "[x][y]\n\n[y]: https://evil.example",
    "https://evil.example/pay",
    "www.evil.example",
    "mailto:a@evil.example billing@evil.example",
    "<https://evil.example>",
    "# Approved",
    "\n\n# Approved\n\n",
    "Approved\n===",
    "**Approved** ~~not covered~~ __x__",
    "- [x] Approved\n- y",
    "| a | b |\n|---|---|\n| c | d |",
    "```\ncode\n```",
    "` <b>x</b> `` www.evil.example ```",
    "\\` <b>x</b> \\`",
    "&lt;b&gt; &#60;script&#62;",
    "a\r\n\r\n> quoted\r\n\r\n---",
    "\u2028\u2029# x\u0085<b>\u202e",
    "{{ 7*7 }} {% raw %} ${7*7}",
    "x" * 3000 + " <b>",
]


def benign_and_hostile(hostile: str) -> Iterator[str]:
    yield "MR neurography of the left arm"
    yield f"MR neurography {hostile}"


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_order_text_adds_no_markup_to_the_card_in_strict_github_markdown(client: FlaskClient, hostile: str) -> None:
    strict = MarkdownIt("gfm-like", {"html": True, "linkify": True})
    read = []
    for text in benign_and_hostile(hostile):
        answer = client.post("/cds-services/order-sign-crd", json=hook_call(order(text))).get_json()
        detail = answer["cards"][0]["detail"]
        read.append([Page(render(detail)).elements for render in (strict.render, render_markdown)])
    assert read[0] == read[1]


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_order_text_adds_no_markup_to_the_page(client: FlaskClient, hostile: str) -> None:
    benign, answered = (
        tried(client, text=text, code=hostile if text != "MR neurography of the left arm" else "", date="2024-01-05")
        for text in benign_and_hostile(hostile)
    )
    assert answered.tags_in(css="card-detail") == benign.tags_in(css="card-detail")
    assert {tag for tag, _ in answered.elements} <= {tag for tag, _ in benign.elements} | {"ul", "li", "q"}
    assert answered.values("href") | answered.values("src") == benign.values("href") | benign.values("src")
    assert not any(name.startswith("on") for _, attributes in answered.elements for name in attributes)


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_text_in_every_place_of_a_pasted_request_adds_no_link(client: FlaskClient, hostile: str) -> None:
    made = order(f"MR neurography {hostile}", id=hostile[:60], priority=hostile, status=hostile)
    coverage = {
        "resourceType": "Coverage",
        "id": hostile,
        "status": "active",
        "payor": [{"display": hostile}],
        "class": [{"name": hostile}],
    }
    body = json.dumps(hook_call(made, coverage=(coverage,), hookInstance=hostile))
    found = tried(client, source="paste", body=body)
    allowed = page(client, "/try").values("href") | {
        link for link in found.values("href") if "/policies/" in link or "cms.gov" in link
    }
    assert found.values("href") <= allowed
    assert not {"iframe", "object", "style", "base"} & {tag for tag, _ in found.elements}
    assert [attributes.get("src") for tag, attributes in found.elements if tag == "script"] == ["/static/copy.js"]


# --- Contrast ---

#: (text, ground, least ratio): WCAG 2.2 AA 1.4.3 text 4.5; 1.4.11 parts of controls 3.
PAIRS = [
    *[("ink", ground, 4.5) for ground in ("paper", "surface", "sunken", "accent-soft", "warning-soft")],
    *[("muted", ground, 4.5) for ground in ("paper", "surface", "sunken")],
    *[(text, ground, 4.5) for text in ("accent", "accent-strong") for ground in ("paper", "surface", "sunken")],
    ("accent", "accent-soft", 3),
    ("on-accent", "accent", 4.5),
    ("on-accent", "accent-strong", 4.5),
    ("info", "surface", 4.5),
    ("info", "info-soft", 4.5),
    ("warning", "surface", 4.5),
    ("warning", "warning-soft", 4.5),
    ("critical", "surface", 4.5),
    ("critical", "critical-soft", 4.5),
    ("good", "good-soft", 4.5),
    ("surface", "bar", 4.5),
    *[(edge, ground, 3) for edge in ("edge",) for ground in ("paper", "surface")],
    ("bar", "surface", 3),
    ("accent", "surface", 3),
    ("warning-edge", "surface", 3),
]


def colours(css: str) -> dict[str, str]:
    return dict(re.findall(r"--([a-z-]+):\s*(#[0-9a-f]{6})", css))


def luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("text", "ground", "least"), PAIRS)
def test_colours_have_the_contrast_that_wcag_aa_asks_for(scheme: str, text: str, ground: str, least: float) -> None:
    light, _, dark = (STATIC / "site.css").read_text().partition("@media (prefers-color-scheme: dark)")
    named = colours(light.split("}")[0]) | (colours(dark.split("}")[0]) if scheme == "dark" else {})
    one, other = sorted((luminance(named[text]), luminance(named[ground])), reverse=True)
    assert (one + 0.05) / (other + 0.05) >= least


def test_colours_stand_in_the_style_sheet_by_name_only() -> None:
    rules = (STATIC / "site.css").read_text().split("*, *::before")[1]
    assert not re.findall(r"#[0-9a-fA-F]{3,8}\b", rules)

"""Bodies, headers and paths of any kind, over HTTP: never a 5xx, an OperationOutcome for every error, the next call answered."""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from cds_service.crd.effort import MAX_JUDGED, MAX_READ
from cds_service.crd.gathering import MAX_COVERAGES
from cds_service.crd.hook_contexts import MAX_ORDERS
from cds_service.crd.hooks import HOOKS
from tests.calls import MEMBER, SIGN, app_for_tests, hook_call, order

pytestmark = pytest.mark.slow  # attacks by the hundred

PATHS = {hook.name: f"/cds-services/{service_id}" for service_id, hook in HOOKS.items()}
VERSIONS = pytest.mark.parametrize("version", ["2.0", "2.2"])
EXTENSION = "http://hl7.org/fhir/us/davinci-crd/StructureDefinition/ext-coverage-information"
EARLIER = {
    "url": EXTENSION,
    "extension": [
        {"url": "coverage", "valueReference": {"reference": "Coverage/cov-1"}},
        {"url": "covered", "valueCode": "not-covered"},
        {"url": "date", "valueDate": "2023-11-01"},
        {"url": "coverage-assertion-id", "valueString": "BCBSAL-CRD-00000000-0000-4000-8000-000000000001"},
    ],
}
FEEDBACK = {
    "feedback": [
        {
            "card": "00000000-0000-4000-8000-000000000001",
            "outcome": "overridden",
            "outcomeTimestamp": "2026-11-22T12:00:00Z",
            "acceptedSuggestions": [{"id": "x"}],
            "overrideReason": {"reason": {"system": "s", "code": "c", "display": "d"}, "userComment": "u"},
        }
    ]
}

_client = app_for_tests(mode="open").test_client()
_local = app_for_tests().test_client()
_unmatched = app_for_tests(mode="open", unmatched="conditional").test_client()


@pytest.fixture
def client() -> FlaskClient:
    return _client


def good(hook: str, version: str) -> dict[str, Any]:
    """A call of ``hook`` about an order that bears an earlier answer of ours, answered by a card."""
    signed = order(extension=[EARLIER], note=[{"text": "n"}], occurrenceDateTime="2023-11-01")
    body = hook_call(signed, hook=hook, extension={"davinci-crd.requestedVersion": version})
    prefetch = body["prefetch"] | {"serviceRequests": signed, "payer": {"resourceType": "Organization", "id": "o", "name": "n"}}
    context = body["context"]
    if hook == "order-select":
        context["selections"] = ["ServiceRequest/sr-1"]
    elif hook == "order-dispatch":
        context = {"patientId": "pat-1", "dispatchedOrders": ["ServiceRequest/sr-1"], "performer": "Organization/o"}
    elif hook == "appointment-book":
        booked = {"resourceType": "Appointment", "id": "a", "status": "proposed", "start": "2023-11-01T10:00:00Z"}
        entry = {"resource": booked | {"basedOn": [{"reference": "ServiceRequest/sr-1"}], "extension": [EARLIER]}}
        context = {"userId": "U/1", "patientId": "pat-1", "appointments": {"resourceType": "Bundle", "entry": [entry]}}
    return body | {"context": context, "prefetch": prefetch}


GOOD = [(PATHS[hook], good(hook, version)) for hook in PATHS for version in ("2.0", "2.2")]
GOOD.append((f"{SIGN}/feedback", FEEDBACK))


def places(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where a value stands within ``value``, the whole included."""
    yield place
    for key, member in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from places(member, (*place, key))


def with_text(body: Any, place: tuple[Any, ...], text: str) -> bytes:
    """``body`` as JSON with ``text``, whatever it is, written at ``place``."""
    marked = [copy.deepcopy(body)]
    target: Any = marked
    for step in (0, *place[:-1]):
        target = target[step]
    if place:
        target[place[-1]] = "@here@"
    else:
        marked = ["@here@"]
    return json.dumps(marked[0]).replace('"@here@"', text).encode("utf-8", "surrogatepass")


def is_well_answered(client: FlaskClient, path: str, body: bytes, **sent: Any) -> int:
    """Send ``body``: the answer is a hook's or an OperationOutcome. Its status."""
    answer = client.post(path, data=body, **({"content_type": "application/json"} | sent))
    assert answer.status_code < 500, (path, body[:2000])
    said = json.loads(answer.data)
    if answer.status_code == 200:
        assert said == {} if path.endswith("/feedback") else isinstance(said["cards"], list)
    else:
        assert said["resourceType"] == "OperationOutcome"
        assert said["issue"][0]["diagnostics"]
        assert "Traceback" not in answer.text
    return answer.status_code


def serves_the_next(client: FlaskClient) -> None:
    answer = client.post(SIGN, json=hook_call(order()))
    assert len(answer.get_json()["cards"]) == 1


ODD_TEXT = [
    "NaN", "Infinity", "-Infinity", "nul", "1e400", "-1e400", "1e-400", "1e30000000", "-1e-30000000", "1e99999999999999999999",
    "0e99999999999999999999", "1E+2147483648", "0." + "1" * 5000, "9" * 400, "9" * 5000, "18446744073709551616", "-0", "01", "1.",
    '"\\ud800"', '"\ud800"', '"\\u0000"', '"\x00"', '"\x1b[2J"', '"\\x"', '"unended', '{"a":1,"a":2}',
    '{"":""}', '{"\\ud800":1}', '{"resourceType":"Bundle","resourceType":"Patient"}', "[" * 300 + "]" * 300, "[" * 100_000,
    '{"a":' * 300 + "1" + "}" * 300, "[" * 5000 + "]" * 5000,
    '{"resourceType":"Bundle","entry":[{"resource":' * 9 + "0" + "}]}" * 9, '"\\udc00\\ud800"',
    '"<script>alert(1)</script>"', '"](javascript:alert(1))"', '"{{7*7}}${7*7}%s%n"', '"\'; DROP TABLE calls; --"',
    '"' + "A" * 100_000 + '"', "[" + "0," * 50_000 + "0]", "[" + "{}," * 20_000 + "{}]", '{"resourceType":"__class__","id":{}}',
    '{"reference":"ServiceRequest/sr-1/_history/../../x?y#z"}', '{"resourceType":"OperationOutcome"}', "\ufeff1",
    "// no\n1", "'x'", "true", "null", "[]", "{}", "[null]", "[[]]", "[{}]", '""', '" "', "0", '"9999-12-31T23:59:60Z"',
    '"0000-00-00"', '"٢٠٢٣-١١-٠١"',
]  # fmt: skip

_text = st.text(st.characters(exclude_categories=()), max_size=30)
_scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | _text
    | st.sampled_from(
        ["active", "Patient/pat-1", "Coverage", "ServiceRequest", "Bundle", "2023-11-01", "MR neurography", EXTENSION]
    )
)
_NAMES = """resourceType id entry resource code coding text display system extension url valueString reference period start end
status contained link relation payor class basedOn repeat event name value identifier fullUrl occurrenceTiming note div"""
_names = st.sampled_from(_NAMES.split())
JSON = st.recursive(
    _scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_names | _text, inner, max_size=5), max_leaves=25
)
FAST = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
DEEP = settings(max_examples=3000, deadline=None, suppress_health_check=list(HealthCheck))


def anything_anywhere(data: st.DataObject) -> None:
    path, body = data.draw(st.sampled_from(GOOD))
    place = data.draw(st.sampled_from(list(places(body))))
    text = data.draw(JSON.map(json.dumps) | st.sampled_from(ODD_TEXT) | _text)
    is_well_answered(_client, path, with_text(body, place, text))


@given(st.data())
@FAST
def test_any_value_in_any_place_of_a_call_is_answered_or_refused(data: st.DataObject) -> None:
    anything_anywhere(data)


@pytest.mark.slow
@given(st.data())
@DEEP
def test_any_value_in_any_place_of_a_call_is_answered_or_refused_at_length(data: st.DataObject) -> None:
    anything_anywhere(data)


@pytest.mark.parametrize("number", range(len(ODD_TEXT)), ids=lambda number: ascii(ODD_TEXT[number])[:24])
def test_each_odd_value_in_some_places_is_answered_or_refused(client: FlaskClient, number: int) -> None:
    for path, body in GOOD:
        for place in list(places(body))[number % 8 :: 8]:
            is_well_answered(client, path, with_text(body, place, ODD_TEXT[number]))
    serves_the_next(client)


@pytest.mark.slow
@pytest.mark.parametrize("text", ODD_TEXT, ids=lambda text: ascii(text)[:24])
def test_each_odd_value_in_every_place_is_answered_or_refused(client: FlaskClient, text: str) -> None:
    for path, body in GOOD:
        for place in places(body):
            is_well_answered(client, path, with_text(body, place, text))


@given(st.binary(max_size=200) | st.sampled_from([json.dumps(body).encode() for _, body in GOOD]), st.data())
@FAST
def test_bytes_of_any_kind_are_answered_or_refused(body: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(body)))
    spoilt = body[:at] + data.draw(st.binary(max_size=4)) + body[at + data.draw(st.integers(0, 3)) :]
    is_well_answered(_client, data.draw(st.sampled_from(GOOD))[0], spoilt)


SPOILERS: dict[str, Callable[[bytes], bytes]] = {
    "bom": lambda raw: b"\xef\xbb\xbf" + raw,
    "two-boms": lambda raw: b"\xef\xbb\xbf\xef\xbb\xbf" + raw,
    "utf-16": lambda raw: raw.decode().encode("utf-16"),
    "utf-32": lambda raw: raw.decode().encode("utf-32"),
    "ff": lambda raw: b"\xff" + raw,
    "ff-inside": lambda raw: raw.replace(b"neurography", b"neuro\xffgraphy"),
    "surrogate": lambda raw: raw.replace(b"neurography", b"neuro\xed\xa0\x80graphy"),  # a surrogate in UTF-8's form
    "overlong": lambda raw: raw.replace(b"neurography", b"neuro\xc0\xafgraphy"),  # an overlong form
    "nul": lambda raw: raw + b"\x00",
    "twice": lambda raw: raw + raw,
    "cut": lambda raw: raw[:-1],
    "two-hooks": lambda raw: raw[:-1] + b',"hook":"patient-view"}',
    "two-contexts": lambda raw: raw[:-1] + b',"context":{}}',
    "blank": lambda raw: b" " * 100_000 + raw + b"\n" * 100_000,
    "prefixed": lambda raw: b")]}'\n" + raw,
}


@pytest.mark.parametrize("name", SPOILERS)
def test_each_odd_encoding_is_answered_or_refused(client: FlaskClient, name: str) -> None:
    for path, body in GOOD:
        is_well_answered(client, path, SPOILERS[name](json.dumps(body).encode()))
    serves_the_next(client)


# Numbers


@VERSIONS
@pytest.mark.parametrize("number", ["1e30000000", "-1e30000000", "1e-30000000", "1e999999999", "0." + "1" * 100_000])
def test_a_number_beyond_all_measure_is_refused_at_once(client: FlaskClient, version: str, number: str) -> None:
    # A validator that makes an integer of 1e30000000 is at it for a minute, and no other thread runs meanwhile.
    body = good("order-sign", version)
    body["context"]["draftOrders"]["entry"][0]["resource"]["occurrenceTiming"] = {"repeat": {"count": "@here@"}}
    started = time.process_time()
    assert is_well_answered(client, SIGN, json.dumps(body).replace('"@here@"', number).encode()) == 400
    assert time.process_time() - started < 1


# Much


def orders(count: int, **elements: Any) -> list[dict[str, Any]]:
    return [order(id=f"o{index}", **elements) for index in range(count)]


def appointments(*booked: dict[str, Any], sent: list[dict[str, Any]]) -> dict[str, Any]:
    body = good("appointment-book", "2.0")
    body["context"]["appointments"]["entry"] = [{"resource": each} for each in booked]
    body["prefetch"] = {"orders": {"resourceType": "Bundle", "entry": [{"resource": each} for each in sent]}, "coverage": MEMBER}
    return body


def many() -> Iterator[tuple[str, str, dict[str, Any], int]]:
    """Calls of up to 4 MiB that ask for much work: a name, the hook, the body, the status of the answer."""
    covered = {"resourceType": "Coverage", "status": "active", "payor": [{"display": "a"}]}
    sign = "order-sign"
    yield "most orders", sign, hook_call(*orders(MAX_ORDERS)), 200
    yield "most texts", sign, hook_call(*orders(900, note=[{"text": "neurography of the nerve, not mri " * 100}])), 413
    yield "many notes", sign, hook_call(order(note=[{"text": "n"}] * 250_000)), 200
    yield "many objects", sign, hook_call(order(note=[{}] * 900_000)), 200
    yield "many extensions", sign, hook_call(order(extension=[EARLIER] * 8_000)), 200
    forged = {"url": EXTENSION, "extension": [EARLIER["extension"][0], EARLIER["extension"][3]]}
    yield "many forged answers", sign, hook_call(order(extension=[forged] * 13_000)), 200
    yield "many to withdraw", sign, hook_call(order("MRI knee", extension=[forged] * 13_000)), 200
    yield "many members", sign, hook_call(order(**{f"z{index}": 1 for index in range(200_000)})), 200
    yield "many codings", sign, hook_call(order(code={"coding": [{"code": "76498", "display": "MR neurography"}] * 70_000})), 200
    days = [f"{2000 + index // 336:04}-{1 + index // 28 % 12:02}-{1 + index % 28:02}" for index in range(250_000)]
    yield "many days", sign, hook_call(order(occurrenceDateTime=None, occurrenceTiming={"event": days})), 200
    yield "many odd days", sign, hook_call(order(occurrenceDateTime=None, occurrenceTiming={"event": ["x"] * 900_000})), 200
    yield "many coverages", sign, hook_call(*orders(500), coverage=[covered | {"id": f"c{n}"} for n in range(30_000)]), 413
    most = [covered | {"id": f"c{n}"} for n in range(MAX_COVERAGES)]
    yield "most coverages", sign, hook_call(*orders(1000), coverage=most), 200
    classes = [{"name": f"{'plan ' * 12}{n}"} for n in range(40_000)]
    yield "many classes", sign, hook_call(*orders(50), coverage=[MEMBER | {"class": classes}]), 200
    payors = [{"display": f"{'payor ' * 12}{n}"} for n in range(40_000)]
    yield "many payors", sign, hook_call(*orders(50), coverage=[MEMBER | {"payor": payors}]), 200
    yield "large coverage", sign, hook_call(*orders(500), coverage=[MEMBER | {"z": "x" * 3_500_000}]), 200
    payers = [{"resourceType": "Organization", "id": f"g{n}", "name": "x"} for n in range(50_000)]
    yield "many organizations", sign, hook_call(*orders(50), coverage=payers), 200
    page = {"resourceType": "Bundle", "entry": [{"resource": covered}], "link": [{"relation": "next", "url": "u"}]}
    pages = {f"k{n}": page | {"link": [{"relation": "next", "url": f"u{n}"}]} for n in range(90)}
    yield "many pages", sign, hook_call(*orders(100), prefetch=pages), 200
    yield "many keys", sign, hook_call(order(), prefetch={f"k{n}": {"resourceType": "Bundle"} for n in range(80_000)}), 200
    refers = [{"reference": f"ServiceRequest/o{n}"} for n in range(90_000)]
    booked = {"resourceType": "Appointment", "id": "a", "start": "2024-01-01"}
    yield "many references", "appointment-book", appointments(booked | {"basedOn": refers}, sent=orders(1)), 413
    heavy = booked | {"basedOn": refers[:1000], "zz": [0] * 1_500_000}
    yield "heavy appointment", "appointment-book", appointments(heavy, sent=orders(1000)), 200
    earlier = booked | {"basedOn": refers[:900], "extension": [{"url": "u", "valueString": "BCBSAL-CRD-1"}] * 55_000}
    knees = [order("MRI knee", id=f"o{n}", authoredOn=None, requester=None) for n in range(900)]
    yield "heavy extensions", "appointment-book", appointments(earlier, sent=knees), 200
    broken = heavy | {"extension": "none", "zz": [0] * 1_400_000}
    yield "not to be written on", "appointment-book", appointments(broken, sent=orders(900)), 200


@pytest.mark.parametrize(("hook", "body", "status"), [pytest.param(*each[1:], id=each[0]) for each in many()])
def test_no_call_within_the_limit_takes_more_than_seconds(client: FlaskClient, hook: str, body: Any, status: int) -> None:
    raw = json.dumps(body, separators=(",", ":")).encode()
    assert len(raw) <= 4 * 1024 * 1024
    started = time.process_time()
    assert is_well_answered(client, PATHS[hook], raw) == status
    assert time.process_time() - started < 4  # what is not bounded here takes ten seconds to hours


@pytest.mark.parametrize(
    ("body", "place"),
    [
        (hook_call(*orders(MAX_READ // 60_000 + 2, note=[{"text": "x" * 70_000}])), "context.draftOrders.entry["),
        (
            hook_call(order(note=[{"text": "n"}] * MAX_JUDGED), extension={"davinci-crd.requestedVersion": "2.2"}),
            "context.draftOrders.entry[0].resource",
        ),
        (hook_call(order(), coverage=[MEMBER | {"id": f"c{n}"} for n in range(MAX_COVERAGES + 1)]), "prefetch.coverage"),
        (
            appointments(
                {"resourceType": "Appointment", "basedOn": [{"reference": f"ServiceRequest/{n}"} for n in range(MAX_ORDERS + 1)]},
                sent=[],
            )
            | {"hook": "appointment-book"},
            "context.appointments",
        ),
    ],
    ids=["text", "elements", "coverages", "references"],
)
def test_what_is_too_much_is_413_at_its_place_with_a_cure(client: FlaskClient, body: Any, place: str) -> None:
    answer = client.post(PATHS[body["hook"]], json=body)
    assert answer.status_code == 413
    issue = answer.get_json()["issue"][0]
    assert issue["code"] == "too-costly"
    assert issue["expression"][0].startswith(place)
    assert "Send" in issue["diagnostics"]


def test_an_order_too_large_to_judge_still_gets_its_card_in_2_0(client: FlaskClient) -> None:
    answer = client.post(SIGN, json=hook_call(order(note=[{"text": "n"}] * MAX_JUDGED)))
    assert len(answer.get_json()["cards"]) == 1


def test_of_more_dates_than_are_read_the_card_says_so(client: FlaskClient) -> None:
    days = [f"2024-{1 + index // 28:02}-{1 + index % 28:02}" for index in range(101)]
    answer = client.post(SIGN, json=hook_call(order(occurrenceDateTime=None, occurrenceTiming={"event": days})))
    assert "Of occurrenceTiming the first 100 dates were read." in answer.get_json()["cards"][0]["detail"]


@VERSIONS
def test_nesting_of_every_depth_about_the_parsers_limit_is_answered_or_refused(client: FlaskClient, version: str) -> None:
    body = good("order-sign", version)
    resource = body["context"]["draftOrders"]["entry"][0]["resource"]
    deep = {"url": EXTENSION, "extension": [*EARLIER["extension"][1:], {"url": "coverage", "valueReference": {"z": "@here@"}}]}
    resource["extension"] = [deep, {"url": "z", "valueReference": "@here@"}]
    text = json.dumps(body)
    for depth in [*range(150, 1000, 25), *range(930, 1000, 2)]:
        for nested in ("[" * depth + "]" * depth, '{"a":' * depth + "1" + "}" * depth):
            is_well_answered(client, SIGN, text.replace('"@here@"', nested).encode())


# Headers and paths

HEADERS: list[tuple[str, list[str]]] = [
    (
        "Content-Type",
        ["", ";", "application/json;;;", "application/json; charset", "application/json; charset=", "/", "+json", "a/b+json"],
    ),
    (
        "Content-Type",
        ['application/json; charset="utf-8', "application/json; charset*=utf-8''utf-8", "application/json, text/plain"],
    ),
    (
        "Content-Type",
        ["APPLICATION/JSON", "application/json; charset=utf-7", "application/json; boundary=x; charset=utf8", "\xff\xfe"],
    ),
    (
        "Content-Type",
        ["multipart/form-data; boundary=x", "application/x-www-form-urlencoded", "application/json" + ";a=b" * 5000],
    ),
    ("Content-Encoding", ["gzip", "identity, gzip", "", "x" * 10_000]),
    ("Content-Length", ["-1", "0", "99999999999999999999", "1e3", "٥", "x", "", "5, 5"]),
    ("Transfer-Encoding", ["chunked", "gzip", "chunked, chunked", "\x0bchunked", "identity"]),
    (
        "Host",
        [
            "",
            "a b",
            "[::1",
            "127.0.0.1:99999999",
            "evil.example/",
            "user@127.0.0.1",
            "127.0.0.1\x00",
            "\xff",
            "." * 300,
            "x" * 70_000,
        ],
    ),
    ("Authorization", ["null", "Bearer", "Bearer ", "Bearer " + "a." * 50_000, "Digest x", "\xff", "Bearer a.b.c, Bearer d.e.f"]),
    ("Origin", ["null", "*", "https://evil.example\x01", "\xff", "x" * 70_000]),
    ("Access-Control-Request-Method", ["FOO", "\xff"]),
    ("X-Request-Id", ["\x1b[2J", "' OR 1=1", "x" * 70_000, "\xff"]),
    ("Accept", ["application/xml", "\xff", "*/*;q=" + "9" * 10_000]),
    ("Cookie", ["session=" + "a" * 70_000, "=;=;", "\xff"]),
    ("X-HTTP-Method-Override", ["DELETE"]),
    ("If-None-Match", ["*"]),
    ("Range", ["bytes=0-0", "bytes=" + "0-0," * 10_000]),
    ("Expect", ["100-continue", "x"]),
    ("X_Forwarded_For", ["10.0.0.1"]),
    ("Content_Length", ["3"]),
]


def environ_of(name: str, value: str) -> dict[str, str]:
    """A header as the server hands it over, unchecked by the test client."""
    key = name.upper().replace("-", "_")
    return {key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}": value}


def with_header(client: FlaskClient, method: str, path: str, environ: dict[str, str], body: bytes = b"") -> Any:
    return client.open(path, method=method, data=body, content_type="application/json", environ_overrides=environ)


@pytest.mark.parametrize("client", [_client, _local], ids=["open", "unset"])
@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in HEADERS for value in values], ids=lambda x: ascii(x)[:30]
)
def test_each_odd_header_is_answered_or_refused(client: FlaskClient, name: str, value: str) -> None:
    body = json.dumps(hook_call(order())).encode()
    for path in (SIGN, f"{SIGN}/feedback", "/cds-services", "/cds-services/none", "/health/ready", "/openapi.json"):
        for method in ("POST", "GET", "OPTIONS"):
            answer = with_header(client, method, path, environ_of(name, value), body)
            assert answer.status_code < 500, (method, path)
            if answer.status_code >= 400 and path.startswith("/cds-services"):
                assert answer.get_json()["resourceType"] == "OperationOutcome"
            assert not any("\n" in sent or "\x1b" in sent for sent in answer.headers.values())
    serves_the_next(client)


@given(
    st.sampled_from(
        ["Content-Type", "Host", "Authorization", "Origin", "Content-Length", "Content-Encoding", "X-Request-Id", "X-Odd"]
    ),
    st.text(st.characters(max_codepoint=255, exclude_characters="\r\n"), max_size=60),
)
@FAST
def test_a_header_of_any_content_is_answered_or_refused(name: str, value: str) -> None:
    answer = with_header(_client, "POST", SIGN, environ_of(name, value), json.dumps(hook_call(order())).encode())
    assert answer.status_code < 500
    assert "cards" in answer.get_json() or answer.get_json()["resourceType"] == "OperationOutcome"


METHODS = ["GET", "HEAD", "PUT", "PATCH", "DELETE", "TRACE", "CONNECT", "PROPFIND", "post", "FOO!", "A" * 5000, "\xff"]


@pytest.mark.parametrize("method", METHODS, ids=lambda method: ascii(method)[:10])
def test_each_odd_method_is_answered_or_refused(client: FlaskClient, method: str) -> None:
    for path in (SIGN, f"{SIGN}/feedback", "/cds-services", "/cds-services/none", "/cds-services/none/feedback"):
        answer = client.open(path, method=method, json=hook_call(order()))
        assert answer.status_code < 500
        if answer.status_code >= 400 and method != "HEAD":
            assert answer.get_json()["resourceType"] == "OperationOutcome"
    serves_the_next(client)


@given(st.text(st.characters(max_codepoint=255), max_size=40), st.sampled_from(["", "/feedback", "/", "//", "/x"]))
@example("\x00", "")
@example("../../etc/passwd", "")
@example("order-sign-crd\r\nSet-Cookie: x", "/feedback")
@example("\xed\xa0\x80", "/feedback")
@example("a" * 70_000, "")
@FAST
def test_a_path_of_any_content_is_answered_or_refused(name: str, end: str) -> None:
    path = f"/cds-services/{name}{end}"
    answer = _client.post("/", environ_overrides={"PATH_INFO": path}, json=hook_call(order()))
    assert answer.status_code in (200, 400, 404, 405)
    assert not name.strip("/ ") or not answer.headers.get("Location")
    assert "cards" in answer.get_json() or answer.get_json()["resourceType"] == "OperationOutcome"


@pytest.mark.parametrize(
    ("path", "body"), [(SIGN, hook_call(order("<script>MR neurography</script>"))), (SIGN, {}), ("/cds-services/<b>", {})]
)
def test_no_answer_can_be_taken_for_a_page_or_kept_by_a_cache(client: FlaskClient, path: str, body: Any) -> None:
    answer = client.post(path, json=body)
    assert answer.mimetype == "application/json"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"] == "no-store"


# The other answers that come from what a client sends


@given(JSON.map(json.dumps) | st.sampled_from(ODD_TEXT), st.booleans())
@FAST
def test_a_service_that_answers_for_orders_without_a_policy_stands_it_too(text: str, is_knee: bool) -> None:
    client = _unmatched
    body = hook_call(order("MRI knee" if is_knee else None, extension=["@here@"]))
    is_well_answered(client, SIGN, json.dumps(body).replace('"@here@"', text).encode("utf-8", "surrogatepass"))

"""What a patient, an order or a token says is nowhere to be found afterwards: a real service, every example, hostile input.

Everything that could name a patient bears a tag. The log, the metrics, the answers to errors and the bytes of the
database's files are then searched for it; for tokens also every answer, and the records when opened.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import re
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from cds_service.records import open_store
from tests import examples
from tests.conformance.bodies import by_reference, order_dispatch, order_sign, searchset
from tests.conformance.bodies import order as plain_order
from tests.conformance.fhir_server import FhirServer
from tests.kept import KEY
from tests.served import SIGN, Served, serving, until
from tests.signing import jwk_of, jwks, private_key, token_of

pytestmark = pytest.mark.slow  # sends every example to a real server

TAG = "quillonby"
PUBLIC = "https://crd.example.org"
ISSUER = "https://ehr.example.org"
#: Members whose values name people, tell of them or refer to them; the rest of a request is codes and structure.
_PERSONAL = """id reference patientId userId subscriberId family given text div birthDate line city postalCode value comment
    userComment hookInstance selections dispatchedOrders order performer fullUrl title description patientInstruction path"""


@dataclass
class Said:
    """What came back: the answers to errors, and all answers; the tokens that were sent."""

    errors: list[bytes] = field(default_factory=list)
    answers: list[bytes] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)


@dataclass
class Watched:
    """The service under watch, in jwt mode, and what it was sent and said."""

    served: Served
    fhir: FhirServer
    said: Said

    def bearer(self, path: str) -> str:
        """A good token for ``path``, with its claims tagged."""
        now = int(time.time())
        claims = {"iss": ISSUER, "aud": PUBLIC + path, "iat": now, "exp": now + 300, "jti": f"{TAG}-{uuid.uuid4()}", "sub": TAG}
        token = token_of({"alg": "ES384", "typ": "JWT", "kid": "k1"}, claims, private_key("ES384"), "ES384")
        self.said.tokens.append(token)
        return f"Bearer {token}"

    def send(self, body: bytes, path: str = SIGN, method: str = "POST", **headers: str) -> int:
        """Send ``body`` with a good token, unless ``headers`` say otherwise; the status."""
        sent = {"Content-Type": "application/json", "Authorization": self.bearer(path.partition("?")[0])}
        connection = http.client.HTTPConnection("127.0.0.1", self.served.port, timeout=10)
        with contextlib.closing(connection):
            connection.request(method, path, body, sent | {name.replace("_", "-"): value for name, value in headers.items()})
            answer = connection.getresponse()
            text = answer.read()
        said = text + repr(answer.getheaders()).encode()
        self.said.answers.append(said)
        if answer.status >= 400:
            self.said.errors.append(said)
        assert answer.status < 500, text
        return answer.status


def tagged(value: Any, key: str = "") -> Any:
    """``value`` with a tag on every string that could tell of a patient; equal strings stay equal, so references still lead."""
    if isinstance(value, dict):
        return {name: tagged(member, name) for name, member in value.items()}
    if isinstance(value, list):
        return [tagged(each, key) for each in value]
    if isinstance(value, str) and key in _PERSONAL.split():
        return f"{value}-{TAG}"
    return value


def prefetched(body: dict[str, Any]) -> dict[str, Any]:
    """``body`` with people in its prefetch, and a note, an instruction and a narrative on each of its orders."""
    patient = {
        "resourceType": "Patient",
        "id": body["context"]["patientId"],
        "birthDate": "1947-02-28",
        "name": [{"family": "F"}],
    }
    return body | {"prefetch": {**(body.get("prefetch") or {}), f"who is {TAG}": patient}}


def hostile(access: dict[str, Any]) -> Iterator[tuple[str, bytes]]:
    """Paths and bodies that are wrong, odd or forged."""

    def call(**changes: Any) -> dict[str, Any]:
        return order_sign(plain_order(note=[{"text": TAG}]), **changes) | access

    raw = json.dumps(call()).encode()
    yield SIGN, raw[:-1]
    yield SIGN, raw + TAG.encode()
    yield SIGN, raw.replace(b'"note"', b'"' + TAG.encode() + b'": \xff, "note"')
    yield SIGN, json.dumps(TAG).encode()
    yield SIGN, json.dumps({TAG: TAG}).encode()
    yield SIGN, TAG.encode()
    for member in ("hook", "hookInstance", "context", "prefetch", "fhirServer", "fhirAuthorization", "extension"):
        yield SIGN, json.dumps(call() | {member: TAG}).encode()
        yield SIGN, json.dumps(call() | {member: {TAG: [TAG]}}).encode()
    for member in ("patientId", "userId", "draftOrders"):
        body = call()
        body["context"][member] = {TAG: TAG}
        yield SIGN, json.dumps(body).encode()
    yield SIGN, json.dumps(call(version=TAG)).encode()
    for version in ("2.0", "2.2"):
        for elements in (
            {"subject": TAG, "status": TAG, TAG: TAG, "authoredOn": TAG},
            {"occurrenceTiming": TAG, "intent": {TAG: TAG}, "code": {"text": f"MR neurography {TAG}", TAG: 1}},
            {"id": TAG, "code": {"coding": [{"code": TAG, "display": f"MR neurography {TAG}", "system": TAG}]}},
            {"extension": [{"url": TAG, "valueString": f"BCBSAL-CRD-{TAG}"}]},
            {"identifier": TAG, "contained": [{"resourceType": TAG}], "note": [{"text": TAG, TAG: TAG}]},
        ):
            yield SIGN, json.dumps(order_sign(plain_order(**elements), version=version) | access).encode()
        forged = {"url": "coverage-assertion-id", "valueString": f"BCBSAL-CRD-{TAG}"}
        pointed = {"url": "coverage", "valueReference": {"reference": f"Coverage/{TAG}"}}
        extension = {
            "url": "http://hl7.org/fhir/us/davinci-crd/StructureDefinition/ext-coverage-information",
            "extension": [pointed, forged, {"url": "covered", "valueCode": TAG}],
        }
        for code in ({"text": "MR neurography"}, {"text": "MRI knee"}):
            yield SIGN, json.dumps(order_sign(plain_order(extension=[extension], code=code), version=version) | access).encode()
        untold = {
            "coverage": searchset(by_reference(**{"id": TAG, "payor": [{"reference": f"Organization/{TAG}"}], "class": None}))
        }
        yield SIGN, json.dumps(order_sign(plain_order(), prefetch=untold, version=version) | access).encode()
        yield SIGN, json.dumps(order_sign(plain_order(), prefetch={f"{TAG} {TAG}": TAG}, version=version) | access).encode()
    report = {"card": TAG, "outcome": "overridden", "outcomeTimestamp": "2026-01-01T00:00:00Z"}
    reason = {"reason": {"code": f"c {TAG}", "system": TAG, "display": TAG}, "userComment": f"asked for by {TAG}"}
    for item in (report | {"overrideReason": reason}, report | {"outcome": TAG}, report | {"outcomeTimestamp": TAG}, {TAG: TAG}):
        yield f"{SIGN}/feedback", json.dumps({"feedback": [item]}).encode()
    yield f"/cds-services/{TAG}", raw
    yield f"/cds-services/{TAG}/feedback", raw
    yield f"/cds-services/order-sign-crd/{TAG}", raw
    yield f"{SIGN}?patient={TAG}", raw
    yield f"{SIGN}/feedback?{TAG}", raw
    yield "/cds-services/order-dispatch-crd", raw
    yield "/cds-services/appointment-book-crd", raw


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """The service after all of it was sent."""
    folder = tmp_path_factory.mktemp("privacy")
    (folder / "keys.json").write_bytes(jwks(jwk_of(private_key("ES384"), "k1", alg="ES384", use="sig")))
    with FhirServer() as fhir:
        (folder / "clients.toml").write_text(
            f'[[client]]\nname = "ehr"\niss = "{ISSUER}"\njwks_file = "keys.json"\nfhir_servers = ["{fhir.origin}"]\n'
        )
        settings = {
            "CDS_SERVICE_MODE": "jwt",
            "CDS_SERVICE_CLIENTS": str(folder / "clients.toml"),
            "CDS_SERVICE_PUBLIC_URL": PUBLIC,
            "CDS_SERVICE_RECORDS_KEYS": KEY,
        }
        with serving(folder, **settings) as served:
            running = Watched(served, fhir, Said())
            _send_examples(running)
            _send_hostile(running)
            _fetch_from_a_server_that_tells(running)
            _call_without_leave(running)
            until(lambda: served.said.count('"event":"request"') >= len(running.said.answers), "the log")
            time.sleep(1.5)  # what asserts nothing is written within a second
            yield running


def _send_examples(running: Watched) -> None:
    for name in examples.names():
        path = f"/cds-services/{examples.service_of(name)}"
        with contextlib.suppress(ValueError):
            body = json.loads(examples.request_text(name))
            running.send(json.dumps(prefetched(tagged(body))).encode(), path)
            running.send(json.dumps(prefetched(tagged(body)) | {"fhirAuthorization": _access(running)}).encode(), path)
            status = running.send(examples.request_text(name).encode(), path)
            assert status == examples.answer(name).status


def _access(running: Watched) -> dict[str, Any]:
    """``fhirAuthorization`` with a token that has not been sent before."""
    token = f"access-{uuid.uuid4()}/{TAG}"
    running.said.tokens.append(token)
    return {"access_token": token, "token_type": "Bearer", "expires_in": 300, "scope": "patient/*.read", "subject": TAG}


def _send_hostile(running: Watched) -> None:
    for path, body in hostile({"fhirServer": f"{running.fhir.origin}/{TAG}", "fhirAuthorization": _access(running)}):
        running.send(body, path)
    raw = json.dumps(order_sign(plain_order(note=[{"text": TAG}]))).encode()
    for headers in (
        {
            "User_Agent": TAG,
            "Referer": f"https://ehr.example.org/{TAG}",
            "Cookie": f"session={TAG}",
            "Origin": f"https://{TAG}.example",
        },
        {"X_Request_Id": TAG, "X_Forwarded_For": TAG, "Traceparent": TAG, "X_Patient": TAG},
        {"Content_Type": f"text/{TAG}"},
        {"Content_Type": f"application/json; charset={TAG}"},
        {"Content_Encoding": TAG},
        {"Host": f"{TAG}.example.org"},
    ):
        running.send(raw, **headers)
    for method in ("GET", "PUT", "DELETE", TAG.upper()):
        running.send(raw, method=method)
    with running.served.connect() as sock, contextlib.suppress(OSError):
        sock.sendall(f"POST {SIGN}?{TAG} HTTP/1.1\r\nHost: {TAG}\r\nX: {TAG}\x00\r\nContent-Length: {TAG}\r\n\r\n{TAG}".encode())
        running.said.errors.append(sock.recv(65536))


def _fetch_from_a_server_that_tells(running: Watched) -> None:
    """A FHIR server whose answers repeat the token they were asked with, and name the patient in each of their errors."""
    coverage = by_reference(**{"id": TAG, "class": None, "payor": [{"reference": f"Organization/{TAG}"}]})
    for status in (200, 401, 500, 302):
        for path in ("Coverage", f"Organization/{TAG}", f"ServiceRequest/{TAG}"):
            access = _access(running)
            token = access["access_token"]
            echo = {"text": {"div": f"<div>{token}</div>"}, "extension": [{"url": "asked", "valueString": f"Bearer {token}"}]}
            link = [{"relation": "next", "url": f"{running.fhir.base}/Coverage?token={token}&{TAG}"}]
            told = {"Location": f"{running.fhir.base}/{TAG}?{token}", "X-Echo": token, "WWW-Authenticate": token}
            running.fhir.answers = {
                "/fhir/Coverage": (200, searchset(coverage | echo, link=link), told),
                f"/fhir/Organization/{TAG}": (200, {"resourceType": "Organization", "id": TAG, "name": TAG} | echo, told),
                f"/fhir/ServiceRequest/{TAG}": (200, plain_order(id=TAG) | echo, told),
            }
            running.fhir.answers[f"/fhir/{path}"] = (status, *running.fhir.answers[f"/fhir/{path}"][1:])
            server = {"fhirServer": running.fhir.base, "fhirAuthorization": access}
            for version in ("2.0", "2.2"):
                signed = order_sign(plain_order(id=TAG), prefetch=None, version=version) | server
                running.send(json.dumps(signed).encode())
                sent = order_dispatch({"dispatchedOrders": [f"ServiceRequest/{TAG}"]}, prefetch=None, version=version) | server
                running.send(json.dumps(sent).encode(), "/cds-services/order-dispatch-crd")


def _call_without_leave(running: Watched) -> None:
    raw = json.dumps(order_sign(plain_order(note=[{"text": TAG}]))).encode()
    part = base64.urlsafe_b64encode(json.dumps({"iss": TAG, "kid": TAG}).encode()).rstrip(b"=").decode()
    used = running.bearer(SIGN)
    running.send(raw, Authorization=used)
    for authorization in ("null", TAG, f"Bearer {TAG}", f"Basic {part}", f"Bearer {part}.{part}.{part}", used, used + "x"):
        assert running.send(raw, Authorization=authorization) == 401


# What was then found


def test_enough_was_sent_and_kept_for_this_to_show_anything(watched: Watched) -> None:
    assert len(watched.said.answers) > 150
    assert len(watched.said.errors) > 60
    assert len(watched.said.tokens) > 150
    assert any(f"Bearer {token}" == asked for _, asked, _ in watched.fhir.asked for token in watched.said.tokens)
    kept = list(_exported(watched))
    assert len(kept) > 100
    assert TAG in json.dumps(kept).lower()


def test_the_log_says_nothing_of_a_patient_an_order_or_a_token(watched: Watched) -> None:
    log = watched.served.said
    assert '"status":401' in log
    assert '"status":200' in log
    assert TAG not in log.lower()
    assert not [token for token in watched.said.tokens if token in log or token.split(".")[-1][:20] in log]
    assert not re.search(r"exampleton|brachial|plexus|neurography|Patient/|ServiceRequest/|Coverage/", log, re.IGNORECASE)
    assert "Traceback" not in log


def test_the_log_is_json_line_by_line_with_none_but_known_fields(watched: Watched) -> None:
    from cds_service.logs import FIELDS

    logged = [json.loads(line) for line in watched.served.said.splitlines() if line.startswith("{")]
    assert len(logged) >= len(watched.said.answers)
    assert {name for line in logged for name in line} <= set(FIELDS)
    assert not [line for line in logged if line["event"] == "exception"]


def test_the_metrics_say_nothing_of_them(watched: Watched) -> None:
    samples = "\n".join(watched.served.metrics())
    assert "cds_service_calls_total" in samples
    assert TAG not in samples.lower()
    assert not [token for token in watched.said.tokens if token[:20] in samples]


def test_no_answer_to_an_error_repeats_what_was_sent(watched: Watched) -> None:
    assert not [said[:500] for said in watched.said.errors if TAG.encode() in said.lower()]


def test_no_answer_holds_a_token(watched: Watched) -> None:
    everything = b"".join(watched.said.answers)
    assert not [token for token in watched.said.tokens if token.encode() in everything]


def test_no_byte_of_the_database_can_be_read(watched: Watched) -> None:
    files = {path.name: path.read_bytes().lower() for path in watched.served.folder.glob("records.sqlite3*")}
    assert sum(map(len, files.values())) > 100_000
    for name, raw in files.items():
        for spelt in (
            TAG.encode(),
            TAG.encode("utf-16-le"),
            base64.b64encode(TAG.encode()).lower()[:11],
            b"exampleton",
            b"neurography, right",
        ):
            assert spelt not in raw, (name, raw[max(raw.find(spelt) - 80, 0) : raw.find(spelt) + 80])
        for token in watched.said.tokens:
            assert token.split(".")[-1].lower().encode() not in raw, name


def test_no_token_is_in_a_record_when_it_is_opened(watched: Watched) -> None:
    kept = json.dumps(list(_exported(watched)))
    for token in watched.said.tokens:
        assert token not in kept
        assert token.replace("/", "\\/") not in kept
        assert token.split(".")[-1] not in kept


def test_what_is_exported_without_bodies_tells_nothing_of_a_patient(watched: Watched) -> None:
    with contextlib.closing(_store(watched)) as store:
        assert TAG not in json.dumps(list(store.export(None, None, bodies=False)), default=str).lower()


def _store(watched: Watched) -> Any:
    settings = examples.settings(records=True, database_url=watched.served.database_url, records_keys=(KEY,))
    return open_store(settings)


def _exported(watched: Watched) -> Iterator[dict[str, Any]]:
    """Every call that was kept, opened."""
    with contextlib.closing(_store(watched)) as store:
        for line in store.export(None, None, bodies=True):
            yield json.loads(json.dumps(line, default=str))


def test_files_that_the_service_makes_are_its_owners_alone(watched: Watched) -> None:
    made = list(watched.served.folder.glob("records*"))
    assert made
    assert not [path.name for path in made if path.stat().st_mode & 0o007]

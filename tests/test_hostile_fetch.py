"""A call may name any FHIR server and bring a token: over HTTP, nothing but the allowed origin is ever connected to."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from cds_service.app import create_app
from cds_service.fhir_client import FhirClient
from cds_service.policy_files import load_policies
from cds_service.settings import Settings, load_settings
from tests.calls import NOON, SIGN
from tests.conformance.bodies import appointment, appointment_book, by_reference, order, order_dispatch, order_sign, searchset
from tests.conformance.fhir_server import TOKEN, FhirServer
from tests.loopback import answer, serving, tls_for
from tests.signing import jwk_of, jwks, private_key, token_of

pytestmark = pytest.mark.slow  # attacks by the hundred

METADATA = "http://169.254.169.254/latest/meta-data/iam/security-credentials"
PUBLIC = "https://crd.example.org"
_POLICIES = load_policies(None)

_watching: list[tuple[str, str]] = []
_is_watching = False


def _note(event: str, arguments: tuple[Any, ...]) -> None:
    # An audit hook sees what the interpreter itself does, whichever library asks for it; it cannot be taken away again.
    if _is_watching and event in ("socket.connect", "socket.getaddrinfo"):
        where = arguments[1] if event == "socket.connect" else arguments
        _watching.append((event.partition(".")[2], f"{where[0]}:{where[1]}" if isinstance(where, tuple) else repr(where)))


sys.addaudithook(_note)


@pytest.fixture
def connected() -> Iterator[list[tuple[str, str]]]:
    """Every connection and look-up of this process during the test, as (connect or getaddrinfo, host:port)."""
    global _is_watching
    _watching.clear()
    _is_watching = True
    yield _watching
    _is_watching = False


@pytest.fixture
def fhir() -> Iterator[FhirServer]:
    with FhirServer() as server:
        yield server


@pytest.fixture
def evil() -> Iterator[FhirServer]:
    with FhirServer() as server:
        yield server


def no_names(_host: str, _port: int) -> Sequence[str]:
    raise OSError("no such host")


def client_of(resolve: Callable[[str, int], Sequence[str]] = no_names, tls: Any = None, **settings: Any) -> FlaskClient:
    read: Settings = load_settings(**{"mode": "open", "public_url": PUBLIC, "fetch_budget": 1.0} | settings)
    return create_app(read, policies=_POLICIES, now=lambda: NOON, fhir=FhirClient(read, resolve=resolve, tls=tls)).test_client()


def calls(server: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Calls that would all need the FHIR server, with a token."""
    access = {"fhirServer": server, "fhirAuthorization": {"access_token": TOKEN, "token_type": "Bearer"}}
    for version in ("2.0", "2.2"):
        yield SIGN, order_sign(order(), prefetch=None, version=version) | access
        untold = {
            "coverage": searchset(by_reference(**{"class": None}), link=[{"relation": "next", "url": f"{METADATA}?page=2"}])
        }
        yield SIGN, order_sign(order(), prefetch=untold, version=version) | access
        sent = order_dispatch({"dispatchedOrders": ["ServiceRequest/mrn-1"]}, prefetch=None, version=version)
        yield "/cds-services/order-dispatch-crd", sent | access
        booked = appointment_book(appointment(), prefetch=None, version=version)
        yield "/cds-services/appointment-book-crd", booked | access


def send_all(client: FlaskClient, server: Any) -> None:
    for path, body in calls(server):
        said = client.post(path, data=json.dumps(body).encode(), content_type="application/json")
        assert said.status_code in (200, 400, 412), said.data
        assert TOKEN.encode() not in said.data


def connections(connected: list[tuple[str, str]]) -> set[str]:
    return {where for event, where in connected if event == "connect"}


#: ``{ok}`` is the port of the allowed server, ``{evil}`` that of another one on this machine.
NAMED = [
    "http://127.0.0.1:{evil}/fhir", "http://127.0.0.1:{ok}@127.0.0.1:{evil}/fhir", "http://127.0.0.1:{ok}@evil.example/fhir",
    "http://user:secret@127.0.0.1:{ok}/fhir", "http://:@127.0.0.1:{ok}/fhir", "http://@127.0.0.1:{ok}/fhir",
    "http://127.0.0.1:{ok}%40127.0.0.1:{evil}/", "http://127.0.0.1:{ok}\\@127.0.0.1:{evil}/",
    "http://127.0.0.1:{ok}\t@127.0.0.1:{evil}/",
    "http://127.0.0.1:{ok}\n@127.0.0.1:{evil}/", "http://127.0.0.1:{ok}/\r\nHost: evil.example\r\n\r\n",
    "http://127.0.0.1:{ok}#@127.0.0.1:{evil}/",
    "http://127.0.0.1:{ok}?@127.0.0.1:{evil}/", "http://127.0.0.1:{ok}/?next=http://127.0.0.1:{evil}/",
    "http://127.0.0.1:{ok}.evil.example/",
    "http://127.0.0.1.evil.example:{ok}/", "http://127.0.0.1.:{ok}/", "http://127.0.0.1.:{evil}/", "http://2130706433:{evil}/",
    "http://2130706433:{ok}/", "http://0x7f000001:{ok}/", "http://0x7f.0.0.1:{ok}/", "http://0177.0.0.1:{ok}/",
    "http://127.1:{ok}/",
    "http://127.0.0.01:{ok}/", "http://0:{ok}/", "http://0.0.0.0:{ok}/", "http://[::1]:{ok}/", "http://[::]:{ok}/",
    "http://[::ffff:127.0.0.1]:{ok}/",
    "http://[::ffff:7f00:1]:{ok}/", "http://[127.0.0.1]:{ok}/", "http://[::1%25lo]:{ok}/", "http://localhost:{ok}/",
    "http://localhost.:{ok}/",
    "http://LOCALHOST:{evil}/", "http://127。0。0。1:{evil}/", "http://①②⑦.⓪.⓪.①:{evil}/", "http://127.0.0.1：{evil}/",
    "https://127.0.0.1:{ok}/",
    "//127.0.0.1:{evil}/", "http:127.0.0.1:{evil}", "http:/127.0.0.1:{evil}/", "http:///127.0.0.1:{evil}/",
    "http://127.0.0.1:{ok}:{evil}/",
    "http://127.0.0.1:0{evil}/", "http://127.0.0.1:-1/", "http://127.0.0.1:/", "http://127.0.0.1/", " http://127.0.0.1:{evil}/",
    METADATA, "http://metadata.google.internal/", "http://[fd00:ec2::254]/latest/", "http://169.254.169.254.:80/",
    "http://2852039166/",
    "https://169.254.169.254/", "http://[::ffff:a9fe:a9fe]/", "https://ehr.example.org/", "ftp://127.0.0.1:{evil}/",
    "file:///etc/passwd",
    "gopher://127.0.0.1:{evil}/_x", "unix:///var/run/docker.sock", "data:,x", "javascript:alert(1)", "", " ", "x", "http://",
    "\x00", "\ud800",
    17, True, None, [], ["http://127.0.0.1:{evil}/"], {"url": "http://127.0.0.1:{evil}/"},
]  # fmt: skip


@pytest.mark.requirement("sec-1", "cds-hooks-2.0/fhir-access")
@pytest.mark.parametrize("named", NAMED, ids=lambda named: ascii(named)[:44])
def test_whatever_server_is_named_only_the_allowed_origin_is_connected_to(
    fhir: FhirServer, evil: FhirServer, connected: list[tuple[str, str]], named: Any
) -> None:
    ok, other = fhir.origin.rpartition(":")[2], evil.origin.rpartition(":")[2]
    server = named.replace("{ok}", ok).replace("{evil}", other) if isinstance(named, str) else named
    looked_up: list[str] = []

    def resolve(host: str, _port: int) -> Sequence[str]:
        looked_up.append(host)
        return ("127.0.0.1",)

    send_all(client_of(resolve, fhir_servers=fhir.origin), server)
    assert connections(connected) <= {f"127.0.0.1:{ok}"}
    assert evil.asked == []
    assert set(looked_up) <= {"127.0.0.1"}
    assert all(asked in (f"Bearer {TOKEN}", None) for _, asked, _ in fhir.asked)


@pytest.mark.requirement("sec-1")
def test_the_allowed_server_is_called_by_these_same_calls(fhir: FhirServer, connected: list[tuple[str, str]]) -> None:
    send_all(client_of(fhir_servers=fhir.origin), fhir.base)
    assert len(fhir.asked) >= 6
    assert connections(connected) == {fhir.origin.removeprefix("http://")}


@pytest.mark.requirement("sec-1")
@pytest.mark.parametrize(
    "location",
    [METADATA, "http://127.0.0.1:{evil}/fhir", "//127.0.0.1:{evil}/", "https://evil.example/", "file:///etc/passwd", "/admin"],
)
@pytest.mark.parametrize("status", [301, 303, 307, 308, 201])
def test_a_redirect_leads_nowhere(
    fhir: FhirServer, evil: FhirServer, connected: list[tuple[str, str]], location: str, status: int
) -> None:
    told = {"Location": location.replace("{evil}", evil.origin.rpartition(":")[2]), "Refresh": f"0; url={METADATA}"}
    for path in ("Coverage", "Organization/payer-1", "ServiceRequest/mrn-1"):
        fhir.answers[f"/fhir/{path}"] = (status, b"", told)
    send_all(client_of(fhir_servers=fhir.origin), fhir.base)
    assert connections(connected) == {fhir.origin.removeprefix("http://")}
    assert evil.asked == []
    assert "/admin" not in fhir.paths


@pytest.mark.requirement("sec-1")
@pytest.mark.parametrize(
    "link",
    [METADATA, "http://127.0.0.1:{evil}/fhir/Coverage", "//127.0.0.1:{evil}/fhir", "\\\\127.0.0.1:{evil}\\", "../admin", "/admin",
     "..%2fadmin", "http://127.0.0.1:{ok}@127.0.0.1:{evil}/fhir/", "http://127.0.0.1:{ok}/fhir/../admin",
     "http://127.0.0.1:{ok}/fhirx",
     "https://127.0.0.1:{ok}/fhir/", "?page=2\r\nX: y", "http://[", "\ud800"],
)  # fmt: skip
def test_a_link_to_a_next_page_leads_nowhere_but_under_the_base(
    fhir: FhirServer, evil: FhirServer, connected: list[tuple[str, str]], link: str
) -> None:
    ok, other = fhir.origin.rpartition(":")[2], evil.origin.rpartition(":")[2]
    url = link.replace("{ok}", ok).replace("{evil}", other)
    links = [{"relation": "next", "url": url}, {"relation": "self", "url": url}]
    fhir.answers["/fhir/Coverage"] = (200, searchset(by_reference(), link=links))
    client = client_of(fhir_servers=fhir.origin)
    send_all(client, fhir.base)
    body = order_sign(order(), prefetch={"coverage": searchset(link=links)}, **fhir.access)
    client.post(SIGN, data=json.dumps(body).encode(), content_type="application/json")
    assert connections(connected) == {fhir.origin.removeprefix("http://")}
    assert evil.asked == []
    assert all(path.startswith(("/fhir/Coverage?", "/fhir/Organization/", "/fhir/ServiceRequest/")) for path in fhir.paths)


@pytest.mark.requirement("sec-1")
@pytest.mark.parametrize(
    "reference",
    [METADATA + "/Organization/1", "http://127.0.0.1:{evil}/fhir/Organization/1", "Organization/../../admin",
    "Organization/..", "Organization/.",
     "Organization/1%2f..%2fadmin", "Organization/1?x=y", "Organization/1#x", "Organization/1\r\nX: y", "Organization/ü",
     "O/" + "9" * 70,
     "Organization/" + "9" * 70, "Organization/\ud800"],
)  # fmt: skip
def test_a_reference_leads_nowhere_but_to_a_resource_of_the_base(
    fhir: FhirServer, evil: FhirServer, connected: list[tuple[str, str]], reference: str
) -> None:
    payor = [{"reference": reference.replace("{evil}", evil.origin.rpartition(":")[2])}]
    coverage = by_reference(**{"class": None, "payor": payor})
    client = client_of(fhir_servers=fhir.origin)
    for version in ("2.0", "2.2"):
        body = order_sign(order(), prefetch={"coverage": searchset(coverage)}, version=version, **fhir.access)
        assert client.post(SIGN, data=json.dumps(body).encode(), content_type="application/json").status_code < 500
    assert connections(connected) <= {fhir.origin.removeprefix("http://")}
    assert evil.asked == []
    assert set(fhir.paths) <= {"/fhir/Organization/1"}


@pytest.mark.requirement("sec-1")
@pytest.mark.parametrize(
    "addresses",
    [("127.0.0.1",), ("169.254.169.254",), ("10.0.0.5",), ("::1",), ("::ffff:169.254.169.254",), ("fd00:ec2::254",),
     ("64:ff9b::a9fe:a9fe",),
     ("0.0.0.0",), ("93.184.216.34", "127.0.0.1"), ("100.64.0.1",), ("fe80::1",), ("2002:7f00:1::",)],
)  # fmt: skip
def test_an_allowed_name_that_resolves_inside_is_not_connected_to(
    connected: list[tuple[str, str]], addresses: tuple[str, ...]
) -> None:
    client = client_of(lambda *_: addresses, fhir_servers="https://ehr.example.org")
    send_all(client, "https://ehr.example.org/fhir")
    assert connected == []


@pytest.mark.requirement("sec-1")
def test_a_name_that_is_bound_anew_between_the_reads_is_called_where_it_was_checked(
    connected: list[tuple[str, str]], tmp_path: Path
) -> None:
    server_tls, client_tls = tls_for("ehr.example.org", tmp_path)
    found = json.dumps(searchset(by_reference(**{"class": None}))).encode()
    first_address = ["127.0.0.1"]
    with serving(answer(found), server_tls) as server:
        origin = f"https://ehr.example.org:{server.port}"
        # 127.0.0.2 stands for what the name is bound to as soon as it has been checked
        client = client_of(
            lambda *_: (first_address.pop() if first_address else "127.0.0.2",),
            tls=client_tls,
            fhir_servers=origin,
            private_hosts="ehr.example.org",
        )
        access = {"fhirServer": f"{origin}/fhir", "fhirAuthorization": {"access_token": TOKEN}}
        body = order_sign(order(), prefetch=None, **access)
        assert client.post(SIGN, data=json.dumps(body).encode(), content_type="application/json").status_code == 200
        assert len(server.requests) == 2  # the search, and the payor
        assert all(f"Host: ehr.example.org:{server.port}\r\n" in head for head in server.requests)
        assert connections(connected) == {f"127.0.0.1:{server.port}"}


@pytest.mark.requirement("sec-1")
def test_a_client_with_servers_of_its_own_cannot_name_anothers(fhir: FhirServer, evil: FhirServer, tmp_path: Path) -> None:
    (tmp_path / "keys.json").write_bytes(jwks(jwk_of(private_key("ES384"), "k1", alg="ES384", use="sig")))
    tables = [
        f'[[client]]\nname = "{name}"\niss = "https://{name}.example.org"\njwks_file = "keys.json"\n'
        f'fhir_servers = ["{server.origin}"]\n'
        for name, server in (("one", fhir), ("two", evil))
    ]
    (tmp_path / "clients.toml").write_text("\n".join(tables))
    client = client_of(mode="jwt", clients=tmp_path / "clients.toml", fhir_servers=evil.origin)
    now = int(NOON.timestamp())
    for number, server in enumerate((evil.base, fhir.base)):
        claims = {"iss": "https://one.example.org", "aud": PUBLIC + SIGN, "iat": now, "exp": now + 300, "jti": str(number)}
        token = token_of({"alg": "ES384", "typ": "JWT", "kid": "k1"}, claims, private_key("ES384"), "ES384")
        access = {"fhirServer": server, "fhirAuthorization": {"access_token": TOKEN}}
        body = order_sign(order(), prefetch=None, **access)
        said = client.post(SIGN, json=body, headers={"Authorization": f"Bearer {token}"})
        assert said.status_code == 200
    assert evil.asked == []
    assert len(fhir.asked) == 1


@pytest.mark.requirement("sec-6")
@pytest.mark.parametrize("token", ["t0ken-of-this-call/with-slash", "t0ken-of-this-call+x"])
def test_a_token_that_the_server_repeats_is_not_passed_on(fhir: FhirServer, token: str) -> None:
    echo = [{"url": "asked", "valueString": f"Bearer {token}"}]
    repeated = json.dumps(order(extension=echo)).encode()
    client = client_of(fhir_servers=fhir.origin)
    for spelt in (repeated, repeated.replace(b"/", b"\\/")):
        fhir.answers["/fhir/ServiceRequest/mrn-1"] = (200, spelt)
        access = fhir.access | {"fhirAuthorization": {"access_token": token}}
        sent = order_dispatch({"dispatchedOrders": ["ServiceRequest/mrn-1"]}) | access
        said = client.post("/cds-services/order-dispatch-crd", json=sent)
        assert said.status_code == 200
        assert b"(token)" in said.data
        assert token not in said.text
        assert token.replace("/", "\\/") not in said.text

"""The only outgoing FHIR traffic: reads and searches on the EHR's server, with the call's own token.

A request names its FHIR server, so the name proves nothing: a session is opened only for an origin that the operator
allowed (CDS Hooks 2.0, "FHIR Resource Access"; "Trusting CDS Clients"). The token is held by the session of one call,
goes to that origin only, and is in no log, error or ``repr``.
"""

from __future__ import annotations

import re
import ssl
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlencode, urljoin

import msgspec

from cds_service.fetch_slots import Slots
from cds_service.outgoing_address import (
    Clock,
    OutgoingError,
    OutgoingKind,
    Resolve,
    Target,
    parse_target,
    system_resolve,
)
from cds_service.settings import Settings

if TYPE_CHECKING:
    from cds_service.outgoing import GuardedSession

#: Why a fetch failed. ``busy``: too many fetches under way; ``too-many``: this call's number of requests is used up.
FetchKind = Literal[OutgoingKind, "not-json", "busy", "too-many"]
#: Told of each fetch: ``ok`` or a FetchKind, and the seconds it took.
OnFetch = Callable[[str, float], None]

MAX_ANSWER = 2 * 1024 * 1024
MAX_REQUESTS = 12
MAX_TOKEN = 16 * 1024

# FHIR R4 datatypes, "id". The pattern lets "." and ".." through, which a path must not contain.
_ID = re.compile(r"(?!\.{1,2}\Z)[A-Za-z0-9\-.]{1,64}")
_TYPE = re.compile(r"[A-Z][A-Za-z]{1,63}")
_PARAMETER = re.compile(r"[A-Za-z_][A-Za-z0-9_.:\-]{0,127}")
_TOKEN = re.compile(r"[\x21-\x7e]+")


class FetchFailed(Exception):
    """A fetch was refused or failed. Says its ``kind``, a FetchKind, and nothing of URL, token or patient.

    ``status`` is the HTTP status of an answer other than 200, else None.
    """

    def __init__(self, kind: FetchKind, status: int | None = None) -> None:
        super().__init__(kind)
        self.kind = kind
        self.status = status


class _Resource(msgspec.Struct):
    resourceType: str  # noqa: N815 (FHIR's spelling)


_decode_resource = msgspec.json.Decoder(_Resource).decode


class FhirClient:
    """Opens sessions on FHIR servers that are allowed; shared by all threads.

    ``max_concurrent`` requests may be under way or waiting at once, of them three quarters on one server, and half of them
    are sent to it at once; a further one fails as ``busy``. Keep it below the number of worker threads: then slow FHIR
    servers hold up neither calls that fetch nothing nor those that fetch from another server.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        on_fetch: OnFetch | None = None,
        max_concurrent: int = 24,
        resolve: Resolve = system_resolve,
        now: Clock = time.monotonic,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.fhir_servers = settings.fhir_servers
        self.private_hosts = settings.private_hosts
        self.fetch_budget = settings.fetch_budget
        self.on_fetch: OnFetch = on_fetch or (lambda outcome, seconds: None)
        self.slots = Slots(max_concurrent, patience=self.fetch_budget / 4)
        self.resolve = resolve
        self.now = now
        self.tls = tls

    def open(
        self, fhir_server: str | None, access_token: str | None, allowed_origins: Collection[str] | None = None
    ) -> FhirSession | None:
        """A session on ``fhir_server`` for one hook call, or None if nothing may be fetched.

        None: no server, no token or an empty one, a server whose origin is not exactly one of ``allowed_origins`` (None:
        those of ``CDS_SERVICE_FHIR_SERVERS``), or a URL with user name, query, fragment, dot segment or odd characters.
        No connection is made before the first read. Never raises, whatever the types of what the request held.
        """
        if not isinstance(fhir_server, str) or not isinstance(access_token, str):
            return None
        token = access_token.strip()
        if not _TOKEN.fullmatch(token) or len(token) > MAX_TOKEN:
            return None
        try:
            target = parse_target(fhir_server)
        except OutgoingError:
            return None
        if target.query or "?" in fhir_server:
            return None
        if target.origin not in (self.fhir_servers if allowed_origins is None else allowed_origins):
            return None
        return FhirSession(self, target, token)


class FhirSession:
    """One hook call's reads on one FHIR server, in turn, in one thread; a context manager, to be closed.

    All requests share ``CDS_SERVICE_FETCH_BUDGET`` seconds, counted from the first, and 12 requests in number; an answer
    may have 2 MiB. Every method raises FetchFailed, and returns a 200 answer's bytes: a JSON object with a
    ``resourceType``, which may be an OperationOutcome.
    """

    def __init__(self, client: FhirClient, target: Target, token: str) -> None:
        self._client = client
        self._target = target
        # Real clients send a base with a slash at its end.
        self._base_path = target.path.rstrip("/")
        self._base = target.origin + self._base_path
        self._headers = {"Accept": "application/fhir+json", "Authorization": f"Bearer {token}"}
        self._session: GuardedSession | None = None
        self._requests_left = MAX_REQUESTS

    def __repr__(self) -> str:
        return f"<FhirSession on {self._target.origin}>"

    def __enter__(self) -> FhirSession:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection and forget the token."""
        self._headers = {}
        self._requests_left = 0
        if self._session is not None:
            self._session.close()
            self._session = None

    def read(self, resource_type: str, resource_id: str) -> bytes:
        """GET one resource. ``refused`` unless type and id are formed as FHIR R4 says."""
        if not _fits(_TYPE, resource_type) or not _fits(_ID, resource_id):
            raise FetchFailed("refused")
        return self._get(f"{self._base}/{resource_type}/{resource_id}")

    def search(self, resource_type: str, params: Mapping[str, str] | Sequence[tuple[str, str]]) -> bytes:
        """GET a type-level search; ``params`` are written percent-encoded, in their order, repeats allowed."""
        pairs = list(params.items()) if isinstance(params, Mapping) else list(params)
        if not _fits(_TYPE, resource_type) or not all(_fits(_PARAMETER, name) for name, _ in pairs):
            raise FetchFailed("refused")
        try:
            query = urlencode(pairs)
        except UnicodeError:  # lone surrogates
            raise FetchFailed("refused") from None
        return self._get(f"{self._base}/{resource_type}?{query}")

    def next_page(self, url: str) -> bytes:
        """GET a Bundle's ``next`` link, absolute or relative to the base; ``refused`` outside this origin and base."""
        try:
            absolute = urljoin(f"{self._base}/", url) if isinstance(url, str) else ""
            target = parse_target(absolute)
        except (OutgoingError, ValueError):
            raise FetchFailed("refused") from None
        inside = target.path.rstrip("/") == self._base_path or target.path.startswith(f"{self._base_path}/")
        if target.origin != self._target.origin or not inside:
            raise FetchFailed("refused")
        return self._get(absolute)

    def _get(self, url: str) -> bytes:
        if self._requests_left <= 0:
            raise FetchFailed("too-many")
        start = self._client.now()
        slots, origin = self._client.slots, self._target.origin
        if not slots.acquire(origin):
            self._client.on_fetch("busy", self._client.now() - start)
            raise FetchFailed("busy")
        self._requests_left -= 1
        outcome: FetchKind | Literal["ok"] = "network"
        try:
            body = self._opened().get(url, self._headers)
            _decode_resource(body)
            outcome = "ok"
            return body
        except OutgoingError as error:
            outcome = error.kind
            raise FetchFailed(error.kind, error.status) from None
        # RecursionError: nested deeper than msgspec follows.
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            outcome = "not-json"
            raise FetchFailed("not-json") from None
        finally:
            slots.release(origin)
            self._client.on_fetch(outcome, self._client.now() - start)

    def _opened(self) -> GuardedSession:
        if self._session is None:
            from cds_service.outgoing import GuardedSession  # with requests, which most services never need

            self._session = GuardedSession(
                self._base + "/",
                allow_origins=(self._target.origin,),
                private_hosts=self._client.private_hosts,
                timeout=self._client.fetch_budget,
                max_bytes=MAX_ANSWER,
                resolve=self._client.resolve,
                now=self._client.now,
                tls=self._client.tls,
            )
        return self._session


def _fits(pattern: re.Pattern[str], value: object) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None

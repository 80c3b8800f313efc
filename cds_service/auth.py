"""Who is calling: tokens that registered clients signed, each accepted once; and where ``open`` mode may be used at all.

The signature is PyJWT's work; which algorithms, keys, audiences, lifetimes and token ids are accepted is decided here and
in ``token_claims``, in the order: header, client, key, signature, claims, and last of all whether the id was seen before.
"""

from __future__ import annotations

import functools
import hashlib
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal

import jwt
import msgspec
import structlog

from cds_service.clients import Client
from cds_service.jwks import KeySource, source_for
from cds_service.key_set import ALGORITHMS, JwksError
from cds_service.settings import Settings, SettingsError, is_loopback_host
from cds_service.token_claims import (
    NotAuthenticated,
    bearer_token,
    check_audience,
    check_times,
    endpoint_audiences,
    parse_token,
    read_jti,
)

__all__ = ["Authenticator", "Caller", "NotAuthenticated", "check_bind", "endpoint_audiences", "refuse_if_not_local"]

#: ``client, jti, exp`` to whether the id is new: a unique insert, kept until ``exp``. May raise anything.
Seen = Callable[[str, str, float], bool]

#: Token ids remembered in this process: for 300-second tokens enough for 300 calls a second.
MAX_REMEMBERED = 100_000

MAX_TENANT = 256

# No symmetric algorithm and no "none" is even registered.
_jws = jwt.PyJWS(algorithms=list(ALGORITHMS))
_log = structlog.get_logger(__name__)


class Caller(msgspec.Struct, frozen=True):
    """An authenticated client. ``fhir_servers`` None: those of the settings; ``tenant`` None: the token names none."""

    name: str
    iss: str
    tenant: str | None
    jti: str
    fhir_servers: tuple[str, ...] | None
    origins: tuple[str, ...]


class Authenticator:
    """Verifies clients' tokens; shared by all threads.

    ``seen`` is the store's unique insert, None if there is no store; when it raises, ``on_store_down`` is told, and the
    ids that this process has accepted decide alone.
    """

    def __init__(
        self,
        clients: Sequence[Client],
        *,
        seen: Seen | None,
        private_hosts: Iterable[str] = (),
        on_store_down: Callable[[], None] | None = None,
        source: Callable[[Client], KeySource] | None = None,
    ) -> None:
        hosts = tuple(private_hosts)

        def registered(client: Client) -> KeySource:
            return source_for(client.name, client.jwks_url, client.jwks_file, private_hosts=hosts)

        self._clients: dict[str, list[Client]] = {}
        for client in clients:
            self._clients.setdefault(client.iss, []).append(client)
        self._sources = {client.name: (source or registered)(client) for client in clients}
        self._seen = seen
        self._on_store_down = on_store_down or (lambda: None)
        self._remembered = _Remembered(MAX_REMEMBERED)

    def warm_up(self) -> None:
        """Start fetching every client's keys, without waiting for them; call it once in each worker, at its start."""
        for source in self._sources.values():
            source.refresh()

    def verify(self, authorization: str | None, endpoint_audiences: Sequence[str], now: float) -> Caller:
        """The client that signed the token of an ``Authorization`` header. Raises NotAuthenticated, and nothing else.

        ``endpoint_audiences``: the addresses of the endpoint that was called. ``now``: seconds since 1970.
        """
        token = bearer_token(authorization)
        header, claims = parse_token(token)
        client = self._client_of(claims)
        try:
            if header.alg not in client.algorithms:
                raise NotAuthenticated("alg")
            # A client known by a file may name its jku: it is not used. One known by a URL may name that URL only.
            if header.jku is not None and client.jwks_url is not None and header.jku != client.jwks_url:
                raise NotAuthenticated("jku")
            key = self._sources[client.name].find(header.kid, header.alg)
            _check_signature(token, key, header.alg)
            check_audience(claims, endpoint_audiences)
            exp = check_times(claims, now, client.max_lifetime)
            jti = read_jti(claims)
            if not client.allow_jti_reuse:
                self._refuse_if_seen(client.name, jti, exp, now)
        except (NotAuthenticated, JwksError) as error:
            raise NotAuthenticated(error.check, client.name) from None
        return Caller(client.name, client.iss, claims.get("tenant"), jti, client.fhir_servers, client.origins)

    def _client_of(self, claims: dict[str, Any]) -> Client:
        iss, tenant = claims.get("iss"), claims.get("tenant")
        clients = self._clients.get(iss, []) if isinstance(iss, str) else []
        if not clients:
            raise NotAuthenticated("iss")
        # Recorded and logged, so of a sane form even where any tenant is accepted.
        if tenant is not None and not (isinstance(tenant, str) and len(tenant) <= MAX_TENANT and tenant.isprintable()):
            raise NotAuthenticated("tenant", clients[0].name)
        for client in clients:
            if not client.tenants or tenant in client.tenants:
                return client
        raise NotAuthenticated("tenant", clients[0].name)

    def _refuse_if_seen(self, client: str, jti: str, exp: float, now: float) -> None:
        # Always remembered here too, so that an outage of the store does not make this process forget.
        here = self._remembered.add(client, jti, exp, now)
        new_in_store: bool | None = None
        if here != "seen" and self._seen is not None:
            try:
                new_in_store = self._seen(client, jti, exp)
            except Exception as error:  # whatever a database driver raises
                self._on_store_down()
                _log.warning("replay_store_down", client=client, error=type(error).__name__)
        if here == "seen" or new_in_store is False:
            raise NotAuthenticated("jti-seen")
        if here == "full" and new_in_store is None:
            raise NotAuthenticated("jti-memory-full")


def _check_signature(token: str, key: jwt.PyJWK, algorithm: str) -> None:
    try:
        _jws.decode_complete(token, key, algorithms=[algorithm])
    except Exception:  # PyJWTError; cryptography raises others for odd signatures
        raise NotAuthenticated("signature") from None


class _Remembered:
    """Token ids accepted by this process, as hashes, until they expire; bounded."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._until: dict[bytes, float] = {}
        self._purged_at = 0.0
        self._lock = threading.Lock()

    def add(self, client: str, jti: str, exp: float, now: float) -> Literal["new", "seen", "full"]:
        digest = hashlib.blake2b(f"{client}\0{jti}".encode(), digest_size=16).digest()
        with self._lock:
            if digest in self._until:
                return "seen"
            if len(self._until) >= self._limit and abs(now - self._purged_at) >= 1:
                self._until = {key: until for key, until in self._until.items() if until > now}
                self._purged_at = now
            if len(self._until) >= self._limit:
                return "full"
            self._until[digest] = exp
            return "new"


def check_bind(settings: Settings, host: str) -> Literal["open", "jwt"]:
    """The mode in which to serve on ``host``. Raises SettingsError that names every setting that is missing.

    ``open`` is the default on a loopback address only. ``jwt`` needs the clients file and, unless ``host`` is loopback,
    the public address, which tokens must name as their audience.
    """
    local = is_loopback_host(host)
    if settings.mode == "open" or (settings.mode is None and local):
        return "open"
    missing = []
    if settings.mode is None:
        missing.append(
            f"CDS_SERVICE_MODE: must be set to serve on {host or 'every address'}; write jwt (or open, for no "
            "authentication at all)"
        )
    if settings.clients is None:
        missing.append("CDS_SERVICE_CLIENTS: is missing; name the TOML file of the clients that may call")
    if settings.public_url is None and not local:
        missing.append("CDS_SERVICE_PUBLIC_URL: is missing; write the https address that clients call")
    if missing:
        raise SettingsError("\n".join(missing))
    return "jwt"


def refuse_if_not_local(host_header: str | None, header_names: Iterable[str], explicit_open: bool) -> bool:
    """Must a call in ``open`` mode be refused, because it is not local and ``open`` was not asked for?

    Not local: a Host that is no loopback name (a web page reaching in by DNS rebinding), or a header that a proxy adds.
    """
    if explicit_open:
        return False
    for name in header_names:
        name = name.lower().replace("_", "-")
        if name in ("forwarded", "via", "x-real-ip") or name.startswith("x-forwarded-"):
            return True
    return not _is_local_name(host_header or "")


@functools.lru_cache(maxsize=64)
def _is_local_name(host_header: str) -> bool:
    """Is a Host, with or without its port, this machine? Local clients send one or two, over and over."""
    host, _, port = host_header.rpartition(":")
    if not host or "]" in port:
        host, port = host_header, ""
    return is_loopback_host(host) and (port.isdecimal() or not port) and host.count("[") == host.count("]")

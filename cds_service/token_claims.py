"""What a client's token must say: checks of header and claims, as pure functions (CDS Hooks 2.0, "Trusting CDS Clients").

Each raises NotAuthenticated with the name of the check that failed. The names are for the log; a caller learns none.
"""

from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Sequence
from typing import Any, NoReturn
from urllib.parse import urlsplit

import msgspec

MAX_TOKEN = 8192
MAX_JTI = 256
MAX_AUDIENCES = 16
#: Seconds by which ``iat`` and ``nbf`` may lie ahead: the CDS Hooks Sandbox rounds ``iat`` up by as much as half a second.
LEEWAY = 10
#: No moment that a token names lies after this one (the year 5138); keeps arithmetic exact.
LATEST = 100_000_000_000

# RFC 6750 2.1 with RFC 7515 7.1: the scheme in any case, then three base64url parts without padding.
_BEARER = re.compile(r"[Bb][Ee][Aa][Rr][Ee][Rr] +([A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+) *")


class NotAuthenticated(Exception):
    """A call is refused with 401. ``check`` is the check that failed, ``client`` the registered name if one was found.

    Both are for the log only; neither holds a part of the token.
    """

    def __init__(self, check: str, client: str | None = None) -> None:
        super().__init__(check)
        self.check = check
        self.client = client


class TokenHeader(msgspec.Struct, frozen=True):
    """The parts of a JOSE header that are used; ``jku`` is compared with the registered address and never called."""

    alg: str
    kid: str
    jku: Any = None


def bearer_token(authorization: str | None) -> str:
    """The token of an ``Authorization`` header. ``null`` (some clients send that), other schemes, several values: none."""
    if authorization is None or not authorization.strip():
        raise NotAuthenticated("no-token")
    if len(authorization) > MAX_TOKEN:
        raise NotAuthenticated("token-too-long")
    match = _BEARER.fullmatch(authorization)
    if match is None:
        raise NotAuthenticated("no-bearer-token")
    return match[1]


def parse_token(token: str) -> tuple[TokenHeader, dict[str, Any]]:
    """Header and claims of ``token``, nothing of them trusted yet; members named twice, NaN and Infinity are refused."""
    header_part, claims_part, _ = token.split(".")
    header = _json_object(header_part, "header")
    if not isinstance(header.get("typ"), str) or header["typ"].lower() != "jwt":
        raise NotAuthenticated("typ")
    # RFC 7515 4.1.11: what must be understood and is not, refuses the token. Nothing of the kind is understood here.
    if "crit" in header or "b64" in header:
        raise NotAuthenticated("crit")
    alg, kid = header.get("alg"), header.get("kid")
    if not isinstance(alg, str):
        raise NotAuthenticated("alg")
    if not isinstance(kid, str) or not 0 < len(kid) <= MAX_JTI:
        raise NotAuthenticated("kid")
    return TokenHeader(alg, kid, header.get("jku")), _json_object(claims_part, "claims")


def _json_object(part: str, check: str) -> dict[str, Any]:
    try:
        text = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)).decode("utf-8")
        value = json.loads(text, object_pairs_hook=_no_repeats, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise NotAuthenticated(check) from None
    if not isinstance(value, dict):
        raise NotAuthenticated(check)
    return value


def _no_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError
    return found


def _no_constant(_: str) -> NoReturn:
    raise ValueError


def check_audience(claims: dict[str, Any], endpoint_audiences: Sequence[str]) -> None:
    """``aud``, a string or an array of them, holds one of ``endpoint_audiences``, compared as ``normal_url`` writes them."""
    aud = claims.get("aud")
    listed: list[Any] = aud if isinstance(aud, list) else [aud]
    if not listed or len(listed) > MAX_AUDIENCES or not all(isinstance(one, str) for one in listed):
        raise NotAuthenticated("aud")
    accepted = {normal_url(url) for url in endpoint_audiences} - {None}
    if accepted.isdisjoint(normal_url(one) for one in listed):
        raise NotAuthenticated("aud")


def normal_url(url: str) -> str | None:
    """``url`` with scheme and host in lower case, no default port, single slashes and none at the end of the path.

    None for what is no endpoint's address: another scheme, a user name, a query, a fragment. The path's case counts.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc or "?" in url or "#" in url:
        return None
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    suffix = "" if port in (None, {"http": 80, "https": 443}[parts.scheme]) else f":{port}"
    return f"{parts.scheme}://{host}{suffix}{re.sub('/+', '/', parts.path).rstrip('/')}"


def endpoint_audiences(public_url: str, path: str) -> tuple[str, ...]:
    """The audiences of the endpoint at ``path`` (with its leading slash) of ``public_url``.

    For feedback its own address or its service's, since CDS Hooks leaves open which is "the endpoint being invoked".
    """
    own = f"{public_url.rstrip('/')}/{path.strip('/')}"
    return (own, own.removesuffix("/feedback")) if own.endswith("/feedback") else (own,)


def check_times(claims: dict[str, Any], now: float, max_lifetime: float) -> float:
    """Check ``exp``, ``iat`` and ``nbf`` (RFC 7519 4.1.4 to 4.1.6) and return ``exp``. All in seconds since 1970.

    ``exp`` and ``iat`` are required. Refused: from the second ``exp`` on; ``iat`` or ``nbf`` more than 10 s ahead;
    ``exp`` not after ``iat``, or by more than ``max_lifetime``.
    """
    exp, iat = _moment(claims, "exp"), _moment(claims, "iat")
    if now >= math.floor(exp):
        raise NotAuthenticated("exp")
    if iat > now + LEEWAY:
        raise NotAuthenticated("iat")
    if "nbf" in claims and _moment(claims, "nbf") > now + LEEWAY:
        raise NotAuthenticated("nbf")
    if not 0 < exp - iat <= max_lifetime:
        raise NotAuthenticated("lifetime")
    return exp


def _moment(claims: dict[str, Any], name: str) -> float:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= LATEST:
        raise NotAuthenticated(name)
    return value


def read_jti(claims: dict[str, Any]) -> str:
    """The token's id: required, 1 to 256 printable characters (the CRD request generator's has 128)."""
    jti = claims.get("jti")
    if not isinstance(jti, str) or not 0 < len(jti) <= MAX_JTI or not jti.isprintable():
        raise NotAuthenticated("jti")
    return jti

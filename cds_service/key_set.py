"""A JWKS (RFC 7517) read and judged: which of its keys may verify a client's token, and with which algorithm.

PyJWT takes short RSA keys, symmetric keys and private ones; none of them is a client's public key, and each is refused.
"""

from __future__ import annotations

from typing import Any

import msgspec
from jwt import PyJWK

MAX_BYTES = 64 * 1024
MAX_KEYS = 32
#: NIST SP 800-131A; the upper bound because verifying with a longer key is work that a caller makes us do.
RSA_BITS = range(2048, 8192 + 1)
#: Algorithms (RFC 7518 3.1) to key type and curve. No symmetric ones and no ``none``: CDS Hooks 2.0 forbids them.
ALGORITHMS: dict[str, tuple[str, str | None]] = {
    "ES256": ("EC", "P-256"),
    "ES384": ("EC", "P-384"),
    "ES512": ("EC", "P-521"),
    **dict.fromkeys(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), ("RSA", None)),
}


class JwksError(Exception):
    """No key to verify with. ``check`` says why: a word for the log, such as ``unknown-kid``."""

    def __init__(self, check: str) -> None:
        super().__init__(check)
        self.check = check


class KeySet(msgspec.Struct, frozen=True):
    """A JWKS read once: ``keys`` by kid and algorithm, ``refused`` by kid with the reason."""

    keys: dict[str, dict[str, PyJWK]]
    refused: dict[str, str]

    def __contains__(self, kid: str) -> bool:
        return kid in self.keys or kid in self.refused

    def find(self, kid: str, algorithm: str) -> PyJWK:
        """The key named ``kid``, bound to ``algorithm``. Raises JwksError."""
        if kid not in self.keys:
            raise JwksError(self.refused.get(kid, "unknown-kid"))
        if algorithm not in self.keys[kid]:
            raise JwksError("key-does-not-fit-alg")
        return self.keys[kid][algorithm]


def parse_jwks(data: bytes) -> KeySet:
    """Read a JWKS. A key that cannot be used is refused by itself; JwksError ``jwks-malformed`` if it is no JWKS at all."""
    if len(data) > MAX_BYTES:
        raise JwksError("jwks-too-large")
    try:
        document = msgspec.json.decode(data)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        raise JwksError("jwks-malformed") from None
    listed = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(listed, list) or len(listed) > MAX_KEYS:
        raise JwksError("jwks-malformed")
    keys: dict[str, dict[str, PyJWK]] = {}
    refused: dict[str, str] = {}
    for jwk in listed:
        kid = jwk.get("kid") if isinstance(jwk, dict) else None
        if not isinstance(kid, str) or not kid or refused.get(kid) == "key-named-twice":
            continue
        try:
            usable = _usable_keys(jwk)
            # Which of two keys of one name is meant, nobody can know (RFC 7517 4.5), unless their algorithms differ.
            if usable.keys() & keys.get(kid, {}).keys():
                raise JwksError("key-named-twice")
            keys.setdefault(kid, {}).update(usable)
        except JwksError as error:
            refused[kid] = error.check
            if error.check == "key-named-twice":
                del keys[kid]
    return KeySet(keys, refused)


def _usable_keys(jwk: dict[str, Any]) -> dict[str, PyJWK]:
    kty, algorithm = jwk.get("kty"), jwk.get("alg")
    if kty not in ("EC", "RSA"):
        raise JwksError("key-symmetric" if kty == "oct" else "key-type")
    if "d" in jwk:
        raise JwksError("key-private")
    operations = jwk.get("key_ops", ["verify"])
    if jwk.get("use", "sig") != "sig" or not isinstance(operations, list) or "verify" not in operations:
        raise JwksError("key-use")
    curve = jwk.get("crv") if kty == "EC" else None
    fitting = [name for name, form in ALGORITHMS.items() if form == (kty, curve) and algorithm in (None, name)]
    if not fitting:
        raise JwksError("key-does-not-fit-alg")
    try:
        found = {name: PyJWK(jwk, algorithm=name) for name in fitting}
    except Exception:  # PyJWT lets TypeError, KeyError and errors of cryptography through for odd members
        raise JwksError("key-broken") from None
    if kty == "RSA" and next(iter(found.values())).key.key_size not in RSA_BITS:
        raise JwksError("key-length")
    return found

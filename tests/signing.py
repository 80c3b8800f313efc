"""Keys and tokens for tests, well formed and otherwise: a token is made of whatever header and claims a test wants."""

from __future__ import annotations

import base64
import functools
import json
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

CURVES = {"ES256": ec.SECP256R1, "ES384": ec.SECP384R1, "ES512": ec.SECP521R1}


@functools.cache
def private_key(kind: str, name: str = "") -> Any:
    """A private key, the same for the same arguments: ``ES384`` and its kin, or ``RSA-2048``."""
    if kind in CURVES:
        return ec.generate_private_key(CURVES[kind]())
    return rsa.generate_private_key(public_exponent=65537, key_size=int(kind.removeprefix("RSA-")))


def jwk_of(key: Any, kid: str, **members: Any) -> dict[str, Any]:
    """The public JWK of ``key``; members given as None are left out."""
    algorithm: Any = RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey) else ECAlgorithm
    jwk = algorithm.to_jwk(key.public_key(), as_dict=True)
    jwk.pop("key_ops", None)
    return {name: value for name, value in {**jwk, "kid": kid, **members}.items() if value is not None}


def jwks(*keys: dict[str, Any]) -> bytes:
    return json.dumps({"keys": list(keys)}).encode()


def part(value: Any) -> str:
    """One part of a token: bytes as they are, text in UTF-8, anything else as JSON."""
    raw = value if isinstance(value, bytes) else (value if isinstance(value, str) else json.dumps(value)).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def token_of(header: Any, claims: Any, key: Any, algorithm: str) -> str:
    """A token signed with ``algorithm``, whatever ``header`` says; algorithm "none": an empty signature."""
    signed = f"{part(header)}.{part(claims)}"
    if algorithm == "none":
        return f"{signed}."
    return f"{signed}.{part(jwt.get_algorithm_by_name(algorithm).sign(signed.encode(), key))}"

"""``cds-service client-token``: make a client's key pair and JWKS, or sign a test token with it.

For whoever sets up a client, or tries this service without one. The functions read no clock and make no random id but by
default argument, and write no file but through ``write_key_pair``.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import time
import uuid
from pathlib import Path
from typing import Any

import click
import jwt
import msgspec
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from cds_service.key_set import ALGORITHMS

CURVES: dict[str, type[ec.EllipticCurve]] = {"P-256": ec.SECP256R1, "P-384": ec.SECP384R1, "P-521": ec.SECP521R1}
RSA_BITS = 3072
PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey


class KeyPair(msgspec.Struct, frozen=True):
    """A private key in PEM (PKCS #8, not encrypted) and its public JWKS. Its ``repr`` shows no key."""

    private_pem: bytes
    jwks: dict[str, Any]
    kid: str

    def __repr__(self) -> str:
        return f"<KeyPair {self.kid}>"


def make_key_pair(algorithm: str = "ES384", kid: str | None = None) -> KeyPair:
    """Make a key pair for ``algorithm``; ``kid`` None: the key's thumbprint. ValueError for an unknown algorithm."""
    if algorithm not in ALGORITHMS:
        raise ValueError(f"{algorithm!r} is not one of {', '.join(ALGORITHMS)}")
    curve = ALGORITHMS[algorithm][1]
    key: PrivateKey = (
        ec.generate_private_key(CURVES[curve]()) if curve else rsa.generate_private_key(public_exponent=65537, key_size=RSA_BITS)
    )
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    kid = kid or thumbprint(key.public_key())
    jwk = {**_public_members(key.public_key()), "kid": kid, "alg": algorithm, "use": "sig"}
    return KeyPair(pem, {"keys": [jwk]}, kid)


def thumbprint(key: PublicKey) -> str:
    """The JWK thumbprint of a public key: RFC 7638, SHA-256, base64url without padding."""
    canonical = json.dumps(_public_members(key), separators=(",", ":"), sort_keys=True).encode()
    return base64.urlsafe_b64encode(hashlib.sha256(canonical).digest()).rstrip(b"=").decode()


def _public_members(key: PublicKey) -> dict[str, Any]:
    if isinstance(key, rsa.RSAPublicKey):
        jwk = RSAAlgorithm.to_jwk(key, as_dict=True)
        return {name: jwk[name] for name in ("e", "kty", "n")}
    jwk = ECAlgorithm.to_jwk(key, as_dict=True)
    return {name: jwk[name] for name in ("crv", "kty", "x", "y")}


def load_private_key(pem: bytes) -> PrivateKey:
    """Read an unencrypted EC or RSA private key in PEM. ValueError if it is none."""
    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError):
        raise ValueError("is no unencrypted private key in PEM") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        raise ValueError("is neither an EC nor an RSA key")
    return key


def algorithm_for(key: PrivateKey) -> str:
    """The algorithm that CDS Hooks recommends for the key's type, or the only one its curve has."""
    curve = None if isinstance(key, rsa.RSAPrivateKey) else _jose_curve(key)
    return "RS384" if curve is None else next(name for name, form in ALGORITHMS.items() if form == ("EC", curve))


def _jose_curve(key: ec.EllipticCurvePrivateKey) -> str:
    for name, curve in CURVES.items():
        if isinstance(key.curve, curve):
            return name
    raise ValueError(f"has the curve {key.curve.name}; use one of {', '.join(CURVES)}")


def sign_token(
    key: PrivateKey,
    *,
    iss: str,
    aud: str | list[str],
    kid: str | None = None,
    algorithm: str | None = None,
    lifetime: int = 300,
    tenant: str | None = None,
    now: float | None = None,
    jti: str | None = None,
) -> str:
    """Sign a CDS Hooks client token (CDS Hooks 2.0, "Trusting CDS Clients"). ValueError if key and algorithm don't fit.

    ``lifetime`` in seconds; ``now`` None: this moment; ``jti`` None: a new UUID; ``kid`` None: the key's thumbprint.
    """
    issued = int(time.time() if now is None else now)
    claims: dict[str, Any] = {
        "iss": iss,
        "aud": aud,
        "iat": issued,
        "exp": issued + lifetime,
        "jti": jti or str(uuid.uuid4()),
    }
    if tenant is not None:
        claims["tenant"] = tenant
    chosen = algorithm or algorithm_for(key)
    fits = ALGORITHMS.get(chosen) == (("RSA", None) if isinstance(key, rsa.RSAPrivateKey) else ("EC", _jose_curve(key)))
    if not fits:
        raise ValueError(f"does not fit the algorithm {chosen}")
    return jwt.encode(claims, key, algorithm=chosen, headers={"typ": "JWT", "kid": kid or thumbprint(key.public_key())})


def write_key_pair(pair: KeyPair, key_file: Path, jwks_file: Path) -> None:
    """Write the private key, readable by its owner only, and the JWKS. FileExistsError rather than overwrite a file."""
    if jwks_file.exists():
        raise FileExistsError(f"{jwks_file} is there already")
    with os.fdopen(os.open(key_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(pair.private_pem)
    with jwks_file.open("x", encoding="utf-8") as text:
        json.dump(pair.jwks, text, indent=2)
        text.write("\n")


@click.command("client-token")
@click.option("--make-key", is_flag=True, help="Make a key pair: the private key goes to --key, the JWKS to --jwks.")
@click.option("--key", "key_file", required=True, type=click.Path(path_type=Path), help="File of the private key (PEM).")
@click.option("--jwks", "jwks_file", type=click.Path(path_type=Path), help="With --make-key: file of the public JWKS.")
@click.option("--algorithm", type=click.Choice(list(ALGORITHMS)), help="Default: ES384, or what fits the key.")
@click.option("--kid", help="The key's name in the JWKS. Default: its thumbprint (RFC 7638).")
@click.option("--iss", help="Issuer: the `iss` registered with the service.")
@click.option("--aud", multiple=True, help="Audience: the exact address that is called. May be given several times.")
@click.option("--lifetime", type=click.IntRange(1), default=300, show_default=True, help="Seconds until it expires.")
@click.option("--tenant", help="The `tenant` claim, if the client is registered with tenants.")
def client_token(
    make_key: bool,
    key_file: Path,
    jwks_file: Path | None,
    algorithm: str | None,
    kid: str | None,
    iss: str | None,
    aud: tuple[str, ...],
    lifetime: int,
    tenant: str | None,
) -> None:
    """Sign a token as a CDS client does, or make the key pair for it (--make-key).

    \b
    cds-service client-token --make-key --key ehr.pem --jwks ehr.jwks.json
    cds-service client-token --key ehr.pem --iss https://ehr.example.org --aud https://crd.example.org/cds-services
    """
    try:
        if make_key:
            pair = make_key_pair(algorithm or "ES384", kid)
            public = jwks_file or key_file.with_suffix(".jwks.json")
            write_key_pair(pair, key_file, public)
            click.echo(f"{key_file}: the private key, to be kept secret\n{public}: the public keys (kid {pair.kid})")
            return
        if not iss or not aud:
            raise click.UsageError("A token needs --iss and --aud; --make-key makes a key pair instead.")
        key = load_private_key(key_file.read_bytes())
        audience = aud[0] if len(aud) == 1 else list(aud)
        click.echo(sign_token(key, iss=iss, aud=audience, kid=kid, algorithm=algorithm, lifetime=lifetime, tenant=tenant))
    except (OSError, ValueError) as error:
        raise click.ClickException(f"{key_file}: {error}" if isinstance(error, ValueError) else str(error)) from None

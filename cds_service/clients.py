"""The clients that may call: one TOML file, a ``[[client]]`` each, checked at start.

::

    [[client]]
    name = "Example EHR"                            # for logs and records; unique
    iss = "https://ehr.example.org"                 # the token's issuer, exactly
    jwks_url = "https://ehr.example.org/jwks.json"  # or jwks_file = "ehr.jwks.json", relative to this file
    algorithms = ["ES384", "RS384"]                 # the default
    tenants = ["hospital-1"]                        # accepted values of the tenant claim; absent: none is asked for
    fhir_servers = ["https://fhir.example.org"]     # origins; absent: those of CDS_SERVICE_FHIR_SERVERS
    origins = ["https://app.example.org"]           # web pages that may call (CORS)
    max_lifetime = 300                              # seconds from iat to exp, at most a day
    allow_jti_reuse = false                         # true only for test kits that send one token twice

Two clients may share an ``iss`` if both list tenants and no tenant is in both lists: one EHR vendor, several hospitals.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from cds_service.crd.errors import place_and_problem
from cds_service.crd.toml_text import parse_toml, shown
from cds_service.jwks import load_file
from cds_service.key_set import ALGORITHMS, JwksError, parse_jwks
from cds_service.outgoing_address import OutgoingError, parse_target
from cds_service.settings import checked_origin

#: CDS Hooks 2.0, "Trusting CDS Clients": both are RECOMMENDED.
DEFAULT_ALGORITHMS = ("ES384", "RS384")
DAY = 86_400

Text = Annotated[str, Meta(min_length=1, max_length=2048, pattern=r"\A[^\x00-\x1f\x7f]+\Z")]


class ClientsError(Exception):
    """The clients file is wrong: one line that names file, client, key, value and cure."""

    def __init__(self, file: Path, client: str, key: str, problem: str, cure: str) -> None:
        place = ": ".join(part for part in (str(file), client, key) if part)
        super().__init__(f"{place}: {problem}; {cure}".replace("\n", " "))


class Client(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One ``[[client]]``. Its fields are the file's keys (see the module); ``fhir_servers`` None: the general list."""

    name: Annotated[str, Meta(min_length=1, max_length=100, pattern=r"\A[^\x00-\x1f\x7f]+\Z")]
    iss: Text
    jwks_url: Text | None = None
    jwks_file: Text | None = None
    algorithms: tuple[str, ...] = DEFAULT_ALGORITHMS
    tenants: tuple[Text, ...] = ()
    fhir_servers: tuple[str, ...] | None = None
    origins: tuple[str, ...] = ()
    max_lifetime: Annotated[int, Meta(ge=1, le=DAY)] = 300
    allow_jti_reuse: bool = False


def load_clients(path: Path) -> tuple[Client, ...]:
    """Read and check the clients file; ``jwks_file`` comes back as an absolute path. Raises ClientsError."""
    try:
        document = parse_toml(path.read_bytes().decode("utf-8"))
    except (OSError, ValueError) as error:  # no UTF-8 is a ValueError too
        raise ClientsError(path, "", "", f"cannot be read as TOML: {error}", "write one [[client]] table a client") from None
    tables = document.get("client")
    stray = sorted(document.keys() - {"client"})
    if stray:
        raise ClientsError(path, "", stray[0], "is no key of this file", "put every key under a [[client]]")
    if not isinstance(tables, list) or not tables:
        raise ClientsError(path, "", "client", "there is none", "write at least one [[client]] table")
    clients = tuple(_client(path, index, table) for index, table in enumerate(tables, 1))
    _check_distinct(path, clients)
    return clients


def cors_origins(clients: Sequence[Client]) -> frozenset[str]:
    """The origins whose pages may call in ``jwt`` mode: a preflight bears no token, so every client's."""
    return frozenset(origin for client in clients for origin in client.origins)


def _client(path: Path, index: int, table: Any) -> Client:
    name = table.get("name") if isinstance(table, dict) else None
    label = f"client {name!r}" if isinstance(name, str) and name else f"client number {index}"
    unknown = sorted(table.keys() - set(Client.__struct_fields__)) if isinstance(table, dict) else []
    if unknown:
        cure = f"the keys are {', '.join(Client.__struct_fields__)}"
        raise ClientsError(path, label, unknown[0], "is no key of a client", cure)
    try:
        client = msgspec.convert(table, Client)
    except msgspec.ValidationError as error:
        key, problem = place_and_problem(error)
        told = f"{shown(table[key])}: {problem}" if isinstance(table, dict) and key in table else problem
        raise ClientsError(path, label, key, told, "see docs/client-keys.md for each key's form") from None

    def wrong(key: str, problem: str, cure: str) -> ClientsError:
        return ClientsError(path, label, key, problem, cure)

    for algorithm in client.algorithms or ("",):
        if algorithm not in ALGORITHMS:
            raise wrong("algorithms", f"{algorithm!r} is not allowed", f"choose from {', '.join(ALGORITHMS)}")
    if (client.jwks_url is None) == (client.jwks_file is None):
        raise wrong("jwks_url", "exactly one of jwks_url and jwks_file is needed", "give one of the two")
    origins = {}
    for key in ("fhir_servers", "origins"):
        listed = getattr(client, key)
        try:
            origins[key] = None if listed is None else tuple(checked_origin(origin) for origin in listed)
        except ValueError as error:
            raise wrong(key, str(error), "an origin has neither a path nor a slash at its end") from None
    file = _checked_keys(path, client, wrong)
    return msgspec.structs.replace(client, jwks_file=file, **origins)


def _checked_keys(path: Path, client: Client, wrong: Any) -> str | None:
    """Check where the keys are to come from; for a file, that it holds one that can be used. The file's absolute path."""
    if client.jwks_url is not None:
        try:
            parse_target(client.jwks_url)
        except OutgoingError:
            raise wrong("jwks_url", f"{client.jwks_url!r} is no https address", "write https://host/path") from None
        return None
    file = path.parent.absolute() / str(client.jwks_file)
    cure = 'write {"keys": [...]}, as `cds-service client-token --make-key` does'
    try:
        key_set = parse_jwks(load_file(file))
    except OSError as error:
        raise wrong("jwks_file", f"{str(file)!r} cannot be read: {error.strerror}", "name the client's JWKS file") from None
    except JwksError as error:
        raise wrong("jwks_file", f"{str(file)!r} is no JWKS ({error.check})", cure) from None
    if not any(set(client.algorithms) & set(keys) for keys in key_set.keys.values()):
        reasons = ", ".join(sorted(set(key_set.refused.values()))) or "no key with a kid fits algorithms"
        raise wrong("jwks_file", f"{str(file)!r} holds no key that can be used ({reasons})", cure)
    return str(file)


def _check_distinct(path: Path, clients: Sequence[Client]) -> None:
    for index, client in enumerate(clients):
        for other in clients[:index]:
            label = f"client {client.name!r}"
            if client.name == other.name:
                raise ClientsError(path, label, "name", "is used twice", "give each client a name of its own")
            if client.iss != other.iss:
                continue
            if not client.tenants or not other.tenants or set(client.tenants) & set(other.tenants):
                problem = f"{client.iss!r} is also that of {other.name!r}"
                raise ClientsError(path, label, "iss", problem, "give both tenants, without one in common")

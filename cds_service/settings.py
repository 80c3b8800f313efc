"""The only reader of the environment: one frozen ``Settings``, checked at start.

Every variable has the prefix ``CDS_SERVICE_``; ``docs/operations.md`` lists them all, and a test holds the two together.
"""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

PREFIX = "CDS_SERVICE_"


class SettingsError(Exception):
    """A setting is wrong: the message names the variable and the cure, one per line, and never a secret's value."""


class Settings(BaseSettings):
    """The service's settings, read once from the environment."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore", env_ignore_empty=True)

    public_url: str | None = Field(
        None,
        description="The address that clients see, for links and token audiences. Unset: the bind address and port, "
        "or 127.0.0.1 where that is every address.",
    )
    policies: Path | None = Field(None, description="A folder of further policy files (*.toml).")
    timezone: str = Field("America/Chicago", description="The plan's time zone (IANA name); decides what day it is.")
    max_body: int = Field(4 * 1024 * 1024, ge=1024, description="Largest request body, in bytes.")

    mode: Literal["open", "jwt"] | None = Field(
        None,
        description="`open`: no authentication. `jwt`: every call under /cds-services bears a client-signed token. "
        "Unset: open on a loopback address, else refused.",
    )
    clients: Path | None = Field(None, description="TOML file of the clients that may call, needed in `jwt` mode.")

    literal_q2: bool = Field(
        False,
        description="Adds `pa-needed` `no-auth` to CRD 2.0 answers, for validators that take invariant crd-ci-q2 literally.",
    )
    unmatched: Literal["silent", "conditional"] = Field(
        "silent", description="What is said of orders that no policy here is about: nothing, or `conditional`."
    )

    fhir_servers: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="FHIR servers that may be called back, as exact origins separated by commas. None by default."
    )
    private_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Host names, separated by commas, that may resolve to private or link-local addresses."
    )
    fetch_budget: float = Field(2.0, gt=0, le=30, description="Seconds that all callbacks of one hook call may take together.")

    records: bool = Field(True, description="Keep calls and answers (CRD found-11, found-37). `false` is for benchmarks only.")
    database_url: str | None = Field(
        None, description="SQLAlchemy URL of the records. Unset: a SQLite file in the user's state directory."
    )
    records_keys: Annotated[tuple[str, ...], NoDecode] = Field(
        (), repr=False, description="Keys of the records, newest first: `id:base64 of 32 bytes`, separated by commas. Secret."
    )
    retention_days: int | None = Field(
        None,
        ge=1,
        le=36_500,  # a hundred years; no day can be counted thousands of years back
        description="Records older than this many days are purged, at most 36500. Unset: kept for ever.",
    )

    try_: bool | None = Field(
        None, alias="CDS_SERVICE_TRY", description="The try-it page. Unset: on in open mode, off in jwt mode."
    )
    metrics_address: str | None = Field(
        "127.0.0.1:9464", description="Address of the Prometheus endpoint, `host:port`; `off` for none."
    )

    @field_validator("fhir_servers", "private_hosts", "records_keys", mode="before")
    @classmethod
    def _split_commas(cls, value: Any) -> Any:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("timezone")
    @classmethod
    def _is_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except Exception as error:  # zoneinfo raises OSError, KeyError and ValueError for odd names
            raise ValueError("is no IANA time zone; write for example America/Chicago") from error
        return value

    @field_validator("metrics_address")
    @classmethod
    def _is_host_and_port(cls, value: str | None) -> str | None:
        if value is None or value.strip().lower() == "off":
            return None
        host, _, port = value.strip().rpartition(":")
        if not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
            raise ValueError("is no address; write host:port, for example 127.0.0.1:9464, or off")
        return value.strip()

    @field_validator("public_url")
    @classmethod
    def _is_address(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment or parts.username:
            raise ValueError("is no web address; write for example https://crd.example.org")
        return value.rstrip("/")

    @field_validator("database_url")
    @classmethod
    def _is_database(cls, value: str | None) -> str | None:
        if value is None:
            return None
        # Loaded where it is used: it takes a tenth of a second, and most commands open no database.
        from sqlalchemy.engine import make_url
        from sqlalchemy.exc import ArgumentError

        try:
            host = make_url(value).host or ""
        except (ArgumentError, ValueError):  # a port that is no number is a ValueError
            raise ValueError("is no SQLAlchemy URL; write sqlite:////path/to/file or postgresql://user@host/name") from None
        if "@" in host:  # which would be shown, and be a part of the password
            raise ValueError("has an @ in its host; write %40 for one in the password")
        return value

    @field_validator("fhir_servers")
    @classmethod
    def _are_origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(checked_origin(origin) for origin in value)

    @field_validator("policies")
    @classmethod
    def _is_folder(cls, value: Path | None) -> Path | None:
        if value is not None and not value.is_dir():
            raise ValueError("is no folder; name a folder of policy files (*.toml)")
        return value

    @field_validator("clients")
    @classmethod
    def _is_file(cls, value: Path | None) -> Path | None:
        if value is not None and not value.is_file():
            raise ValueError("is no file; name the TOML file of the clients")
        return value


def checked_origin(origin: str) -> str:
    """``origin`` as ``scheme://host[:port]`` in lower case; ValueError unless https, or http on a loopback host."""
    try:
        parts = urlsplit(origin)
        port = parts.port
    except ValueError:
        raise ValueError(f"{origin!r} is no origin; write https://host or https://host:port") from None
    if (
        parts.scheme not in ("http", "https")
        or not parts.hostname
        or parts.path not in ("", "/")
        or parts.query
        or parts.username
    ):
        raise ValueError(f"{origin!r} is no origin; write https://host or https://host:port, without a path")
    if parts.scheme == "http" and not is_loopback_host(parts.hostname):
        raise ValueError(f"{origin!r} is not https; plain http is allowed on loopback hosts only")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    default = {"http": 80, "https": 443}[parts.scheme]
    return f"{parts.scheme}://{host}" + (f":{port}" if port not in (None, default) else "")


@lru_cache(maxsize=64)
def is_loopback_host(host: str) -> bool:
    """Is ``host`` (a name or an address, brackets allowed) this machine's own: localhost, 127.0.0.0/8 or ::1?"""
    host = host.strip("[]").lower()
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def load_settings(**overrides: Any) -> Settings:
    """Read and check the environment; ``overrides`` win over it. Raises SettingsError."""
    try:
        return Settings(**overrides)
    except ValidationError as error:
        raise SettingsError("\n".join(_line(issue) for issue in error.errors(include_input=False, include_url=False))) from None


def _line(issue: Any) -> str:
    name = str(issue["loc"][0]) if issue["loc"] else ""
    variable = name if name.startswith(PREFIX) else PREFIX + name.upper()
    return f"{variable}: {issue['msg'].removeprefix('Value error, ')}"

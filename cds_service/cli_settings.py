"""``cds-service settings``: the effective settings, without secrets."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import click
from pydantic.fields import FieldInfo
from sqlalchemy.engine import make_url

from cds_service.cli_output import settings_or_fail
from cds_service.settings import PREFIX, Settings

MASKED = "(set, not shown)"


@dataclass(frozen=True)
class ShownSetting:
    """One setting as it may be shown: ``value`` and ``default`` are JSON-like, None where unset; secrets are masked."""

    name: str
    value: Any
    default: Any
    meaning: str


def shown_settings(settings: Settings) -> Iterator[ShownSetting]:
    """Every setting, in the order of ``Settings``; of those that hold secrets only whether they are set."""
    for field, info in Settings.model_fields.items():
        yield ShownSetting(
            variable_of(field, info),
            _shown(field, info, getattr(settings, field)),
            _plain(info.default),
            info.description or "",
        )


def variable_of(field: str, info: FieldInfo) -> str:
    """The environment variable of a field of ``Settings``."""
    return info.alias or f"{PREFIX}{field.upper()}"


def _shown(field: str, info: FieldInfo, value: Any) -> Any:
    if not value:
        return _plain(value)
    if field == "database_url":
        return _without_password(str(value))
    # What Settings keeps out of its own repr is a secret.
    return _plain(value) if info.repr else MASKED


def _without_password(url: str) -> str:
    parsed = make_url(url)
    # A password may stand in the query too (libpq's "password", "sslpassword").
    if any("password" in name.lower() for name in parsed.query):
        parsed = parsed.set(query={})
    return parsed.render_as_string(hide_password=True)


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return [str(each) for each in value] if isinstance(value, tuple) else str(value)


def _text(value: Any) -> str:
    if value is None or value == []:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(value) if isinstance(value, list) else str(value)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def settings(as_json: bool) -> None:
    """Print the effective settings, each with its default and meaning. Secrets are not shown."""
    shown = list(shown_settings(settings_or_fail()))
    if as_json:
        click.echo(json.dumps([vars(each) for each in shown], indent=2))
    elif sys.stdout.isatty():
        _print_table(shown)
    else:
        for each in shown:
            click.echo(f"{each.name}={_text(each.value)}")


def _print_table(shown: list[ShownSetting]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table("Setting", "Value", "Default", "Meaning", show_edge=False, row_styles=("", "dim"))
    for each in shown:
        value = Text(_text(each.value), style="" if each.value == each.default else "bold")
        table.add_row(each.name, value, _text(each.default), Text(each.meaning))
    Console().print(table)

"""What the commands have in common: one way to fail, one to read the settings; colour on a terminal, plain text elsewhere."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from typing import Any, NoReturn
from zoneinfo import ZoneInfo

import click
import msgspec
from rich.box import SIMPLE_HEAD
from rich.console import Console, Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from cds_service.crd.explanation import explain
from cds_service.settings import Settings, SettingsError, load_settings
from cds_service.trying import Outcome


def printable(text: str) -> str:
    """``text`` for one line of a terminal: white space as blanks, U+FFFD for what would command the terminal or turn its text."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else " " if char.isspace() else "\N{REPLACEMENT CHARACTER}" for char in text)


def printable_lines(text: str) -> str:
    """``text`` with each of its lines made ``printable``."""
    return "\n".join(map(printable, text.splitlines()))


def printable_json(text: str) -> str:
    """The same JSON, with escapes for what would command the terminal."""
    return "".join(char if char.isprintable() or char == "\n" else json.dumps(char)[1:-1] for char in text)


def fail(message: object) -> NoReturn:
    """Say on one line of stderr what is wrong, and exit with status 2."""
    click.echo(f"cds-service: {printable(' '.join(str(message).split()))}", err=True)
    raise SystemExit(2)


def fail_in_lines(error: Exception) -> NoReturn:
    """Say on stderr what is wrong, a line for each setting or place, and exit with status 2."""
    for line in str(error).splitlines():
        click.echo(f"cds-service: {printable(line)}", err=True)
    raise SystemExit(2)


def settings_or_fail() -> Settings:
    """The settings; a wrong one ends the command with a line for each."""
    try:
        return load_settings()
    except SettingsError as error:
        fail_in_lines(error)


def plan_today(settings: Settings) -> date:
    """The day it is in the plan's time zone."""
    return datetime.now(UTC).astimezone(ZoneInfo(settings.timezone)).date()


def terminal() -> Console | None:
    """A console if standard output is a terminal (or FORCE_COLOR is set), else None: then write plain text."""
    console = Console(file=sys.stdout, highlight=False)
    return console if console.is_terminal else None


def show_table(console: Console, columns: Sequence[str], rows: Iterable[Sequence[str | Text]], title: str | None = None) -> None:
    """Print ``rows`` under ``columns``."""
    table = Table(*columns, title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for row in rows:
        table.add_row(*row)
    console.print(table)


#: Colours of the card's indicator; ``critical`` is never sent.
_COLOURS = {"info": "blue", "warning": "yellow", "critical": "red"}


def show_outcome(console: Console, outcome: Outcome) -> None:
    """Print the explanation, each card as an EHR would show it, and what is written on the orders."""
    from rich.markdown import Markdown  # takes as long to import as all the rest, and only a terminal needs it

    for line in explain(outcome.decision):
        console.print(_painted(line), soft_wrap=False)
    body: dict[str, Any] = msgspec.json.decode(outcome.response.body)
    if not body["cards"]:
        console.print(Text("Answer: no card.", style="bold"))
    for card in body["cards"]:
        links = [Text(printable(f"{link['label']}: {link['url']}"), style="cyan") for link in card.get("links", ())]
        console.print(
            Panel(
                Group(Text(printable(card["summary"]), style="bold"), Text(), Markdown(printable_lines(card["detail"])), *links),
                title=f"{card['indicator']}: {card['source']['label']}",
                title_align="left",
                border_style=_COLOURS[card["indicator"]],
            )
        )
    show_written(console, body)


def show_written(console: Console, body: dict[str, Any]) -> None:
    """Print the system actions of a response, if it has any."""
    rows = [
        (
            Text(printable(f"{action['resource']['resourceType']}/{action['resource'].get('id', '?')}")),
            Text(printable(action["description"])),
        )
        for action in body.get("systemActions", ())
    ]
    if rows:
        show_table(console, ("Written on", "What"), rows)


def _painted(line: str) -> Text:
    """A line of the explanation: the order in bold, the names of what was looked at in colour."""
    line = printable(line)
    name, colon, rest = line.partition(":")
    if not line.startswith(" "):
        return Text(line, style="bold")
    return Text.assemble((name + colon, "cyan"), rest) if colon and len(name) < 60 else Text(line)

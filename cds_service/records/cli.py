"""``cds-service records``: show, replay, export, measures, purge, upgrade, rekey.

``records_group`` makes the commands from two functions, so that this module knows neither how settings are read nor
how a call is decided.
"""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import click
import msgspec

from cds_service.records import RecordsError, RecordsUnavailable, Store, open_store, upgrade_database
from cds_service.records.measures import Measure
from cds_service.records.record import CallRecord
from cds_service.records.replay import Decide, replay
from cds_service.records.words import told
from cds_service.settings import Settings, SettingsError

_DAY = click.DateTime(["%Y-%m-%d"])
_from = click.option("--from", "start", type=_DAY, help="First day, in the plan's time zone.")
_to = click.option("--to", "end", type=_DAY, help="Last day, inclusive, in the plan's time zone.")


def records_group(load: Callable[[], Settings], decide: Decide) -> click.Group:
    """The group ``records``, reading its settings by ``load`` and deciding calls again by ``decide``."""

    @click.group(help="Find, explain, decide again, count, export and purge what the service keeps.")
    @click.pass_context
    def records(context: click.Context) -> None:
        context.obj = _Tools(load, decide)

    for command in (_show, _replay, _export, _measures, _purge, _upgrade, _rekey):
        records.add_command(command)
    return records


class _Tools:
    """What the commands work with."""

    def __init__(self, load: Callable[[], Settings], decide: Decide) -> None:
        self._load, self.decide = load, decide

    def settings(self) -> Settings:
        with _one_line_errors():
            return self._load()

    @contextmanager
    def store(self) -> Iterator[Store]:
        """The store, closed at the end; an error of it ends the command with one line and exit code 2."""
        with _one_line_errors():
            store = open_store(self._load())
            try:
                yield store
            finally:
                store.close()

    def span(self, start: datetime | None, end: datetime | None) -> tuple[datetime | None, datetime | None]:
        """Days as the user writes them, to times: from the first day's start to the last day's end."""
        return self.midnight(start), self.midnight(end + timedelta(days=1) if end else None)

    def midnight(self, day: datetime | None) -> datetime | None:
        """The start of ``day`` in the plan's time zone."""
        zone = ZoneInfo(self.settings().timezone)
        return datetime.combine(day.date(), time.min, zone).astimezone(UTC) if day else None


@contextmanager
def _one_line_errors() -> Iterator[None]:
    try:
        yield
    except (RecordsError, SettingsError) as error:
        click.echo(f"cds-service: {error}", err=True)
        sys.exit(2)


@click.command("show")
@click.argument("name", metavar="ASSERTION-ID|HOOK-INSTANCE")
@click.option("--limit", default=20, show_default=True, help="At most so many calls, newest first.")
@click.pass_obj
def _show(tools: _Tools, name: str, limit: int) -> None:
    """Print the calls of a coverage-assertion-id, hookInstance or card uuid: the answer and the reason.

    Shows patient data.
    """
    with tools.store() as store:
        found = store.find(name, limit)
    if not found:
        raise click.ClickException("no call of that id is kept")
    for number, call in enumerate(found):
        if number:
            click.echo()
        for line in told(call):
            click.echo(_visible(line))


@click.command("replay")
@click.argument("name", metavar="[ASSERTION-ID|HOOK-INSTANCE]", required=False)
@_from
@_to
@click.pass_obj
def _replay(tools: _Tools, name: str | None, start: datetime | None, end: datetime | None) -> None:
    """Decide kept calls again with what was kept, and tell whether the answer is the same.

    By id, or all of a span of days. Exit code 1 when an answer differs, 2 when there is no such call or it cannot be decided.
    Shows patient data where it differs.
    """
    if name is None and start is None and end is None:
        raise click.UsageError("name an id, or a span by --from and --to")
    same = differing = 0
    undecided: list[str] = []

    def pass_over(error: Exception, what: str = "") -> None:
        # One call that cannot be decided must not hide what has become of the others. Only our own errors quote no record.
        reason = str(error) if isinstance(error, RecordsError) else f"cannot be decided again ({type(error).__name__})"
        undecided.append(what)
        click.echo(f"cds-service: {what}{reason}", err=True)

    with tools.store() as store:
        span = tools.span(start, end)
        calls: Iterable[CallRecord] = (found.call for found in store.find(name)) if name else store.calls(*span, pass_over)
        for call in calls:
            try:
                differs = _told_differences(store, call, tools.decide)
            except RecordsUnavailable:
                raise
            except Exception as error:  # what was kept by another version, or is nested too deep
                pass_over(error, f"{call.call_id}: ")
                continue
            differing += differs
            same += not differs
        if not (total := same + differing + len(undecided)):
            raise RecordsError("no such call is kept")
    click.echo(f"{same} of {total} answers are the same" + (f", {len(undecided)} cannot be decided again" if undecided else ""))
    sys.exit(1 if differing else 2 if undecided else 0)


def _told_differences(store: Store, call: CallRecord, decide: Decide) -> bool:
    differences = replay(call, store.policy_files(call.policy_hashes), decide)
    lines = [f"{call.call_id} {call.at:%Y-%m-%dT%H:%M:%SZ}: {'differs' if differences else 'the same answer'}"]
    lines += [f"  {one.place or 'the whole body'}: was {_short(one.then)}, is {_short(one.now)}" for one in differences]
    click.echo("\n".join(lines))
    return bool(differences)


def _visible(line: str) -> str:
    # What a client sent could otherwise command the terminal of whoever looks at it.
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in line)


def _short(value: Any) -> str:
    text = "absent" if value is None else _visible(msgspec.json.encode(value).decode())
    return text if len(text) <= 160 else text[:157] + "..."


@click.command("export")
@_from
@_to
@click.option("--bodies", is_flag=True, help="With requests, responses, evidence and comments: patient data.")
@click.option("--output", type=click.File("wb"), default="-", help="A file; else standard output.")
@click.pass_obj
def _export(tools: _Tools, start: datetime | None, end: datetime | None, bodies: bool, output: Any) -> None:
    """Write kept calls as NDJSON, one call a line, oldest first."""
    from rich.console import Console
    from rich.progress import Progress

    first, last = tools.span(start, end)
    console = Console(stderr=True)
    with tools.store() as store, Progress(console=console, disable=not console.is_terminal, transient=True) as progress:
        task = progress.add_task("calls", total=store.count(first, last) if console.is_terminal else None)
        for line in store.export(first, last, bodies=bodies):
            output.write(msgspec.json.encode(line) + b"\n")
            progress.advance(task)


@click.command("measures")
@_from
@_to
@click.option("--format", "form", type=click.Choice(["table", "json", "csv"]), default="table", show_default=True)
@click.pass_obj
def _measures(tools: _Tools, start: datetime | None, end: datetime | None, form: str) -> None:
    """Count calls, coverage information, recognition and feedback. Shows no patient data."""
    with tools.store() as store:
        found = store.measures(*tools.span(start, end))
    click.echo({"json": _as_json, "csv": _as_csv, "table": _as_table}[form](found), nl=False)


def _as_json(found: list[Measure]) -> str:
    lines = [{"measure": one.name, **one.group, "count": one.count, "of": one.of, "share": one.share} for one in found]
    return msgspec.json.format(msgspec.json.encode(lines), indent=2).decode() + "\n"


def _as_csv(found: list[Measure]) -> str:
    names = list(dict.fromkeys(name for one in found for name in one.group))
    text = io.StringIO()
    writer = csv.DictWriter(text, ["measure", *names, "count", "of", "share"], lineterminator="\n")
    writer.writeheader()
    for one in found:
        share = "" if one.share is None else f"{one.share:.4f}"
        writer.writerow({"measure": one.name, **one.group, "count": one.count, "of": one.of, "share": share})
    return text.getvalue()


def _as_table(found: list[Measure]) -> str:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    # A pipe has no width; a table must not be folded there.
    console = Console(file=io.StringIO(), width=None if sys.stdout.isatty() else 200)
    if not found:
        return "Nothing was kept in that span.\n"
    for name in dict.fromkeys(one.name for one in found):
        rows = [one for one in found if one.name == name]
        table = Table(*rows[0].group, "count", "of", "share", title=Text(name.replace("_", " ")), title_justify="left")
        for one in rows:
            share = "" if one.share is None else f"{one.share:.1%}"
            table.add_row(*map(Text, one.group.values()), str(one.count), "" if one.of is None else str(one.of), share)
        console.print(table)
    return str(console.file.getvalue())  # type: ignore[attr-defined]


@click.command("purge")
@click.option("--before", type=_DAY, required=True, help="Calls before this day, in the plan's time zone, are deleted.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def _purge(tools: _Tools, before: datetime, yes: bool) -> None:
    """Delete kept calls, and the feedback on them, for good."""
    first = tools.midnight(before)
    with tools.store() as store:
        count = store.count(None, first)
        if count and not yes and sys.stdin.isatty():
            click.confirm(f"Delete {count} calls before {before:%Y-%m-%d} for good?", abort=True)
        click.echo(f"{store.purge(first) if first else 0} calls deleted")


@click.command("upgrade")
@click.pass_obj
def _upgrade(tools: _Tools) -> None:
    """Migrate the database's tables to this version; nothing happens when they are."""
    with _one_line_errors():
        click.echo(f"{upgrade_database(tools.settings())} is up to date")


@click.command("rekey")
@click.pass_obj
def _rekey(tools: _Tools) -> None:
    """Seal every record with the newest key, after which older keys may be removed."""
    with tools.store() as store:
        click.echo(f"{store.rekey()} records sealed with the newest key")

"""``cds-service records``: show, replay, export, measures, purge, upgrade, rekey.

``records_group`` makes the commands from three functions, so that this module knows neither how settings are read nor
how a call is decided and explained.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import click
import msgspec

from cds_service.cli_output import printable
from cds_service.records import RecordsError, RecordsUnavailable, RecordUnreadable, upgrade_database
from cds_service.records.cli_tools import OneLineErrors, Tools, reason, written
from cds_service.records.measures_output import FORMATS
from cds_service.records.record import CallRecord
from cds_service.records.replay import Decide, Difference, Explain, replay, same_until
from cds_service.settings import Settings

#: Characters shown of a difference, and of those so many that are the same, before it.
_SHOWN, _BEFORE = 160, 40
_DAY = click.DateTime(["%Y-%m-%d"])
_from = click.option("--from", "start", type=_DAY, help="First day, in the plan's time zone.")
_to = click.option("--to", "end", type=_DAY, help="Last day, inclusive, in the plan's time zone.")


def records_group(load: Callable[[], Settings], decide: Decide, explain: Explain) -> click.Group:
    """The group ``records``, reading its settings by ``load``; ``decide`` and ``explain`` decide kept calls again."""

    @click.group(cls=OneLineErrors, help="Find, explain, decide again, count, export and purge what the service keeps.")
    @click.pass_context
    def records(context: click.Context) -> None:
        context.obj = Tools(load, decide, explain)

    for command in (_show, _replay, _export, _measures, _purge, _upgrade, _rekey):
        records.add_command(command)
    return records


@click.command("show")
@click.argument("name", metavar="ASSERTION-ID|HOOK-INSTANCE")
@click.option(
    "--limit",
    default=20,
    show_default=True,
    type=click.IntRange(1, 1_000_000),
    help="At most so many calls, newest first.",
)
@click.pass_obj
def _show(tools: Tools, name: str, limit: int) -> None:
    """Print the calls of a coverage-assertion-id, hookInstance or card uuid: the answer and the reason.

    Shows patient data.
    """
    unreadable: list[RecordUnreadable] = []

    def pass_over(error: RecordUnreadable) -> None:
        unreadable.append(error)
        click.echo(f"cds-service: {error}", err=True)

    with tools.store() as store:
        if not (count := store.count_named(name)):
            raise click.ClickException(f"no call of that id is kept in {store.url}")
        if count > limit:
            click.echo(f"cds-service: {count} calls of that id are kept; these are the newest {limit} (see --limit)", err=True)
        for number, found in enumerate(store.each(name, limit, pass_over)):
            if number:
                click.echo()
            for line in tools.told(store, found):
                click.echo(_visible(line))
    sys.exit(2 if unreadable else 0)


@click.command("replay")
@click.argument("name", metavar="[ASSERTION-ID|HOOK-INSTANCE]", required=False)
@_from
@_to
@click.pass_obj
def _replay(tools: Tools, name: str | None, start: datetime | None, end: datetime | None) -> None:
    """Decide kept calls again with what was kept, and tell whether the answer is the same.

    By id, or all of a span of days. Exit code 1 when an answer differs, 2 when there is no such call or it cannot be decided.
    Shows patient data where it differs.
    """
    if name is None and start is None and end is None:
        raise click.UsageError("name an id, or a span by --from and --to")
    if name is not None and (start or end):
        raise click.UsageError("name an id or a span, not both: an id is looked for in all that is kept")
    same = differing = refused = 0
    undecided: list[str] = []

    def pass_over(error: Exception, what: str = "") -> None:
        # One call that cannot be decided must not hide what has become of the others.
        undecided.append(what)
        click.echo(f"cds-service: {what}{reason(error)}", err=True)

    with tools.store() as store:
        span = tools.span(start, end)
        for call in store.calls_named(name, pass_over) if name is not None else store.calls(*span, pass_over):
            if not call.was_decided:
                click.echo(f"{call.call_id} {call.at:%Y-%m-%dT%H:%M:%SZ}: HTTP {call.status}; nothing was decided")
                refused += 1
                continue
            try:
                differences = replay(call, store.policy_files(call.policy_hashes), tools.decide)
            except RecordsUnavailable:
                raise
            except Exception as error:  # what was kept by another version, or is nested too deep
                pass_over(error, f"{call.call_id}: ")
                continue
            click.echo("\n".join(_told(call, differences)))
            differing += bool(differences)
            same += not differences
        if not (total := same + differing + len(undecided)) and not refused:
            raise RecordsError(f"no such call is kept in {store.url}")
    besides = [f", {len(undecided)} cannot be decided again"] if undecided else []
    besides += [f"; of {refused} calls nothing was decided"] if refused else []
    click.echo(f"{same} of {total} answers are the same" + "".join(besides))
    sys.exit(1 if differing else 2 if undecided else 0)


def _told(call: CallRecord, differences: list[Difference]) -> Iterator[str]:
    yield f"{call.call_id} {call.at:%Y-%m-%dT%H:%M:%SZ}: {'differs' if differences else 'the same answer'}"
    for one in differences:
        then, now = _text(one.then), _text(one.now)
        same = same_until(then, now)
        # So much is shown that the change can be seen, wherever in it that is.
        start = max(0, same - _BEFORE) if max(len(then), len(now)) > _SHOWN else 0
        yield f"  {one.place or 'the whole body'}: was {_short(then, start)}, is {_short(now, start)}"


def _visible(line: str) -> str:
    # What a client sent could otherwise command the terminal of whoever looks at it.
    return printable(line)


def _text(value: Any) -> str:
    return "absent" if value is None else _visible(msgspec.json.encode(value).decode())


def _short(text: str, start: int) -> str:
    shown = "..." + text[start + 3 :] if start else text
    return shown if len(shown) <= _SHOWN else shown[: _SHOWN - 3] + "..."


@click.command("export")
@_from
@_to
@click.option("--bodies", is_flag=True, help="With requests, responses, evidence and comments: patient data.")
@click.option("--output", type=click.Path(path_type=Path, allow_dash=True), default="-", help="A file; else standard output.")
@click.pass_obj
def _export(tools: Tools, start: datetime | None, end: datetime | None, bodies: bool, output: Path) -> None:
    """Write kept calls as NDJSON, one call a line, oldest first."""
    from rich.console import Console
    from rich.progress import Progress

    first, last = tools.span(start, end)
    console = Console(stderr=True)
    progress = Progress(console=console, disable=not console.is_terminal, transient=True)
    with tools.store() as store, written(output) as file, progress:
        task = progress.add_task("calls", total=store.count(first, last) if console.is_terminal else None)
        for line in store.export(first, last, bodies=bodies):
            file.write(msgspec.json.encode(line) + b"\n")
            progress.advance(task)


@click.command("measures")
@_from
@_to
@click.option("--format", "form", type=click.Choice(list(FORMATS)), default="table", show_default=True)
@click.pass_obj
def _measures(tools: Tools, start: datetime | None, end: datetime | None, form: str) -> None:
    """Count calls, coverage information, recognition and feedback. Shows no patient data."""
    with tools.store() as store:
        found = store.measures(*tools.span(start, end))
    click.echo(FORMATS[form](found), nl=False)


@click.command("purge")
@click.option("--before", type=_DAY, required=True, help="Calls before this day, in the plan's time zone, are deleted.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def _purge(tools: Tools, before: datetime, yes: bool) -> None:
    """Delete kept calls, and the feedback on them, for good."""
    first = tools.midnight(before)
    with tools.store() as store:
        count = store.count(None, first)
        if count and not yes and sys.stdin.isatty():
            click.confirm(f"Delete {count} calls before {before:%Y-%m-%d} for good?", abort=True)
        click.echo(f"{store.purge(first) if first else 0} calls deleted")


@click.command("upgrade")
@click.pass_obj
def _upgrade(tools: Tools) -> None:
    """Migrate the database's tables to this version; nothing happens when they are."""
    address, notices = upgrade_database(tools.settings())
    for notice in notices:
        click.echo(notice, err=True)
    click.echo(f"{address} is up to date")


@click.command("rekey")
@click.pass_obj
def _rekey(tools: Tools) -> None:
    """Seal every record with the newest key, after which older keys may be removed.

    A record that does not open is named and stays as it is; the exit code is then 2.
    """
    unreadable: list[RecordUnreadable] = []

    def pass_over(error: RecordUnreadable) -> None:
        unreadable.append(error)
        click.echo(f"cds-service: {error}", err=True)

    with tools.store() as store:
        done = store.rekey(pass_over)
    besides = f"; {len(unreadable)} that do not open stay as they are" if unreadable else ""
    click.echo(f"{done} records sealed with the newest key{besides}")
    sys.exit(2 if unreadable else 0)

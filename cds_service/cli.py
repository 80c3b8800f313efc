"""The command line: ``cds-service``, also ``python -m cds_service``. Bad input: one line on stderr and exit status 2."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from cds_service import __version__
from cds_service.cli_output import (
    fail,
    fail_in_lines,
    plan_today,
    printable,
    printable_json,
    settings_or_fail,
    show_outcome,
    terminal,
)
from cds_service.crd.errors import CallError, PolicyError
from cds_service.settings import SettingsError

#: Commands that stand in modules of their own, which are imported only when asked for: ``serve`` needs none of them.
_ELSEWHERE = {
    "call": "cds_service.cli_call:call",
    "client-token": "cds_service.token_tool:client_token",
    "policies": "cds_service.cli_policies:policies",
    "records": "cds_service.cli_records:records",
    "settings": "cds_service.cli_settings:settings",
}


class _Commands(click.Group):
    """A group that imports a command when it is asked for, and says what is wrong with a command line on one line."""

    def main(  # type: ignore[override]  # click overloads it on standalone_mode
        self, args: Sequence[str] | None = None, prog_name: str | None = None, **extra: Any
    ) -> Any:
        if not extra.pop("standalone_mode", True):
            return super().main(args, prog_name, standalone_mode=False, **extra)
        try:
            status = super().main(args, prog_name, standalone_mode=False, **extra)
        except click.exceptions.NoArgsIsHelpError as error:
            error.show()
            sys.exit(error.exit_code)
        except click.UsageError as error:
            where = f" (see {error.ctx.command_path} --help)" if error.ctx else ""
            fail(f"{error.format_message()}{where}")
        except click.ClickException as error:
            click.echo(f"cds-service: {error.format_message()}", err=True)
            sys.exit(error.exit_code)
        except click.Abort:
            sys.exit(1)
        sys.exit(status if isinstance(status, int) else 0)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted([*super().list_commands(ctx), *_ELSEWHERE])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _ELSEWHERE:
            return super().get_command(ctx, cmd_name)
        module, _, name = _ELSEWHERE[cmd_name].partition(":")
        found: click.Command = getattr(import_module(module), name)
        return found


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="cds-service")
def main() -> None:
    """A payer's Coverage Requirements Discovery server on CDS Hooks."""


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8080, show_default=True, type=click.IntRange(0, 65535), help="Port to listen on.")
@click.option("--workers", default=1, show_default=True, type=click.IntRange(1, 64), help="Worker processes.")
def serve(host: str, port: int, workers: int) -> None:
    """Run the service under its production server until stopped."""
    from cds_service.clients import ClientsError
    from cds_service.records import RecordsMisconfigured
    from cds_service.server import run_server

    try:
        run_server(settings_or_fail(), host, port, workers)
    except (SettingsError, PolicyError, ClientsError, RecordsMisconfigured) as error:
        fail_in_lines(error)


@main.command()
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@click.option(
    "--today", type=click.DateTime(["%Y-%m-%d"]), help="Decide as on this day (default: today in the plan's time zone)."
)
@click.option("--json", "as_json", is_flag=True, help="Print the response instead of the explanation.")
@click.option("--service", "service_id", help="Answer as this service (default: the one of the request's hook).")
def explain(file: Path, today: datetime | None, as_json: bool, service_id: str | None) -> None:
    """Say in plain words how a hook request is answered, and why. FILE is a request in JSON, or - for standard input."""
    from cds_service import trying

    try:
        body = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        fail(f"{file}: {error.strerror or error}")
    settings = settings_or_fail()
    day = today.date() if today else plan_today(settings)
    try:
        outcome = trying.try_request(body, trying.TryContext.from_settings(settings, day), service_id)
    except CallError as error:
        for line in () if as_json else trying.refusal_lines(error):
            click.echo(printable(line))
        fail(f"{file}: {error}. {error.cure}.")
    except PolicyError as error:
        fail(error)
    if as_json:
        click.echo(printable_json(json.dumps(json.loads(outcome.response.body), indent=2, ensure_ascii=False)))
        return
    console = terminal()
    if console is not None:
        show_outcome(console, outcome)
        return
    for line in outcome.lines():
        click.echo(printable(line))

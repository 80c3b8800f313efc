"""The command line: ``cds-service``, also ``python -m cds_service``. Bad input: one line on stderr and exit status 2."""

from __future__ import annotations

import json
import sys
from datetime import UTC, date, datetime
from pathlib import Path
from typing import NoReturn
from zoneinfo import ZoneInfo

import click

from cds_service import __version__
from cds_service.crd.errors import CallError, PolicyError
from cds_service.settings import Settings, SettingsError, load_settings


def _fail(message: object) -> NoReturn:
    click.echo(f"cds-service: {' '.join(str(message).split())}", err=True)
    raise SystemExit(2)


def _settings() -> Settings:
    try:
        return load_settings()
    except SettingsError as error:
        for line in str(error).splitlines():
            click.echo(f"cds-service: {line}", err=True)
        raise SystemExit(2) from None


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="cds-service")
def main() -> None:
    """A payer's Coverage Requirements Discovery server on CDS Hooks."""


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8080, show_default=True, type=click.IntRange(0, 65535), help="Port to listen on.")
@click.option("--workers", default=1, show_default=True, type=click.IntRange(1, 64), help="Worker processes.")
def serve(host: str, port: int, workers: int) -> None:
    """Run the service under its production server until stopped."""
    from cds_service.server import run_server

    try:
        run_server(_settings(), host, port, workers)
    except (SettingsError, PolicyError) as error:
        _fail(error)


@main.command()
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@click.option("--today", type=click.DateTime(["%Y-%m-%d"]), help="Decide as on this day (default: today in the plan's time zone).")
@click.option("--json", "as_json", is_flag=True, help="Print the response instead of the explanation.")
@click.option("--service", "service_id", help="Answer as this service (default: the one of the request's hook).")
def explain(file: Path, today: datetime | None, as_json: bool, service_id: str | None) -> None:
    """Say in plain words how a hook request is answered, and why. FILE is a request in JSON, or - for standard input."""
    from cds_service import trying

    try:
        body = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        _fail(f"{file}: {error.strerror or error}")
    settings = _settings()
    day = today.date() if today else _today(settings)
    try:
        outcome = trying.try_request(body, trying.TryContext.from_settings(settings, day), service_id)
    except CallError as error:
        _fail(f"{file}: {error}. {error.cure}.")
    except PolicyError as error:
        _fail(error)
    if as_json:
        click.echo(json.dumps(json.loads(outcome.response.body), indent=2, ensure_ascii=False))
    else:
        for line in outcome.lines():
            click.echo(line)


def _today(settings: Settings) -> date:
    return datetime.now(UTC).astimezone(ZoneInfo(settings.timezone)).date()


@main.command()
def policies() -> None:
    """List the policy files, checking each; exit status 2 if one is defective."""
    from cds_service.policy_files import load_policies, policy_paths

    settings = _settings()
    try:
        loaded = load_policies(settings.policies)
    except PolicyError as error:
        _fail(error)
    for policy in loaded:
        document = policy.document
        click.echo(f"{policy.id}: {document.plan} policy #{document.number}, {document.title} ({policy.file}): ok")
        for version in document.versions:
            click.echo(f"  from {version.start}: {version.covered}, {version.determination}. {version.summary_alone}")
    click.echo(f"{len(loaded)} of {len(list(policy_paths(settings.policies)))} policy files are good.")



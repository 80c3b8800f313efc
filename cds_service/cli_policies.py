"""``cds-service policies``: list and check the policy files, and try a policy against its author's cases."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import click
from rich.text import Text

from cds_service.cli_output import fail, plan_today, settings_or_fail, show_table, terminal
from cds_service.crd.card_text import us_date
from cds_service.crd.errors import PolicyError
from cds_service.crd.policy import Policy
from cds_service.policy_cases import Result, cases_beside, load_cases, run_cases
from cds_service.policy_files import load_policies, load_policy

_FILE = click.argument("file", type=click.Path(path_type=Path))


@click.group(invoke_without_command=True)
@click.pass_context
def policies(context: click.Context) -> None:
    """List the policies and check their files; exit status 2 if one is defective."""
    if context.invoked_subcommand is not None:
        return
    try:
        loaded = load_policies(settings_or_fail().policies)
    except PolicyError as error:
        fail(error)
    _show(loaded)


@policies.command()
@_FILE
def check(file: Path) -> None:
    """Check one policy file: FILE is good, or one line says what is wrong where, and exit status is 2."""
    _show((_load(file),))


@policies.command()
@_FILE
@click.option("--cases", "cases_file", type=click.Path(path_type=Path), help="The cases (default: NAME.cases.toml beside FILE).")
@click.option(
    "--today", type=click.DateTime(["%Y-%m-%d"]), help="Decide as on this day (default: today in the plan's time zone)."
)
def test(file: Path, cases_file: Path | None, today: datetime | None) -> None:
    """Decide the cases that stand beside the policy FILE and compare; exit status 1 if one is answered otherwise."""
    policy = _load(file)
    settings = settings_or_fail()
    try:
        cases = load_cases(cases_file or cases_beside(file))
        results = run_cases(policy, cases, settings, today.date() if today else plan_today(settings))
    except PolicyError as error:
        fail(error)
    _show_results(results)
    failed = sum(not result.passed for result in results)
    click.echo(f"{len(results) - failed} of {len(results)} cases are answered as expected.")
    if failed:
        raise SystemExit(1)


def _load(file: Path) -> Policy:
    try:
        return load_policy(file)
    except PolicyError as error:
        fail(error)


def _show(loaded: tuple[Policy, ...]) -> None:
    console = terminal()
    for policy in loaded:
        document = policy.document
        heading = f"{policy.id}: {document.plan} policy #{document.number}, {document.title}"
        if console is None:
            click.echo(f"{heading} ({policy.file}): good")
            for version in document.versions:
                click.echo(f"  from {version.start}: {version.covered}; {policy.summary_of((version,))}")
            continue
        rows = [
            (us_date(version.start), Text(version.covered, "bold"), policy.summary_of((version,)), version.why)
            for version in document.versions
        ]
        show_table(console, ("From", "Covered", "Says", "Why it began"), rows, title=heading)
    number = len(loaded)
    click.echo(f"{number} policy file{'s are' if number != 1 else ' is'} good.")


def _show_results(results: list[Result]) -> None:
    console = terminal()
    if console is None:
        for result in results:
            click.echo(f"{'ok    ' if result.passed else 'FAILED'} {result.case.name}: {_answer(result)}")
        return
    rows = [
        (Text("ok", "green") if result.passed else Text("FAILED", "bold red"), result.case.name, _answer(result), result.why)
        for result in results
    ]
    show_table(console, ("", "Case", "Answer", "Why"), rows)


def _answer(result: Result) -> str:
    cited = f" citing {', '.join(map(str, result.cites))}" if result.cites else ""
    if result.passed:
        return result.answer + cited
    wanted = f" citing {', '.join(map(str, result.case.cites))}" if result.case.cites else ""
    return f"{result.answer}{cited}, expected {result.case.expect}{wanted}. {result.why}"

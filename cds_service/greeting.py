"""What the server tells the person at the terminal when it starts."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from cds_service.settings import Settings

_EXAMPLE = "order-sign-after-the-change.request.json"


def greet(public_url: str, bound: str, settings: Settings) -> None:
    """Tell the person at the terminal where to look, and a line to try that answers a card."""
    from cds_service.examples import FOLDER

    example = FOLDER / _EXAMPLE
    where = public_url if public_url.endswith(bound) else f"{bound}, and clients call {public_url}"
    lines = [f"cds-service listens on {where}", f"  look at  {public_url}/"]
    if example.is_file() and settings.mode != "jwt":
        shown = min((example, _relative(example.resolve())), key=lambda path: len(str(path)))
        address = f"{public_url}/cds-services/order-sign-crd"
        lines.append(f"  try      curl -s -H 'Content-Type: application/json' -d @{shlex.quote(str(shown))} {address}")
    else:
        lines.append(f"  try      curl -s {public_url}/health/ready")
    click.echo("\n".join(lines), err=True)


def _relative(path: Path) -> Path:
    try:
        return path.relative_to(Path.cwd())
    except ValueError:
        return path

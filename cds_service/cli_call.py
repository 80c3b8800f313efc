"""``cds-service call``: post a hook request to a running server and show its answer."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click
import msgspec
import requests
from rich.console import Console
from rich.markdown import Markdown
from rich.text import Text

from cds_service.cli_output import fail, printable, printable_json, printable_lines, terminal
from cds_service.crd.errors import CallError
from cds_service.crd.fhir_values import as_list, as_object
from cds_service.outcome_words import written_on_orders
from cds_service.trying import service_of

#: Seconds to connect, and to wait for each part of the answer.
_TIMEOUT = (5, 30)
#: Bytes of an answer that are read; more is no CDS Hooks answer.
_LARGEST_ANSWER = 32 * 1024 * 1024
_COLOURS = {"info": "blue", "warning": "yellow", "critical": "red"}


@click.command()
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@click.option("--url", default="http://127.0.0.1:8080", show_default=True, help="The server's address, without /cds-services.")
@click.option("--service", "service_id", help="Call this service (default: the one of the request's hook).")
@click.option("--token", help="Bearer token; others may see it in the list of processes, so prefer --token-file.")
@click.option("--token-file", type=click.Path(path_type=Path, allow_dash=True), help="File that holds the bearer token.")
@click.option("--json", "as_json", is_flag=True, help="Print the response's JSON instead of the card.")
def call(file: Path, url: str, service_id: str | None, token: str | None, token_file: Path | None, as_json: bool) -> None:
    """Post a hook request to a running server and show its answer.

    FILE is a request in JSON, or - for standard input. Exit status 2 if there is no answer, or the server refuses the call.
    """
    if token and token_file:
        fail("give --token or --token-file, not both")
    body = _read(file)
    if token_file:
        token = _read(token_file).decode("utf-8", "replace").strip()
    try:
        answer = _post(f"{_base(url)}/cds-services/{service_id or service_of(body)}", body, token)
    except CallError as error:
        fail(f"{file}: {error}. {error.cure}.")
    if as_json:
        click.echo(printable_json(msgspec.json.format(answer, indent=2).decode()))
    else:
        _show(answer)


def _base(url: str) -> str:
    """``url`` without the end that other clients are given: both are taken."""
    return url.rstrip("/").removesuffix("/cds-services")


def _read(file: Path) -> bytes:
    try:
        return sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        fail(f"{file}: {error.strerror or error}")


def _post(address: str, body: bytes, token: str | None) -> bytes:
    """The body of the server's 200; a redirect is not followed, since a token would go with it."""
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    try:
        with requests.Session() as session:
            session.trust_env = False  # neither a proxy nor a .netrc is asked for
            sent = session.post(address, body, headers=headers, timeout=_TIMEOUT, allow_redirects=False, stream=True)
            answer = sent.raw.read(_LARGEST_ANSWER + 1, decode_content=True)
            status = sent.status_code
    except (requests.RequestException, OSError, ValueError) as error:
        fail(f"{address}: {_reason(error)}")
    except Exception as error:  # urllib3's own, raised while the answer is read
        fail(f"{address}: {_reason(error)}")
    if len(answer) > _LARGEST_ANSWER:
        fail(f"{address}: the answer is larger than {_LARGEST_ANSWER} bytes")
    if status != 200:
        fail(f"{address}: {status}: {_diagnostics(answer)}")
    if not isinstance(_decoded(answer), dict):
        fail(f"{address}: the answer is not a JSON object")
    return answer


def _reason(error: Exception) -> str:
    if isinstance(error, requests.exceptions.ConnectTimeout | requests.exceptions.ReadTimeout):
        return "no answer in time"
    if isinstance(error, requests.exceptions.SSLError):
        return "the server's certificate is not trusted"
    if isinstance(error, requests.exceptions.ConnectionError):
        return "no connection; is the server running there?"
    return str(error) or type(error).__name__


def _decoded(answer: bytes) -> Any:
    try:
        return json.loads(answer)
    except (ValueError, RecursionError):
        return None


def _diagnostics(answer: bytes) -> str:
    """What an OperationOutcome says, or that there is none."""
    issues = as_list(as_object(_decoded(answer)).get("issue"))
    said = [str(as_object(issue).get("diagnostics")) for issue in issues]
    return " ".join(said) or "the server says nothing more"


def _show(answer: bytes) -> None:
    """The cards, and what is written onto the orders; in colour on a terminal, plain when piped."""
    console = terminal() or Console(file=sys.stdout, highlight=False, soft_wrap=True, color_system=None)
    cards = [as_object(card) for card in as_list(as_object(_decoded(answer)).get("cards"))]
    if not cards:
        console.print("No card.")
    for card in cards:
        _show_card(console, card)
    for written in written_on_orders(answer):
        console.print()
        console.print(_text(f"On {written.reference}: {written.description}", "bold"))
        for fact in (fact for facts in written.extensions for fact in facts):
            console.print(_text(f"  {fact.name}: {fact.value}"))


def _show_card(console: Console, card: Any) -> None:
    indicator = str(card.get("indicator"))
    console.print(_text(f"[{indicator}] {card.get('summary')}", f"bold {_COLOURS.get(indicator, '')}".strip()))
    console.print(_text(f"from {as_object(card.get('source')).get('label')}"))
    console.print()
    detail = printable_lines(str(card.get("detail") or ""))
    console.print(Markdown(detail, hyperlinks=False) if console.is_terminal else Text(detail))
    for link in map(as_object, as_list(card.get("links"))):
        console.print(_text(f"Link: {link.get('label')} <{link.get('url')}>"))
    reasons = [str(as_object(reason).get("display")) for reason in as_list(card.get("overrideReasons"))]
    if reasons:
        console.print(_text(f"To go on: {'; '.join(reasons)}"))


def _text(text: str, style: str = "") -> Text:
    return Text(printable(text), style=style)

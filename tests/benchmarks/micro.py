"""What parts of a call cost by themselves, in CPU microseconds: the least of several runs."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from itertools import count
from pathlib import Path
from zoneinfo import ZoneInfo

import click
import msgspec

from cds_service.crd.cards import render_response
from cds_service.crd.determination import Circumstances, decide
from cds_service.crd.fhir import Resource
from cds_service.crd.hook_request import parse_hook_request
from cds_service.crd.hooks import HOOKS
from cds_service.crd.needs import Fetched, run
from cds_service.crd.recognition import may_concern, recognise
from cds_service.crd.system_actions import Presentation
from cds_service.crd.validation import fhir_issues
from cds_service.policy_files import load_policies
from cds_service.records import open_store
from cds_service.settings import load_settings
from cds_service.warm_up import warm_up
from tests.benchmarks.bodies import MARK, bodies
from tests.benchmarks.records_cost import call_record

DAY = date(2024, 3, 5)


def main() -> None:
    """Measure and print."""
    policies = load_policies(None)
    warm_up(policies)
    vocabulary = policies[0].vocabulary
    given = Circumstances(policies, DAY, ZoneInfo("America/Chicago"))
    how = Presentation("http://127.0.0.1", DAY, lambda: "id")
    hook = HOOKS["order-sign-crd"]
    one, none = bodies()["one, 10 KB"], bodies()["none, 10 KB"]
    ours, other = (parse_hook_request(body, hook).orders[0] for body in (one, none))
    ours_body = msgspec.json.decode(ours.raw)
    decision = run(decide(parse_hook_request(one, hook), given), lambda _: Fetched(None, "none"))
    show("parse a call of 10 KB", lambda n: parse_hook_request(one, hook))
    show("may_concern: an order without a trigger word", lambda n: may_concern(other.raw, vocabulary))
    show("may_concern: an order with one", lambda n: may_concern(ours.raw, vocabulary))
    show("recognise: a full reading", lambda n: recognise(ours_body, vocabulary))
    show("validate a fresh order", lambda n: fhir_issues(fresh(ours, n)))
    show("validate a known order", lambda n: fhir_issues(ours))
    show("render the response", lambda n: render_response(decision, policies, how))
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(load_settings(database_url=f"sqlite:///{Path(folder)}/records.sqlite3"))
        with_one, without = (call_record(body, decision, policies, how) for body in (one, none))
        show("record_now: one commit", lambda n: store.record_now(with_one(n, datetime.now(UTC))), 300)
        show(
            "record_later: a batch from a thread", lambda n: store.record_later(without(n, datetime.now(UTC))), 1500, store.close
        )
        store.close()


def fresh(order: Resource, number: int) -> Resource:
    return msgspec.structs.replace(order, raw=order.raw.replace(MARK, b"%010d" % number))


def show(name: str, act: Callable[[int], object], times: int = 400, then: Callable[[], object] | None = None) -> None:
    """Print what ``act`` costs; ``then`` is what it left to do, counted in."""
    numbers, best = count(), float("inf")
    for _ in range(5):
        start = time.process_time()
        for _ in range(times):
            act(next(numbers))
        if then is not None:
            then()
        best = min(best, (time.process_time() - start) / times)
    click.echo(f"{name:48} {best * 1e6:8.1f} us")

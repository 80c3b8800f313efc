"""What parts of a call cost by themselves, in CPU microseconds: the least of several runs."""

from __future__ import annotations

import tempfile
import time
import uuid
from collections.abc import Callable
from datetime import UTC, date, datetime
from itertools import count
from pathlib import Path
from zoneinfo import ZoneInfo

import click
import msgspec

from cds_service.app import create_app
from cds_service.crd.cards import render_response
from cds_service.crd.determination import decide
from cds_service.crd.fhir import Resource
from cds_service.crd.hook_request import HookRequest, parse_hook_request
from cds_service.crd.hooks import HOOKS
from cds_service.crd.needs import Fetched, run
from cds_service.crd.order_reading import Circumstances
from cds_service.crd.recognition import may_concern, recognise
from cds_service.crd.system_actions import Presentation
from cds_service.crd.validation import fhir_issues
from cds_service.keeping import Call, keep
from cds_service.policy_files import load_policies
from cds_service.records import Store, open_store
from cds_service.services import Services
from cds_service.settings import load_settings
from cds_service.warm_up import warm_up
from tests.benchmarks.bodies import MARK, bodies

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
        settings = load_settings(database_url=f"sqlite:///{Path(folder)}/records.sqlite3")
        store = open_store(settings)
        parts: Services = create_app(settings, policies=policies, store=store).extensions["cds_service"]
        for name, body, times in (("record_now: kept before it is said", one, 300), ("record_later: in batches", none, 1500)):
            kept = Keeping(parts, body, times)
            show(name, kept.act, times, lambda: _wait_for(store), kept.prepare)
        store.close()


class Keeping:
    """What ``keep`` does for calls with ``body``, each of which came and was decided before: only keeping is timed."""

    def __init__(self, parts: Services, body: bytes, times: int) -> None:
        self.parts, self.times = parts, times
        request = parse_hook_request(body, HOOKS["order-sign-crd"])
        self.decision = run(decide(request, parts.circumstances(DAY)), lambda _: Fetched(None, "none"))
        self.body, self.request = body, request
        self.prepare()

    def prepare(self) -> None:
        """Have new calls come in, with answers of their own."""
        how = self.parts.presentation(DAY)
        self.answers = [render_response(self.decision, self.parts.policies, how) for _ in range(self.times)]
        self.calls = [
            Call(str(uuid.uuid4()), datetime.now(UTC), None, self.body, self.fresh_request(), DAY) for _ in range(self.times)
        ]

    def fresh_request(self) -> HookRequest:
        return msgspec.structs.replace(self.request, hook_instance=str(uuid.uuid4()))

    def act(self, number: int) -> None:
        place = number % self.times
        keep(self.parts, self.calls[place], self.decision, self.answers[place])


def fresh(order: Resource, number: int) -> Resource:
    return msgspec.structs.replace(order, raw=order.raw.replace(MARK, b"%010d" % number))


def _wait_for(store: Store) -> None:
    while store.waiting:
        time.sleep(0.01)


def show(
    name: str,
    act: Callable[[int], object],
    times: int = 400,
    then: Callable[[], object] | None = None,
    before: Callable[[], object] | None = None,
) -> None:
    """Print what ``act`` costs; ``then`` is what it left to do, counted in; ``before`` prepares a run and is not."""
    numbers, best = count(), float("inf")
    for _ in range(5):
        if before is not None:
            before()
        start = time.process_time()
        for _ in range(times):
            act(next(numbers))
        if then is not None:
            then()
        best = min(best, (time.process_time() - start) / times)
    click.echo(f"{name:48} {best * 1e6:8.1f} us")

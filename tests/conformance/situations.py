"""Real answers of the service in every situation in which it asserts something, for both CRD versions."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from . import bodies
from .bodies import Json
from .harness import Answer, Service

Build = Callable[[str], Json]


@dataclass(frozen=True, eq=False)
class Situation:
    """A request by CRD version, the versions in which it leads to an assertion, and the settings it needs."""

    name: str
    build: Build
    covered: dict[str, str]
    settings: tuple[tuple[str, Any], ...] = ()


def _signed(*orders: Json, **members: Any) -> Build:
    return lambda version: bodies.order_sign(*orders, version=version, **members)


def _outgrown(version: str) -> Json:
    """An order that bears our answer and was since edited to an MRI of the knee."""
    answered = service().call(bodies.order_sign(bodies.order(), version=version)).resources[0]
    return bodies.order_sign(answered | {"code": bodies.knee()["code"]}, version=version)


def _dispatched(version: str) -> Json:
    return bodies.order_dispatch({"dispatchedOrders": ["ServiceRequest/mrn-1"]}, bodies.order(), version=version)


def _booked(version: str) -> Json:
    return bodies.appointment_book(bodies.appointment(), orders=(bodies.order(),), version=version)


_NOT_COVERED = {"2.0": "not-covered", "2.2": "not-covered"}
_CONDITIONAL = {"2.0": "conditional", "2.2": "conditional"}
_LAPSED = bodies.coverage(period={"start": "2019-01-01", "end": "2020-12-31"})

SITUATIONS = (
    Situation("certain, before the change", _signed(bodies.order(**bodies.BEFORE)), _NOT_COVERED),
    Situation("certain, after the change", _signed(bodies.order(**bodies.AFTER)), _NOT_COVERED),
    Situation("certain, across the change", _signed(bodies.order(**bodies.ACROSS)), _NOT_COVERED),
    Situation("certain, a trial shown", _signed(bodies.order(reasonCode=[{"text": "NCT01234567"}])), _NOT_COVERED),
    Situation("certain, no date of service", _signed(bodies.order(occurrenceDateTime=None)), _NOT_COVERED),
    Situation("certain, at order-dispatch", _dispatched, _NOT_COVERED),
    Situation("certain, at appointment-book", _booked, _NOT_COVERED),
    Situation("possibly", _signed(bodies.unlisted()), _CONDITIONAL),
    Situation("possibly, across the change", _signed(bodies.unlisted(**bodies.ACROSS)), _CONDITIONAL),
    Situation("not evaluated, where that is to be said", _signed(bodies.knee()), _CONDITIONAL, (("unmatched", "conditional"),)),
    Situation("outgrown answer", _outgrown, {"2.0": "conditional", "2.2": "indeterminate"}),
    Situation(
        "no active coverage",
        _signed(bodies.order(), prefetch={"coverage": bodies.searchset(_LAPSED)}),
        {"2.2": "not-covered"},
    ),
    Situation("literal q2", _signed(bodies.order()), {"2.0": "not-covered", "2.2": "not-covered"}, (("literal_q2", True),)),
)


@functools.cache
def service(*settings: tuple[str, Any]) -> Service:
    """The service with ``settings``, made once."""
    return Service(**dict(settings))


@functools.cache
def answer_in(situation: Situation, version: str) -> Answer:
    """What the service answers in ``situation``."""
    return service(*situation.settings).call(situation.build(version))


def asserting() -> Iterator[tuple[Situation, str]]:
    """Each situation with each version in which it asserts something."""
    for situation in SITUATIONS:
        for version in situation.covered:
            yield situation, version

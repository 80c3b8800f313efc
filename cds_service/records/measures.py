"""Measures over the records: what the CRD IG suggests and a payer can know, and what a policy owner asks.

CRD 2.0.1/2.2.1 "CRD Metrics" (metric-1): volume of calls, share answered with coverage information, share within
5 seconds, by hook and client; coverage information by its ``covered`` code. Besides: what was recognised, by which
rule, and what clinicians did with the cards. Plain columns only: nothing is decrypted.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from cds_service.records import tables
from cds_service.records.database import reading
from cds_service.records.lookup import within

#: CRD 2.2.1 asks for answers within 5 seconds.
SECONDS = 5

#: The policy of what is said of an order that no policy is about: not evaluated, or an earlier answer withdrawn.
_NO_POLICY = "(none)"

#: What a measure may be grouped by, in the order in which columns stand.
GROUPS = ("hook", "client", "policy", "policy_versions", "covered", "answer", "rule", "outcome", "reason")

_calls, _told, _cards, _feedback = tables.calls, tables.determinations, tables.cards, tables.feedback


class Measure(msgspec.Struct, frozen=True):
    """One figure: of the ``of`` things in ``group``, ``count`` were as ``name`` says; ``of`` is None for a volume."""

    name: str
    group: dict[str, str]
    count: int
    of: int | None = None

    @property
    def share(self) -> float | None:
        """``count`` of ``of`` as a fraction; None for a volume, or when there was nothing."""
        return self.count / self.of if self.of else None


def measures(engine: sa.Engine, start: datetime | None, end: datetime | None) -> list[Measure]:
    """All measures over calls at or after ``start`` and before ``end``, and what was ever said of their cards; None: no bound.

    A report on a card that is not known counts by when it was received.
    Raises RecordsUnavailable.
    """
    parts: tuple[Callable[..., list[Measure]], ...] = (_volume, _covered, _recognition, _outcomes, _reasons)
    with reading(engine) as connection:
        return [measure for part in parts for measure in part(connection, start, end)]


def _count_if(condition: sa.ColumnElement[bool]) -> sa.ColumnElement[int]:
    return sa.func.coalesce(sa.func.sum(sa.case((condition, 1), else_=0)), 0)


def _volume(connection: sa.Connection, start: datetime | None, end: datetime | None) -> list[Measure]:
    by = (_calls.c.hook, _calls.c.client)
    figures = (
        sa.func.count(),
        _count_if(_calls.c.status < 300),
        _count_if(_calls.c.assertions > 0),
        _count_if(_calls.c.duration_ms <= SECONDS * 1000),
    )
    query = sa.select(*by, *figures).where(*within(start, end)).group_by(*by).order_by(*by)
    found = []
    for hook, client, total, answered, informed, fast in connection.execute(query):
        group = {"hook": hook, "client": client or "(none)"}
        found += [
            Measure("calls", group, total),
            Measure("answered", group, answered, total),
            Measure("with_coverage_information", group, informed, total),
            Measure(f"within_{SECONDS}_seconds", group, fast, total),
        ]
    return found


def _covered(connection: sa.Connection, start: datetime | None, end: datetime | None) -> list[Measure]:
    by = (_told.c.policy, _told.c.covered)
    given = (_told.c.assertion_id.is_not(None), _told.c.repeated.is_(False), *within(start, end, _told.c.call))
    query = sa.select(*by, sa.func.count()).where(*given).group_by(*by).order_by(*by)
    rows = connection.execute(query).all()
    total = sum(row[2] for row in rows)
    return [
        Measure("coverage_information", {"policy": row[0] or _NO_POLICY, "covered": row[1] or "(none)"}, row[2], total)
        for row in rows
    ]


def _recognition(connection: sa.Connection, start: datetime | None, end: datetime | None) -> list[Measure]:
    by = (_told.c.policy, _told.c.policy_versions, _told.c.answer, _told.c.rule)
    query = sa.select(*by, sa.func.count()).where(*within(start, end, _told.c.call)).group_by(*by).order_by(*by)
    names = ("policy", "policy_versions", "answer", "rule")
    return [
        Measure("orders_recognised", dict(zip(names, (row[0] or _NO_POLICY, *row[1:]), strict=False)), row[4])
        for row in connection.execute(query)
    ]


def _reported(start: datetime | None, end: datetime | None) -> sa.Subquery:
    """The latest report on each card of the span that its own client was shown; any other card is an unknown one."""
    received = [_feedback.c.received_at >= tables.micros(start)] if start else []
    received += [_feedback.c.received_at < tables.micros(end)] if end else []
    newest = (_feedback.c.outcome_at.desc(), _feedback.c.received_at.desc(), _feedback.c.id)
    place = sa.func.row_number().over(partition_by=(_feedback.c.client, _feedback.c.card), order_by=newest)
    owned = (
        sa.select(_cards.c.call, _cards.c.card, _cards.c.policy, _cards.c.answer, _calls.c.client)
        .join_from(_cards, _calls, _cards.c.call == _calls.c.id)
        .subquery()
    )
    same = sa.and_(owned.c.card == _feedback.c.card, owned.c.client == _feedback.c.client)
    columns: tuple[Any, ...] = (_feedback.c.outcome, _feedback.c.reason_code, owned.c.policy, owned.c.answer)
    # By when the card was shown, as the cards are counted that they are a share of.
    shown, unknown = within(start, end, owned.c.call), [owned.c.call.is_(None), *received]
    query = sa.select(*columns, place.label("place")).join_from(_feedback, owned, same, isouter=True)
    return query.where(sa.or_(sa.and_(sa.true(), *shown), sa.and_(*unknown))).subquery()


def _outcomes(connection: sa.Connection, start: datetime | None, end: datetime | None) -> list[Measure]:
    by = (_cards.c.policy, _cards.c.answer)
    shown_query = sa.select(*by, sa.func.count()).where(*within(start, end, _cards.c.call)).group_by(*by).order_by(*by)
    shown = {(policy, answer): total for policy, answer, total in connection.execute(shown_query)}
    found = [Measure("cards", {"policy": policy, "answer": answer}, total) for (policy, answer), total in shown.items()]
    reported = _reported(start, end)
    group = (reported.c.policy, reported.c.answer, reported.c.outcome)
    query = sa.select(*group, sa.func.count()).where(reported.c.place == 1).group_by(*group).order_by(*group)
    for policy, answer, outcome, total in connection.execute(query):
        names = {"policy": policy or "(unknown card)", "answer": answer or "", "outcome": outcome}
        found.append(Measure("feedback", names, total, shown.get((policy, answer))))
    return found


def _reasons(connection: sa.Connection, start: datetime | None, end: datetime | None) -> list[Measure]:
    reported = _reported(start, end)
    group = (reported.c.policy, reported.c.answer, reported.c.reason_code)
    overridden = (reported.c.place == 1, reported.c.outcome == "overridden")
    query = sa.select(*group, sa.func.count()).where(*overridden).group_by(*group).order_by(*group)
    rows = connection.execute(query).all()
    totals: dict[tuple[Any, Any], int] = {}
    for policy, answer, _, number in rows:
        totals[policy, answer] = totals.get((policy, answer), 0) + number
    return [
        Measure(
            "override_reasons",
            {"policy": policy or "(unknown card)", "answer": answer or "", "reason": code or "(none given)"},
            number,
            totals[policy, answer],
        )
        for policy, answer, code, number in rows
    ]

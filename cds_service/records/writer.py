"""Writing calls with their determinations and cards, in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from cds_service.records import tables
from cds_service.records.database import reading
from cds_service.records.driver import ConnectionLost, Driver, RowTaken
from cds_service.records.encryption import Keyring
from cds_service.records.record import CallRecord, RecordUnstorable

_encoder = msgspec.msgpack.Encoder(enc_hook=str)
_SAME_MILLISECOND = 8

#: A call and the row it is to stand in.
_Placed = tuple[int, CallRecord]


def sealed_call(row: int) -> str:
    """What the seal of a call's row binds."""
    return f"calls.sealed/{row}"


class CallWriter:
    """Writes calls, each batch in one transaction."""

    def __init__(self, driver: Driver, keyring: Keyring) -> None:
        self._driver = driver
        self._keyring = keyring
        self._call, self._determination, self._card = (
            driver.compiled(table.insert()) for table in (tables.calls, tables.determinations, tables.cards)
        )

    def write(self, calls: Sequence[CallRecord], *, insists: bool = False) -> None:
        """Commit ``calls``, all or none, before returning; ``insists`` as the driver's.

        Raises RecordsUnavailable, RecordUnstorable.
        """
        batch = [(tables.row_id(call.at, call.call_id), call) for call in calls]
        is_retry = False
        for _ in range(_SAME_MILLISECOND):
            try:
                self._driver.commit(self._steps(batch), insists=insists)
                return
            except RowTaken:
                batch = self._elsewhere(batch)
            except ConnectionLost:
                # Writing again is no danger: a batch that did arrive clashes with itself and is then left out.
                if is_retry:
                    raise
                is_retry = True
        raise RecordUnstorable("a constraint refuses it, or no row is free")

    def _steps(self, batch: Sequence[_Placed]) -> list[tuple[str, list[tuple[Any, ...]]]]:
        calls: list[tuple[Any, ...]] = []
        determinations: list[tuple[Any, ...]] = []
        cards: list[tuple[Any, ...]] = []
        try:
            for row, call in batch:
                calls.append(self._call_row(row, call))
                for number, told in enumerate(call.determinations):
                    versions = " ".join(told.policy_versions)
                    said = (told.answer, told.rule, told.covered, told.assertion_id, told.is_repeated)
                    determinations.append((row, number, told.policy, versions, *said))
                for number, card in enumerate(call.cards):
                    cards.append((row, number, tables.plain(card.uuid.lower()), card.policy, card.answer))
        except (TypeError, ValueError, AttributeError) as error:
            raise RecordUnstorable(type(error).__name__) from None
        return [(self._call, calls), (self._determination, determinations), (self._card, cards)]

    def _call_row(self, row: int, call: CallRecord) -> tuple[Any, ...]:
        """The columns of ``calls``, in their order."""
        return (
            row,
            call.call_id,
            tables.micros(call.at),
            call.hook,
            call.service_id,
            tables.plain(call.hook_instance),
            call.client or "",
            call.status,
            call.duration_ms,
            call.crd_version,
            call.software_version,
            sum([told.assertion_id is not None and not told.is_repeated for told in call.determinations]),
            self._keyring.newest,
            self._keyring.seal(_encoder.encode(call), sealed_call(row)),
        )

    def _elsewhere(self, batch: Sequence[_Placed]) -> list[_Placed]:
        """``batch`` without what is already there, the rest at rows that are free."""
        column = tables.calls.c
        near = [row + step for row, _ in batch for step in range(_SAME_MILLISECOND)]
        with reading(self._driver.engine) as connection:
            found = connection.execute(sa.select(column.id, column.call_id).where(column.id.in_(near)))
            taken: dict[int, str] = {row.id: row.call_id for row in found}
        kept, moved = set(taken.values()), []
        for row, call in batch:
            if call.call_id in kept:
                continue
            free = next((row + step for step in range(_SAME_MILLISECOND) if row + step not in taken), row)
            taken[free] = call.call_id
            kept.add(call.call_id)
            moved.append((free, call))
        return moved

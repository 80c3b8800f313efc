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
        column = tables.calls.c
        same = (column.id == sa.bindparam("id"), column.call_id == sa.bindparam("call_id"))
        self._forget = driver.compiled(tables.calls.delete().where(*same))
        self._call, self._determination, self._card = (
            driver.compiled(table.insert()) for table in (tables.calls, tables.determinations, tables.cards)
        )

    def write(self, calls: Sequence[CallRecord], *, insists: bool = False) -> None:
        """Commit ``calls``, all or none, before returning; ``insists`` as the driver's.

        What was kept under the same ``call_id`` is replaced: a commit whose reply never came may have arrived, and if so
        holds an answer that was not given in the end.
        Raises RecordsUnavailable, RecordUnstorable.
        """
        batch = [(tables.row_id(call.at, call.call_id), call) for call in calls]
        replaced: list[_Placed] = []
        is_retry = False
        for _ in range(_SAME_MILLISECOND):
            try:
                self._driver.commit(self._steps(batch, replaced), insists=insists)
                return
            except RowTaken:
                batch, replaced = self._elsewhere(batch)
            except ConnectionLost:
                # Writing again is no danger: a batch that did arrive clashes with itself and is then replaced.
                if is_retry:
                    raise
                is_retry = True
        raise RecordUnstorable("a constraint refuses it, or no row is free")

    def _steps(self, batch: Sequence[_Placed], replaced: Sequence[_Placed]) -> list[tuple[str, list[tuple[Any, ...]]]]:
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
        written = [(self._call, calls), (self._determination, determinations), (self._card, cards)]
        if replaced:
            # Their determinations and cards go with them, by the foreign keys.
            written.insert(0, (self._forget, [(row, call.call_id) for row, call in replaced]))
        return written

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

    def _elsewhere(self, batch: Sequence[_Placed]) -> tuple[list[_Placed], list[_Placed]]:
        """``batch`` at rows that are free or hold the same call, and of it what is there already."""
        column = tables.calls.c
        near = [row + step for row, _ in batch for step in range(_SAME_MILLISECOND)]
        with reading(self._driver.engine) as connection:
            found = connection.execute(sa.select(column.id, column.call_id).where(column.id.in_(near)))
            taken: dict[int, str] = {row.id: row.call_id for row in found}
        kept = {call_id: row for row, call_id in taken.items()}
        placed, replaced = [], []
        # Of a call that stands in the batch twice, the last.
        for row, call in {call.call_id: (row, call) for row, call in batch}.values():
            if call.call_id in kept:
                replaced.append((kept[call.call_id], call))
                placed.append(replaced[-1])
                continue
            free = next((row + step for step in range(_SAME_MILLISECOND) if row + step not in taken), row)
            taken[free] = call.call_id
            placed.append((free, call))
        return placed, replaced

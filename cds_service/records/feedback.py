"""Clinicians' feedback: kept as it comes, joined to card and determination when read (CDS Hooks 2.0 "Feedback")."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import msgspec
import sqlalchemy as sa

from cds_service.records import tables
from cds_service.records.database import insert_if_new
from cds_service.records.driver import Driver
from cds_service.records.encryption import Keyring
from cds_service.records.record import KeptFeedback, RecordUnstorable

if TYPE_CHECKING:
    from cds_service.crd.feedback import FeedbackItem

_encoder = msgspec.msgpack.Encoder()
_MICROSECOND = timedelta(microseconds=1)
_decoder = msgspec.msgpack.Decoder(KeptFeedback)


def sealed_feedback(row: str) -> str:
    """What the seal of a feedback row binds."""
    return f"feedback.sealed/{row}"


def card_key(card: str) -> str:
    """A card's ``uuid`` as cards and feedback are joined by it."""
    return tables.plain(card.lower())


class FeedbackWriter:
    """Keeps feedback, each list of it in one transaction."""

    def __init__(self, driver: Driver, keyring: Keyring) -> None:
        self._driver, self._keyring = driver, keyring
        self._insert = driver.compiled(insert_if_new(driver.engine, tables.feedback))

    def keep(
        self, service_id: str, client: str | None, items: Sequence[FeedbackItem], now: datetime, codes: Collection[str]
    ) -> None:
        """Commit all ``items`` or none; one that was reported before word for word is left as it is.

        Raises RecordsUnavailable.

        ``codes`` are the override reasons' that may be read by whoever queries the database: any other is sealed alone.
        Whether the card is known is not asked: it may be known a moment later, and an unknown one is no error.
        """
        if not items:
            return
        try:
            # Of two reports in one list the later one counts as received later.
            received = [now + number * _MICROSECOND for number in range(len(items))]
            rows = [self._row(service_id, client or "", *each, codes) for each in zip(items, received, strict=True)]
        except (TypeError, ValueError) as error:
            raise RecordUnstorable(type(error).__name__) from None
        # In the order of their keys: of two lists with the same reports neither then waits for what the other has written.
        self._driver.commit([(self._insert, sorted(rows, key=itemgetter(0)))])

    def _row(self, service_id: str, client: str, item: FeedbackItem, now: datetime, codes: Collection[str]) -> tuple[Any, ...]:
        """The columns of ``feedback``, in their order."""
        kept = KeptFeedback(
            item.card,
            item.outcome,
            item.outcome_at,
            now,
            service_id,
            item.accepted,
            item.reason_system,
            item.reason_code,
            item.reason_display,
            item.comment,
        )
        card, outcome_at = card_key(item.card), tables.micros(item.outcome_at)
        # Of all that was said, also of the words: a client may add a reason or a comment and leave the time as it was.
        row = self._keyring.digest(_encoder.encode((client, msgspec.structs.replace(item, card=card))))
        return (
            row,
            tables.micros(now),
            client,
            service_id,
            card,
            item.outcome,
            outcome_at,
            tables.plain_code(item.reason_code, codes),
            self._keyring.newest,
            self._keyring.seal(_encoder.encode(kept), sealed_feedback(row)),
        )


def on_cards(connection: sa.Connection, client: str, cards: Iterable[str]) -> list[Any]:
    """The feedback rows that ``client`` (empty: unauthenticated) sent on ``cards``, oldest first."""
    return on_any(connection, {card_key(card) for card in cards}, tables.feedback.c.client == client)


def on_any(connection: sa.Connection, keys: Collection[str], *conditions: sa.ColumnElement[bool]) -> list[Any]:
    """The feedback rows on the cards of ``keys`` (as ``card_key`` makes them), whoever sent them, oldest first."""
    column = tables.feedback.c
    wanted = sa.select(tables.feedback).where(column.card.in_(keys), *conditions)
    return list(connection.execute(wanted.order_by(column.outcome_at, column.received_at, column.id)))


def opened(keyring: Keyring, row: Any) -> KeptFeedback:
    """The feedback of one row. Raises RecordUnreadable."""
    return _decoder.decode(keyring.unseal(row.key_id, row.sealed, sealed_feedback(row.id)))

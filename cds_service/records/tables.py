"""The tables of the records, and the rules by which values become columns.

Patient data stands in the two ``sealed`` columns and nowhere else; every other column may be read by whoever may
query the database. Times are integers, microseconds since 1970 UTC, so that both databases compare them alike.
"""

from __future__ import annotations

import hashlib
import re
import zlib
from collections.abc import Collection
from datetime import UTC, datetime, timedelta

from sqlalchemy import BigInteger, Boolean, Column, Float, ForeignKey, Integer, LargeBinary, MetaData, String, Table, false

#: The newest revision of ``cds_service/migrations``; a test holds the two together.
HEAD = "0002"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_RANDOM_BITS = 21
_MOST = 2**63 - 1

metadata = MetaData(naming_convention={"ix": "ix_%(table_name)s_%(column_0_name)s", "pk": "pk_%(table_name)s"})

calls = Table(
    "calls",
    metadata,
    # Time first, so that new rows land on one page of the tree and a span of time is a span of ids: see row_id.
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("call_id", String, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("hook", String, nullable=False),
    Column("service_id", String, nullable=False),
    Column("hook_instance", String, nullable=False, index=True),
    Column("client", String, nullable=False),
    Column("status", Integer, nullable=False),
    Column("duration_ms", Float, nullable=False),
    Column("crd_version", String, nullable=False),
    Column("software_version", String, nullable=False),
    Column("assertions", Integer, nullable=False),
    Column("key_id", String, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
)

determinations = Table(
    "determinations",
    metadata,
    Column("call", BigInteger, ForeignKey("calls.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("policy", String, nullable=False),
    Column("policy_versions", String, nullable=False),
    Column("answer", String, nullable=False),
    Column("rule", String, nullable=False),
    Column("covered", String),
    Column("assertion_id", String, index=True),
    # The order bore it already when it came in: found by its id, and not counted as given.
    Column("repeated", Boolean, nullable=False, server_default=false()),
    sqlite_with_rowid=False,
)

cards = Table(
    "cards",
    metadata,
    Column("call", BigInteger, ForeignKey("calls.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("card", String, nullable=False, index=True),
    Column("policy", String, nullable=False),
    Column("answer", String, nullable=False),
    sqlite_with_rowid=False,
)

# No foreign key: feedback may name a card that is not known, or not known yet, and is joined when read.
feedback = Table(
    "feedback",
    metadata,
    Column("id", String, primary_key=True),
    Column("received_at", BigInteger, nullable=False),
    Column("client", String, nullable=False),
    Column("service_id", String, nullable=False),
    Column("card", String, nullable=False, index=True),
    Column("outcome", String, nullable=False),
    Column("outcome_at", BigInteger, nullable=False),
    Column("reason_code", String),
    Column("key_id", String, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
)

seen_tokens = Table(
    "seen_tokens",
    metadata,
    Column("token", LargeBinary(32), primary_key=True),
    Column("expires", BigInteger, nullable=False, index=True),
    sqlite_with_rowid=False,
)

policies = Table(
    "policies",
    metadata,
    Column("sha256", String, primary_key=True),
    Column("policy", String, nullable=False),
    Column("first_used", BigInteger, nullable=False),
    Column("file", LargeBinary, nullable=False),
)


def micros(when: datetime) -> int:
    """``when`` (aware) as microseconds since 1970 UTC."""
    return (when - _EPOCH) // _MICROSECOND


def moment(value: int) -> datetime:
    """The aware UTC time of ``value`` microseconds since 1970."""
    return _EPOCH + timedelta(microseconds=value)


def row_id(at: datetime, call_id: str) -> int:
    """The row of a call: milliseconds since 1970, then 21 bits drawn from its UUID; good until the year 2109.

    Made from the call alone, so that writing the same call twice is noticed. Two calls of one millisecond clash
    once in two million; the writer then takes the next free number.
    """
    return (micros(at) // 1000 << _RANDOM_BITS) | (zlib.crc32(call_id.encode()) & ((1 << _RANDOM_BITS) - 1))


def first_row_id(at: datetime) -> int:
    """The smallest row id a call of the millisecond of ``at`` can have: spans of time are spans of ids.

    Of a time after the year 2109 the largest that a column can hold, long before 1970 the smallest.
    """
    return max(-_MOST - 1, min(micros(at) // 1000 << _RANDOM_BITS, _MOST))


_UUID = re.compile(r"(?:urn:uuid:)?[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def plain(text: str) -> str:
    """``text``, which a client chose, as it may stand in a plain column: a UUID in small letters, anything else as its digest.

    CDS Hooks has UUIDs for hookInstance and for cards; "Smith1961" there would be a patient's name in the clear. Letter
    case and spaces around it make no difference, so that it is found however somebody types it.
    """
    return _plain(text.strip().lower())


def plain_as_first_kept(text: str) -> str:
    """``text`` as ``plain`` made it for records of revision 0001, where letter case and spaces did make a difference."""
    return _plain(text)


def _plain(text: str) -> str:
    if _UUID.fullmatch(text) or not text:
        return text
    return "sha256:" + hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:57]


def octets(value: bytes | str) -> bytes:
    """What stands in a column of bytes, where somebody may have written a text, which SQLite takes."""
    return value.encode() if isinstance(value, str) else bytes(value)


def plain_code(code: str | None, offered: Collection[str]) -> str | None:
    """A coded reason as it may stand in a plain column: the code if a card ``offered`` it, else ``(other)``; None for none.

    What a client writes as a code is anybody's text.
    """
    return code if code is None or code in offered else "(other)"

"""Opening the store: the right database, its tables, its keys, or a message that says what to do."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from cds_service.records import database, tables
from cds_service.records.encryption import Keyring, make_key_file, parse_keys, read_key_file
from cds_service.records.record import RecordsMisconfigured, RecordsUnavailable, RecordUnreadable
from cds_service.records.store import Store
from cds_service.records.writer import sealed_call

if TYPE_CHECKING:
    from cds_service.settings import Settings

_KEYS = "CDS_SERVICE_RECORDS_KEYS"
#: So many records from either end tell whether the keys are right, where the newest does not open.
_LOOKED_AT = 8
_calls = tables.calls


def open_store(
    settings: Settings,
    *,
    must_exist: bool = False,
    on_lost: Callable[[int], None] | None = None,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Store:
    """The store that ``settings`` name, made and migrated if it is an embedded file. Raises RecordsMisconfigured.

    With ``must_exist`` nothing is made nor migrated, and an embedded file that is not there or not this version's is refused:
    who only looks has a wrong path, or another version runs on it.
    ``on_lost`` is told, from any thread, how many calls given to ``record_later`` were lost. No connection is left
    open, and no thread started: the caller may fork.
    """
    url = database.database_url(settings.database_url)
    keys = parse_keys(settings.records_keys, _KEYS)
    engine = database.make_engine(url)
    try:
        if database.is_embedded(url):
            path = Path(str(url.database))
            keys, notices = (_look_at_file if must_exist else _open_file)(engine, path, keys)
        else:
            notices = (f"records: {database.shown(url)}",)
            if not keys:
                raise RecordsMisconfigured(f"{_KEYS}: a database server needs a key; set id:$(openssl rand -base64 32)")
            database.check_server(engine)
        keyring = Keyring(keys)
        notices += _check_keys(engine, keyring)
    finally:
        engine.dispose()
    return Store(
        url,
        keyring,
        keeps_calls=settings.records,
        retention_days=settings.retention_days,
        on_lost=on_lost,
        clock=clock,
        notices=notices,
    )


def upgrade_database(settings: Settings) -> tuple[str, tuple[str, ...]]:
    """Migrate the database that ``settings`` name; an embedded file is made with its key. Raises RecordsMisconfigured.

    Returns the address and what else is to be told, for people.
    """
    url = database.database_url(settings.database_url)
    engine = database.make_engine(url)
    notices: tuple[str, ...] = ()
    try:
        if database.is_embedded(url):
            _, notices = _open_file(engine, Path(str(url.database)), parse_keys(settings.records_keys, _KEYS))
        else:
            database.migrate(engine)
    except sa.exc.SQLAlchemyError as error:
        raise RecordsMisconfigured(f"{database.shown(url)} cannot be migrated ({database.reason(error)})") from None
    finally:
        engine.dispose()
    return database.shown(url), notices[1:]


#: The keys of an embedded file, newest first, and what to tell.
_Opened = tuple[list[tuple[str, bytes]], tuple[str, ...]]


def _open_file(engine: sa.Engine, path: Path, configured: list[tuple[str, bytes]]) -> _Opened:
    """Make and migrate the embedded file."""
    notices = [f"records: {path}"]
    database.prepare_file(path)
    try:
        with database.file_lock(path):
            if database.revision(engine) != tables.HEAD:
                database.migrate(engine)
            keys = _keys_beside(path, configured)
            if not keys:
                key_path = _refuse_lost_key(engine, path)
                keys = make_key_file(key_path)
                notices.append(f"records: sealed with a key made now, {key_path}; back it up apart from the records")
    except (sa.exc.SQLAlchemyError, RecordsUnavailable) as error:
        raise RecordsMisconfigured(f"{path} cannot be used as records ({database.reason(error)})") from None
    except OSError as error:
        raise RecordsMisconfigured(f"{path.parent} cannot be written ({error.strerror})") from None
    return keys, tuple(notices)


def _look_at_file(engine: sa.Engine, path: Path, configured: list[tuple[str, bytes]]) -> _Opened:
    """Refuse an embedded file that is not fit to look into, and leave it as it is."""
    try:
        database.check_file(path)
        keys = _keys_beside(path, configured)
        if not keys:
            key_path = _refuse_lost_key(engine, path)
            raise RecordsMisconfigured(f"{key_path} is missing; start the service, which makes it, or set {_KEYS}")
    except (sa.exc.SQLAlchemyError, RecordsUnavailable) as error:
        raise RecordsMisconfigured(f"{path} cannot be used as records ({database.reason(error)})") from None
    return keys, ()


def _keys_beside(path: Path, configured: list[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
    """The ``configured`` keys, then those of the key file: one that was made first stays good for reading."""
    made = read_key_file(_key_path(path))
    return configured + [key for key in made if key[0] not in {key_id for key_id, _ in configured}]


def _key_path(path: Path) -> Path:
    return path.with_name(path.name + ".key")


def _refuse_lost_key(engine: sa.Engine, path: Path) -> Path:
    """Where a key may be made, since nothing is sealed yet. Raises RecordsMisconfigured otherwise."""
    key_path = _key_path(path)
    if not _is_empty(engine):
        raise RecordsMisconfigured(f"{key_path} is missing, yet records are sealed; restore it, or set {_KEYS}")
    if key_path.exists():
        raise RecordsMisconfigured(f"{key_path} holds no key; restore it, or remove it and have one made")
    return key_path


def _is_empty(engine: sa.Engine) -> bool:
    with database.reading(engine) as connection:
        return connection.execute(sa.select(_calls.c.id).limit(1)).first() is None


def _check_keys(engine: sa.Engine, keyring: Keyring) -> tuple[str, ...]:
    """Refuse keys that open nothing of what names them: a wrong key would be noticed only in a dispute.

    One altered record must not keep the service from starting: it is passed over, and told.
    """
    passed_over: list[str] = []
    try:
        for rows in _sample(engine).values():
            for row in rows:
                try:
                    _open(engine, keyring, row)
                except RecordUnreadable as error:
                    passed_over.append(f"{row.call_id}: {error}")
                else:
                    return tuple(f"records: {each}; it is passed over" for each in passed_over)
            if len(rows) > 1:
                break
    except RecordsUnavailable as error:
        raise RecordsMisconfigured(f"{database.shown(engine.url)} cannot be read ({error})") from None
    if passed_over:
        raise RecordsMisconfigured(f"{_KEYS}: {passed_over[-1]}")
    return ()


def _sample(engine: sa.Engine) -> dict[str, list[Any]]:
    """Some of the newest rows and some of the oldest, newest first, by the key that they name."""
    columns = (_calls.c.id, _calls.c.call_id, _calls.c.key_id)
    found: dict[int, Any] = {}
    with database.reading(engine) as connection:
        for order in (_calls.c.id.desc(), _calls.c.id):
            found |= {row.id: row for row in connection.execute(sa.select(*columns).order_by(order).limit(_LOOKED_AT))}
    rows: dict[str, list[Any]] = {}
    for number in sorted(found, reverse=True):
        rows.setdefault(found[number].key_id, []).append(found[number])
    return rows


def _open(engine: sa.Engine, keyring: Keyring, row: Any) -> None:
    with database.reading(engine) as connection:
        sealed = connection.execute(sa.select(_calls.c.sealed).where(_calls.c.id == row.id)).scalar_one_or_none()
    keyring.unseal(row.key_id, sealed or b"", sealed_call(row.id))  # none: it was purged a moment ago

"""The database behind the records: which one, how it is opened, and that its tables are there.

An embedded SQLite file is made and migrated by the start of the service, and by ``cds-service records upgrade``; a server is
migrated by the latter only, so that replicas of two versions never fight over its tables.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import platformdirs
import sqlalchemy as sa

from cds_service.records.record import RecordsMisconfigured, RecordsUnavailable, RecordUnstorable
from cds_service.records.tables import HEAD

#: Seconds that a call waits for a lock, a connection or a statement; a clinician waits with it.
PATIENCE = 2
#: The same for the lock of an embedded file, which others of this service hold for milliseconds.
FILE_PATIENCE = 1
#: Seconds after which a server ends a transaction of which it hears no more: its COMMIT was lost on the way, and until then
#: nobody could write the same row.
_ABANDONED = 5
_VARIABLE = "CDS_SERVICE_DATABASE_URL"
_CURE = "write sqlite:////path/to/file or postgresql://user@host/name"
_NAME_IT = "name the file that the service keeps its records in"
_NEWER = f"{_VARIABLE}: {{}} was migrated by a newer version of cds-service; run that version"
_UPGRADE_LOCK = 0x6364735F  # any number that only upgrades of this database use


def default_file() -> Path:
    """Where the embedded records live when nothing is configured: the user's state directory."""
    return platformdirs.user_state_path("cds-service") / "records.sqlite3"


def database_url(text: str | None) -> sa.URL:
    """The SQLAlchemy URL of ``text`` (None: the default file), with its driver. Raises RecordsMisconfigured."""
    if text is None:
        return sa.URL.create("sqlite", database=str(default_file()))
    try:
        url = sa.make_url(text.replace("postgres://", "postgresql://", 1))
    except (sa.exc.ArgumentError, ValueError):  # a port that is no number is a ValueError
        raise RecordsMisconfigured(f"{_VARIABLE} is no SQLAlchemy URL; {_CURE}") from None
    if url.get_backend_name() == "sqlite":
        if url.database in (None, "", ":memory:") or "mode=memory" in str(url.database):
            raise RecordsMisconfigured(f"{_VARIABLE}: a database in memory keeps nothing; write sqlite:////path/to/file")
        return sa.URL.create("sqlite", database=str(Path(str(url.database)).absolute()))
    if url.get_backend_name() == "postgresql":
        return url.set(drivername="postgresql+psycopg")
    raise RecordsMisconfigured(f"{_VARIABLE}: {url.get_backend_name()} is not supported; {_CURE}")


def insert_if_new(engine: sa.Engine, table: sa.Table) -> sa.Insert:
    """An INSERT that leaves rows alone whose key is already there."""
    # Loaded where it is used: PostgreSQL's takes a tenth of a second, which a start over SQLite need not wait for.
    if is_embedded(engine.url):
        from sqlalchemy.dialects.sqlite import insert as sqlite_insert

        return sqlite_insert(table).on_conflict_do_nothing()
    from sqlalchemy.dialects.postgresql import insert as postgresql_insert

    return postgresql_insert(table).on_conflict_do_nothing()


def is_embedded(url: sa.URL) -> bool:
    """Is the database a SQLite file of this service's own?"""
    return url.get_backend_name() == "sqlite"


def shown(url: sa.URL) -> str:
    """``url`` for people: without its password, and without its query, which may hold one too."""
    return url.set(query={}).render_as_string(hide_password=True)


def make_engine(url: sa.URL) -> sa.Engine:
    """An engine that opens its connections lazily, with this service's durability and time limits."""
    # hide_parameters: errors of the driver would otherwise quote a record's columns.
    if is_embedded(url):
        waits = {"timeout": min(PATIENCE, FILE_PATIENCE), "isolation_level": None}
        engine = sa.create_engine(url, hide_parameters=True, connect_args=waits)
        sa.event.listen(engine, "connect", _set_up_sqlite)
        sa.event.listen(engine, "begin", _begin_sqlite)
        return engine
    limits = f"-c statement_timeout={PATIENCE * 1000} -c lock_timeout={PATIENCE * 1000}"
    limits += f" -c idle_in_transaction_session_timeout={_ABANDONED * 1000}"
    defaults = {
        "connect_timeout": PATIENCE,
        "tcp_user_timeout": PATIENCE * 1000,
        "application_name": "cds-service",
        "options": limits,
    }
    try:
        return sa.create_engine(
            url,
            hide_parameters=True,
            paramstyle="format",
            pool_timeout=PATIENCE,
            max_overflow=20,
            connect_args={name: value for name, value in defaults.items() if name not in url.query},
        )
    except ModuleNotFoundError:
        raise RecordsMisconfigured(
            f"{_VARIABLE} names PostgreSQL, but psycopg is missing; pip install 'cds-service[postgres]'"
        ) from None


def _set_up_sqlite(connection: Any, _: Any) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    # FULL syncs the log at every commit: an answer that was given outlives the machine, not only the process.
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")


def _begin_sqlite(connection: sa.Connection) -> None:
    # Writers take the lock at once: a transaction that reads first and writes later can fail without waiting.
    reads = connection.get_execution_options().get("reads")
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")


@contextmanager
def reading(engine: sa.Engine) -> Iterator[sa.Connection]:
    """A connection that only reads, may take its time, and never holds up a writer. Raises RecordsUnavailable."""
    try:
        with engine.connect().execution_options(reads=True) as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(sa.text("SET LOCAL statement_timeout = 0"))
            yield connection
    except sa.exc.SQLAlchemyError as error:
        raise RecordsUnavailable(reason(error)) from None


@contextmanager
def writing(engine: sa.Engine) -> Iterator[sa.Connection]:
    """A connection in one transaction, committed at the end of the block. Raises RecordsUnavailable."""
    try:
        with engine.begin() as connection:
            yield connection
    except sa.exc.DataError as error:
        raise RecordUnstorable(reason(error)) from None
    except sa.exc.SQLAlchemyError as error:
        raise RecordsUnavailable(reason(error)) from None


def revision(engine: sa.Engine) -> str | None:
    """The migration the database is at; None when it has no tables. Raises sqlalchemy's OperationalError."""
    with engine.connect() as connection:
        if not sa.inspect(connection).has_table("alembic_version"):
            return None
        return connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()


def check_server(engine: sa.Engine) -> None:
    """Refuse a server that cannot be reached or whose tables are not this version's. Raises RecordsMisconfigured."""
    name = shown(engine.url)
    try:
        at = revision(engine)
    except sa.exc.SQLAlchemyError as error:
        raise RecordsMisconfigured(f"{_VARIABLE}: {name} cannot be reached ({reason(error)})") from None
    if at != HEAD:
        state = "has no tables yet" if at is None else f"is at revision {at}, this version needs {HEAD}"
        raise RecordsMisconfigured(f"{_VARIABLE}: {name} {state}; run: cds-service records upgrade")


def reason(error: BaseException) -> str:
    """The kind of a database error, safe to log: class and SQLSTATE, never the text, which may quote a row."""
    original = getattr(error, "orig", None) or error
    state = getattr(original, "sqlstate", None) or getattr(original, "sqlite_errorname", None)
    return type(original).__name__ + (f" {state}" if state else "")


def check_file(path: Path) -> None:
    """Refuse an embedded file that is not there, or whose tables are not this version's; nothing of it is changed.

    Another version of the service may be running on it. Raises RecordsMisconfigured.
    """
    try:
        if not path.stat().st_size:
            raise RecordsMisconfigured(f"{_VARIABLE}: {path} is empty; {_NAME_IT}")
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        raise RecordsMisconfigured(f"{_VARIABLE}: {path} does not exist; {_NAME_IT}") from None
    # By a connection of its own, since those of ``make_engine`` would set the file to write ahead.
    engine = sa.create_engine("sqlite://", creator=lambda: sqlite3.connect(f"{path.as_uri()}?mode=rw", uri=True))
    try:
        at = revision(engine)
    finally:
        engine.dispose()
    if at is not None and at > HEAD:
        raise RecordsMisconfigured(_NEWER.format(path))
    if at != HEAD:
        state = "has no tables yet" if at is None else f"is at revision {at}, this version needs {HEAD}"
        raise RecordsMisconfigured(f"{_VARIABLE}: {path} {state}; start the service, or run: cds-service records upgrade")


def prepare_file(path: Path) -> None:
    """Make folder (mode 0700) and file (0600) of an embedded database, if missing. Raises RecordsMisconfigured."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # SQLite gives its -wal and -shm files the mode of the file itself.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        if path.stat().st_mode & 0o077 and path.stat().st_uid == os.geteuid():
            path.chmod(0o600)
    except OSError as error:
        raise RecordsMisconfigured(
            f"{_VARIABLE}: {path} cannot be written ({error.strerror}); name a file this user can write"
        ) from None


@contextmanager
def file_lock(path: Path) -> Iterator[None]:
    """Hold ``path``'s lock file: one process at a time makes the key and migrates."""
    descriptor = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def migrate(engine: sa.Engine) -> None:
    """Bring the tables to ``HEAD``; nothing happens when they are. Raises RecordsMisconfigured for a newer database."""
    # Imported here: alembic costs a tenth of a second, and most starts need no migration.
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    import cds_service.migrations as migrations

    config = Config(stdout=sys.stderr)
    config.set_main_option("script_location", str(Path(migrations.__path__[0])).replace("%", "%%"))
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(sa.text("SET LOCAL statement_timeout = 0"))
            connection.execute(sa.text("SET LOCAL lock_timeout = 0"))
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(:number)"), {"number": _UPGRADE_LOCK})
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, "head")
        except CommandError:
            raise RecordsMisconfigured(_NEWER.format(shown(engine.url))) from None

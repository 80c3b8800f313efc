"""A PostgreSQL database of a test's own, where a server runs on this machine."""

from __future__ import annotations

import socket
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import sqlalchemy as sa

_HOST, _PORT = "127.0.0.1", 5432


@contextmanager
def empty_database() -> Iterator[str]:
    """The address of a database without tables, dropped at the end; the test is skipped where there is no server for root."""
    try:
        socket.create_connection((_HOST, _PORT), timeout=1).close()
    except OSError:
        pytest.skip(f"no PostgreSQL server at {_HOST}:{_PORT}")
    name = f"cds_service_test_{uuid.uuid4().hex[:12]}"
    admin = sa.create_engine(f"postgresql+psycopg://root@{_HOST}:{_PORT}/postgres", isolation_level="AUTOCOMMIT")
    try:
        with admin.connect() as connection:
            connection.execute(sa.text(f"CREATE DATABASE {name}"))
    except sa.exc.OperationalError:
        admin.dispose()
        pytest.skip(f"the PostgreSQL server at {_HOST}:{_PORT} does not let root in without a password")
    try:
        yield f"postgresql://root@{_HOST}:{_PORT}/{name}"
    finally:
        with admin.connect() as connection:
            connection.execute(sa.text(f"DROP DATABASE {name} WITH (FORCE)"))
        admin.dispose()

"""A store on SQLite and, where a server runs, on PostgreSQL: the same tests on both."""

from __future__ import annotations

import base64
import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from cds_service.records import CallRecord, CardRecord, DeterminationRecord, Store, open_store, upgrade_database
from cds_service.settings import Settings, load_settings
from tests.postgres import empty_database

KEY = "test-1:" + base64.b64encode(bytes(range(32))).decode()
OTHER_KEY = "test-2:" + base64.b64encode(bytes(range(32, 64))).decode()

#: Words of a patient that must never be readable in the database.
SECRETS = ("Ramona-Quill", "MR neurography of the left", "ServiceRequest/order-77", "her words to the clinician", "1961-04-03")


@pytest.fixture(scope="session")
def server_url() -> Iterator[str]:
    """An empty, migrated PostgreSQL database of this test session's own."""
    with empty_database() as url:
        upgrade_database(load_settings(database_url=url))
        yield url


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty, migrated SQLite file to copy: migrating one for each test would take longer than the test."""
    path = tmp_path_factory.mktemp("migrated") / "records.sqlite3"
    upgrade_database(load_settings(database_url=f"sqlite:///{path}"))
    return path


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """Settings that name an empty database with a configured key."""
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("migrated_file"), tmp_path / "records.sqlite3")
        return load_settings(database_url=f"sqlite:///{tmp_path}/records.sqlite3", records_keys=KEY)
    return load_settings(database_url=request.getfixturevalue("emptied_server"), records_keys=KEY)


@pytest.fixture
def emptied_server(server_url: str) -> str:
    """The server's database without what tests before this one kept."""
    engine = sa.create_engine(server_url.replace("postgresql:", "postgresql+psycopg:"))
    with engine.begin() as connection:
        connection.execute(sa.text("TRUNCATE calls, determinations, cards, feedback, seen_tokens, policies"))
    engine.dispose()
    return server_url


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    opened = open_store(settings)
    yield opened
    opened.close()


@pytest.fixture
def rows(settings: Settings) -> Callable[[str], list[Any]]:
    """Reads the database past the store, as an intruder or operator would."""

    def read(query: str) -> list[Any]:
        engine = sa.create_engine(str(settings.database_url).replace("postgresql:", "postgresql+psycopg:"))
        try:
            with engine.begin() as connection:
                result = connection.execute(sa.text(query))
                return list(result) if result.returns_rows else []
        finally:
            engine.dispose()

    return read


def a_determination(**changes: Any) -> DeterminationRecord:
    values: dict[str, Any] = {
        "order_place": "ServiceRequest/order-77",
        "policy": "blue-advantage-177",
        "policy_versions": ("2011-06-01", "2023-11-01"),
        "answer": "yes",
        "rule": "D1",
        "covered": "not-covered",
        "assertion_id": f"BA177-{uuid.uuid4()}",
        "evidence": [{"element": "code.text", "words": "MR neurography of the left plexus"}],
        "dates": {"from": "1961-04-03", "element": "occurrenceDateTime"},
    }
    return DeterminationRecord(**{**values, **changes})


def a_call(*determinations: DeterminationRecord, **changes: Any) -> CallRecord:
    """A call with these determinations and a card for each."""
    values: dict[str, Any] = {
        "call_id": str(uuid.uuid4()),
        "at": datetime.now(UTC),
        "hook": "order-sign",
        "service_id": "order-sign-crd",
        "hook_instance": str(uuid.uuid4()),
        "client": "ehr-one",
        "status": 200,
        "duration_ms": 12.5,
        "crd_version": "2.0",
        "software_version": "0.1.0",
        "policy_hashes": {"blue-advantage-177": "ab" * 32},
        "request": b'{"patient": "Ramona-Quill", "birthDate": "1961-04-03"}',
        "response": b'{"cards": [{"summary": "MR neurography of the left plexus: non-covered", "indicator": "warning"}]}',
        "fetched": {"Coverage/5": b'{"resourceType": "Coverage", "beneficiary": "Ramona-Quill"}'},
        "today": "2026-11-22",
        "settings": {"timezone": "America/Chicago"},
        "determinations": determinations,
        "cards": tuple(
            CardRecord(str(uuid.uuid4()), one.policy, one.answer, (one.assertion_id,) if one.assertion_id else ())
            for one in determinations
        ),
    }
    return CallRecord(**{**values, **changes})


def environment(settings: Settings) -> dict[str, str]:
    """The environment by which a process of its own finds the same store."""
    return {
        **os.environ,
        "CDS_SERVICE_DATABASE_URL": str(settings.database_url),
        "CDS_SERVICE_RECORDS_KEYS": ",".join(settings.records_keys),
    }

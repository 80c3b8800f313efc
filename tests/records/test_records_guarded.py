"""Patient data is sealed, keys rotate, files are private, and a store that is not fit is refused at the start."""

from __future__ import annotations

import stat
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from conftest import KEY, OTHER_KEY, SECRETS, a_call, a_determination, environment  # type: ignore[import-not-found]
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

import cds_service.migrations
from cds_service.crd.feedback import FeedbackItem
from cds_service.records import CallRecord, RecordsMisconfigured, RecordUnreadable, Store, open_store, tables, upgrade_database
from cds_service.records.encryption import Keyring, parse_keys
from cds_service.settings import Settings, load_settings

Rows = Callable[[str], list[Any]]


def an_override(card: str, **changes: Any) -> FeedbackItem:
    values: dict[str, Any] = {"card": card, "outcome": "overridden", "outcome_at": datetime.now(UTC), **changes}
    return FeedbackItem(**values)


@pytest.mark.requirement("found-37")
def test_no_word_of_the_patient_can_be_read_in_the_database(store: Store, rows: Rows) -> None:
    call = a_call(a_determination(), hook_instance="Ramona-Quill born 1961-04-03")
    store.record_now(call)
    store.record_later(a_call(a_determination()))
    report = an_override(call.cards[0].uuid, reason_code="Ramona-Quill", comment="her words to the clinician")
    store.record_feedback("order-sign-crd", "ehr-one", [report])
    store.token_is_new("ehr-one", "Ramona-Quill", 2_000_000_000)
    store.close()
    everything = b""
    for table in tables.metadata.tables:
        for row in rows(f"SELECT * FROM {table}"):
            everything += b"\n".join(bytes(v) if isinstance(v, bytes | memoryview) else str(v).encode() for v in row)
    assert len(everything) > 500
    for secret in SECRETS:
        assert secret.encode() not in everything


def test_no_word_of_the_patient_stands_in_the_embedded_files(tmp_path: Path) -> None:
    store = open_store(load_settings(database_url=f"sqlite:///{tmp_path}/r.sqlite3", records_keys=KEY))
    store.record_now(a_call(a_determination()))
    files = [path.read_bytes() for path in tmp_path.iterdir()]
    store.close()
    assert sum(map(len, files)) > 4096
    for secret in SECRETS:
        assert not any(secret.encode() in file for file in files)


def test_neither_a_record_nor_its_error_shows_the_patient_in_a_traceback() -> None:
    call = a_call(a_determination(), call_id="c-1")
    shown = repr(call) + repr(call.determinations[0]) + repr(an_override("card", comment="her words to the clinician"))
    assert not any(secret in shown for secret in SECRETS)


def test_a_sealed_value_opens_only_in_its_own_row() -> None:
    keyring = Keyring(parse_keys([KEY], "test"))
    sealed = keyring.seal(b"words", "calls.sealed/1")
    assert keyring.unseal("test-1", sealed, "calls.sealed/1") == b"words"
    with pytest.raises(RecordUnreadable):
        keyring.unseal("test-1", sealed, "calls.sealed/2")
    with pytest.raises(RecordUnreadable):
        keyring.unseal("test-1", sealed[:-1] + bytes([sealed[-1] ^ 1]), "calls.sealed/1")


def test_the_same_words_are_never_sealed_alike_twice() -> None:
    keyring = Keyring(parse_keys([KEY], "test"))
    assert keyring.seal(b"words", "row") != keyring.seal(b"words", "row")


def test_what_another_library_deflated_opens_too() -> None:
    ((name, key),) = parse_keys([KEY], "test")
    sealed = bytes(12) + AESGCM(key).encrypt(bytes(12), zlib.compress(b"words " * 100, 9, -15), b"row")
    assert Keyring([(name, key)]).unseal("test-1", sealed, "row") == b"words " * 100


def test_after_a_rotation_old_records_open_and_new_ones_bear_the_new_key(settings: Settings, rows: Rows) -> None:
    first = open_store(settings)
    old = a_call(a_determination())
    first.record_now(old)
    first.close()
    second = open_store(settings.model_copy(update={"records_keys": (OTHER_KEY, KEY)}))
    new = a_call(a_determination())
    second.record_now(new)
    assert [second.find(call.hook_instance)[0].call for call in (old, new)] == [old, new]
    assert {row[0] for row in rows("SELECT key_id FROM calls")} == {"test-1", "test-2"}
    second.record_feedback("order-sign-crd", "ehr-one", [an_override(old.cards[0].uuid)])
    assert second.rekey(pytest.fail) == 1
    second.close()
    third = open_store(settings.model_copy(update={"records_keys": (OTHER_KEY,)}))
    assert third.find(old.hook_instance)[0].call == old
    third.close()


def test_without_the_key_of_the_newest_record_the_start_is_refused(settings: Settings) -> None:
    store = open_store(settings)
    store.record_now(a_call(a_determination()))
    store.close()
    with pytest.raises(RecordsMisconfigured, match="'test-1'"):
        open_store(settings.model_copy(update={"records_keys": (OTHER_KEY,)}))
    wrong = "test-1:" + OTHER_KEY.split(":")[1]
    with pytest.raises(RecordsMisconfigured, match="CDS_SERVICE_RECORDS_KEYS"):
        open_store(settings.model_copy(update={"records_keys": (wrong,)}))


def sealed_by_turns(settings: Settings, *turns: tuple[tuple[str, ...], int]) -> None:
    """Keep so many calls with each of these lists of keys, one after the other."""
    when = datetime(2026, 1, 1, tzinfo=UTC)
    for keys, count in turns:
        store = open_store(settings.model_copy(update={"records_keys": keys}))
        for _ in range(count):
            when += timedelta(seconds=1)
            store.record_now(a_call(a_determination(), at=when))
        store.close()


@pytest.mark.parametrize(
    "change",
    [
        "sealed = (SELECT sealed FROM calls ORDER BY id LIMIT 1)",
        "sealed = 'a text'",
        "sealed = ''",
        "key_id = 'lost'",
    ],
)
def test_one_altered_record_keeps_nobody_out_even_if_it_is_the_newest(settings: Settings, rows: Rows, change: str) -> None:
    sealed_by_turns(settings, ((KEY,), 3))
    rows(f"UPDATE calls SET {change} WHERE id = (SELECT max(id) FROM calls)")
    store = open_store(settings)
    altered = rows("SELECT call_id FROM calls ORDER BY id DESC LIMIT 1")[0][0]
    [notice] = [each for each in store.notices if altered in each]
    assert notice.endswith("it is passed over")
    told: list[RecordUnreadable] = []
    assert len(list(store.calls(None, None, told.append))) == 2
    assert [altered in str(each) for each in told] == [True]
    store.close()


def test_many_altered_records_keep_nobody_out_while_the_oldest_open(settings: Settings, rows: Rows) -> None:
    sealed_by_turns(settings, ((KEY,), 12))
    rows("UPDATE calls SET sealed = 'a text' WHERE id NOT IN (SELECT id FROM calls ORDER BY id LIMIT 1)")
    open_store(settings).close()


def test_a_wrong_new_key_is_refused_although_the_old_one_opens_what_is_older(settings: Settings) -> None:
    sealed_by_turns(settings, ((KEY,), 3), ((OTHER_KEY, KEY), 2))
    wrong = OTHER_KEY.split(":")[0] + ":" + KEY.split(":")[1]
    with pytest.raises(RecordsMisconfigured, match=r"CDS_SERVICE_RECORDS_KEYS.*'test-2'"):
        open_store(settings.model_copy(update={"records_keys": (wrong, KEY)}))
    with pytest.raises(RecordsMisconfigured, match=r"CDS_SERVICE_RECORDS_KEYS.*'test-2'"):
        open_store(settings.model_copy(update={"records_keys": (KEY,)}))
    open_store(settings.model_copy(update={"records_keys": (OTHER_KEY,)})).close()  # what it cannot open is named later


@pytest.mark.parametrize(
    "entries",
    [["no-colon"], ["id:"], ["id:c2hvcnQ="], ["id:***"], [":" + KEY.split(":")[1]], ["a b:" + KEY.split(":")[1]], [KEY, KEY]],
)
def test_a_bad_key_is_refused_and_not_repeated_in_the_message(entries: list[str]) -> None:
    with pytest.raises(RecordsMisconfigured, match="CDS_SERVICE_RECORDS_KEYS") as raised:
        parse_keys(entries, "CDS_SERVICE_RECORDS_KEYS")
    assert KEY.split(":")[1] not in str(raised.value)


class TestTheEmbeddedFile:
    def open(self, path: Path, **more: Any) -> Store:
        return open_store(load_settings(database_url=f"sqlite:///{path}", **more))

    def test_it_is_made_with_its_key_for_nobody_else_to_read(self, tmp_path: Path) -> None:
        path = tmp_path / "state" / "records.sqlite3"
        store = self.open(path)
        store.record_now(a_call(a_determination()))
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
        store.close()
        assert modes.keys() >= {"records.sqlite3", "records.sqlite3-wal", "records.sqlite3.key"}
        assert set(modes.values()) == {0o600}
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700

    def test_the_start_says_where_it_is_and_that_a_key_was_made_but_only_once(self, tmp_path: Path) -> None:
        path = tmp_path / "records.sqlite3"
        assert [str(path) in notice for notice in self.open(path).notices] == [True, True]
        assert len(self.open(path).notices) == 1

    def test_unset_it_stands_in_the_state_directory(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
        store = open_store(load_settings(database_url=None))
        assert str(tmp_path) in store.notices[0]

    def test_a_key_that_was_made_still_opens_old_records_once_another_is_configured(self, tmp_path: Path) -> None:
        path = tmp_path / "records.sqlite3"
        store = self.open(path)
        call = a_call(a_determination())
        store.record_now(call)
        store.close()
        store = self.open(path, records_keys=KEY)
        assert store.find(call.hook_instance)[0].call == call
        store.close()

    def test_a_lost_key_file_is_told_and_not_replaced(self, tmp_path: Path) -> None:
        path = tmp_path / "records.sqlite3"
        store = self.open(path)
        store.record_now(a_call(a_determination()))
        store.close()
        key_file = tmp_path / "records.sqlite3.key"
        key_file.unlink()
        with pytest.raises(RecordsMisconfigured, match=r"records\.sqlite3\.key"):
            self.open(path)
        assert not key_file.exists()

    def test_a_key_file_that_others_may_read_is_made_private_and_an_empty_one_is_told(self, tmp_path: Path) -> None:
        path, key_file = tmp_path / "records.sqlite3", tmp_path / "records.sqlite3.key"
        key_file.touch(0o644)
        with pytest.raises(RecordsMisconfigured, match=r"records\.sqlite3\.key holds no key"):
            self.open(path)
        self.open(path, records_keys=KEY).close()
        key_file.write_text(OTHER_KEY)
        key_file.chmod(0o644)
        self.open(path).close()
        assert stat.S_IMODE(key_file.stat().st_mode) == 0o600

    def test_workers_that_start_at_once_make_one_key_and_one_set_of_tables(self, tmp_path: Path) -> None:
        settings = load_settings(database_url=f"sqlite:///{tmp_path}/new/r.sqlite3")
        code = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from conftest import a_call, a_determination
from cds_service.records import open_store
from cds_service.settings import load_settings
store = open_store(load_settings())
store.record_now(a_call(a_determination()))
store.close()
"""
        env = environment(settings)
        workers = [subprocess.Popen([sys.executable, "-c", code], env=env) for _ in range(3)]
        assert [worker.wait(30) for worker in workers] == [0, 0, 0]
        store = open_store(settings)
        assert len(list(store.calls(None, None))) == 3
        store.close()

    @pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "mysql://host/db", "nonsense", "sqlite:////proc/no/r.db"])
    def test_a_database_that_cannot_keep_records_is_refused_by_name_of_the_setting(self, url: str) -> None:
        with pytest.raises(RecordsMisconfigured, match="CDS_SERVICE_DATABASE_URL"):
            open_store(load_settings().model_copy(update={"database_url": url}))

    def test_a_file_that_is_no_database_is_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "r.sqlite3"
        path.write_text("not a database, and long enough to be looked at " * 100)
        with pytest.raises(RecordsMisconfigured, match=r"r\.sqlite3"):
            self.open(path)


class TestTheServer:
    @pytest.fixture
    def empty_url(self, server_url: str) -> Iterator[str]:
        name = server_url.rsplit("/", 1)[1] + "_empty"
        engine = sa.create_engine(server_url.replace("postgresql:", "postgresql+psycopg:"), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(sa.text(f"CREATE DATABASE {name}"))
        yield f"{server_url}_empty"
        with engine.connect() as connection:
            connection.execute(sa.text(f"DROP DATABASE {name} WITH (FORCE)"))
        engine.dispose()

    @pytest.mark.postgres
    def test_one_that_is_not_migrated_is_refused_and_the_cure_works(self, empty_url: str) -> None:
        settings = load_settings(database_url=empty_url, records_keys=KEY)
        with pytest.raises(RecordsMisconfigured, match="cds-service records upgrade"):
            open_store(settings)
        upgrade_database(settings)
        upgrade_database(settings)
        store = open_store(settings)
        assert store.ready() is None
        store.close()

    @pytest.mark.postgres
    def test_one_without_a_key_is_refused(self, server_url: str) -> None:
        with pytest.raises(RecordsMisconfigured, match="CDS_SERVICE_RECORDS_KEYS"):
            open_store(load_settings(database_url=server_url))

    def test_one_that_cannot_be_reached_is_refused_without_its_password(self) -> None:
        settings = load_settings(database_url="postgresql://who:secret-word@127.0.0.1:1/none", records_keys=KEY)
        with pytest.raises(RecordsMisconfigured, match="cannot be reached") as raised:
            open_store(settings)
        assert "secret-word" not in str(raised.value)

    @pytest.mark.postgres
    def test_a_connection_that_the_server_closed_costs_no_record_and_no_token(self, emptied_server: str) -> None:
        store = open_store(load_settings(database_url=emptied_server, records_keys=KEY))
        store.record_now(a_call(a_determination()))
        assert store.token_is_new("ehr-one", "before the cut", 2_000_000_000)
        engine = sa.create_engine(emptied_server.replace("postgresql:", "postgresql+psycopg:"))
        with engine.connect() as connection:
            connection.execute(
                sa.text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
            )
        engine.dispose()
        call = a_call(a_determination())
        store.record_now(call)
        assert store.find(call.hook_instance)[0].call == call
        assert store.token_is_new("ehr-one", "after the cut", 2_000_000_000)
        assert not store.token_is_new("ehr-one", "before the cut", 2_000_000_000)
        store.close()


def test_the_migrations_make_the_tables_that_the_code_uses(settings: Settings) -> None:
    open_store(settings).close()
    engine = sa.create_engine(str(settings.database_url).replace("postgresql:", "postgresql+psycopg:"))
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, tables.metadata) == []
    engine.dispose()


def test_a_file_of_the_first_revision_is_migrated_and_its_records_are_read(tmp_path: Path) -> None:
    settings = load_settings(database_url=f"sqlite:///{tmp_path}/r.sqlite3", records_keys=KEY)
    engine = sa.create_engine(str(settings.database_url))
    config = Config()
    config.set_main_option("script_location", cds_service.migrations.__path__[0])
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
    call = a_call(a_determination())
    sealed = Keyring(parse_keys([KEY], "test")).seal(_as_first_kept(call), "calls.sealed/7")
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO calls VALUES (7, ?, 1, '', '', 'h-7', '', 200, 1.0, '', '', 1, 'test-1', ?)", (call.call_id, sealed)
        )
        connection.exec_driver_sql("INSERT INTO determinations VALUES (7, 0, 'p', '', 'yes', 'D1', 'not-covered', 'a-1')")
    engine.dispose()
    store = open_store(settings)
    assert store.ready() is None
    assert store.find("a-1")[0].call == call
    assert [one.count for one in store.measures(None, None) if one.name == "coverage_information"] == [1]
    store.close()


def _as_first_kept(call: CallRecord) -> bytes:
    """``call`` as the first version encoded it, before determinations told whether they are repeated."""
    fields = msgspec.to_builtins(call, builtin_types=(bytes, datetime))
    for each in fields["determinations"]:
        del each["is_repeated"]
    return msgspec.msgpack.encode(fields)


def test_the_newest_migration_is_the_one_that_the_code_expects() -> None:
    config = Config()
    config.set_main_option("script_location", cds_service.migrations.__path__[0])
    assert ScriptDirectory.from_config(config).get_heads() == [tables.HEAD]

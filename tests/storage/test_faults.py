import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from ramax.errors import (
    CommitUnknownError,
    SchemaOutOfDateError,
    SpaceNotFoundError,
    StorageBusyError,
    StorageError,
)
from ramax.storage import idempotency
from ramax.storage.executors import CoreExecutor, SqliteExecutor
from ramax.storage.faults import (
    ConnectionLostError,
    UniqueViolationError,
    at_commit,
    translated,
)
from ramax.storage.locks import move_state_version, take_lock
from ramax.storage.sql import Statement
from ramax.storage.tables import build_tables


@Statement
def insert_space(t):
    return sa.insert(t.spaces).values(
        space_name=sa.bindparam("name"), created_at=sa.bindparam("at")
    )


@pytest.mark.parametrize("call", ["read", "locked"])
async def test_a_key_that_is_there_and_a_value_that_is_missing_are_told_apart(db, call):
    run = getattr(db._core.backend, call)
    await db.spaces.create("taken")
    with pytest.raises(UniqueViolationError) as taken:
        await run(lambda ex: ex.run(insert_space, {"name": "taken", "at": 1}))
    assert taken.value.__cause__ is not None
    with pytest.raises(StorageError) as missing:
        await run(lambda ex: ex.run(insert_space, {"name": "new", "at": None}))
    assert type(missing.value) is StorageError
    assert missing.value.__cause__ is not None


@pytest.mark.parametrize("call", ["read", "locked"])
async def test_a_missing_table_is_a_schema_that_is_out_of_date(db, call):
    async with db.connection() as connection:
        await connection.execute(sa.text("DROP TABLE idempotency_keys"))
        await connection.commit()
    with pytest.raises(SchemaOutOfDateError, match="ramax db upgrade") as raised:
        await getattr(db._core.backend, call)(lambda ex: idempotency.find(ex, 1, "k"))
    assert raised.value.__cause__ is not None


async def test_a_sqlite_file_that_somebody_writes_to_is_busy(db_on_sqlite):
    path = db_on_sqlite.engine.url.database
    one, two = sqlite3.connect(path, timeout=0), sqlite3.connect(path, timeout=0)
    with closing(one), closing(two):
        one.execute("BEGIN IMMEDIATE")
        ex = SqliteExecutor(two, build_tables("sqlite"))
        with pytest.raises(StorageBusyError) as raised:
            ex.run(insert_space, {"name": "s", "at": 1})
    assert isinstance(raised.value.__cause__, sqlite3.OperationalError)
    assert raised.value.retryable


def test_a_file_that_is_no_database_is_called_that(tmp_path: Path):
    path = tmp_path / "notes.txt"
    path.write_text("no database" * 100)
    with closing(sqlite3.connect(path)) as connection:
        ex = SqliteExecutor(connection, build_tables("sqlite"))
        with pytest.raises(StorageError, match="not a sound SQLite database"):
            ex.rows(insert_space, {"name": "s", "at": 1})


@pytest.mark.postgres
async def test_a_row_that_is_held_is_busy_on_postgres(db_on_postgres):
    db = db_on_postgres
    space = await db.spaces.create("s")

    def lock(ex):
        take_lock(ex, space.space_id, "s", nowait=True)

    async with db.engine.connect() as other:
        await other.run_sync(lambda c: lock(CoreExecutor(c, db._core.backend.tables)))
        for call in (db._core.backend.read, db._core.backend.locked):
            with pytest.raises(StorageBusyError) as raised:  # 55P03
                await call(lock)
            assert raised.value.__cause__ is not None


@pytest.mark.postgres
async def test_a_transaction_that_cannot_be_serialized_is_busy(db_on_postgres):
    db = db_on_postgres
    space = await db.spaces.create("s")
    tables = db._core.backend.tables
    engine = db.engine.execution_options(isolation_level="REPEATABLE READ")
    async with engine.connect() as late:
        await late.execute(sa.text("SELECT 1 FROM spaces"))  # the snapshot is taken
        await db._core.locked("a test", lambda ex: move_state_version(ex, space.space_id))
        with pytest.raises(StorageBusyError) as raised:  # 40001
            await late.run_sync(lambda c: move_state_version(CoreExecutor(c, tables), 1))
        assert raised.value.__cause__ is not None


@pytest.mark.postgres
async def test_a_session_that_the_server_ends_is_a_lost_connection(db_on_postgres):
    db = db_on_postgres
    tables = db._core.backend.tables
    async with db.engine.connect() as victim:
        pid = await victim.scalar(sa.text("SELECT pg_backend_pid()"))
        async with db.engine.connect() as killer:
            await killer.execute(sa.text("SELECT pg_terminate_backend(:p, 10000)"), {"p": pid})
        with pytest.raises(ConnectionLostError) as raised:
            await victim.run_sync(lambda c: move_state_version(CoreExecutor(c, tables), 1))
        assert raised.value.__cause__ is not None
        await victim.invalidate()


def test_a_connection_that_breaks_at_the_commit_leaves_the_answer_open():
    assert isinstance(at_commit(ConnectionResetError("reset")), CommitUnknownError)
    assert type(at_commit(sqlite3.OperationalError("disk I/O error"))) is StorageError


def test_an_error_of_ours_stays_what_it_is_and_a_bad_parameter_is_no_lost_connection():
    own = SpaceNotFoundError("s")
    assert translated(own) is own
    assert type(translated(ValueError("the word connection, quoted"))) is StorageError
    assert isinstance(translated(asyncio.IncompleteReadError(b"", 1)), ConnectionLostError)

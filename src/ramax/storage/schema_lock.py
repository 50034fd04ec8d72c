"""One transaction in which nobody else can change the schema, in this process or in another."""

import asyncio
import random
import sqlite3
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from ramax.errors import RamaxError, SchemaOutOfDateError, StorageBusyError, StorageError
from ramax.storage.faults import translated
from ramax.storage.forms import dialect_of
from ramax.storage.tables import build_tables

WAIT_SECONDS = 600.0
"""How long a schema change waits for another one, or for a writer, before it gives up."""

_ADVISORY_KEY = int.from_bytes(b"ramax", "big")

# A threading lock, because engines of several event loops may meet on one database, and because
# Alembic keeps the environment that is running in module globals.
_one_at_a_time = threading.Lock()


@asynccontextmanager
async def schema_transaction(
    engine: AsyncEngine, schema: str | None = None
) -> AsyncIterator[AsyncConnection]:
    """Lend a connection in a transaction that commits at the end of the block, or rolls back.

    On SQLite it holds the write lock from the start, with foreign keys off and checked before the
    commit; on PostgreSQL an advisory lock, with ``schema`` as the search path. Raises
    `StorageBusyError` after `WAIT_SECONDS`, and the ramax error for whatever the driver raises.
    """
    deadline = time.monotonic() + WAIT_SECONDS
    while not _one_at_a_time.acquire(blocking=False):
        if time.monotonic() > deadline:
            raise StorageBusyError("another schema change in this process does not end")
        await asyncio.sleep(0.005)
    try:
        async with engine.connect() as connection:
            lend = _sqlite if connection.dialect.name == "sqlite" else _postgres
            async with lend(connection, schema, deadline):
                yield connection
    except Exception as error:
        if not _is_the_databases(error):
            raise
        raise _named(translated(error), engine) from error
    finally:
        _one_at_a_time.release()


def _is_the_databases(error: Exception) -> bool:
    # asyncpg's own errors are known by their SQLSTATE, without importing it for SQLite
    known = (sa.exc.SQLAlchemyError, sqlite3.Error, OSError)
    return isinstance(error, known) or hasattr(error, "sqlstate")


def _named(fault: RamaxError, engine: AsyncEngine) -> RamaxError:
    if isinstance(fault, SchemaOutOfDateError):
        return fault
    return type(fault)(f"{engine.url.render_as_string(hide_password=True)}: {fault}")


@asynccontextmanager
async def _postgres(
    connection: AsyncConnection, schema: str | None, _deadline: float
) -> AsyncIterator[None]:
    await connection.run_sync(dialect_of)
    await connection.execution_options(isolation_level="READ COMMITTED")
    async with connection.begin():
        await connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_ADVISORY_KEY)))
        if schema:
            quoted = connection.dialect.identifier_preparer.quote_schema(schema)
            await connection.exec_driver_sql(f"SET LOCAL search_path TO {quoted}")
        yield


@asynccontextmanager
async def _sqlite(
    connection: AsyncConnection, _schema: str | None, deadline: float
) -> AsyncIterator[None]:
    """Begin by hand: the engine may have no hook that begins, or one that begins otherwise."""
    before = await connection.run_sync(_take_over)
    try:
        while not await connection.run_sync(_try_begin):
            if time.monotonic() > deadline:
                raise StorageBusyError("the SQLite database stays locked by another writer")
            await asyncio.sleep(random.uniform(0.01, 0.05))  # noqa: S311 - only to spread retries
        try:
            yield
            await connection.run_sync(_check_foreign_keys)
        except BaseException:
            await connection.rollback()
            raise
        await connection.commit()
    finally:
        if not connection.invalidated:  # cancelled in a statement: that connection is given up
            await connection.run_sync(_give_back, before)


def _driver(connection: sa.Connection) -> Any:
    return connection.connection.dbapi_connection


def _pragma(connection: sa.Connection, statement: str) -> int:
    cursor = _driver(connection).cursor()
    cursor.execute(statement)
    row = cursor.fetchone()
    cursor.close()
    return int(row[0]) if row else 0


def _take_over(connection: sa.Connection) -> tuple[Any, int]:
    before = _driver(connection).isolation_level
    _driver(connection).isolation_level = None  # the driver itself never begins
    foreign_keys = _pragma(connection, "PRAGMA foreign_keys")
    _pragma(connection, "PRAGMA foreign_keys = OFF")  # has no effect inside a transaction
    return before, foreign_keys


def _give_back(connection: sa.Connection, before: tuple[Any, int]) -> None:
    isolation_level, foreign_keys = before
    _pragma(connection, f"PRAGMA foreign_keys = {foreign_keys}")
    _driver(connection).isolation_level = isolation_level


def _try_begin(connection: sa.Connection) -> bool:
    try:
        if not connection.in_transaction():
            connection.begin()
        if connection.connection.driver_connection.in_transaction:  # type: ignore[union-attr]
            _pragma(connection, "ROLLBACK")  # a hook has begun, perhaps deferred
        _pragma(connection, "BEGIN IMMEDIATE")
    except Exception as error:
        if isinstance(translated(error), StorageBusyError):
            return False
        raise
    return True


def _check_foreign_keys(connection: sa.Connection) -> None:
    ours = {table.name for table in build_tables("sqlite").metadata.tables.values()}
    for table, row, parent, _ in connection.exec_driver_sql("PRAGMA foreign_key_check"):
        if table in ours or parent in ours:
            raise StorageError(f"row {row} of {table} refers to a row of {parent} that is missing")

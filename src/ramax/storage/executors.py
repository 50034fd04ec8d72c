"""One way to run a statement from synchronous code, over three kinds of connection.

Everything above is written once against `Executor`: in the thread of an aiosqlite connection, in
a greenlet over a held asyncpg connection, or in SQLAlchemy's `run_sync` for explicit transactions.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Any, Protocol, TypeVar

import sqlalchemy as sa
from sqlalchemy.util import await_only

from ramax.storage.faults import translated
from ramax.storage.sql import Params, Statement
from ramax.storage.tables import Tables

Row = Sequence[Any]
T = TypeVar("T")


class Executor(Protocol):
    """Runs compiled statements on one connection."""

    tables: Tables

    lineages: dict[int, Any]
    """What is known of where spaces come from; see `lineage`."""

    lasting: bool
    """What it reads of that is committed, and may be remembered."""

    def rows(self, statement: Statement, params: Params) -> Sequence[Row]:
        """Run a statement and return its rows, to be unpacked by position."""
        ...

    def run(self, statement: Statement, params: Params) -> int:
        """Run a statement and return how many rows it changed."""
        ...

    def run_many(self, statement: Statement, params: Sequence[Params]) -> None:
        """Run a statement once for each set of parameters, in one call of the driver."""
        ...

    def atomically(self, work: Callable[[], T]) -> T:
        """Run several statements as one transaction, which is there already but in autocommit."""
        ...


class AddingExecutor(Executor, Protocol):
    """What runs on SQLite can do besides."""

    def added(self, statement: Statement, params: Params) -> int:
        """Run a statement that adds one row, and return the id that it got."""
        ...


class CopyingExecutor(Executor, Protocol):
    """What runs on PostgreSQL can do besides."""

    def copy(self, table: sa.Table, columns: Sequence[str], rows: Iterable[Row]) -> None:
        """Add rows by COPY, in the transaction that there is; none of them may be there already.

        Rows are drawn as the server takes them.
        """
        ...


class SqliteExecutor:
    """Over the sqlite3 connection of this thread."""

    __slots__ = ("_connection", "_execute", "lasting", "lineages", "tables")

    def __init__(
        self,
        connection: sqlite3.Connection,
        tables: Tables,
        lineages: dict[int, Any] | None = None,
        *,
        lasting: bool = False,
    ) -> None:
        self.tables = tables
        self.lineages, self.lasting = {} if lineages is None else lineages, lasting
        self._connection = connection
        self._execute = connection.execute

    def rows(self, statement: Statement, params: Params) -> Sequence[Row]:
        """See `Executor.rows`."""
        sql = statement.on(self.tables)
        arguments = params if type(params) is tuple else sql.arguments(params)
        try:
            return self._execute(sql.text, arguments).fetchall()
        except sqlite3.Error as error:
            raise translated(error) from error

    def run(self, statement: Statement, params: Params) -> int:
        """See `Executor.run`."""
        sql = statement.on(self.tables)
        arguments = params if type(params) is tuple else sql.arguments(params)
        try:
            return self._execute(sql.text, arguments).rowcount
        except sqlite3.Error as error:
            raise translated(error) from error

    def added(self, statement: Statement, params: Params) -> int:
        """See `AddingExecutor.added`."""
        sql = statement.on(self.tables)
        arguments = params if type(params) is tuple else sql.arguments(params)
        try:
            row_id = self._execute(sql.text, arguments).lastrowid
        except sqlite3.Error as error:
            raise translated(error) from error
        assert row_id is not None
        return row_id

    def run_many(self, statement: Statement, params: Sequence[Params]) -> None:
        """See `Executor.run_many`."""
        sql = statement.on(self.tables)
        try:
            self._connection.executemany(sql.text, map(sql.arguments, params))
        except sqlite3.Error as error:
            raise translated(error) from error

    def atomically(self, work: Callable[[], T]) -> T:
        """See `Executor.atomically`; a unit of work runs in a transaction already."""
        return work()


class AsyncpgExecutor:
    """Over an asyncpg connection, inside a greenlet; each statement commits by itself."""

    __slots__ = ("_connection", "lasting", "lineages", "tables")

    def __init__(
        self, connection: Any, tables: Tables, lineages: dict[int, Any] | None = None
    ) -> None:
        self.tables = tables
        self.lineages, self.lasting = {} if lineages is None else lineages, True
        self._connection = connection

    def rows(self, statement: Statement, params: Params) -> Sequence[Row]:
        """See `Executor.rows`."""
        sql = statement.on(self.tables)
        try:
            found: Sequence[Row] = await_only(
                self._connection.fetch(sql.text, *sql.arguments(params))
            )
        except Exception as error:
            raise translated(error) from error
        return found

    def run(self, statement: Statement, params: Params) -> int:
        """See `Executor.run`."""
        sql = statement.on(self.tables)
        try:
            tag: str = await_only(self._connection.execute(sql.text, *sql.arguments(params)))
        except Exception as error:
            raise translated(error) from error
        return int(tag.rsplit(" ", 1)[-1])

    def run_many(self, statement: Statement, params: Sequence[Params]) -> None:
        """See `Executor.run_many`."""
        sql = statement.on(self.tables)
        _in_a_task(self._connection.executemany(sql.text, list(map(sql.arguments, params))))

    def copy(self, table: sa.Table, columns: Sequence[str], rows: Iterable[Row]) -> None:
        """See `CopyingExecutor.copy`."""
        _in_a_task(_copy(self._connection, table, columns, rows))

    def atomically(self, work: Callable[[], T]) -> T:
        """See `Executor.atomically`."""
        self._control("BEGIN")
        try:
            result = work()
        except BaseException:
            if not self._connection.is_closed():
                self._control("ROLLBACK")
            raise
        self._control("COMMIT")
        return result

    def _control(self, text: str) -> None:
        try:
            await_only(self._connection.execute(text))
        except Exception as error:
            raise translated(error) from error


class CoreExecutor:
    """Over a SQLAlchemy connection inside `run_sync`; its transaction is the caller's."""

    __slots__ = ("_connection", "lasting", "lineages", "tables")

    def __init__(
        self,
        connection: sa.Connection,
        tables: Tables,
        lineages: dict[int, Any] | None = None,
    ) -> None:
        self.tables = tables
        self.lineages, self.lasting = {} if lineages is None else lineages, False
        self._connection = connection

    def rows(self, statement: Statement, params: Params) -> Sequence[Row]:
        """See `Executor.rows`."""
        return self._result(statement, params).fetchall()

    def run(self, statement: Statement, params: Params) -> int:
        """See `Executor.run`."""
        return self._result(statement, params).rowcount

    def added(self, statement: Statement, params: Params) -> int:
        """See `AddingExecutor.added`."""
        row_id: int = self._result(statement, params).lastrowid
        return row_id

    def run_many(self, statement: Statement, params: Sequence[Params]) -> None:
        """See `Executor.run_many`."""
        sql = statement.on(self.tables)
        try:
            self._connection.exec_driver_sql(
                sql.text, [tuple(sql.arguments(each)) for each in params]
            )
        except (sa.exc.SQLAlchemyError, OSError) as error:
            raise translated(error) from error

    def atomically(self, work: Callable[[], T]) -> T:
        """See `Executor.atomically`; the transaction is the caller's."""
        return work()

    def copy(self, table: sa.Table, columns: Sequence[str], rows: Iterable[Row]) -> None:
        """See `CopyingExecutor.copy`; a statement by way of SQLAlchemy must have come before.

        The adapter sends BEGIN with the first one, and this goes past it.
        """
        adapted: Any = self._connection.connection.dbapi_connection
        _in_a_task(_copy(adapted.driver_connection, table, columns, rows))

    def begin_immediate(self) -> None:
        """Begin for real on SQLite where the engine leaves BEGIN to the driver."""
        adapted: Any = self._connection.connection.dbapi_connection
        if not adapted.driver_connection.in_transaction:
            self._connection.exec_driver_sql("BEGIN IMMEDIATE")

    def _result(self, statement: Statement, params: Params) -> sa.CursorResult[Any]:
        sql = statement.on(self.tables)
        try:
            return self._connection.exec_driver_sql(sql.text, tuple(sql.arguments(params)))
        except (sa.exc.SQLAlchemyError, OSError) as error:
            raise translated(error) from error


def _copy(
    connection: Any, table: sa.Table, columns: Sequence[str], rows: Iterable[Row]
) -> Coroutine[Any, Any, object]:
    copied: Coroutine[Any, Any, object] = connection.copy_records_to_table(
        table.name, schema_name=table.schema, columns=columns, records=rows
    )
    return copied


def _in_a_task(call: Coroutine[Any, Any, object]) -> None:
    """Wait for a call of asyncpg's that sends much.

    While the server is slow to take it, the driver waits by a timeout, which needs a task.
    """
    try:
        await_only(asyncio.ensure_future(call))
    except Exception as error:
        raise translated(error) from error

"""A SQLite connection taken out of its pool for good, and the way into its thread."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from ramax.errors import ClosedError
from ramax.storage.backend import Done
from ramax.storage.cancellation import to_its_end
from ramax.storage.executors import Executor, SqliteExecutor
from ramax.storage.faults import translated
from ramax.storage.rests import Rests
from ramax.storage.tables import Tables

T = TypeVar("T")


class HeldSqlite:
    """A connection taken out of the pool for good, and the way into its thread."""

    lost = False

    def __init__(
        self, connection: AsyncConnection, driver: Any, tables: Tables, lineages: dict[int, Any]
    ) -> None:
        self.connection = connection
        self._driver = driver
        self._tables, self._lineages = tables, lineages
        self.left_open = False
        self._rests = Rests()

    async def hop(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run ``work`` in the connection's thread, from begin to end even if the waiter leaves."""
        driver = self._driver
        job = self._counted(asyncio.get_running_loop(), lambda: work(driver._conn))  # noqa: SLF001
        try:
            # aiosqlite has no public call for "run this function on the connection's thread"
            result: T = await driver._execute(job)  # noqa: SLF001
        except ValueError as error:
            if driver._connection is None:  # noqa: SLF001 - aiosqlite's word for closed
                self._rests.end()  # it may never have come to the thread
                raise ClosedError("the database is closed") from error
            raise
        return result

    def post(
        self, begin: str, work: Callable[[Executor], object], completion: "Completion"
    ) -> None:
        """Run ``work`` as in `unit` and tell ``completion``, without a task in between."""
        driver = self._driver
        if driver._connection is None:  # noqa: SLF001 - aiosqlite's word for closed
            raise ClosedError("the database is closed")
        rests = self._rests
        rests.begin(completion.get_loop())

        def job() -> None:
            try:
                self._run(driver._conn, begin, work)  # noqa: SLF001
            finally:
                rests.end()

        # what aiosqlite does for each of its own calls, and SQLAlchemy's dialect as well
        driver._tx.put_nowait((completion, job))  # noqa: SLF001

    def _counted(self, loop: asyncio.AbstractEventLoop, work: Callable[[], T]) -> Callable[[], T]:
        """Let the loop rest, where it has to, until ``work`` has been done in the thread."""
        rests = self._rests
        rests.begin(loop)

        def job() -> T:
            try:
                return work()
            finally:
                rests.end()

        return job

    async def read(self, work: Callable[[Executor], T]) -> T:
        """Run reads in the transaction that is open; see `Reading.read`."""
        return await self.hop(lambda connection: self._read(connection, work))

    async def unit(self, begin: str, work: Callable[[Executor], T]) -> T:
        """Run ``work`` between ``begin`` and COMMIT; whatever it raises rolls back."""
        return await self.hop(lambda connection: self._run(connection, begin, work))

    def _run(self, connection: sqlite3.Connection, begin: str, work: Callable[[Executor], T]) -> T:
        try:
            self._begin(connection, begin)
            # what a transaction that writes has read may be rolled back, and its ids used again
            lasting = begin == "BEGIN"
            result = work(SqliteExecutor(connection, self._tables, self._lineages, lasting=lasting))
            _commit(connection)
        except BaseException as error:
            self.roll_back(connection)
            if isinstance(error, sqlite3.Error):
                raise translated(error) from error
            raise
        return result

    @asynccontextmanager
    async def reading(self) -> AsyncIterator["HeldSqlite"]:
        """Keep a read transaction open for the block; see `Reading`."""
        try:
            await self.hop(lambda connection: self._begin(connection, "BEGIN"))
            yield self
        finally:  # after every read of it, whether or not somebody waited
            await to_its_end(self.hop(self.roll_back))

    def _begin(self, connection: sqlite3.Connection, how: str) -> None:
        if self.left_open:
            self.roll_back(connection)
        try:
            connection.execute(how)
        except sqlite3.Error as error:
            raise translated(error) from error

    def roll_back(self, connection: sqlite3.Connection) -> None:
        """End what is open; the error that led here is what the caller is to hear."""
        with suppress(sqlite3.OperationalError):
            if connection.in_transaction:
                connection.execute("ROLLBACK")
        self.left_open = connection.in_transaction  # that was interrupted, too

    def _read(self, connection: sqlite3.Connection, work: Callable[[Executor], T]) -> T:
        try:
            return work(SqliteExecutor(connection, self._tables, self._lineages, lasting=True))
        except sqlite3.Error as error:
            raise translated(error) from error


class Completion:
    """The future that aiosqlite's thread fills, reduced to one call: it saves a loop turn."""

    __slots__ = ("_done", "_loop")

    def __init__(self, loop: asyncio.AbstractEventLoop, done: Done) -> None:
        self._loop, self._done = loop, done

    def get_loop(self) -> asyncio.AbstractEventLoop:
        """Return where the thread schedules the answer."""
        return self._loop

    def done(self) -> bool:
        """Say that somebody still waits."""
        return False

    def set_result(self, _result: object) -> None:
        """Hear that the work is committed."""
        self._done(None)

    def set_exception(self, error: BaseException) -> None:
        """Hear that the work failed and was rolled back."""
        self._done(error)


# An interrupt (`sqlite3.Connection.interrupt`, a progress handler) may be reported by a statement
# that has done its work: then BEGIN leaves a transaction open, and COMMIT has committed.


def _commit(connection: sqlite3.Connection) -> None:
    try:
        connection.execute("COMMIT")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_INTERRUPT or connection.in_transaction:
            raise

"""SQLite: a whole unit of work in one hop to the thread of a held aiosqlite connection."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from ramax.errors import ClosedError, RamaxError, StorageError
from ramax.storage.backend import Done
from ramax.storage.cancellation import to_its_end
from ramax.storage.engine import BUSY_TIMEOUT_SECONDS, Synchronous, prepare_sqlite, switch_to_wal
from ramax.storage.executors import Executor
from ramax.storage.faults import translated
from ramax.storage.held_sqlite import Completion, HeldSqlite
from ramax.storage.own_writes import OwnWrites
from ramax.storage.places import Places
from ramax.storage.tables import Tables

T = TypeVar("T")


class SqliteBackend:
    """One file, or one database in memory."""

    one_writer = True
    local_reads = True
    batches = 1
    listener = None

    def __init__(
        self,
        engine: AsyncEngine,
        tables: Tables,
        *,
        memory: bool,
        read_only: bool,
        synchronous: Synchronous,
        owned: bool,
        patience: float = BUSY_TIMEOUT_SECONDS,
    ) -> None:
        self.tables = tables
        self.lineages: dict[int, Any] = {}
        self._patience = patience
        self.one_connection = memory
        self._engine, self._owned = engine, owned
        self._read_only, self._synchronous = read_only, synchronous
        self._writer: HeldSqlite | None = None
        self._reader: HeldSqlite | None = None
        self._opening = asyncio.Lock()
        self.places = Places(self._hold, lambda held: held.connection.close(), patience)
        sa.event.listen(engine.sync_engine, "handle_error", _survive_cancellation)
        self.own_writes = OwnWrites(engine) if owned and not read_only else None

    async def _hold(self) -> HeldSqlite:
        try:
            connection = await self._engine.connect()
            raw = await connection.get_raw_connection()
            driver: Any = raw.driver_connection
            if not self.one_connection:
                await connection.run_sync(lambda c: c.detach())
            if not self._owned:  # a handed-in engine does not set up its connections for us
                await driver._execute(  # noqa: SLF001 - see HeldSqlite.hop
                    lambda: prepare_sqlite(driver._conn, self._synchronous)  # noqa: SLF001
                )
            await driver.execute(f"PRAGMA busy_timeout = {int(self._patience * 1000)}")
        except (sa.exc.SQLAlchemyError, sqlite3.Error) as error:
            raise translated(error) from error
        return HeldSqlite(connection, driver, self.tables, self.lineages)

    async def open(self) -> None:
        """Take the connections; a database that cannot be opened fails here."""
        async with self._opening:
            if self._reader is None:
                self._reader = await self._hold()
            if self._writer is None:
                shared = self._read_only or self.one_connection
                self._writer = self._reader if shared else await self._hold()
                if not shared:
                    await self._writer.hop(switch_to_wal)

    def post(self, work: Callable[[Executor], object], done: Done) -> None:
        """See `Backend.post`: BEGIN IMMEDIATE, so every read in it is of the newest state."""
        loop = asyncio.get_running_loop()
        try:
            self._check_writable()
            self._open(self._writer).post("BEGIN IMMEDIATE", work, Completion(loop, done))
        except RamaxError as error:
            loop.call_soon(done, error)

    def widen(self) -> None:
        """See `Backend.widen`: there is one writer."""

    async def read(self, work: Callable[[Executor], T]) -> T:
        """See `Backend.read`: one snapshot for all reads of ``work``."""
        return await self._open(self._reader).unit("BEGIN", work)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[HeldSqlite]:
        """See `Backend.reading`: a read transaction, from which WAL hides what others write."""
        if self.one_connection:
            async with self._open(self._writer).reading() as held:
                yield held
        else:
            async with self.places.take() as held, held.reading():
                yield held

    async def locked(self, work: Callable[[Executor], T]) -> T:
        """See `Backend.locked`: BEGIN IMMEDIATE on the writer's connection."""
        self._check_writable()
        return await self._open(self._writer).unit("BEGIN IMMEDIATE", work)

    def _check_writable(self) -> None:
        if self._read_only:
            raise StorageError("the database was opened read-only; nothing was written")

    async def connection(self) -> AsyncConnection:
        """See `Backend.connection`: the writer's, so the caller must have its turn."""
        self._check_writable()
        held = self._open(self._writer)
        if held.left_open:
            await held.hop(held.roll_back)
        return held.connection

    async def release(self, connection: AsyncConnection) -> None:
        """See `Backend.release`: it stays the writer's; only a transaction left open is ended."""
        await to_its_end(self._give_back(connection))

    async def _give_back(self, connection: AsyncConnection) -> None:
        with suppress(sa.exc.DBAPIError):
            await connection.rollback()  # also of what is not active because its COMMIT failed
        # interrupted, that ended nothing; and a statement whose caller was cancelled is still on
        # its way, and may be a BEGIN
        held = self._open(self._writer)
        await held.hop(held.roll_back)

    @staticmethod
    def _open(held: HeldSqlite | None) -> HeldSqlite:
        if held is None:
            raise ClosedError("the database is closed")
        return held

    async def close(self) -> None:
        """See `Backend.close`."""
        await self.places.close()
        held = {id(h): h for h in (self._writer, self._reader) if h is not None}
        self._writer = self._reader = None
        for each in held.values():
            await each.connection.close()


def _survive_cancellation(context: sa.engine.ExceptionContext) -> None:
    """Keep a connection whose caller was cancelled: its statement ends in the thread, in order.

    SQLAlchemy would give it up, and with the only one of a database in memory all that is in it.
    """
    if isinstance(context.original_exception, asyncio.CancelledError):
        context.is_disconnect = False

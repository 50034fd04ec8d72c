"""PostgreSQL: held asyncpg connections in autocommit for the writer and a few readers."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.util import greenlet_spawn

from ramax.errors import ClosedError, StorageError
from ramax.storage.backend import Done
from ramax.storage.cancellation import to_its_end
from ramax.storage.executors import CoreExecutor, Executor
from ramax.storage.faults import ConnectionLostError, at_commit, translated
from ramax.storage.held_postgres import HeldPostgres
from ramax.storage.notifications import Heard, Listener
from ramax.storage.places import Places
from ramax.storage.tables import Tables
from ramax.storage.writers_postgres import WritersPostgres

T = TypeVar("T")

RECONNECT_DELAYS = (0.0, 0.02, 0.1, 0.5)
"""Seconds before a read is made again after its connection broke; then once more, the last."""

_ONE_STATE = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"

READERS = 3
"""Held connections for reads; each answers one request at a time, and waiting ones coalesce."""


class PostgresBackend:
    """One PostgreSQL database."""

    own_writes = None
    one_writer = False
    one_connection = False
    local_reads = False

    def __init__(
        self, engine: AsyncEngine, tables: Tables, *, read_only: bool, patience: float
    ) -> None:
        self.tables = tables
        self.lineages: dict[int, Any] = {}
        self._engine, self._read_only = engine, read_only
        # held connections come past the pool: one that was handed in may be small, and busy
        self._pool = engine.sync_engine.pool.recreate()
        self._free: asyncio.LifoQueue[HeldPostgres | None] = asyncio.LifoQueue()
        self._readers: set[HeldPostgres] = set()
        self._reading = 0
        self._quiet = asyncio.Event()
        self._quiet.set()
        self._closed = False
        self.places = Places(self._hold, self._drop, patience)
        self._writers = WritersPostgres(self._hold_for_writing, self._drop)
        for _ in range(READERS):
            self._free.put_nowait(None)
        sa.event.listen(engine.sync_engine, "checkout", _refuse_closed)

    async def _hold(self) -> HeldPostgres:
        """Connect, to the end: half open, nobody could close it."""
        opening = asyncio.ensure_future(self._connect())
        try:
            return await to_its_end(opening)
        except asyncio.CancelledError:
            if not opening.cancelled() and opening.exception() is None:
                await self._drop(opening.result(), broken=True)
            raise

    async def _connect(self) -> HeldPostgres:
        held = None
        try:
            held = HeldPostgres(
                await greenlet_spawn(self._pool.connect), self.tables, self.lineages
            )
            await held.prepare()
        except Exception as error:  # the driver's, or the adapter's
            await self._drop(held, broken=True)
            raise translated(error) from error
        return held

    async def open(self) -> None:
        """Connect once; a server that cannot be reached fails here."""
        held = await self._hold()
        self._readers.add(held)
        await self._free.get()
        self._free.put_nowait(held)

    def post(self, work: Callable[[Executor], object], done: Done) -> None:
        """See `Backend.post`: autocommit, each statement is a transaction."""
        self._writers.post(work, done)

    @property
    def batches(self) -> int:
        """See `Backend.batches`."""
        return self._writers.places

    def widen(self) -> None:
        """See `Backend.widen`."""
        self._writers.widen()

    async def _hold_for_writing(self) -> HeldPostgres:
        self._check(writing=True)
        return await self._hold()

    async def read(self, work: Callable[[Executor], T]) -> T:
        """See `Backend.read`; over a broken connection it is made again on another one."""
        self._check()
        self._reading += 1
        self._quiet.clear()
        try:
            return await self._read(work)
        finally:
            self._reading -= 1
            if not self._reading:
                self._quiet.set()

    async def _read(self, work: Callable[[Executor], T]) -> T:
        held = await self._free.get()
        try:
            for delay in RECONNECT_DELAYS:
                try:
                    if held is None or held.lost:
                        held = await self._replaced(held)
                    return await held.run(work)
                except ConnectionLostError:
                    await self._drop(held, broken=True)
                    held = None
                    await asyncio.sleep(delay)
                except asyncio.CancelledError:
                    # the protocol may be in the middle of an answer: not for reuse
                    await self._drop(held, broken=True)
                    held = None
                    raise
            if held is None or held.lost:
                held = await self._replaced(held)
            return await held.read(work)
        finally:
            self._free.put_nowait(held)

    async def _replaced(self, held: HeldPostgres | None) -> HeldPostgres:
        await self._drop(held)
        new = await self._hold()
        self._readers.add(new)
        return new

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[HeldPostgres]:
        """See `Backend.reading`: REPEATABLE READ, which keeps the snapshot of its first read."""
        self._check()
        async with AsyncExitStack() as stack:
            held = await self._begun(stack)
            try:
                yield held
            finally:
                await _end(held)

    async def _begun(self, stack: AsyncExitStack) -> HeldPostgres:
        """Begin, again where a connection turns out to have broken while nobody used it."""
        for delay in RECONNECT_DELAYS:
            try:
                return await self._begin(stack)
            except ConnectionLostError:
                await asyncio.sleep(delay)
        return await self._begin(stack)

    async def _begin(self, stack: AsyncExitStack) -> HeldPostgres:
        async with AsyncExitStack() as place:
            held = await place.enter_async_context(self.places.take())
            try:
                await held.control(_ONE_STATE)
            except BaseException:
                held.abandon()  # whether it has begun, nobody knows
                raise
            stack.push_async_exit(place.pop_all())
            return held

    async def locked(self, work: Callable[[Executor], T]) -> T:
        """See `Backend.locked`: a transaction on a connection of the pool."""
        self._check(writing=True)
        try:
            async with self._engine.connect() as connection:
                await connection.begin()
                result = await connection.run_sync(
                    lambda c: work(CoreExecutor(c, self.tables, self.lineages))
                )
                await _commit(connection)
        except (sa.exc.SQLAlchemyError, OSError) as error:
            raise translated(error) from error
        return result

    def listener(self, heard: Heard) -> Listener:
        """See `Backend.listener`."""
        return Listener(self._engine, self.tables, heard)

    async def connection(self) -> AsyncConnection:
        """See `Backend.connection`: one of the pool's."""
        self._check(writing=True)
        try:
            return await self._engine.connect()
        except (sa.exc.SQLAlchemyError, OSError) as error:
            raise translated(error) from error

    async def release(self, connection: AsyncConnection) -> None:
        """See `Backend.release`: back to the pool; what is open is rolled back."""
        await connection.close()

    def _check(self, *, writing: bool = False) -> None:
        if self._closed:
            raise ClosedError("the database is closed")
        if writing and self._read_only:
            raise StorageError("the database was opened read-only; nothing was written")

    async def _drop(self, held: HeldPostgres | None, *, broken: bool = False) -> None:
        if held is not None:
            self._readers.discard(held)
            try:
                await held.close(broken=broken)
            except (sa.exc.SQLAlchemyError, OSError, TimeoutError):
                return  # it was broken already; nothing is lost with it

    async def close(self) -> None:
        """See `Backend.close`."""
        self._closed = True
        await self.places.close()
        await self._quiet.wait()  # the driver would end a running query instead
        await self._writers.close()
        for held in list(self._readers):
            await self._drop(held)


async def _end(held: HeldPostgres) -> None:
    """Let the reading go; nothing is lost with it, so a failure costs only the connection."""
    try:
        await to_its_end(held.control("ROLLBACK"))
    except StorageError:
        held.abandon()
    except asyncio.CancelledError:
        held.abandon()  # whether it has ended, nobody has heard
        raise


async def _commit(connection: AsyncConnection) -> None:
    try:
        await connection.commit()
    except (sa.exc.SQLAlchemyError, OSError) as error:
        raise at_commit(error) from error


def _refuse_closed(connection: Any, *_: object) -> None:
    """Let the pool replace a connection that the server has ended while nobody used it."""
    if connection.driver_connection.is_closed():
        raise sa.exc.DisconnectionError

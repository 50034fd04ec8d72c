"""An asyncpg connection taken out of its pool for good, and how synchronous work runs over it."""

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

from sqlalchemy import PoolProxiedConnection
from sqlalchemy.util import greenlet_spawn

from ramax.storage.backend import Done
from ramax.storage.driving import Drive
from ramax.storage.executors import AsyncpgExecutor, Executor
from ramax.storage.faults import ConnectionLostError, translated
from ramax.storage.planning import set_session
from ramax.storage.tables import Tables

T = TypeVar("T")


class HeldPostgres:
    """A connection taken out of the pool for good."""

    def __init__(
        self, borrowed: PoolProxiedConnection, tables: Tables, lineages: dict[int, Any]
    ) -> None:
        self._detached = borrowed
        self._driver: Any = borrowed.driver_connection
        borrowed.detach()
        self._executor = AsyncpgExecutor(self._driver, tables, lineages)

    @property
    def lost(self) -> bool:
        """The server or the network ended it."""
        return bool(self._driver.is_closed())

    async def prepare(self) -> None:
        """Set the session up."""
        await self._driver.execute(set_session())

    async def run(self, work: Callable[[Executor], T]) -> T:
        """Run synchronous code that waits for the database in a greenlet."""
        return await greenlet_spawn(work, self._executor)

    def drive(self, work: Callable[[Executor], object], done: Done) -> None:
        """Begin it at once, in no task."""
        Drive(work, self._executor, done)

    async def read(self, work: Callable[[Executor], T]) -> T:
        """Run reads in the transaction that is open; see `Reading.read`."""
        try:
            return await self.run(work)
        except (ConnectionLostError, asyncio.CancelledError):
            self.abandon()  # it may be in the middle of an answer
            raise

    def abandon(self) -> None:
        """End it without a word to the server; it is lost from here on."""
        self._driver.terminate()

    async def control(self, text: str) -> None:
        """Begin or end a transaction."""
        try:
            await self._driver.execute(text)
        except Exception as error:
            raise translated(error) from error

    async def close(self, *, broken: bool = False) -> None:
        """Close it; without a word to the server where it is ``broken``."""
        if broken:
            self._driver.terminate()
        elif not self.lost:
            await self._driver.close(timeout=5)
        await greenlet_spawn(self._detached.close)

"""Who writes by himself, beside the commands: in turn where there is one writer, else at once."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

from ramax.errors import StorageBusyError
from ramax.runtime.queue import Limits
from ramax.runtime.turn import Turn
from ramax.runtime.writer import Writer
from ramax.storage.backend import Backend
from ramax.storage.cancellation import to_its_end
from ramax.storage.executors import Executor
from ramax.storage.faults import ConnectionLostError
from ramax.storage.planning import limit_waiting

T = TypeVar("T")


class Turns:
    """Gives a block, or a function, a transaction of its own."""

    def __init__(self, backend: Backend, writer: Writer, limits: Limits) -> None:
        self._backend, self._writer, self._limits = backend, writer, limits

    @asynccontextmanager
    async def take(self, holder: str) -> AsyncIterator[None]:
        """Wait for the writing connection, where there is but one, and keep it for the block.

        Raises:
            ClosedError: The database is closed.
            StorageBusyError: Somebody else kept it longer than the lock timeout.
        """
        writer, slow = self._writer, self._limits.slow_turn
        writer.check_open()
        turn = Turn(holder, asyncio.get_running_loop().create_future())
        if not self._backend.one_writer:
            with writer.beside():
                turn.watch(slow, "its spaces")
                try:
                    yield
                finally:
                    turn.end()
            return
        writer.queue_turn(turn)
        try:
            try:
                async with asyncio.timeout(self._limits.lock_timeout):
                    await turn.granted
            except TimeoutError:
                raise writer.held_too_long(holder) from None
            turn.watch(slow, "the writer from every other write")
            yield
        finally:
            if turn.granted.done() and not turn.granted.cancelled():
                writer.end_turn(turn)

    async def locked(self, holder: str, work: Callable[[Executor], T]) -> T:
        """Run work in a transaction of its own, taking turns where there is one writer.

        Raises:
            ClosedError: The database is closed.
            StorageBusyError: Somebody kept the writer, or a lock, longer than the lock timeout.
        """
        if not self._backend.one_writer:
            self._writer.check_open()
            with self._writer.beside():
                return await self._retrying(work)
        async with self.take(holder):
            return await to_its_end(self._retrying(work))

    async def read(self, work: Callable[[Executor], T]) -> T:
        """Run reads that need the only connection there is (in memory)."""
        async with self.take("a read"):
            return await to_its_end(self._backend.read(work))

    async def _retrying(self, work: Callable[[Executor], T]) -> T:
        patience = self._limits.lock_timeout
        deadline = time.monotonic() + patience

        def bounded(ex: Executor) -> T:
            limit_waiting(ex, patience)
            return work(ex)

        while True:
            try:
                return await self._backend.locked(bounded)
            except (StorageBusyError, ConnectionLostError):  # nothing was written
                if time.monotonic() > deadline:
                    raise
                await asyncio.sleep(random.uniform(0.001, 0.02))  # noqa: S311 - jitter

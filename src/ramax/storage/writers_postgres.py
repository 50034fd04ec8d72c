"""The connections over which batches are written on PostgreSQL, opened when they are needed."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any

from ramax.storage.backend import Done
from ramax.storage.executors import Executor
from ramax.storage.faults import ConnectionLostError
from ramax.storage.held_postgres import HeldPostgres

MOST = 2
"""So many batches may be on their way at once: a third costs more than it gains (ADR-0089)."""

PATIENCE = 10.0
"""How long to go on without another connection after there was none to be had, in s."""

_CANCELLED = "the batch was cancelled while it was being written"

logger = logging.getLogger("ramax.writer")

Work = Callable[[Executor], object]


class WritersPostgres:
    """One connection, and another one once two batches could be on their way at once.

    The one that was used last is used next, so a lone caller has always the same one. Nobody waits
    for the second one to open, and without it, where the server has no more, all goes on over one.
    """

    def __init__(
        self,
        hold: Callable[[], Coroutine[Any, Any, HeldPostgres]],
        drop: Callable[..., Awaitable[None]],
    ) -> None:
        self._hold, self._drop = hold, drop
        self.idle: list[HeldPostgres] = []
        self.places = 1
        """How many works may be on their way at once."""

        self._tasks: set[asyncio.Task[Any]] = set()
        self._widening: asyncio.Task[HeldPostgres] | None = None
        self._widen_after = 0.0

    def post(self, work: Work, done: Done) -> None:
        """Begin a batch at once where a connection is there, else as soon as there is one."""
        held = self.idle.pop() if self.idle else None
        if held is None or held.lost:
            task = self._begin(self._replace(held))
            task.add_done_callback(partial(self._connected, work, done))
        else:
            held.drive(work, partial(self._ended, held, done))

    def _begin(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task = asyncio.create_task(work, name="ramax connection")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _replace(self, lost: HeldPostgres | None) -> HeldPostgres:
        await self._drop(lost)
        return await self._hold()

    def _connected(self, work: Work, done: Done, task: asyncio.Task[HeldPostgres]) -> None:
        error = _failure(task)
        if error is not None:
            done(error)
        else:
            held = task.result()
            held.drive(work, partial(self._ended, held, done))

    def _ended(self, held: HeldPostgres, done: Done, error: BaseException | None) -> None:
        if isinstance(error, asyncio.CancelledError):  # somebody cancels every task there is
            error = ConnectionLostError(_CANCELLED)
        if isinstance(error, ConnectionLostError):
            # the driver may not have noticed yet, or is in the middle of an answer
            self._begin(self._drop_broken(held)).add_done_callback(lambda _: done(error))
        else:
            self.idle.append(held)
            done(error)

    async def _drop_broken(self, held: HeldPostgres) -> None:
        await self._drop(held, broken=True)

    def widen(self) -> None:
        """Open another connection beside what goes on, unless there are enough."""
        if self.places < MOST and self._widening is None and time.monotonic() >= self._widen_after:
            self._widening = self._begin(self._hold())
            self._widening.add_done_callback(self._widened)

    def _widened(self, task: asyncio.Task[HeldPostgres]) -> None:
        self._widening = None
        error = _failure(task)
        if error is None:
            self.places += 1
            self.idle.insert(0, task.result())
        else:
            self._widen_after = time.monotonic() + PATIENCE
            logger.info("went on writing over one connection: %s", error)

    async def close(self) -> None:
        """Close them; no batch may be on its way."""
        if self._widening is not None:
            await asyncio.wait([self._widening])
        while self.idle:
            await self._drop(self.idle.pop())


def _failure(task: asyncio.Task[Any]) -> BaseException | None:
    if task.cancelled():  # somebody cancels every task there is, our own included
        return ConnectionLostError(_CANCELLED)
    return task.exception()

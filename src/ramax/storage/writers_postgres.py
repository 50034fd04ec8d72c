"""The connections over which batches are written on PostgreSQL, opened when they are needed."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any

from ramax.storage.backend import Done
from ramax.storage.executors import Executor
from ramax.storage.faults import ConnectionLostError
from ramax.storage.held_postgres import HeldPostgres

_CANCELLED = "the batch was cancelled while it was being written"

Work = Callable[[Executor], object]


class WritersPostgres:
    """As many connections as there were batches on their way at once.

    The one that was used last is used next, so a lone caller has always the same one.
    """

    def __init__(
        self,
        hold: Callable[[], Coroutine[Any, Any, HeldPostgres]],
        drop: Callable[..., Awaitable[None]],
    ) -> None:
        self._hold, self._drop = hold, drop
        self.idle: list[HeldPostgres] = []
        self._tasks: set[asyncio.Task[Any]] = set()

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

    async def close(self) -> None:
        """Close them; no batch may be on its way."""
        while self.idle:
            await self._drop(self.idle.pop())


def _failure(task: asyncio.Task[Any]) -> BaseException | None:
    if task.cancelled():  # somebody cancels every task there is, our own included
        return ConnectionLostError(_CANCELLED)
    return task.exception()

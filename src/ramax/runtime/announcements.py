"""Telling other processes that spaces have moved: after the commits, several at once, as a hint."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from ramax.errors import StorageError
from ramax.storage.executors import Executor
from ramax.storage.notifications import notify
from ramax.storage.subscriptions import any_owned

logger = logging.getLogger("ramax.announcements")

Read = Callable[[Callable[[Executor], Any]], Awaitable[Any]]

GATHER = 0.01
"""Seconds for which commits are gathered before they are told, as one notification."""

LOOK_AGAIN = 5.0
"""Seconds for which it is remembered whether anybody subscribes; nobody costs one look in these."""


class Announcements:
    """Sends what `committed` was told, where anybody at all subscribes; PostgreSQL only."""

    def __init__(self, read: Read, clock: Callable[[], int]) -> None:
        self._read, self._clock = read, clock
        self._spaces: set[int] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        self._wanted = False
        self._look_at: float | None = None

    def committed(self, space_ids: Sequence[int]) -> None:
        """Take note that these spaces have moved; called with every commit, so it is brief."""
        self._spaces.update(space_ids)
        if self._timer is None and self._task is None:
            self._arm()

    def _arm(self) -> None:
        now = time.monotonic()
        if self._look_at is None:
            self._look_at = now + GATHER if self._wanted else now + 1.0
        delay = GATHER if self._wanted else max(GATHER, self._look_at - now)
        self._timer = asyncio.get_running_loop().call_later(delay, self._begin)

    def _begin(self) -> None:
        self._timer = None
        self._task = asyncio.create_task(self._send(), name="ramax announcements")
        self._task.add_done_callback(self._sent)

    async def _send(self) -> None:
        spaces, self._spaces = self._spaces, set()
        try:
            if self._look_at is None or time.monotonic() >= self._look_at:
                self._wanted = await self._read(lambda ex: any_owned(ex, self._clock()))
                self._look_at = time.monotonic() + LOOK_AGAIN
            if self._wanted:
                await self._read(lambda ex: notify(ex, sorted(spaces)))
        except StorageError as error:  # it was a hint; whoever waits for it polls
            logger.warning("could not tell other processes of new events: %s", error)
        except Exception:  # or nobody would hear of it
            logger.exception("could not tell other processes of new events")

    def _sent(self, _task: asyncio.Task[None]) -> None:
        self._task = None
        if self._spaces:
            self._arm()

    async def close(self) -> None:
        """Send nothing more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._spaces.clear()
        if self._task is not None:
            await asyncio.wait([self._task])

"""Who waits for a space to move, and what wakes him: a commit here, a hint from elsewhere, a poll.

Nobody relies on being woken: a waiter reads the log again, and the poll finds whatever the others
missed. One task polls for all waiters of a database, with one statement.
"""

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from ramax.errors import RamaxError, StorageError
from ramax.runtime.feed_watch import FeedWatch
from ramax.storage.cancellation import to_its_end
from ramax.storage.cursors import over_all
from ramax.storage.executors import Executor
from ramax.storage.heads import read_heads
from ramax.storage.notifications import Listener

T = TypeVar("T")
Read = Callable[[Callable[[Executor], Any]], Awaitable[Any]]
logger = logging.getLogger("ramax.wakeups")

_RETRY_LISTENING = 30.0
"""Seconds after which LISTEN is tried again where it failed."""


_SELDOM = 30.0
"""Seconds between looks at most, where they keep failing."""


class Bell:
    """Rings for one waiter when his space, or any space, may have moved."""

    def __init__(self, space_id: int, poll_interval: float) -> None:
        self.space_id, self.poll_interval = space_id, poll_interval
        self._rung = asyncio.Event()

    def ring(self) -> None:
        """Wake the waiter, or let his next wait end at once."""
        self._rung.set()

    def clear(self) -> None:
        """Forget what rang; whoever reads the log afterwards sees what it was about."""
        self._rung.clear()

    async def wait(self, seconds: float | None = None) -> None:
        """Wait until it rings, at most so long."""
        try:
            async with asyncio.timeout(seconds):
                await self._rung.wait()
        except TimeoutError:
            return


class Wakeups:
    """The bells of one database, and what rings them."""

    def __init__(
        self, read: Read, listener: Callable[[Any], Listener] | None, feed_watch: FeedWatch
    ) -> None:
        self._read, self._feed_watch = read, feed_watch
        self._listener = None if listener is None else listener(self.heard)
        self._bells: dict[int, set[Bell]] = {}
        self._seen: dict[int, int] = {}
        self._task: asyncio.Task[None] | None = None
        self._listen_again = 0.0

    def committed(self, space_ids: Sequence[int]) -> None:
        """Ring for spaces in which this process has committed events."""
        if self._bells:
            self.heard(space_ids)

    def heard(self, space_ids: Sequence[int] | None) -> None:
        """Ring for spaces that are said to have moved; None is any of them."""
        for space_id in list(self._bells):
            if space_ids is None or space_id in space_ids or over_all(space_id):
                self.ring(space_id)

    def bell(self, space_id: int, poll_interval: float) -> Bell:
        """Hang up a bell; give it to `dismiss` in the end."""
        bell = Bell(space_id, poll_interval)
        self._bells.setdefault(space_id, set()).add(bell)
        if self._task is None:
            self._task = asyncio.create_task(self._poll(), name="ramax wake-ups")
        return bell

    async def dismiss(self, bell: Bell) -> None:
        """Take a bell down; with the last one the polling ends."""
        bells = self._bells.get(bell.space_id, set())
        bells.discard(bell)
        if not bells:
            self._bells.pop(bell.space_id, None)
            self._seen.pop(bell.space_id, None)
        if not self._bells:
            await to_its_end(self._stop())  # half way, the listening connection would be left open

    async def _poll(self) -> None:
        failures = 0
        while True:
            interval = min((b.poll_interval for s in self._bells.values() for b in s), default=1.0)
            pause = max(interval, min(interval * 2 ** min(failures, 10), _SELDOM))
            listening = await self._goes_well(to_its_end(self._listen()))
            await asyncio.sleep(pause * random.uniform(0.8, 1.0))  # noqa: S311 - jitter
            looking = await self._goes_well(self._look())
            failures = 0 if listening and looking else failures + 1

    async def _goes_well(self, step: Awaitable[None]) -> bool:
        """Take a step of the polling, which no failure of it ends; False if it failed.

        What the database did not do is tried again as soon as ever. All else is nobody's plan: the
        waiters are woken, who read for themselves and tell their callers what they find.
        """
        try:
            await step
        except StorageError as error:
            logger.warning("looking for new events failed: %s", error)
        except Exception:
            logger.exception("looking for new events failed, which is tried again")
            self.heard(None)
            return False
        return True

    async def _look(self) -> None:
        found = await self._read(self._positions)
        for space_id in list(self._bells):
            if found.get(space_id) != self._seen.get(space_id):
                self._seen[space_id] = found.get(space_id, -1)
                self.ring(space_id)

    def ring(self, space_id: int) -> None:
        """Ring for one space."""
        for bell in self._bells.get(space_id, ()):
            bell.ring()

    def _positions(self, ex: Executor) -> dict[int, int]:
        spaces = [space_id for space_id in list(self._bells) if not over_all(space_id)]
        found = read_heads(ex, spaces) if spaces else {}
        if feeds := [space_id for space_id in list(self._bells) if over_all(space_id)]:
            found |= dict.fromkeys(feeds, self._feed_watch.look(ex))
        return found

    async def _listen(self) -> None:
        listener = self._listener
        if listener is None or listener.open or time.monotonic() < self._listen_again:
            return
        try:
            await listener.listen()
        except RamaxError as error:
            self._listen_again = time.monotonic() + _RETRY_LISTENING
            logger.warning("no notifications from the server, polling goes on: %s", error)
        else:
            self.heard(None)  # what was said before nobody listened

    async def _stop(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])
        if self._listener is not None and self._task is None:
            await self._listener.close()

    async def close(self) -> None:
        """Wake everybody for the last time, and end the polling."""
        self.heard(None)
        await self._stop()

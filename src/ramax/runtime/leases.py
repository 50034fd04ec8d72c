"""Who reads a subscription now: a lease for a while, prolonged as long as this process lives.

A lease keeps several processes from doing the same work. It does not have to be safe: whoever reads
on after it ended fails at the checkpoint, which moves by compare-and-set.
"""

import asyncio
import logging
import os
import secrets
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Any

from ramax.errors import ClosedError, StorageError
from ramax.storage.cancellation import to_its_end
from ramax.storage.executors import Executor
from ramax.storage.subscriptions import Key, free_lease, keep_lease, stands, take

logger = logging.getLogger("ramax.leases")

Run = Callable[[Callable[[Executor], Any]], Awaitable[Any]]
Locked = Callable[[str, Callable[[Executor], Any]], Awaitable[Any]]
_MICROS = 1_000_000

_GIVING_BACK = 5.0
"""Seconds that closing waits to say that a lease is free, where the database does not answer."""


class Leases:
    """The leases of one database in this process; one task prolongs all of them."""

    def __init__(self, read: Run, locked: Locked, clock: Callable[[], int]) -> None:
        self._read, self._locked, self._clock = read, locked, clock
        self.owner = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        self._held: dict[Key, float] = {}
        self._task: asyncio.Task[None] | None = None
        self._another = asyncio.Event()
        self._closed = False

    async def take(self, key: Key, seconds: float) -> bool:
        """Take a lease if it is free; False where another process, or task, has it."""
        if key in self._held:
            return False
        now = self._clock()
        standing = await self._read(lambda ex: stands(ex, key))
        if standing is None or (standing.lease_until > now and standing.owner != self.owner):
            return False
        if key in self._held:
            return False
        self._held[key] = seconds
        until = now + int(seconds * _MICROS)
        taken: bool = False
        try:
            taken = await self._locked(
                f"the lease of subscription {key.name!r}",
                lambda ex: take(ex, key, self.owner, now, until),
            )
        finally:
            if not taken:
                self._held.pop(key, None)
        self._another.set()
        if taken and self._closed:
            await self._free([key])
            raise ClosedError("the database is closed")
        if taken and self._task is None:
            self._task = asyncio.create_task(self._prolong(), name="ramax leases")
        return taken

    def lost(self, key: Key) -> None:
        """Note that somebody else has a lease now."""
        self._held.pop(key, None)

    async def give_back(self, key: Key) -> None:
        """End a lease, so that whoever waits for it need not wait for its end."""
        held = self._held.pop(key, None)
        if not self._held:
            await self._stop()
        if held is not None:
            await self._free([key])

    async def _free(self, keys: list[Key]) -> None:
        rows = [key.params | {"me": self.owner} for key in keys]
        try:
            async with asyncio.timeout(_GIVING_BACK):
                await self._locked(
                    "giving leases back", lambda ex: [ex.run(free_lease, row) for row in rows]
                )
        except (StorageError, ClosedError, TimeoutError) as error:  # they end by themselves
            logger.warning("could not give %d leases back: %r", len(keys), error)

    async def _prolong(self) -> None:
        while True:
            self._another.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(min(self._held.values(), default=1.0) / 3):
                    await self._another.wait()
                    continue  # it may be a shorter one
            if not self._held:  # another one took over what was held here
                continue
            now = self._clock()
            rows = [
                key.params | {"me": self.owner, "until": now + int(seconds * _MICROS)}
                for key, seconds in sorted(self._held.items())  # so that nobody locks crosswise
            ]
            try:
                await to_its_end(self._locked("prolonging leases", partial(_keep, rows)))
            except StorageError as error:  # tried again; who reads on without one does no harm
                logger.warning("could not prolong %d leases: %s", len(rows), error)
            except Exception:  # without it they would all end, one by one, in silence
                logger.exception("could not prolong %d leases", len(rows))

    async def _stop(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    async def close(self) -> None:
        """Give all leases back, and take none any more."""
        self._closed = True
        keys = list(self._held)
        self._held.clear()
        await self._stop()
        if keys:
            await self._free(keys)


def _keep(rows: list[dict[str, Any]], ex: Executor) -> None:
    ex.run_many(keep_lease, rows)

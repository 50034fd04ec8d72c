"""Connections that are kept busy for longer: a bounded number, opened on demand, a few kept."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final, Generic, Protocol, TypeVar

from ramax.errors import ClosedError, StorageBusyError
from ramax.storage.cancellation import to_its_end

MOST: Final = 8
"""Connections that may be taken at the same time; who comes next waits."""

_KEPT = 2


class Held(Protocol):
    """A connection of the backend's own."""

    @property
    def lost(self) -> bool:
        """It broke, and cannot be used again."""
        ...


H = TypeVar("H", bound=Held)


class Places(Generic[H]):
    """Gives out connections beside those of the writer and the readers."""

    def __init__(
        self,
        hold: Callable[[], Awaitable[H]],
        drop: Callable[[H], Awaitable[None]],
        patience: float,
    ) -> None:
        self._hold, self._drop, self._patience = hold, drop, patience
        self._free = asyncio.Semaphore(MOST)
        self.idle: list[H] = []
        self.taken: set[H] = set()
        self._open = 0
        self._quiet = asyncio.Event()
        self._quiet.set()
        self._closed = False

    @asynccontextmanager
    async def take(self) -> AsyncIterator[H]:
        """Have a connection for the block.

        Raises:
            StorageBusyError: All were taken for longer than the lock timeout.
            ClosedError: The database was closed meanwhile.
        """
        self._open += 1
        self._quiet.clear()
        try:
            await self._wait()
            try:
                held = await self._next()
                self.taken.add(held)
                try:
                    yield held
                finally:
                    self.taken.discard(held)
                    await to_its_end(self._take_back(held))
            finally:
                self._free.release()
        finally:
            self._open -= 1
            if not self._open:
                self._quiet.set()

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(self._patience):
                await self._free.acquire()
        except TimeoutError:
            raise StorageBusyError(
                f"{MOST} readers of pstate are open, and none was closed for {self._patience:g} s"
            ) from None
        if self._closed:
            self._free.release()
            raise ClosedError("the database is closed")

    async def _next(self) -> H:
        while self.idle:
            held = self.idle.pop()
            if not held.lost:
                return held
            await self._drop(held)
        opening = asyncio.ensure_future(self._hold())
        try:
            return await to_its_end(opening)  # half open, nobody could close it
        except asyncio.CancelledError:
            if not opening.cancelled() and opening.exception() is None:
                await self._take_back(opening.result())
            raise

    async def _take_back(self, held: H) -> None:
        if held.lost or self._closed or len(self.idle) >= _KEPT:
            await self._drop(held)
        else:
            self.idle.append(held)

    async def close(self) -> None:
        """Give out no more, wait until all have come back, close those that were kept."""
        self._closed = True
        await self._quiet.wait()
        while self.idle:
            await self._drop(self.idle.pop())

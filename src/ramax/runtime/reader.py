"""Reads of keys: all that wait are answered together, from one snapshot."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

from ramax.runtime.cache import StateCache
from ramax.runtime.turns import Turns
from ramax.storage.backend import Backend, Reading
from ramax.storage.executors import Executor
from ramax.storage.reads import Facts, read_facts

T = TypeVar("T")


@dataclass(eq=False, slots=True)
class _Request:
    space_id: int
    keys: Sequence[str]
    future: "asyncio.Future[Facts | None]"


class Reader:
    """Runs reads, and gathers key reads that come while one is on its way."""

    def __init__(self, backend: Backend, turns: Turns, cache: StateCache) -> None:
        self._backend, self._turns, self._cache = backend, turns, cache
        self._waiting: list[_Request] = []
        self._draining: asyncio.Task[None] | None = None

    @property
    def far(self) -> bool:
        """A read is a round trip: there is something else to do meanwhile."""
        return not self._backend.local_reads

    async def run(self, work: Callable[[Executor], T]) -> T:
        """Run any read; in memory it takes its turn with the writes."""
        if self._backend.one_connection:
            return await self._turns.read(work)
        return await self._backend.read(work)

    @asynccontextmanager
    async def reading(self, holder: str) -> AsyncIterator[Reading]:
        """Keep one state of the database; in memory nothing else goes on meanwhile."""
        if self._backend.one_connection:
            async with self._turns.take(holder), self._backend.reading() as reading:
                yield reading
        else:
            async with self._backend.reading() as reading:
                yield reading

    async def facts(self, space_id: int, keys: Sequence[str]) -> Facts | None:
        """Read a guard and keys as of one moment; None if there is no such space."""
        future: asyncio.Future[Facts | None] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Request(space_id, keys, future))
        if self._draining is None:
            self._start()
        return await future

    def _start(self) -> None:
        self._draining = asyncio.create_task(self._drain(), name="ramax reader")
        self._draining.add_done_callback(self._drained)

    async def _drain(self) -> None:
        while self._waiting:
            requests, self._waiting = self._waiting, []
            await self._answer_all(requests)

    def _drained(self, _task: asyncio.Task[None]) -> None:
        self._draining = None
        self._waiting = [request for request in self._waiting if not request.future.done()]
        if self._waiting:  # they came last, or somebody cancelled every task there is
            self._start()

    async def _answer_all(self, requests: Sequence[_Request]) -> None:
        wanted: dict[int, dict[str, None]] = {}
        for request in requests:
            wanted.setdefault(request.space_id, {}).update(dict.fromkeys(request.keys))
        try:
            found = await self.run(lambda ex: read_facts(ex, wanted))
        except BaseException as error:
            for request in requests:
                if not request.future.done():
                    request.future.set_exception(error)
            if not isinstance(error, Exception):
                raise
        else:
            for request in requests:
                self._answer(request, found.get(request.space_id))

    def _answer(self, request: _Request, facts: Facts | None) -> None:
        if request.future.done():
            return
        if facts is None:
            self._cache.forget(request.space_id)
        request.future.set_result(facts)

    async def close(self) -> None:
        """Wait for the reads that are on their way."""
        while self._draining is not None:
            await asyncio.wait([self._draining])

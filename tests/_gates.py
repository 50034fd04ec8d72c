"""Holds the answer of a real read or write back until the test lets it through."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import ramax


class Gate:
    """``reached`` when the database has answered; nobody sees the answer before ``opened``."""

    def __init__(self) -> None:
        self.reached, self.opened = asyncio.Event(), asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    async def through(self, running: Any) -> Any:
        answer = await running
        self.reached.set()
        await self.opened.wait()
        return answer

    def later(self, done: Any, error: Any) -> None:
        async def tell() -> None:
            await self.opened.wait()
            done(error)

        self.reached.set()
        self._tasks.add(asyncio.create_task(tell()))


@asynccontextmanager
async def held_back(database: ramax.Database, call: str) -> AsyncIterator[Gate]:
    """Hold back the next answer of the backend: of a ``read``, or of a ``batch``."""
    backend: Any = database._core.backend
    gate = Gate()
    name = "post" if call == "batch" else call
    real = getattr(backend, name)

    async def once(work: Any) -> Any:
        setattr(backend, name, real)
        return await gate.through(real(work))

    def post_once(work: Any, done: Any) -> None:
        setattr(backend, name, real)
        real(work, lambda error: gate.later(done, error))

    setattr(backend, name, post_once if call == "batch" else once)
    try:
        yield gate
    finally:
        gate.opened.set()
        setattr(backend, name, real)

"""Readers of tests: what a subscription has delivered, within a time that is never needed."""

import asyncio
from contextlib import asynccontextmanager
from typing import Any

import ramax
from ramax.storage import parked
from ramax.storage.parked import FAILED, Parked, Reader

PATIENCE = 50.0
"""Seconds; below the minute between two polls in the tests of who is woken at once."""


async def take(subscription: Any, count: int, *, ack: bool = False) -> list[Any]:
    """Read so many events."""
    found: list[Any] = []
    async with asyncio.timeout(PATIENCE):
        while len(found) < count:
            event = await anext(subscription)
            found.append(event)
            if ack:
                await subscription.ack(event)
    return found


async def sequences(subscription: Any, *, ack: bool = True) -> list[int]:
    """Read to the end of one that does not follow."""
    found = []
    async with asyncio.timeout(PATIENCE), subscription as reader:
        async for event in reader:
            found.append(event.space_sequence)
            if ack:
                await reader.ack(event)
    return found


async def until(condition: Any) -> None:
    """Wait for what another task, or a database, is about to do."""
    async with asyncio.timeout(PATIENCE):
        while True:
            found = condition()
            if asyncio.iscoroutine(found):
                found = await found
            if found:
                return
            await asyncio.sleep(0.005)


@asynccontextmanager
async def no_task_left(expected: int = 0):
    """Fail where the block leaves tasks behind."""
    before = asyncio.all_tasks()
    yield
    await asyncio.sleep(0)
    left = {t for t in asyncio.all_tasks() - before if not t.done()}
    assert len(left) == expected, left


async def park(db: ramax.Database, space_id: int, of: str) -> None:
    """Put an event aside, of a subscription that is called so."""
    aside = Parked(space_id, 2, 0, "k1", FAILED, 1, of, 5)
    reader = Reader(space_id, "subscription")
    await db._core.locked("a test", lambda ex: parked.add(ex, reader, aside))

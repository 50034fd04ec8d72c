"""Interrupts at every step, and callers who leave: the held connection stays usable."""

import asyncio
from functools import partial
from typing import Any, cast

import pytest

import ramax
from ramax.errors import CommitUnknownError, StorageError, TransactionFailedError
from ramax.storage import spaces
from ramax.storage.spaces import list_all


def create(ex, name):
    return spaces.create(ex, name, None, 1)


class Interrupts:
    """Interrupts a connection after so many steps of SQLite's own machine, once or until told."""

    def __init__(self, db, *, lasting):
        self._driver = db._core.backend._writer._driver
        self._lasting = lasting
        self.struck = False

    async def after(self, steps):
        self.struck = False

        def step():
            nonlocal steps
            steps -= 1
            self.struck |= steps == 0
            return steps == 0 or (self._lasting and steps < 0)

        await self._driver.set_progress_handler(step, 1)

    async def never(self):
        await self._driver.set_progress_handler(None, 1)


@pytest.mark.parametrize("lasting", [False, True])
@pytest.mark.parametrize("url", ["sqlite_url", "memory_url"])
async def test_an_interrupt_at_any_step_leaves_all_or_nothing_as_it_was_told(url, lasting, request):
    async with ramax.connect(request.getfixturevalue(url)) as db:
        interrupts, backend, there = Interrupts(db, lasting=lasting), db._core.backend, []
        for steps in range(1, 10_000):
            name = f"s{steps}"
            await interrupts.after(steps)
            try:
                await backend.locked(partial(create, name=name))
                there.append(name)
            except StorageError as error:
                assert "interrupted" in str(error)
            finally:
                await interrupts.never()
            assert [s.space_name for s in await backend.locked(list_all)] == there
            if not interrupts.struck:
                break
        assert not interrupts.struck
        assert len(there) < steps


@pytest.mark.parametrize("lasting", [False, True])
@pytest.mark.parametrize("url", ["sqlite_url", "memory_url"])
async def test_an_interrupt_at_any_step_of_a_transaction_is_not_mistaken(url, lasting, request):
    async with ramax.connect(request.getfixturevalue(url)) as db:
        interrupts, events, unknown = Interrupts(db, lasting=lasting), 0, 0
        await db.spaces.create("acme")
        for steps in range(1, 10_000):
            possible = {events}
            await interrupts.after(steps)
            try:
                async with db.transaction("acme") as tx:
                    await tx.append("e", "t", {})
                possible = {events + 1}
            except CommitUnknownError:
                unknown += 1
                possible = {events, events + 1}
            except (StorageError, TransactionFailedError):
                pass
            finally:
                await interrupts.never()
            events = await db.events.get_space_latest_sequence("acme")
            assert events in possible
            if not interrupts.struck:
                break
        assert not interrupts.struck
        assert unknown > 0


@pytest.mark.parametrize("url", ["sqlite_url", "memory_url"])
async def test_a_begin_that_fails_while_its_caller_leaves_keeps_the_connection(url, request):
    """In memory it is the only one, and all that is stored goes with it."""
    async with ramax.connect(request.getfixturevalue(url)) as db:
        interrupts, writer = Interrupts(db, lasting=False), cast("Any", db._core.backend)._writer
        await db.spaces.create("acme")

        async def transaction():
            async with db.transaction("acme"):
                pass

        for turns in range(40):
            for steps in (1, 2, 3):
                await interrupts.after(steps)
                task = asyncio.create_task(transaction())
                for _ in range(turns):
                    await asyncio.sleep(0)
                task.cancel()
                await asyncio.wait([task])
                await interrupts.never()
                assert not writer.connection.invalidated
                assert await db.spaces.exists("acme")

import asyncio
import sqlite3
import threading
from functools import partial
from typing import Any, cast

import pytest

import ramax
from ramax.errors import (
    ClosedError,
    CommitUnknownError,
    StorageError,
    TransactionFailedError,
)
from ramax.storage import spaces
from ramax.storage.spaces import list_all


def create(ex, name="new"):
    return spaces.create(ex, name, None, 1)


async def test_all_reads_of_one_piece_of_work_see_one_moment(db_on_sqlite):
    other = sqlite3.connect(db_on_sqlite.engine.url.database, check_same_thread=False)

    def work(ex):
        before = list_all(ex)
        other.execute("INSERT INTO spaces (space_name, created_at) VALUES ('late', 1)")
        other.commit()
        return before, list_all(ex)

    assert await db_on_sqlite._core.backend.read(work) == ([], [])
    other.close()
    assert len(await db_on_sqlite._core.backend.read(list_all)) == 1


async def test_a_reader_does_not_wait_for_the_writer_of_a_file(db_on_sqlite):
    other = sqlite3.connect(db_on_sqlite.engine.url.database)
    other.execute("BEGIN IMMEDIATE")
    other.execute("INSERT INTO spaces (space_name, created_at) VALUES ('open', 1)")
    assert await db_on_sqlite._core.backend.read(list_all) == []
    other.close()


async def test_work_goes_on_to_its_end_when_its_waiter_leaves(db_on_sqlite):
    backend = db_on_sqlite._core.backend
    started, leave = threading.Event(), threading.Event()

    def work(ex):
        started.set()
        leave.wait(30)
        return create(ex)

    waiter = asyncio.create_task(backend.locked(work))
    await asyncio.to_thread(started.wait, 30)
    waiter.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiter
    leave.set()
    # the writer's thread takes this after what it is doing
    assert [s.space_name for s in await backend.locked(list_all)] == ["new"]


@pytest.mark.parametrize("url", ["sqlite_url", "memory_url"])
async def test_closing_leaves_no_thread_and_takes_no_more_work(url, request):
    before = set(threading.enumerate())
    async with ramax.connect(request.getfixturevalue(url)) as db:
        await db.spaces.create("s")
        threads = set(threading.enumerate()) - before
        backend = db._core.backend
    assert threads
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()
    for call in (backend.read, backend.locked):
        with pytest.raises(ClosedError):
            await call(list_all)
    told = asyncio.get_running_loop().create_future()
    backend.post(list_all, told.set_result)
    assert isinstance(await told, ClosedError)


async def test_a_database_that_is_only_read_refuses_to_write_before_it_does(sqlite_url):
    async with ramax.connect(sqlite_url) as db:
        await db.spaces.create("s")
    async with ramax.connect(sqlite_url, read_only=True) as db:
        backend = db._core.backend
        for work in (backend.locked(create), backend.connection()):
            with pytest.raises(StorageError, match="read-only"):
                await work
        told = asyncio.get_running_loop().create_future()
        backend.post(create, told.set_result)
        assert "read-only" in str(await told)
        assert len(await backend.read(list_all)) == 1


# -- interrupts ----------------------------------------------------------------------------------


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

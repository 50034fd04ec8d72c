import asyncio
import sqlite3
import threading

import pytest

import ramax
from ramax.errors import (
    ClosedError,
    StorageError,
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


async def test_a_reading_keeps_its_state_while_others_commit(db_on_sqlite):
    backend = db_on_sqlite._core.backend
    async with backend.reading() as reading:
        assert await reading.read(list_all) == []
        await backend.locked(create)
        assert await reading.read(list_all) == []
    async with backend.reading() as reading:
        assert [space.space_name for space in await reading.read(list_all)] == ["new"]
    assert len(backend.places.idle) == 1

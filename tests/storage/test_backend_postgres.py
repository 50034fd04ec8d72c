import asyncio
import gc
from contextlib import suppress

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine

import ramax
from ramax.errors import ClosedError, StorageError
from ramax.storage import spaces
from ramax.storage.faults import ConnectionLostError
from ramax.storage.spaces import list_all
from ramax.storage.sql import Statement
from tests._reading import until

pytestmark = pytest.mark.postgres


@Statement
def pid(_):
    return sa.select(sa.func.pg_backend_pid())


def own_pid(ex):
    return ex.rows(pid, {})[0][0]


def create(ex):
    return spaces.create(ex, "new", None, 1)


async def posted(backend, work):
    told = asyncio.get_running_loop().create_future()
    backend.post(work, told.set_result)
    return await told


@pytest.fixture
async def terminate(postgres_url):
    """End a session from outside, and wait until it has ended."""
    engine = create_async_engine(postgres_url)

    async def end(session):
        async with engine.connect() as connection:
            ended = sa.text("SELECT pg_terminate_backend(:pid, 10000)")
            assert await connection.scalar(ended, {"pid": session})

    yield end
    await engine.dispose()


async def test_a_read_over_a_session_that_ended_is_made_again(db_on_postgres, terminate):
    backend = db_on_postgres._core.backend
    first = await backend.read(own_pid)
    await terminate(first)
    assert await backend.read(own_pid) != first
    assert await backend.read(list_all) == []


async def test_a_write_over_a_session_that_ends_meanwhile_is_not_made_again(
    db_on_postgres, terminate
):
    backend = db_on_postgres._core.backend
    sessions, loop = [], asyncio.get_running_loop()
    reached, go_on = asyncio.Event(), asyncio.Event()

    def work(ex):
        sessions.append(own_pid(ex))
        reached.set()
        sa.util.await_only(go_on.wait())
        create(ex)

    told = loop.create_future()
    backend.post(work, told.set_result)
    await reached.wait()
    await terminate(sessions[0])
    go_on.set()
    assert isinstance(await told, ConnectionLostError)
    assert len(sessions) == 1
    assert await backend.read(list_all) == []
    assert await posted(backend, create) is None  # on a new session


async def test_reads_at_the_same_time_use_few_sessions_and_keep_them(db_on_postgres):
    backend = db_on_postgres._core.backend
    many = await asyncio.gather(*(backend.read(own_pid) for _ in range(30)))
    assert len(set(many)) <= 3
    again = await asyncio.gather(*(backend.read(own_pid) for _ in range(30)))
    assert set(again) <= set(many)


async def test_closing_leaves_no_session_and_takes_no_more_work(postgres_url):
    sessions = sa.text(
        "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'"
        " AND datname = current_database() AND pid <> pg_backend_pid()"
    )
    engine = create_async_engine(postgres_url, isolation_level="AUTOCOMMIT")
    async with engine.connect() as observer:
        async with ramax.connect(postgres_url) as db:
            backend = db._core.backend
            await db.spaces.create("s")
            await posted(backend, list_all)
            await asyncio.gather(*(backend.read(list_all) for _ in range(9)))
            assert (await observer.scalar(sessions) or 0) >= 3
        async with asyncio.timeout(30):  # the server hears of it a little later
            while await observer.scalar(sessions):
                pass
    await engine.dispose()
    for call in (backend.read, backend.locked):
        with pytest.raises(ClosedError):
            await call(list_all)
    assert isinstance(await posted(backend, list_all), ClosedError)


async def test_a_database_that_is_only_read_refuses_to_write_before_it_does(postgres_url):
    async with ramax.connect(postgres_url, read_only=True) as db:
        backend = db._core.backend
        for work in (backend.locked(create), backend.connection()):
            with pytest.raises(StorageError, match="read-only"):
                await work
        assert "read-only" in str(await posted(backend, create))
        assert await backend.read(list_all) == []


async def test_a_reading_keeps_its_state_while_others_commit(db_on_postgres):
    backend = db_on_postgres._core.backend
    async with backend.reading() as reading:
        assert await reading.read(list_all) == []
        await backend.locked(create)
        assert await reading.read(list_all) == []
        with pytest.raises(StorageError, match="read-only"):
            await reading.read(create)
    async with backend.reading() as reading:
        assert [space.space_name for space in await reading.read(list_all)] == ["new"]
        session = await reading.read(own_pid)
    async with backend.reading() as reading:
        assert await reading.read(own_pid) == session


async def test_a_connection_whose_begin_was_cancelled_is_not_used_again(db_on_postgres):
    backend = db_on_postgres._core.backend
    async with backend.reading():
        pass
    [held] = backend.places.idle

    async def read():
        async with backend.reading() as reading:
            return await reading.read(list_all)

    task = asyncio.create_task(read())
    while held not in backend.places.taken:
        await asyncio.sleep(0)
    task.cancel()  # BEGIN is on its way
    with pytest.raises(asyncio.CancelledError):
        await task
    assert held.lost
    assert not backend.places.idle
    assert not backend.places.taken
    assert await read() == []


async def test_whoever_leaves_while_it_connects_leaves_no_connection(db_on_postgres):
    backend = db_on_postgres._core.backend

    async def others():
        query = sa.text(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND pid <> pg_backend_pid()"
        )
        async with db_on_postgres.connection() as connection:
            return await connection.scalar(query)

    before = await others()
    gc.collect()
    gc.disable()  # what is lost is to be seen
    try:
        for moment in range(40):  # somewhere between the first packet and the last
            opening = asyncio.create_task(backend._hold())
            await asyncio.sleep(moment / 2000)
            opening.cancel()
            with suppress(asyncio.CancelledError):
                await backend._drop(await opening)
        await until(_no_more_than(others, before))
    finally:
        gc.enable()


def _no_more_than(count, most):
    async def reached():
        return await count() <= most

    return reached

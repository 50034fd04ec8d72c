import pytest

import ramax
from ramax.storage.append_postgres import write_postgres
from ramax.storage.events import read_all_page, read_last_id
from ramax.storage.executors import CoreExecutor
from ramax.storage.feed import safe_event_id
from tests._plans import appended, plan, write


async def read_up_to(db, upto):
    rows = await db._core.read(lambda ex: read_all_page(ex, after=0, upto=upto, limit=9))
    return [row[0] for row in rows]


async def test_with_nobody_writing_everything_is_safe(db):
    assert await db._core.read(safe_event_id) == 0
    space = await db.spaces.create("s")
    await write(db, plan(appended(space.space_id, 3)))
    assert await db._core.read(safe_event_id) == 3


@pytest.mark.postgres
async def test_an_id_above_one_that_is_not_committed_yet_is_not_safe(db_on_postgres):
    db = db_on_postgres
    early, slow, fast = [(await db.spaces.create(n)).space_id for n in ("early", "slow", "fast")]
    await write(db, plan(appended(early)))
    tables = db._core.backend.tables
    async with db.engine.connect() as open_:
        wanted = plan(appended(slow, 2))
        await open_.run_sync(lambda c: write_postgres(CoreExecutor(c, tables), wanted))
        done = await write(db, plan(appended(fast)))
        assert dict(done[fast]) == {1: 4}
        naive = await db._core.read(read_last_id)
        assert await read_up_to(db, naive) == [1, 4]  # and would never see 2 and 3
        assert await db._core.read(safe_event_id) == 1
        await open_.commit()
    safe = await db._core.read(safe_event_id)
    assert await read_up_to(db, safe) == [1, 2, 3, 4]


@pytest.mark.postgres
async def test_a_write_that_is_rolled_back_holds_nobody_up(db_on_postgres):
    db = db_on_postgres
    space_id = (await db.spaces.create("s")).space_id
    tables = db._core.backend.tables
    async with db.engine.connect() as open_:
        wanted = plan(appended(space_id, 2))
        await open_.run_sync(lambda c: write_postgres(CoreExecutor(c, tables), wanted))
        assert await db._core.read(safe_event_id) == 0
        await open_.rollback()
    await write(db, wanted)
    assert await read_up_to(db, await db._core.read(safe_event_id)) == [3, 4]


@pytest.mark.postgres
async def test_a_writer_of_another_database_is_not_waited_for(db_on_postgres, empty_postgres_url):
    async with ramax.connect(empty_postgres_url) as other:
        elsewhere = (await other.spaces.create("s")).space_id
        here = (await db_on_postgres.spaces.create("s")).space_id
        await write(db_on_postgres, plan(appended(here, 2)))
        tables = other._core.backend.tables
        async with other.engine.connect() as open_:
            wanted = plan(appended(elsewhere))
            await open_.run_sync(lambda c: write_postgres(CoreExecutor(c, tables), wanted))
            assert await db_on_postgres._core.read(safe_event_id) == 2

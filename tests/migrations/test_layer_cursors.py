"""ramax_0017 on a filled database: down forgets where layers are, which they say themselves."""

import pytest
from sqlalchemy.ext.asyncio import create_async_engine

import ramax
from ramax.storage import migrate
from tests.sync._managers import Places, manager_on, write


@pytest.fixture
async def filled(durable_url):
    places = Places("server")
    async with manager_on(durable_url, places) as manager:
        await write(await manager.create("notes"), "a", "b")
        await manager.flush("notes")
    return durable_url, places


async def test_down_and_up_on_a_filled_database(filled):
    url, places = filled
    engine = create_async_engine(url)
    await migrate.downgrade(engine, "ramax_0016")
    await migrate.upgrade(engine)
    assert await migrate.check(engine) == []
    await engine.dispose()
    async with ramax.connect(url) as db:
        assert (await db.spaces.stats("notes")).event_count == 2
    async with manager_on(url, places) as manager:
        assert await manager.status("notes") == {}
        store = await manager.load("notes")
        await write(store, "c")
        await manager.flush("notes")
        assert sum(places["server"].vector.values()) == 3
        assert (await manager.status("notes"))["server"].connected

"""ramax_0018 on a filled database: down forgets what was refused, which is sent again."""

import pytest
from sqlalchemy.ext.asyncio import create_async_engine

import ramax
from ramax.core.codec import encode
from ramax.storage import migrate
from ramax.testing.records import record

ONE = b"device-of-origin"
GIVEN = [record(ONE, 1), record(ONE, 2, payload=encode([2], "payload")), record(ONE, 3)]


@pytest.fixture
async def filled(durable_url):
    async with ramax.connect(durable_url) as db:
        store = await db.content_store("notes")
        await store.replica.enable(b"space-uid-of-one")
        await store.replica.ingest(GIVEN)
        assert (await store.replica.info()).quarantined == 2
    return durable_url


async def test_down_and_up_on_a_filled_database(filled):
    engine = create_async_engine(filled)
    await migrate.downgrade(engine, "ramax_0017")
    await migrate.upgrade(engine)
    assert await migrate.check(engine) == []
    await engine.dispose()
    async with ramax.connect(filled) as db:
        store = await db.content_store("notes")
        info = await store.replica.info()
        assert (info.vector, info.quarantined) == ({ONE: 1}, 0)
        await store.replica.ingest(GIVEN)
        assert (await store.replica.info()).quarantined == 2

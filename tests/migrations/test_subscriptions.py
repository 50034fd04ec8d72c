"""ramax_0009 on a filled database: nothing that was there changes, up or down."""

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine

import ramax
from ramax.storage import migrate
from tests._domains import add, counter
from tests.migrations.catalog import catalog


async def shown(url):
    engine = create_async_engine(url)
    async with engine.connect() as connection:
        found = await connection.run_sync(catalog)
        rows = {}
        for table in ("spaces", "events", "pstate_entities", "projection_checkpoints"):
            listed = await connection.execute(sa.text(f"SELECT * FROM {table} ORDER BY 1, 2"))
            rows[table] = [tuple(row) for row in listed]
    await engine.dispose()
    return found, rows


@pytest.fixture
async def filled(durable_url):
    async with ramax.connect(durable_url) as db:
        store = await db.content_store("acme", counter())
        for _ in range(5):
            await store.execute(add)
        await store.update_checkpoint(3, name="reader")
    return durable_url


async def test_down_and_up_on_a_filled_database(filled):
    at_head, before = await shown(filled)
    async with ramax.connect(filled) as db, db.subscribe_all("s") as s:
        await s.ack(await anext(s))
    engine = create_async_engine(filled)
    await migrate.downgrade(engine, "ramax_0008")
    _, rows = await shown(filled)
    assert rows == before  # and nothing of a reader of all spaces is left
    await migrate.upgrade(engine)
    await engine.dispose()
    assert await shown(filled) == (at_head, before)
    async with ramax.connect(filled) as db:
        store = await db.content_store("acme", counter())
        async with store.subscribe("s", follow=False) as s:
            assert len([event async for event in s]) == 5

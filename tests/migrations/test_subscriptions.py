"""ramax_0009 on a filled database: nothing that was there changes, up or down."""

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine

import ramax
from ramax.storage import migrate
from tests._domains import add, counter

COLUMNS = {
    "spaces": "space_id, space_name, created_at, metadata, domains, indexed",
    "events": "*",
    "pstate_entities": "*",
    "projection_checkpoints": "space_id, name, last_event_id, last_space_sequence, updated_at",
}


async def shown(url):
    engine = create_async_engine(url)
    async with engine.connect() as connection:
        rows = {}
        for table, columns in COLUMNS.items():
            listed = await connection.execute(
                sa.text(f"SELECT {columns} FROM {table} ORDER BY 1, 2")
            )
            rows[table] = [tuple(row) for row in listed]
    await engine.dispose()
    return rows


@pytest.fixture
async def filled(durable_url):
    async with ramax.connect(durable_url) as db:
        store = await db.content_store("acme", counter())
        for _ in range(5):
            await store.execute(add)
        await store.update_checkpoint(3, name="reader")
    return durable_url


async def test_down_and_up_on_a_filled_database(filled):
    before = await shown(filled)
    async with ramax.connect(filled) as db, db.subscribe_all("s") as s:
        await s.ack(await anext(s))
    engine = create_async_engine(filled)
    await migrate.downgrade(engine, "ramax_0008")
    assert await shown(filled) == before  # and nothing of a reader of all spaces is left
    await migrate.upgrade(engine)
    assert await migrate.check(engine) == []  # not to the last detail: columns have new numbers
    await engine.dispose()
    assert await shown(filled) == before
    async with ramax.connect(filled) as db:
        store = await db.content_store("acme", counter())
        async with store.subscribe("s", follow=False) as s:
            assert len([event async for event in s]) == 5

"""ramax_0021 on a filled database: down drops copies, which the next search makes again."""

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine

import ramax
from ramax.storage import migrate
from tests._vectors import copied
from tests.datatypes._pgvector import with_pgvector


async def made_and_made_again(url):
    engine = create_async_engine(url)
    await migrate.downgrade(engine, "ramax_0020")
    async with engine.connect() as connection:
        assert "vector_rows" not in await connection.run_sync(
            lambda c: sa.inspect(c).get_table_names()
        )
    await migrate.upgrade(engine)
    assert await migrate.check(engine) == []
    await engine.dispose()


async def test_down_and_up_on_a_filled_database(durable_url):
    async with ramax.connect(durable_url) as db:
        store = await db.content_store("notes")
        await store.vectors.create_collection("c", 2)
        await store.vectors.upsert("c", "a", [1, 0])
        await copied(db, store.space.space_id)
    await made_and_made_again(durable_url)
    async with ramax.connect(durable_url) as db:
        store = await db.content_store("notes")
        assert [m.key for m in await store.vectors.search("c", [1, 0])] == ["a"]


@pytest.mark.postgres
async def test_copies_are_made_again(postgres_url):
    url = await with_pgvector(postgres_url)
    for name in ("a", "b"):
        async with ramax.connect(url, pgvector=True) as db:
            store = await db.content_store("notes")
            if await store.vectors.collection("c") is None:
                await store.vectors.create_collection("c", 2)
            await store.vectors.upsert("c", name, [1, 0])
            assert name in [m.key for m in await store.vectors.search("c", [1, 0])]
        await made_and_made_again(url)

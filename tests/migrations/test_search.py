"""ramax_0012 on a filled database: down forgets the indexes of texts alone, up makes room again."""

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine

import ramax
from ramax.storage import migrate
from ramax.storage.tables import TOKENS_TABLE


async def test_down_and_up_again_keeps_every_row_but_the_texts(durable_url):
    async with ramax.connect(durable_url) as db:
        store = await db.content_store("acme")
        await store.kv.put("k", "searched words")
        await db.spaces.enable_search("acme")
        assert len(await store.search("words")) == 1
    engine = create_async_engine(durable_url)
    assert await migrate.check(engine) == []
    await migrate.downgrade(engine, "ramax_0011")
    async with engine.connect() as connection:
        names = await connection.run_sync(lambda c: sa.inspect(c).get_table_names())
    assert [name for name in names if name.startswith((TOKENS_TABLE, "search_"))] == []
    await migrate.upgrade(engine)
    assert await migrate.check(engine) == []
    await engine.dispose()
    async with ramax.connect(durable_url) as db:
        store = await db.content_store("acme")
        assert await store.kv.get("k") == "searched words"
        await db.spaces.enable_search("acme")
        assert len(await store.search("words")) == 1


def test_an_application_leaves_the_tables_of_tokens_alone():
    assert not migrate.include_name(f"{TOKENS_TABLE}7_data", "table", {})
    assert migrate.include_name("search_of_mine", "table", {})

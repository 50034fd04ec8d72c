"""ramax_0020 on a filled database: down gives up the indexes that are behind, and keeps the others."""

import pytest
from sqlalchemy.ext.asyncio import create_async_engine

import ramax
from ramax.errors import SearchDisabledError
from ramax.storage import migrate


async def test_down_and_up_on_a_filled_database(durable_url):
    async with ramax.connect(durable_url) as db:
        for name in ("true", "even", "behind"):
            store = await db.content_store(name)
            await db.spaces.enable_search(name, mode="inline" if name == "true" else "async")
            await store.kv.put("k", f"word {name}")
        await db.spaces.index_texts("even")
    engine = create_async_engine(durable_url)
    assert await migrate.check(engine) == []
    await migrate.downgrade(engine, "ramax_0019")
    await migrate.upgrade(engine)
    assert await migrate.check(engine) == []
    await engine.dispose()
    async with ramax.connect(durable_url) as db:
        for name in ("true", "even"):
            store = await db.content_store(name)
            assert [hit.key for hit in await store.search("word")] == ["k"]
            assert (await store.verify()).ok
        store = await db.content_store("behind")
        with pytest.raises(SearchDisabledError):
            await store.search("word")
        assert (await store.verify()).ok
        await db.spaces.enable_search("behind", mode="async")
        assert [hit.key for hit in await store.search("word")] == ["k"]

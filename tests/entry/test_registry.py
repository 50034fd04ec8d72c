"""The registry of the handles is the one with promotion."""

import ramax
from ramax.entry.registry import SpaceRegistry


async def test_a_database_has_the_public_registry():
    async with ramax.connect() as db:
        assert type(db.spaces) is SpaceRegistry
        a, b = [await db.content_store(name) for name in "ab"]
        await a.kv.put("k", 1)
        preview = await db.spaces.preview_promote(a, b, data={"kv": ["k"]})
        assert (preview.space, preview.copied, preview.conflicts) == ("b", 1, ())
        assert await b.kv.get("k") is None
        assert (await db.spaces.promote(a, b, data={"kv": ["k"]})).copied == 1
        assert await b.kv.get("k") == 1

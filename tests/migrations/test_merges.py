"""The revision of merges on a filled database: down forgets what was taken over, events stay."""

import ramax
from ramax.storage import migrate
from ramax.storage.engine import make_engine
from ramax.storage.tables import HEAD
from tests._tables import dump

NEW = {"merges", "merged_events"}


async def test_down_and_up_again_keeps_every_row_but_what_merges_remember(durable_url):
    async with ramax.connect(durable_url) as db:
        a, b = [await db.content_store(name) for name in "ab"]
        await a.kv.put("k", 1)
        await db.spaces.promote(a, b, data={"kv": ["k"]})
        before = await dump(db)
        assert before["merged_events"]
    engine = make_engine(durable_url)
    await migrate.downgrade(engine, "ramax_0013")
    await migrate.upgrade(engine)
    assert await migrate.current_revision(engine) == HEAD
    assert await migrate.check(engine) == []
    await engine.dispose()
    async with ramax.connect(durable_url) as db:
        after = await dump(db)
        assert [after[name] for name in NEW] == [[], []]
        assert {n: r for n, r in after.items() if n not in NEW} == {
            n: r for n, r in before.items() if n not in NEW
        }

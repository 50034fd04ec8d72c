"""The revision of origins on a filled database: down forgets who wrote what, events stay."""

import ramax
from ramax.storage import migrate
from ramax.storage.engine import make_engine
from ramax.storage.tables import HEAD
from tests._tables import dump


async def test_down_and_up_again_keeps_every_row_but_what_replicas_know(durable_url):
    async with ramax.connect(durable_url) as db:
        store = await db.content_store("notes")
        await store.kv.put("k", 1)
        await store.replica.enable()
        await store.kv.put("k", 2)
        before = await dump(db)
        assert len(before["event_origins"]) == 2  # a run, and another one from `enable` on
    engine = make_engine(durable_url)
    await migrate.downgrade(engine, "ramax_0015")
    await migrate.upgrade(engine)
    assert await migrate.current_revision(engine) == HEAD
    assert await migrate.check(engine) == []
    await engine.dispose()
    async with ramax.connect(durable_url) as db:
        after = await dump(db)
        assert after["event_origins"] == []
        assert after["events"] == before["events"]
        assert after["pstate_entities"] == before["pstate_entities"]
        store = await db.content_store("notes")
        assert not await store.replica.enabled()
        await store.kv.put("k", 3)
        info = await store.replica.enable()
        assert info.vector == {info.origin: 3}

"""ramax_0023 on a filled database: down drops the snapshots alone, and they can be made again."""

import ramax
from ramax.runtime import trail
from ramax.storage import migrate
from ramax.storage.engine import make_engine
from ramax.storage.tables import HEAD
from tests._tables import dump


async def test_down_and_up_again_keeps_every_row_but_the_snapshots(durable_url, monkeypatch):
    monkeypatch.setattr(trail, "NEAREST", 1)
    async with ramax.connect(durable_url) as db:
        store = await db.content_store("a")
        for number in range(5):
            await store.log.append("seen", {"n": number})
        await store.replica.enable()
        before = await dump(db)
        assert before["canonical_snapshots"]
    engine = make_engine(durable_url)
    await migrate.downgrade(engine, "ramax_0022")
    await migrate.upgrade(engine)
    assert await migrate.current_revision(engine) == HEAD
    assert await migrate.check(engine) == []
    await engine.dispose()
    async with ramax.connect(durable_url) as db:
        assert await dump(db) == before | {"canonical_snapshots": []}

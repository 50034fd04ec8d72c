"""ramax_0007 on a filled database: down drops the snapshots alone, and they can be made again."""

import ramax
from ramax.storage import migrate
from ramax.storage.engine import make_engine
from ramax.storage.tables import HEAD
from tests._domains import counter
from tests._tables import dump

TABLES = ("pstate_snapshots", "pstate_snapshot_chunks")


def add(state, params):
    return [ramax.NewEvent("added", {"by": 1})]


async def test_down_and_up_again_keeps_every_row_but_the_snapshots(durable_url):
    async with ramax.connect(durable_url) as db:
        store = await db.content_store("a", counter())
        for _ in range(3):
            await store.execute(add)
        await store.snapshots.take()
        before = await dump(db)
        assert all(before[name] for name in TABLES)
    engine = make_engine(durable_url)
    await migrate.downgrade(engine, "ramax_0006")
    await migrate.upgrade(engine)
    assert await migrate.current_revision(engine) == HEAD
    assert await migrate.check(engine) == []
    await engine.dispose()
    async with ramax.connect(durable_url) as db:
        assert await dump(db) == before | {name: [] for name in TABLES}
        store = await db.content_store("a", counter())
        assert (await store.snapshots.take()).space_sequence == 3

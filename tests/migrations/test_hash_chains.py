"""ramax_0006 on a filled database: up leaves every row, down forgets the hashes alone."""

import pytest

import ramax
from ramax.storage import migrate
from ramax.storage.engine import make_engine
from ramax.storage.tables import HEAD
from tests._domains import counter
from tests._tables import dump


async def fill(url):
    async with ramax.connect(url) as db:
        for name in ("a", "b"):
            store = await db.content_store(name, counter())
            for _ in range(3):
                await store.execute(add)
            await db.spaces.enable_hash_chain(name)
        return await dump(db), await db.spaces.hash_chain_head("a")


def add(state, params):
    return [ramax.NewEvent("added", {"by": 1})]


@pytest.fixture
async def filled(durable_url):
    return durable_url, *(await fill(durable_url))


def without_hashes(rows):
    return {
        name: [
            {k: v for k, v in row.items() if k not in {"head_hash", "state_version"}}
            for row in each
        ]
        for name, each in rows.items()
        if name != "event_hashes"
    }


async def test_down_and_up_again_keeps_every_row_but_the_hashes(filled):
    url, before, head = filled
    engine = make_engine(url)
    await migrate.downgrade(engine, "ramax_0005")
    assert await migrate.current_revision(engine) == "ramax_0005"
    await migrate.upgrade(engine)
    assert await migrate.current_revision(engine) == HEAD
    assert await migrate.check(engine) == []
    await engine.dispose()
    async with ramax.connect(url) as db:
        after = await dump(db)
        assert after["event_hashes"] == []
        assert without_hashes(after) == without_hashes(before)
        assert await db.spaces.hash_chain_head("a") is None
        assert await db.spaces.enable_hash_chain("a") == head  # they come out the same
        store = await db.content_store("a", counter())
        await store.execute(add)
        report = await store.verify()
        assert (report.findings, report.chained) == ((), 4)

"""The revision of branches on a filled database: every row is kept, what is on branches is named."""

import pytest

import ramax
from ramax.errors import StorageError
from ramax.storage import migrate
from ramax.storage.engine import make_engine
from ramax.storage.tables import HEAD
from tests._tables import dump


async def fill(db) -> None:
    for name in ("gone", "a", "b"):
        store = await db.content_store(name, metadata={"of": name})
        await store.kv.put("k", name)
        await store.pstate.put("direct", name)
        await db.spaces.enable_search(name)
    await db.spaces.delete("gone", force=True)


async def test_down_and_up_again_keeps_every_row_and_no_id_is_used_again(durable_url):
    async with ramax.connect(durable_url) as db:
        await fill(db)
        before = await dump(db)
    engine = make_engine(durable_url)
    await migrate.downgrade(engine, "ramax_0014")
    await migrate.upgrade(engine)
    assert await migrate.current_revision(engine) == HEAD
    assert await migrate.check(engine) == []
    await engine.dispose()
    async with ramax.connect(durable_url) as db:
        assert await dump(db) == before
        assert (await db.spaces.create("new")).space_id == 4
        assert [branch.name for branch in await db.branches.list()] == ["main"]
        await db.branches.fork("main", "experiment")
        assert await (await db.at_branch("experiment").content_store("a")).kv.get("k") == "a"


async def test_nobody_goes_back_below_branches_while_there_are_some(durable_url):
    async with ramax.connect(durable_url) as db:
        await fill(db)
        await db.branches.fork("main", "experiment")
        before = await dump(db)
    engine = make_engine(durable_url)
    with pytest.raises(StorageError, match="experiment"):
        await migrate.downgrade(engine, "ramax_0014")
    await engine.dispose()
    async with ramax.connect(durable_url) as db:
        assert await dump(db) == before
        await db.branches.delete("experiment")
    engine = make_engine(durable_url)
    await migrate.downgrade(engine, "ramax_0014")
    await engine.dispose()

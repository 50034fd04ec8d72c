"""The manager gives public handles, and takes whatever `connect` takes for a layer."""

import pytest

import ramax
from ramax import DataError, SpaceManager, SqlLayer
from ramax.entry.sync import core_of
from tests._domains import documents


async def test_a_managed_space_has_all_the_clients_and_its_domain():
    domain = documents()
    async with ramax.connect() as db, SpaceManager(db) as manager:
        store = await manager.create("notes", domain, metadata={"of": "anne"})
        assert isinstance(store, ramax.ContentStore)
        assert store.domain is domain
        assert store.space.metadata == {"of": "anne"}
        assert manager.get("notes") is store
        assert (await manager.load("notes")).domain is domain
        other = documents()
        assert (await manager.load("notes", other)).domain is other
        assert [space.space_name for space in manager.active()] == ["notes"]
        assert core_of(db) is store._core


async def test_a_primary_is_an_open_database():
    with pytest.raises(DataError):
        SpaceManager("app.db")  # type: ignore[arg-type]


async def test_one_name_of_durability_is_that_name():
    async with ramax.connect() as db, SpaceManager(db, durability="server") as manager:
        with pytest.raises(DataError, match="server"):
            await manager.create("notes")


async def test_layers_may_be_found_by_a_coroutine(tmp_path):
    async def layers_for(ref):
        return [SqlLayer(tmp_path / f"{ref.name}.db")]

    async with ramax.connect() as db, SpaceManager(db, layers_for) as manager:
        store = await manager.create("notes")
        await store.kv.put("a", 1)
        await manager.flush("notes")
    async with ramax.connect(tmp_path / "notes.db") as db:
        assert await (await db.content_store("notes")).kv.get("a") == 1

"""One side is brought to where the other is, with its secrets, and that is told as it goes on."""

import pytest

import ramax
from ramax.entry.features import exchange_of
from ramax.errors import LayerError, SpaceNotFoundError
from ramax.sync.copying import Copying
from ramax.sync.memory_layer import MemoryLayer, MemoryPlace
from ramax.values import Progress
from tests._each import each
from tests.secrets._vaults import OneKey
from tests.sync._managers import write


def copying(db: ramax.Database) -> Copying:
    return Copying(db._core, lambda space: exchange_of(db._core, space))


async def test_a_space_comes_back_with_its_secrets(db):
    """A7, A8."""
    key, place = OneKey(), MemoryPlace()
    seen: list[Progress] = []
    async with ramax.connect(keys=key) as source, ramax.connect(keys=key) as target:
        store = await source.content_store("notes")
        await write(store, *(f"k{n}" for n in range(1200)))
        await store.secrets.set("api", "token")
        pushed = await copying(source).push(store.space, MemoryLayer(place), seen.append)
        assert (pushed.count, pushed.refused) == (1200, 0)
        assert [p.done for p in seen] == sorted(p.done for p in seen)
        assert (seen[-1].done, seen[-1].total) == (1200, 1200)
        pulled = await copying(target).pull("notes", MemoryLayer(place), seen.append)
        assert pulled.count == 1200
        restored = await target.content_store("notes")
        assert await restored.kv.get("k7") == "value of k7"
        assert await restored.secrets.get("api") == "token"
    relayed = await copying(db).pull("notes", MemoryLayer(place), seen.append)  # without the key
    assert relayed.count == 1200
    assert (await (await db.content_store("notes")).kv.count()) == 1200


@each("name", ["default", "notes"])
async def test_a_place_that_holds_nothing_makes_nothing(name):
    async with ramax.connect() as db:
        with pytest.raises(SpaceNotFoundError):
            await copying(db).pull(name, MemoryLayer(), lambda _p: None)
        assert [s.space_id for s in await db.spaces.list_all()] == [0]


async def test_a_layer_that_fails_is_closed_all_the_same():
    layer = MemoryLayer()
    layer.faults.errors = [LayerError("memory", "no")]
    async with ramax.connect() as db:
        store = await db.content_store("notes")
        await write(store, "a")
        with pytest.raises(LayerError):
            await copying(db).push(store.space, layer, lambda _p: None)
    assert layer.opened == 0


async def test_a_space_that_is_no_replica_and_has_events_is_left_alone():
    place = MemoryPlace()
    async with ramax.connect() as db:
        for name in ("notes", "own"):
            await write(await db.content_store(name), "a")
        notes = await db.spaces.get("notes")
        await copying(db).push(notes, MemoryLayer(place), lambda _p: None)
        with pytest.raises(LayerError, match="events of its own"):
            await copying(db).pull("own", MemoryLayer(place), lambda _p: None)
        assert (await db.spaces.stats("own")).event_count == 1

"""A space is opened from the primary, or else from whichever layer has it first."""

import asyncio
import random

import pytest

import ramax
from ramax import DataError, SpaceNotFoundError
from ramax.errors import (
    LayerUnavailableError,
    SpaceLoadError,
    SpaceLoadTimeoutError,
)
from ramax.sync import DirectoryLayer
from ramax.sync.memory_layer import MemoryPlace
from tests.sync._managers import (
    PATIENCE,
    Places,
    filled,
    has,
    layer_tasks,
    manager_on,
    until,
    wait_for,
    write,
)


async def test_a_space_is_ready_with_the_first_layer_and_the_others_merge_later(memory_url):
    """A1: of layers that answer after different times, the quickest decides when."""
    places = Places("slow", "quick", "slowest")
    await filled(places["quick"], "a")
    places["slow"].space_uid = places["slowest"].space_uid = places["quick"].space_uid
    await filled(places["slow"], "b")
    await filled(places["slowest"], "c")
    never = asyncio.Event()
    for name in ("slow", "slowest"):
        wait_for(places, name, never)
    async with manager_on(memory_url, places) as manager:
        async with asyncio.timeout(PATIENCE):
            store = await manager.load("notes")
        assert await store.kv.get("a") == "value of a"
        assert await store.kv.get("b") is None
        never.set()
        await has(store, "a", "b", "c")


async def test_without_layers_an_unknown_space_is_not_found_at_once(memory_url):
    """A2."""
    async with manager_on(memory_url, lambda _ref: []) as manager:
        with pytest.raises(SpaceNotFoundError):
            await manager.load("notes")
    async with manager_on(memory_url, Places("empty")) as manager:
        with pytest.raises(SpaceNotFoundError):
            await manager.load("notes")
        assert manager.active() == []


async def test_a_layer_that_does_not_answer_ends_in_a_timeout_that_says_how_long(memory_url):
    """A2."""
    places = Places("silent")
    wait_for(places, "silent", asyncio.Event())
    async with manager_on(memory_url, places, load_timeout=99) as manager:
        with pytest.raises(SpaceLoadTimeoutError) as caught:
            await manager.load("notes", timeout=0.02)
        assert (caught.value.space, caught.value.timeout) == ("notes", 0.02)
        assert not await manager.primary.spaces.exists("notes")
    assert layer_tasks() == []


async def test_one_layer_that_fails_does_not_keep_the_others_from_loading(memory_url):
    """A3."""
    places = Places("broken", "good")
    await filled(places["good"], "a")
    places.prepare["broken"] = lambda layer: layer.cut()
    async with manager_on(memory_url, places) as manager:
        store = await manager.load("notes")
        assert await store.kv.get("a")
        await write(store, "b")
        await manager.flush("notes", "good")
        assert (await manager.status("notes"))["broken"].state in ("waiting", "connecting")
        places.layer("broken").mend()
        await manager.flush("notes")
    assert places["broken"].vector == places["good"].vector


async def test_when_all_layers_fail_the_error_says_how_each_did(memory_url):
    places = Places("one", "other")
    places.prepare["one"] = lambda layer: layer.cut()
    places.prepare["other"] = lambda layer: layer.faults.errors.append(RuntimeError("a bug"))
    async with manager_on(memory_url, places) as manager:
        with pytest.raises(SpaceLoadError) as caught:
            await manager.load("notes")
    assert [text.partition(":")[0] for text in caught.value.failures] == [
        "layer 'one'",
        "layer 'other'",
    ]
    assert isinstance(caught.value.__cause__, ExceptionGroup)
    kinds = {type(error) for error in caught.value.__cause__.exceptions}
    assert kinds == {LayerUnavailableError, RuntimeError}


async def test_fragments_in_several_layers_make_up_the_whole(memory_url):
    """A4: each origin's events are in some of three layers, up to some point in each."""
    whole = MemoryPlace()
    for device in range(8):
        await filled(whole, *(f"{device}.{n}" for n in range(12)))
    everything = [f"{device}.{n}" for device in range(8) for n in range(12)]

    async def whole_again(store) -> bool:
        return len(await store.kv.get_many(everything)) == len(everything)

    for seed in range(10):
        places = parted(whole, random.Random(seed))
        assert not all(place.vector == whole.vector for place in places.places.values())
        async with manager_on(memory_url, places, suffices=whole_again) as manager:
            store = await manager.load("notes")
            assert len(await store.kv.get_many(everything)) == len(everything)
            await manager.flush("notes")
            assert all(place.vector == whole.vector for place in places.places.values())
            await manager.close("notes")
            await manager.primary.spaces.delete("notes", force=True)


def parted(whole: MemoryPlace, rng: random.Random) -> Places:
    """Put each origin's events into three places: all into one, and as many as fall to the others."""
    places = Places("x", "y", "z")
    for place in places.places.values():
        place.space_uid = whole.space_uid
    for origin, found in whole.records.items():
        full = rng.choice("xyz")
        for name in "xyz":
            upto = len(found) if name == full else rng.randint(0, len(found))
            if upto:
                places[name].records[origin] = found[:upto]
    return places


async def test_who_loads_what_is_being_loaded_waits_for_the_same(memory_url):
    places = Places("server")
    await filled(places["server"], "a")
    made = len(places.layers["server"])
    async with manager_on(memory_url, places) as manager:
        stores = await asyncio.gather(*(manager.load("notes") for _ in range(5)))
        assert len({store.space.space_id for store in stores}) == 1
        assert len(places.layers["server"]) == made + 1
        assert await manager.load("notes") is manager.get("notes")


async def test_who_stops_waiting_does_not_stop_the_others(memory_url):
    places, gate = Places("server"), asyncio.Event()
    await filled(places["server"], "a")
    wait_for(places, "server", gate)
    async with manager_on(memory_url, places) as manager:
        first, second = (asyncio.create_task(manager.load("notes")) for _ in range(2))
        await until(lambda: len(places.layers["server"]) == 1)
        first.cancel()
        gate.set()
        assert await (await second).kv.get("a")
        assert first.cancelled()


async def test_what_the_primary_has_is_ready_while_every_layer_is_away(sqlite_url):
    """A8: written, closed, and opened again by another process; the layers are not needed."""
    places = Places("server")
    async with manager_on(sqlite_url, places) as manager:
        await write(await manager.create("notes"), "a")
    places.prepare["server"] = lambda layer: layer.cut()
    async with manager_on(sqlite_url, places) as manager:
        store = await manager.load("notes")
        assert await store.kv.get("a") == "value of a"
        await write(store, "b")
        assert (await manager.status("notes"))["server"].behind == 1
    places.prepare.clear()
    async with manager_on(sqlite_url, places) as manager:
        await manager.load("notes")
        await manager.flush("notes")
        assert sum(places["server"].vector.values()) == 2


async def test_a_space_that_nothing_was_written_to_is_found_by_another_device(memory_url):
    places = Places("x", "y")
    async with manager_on(memory_url, places) as mine, manager_on(None, places) as theirs:
        my_store = await mine.create("notes")
        await mine.flush("notes")
        assert places["x"].vector == places["y"].vector == {}
        their_store = await theirs.load("notes")
        assert (await their_store.replica.info()).space_uid == places["x"].space_uid
        await write(their_store, "a")
        await has(my_store, "a")


async def test_closing_at_once_leaves_the_space_where_others_find_it(memory_url, tmp_path):
    def layers_for(_ref):
        return [server(), folder()]

    def server():
        return ramax.SqlLayer(tmp_path / "server.db")

    def folder():
        return DirectoryLayer(tmp_path / "folder")

    async with manager_on(memory_url, layers_for) as manager:
        await manager.create("notes")
    for only in (lambda _ref: [server()], lambda _ref: [folder()]):
        async with manager_on(None, only) as manager:
            store = await manager.load("notes")
            assert [space.space_name for space in manager.active()] == ["notes"]
            assert await store.kv.count() == 0


async def test_a_space_whose_layers_cannot_be_had_is_not_made(memory_url):
    def layers_for(_ref):
        raise KeyError("no such server")

    async with manager_on(memory_url, layers_for) as manager:
        with pytest.raises(KeyError):
            await manager.create("notes")
        assert not await manager.primary.spaces.exists("notes")
    async with manager_on(memory_url, Places("server"), durability=["other"]) as manager:
        with pytest.raises(DataError, match="durability"):
            await manager.create("notes")
        assert not await manager.primary.spaces.exists("notes")


async def test_no_layer_is_asked_for_a_name_that_no_new_space_may_have(memory_url):
    """An application may make a path or an address of it."""

    def layers_for(ref):
        raise AssertionError(ref.name)

    async with manager_on(memory_url, layers_for) as manager:
        for name in ("../../elsewhere", "メモ", "_system_x", ""):
            with pytest.raises(DataError):
                await manager.load(name)

"""Managers over layers that fail in every way: in the end everybody has the same, once."""

import asyncio
import random
from functools import partial
from typing import Any

import pytest

import ramax
from ramax import ContentStore, Domain, NewEvent, SpaceManager
from ramax.sync.memory_layer import MemoryLayer
from tests._each import each
from tests.sync._managers import PATIENCE, Places, has, manager_on, until, write

HEAVY = [pytest.mark.nightly, pytest.mark.timeout(1800)]


def hurt(rng: random.Random, layer: MemoryLayer) -> None:
    """Let something go wrong, or right again."""
    what = rng.choice(["cut", "mend", "mend", "lose", "twice", "once", "raise"])
    if what == "cut":
        layer.cut()
    elif what == "mend":
        layer.mend()
    elif what == "lose":
        layer.faults.lose_answers += 1
    elif what == "raise":
        layer.faults.errors.append(rng.choice([OSError("a bug"), TimeoutError("late")]))
    else:
        layer.faults.deliver_twice = what == "twice"


def heal(places: Places) -> None:
    for layers in places.layers.values():
        for layer in layers:
            layer.mend()
            layer.faults.errors.clear()
            layer.faults.lose_answers = 0


async def states(stores: list[ContentStore]) -> list[dict[str, object]]:
    return [{key: value async for key, value in store.kv.iter()} for store in stores]


async def equal(stores: list[ContentStore], expected: set[str]) -> bool:
    found = await states(stores)
    return set(found[0]) == expected and all(state == found[0] for state in found)


async def run(url: str, seed: int) -> None:
    rng, places = random.Random(seed), Places("x", "y")
    async with (
        manager_on(url, places) as one,
        manager_on(None, places) as two,
        manager_on(None, places) as three,
    ):
        managers: list[SpaceManager] = [one, two, three]
        stores = [await one.create("notes")]
        await write(stores[0], "first")
        await one.flush("notes")
        stores += [await manager.load("notes") for manager in (two, three)]
        expected = {"first"}
        for step in range(30):
            at = rng.randrange(3)
            for layers in places.layers.values():
                hurt(rng, rng.choice(layers))
            key = f"k{rng.randrange(12)}"
            await stores[at].kv.put(key, [seed, step, at])
            expected.add(key)
            if rng.random() < 0.1:  # the application is closed and started again
                await managers[at].close("notes")
                stores[at] = await managers[at].load("notes")
            await asyncio.sleep(0)
        heal(places)
        async with asyncio.timeout(PATIENCE):
            await until(partial(equal, stores, expected))
            for manager in managers:
                manager.retry("notes")
                await manager.flush("notes")
        vectors = [(await store.replica.info()).vector for store in stores]
        assert all(vector == places["x"].vector for vector in vectors)
        assert places["x"].vector == places["y"].vector
        assert sum(vectors[0].values()) == 31
        for records in places["x"].records.values():
            assert [r.origin_seq for r in records] == list(range(1, len(records) + 1))


@each("seed", range(3))
async def test_whatever_fails_meanwhile_all_come_to_the_same(memory_url, seed):
    """A9, B2, B5, B6: cuts, lost answers, pages twice, unknown errors, restarts."""
    await run(memory_url, seed)


@pytest.mark.parametrize("seed", [3])
async def test_also_on_databases_that_last(durable_url, seed):
    await run(durable_url, seed)


@pytest.mark.parametrize("seed", [pytest.param(seed, marks=HEAVY) for seed in range(10, 210)])
async def test_whatever_fails_meanwhile_many_times(memory_url, seed):
    await run(memory_url, seed)


async def test_many_commits_at_once_are_pushed_once_each(url):
    """B12: thirty commits at the same time are thirty events, here and in the layer."""
    places = Places("server")
    async with manager_on(url, places) as manager:
        store = await manager.create("notes")
        await asyncio.gather(*(store.kv.put(f"k{n}", n) for n in range(30)))
        await manager.flush("notes")
        assert sum(places["server"].vector.values()) == 30
        assert (await manager.primary.spaces.stats("notes")).event_count == 30


async def test_an_event_that_nobody_here_knows_is_passed_on_and_folded_after_an_upgrade(memory_url):
    """B17: stored, relayed, skipped; the application that knows it folds it."""
    old, new = (Domain("notes", entity_id=lambda p: p["note"]) for _ in range(2))
    for domain in (old, new):
        domain.applicator("written")(lambda state, event: state.update({event.entity_id: 1}))
    new.applicator("pinned")(lambda state, event: state.update({event.entity_id: "pinned"}))
    one_place, other_place = Places("x"), Places("y")

    def both(ref):
        return [*one_place(ref), *other_place(ref)]

    async with manager_on(None, one_place) as newer, manager_on(memory_url, both) as older:
        writer = await newer.create("notes", new)
        await writer.execute(record, "written")
        await newer.flush("notes")
        relay = await older.load("notes", old)
        await writer.execute(record, "pinned")
        await newer.flush("notes")
        await until(lambda: sum(other_place["y"].vector.values()) == 2)
        await until(partial(_is, relay, "a", 1))
        await older.flush("notes")
        assert other_place["y"].records == one_place["x"].records
    async with manager_on(None, other_place) as upgraded:
        store = await upgraded.load("notes", new)
        assert await store.pstate.get("a") == "pinned"


def record(_state: Any, kind: str) -> list[NewEvent]:
    return [NewEvent(kind, {"note": "a"})]


async def _is(store: ContentStore, key: str, value: object) -> bool:
    return bool(await store.pstate.get(key) == value)


def only(layers_for: Any, at: int, ref: Any) -> list[Any]:
    return [layers_for(ref)[at]]


@each("value", [{}, [], None, 0, "", False, 2**70, 'a "quoted" key', "żółć", {"": [{}]}])
async def test_hard_values_survive_every_layer(tmp_path_factory, value):
    """B9, A11: through memory, a folder and a database, and back into another replica."""
    folder = tmp_path_factory.mktemp("layers")

    def layers_for(ref):
        return [
            places.make("memory"),
            ramax.sync.DirectoryLayer(folder / "notes", poll_interval=0.01),
            ramax.SqlLayer(folder / "server.db"),
        ]

    places = Places("memory")
    async with manager_on(None, layers_for) as manager:
        store = await manager.create("notes")
        await store.kv.put("hard", value)
        await manager.flush("notes")
    for at in range(3):
        async with manager_on(None, partial(only, layers_for, at)) as manager:
            store = await manager.load("notes")
            await has(store, "hard")
            found = await store.kv.get("hard")
            assert (found, type(found)) == (value, type(value))


async def test_what_cannot_be_stored_reaches_no_layer(memory_url):
    """A12: it is refused before anything is written."""
    places = Places("server")
    async with manager_on(memory_url, places) as manager:
        store = await manager.create("notes")
        await write(store, "a")
        for value in (object(), {"f": len}, {1, object()}):
            with pytest.raises(ramax.CodecError):
                await store.kv.put("b", value)
        await manager.flush("notes")
        assert sum(places["server"].vector.values()) == 1

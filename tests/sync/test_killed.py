"""A process is killed while it begins to replicate, or between commits and pushes: the next goes on."""

import asyncio
import random

import pytest

import ramax
from ramax import SpaceManager
from ramax.sync import DirectoryLayer, SpaceRef
from ramax.testing.layer_contract import everything
from tests.concurrency._processes import await_ready, go, started


async def test_after_a_kill_pushing_goes_on_and_nothing_comes_twice(durable_url, tmp_path):
    """B5."""
    folder, told = tmp_path / "backup", 0
    for stop_after in (7, 19, 30):
        with started("pusher", durable_url, str(folder)) as process:
            await_ready(process)
            go(process)
            assert process.stdout is not None
            while told < stop_after:
                told = int(process.stdout.readline())
            process.kill()

    def layers_for(_ref):
        return [DirectoryLayer(folder, layer_id="backup")]

    async with ramax.connect(durable_url) as db, SpaceManager(db, layers_for) as manager:
        store = await manager.load("notes")
        await manager.flush("notes")
        count = (await db.spaces.stats("notes")).event_count
        assert count >= told
        assert await store.kv.get_many([f"k{n}" for n in range(told)]) == {
            f"k{n}": n for n in range(told)
        }
        uid = (await store.replica.info()).space_uid
        vector = (await store.replica.info()).vector
    layer = DirectoryLayer(folder)
    assert (await layer.open(SpaceRef("notes", uid))).space_uid == uid
    found = await everything(layer)
    assert sum(vector.values()) == count == len(found) == len({record.uid for record in found})
    await layer.aclose()


@pytest.mark.parametrize(
    "rounds", [2, pytest.param(60, marks=[pytest.mark.nightly, pytest.mark.timeout(1800)])]
)
async def test_a_space_whose_beginning_was_killed_is_no_replica_or_a_whole_one(durable_url, rounds):
    """Marking a history goes on where it was, while others write all the time."""
    rng = random.Random(rounds)
    async with ramax.connect(durable_url) as db:
        for round_ in range(rounds):
            store = await db.content_store(f"notes{round_}")
            await store.kv.put_many({f"old{n}": n for n in range(600)})
            written = 0
            for _ in range(2):
                written = await killed_beside_writes(durable_url, store, rng, written)
                if await store.replica.enabled():
                    await check_whole(store, 600 + written)
            await asyncio.gather(
                store.replica.enable(), *(store.kv.put(f"last{n}", n) for n in range(3))
            )
            await check_whole(store, 603 + written)


async def killed_beside_writes(url, store, rng, written: int) -> int:
    """Kill a process that begins to replicate after so many writes here; return how many in all."""
    with started("enabler", url, store.space.space_name) as process:
        await asyncio.to_thread(await_ready, process)
        go(process)
        for _ in range(rng.randint(0, 25)):
            await store.kv.put(f"k{written}", written)
            written += 1
        process.kill()
        await asyncio.to_thread(process.wait)
    await store.kv.put(f"k{written}", written)
    return written + 1


async def check_whole(store, count: int) -> None:
    """Every event has one place of one origin, without a gap; another replica comes to the same."""
    info = await store.replica.info()
    found = [record async for page in store.replica.read({}) for record in page]
    assert [record.origin_seq for record in found] == list(range(1, count + 1))
    assert {record.origin for record in found} == {info.origin}
    assert len({record.uid for record in found}) == count
    stamps = [record.stamp for record in found]
    assert stamps == sorted(set(stamps))
    assert (await store.verify()).ok
    async with ramax.connect() as db:
        other = await db.content_store("notes")
        await other.replica.enable(info.space_uid)
        await other.replica.ingest(found)
        assert [each async for each in other.kv.iter()] == [each async for each in store.kv.iter()]

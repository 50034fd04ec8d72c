"""B5: a process is killed between commits and pushes; the next one pushes the rest, once."""

import ramax
from ramax import SpaceManager
from ramax.sync import DirectoryLayer, SpaceRef
from ramax.testing.layer_contract import everything
from tests.concurrency._processes import await_ready, go, started


async def test_after_a_kill_pushing_goes_on_and_nothing_comes_twice(durable_url, tmp_path):
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

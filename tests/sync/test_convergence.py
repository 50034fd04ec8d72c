"""Whatever order events come in, all replicas end with the same pstate, byte for byte.

A9, A10, B7: partitions, loss, duplication, other orders and batches; SQLite and PostgreSQL.
"""

import random
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import sqlalchemy as sa

import ramax
from ramax import Domain, NewEvent
from ramax.core.sync.record import EventRecord
from ramax.errors import GapError, RamaxError

KEYS = ["a", "b", "c", "名"]

visits = Domain("visits")


def visit(_state, key):
    return [NewEvent("visited", {"key": key}, entity_id=key)]


@visits.applicator("visited")
def was_visited(state, event):
    """Depends on the order: a chain of who came when."""
    state["path"] = [*state.get("path", []), event.payload["key"], event.space_sequence][-20:]


async def rows_of(db, store) -> list[tuple[str, bytes]]:
    """Read the pstate as it is stored."""
    async with db.engine.connect() as connection:
        statement = sa.text(
            "SELECT key, value FROM pstate_entities WHERE space_id = :id ORDER BY key"
        )
        found = await connection.execute(statement, {"id": store.space.space_id})
        return [(key, bytes(value)) for key, value in found]


async def act(rng: random.Random, store) -> None:
    """Do something with one of the data types; refusals are as good as anything."""
    key, value = rng.choice(KEYS), rng.randrange(5)
    try:
        match rng.randrange(19):
            case 0 | 1:
                await store.kv.put(key, value)
            case 2:
                await store.kv.delete(key)
            case 3:
                await store.cells.set(key, value)
            case 4:
                await store.cells.delete(key)
            case 5:
                await store.log.append("seen", {"v": value})
            case 6:
                await store.json.set(key, {"v": value, "w": [value]})
            case 7:
                await store.json.merge(key, {"w": value})
            case 8:
                await store.vectors.create_collection("v", 2, "cosine")
            case 9:
                await store.vectors.upsert("v", key, [value + 1.0, 1.0])
            case 10:
                await store.execute(visit, key)
            case 11:
                await store.vectors.delete_collection("v")
            case 12:
                await store.vectors.delete("v", key)
            case 13:
                await store.json.delete(key)
            case 16:
                await store.tree("t").create(node=rng.choice("abcd"))
            case 17:
                node, parent = rng.choice("abcd"), rng.choice(["a", "b", "c", "root"])
                await store.tree("t").move(node, parent, first=rng.random() < 0.5)
            case 18:
                await store.tree("t").delete(rng.choice("abcd"))
            case 14:
                await store.json.patch(key, [{"op": "add", "path": "/w/0", "value": value}])
            case _:
                await store.kv.put_many(dict.fromkeys(rng.sample(KEYS, 2), value))
    except RamaxError:
        return


async def records_for(rng: random.Random, source, target) -> Sequence[EventRecord]:
    """Return what the target lacks, with repetitions and in another order."""
    since = dict((await target.replica.info()).vector)
    for origin in list(since):
        since[origin] = max(0, since[origin] - rng.randrange(3))
    found = [record async for page in source.replica.read(since, 3) for record in page]
    found += rng.sample(found, min(len(found), 2))
    rng.shuffle(found)
    return found


async def exchange(rng: random.Random, source, target) -> None:
    """Bring records across; some are lost, so that others do not fit."""
    found = await records_for(rng, source, target)
    lost = rng.random() < 0.3
    if lost:
        found = [record for record in found if rng.random() < 0.8]
    try:
        await target.replica.ingest(found)
    except GapError:
        assert lost


@pytest.mark.parametrize("seed", range(20))
async def test_replicas_that_know_the_same_are_the_same(seed, tmp_path, postgres_url):
    await converge(seed, tmp_path, postgres_url if seed % 4 == 0 else None)


@pytest.mark.nightly
async def test_a_thousand_times(tmp_path):
    for seed in range(20, 1020):
        (folder := tmp_path / str(seed)).mkdir()
        await converge(seed, folder, None)


async def converge(seed: int, tmp_path: Path, postgres_url: str | None) -> None:
    """Let replicas write and exchange at random, then bring them together and compare."""
    rng = random.Random(seed)
    files = [f"sqlite+aiosqlite:///{tmp_path / name}.db" for name in ("one", "two")]
    urls = [*files, *([postgres_url] if postgres_url else [])]
    async with AsyncExitStack() as stack:
        dbs = [await stack.enter_async_context(ramax.connect(url)) for url in urls]
        stores = [await db.content_store("notes", domain=visits) for db in dbs]
        uid = (await stores[0].replica.enable()).space_uid
        for store in stores[1:]:
            await store.replica.enable(uid)
        for _ in range(90):
            if rng.random() < 0.7:
                await act(rng, rng.choice(stores))
            else:
                source, target = rng.sample(stores, 2)
                await exchange(rng, source, target)
        for _ in range(2):
            for source in stores:
                for target in stores:
                    if source is not target:
                        await target.replica.ingest(await records_for(rng, source, target))
        first, *others = [await rows_of(*each) for each in zip(dbs, stores, strict=True)]
        assert first
        for other in others:
            assert other == first
        for db, store in zip(dbs, stores, strict=True):
            report = await store.verify()
            assert report.ok, report
            await store.rebuild_pstate()
            assert await rows_of(db, store) == first

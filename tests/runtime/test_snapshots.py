import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import ramax
from ramax import Domain
from ramax.errors import DataError, MisuseError, SpaceNotFoundError
from tests._domains import add, counter
from tests.runtime._damage import damage


class Folding:
    """A domain that counts what it folds."""

    def __init__(self, version: int | None = 1, every: int | None = None) -> None:
        self.folded: list[int] = []
        self.domain = Domain("counter", fold_version=version, snapshot_every=every)
        self.domain.applicator("added")(self.added)

    def added(self, state: Any, event: Any) -> None:
        self.folded.append(event.space_sequence)
        state["n"] = state.get("n", 0) + event.payload["by"]
        state[f"k{event.space_sequence % 7}"] = event.space_sequence

    async def n(self, db: ramax.Database, sequence: Any) -> tuple[Any, int]:
        """The counter as of a point, and how many events were folded for it."""
        self.folded.clear()
        store = await db.content_store("s", self.domain)
        value = await store.as_of(sequence).pstate.get("n")
        return value, len(self.folded)


async def filled(db: ramax.Database, count: int = 25) -> None:
    for name in ("s", "other"):
        store = await db.content_store(name)
        for _ in range(count):
            await store.events.append("n", "added", {"by": 1})


async def sequences(db: ramax.Database, space: str = "s") -> list[int]:
    found = await (await db.content_store(space)).snapshots.list()
    return [each.space_sequence for each in found]


async def test_a_look_back_leaves_snapshots_and_the_next_one_starts_from_them(db):
    await filled(db)
    folding = Folding(every=10)
    assert await folding.n(db, 25) == (25, 25)
    assert await sequences(db) == [20, 10]
    assert await sequences(db, "other") == []
    assert await folding.n(db, 25) == (25, 5)
    assert await folding.n(db, 20) == (20, 0)
    assert await folding.n(db, 19) == (19, 9)
    assert await folding.n(db, 5) == (5, 5)
    assert await folding.n(db, datetime.now(UTC)) == (25, 5)
    [newest, _] = await (await db.content_store("s")).snapshots.list()
    assert (newest.domains, newest.key_count) == ({"counter": 1}, 8)
    assert abs(newest.created_at - datetime.now(UTC)) < timedelta(minutes=5)


async def test_every_value_is_what_a_fold_without_snapshots_gives(db):
    await filled(db)
    with_them, without = Folding(every=7), Folding(version=None)
    for sequence in (25, 3, 14, 20, 21, 22, 24):
        states = []
        for folding in (with_them, without):
            store = await db.content_store("s", folding.domain)
            states.append({k: v async for k, v in store.as_of(sequence).pstate.scan()})
        assert states[0] == states[1]


async def test_nothing_is_left_without_a_policy_or_when_only_read(durable_url):
    async with ramax.connect(durable_url) as db:
        await filled(db)
        assert await Folding().n(db, 25) == (25, 25)
        assert await Folding(version=None).n(db, 25) == (25, 25)
        assert await sequences(db) == []
    async with ramax.connect(durable_url, read_only=True) as db:
        assert await Folding(every=10).n(db, 25) == (25, 25)
        assert await sequences(db) == []


async def test_another_version_uses_none_of_them_and_drops_them_with_its_first(db):
    await filled(db)
    await Folding(every=10).n(db, 25)
    newer = Folding(version=2, every=20)
    assert await newer.n(db, 15) == (15, 15)
    assert await sequences(db) == [20, 10]
    assert await newer.n(db, 25) == (25, 25)
    assert await sequences(db) == [20]
    assert await Folding(every=None).n(db, 25) == (25, 25)


async def test_a_rebuild_starts_from_none_and_drops_them(db):
    await filled(db)
    folding = Folding(every=10)
    await folding.n(db, 25)
    folding.folded.clear()
    await (await db.content_store("s", folding.domain)).rebuild_pstate()
    assert folding.folded == list(range(1, 26))
    assert await sequences(db) == []


async def test_one_is_taken_on_demand_and_pruned(db):
    await filled(db)
    folding = Folding()
    store = await db.content_store("s", folding.domain)
    assert (await store.snapshots.take()).space_sequence == 25
    assert (await store.snapshots.take(7)).space_sequence == 7
    assert await folding.n(db, 9) == (9, 2)
    assert await sequences(db) == [25, 7]
    assert await store.snapshots.prune(keep=1) == 1
    assert await sequences(db) == [25]
    assert await store.snapshots.prune() == 1
    assert await sequences(db) == []
    assert await folding.n(db, 25) == (25, 25)


async def test_what_cannot_be_taken_is_refused(db):
    await filled(db, 1)
    bare = await db.content_store("s")
    with pytest.raises(MisuseError, match="fold_version"):
        await bare.snapshots.take()
    store = await db.content_store("s", Folding().domain)
    with pytest.raises(MisuseError, match="before the first event"):
        await store.snapshots.take(0)
    with pytest.raises(DataError, match="beyond"):
        await store.snapshots.take(2)
    unused = await db.content_store("default", Folding().domain)
    with pytest.raises(MisuseError, match="before the first event"):
        await unused.snapshots.take()
    assert (await unused.snapshots.list(), await unused.snapshots.prune()) == ([], 0)
    await db.spaces.delete("s", force=True)
    with pytest.raises(SpaceNotFoundError):
        await store.snapshots.list()
    with pytest.raises(DataError, match="fold_version"):
        Domain("d", fold_version=0)
    with pytest.raises(MisuseError, match="needs a fold_version"):
        Domain("d", snapshot_every=5)


async def test_a_snapshot_that_lost_a_chunk_is_none(db):
    await filled(db)
    folding = Folding(every=10)
    await folding.n(db, 25)
    await damage(db, "DELETE FROM pstate_snapshot_chunks WHERE space_sequence = 20")
    assert await folding.n(db, 25) == (25, 25)


async def test_a_large_state_is_stored_in_several_rows(db):
    domain = Domain("big", lambda s, e: s.__setitem__(e.entity_id, e.payload), fold_version=1)
    store = await db.content_store("s", domain)
    for number in range(5):
        await store.events.append(f"k{number}", "t", {"x": "y" * 700_000})
    await store.snapshots.take()
    async with db.connection() as connection:
        rows = await connection.exec_driver_sql("SELECT chunk FROM pstate_snapshot_chunks")
        assert sorted(row[0] for row in rows) == [0, 1, 2]
    past = await store.as_of(5)
    assert await past.pstate.count() == 5
    assert len((await past.pstate.fetch("k4"))["x"]) == 700_000


def test_domains_that_are_combined_agree():
    one = Domain("one", fold_version=3, snapshot_every=100)
    two = Domain("two", fold_version=1, snapshot_every=50)
    bare = Domain("bare")
    both = Domain.combine(one, two)
    assert (both.fold_versions, both.snapshot_every) == ({"one": 3, "two": 1}, 50)
    mixed = Domain.combine(one, bare)
    assert (mixed.fold_versions, mixed.snapshot_every) == ({}, None)


async def test_writers_go_on_while_snapshots_are_left(db):
    await filled(db, 50)
    folding = Folding(every=5)
    writer = await db.content_store("other", counter())
    results = await asyncio.gather(
        folding.n(db, 50), *(writer.events.append("n", "added", {"by": 1}) for _ in range(50))
    )
    assert results[0] == (50, 50)
    assert len(await sequences(db)) == 10
    assert await writer.events.get_space_latest_sequence() == 100


async def test_two_that_take_the_same_leave_one(durable_url):
    async with ramax.connect(durable_url) as one, ramax.connect(durable_url) as two:
        await filled(one)
        stores = [await db.content_store("s", Folding().domain) for db in (one, two)]
        await asyncio.gather(*(store.snapshots.take() for store in stores for _ in range(5)))
        assert await sequences(one) == [25]
        assert await Folding().n(two, 25) == (25, 0)
        store = await one.content_store("s", counter())
        await store.execute(add)

"""A matrix that is kept in memory is always that of the database: tasks, processes, rebuilds."""

import asyncio
import threading

import numpy as np
import pytest

import ramax
from ramax.datatypes import matrix, vector_memory
from tests._counting import counted


async def nearest(store, *vector, k=9):
    return [m.key for m in await store.vectors.search("c", list(vector), k=k)]


@pytest.fixture
async def filled(store):
    await store.vectors.create_collection("c", 2)
    await store.vectors.upsert_many("c", [("a", [1, 0], None), ("b", [0, 1], None)])
    return store


async def test_a_search_sees_what_was_written_before_it(filled):
    assert await nearest(filled, 1, 0.1) == ["a", "b"]
    await filled.vectors.upsert("c", "c", [1, 0.1])
    assert await nearest(filled, 1, 0.1) == ["c", "a", "b"]
    await filled.vectors.upsert("c", "a", [-1, 0])
    await filled.vectors.delete("c", "b")
    assert await nearest(filled, 1, 0.1) == ["c", "a"]


async def test_another_process_is_followed(durable_url):
    async with ramax.connect(durable_url) as one, ramax.connect(durable_url) as other:
        here, there = await one.content_store("acme"), await other.content_store("acme")
        await here.vectors.create_collection("c", 2)
        for n in range(3):
            await there.vectors.upsert("c", f"k{n}", [1, n])
            assert await nearest(here, 1, 0) == [f"k{i}" for i in range(n + 1)]
        await there.vectors.delete("c", "k0")
        assert await nearest(here, 1, 0) == ["k1", "k2"]
        await there.vectors.delete_collection("c")
        with pytest.raises(ramax.errors.CollectionNotFoundError):
            await nearest(here, 1, 0)
        await there.vectors.create_collection("c", 2, "dot_product")
        await there.vectors.upsert("c", "new", [1, 0])
        assert await nearest(here, 1, 0) == ["new"]


async def test_many_changes_are_read_anew_and_few_are_followed(filled, monkeypatch):
    monkeypatch.setattr(vector_memory, "_FEW", 3)
    await nearest(filled, 1, 0)
    await filled.vectors.upsert_many("c", [(f"n{i:02}", [1, i], {"i": i}) for i in range(20)])
    found = await filled.vectors.search(
        "c", [0, 1], k=3, filter={"field": "i", "op": "gt", "value": 5}
    )
    assert [m.key for m in found] == ["n19", "n18", "n17"]


async def test_a_search_that_finds_nothing_new_reads_one_row(durable_db):
    store = await durable_db.content_store("acme")
    await store.vectors.create_collection("c", 2)
    await store.vectors.upsert("c", "a", [1, 0])
    await nearest(store, 1, 0)
    async with counted(durable_db) as calls:
        await nearest(store, 1, 0)
    assert calls.statements <= 4
    assert not [text for text in calls.texts if "events" in text]


def topics(count):
    """Return vectors around 20 topics."""
    chance = np.random.default_rng(2)
    centres = 5 * chance.standard_normal((20, 8))
    return (centres[np.arange(count) % 20] + chance.standard_normal((count, 8))).astype("f4")


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
async def test_an_approximate_collection_finds_nine_of_ten_and_follows_other_processes(
    durable_url, monkeypatch, metric
):
    monkeypatch.setattr(matrix, "GROUPED_FROM", 1000)
    rows = topics(1200)
    async with ramax.connect(durable_url) as one, ramax.connect(durable_url) as other:
        here, there = await one.content_store("acme"), await other.content_store("acme")
        for name, index in (("c", "approximate"), ("true", "exact")):
            await here.vectors.create_collection(name, 8, metric, index)
            data = [(f"k{at:04}", row, {"n": at}) for at, row in enumerate(rows)]
            await here.vectors.upsert_many(name, data)
        hits = 0
        for row in rows[::24]:
            true = {m.key for m in await there.vectors.search("true", row)}
            hits += len(true & {m.key for m in await there.vectors.search("c", row)})
        assert hits >= 450
        await here.vectors.upsert("c", "mine", rows[7])
        await here.vectors.delete("c", "k0007")
        assert [m.key for m in await there.vectors.search("c", rows[7], k=1)] == ["mine"]
        rare = {"field": "n", "op": "in", "value": [1, 2, 3, 4, 5, 7]}
        found = await there.vectors.search("c", rows[0], filter=rare)
        assert sorted(m.key for m in found) == ["k0001", "k0002", "k0003", "k0004", "k0005"]


async def test_searches_at_once_group_once_and_only_what_may_miss(filled, monkeypatch):
    grouped = []

    def group(self):
        grouped.append(len(self))
        self._clustered = len(self)

    monkeypatch.setattr(matrix, "GROUPED_FROM", 2)
    monkeypatch.setattr(matrix.Matrix, "group", group)
    await nearest(filled, 1, 0)
    assert grouped == []
    await filled.vectors.create_collection("d", 2, index="approximate")
    await filled.vectors.upsert_many("d", [("a", [1, 0], None), ("b", [0, 1], None)])
    await asyncio.gather(*[filled.vectors.search("d", [1, 0]) for _ in range(5)])
    assert grouped == [2]


async def test_who_waits_for_groups_may_be_cancelled_and_nobody_changes_the_rows_meanwhile(
    filled, monkeypatch
):
    began, goes_on, seen = threading.Event(), threading.Event(), []

    def group(self):
        began.set()
        goes_on.wait()
        seen.append(len(self))
        self._clustered = len(self)

    monkeypatch.setattr(matrix, "GROUPED_FROM", 1)
    monkeypatch.setattr(matrix.Matrix, "group", group)
    await filled.vectors.create_collection("d", 2, index="approximate")
    await filled.vectors.upsert("d", "a", [1, 0])
    first = asyncio.create_task(filled.vectors.search("d", [1, 0]))
    await asyncio.to_thread(began.wait)
    await filled.vectors.upsert("d", "b", [1, 1])
    second = asyncio.create_task(filled.vectors.search("d", [1, 0]))
    first.cancel()
    for _ in range(20):
        await filled.vectors.count("d")
    assert not first.done()
    goes_on.set()
    with pytest.raises(asyncio.CancelledError):
        await first
    assert [m.key for m in await second] == ["a", "b"]
    assert seen == [1, 2]


async def test_what_is_written_while_a_matrix_is_made_is_in_it(filled):
    await filled.vectors.upsert_many("c", [(f"m{i:04}", [0, 1], None) for i in range(3000)])
    writes = [filled.vectors.upsert("c", f"w{i}", [1, 0]) for i in range(20)]
    searches = [nearest(filled, 1, 0, k=50) for _ in range(5)]
    await asyncio.gather(*writes, *searches)
    assert await nearest(filled, 1, 0, k=21) == ["a", *sorted(f"w{i}" for i in range(20))]
    assert await filled.vectors.count("c") == 3022


async def test_a_rebuild_changes_nothing(filled):
    before = await nearest(filled, 1, 0)
    await filled.rebuild_pstate()
    assert await nearest(filled, 1, 0) == before


async def test_inside_a_transaction_its_own_writes_are_found_and_go_with_it(filled):
    await nearest(filled, 1, 0)
    with pytest.raises(RuntimeError):
        async with filled.transaction() as tx:
            await tx.vectors.upsert("c", "mine", [1, 0])
            assert [m.key for m in await tx.vectors.search("c", [1, 0], k=2)] == ["a", "mine"]
            raise RuntimeError
    assert await nearest(filled, 1, 0) == ["a", "b"]


async def test_memory_is_bounded(filled, monkeypatch):
    monkeypatch.setattr(vector_memory, "_MOST_BYTES", 10)
    other = filled.at("elsewhere")
    await other.vectors.create_collection("c", 2)
    await other.vectors.upsert("c", "x", [1, 0])
    for _ in range(2):
        assert await nearest(other, 1, 0) == ["x"]

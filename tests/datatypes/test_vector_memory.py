"""A matrix that is kept in memory is always that of the database: tasks, processes, rebuilds."""

import asyncio

import pytest

import ramax
from ramax.datatypes import vector_memory
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

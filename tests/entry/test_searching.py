"""Each handle that reaches one space searches it; text and vectors are fused by rank."""

import asyncio

import pytest

from ramax import DataError
from ramax.core.fulltext.fusion import K
from ramax.errors import SearchDisabledError
from tests.runtime.test_text_search import add, found, opened, remove


async def test_a_transaction_finds_what_it_wrote_and_others_do_not_until_it_commits(db):
    store = await opened(db)
    other = await opened(db, "other")
    await store.kv.put_many({"old": "word", "gone": "word"})
    async with db.transaction(store, other) as tx:
        mine = tx.at(store)
        await mine.kv.put("new", "word")
        await mine.kv.delete("gone")
        await mine.execute(add, {"id": "contact:1", "name": "word"})
        await tx.at(other).kv.put("theirs", "word")
        inside = {("kv", "old"), ("kv", "new"), ("pstate", "contact:1")}
        assert set(await found(mine, "word")) == inside
        assert await found(mine, "word", types=["pstate"]) == [("pstate", "contact:1")]
        await mine.execute(remove, "contact:1")
        assert await found(tx.at("other"), "word") == [("kv", "theirs")]
    assert set(await found(store, "word")) == {("kv", "old"), ("kv", "new")}


async def test_others_see_nothing_of_a_transaction_that_is_open(durable_db):
    store = await opened(durable_db)
    async with store.transaction() as tx:
        await tx.kv.put("new", "word")
        assert await found(tx, "word") == [("kv", "new")]
        assert await asyncio.create_task(found(store, "word")) == []


async def test_what_is_rolled_back_was_never_found_by_others(db):
    store = await opened(db)
    with pytest.raises(RuntimeError):
        async with store.transaction() as tx:
            await tx.kv.put("new", "word")
            assert await found(tx, "word") == [("kv", "new")]
            raise RuntimeError
    assert await found(store, "word") == []


async def test_a_transaction_folds_what_was_appended_before_it_is_searched(db):
    store = await opened(db)
    await store.events.append("contact:1", "contact.put", {"id": "contact:1", "name": "Ada"})
    async with store.transaction() as tx:
        assert await found(tx, "ada") == [("pstate", "contact:1")]


async def test_a_refused_question_leaves_the_transaction_usable(db):
    store = await db.content_store("s")
    async with store.transaction() as tx:
        with pytest.raises(SearchDisabledError):
            await tx.search("word")
        with pytest.raises(DataError):
            await tx.search("word", limit=0)
        assert await tx.at("missing").search("word") == []
        await tx.kv.put("k", 1)
    assert await store.kv.get("k") == 1
    assert not await db.spaces.exists("missing")


async def test_text_and_vector_of_a_transaction_are_fused(db):
    store = await opened(db)
    await store.vectors.create_collection("v", 2)
    async with store.transaction() as tx:
        await tx.kv.put("b", "tea")
        await tx.vectors.upsert("v", "b", [1, 0])
        await tx.vectors.upsert("v", "z", [0, 1])
        hits = await tx.search("tea", collection="v", vector=[1, 0])
    assert [(hit.type, hit.key) for hit in hits] == [("kv", "b"), ("vectors", "z")]
    assert hits[0].score == pytest.approx(2 / (K + 1))


async def fused(store, text, vector):
    hits = await store.search(text, collection="v", vector=vector, limit=100)
    return [(hit.type, hit.key, hit.score) for hit in hits]


async def test_where_one_side_finds_nothing_the_other_keeps_its_order(db):
    store = await opened(db)
    await store.kv.put_many({"a": "tea", "b": "tea tea"})
    await store.vectors.create_collection("v", 2)
    first, second = 1 / (K + 1), 1 / (K + 2)
    alone = [hit.key for hit in await store.search("tea")]
    assert await fused(store, "tea", [1, 0]) == [
        ("kv", alone[0], first),
        ("kv", alone[1], second),
    ]
    await store.vectors.upsert_many("v", [("y", [0, 1]), ("x", [1, 0])])
    assert await fused(store, "nothing", [1, 0]) == [
        ("vectors", "x", first),
        ("vectors", "y", second),
    ]
    assert await fused(store, "", [1, 0]) == await fused(store, "nothing", [1, 0])


async def test_ties_have_an_order_of_their_own_which_is_always_the_same(db):
    store = await opened(db)
    await store.kv.put_many({"t1": "tea", "t2": "tea", "t3": "tea"})
    await store.vectors.create_collection("v", 2)
    await store.vectors.upsert_many("v", [("v2", [1, 0]), ("v1", [1, 0])])
    found = await fused(store, "tea", [1, 0])
    # what has words is first of two with the same sum; the same rank on each side is a tie
    assert [key for _, key, _ in found] == ["t1", "v1", "t2", "v2", "t3"]
    assert [score for *_, score in found] == [1 / (K + n) for n in (1, 1, 2, 2, 3)]
    assert await fused(store, "tea", [1, 0]) == found
    pages = [
        await store.search("tea", collection="v", vector=[1, 0], limit=2, offset=at)
        for at in (0, 2, 4)
    ]
    assert [hit.key for page in pages for hit in page] == [key for _, key, _ in found]


async def test_one_key_in_several_types_shares_the_rank_of_its_best(db):
    store = await opened(db)
    await store.kv.put("same", "tea")
    await store.json.set("same", {"t": "tea"})
    await store.vectors.create_collection("v", 2)
    await store.vectors.upsert("v", "same", [1, 0])
    found = await fused(store, "tea", [1, 0])
    assert {type_ for type_, _, _ in found} == {"kv", "json"}
    assert {score for *_, score in found} == {2 / (K + 1)}

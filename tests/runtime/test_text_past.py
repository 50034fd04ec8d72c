"""A space as it was is searched as it would have been searched then."""

import pytest

from ramax.errors import ClosedError, DataError, SearchDisabledError
from tests.runtime.test_text_search import add, found, opened


async def test_what_was_there_is_found_and_what_came_later_is_not(db):
    store = await opened(db)
    await store.kv.put("k", "green tea")
    await store.execute(add, {"id": "contact:1", "name": "Ada", "notes": "likes tea"})
    then = (await store.log.append("note", {"text": "bought tea"})).space_sequence
    await store.kv.put("k", "coffee")
    await store.json.set("later", {"text": "tea"})
    past = store.as_of(then)
    assert set(await found(past, "tea")) == {("kv", "k"), ("log", "1"), ("pstate", "contact:1")}
    assert await found(past, "tea", types=["log"]) == [("log", "1")]
    assert await found(past, "coffee") == []
    (hit,) = await past.search("green")
    assert (hit.space, hit.snippet) == ("s", "k green tea")
    assert hit.score > 0
    assert await found(store.as_of(1), "tea") == [("kv", "k")]
    assert await found(store.as_of(0), "tea") == []


async def test_as_of_now_finds_what_the_index_finds(db):
    store = await opened(db)
    await store.kv.put_many({f"k{n:02}": "tea " * (n % 4) + f"number{n} cup" for n in range(30)})
    head = await store.events.get_space_latest_sequence()
    for query in ("tea", "tea cup", "number1*", '"tea number7"', "cup -tea", "nothing", ""):
        now = await store.search(query, limit=100)
        then = await store.as_of(head).search(query, limit=100)
        assert {hit.key for hit in then} == {hit.key for hit in now}
        if db.engine.dialect.name == "sqlite":  # ranked by the same formula
            assert [(hit.key, pytest.approx(hit.score)) for hit in now] == [
                (hit.key, hit.score) for hit in then
            ]
    pages = [await found(store.as_of(head), "cup", limit=20, offset=at) for at in (0, 20)]
    assert [*pages[0], *pages[1]] == await found(store.as_of(head), "cup", limit=100)


async def test_what_is_searched_is_what_the_space_declares_now(db):
    store = await db.content_store("s")
    await store.kv.put("k", "word")
    with pytest.raises(SearchDisabledError, match="enable_search"):
        await store.as_of(1).search("word")
    await db.spaces.enable_search("s", types=["json"])
    assert await found(store.as_of(1), "word") == []
    await db.spaces.enable_search("s")
    assert await found(store.as_of(1), "word") == [("kv", "k")]


async def test_a_space_that_is_not_there_has_nothing(db):
    default = await db.content_store()
    assert await default.as_of(0).search("word") == []


async def test_text_and_vector_of_then_are_fused(db):
    store = await opened(db)
    await store.kv.put("b", "tea")
    await store.vectors.create_collection("v", 2)
    then = (await store.vectors.upsert_many("v", [("b", [1, 0])])).space_sequence
    await store.vectors.upsert_many("v", [("later", [1, 0])])
    hits = await store.as_of(then).search("tea", collection="v", vector=[1, 0])
    assert [(hit.type, hit.key, hit.score) for hit in hits] == [("kv", "b", 2 / 61)]


async def test_a_wrong_question_is_refused(db):
    store = await opened(db)
    with pytest.raises(DataError, match="limit"):
        await store.as_of(0).search("x", limit=0)
    past = await store.as_of(0)
    await past.close()
    with pytest.raises(ClosedError):
        await past.search("x")

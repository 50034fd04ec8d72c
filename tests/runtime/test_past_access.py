"""Data types as they were: a view of the past reads what was there, and writes nothing."""

import pytest

from ramax import MisuseError
from tests._domains import add, counter


@pytest.fixture
async def past(db):
    store = await db.content_store("acme", counter())
    await store.kv.put_many({"a": 1, "b": 2})  # 2
    await store.log.append("x", {"n": 1})  # 3
    await store.cells.set("c", 1)  # 4
    await store.json.set("d", {"n": 1})  # 5
    await store.vectors.create_collection("v", 2)  # 6
    await store.vectors.upsert("v", "k", [1, 0])  # 7
    await store.execute(add)  # 8
    await store.kv.put_many({"a": 9, "c": 9})
    await store.log.append("x", {"n": 2})
    await store.cells.set("c", 2)
    await store.json.set("d", 2, "$.n")
    await store.vectors.upsert("v", "k", [0, 1])
    return await store.as_of(8)


async def test_every_data_type_is_as_it_was(past):
    assert [pair async for pair in past.kv.iter()] == [("a", 1), ("b", 2)]
    assert await past.kv.list("b") == ["b"]
    assert await past.kv.count() == 2
    assert await past.log.len() == 1
    assert [e.payload for e in await past.log.range(reverse=True)] == [{"n": 1}]
    assert (await past.log.verify()).length == 1
    assert (await past.cells.entry("c")).version == 1
    assert [v.value for v in await past.cells.history("c")] == [1]
    assert await past.json.get("d", "$.n") == 1
    assert [m.score for m in await past.vectors.search("v", [1, 0])] == [1.0]
    assert await past.pstate.get("n") == 1
    assert [key async for key, _ in past.pstate.scan()] == ["n"]


async def test_the_past_cannot_be_written_and_has_no_past_of_its_own(past):
    with pytest.raises(MisuseError, match="read-only"):
        await past.kv.put("a", 1)
    with pytest.raises(MisuseError, match="past"):
        await past.kv.get("a", as_of=1)
    assert await past.kv.get("a") == 1

"""A part of a space holds one data type's keys and nothing of the rest."""

import pytest

from ramax import CodecError, MisuseError
from ramax.core.datatypes.kv import KV, put
from ramax.core.datatypes.log import LOG
from ramax.core.keys import prefix_end
from ramax.core.query import Search
from ramax.storage.pstate import put as write
from tests._domains import documents
from tests._domains import put as put_document


@pytest.fixture
async def store(db):
    store = await db.content_store("acme", documents())
    await store.execute(put_document, ("a", {"n": 1}))
    await store.part(KV).execute(put, {key: key for key in "abcde"})
    return store


async def pairs(walk):
    return [key async for key, _ in walk]


async def test_a_walk_stays_in_the_part_in_both_directions(store):
    part = store.part(KV)
    assert await pairs(part.under("")) == list("abcde")
    assert await pairs(part.under("", down=True)) == list("edcba")
    assert await pairs(part.under("", after="b", limit=2)) == ["c", "d"]
    assert await pairs(part.scan("b", "d")) == ["b", "c"]
    assert await pairs(part.scan("b", "d", down=True, limit=1)) == ["c"]
    assert await pairs(part.scan("", prefix_end(""))) == list("abcde")
    assert await pairs(store.part(LOG).under("")) == []
    assert await part.count("") == 5
    assert await part.count("a") == 1


async def test_keys_are_listed_without_what_all_of_a_kind_begin_with_and_no_value_is_decoded(store):
    part = store.part(KV)
    await part.execute(put, dict.fromkeys(("n/1", "n/2", "n/20", "n/3", "o"), 0))
    assert await part.keys("") == [*"abcde", "n/1", "n/2", "n/20", "n/3", "o"]
    assert await part.keys("", within="n/") == ["1", "2", "20", "3"]
    assert await part.keys("2", within="n/") == ["2", "20"]
    assert await part.keys("", within="n/", after="2", limit=1) == ["20"]
    assert await part.keys("", limit=0) == []
    assert await store.part(LOG).keys("") == []
    damaged = [("\x01kv:c", b"\xc1")]
    await store._core.locked(
        "a test", lambda ex: write(ex, store.space.space_id, damaged, now=1, direct=False)
    )
    assert await part.keys("", limit=4) == list("abcd")
    with pytest.raises(CodecError):
        await pairs(part.under(""))


async def test_the_application_sees_none_of_it(store):
    assert [key async for key, _ in store.pstate.scan()] == ["a"]
    assert await store.pstate.count() == 1
    assert [k async for k, _ in (await store.as_of(6)).pstate.scan()] == ["a"]


async def test_a_transaction_sees_what_it_wrote(store):
    async with store.transaction() as tx:
        part = tx.part(KV)
        await part.execute(put, {"f": 1})
        assert await pairs(part.under("")) == list("abcdef")
        assert await pairs(part.under("", down=True, limit=1)) == ["f"]
        assert await part.count("") == 6
        assert [e.payload["value"] for e in await part.history("f")] == [1]
        assert [e.payload["value"] async for e in part.events(Search(entity_id="ramax.kv:f"))] == [
            1
        ]
        assert await part.access.memory() is None
        with pytest.raises(MisuseError):
            await part.access.locate(1)


async def test_a_history_goes_over_every_page(store):
    part = store.part(KV)
    for n in range(0, 2100, 100):
        async with store.transaction() as tx:
            for i in range(n, n + 100):
                await tx.part(KV).execute(put, {"a": i})
    found = await part.history("a")
    assert [e.payload["value"] for e in found] == [*reversed(range(2100)), "a"]
    assert len(await part.history("a", limit=1001)) == 1001
    assert (await part.history("a", limit=1, before=3))[0].payload["value"] == "a"
    every = [e.payload["value"] async for e in part.events(Search(entity_id="ramax.kv:a"), 1)]
    assert every == ["a", *range(2100)]

import pytest

import ramax
from ramax.core.sync.record import is_whole
from ramax.errors import MisuseError
from tests.sync._booking import booking, count


async def everything(replica, since=None):
    return [record async for page in replica.read(since or {}, 2) for record in page]


async def test_a_space_that_is_not_replicated_says_what_to_do(db):
    store = await db.content_store("notes")
    assert not await store.replica.enabled()
    with pytest.raises(MisuseError, match="enable"):
        await store.replica.info()


async def test_what_was_there_before_and_what_comes_are_all_numbered(db):
    store = await db.content_store("notes")
    await store.kv.put("a", 1)
    await store.kv.put_many({"b": 2, "c": 3})
    info = await store.replica.enable()
    assert info.vector == {info.origin: 3}
    await store.kv.put("d", 4)
    assert (await store.replica.enable()).vector == {info.origin: 4}
    records = await everything(store.replica)
    assert [r.origin_seq for r in records] == [1, 2, 3, 4]
    assert all(is_whole(r) for r in records)
    assert [r.stamp for r in records] == sorted({r.stamp for r in records})
    assert [r.origin_seq for r in await everything(store.replica, {info.origin: 3})] == [4]


async def test_records_of_one_replica_make_another_the_same(db, memory_url):
    store = await db.content_store("notes")
    await store.kv.put_many({"a": 1, "b": [None, "ü", 2**70]})
    await store.log.append("seen", {"x": 1})
    one = await store.replica.enable()
    async with ramax.connect(memory_url) as other_db:
        other = await other_db.content_store("notes")
        await other.replica.enable(one.space_uid)
        records = await everything(store.replica)
        result = await other.replica.ingest(records)
        assert (result.accepted, result.duplicates, result.vector) == (3, 0, one.vector)
        assert (await other.replica.ingest(records)).duplicates == 3
        assert await other.kv.get("b") == [None, "ü", 2**70]
        assert await everything(other.replica) == records
        await other.kv.put("a", 2)
        await store.replica.ingest(await everything(other.replica, one.vector))
        assert await store.kv.get("a") == 2


async def test_a_handle_without_the_domain_may_enable_a_space_again(db):
    """As `ramax spaces push` does, each time."""
    store = await db.content_store("plane", booking)
    await store.execute(count, (1, "a"))
    await store.replica.enable()
    await store.catchup_pstate()
    other = await db.content_store("plane")
    assert (await other.replica.enable()).vector == (await store.replica.info()).vector

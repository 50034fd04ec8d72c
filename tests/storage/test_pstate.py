import pytest

from ramax.core.state import Tagged
from ramax.storage import pstate
from tests._counting import stepped
from tests._domains import documents, put


@pytest.fixture
async def store(db):
    store = await db.content_store("s", documents())
    for key in ("b:2", "a", "b:1", "b", "b;", "b:3"):
        await store.execute(put, (key, {}))
    other = await db.content_store("other", documents())
    await other.execute(put, ("b:0", {}))
    return store


async def test_a_scan_goes_on_in_key_order_within_its_prefix_and_space(db, store):
    def scan(**bounds):
        return db._core.read(
            lambda ex: [key for key, _ in pstate.read_scan(ex, store.space.space_id, **bounds)]
        )

    assert await scan(prefix="b:", limit=2) == ["b:1", "b:2"]
    assert await scan(prefix="b:", after="b:2", limit=2) == ["b:3"]
    assert await scan(prefix="", limit=9) == ["a", "b", "b:1", "b:2", "b:3", "b;"]


async def test_a_later_page_of_a_scan_is_no_more_work_than_the_first(db_on_sqlite):
    store = await db_on_sqlite.content_store("s", documents())
    await store.execute_many([(put, (f"k{n:04}", {})) for n in range(1000)])
    work = []
    for after in ("", "k0979"):
        async with stepped(db_on_sqlite) as steps:
            page = await db_on_sqlite._core.read(
                lambda ex, a=after: pstate.read_scan(
                    ex, store.space.space_id, "k", after=a, limit=20
                )
            )
        assert len(page) == 20
        work.append(steps.count)
    assert work[1] < 2 * work[0]


async def test_a_count_is_0_without_keys_and_none_without_the_space(db, store):
    def count(space_id, prefix):
        return db._core.read(lambda ex: pstate.read_count(ex, space_id, prefix))

    assert await count(store.space.space_id, "b:") == 3
    assert await count(store.space.space_id, "c") == 0
    assert await count(99, "b:") is None


async def test_a_key_belongs_to_an_event_or_to_put_or_to_nobody(db, store):
    space_id = store.space.space_id

    def write(ex):
        pstate.put(ex, space_id, [("own", b"\x01")], now=1, direct=True)
        pstate.put(ex, space_id, [], now=1, direct=True)
        return [pstate.owned_by_event(ex, space_id, key) for key in ("a", "own", "none")]

    assert await db._core.locked("a test", write) == [True, False, None]


async def test_putting_again_replaces_value_owner_and_format(db, store):
    space_id = store.space.space_id
    row = {"space_id": space_id, "key": "a", "value": b"{}", "format": "json", "now": 1}

    def write(ex):
        ex.run(pstate.upsert_value, row | {"direct": 1})
        old = pstate.read_scan(ex, space_id, "a", limit=1)
        pstate.put(ex, space_id, [("a", b"\x01")], now=2, direct=False)
        return old, pstate.read_scan(ex, space_id, "a", limit=1)

    old, new = await db._core.locked("a test", write)
    assert old == [("a", Tagged(b"{}", "json"))]
    assert new == [("a", b"\x01")]
    assert await db._core.read(lambda ex: pstate.owned_by_event(ex, space_id, "a"))


async def test_a_delete_takes_the_named_keys_of_its_space_only(db, store):
    space_id = store.space.space_id
    await db._core.locked("a test", lambda ex: pstate.delete(ex, space_id, ["b:0", "b:1", "x"]))
    left = await db._core.read(lambda ex: pstate.read_count(ex, space_id, "b:"))
    other = await db.spaces.get("other")
    assert left == 2
    assert await db._core.read(lambda ex: pstate.read_count(ex, other.space_id, "b:")) == 1

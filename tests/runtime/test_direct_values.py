"""Values that no event wrote: stored, replaced, deleted, and kept apart from what events wrote."""

import pytest

from ramax import MisuseError, NewEvent
from tests._domains import add, counter, documents, put
from tests._tables import dump


async def keys(stream):
    return [key async for key, _ in stream]


@pytest.fixture
async def store(db):
    return await db.content_store("acme", documents())


async def test_put_stores_replaces_and_delete_removes(db, store):
    await store.pstate.put("cfg", {"theme": "dark"})
    assert await store.pstate.fetch("cfg") == {"theme": "dark"}
    await db.pstate.put("acme", "cfg", [1])
    assert await store.pstate.fetch("cfg") == [1]
    assert await store.pstate.delete("cfg") is True
    assert await store.pstate.delete("cfg") is False
    assert await db.pstate.delete("acme", "never") is False
    assert await store.pstate.get("cfg") is None


async def test_a_key_that_an_event_wrote_is_neither_put_nor_deleted(db, store):
    await store.execute(put, ("a", {"x": 1}))
    before = await dump(db)
    for attempt in (
        lambda: store.pstate.put("a", 2),
        lambda: store.pstate.delete("a"),
        lambda: db.pstate.put("acme", "a", 2),
        lambda: db.pstate.delete("acme", "a"),
    ):
        with pytest.raises(MisuseError, match="'a'"):
            await attempt()
    assert await dump(db) == before


async def test_a_command_may_take_over_a_put_key(store):
    await store.pstate.put("a", "mine")
    await store.execute(put, ("a", {"x": 1}))
    assert await store.pstate.fetch("a") == {"x": 1}
    with pytest.raises(MisuseError):
        await store.pstate.put("a", "mine")


async def test_a_rebuild_drops_what_was_put(store):
    await store.execute(put, ("a", {"x": 1}))
    await store.pstate.put("cfg", 1)
    await store.rebuild_pstate()
    assert await keys(store.pstate.scan()) == ["a"]


async def test_put_appends_no_event_and_moves_no_checkpoint(db, store):
    await store.pstate.put("cfg", 1)
    assert await store.events.get_space_latest_sequence() == 0
    assert await store.get_checkpoint() == 0
    assert (await dump(db))["events"] == []


async def test_a_put_value_is_not_kept_by_the_caller(store):
    value = {"tags": ["a"]}
    await store.pstate.put("k", value)
    value["tags"].append("b")
    assert await store.pstate.fetch("k") == {"tags": ["a"]}


async def test_a_command_sees_what_was_put_before_it(db):
    store = await db.content_store("acme", counter())
    await store.execute(add)

    def copy_limit(state, params):
        return [NewEvent("added", {"by": state["limit"]})]

    for limit in (10, 20):
        await store.pstate.put("limit", limit)
        await store.execute(copy_limit)
    assert await store.pstate.fetch("n") == 31

"""Reaching a part of a space through a store: spaces that are not there, deleted ones, gaps."""

import pytest

from ramax import DomainMismatchError, SpaceNotFoundError
from tests._domains import add, counter


async def test_a_space_that_is_not_there_is_empty_and_stays_so(db):
    view = (await db.content_store()).at("new")
    assert await view.kv.get("a") is None
    assert await view.kv.list() == []
    assert await view.kv.count() == 0
    assert await view.kv.history("a") == []
    assert await view.log.len() == 0
    assert (await view.log.verify()).valid
    assert await view.cells.get("a") is None
    assert await view.json.list() == []
    assert await view.vectors.list_collections() == []
    assert await view.kv.delete("a") is False
    assert not await db.spaces.exists("new")


async def test_a_handle_to_a_deleted_space_says_so(db):
    store = await db.content_store("acme")
    await store.kv.put("a", 1)
    await db.spaces.delete("acme", force=True)
    for attempt in (
        lambda: store.kv.get("a"),
        lambda: store.kv.list(),
        lambda: store.kv.count(),
        lambda: store.kv.history("a"),
        lambda: store.kv.put("a", 1),
        lambda: store.log.verify(),
        lambda: store.vectors.list_collections(),
    ):
        with pytest.raises(SpaceNotFoundError):
            await attempt()


async def test_what_a_domain_has_not_folded_yet_is_folded_by_it(db):
    store = await db.content_store("acme", counter())
    await store.execute(add)
    await store.events.append("n", "added", {"by": 5})
    await store.kv.put("a", 1)
    assert await store.pstate.get("n") == 6


async def test_a_handle_that_cannot_fold_the_gap_says_what_is_missing(db):
    store = await db.content_store("acme", counter())
    await store.execute(add)
    plain = await db.content_store("acme")
    await plain.kv.put("a", 1)  # nothing to fold
    await store.events.append("n", "added", {"by": 5})
    with pytest.raises(DomainMismatchError, match="counter"):
        await plain.kv.put("a", 2)
    assert await plain.kv.get("a") == 1


async def test_raw_events_and_data_types_go_together_without_a_domain(db):
    store = await db.content_store("acme")
    await store.events.append("e", "t", {})
    await store.kv.put("a", 1)
    await store.events.append("e", "t", {})
    await store.log.append("x", {})
    assert await store.kv.get("a") == 1
    assert await store.events.get_space_latest_sequence() == 4

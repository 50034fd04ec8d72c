"""The public handles: views of spaces, and where a space comes into being."""

import pytest

import ramax
from ramax import DataError, MisuseError, SpaceNameError
from ramax.entry import Past, Transaction, TransactionScope
from ramax.runtime.content_store import ContentStore as RuntimeStore
from tests._counting import counted
from tests._domains import add, counter
from tests._each import each


async def test_the_public_classes_are_what_one_gets(db):
    store = await db.content_store("acme")
    assert type(db) is ramax.Database
    assert type(store) is type(store.at("x")) is ramax.ContentStore
    assert isinstance(store, RuntimeStore)
    assert type(store.as_of(0)) is Past
    async with db.transaction(store) as tx:
        assert type(tx) is Transaction is ramax.Transaction
        assert type(tx.at("acme")) is TransactionScope

    async def work(tx):
        return await tx.at("acme").kv.put("a", 1)

    assert (await db.run_transaction(work, "acme")).space_sequence == 1


async def test_content_store_makes_a_space_at_once_and_a_view_by_its_first_write(db):
    store = await db.content_store("acme")
    assert await db.spaces.exists("acme")
    view = store.at("other")
    assert await view.pstate.get("a") is None
    assert [e async for e in view.events.stream_space_events()] == []
    assert not await db.spaces.exists("other")
    await view.kv.put("a", 1)
    assert await db.spaces.exists("other")
    assert await store.kv.get("a") is None
    assert await view.kv.get("a") == 1


async def test_a_view_is_made_without_a_look_at_the_database(durable_db):
    store = await durable_db.content_store("acme")
    async with counted(durable_db) as calls:
        view = store.at("other")
        assert view.space.space_name == "other"
    assert calls.texts == []
    with pytest.raises(MisuseError):
        view.space = store.space


async def test_a_view_has_the_domain_of_its_store(db):
    store = await db.content_store("acme", counter())
    view = store.at("other")
    await view.execute(add)
    assert await view.pstate.get("n") == 1
    async with db.transaction(view, store) as tx:
        await tx.at(view).execute(add)
    async with view.transaction() as tx:
        await tx.execute(add)
    assert await db.pstate.get("other", "n") == 3
    assert await store.pstate.get("n") is None


async def test_a_refused_first_write_makes_no_space(db):
    view = (await db.content_store("acme")).at("other")
    with pytest.raises(DataError):
        await view.kv.put("", 1)
    with pytest.raises(DataError):
        await view.events.append("", "t", {})
    assert await view.kv.delete("a") is False
    assert not await db.spaces.exists("other")


async def test_a_view_goes_by_the_name_whatever_becomes_of_the_space(db):
    store = await db.content_store("acme")
    view = store.at("other")
    await view.kv.put("a", 1)
    await db.spaces.delete("other", force=True)
    assert await view.kv.get("a") is None
    await view.kv.put("a", 2)
    await db.spaces.rename("other", "renamed")
    assert await view.kv.get("a") is None
    assert await store.at("renamed").kv.get("a") == 2
    assert await store.at(await db.spaces.get("renamed")).kv.get("a") == 2


async def test_a_space_can_be_lent_for_a_block(db):
    async with db.in_space("other") as view:
        await view.kv.put("a", 1)
    async with db.in_space("other", counter()) as view:
        assert await view.kv.get("a") == 1
        await view.execute(add)
    async with db.in_space("default") as view:
        await view.kv.put("d", 1)
    assert await (await db.content_store()).kv.get("d") == 1


@each("wrong", [None, 5, 1.5, b"a"])
async def test_a_view_is_of_a_space_or_a_name(db, wrong):
    store = await db.content_store("acme")
    with pytest.raises(DataError):
        store.at(wrong)


async def test_names_that_no_new_space_may_have(db):
    store = await db.content_store("acme")
    with pytest.raises(SpaceNameError):
        store.at("_system_x")
    for wrong in ("Bad", "1a", "a b", "x" * 65, ""):
        view = store.at(wrong)
        assert await view.kv.get("a") is None
        with pytest.raises(SpaceNameError):
            await view.kv.put("a", 1)
    assert [s.space_name for s in await db.spaces.list_all()] == ["default", "acme"]


async def test_the_stats_of_a_view_are_of_its_space(db):
    store = await db.content_store("acme")
    await (await db.content_store()).kv.put("a", 1)
    found = await db.spaces.stats(store.at("other").space)
    assert (found.space.space_name, found.event_count) == ("other", 0)

import asyncio

import sqlalchemy as sa

import ramax
from ramax import Ref
from ramax.storage.links import differing_links
from tests._cards import put
from tests._links import asked, check, linked

TARGETS = ["deck:1", "deck:2", "card:1", "deck:none"]


async def rows(db):
    async with db.connection() as connection:
        found = await connection.execute(sa.text("SELECT source, target FROM pstate_refs"))
        return sorted(tuple(row) for row in found)


async def guard(db, store):
    return (await db._core.reader.facts(store.space.space_id, ())).guard


async def filled(db, count=5):
    store = await db.content_store("s", linked())
    for n in range(count):
        await store.execute(put, (f"card:{n}", {"deck": Ref(f"deck:{n % 2 + 1}")}))
    return store


async def test_no_row_is_written_before_somebody_asks(db):
    store = await filled(db)
    assert await rows(db) == []
    assert (await guard(db, store)).indexed is None
    before = (await guard(db, store)).state_version
    assert await asked(store, "deck:1") == ["card:0", "card:2", "card:4"]
    assert len(await rows(db)) == 5
    after = await guard(db, store)
    assert after.indexed == "card:also,card:deck,deck:cover"
    assert after.state_version == before + 1
    await asked(store, "deck:2")
    assert await guard(db, store) == after


async def test_it_is_made_page_by_page(db):
    object.__setattr__(db._core.options, "page", 2)
    store = await filled(db, 7)
    await check(store, TARGETS)


async def test_two_who_ask_first_make_it_once(db):
    store = await filled(db)
    found = await asyncio.gather(*(asked(store, "deck:1") for _ in range(5)))
    assert found == [["card:0", "card:2", "card:4"]] * 5
    assert len(await rows(db)) == 5


async def test_a_command_that_was_being_decided_when_it_was_made_keeps_it(db):
    store = await filled(db)
    await asyncio.gather(
        asked(store, "deck:1"),
        *(store.execute(put, (f"card:{n}", {"deck": Ref("deck:1")})) for n in range(20, 40)),
    )
    await check(store, TARGETS)


async def test_a_value_that_cannot_be_read_refers_to_nothing(db):
    store = await filled(db)
    await db.pstate.put("s", "card:bad", {"deck": 7})
    assert await asked(store, "deck:1") == ["card:0", "card:2", "card:4"]


async def test_a_rebuild_makes_it_whatever_was_in_it(db):
    store = await filled(db)
    await asked(store, "deck:1")

    def spoil(ex):
        from ramax.core.entity import Link
        from ramax.storage.links import sync_links

        sync_links(
            ex, store.space.space_id, "", "card:2", {"x": frozenset({Link("deck", "deck:1")})}
        )

    await db._core.locked("a test", spoil)
    assert await asked(store, "deck:1") == ["card:4", "x"]
    await store.rebuild_pstate()
    await check(store, TARGETS)
    different = await db._core.read(
        lambda ex: differing_links(ex, store.space.space_id, "card:3", "z", {})
    )
    assert [key for key, _ in different[0]] == ["card:4"]


async def test_a_rebuild_makes_it_where_nobody_has_asked_and_forgets_it_without_a_declaration(db):
    store = await filled(db)
    await store.rebuild_pstate()
    assert len(await rows(db)) == 5
    assert (await guard(db, store)).indexed is not None
    bare = await db.content_store("s", linked(none=type("N", (), {"__annotations__": {"n": int}})))
    await bare.rebuild_pstate()
    assert (await guard(db, store)).indexed is None
    await check(store, TARGETS)


async def test_a_deleted_space_takes_its_index_with_it(db):
    store, other = await filled(db), await db.content_store("other", linked())
    await other.execute(put, ("card:1", {"deck": Ref("deck:1")}))
    await asked(store, "deck:1")
    await asked(other, "deck:1")
    await db.spaces.delete("s", force=True)
    assert await rows(db) == [("card:1", "deck:1")]
    again: ramax.ContentStore = await db.content_store("s", linked())
    assert await asked(again, "deck:1") == []

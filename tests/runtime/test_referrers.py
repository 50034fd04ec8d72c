from typing import Any

import pytest
from sqlalchemy.util import await_only

import ramax
from ramax import Domain, MisuseError, NewEvent, Ref, StateReplacedError, field
from ramax.runtime import referrers as module
from tests._cards import drop, edit, old_cards, put
from tests._links import asked, check, linked
from tests.runtime.test_link_index import TARGETS, filled, guard, rows

NONE = type("N", (), {"__annotations__": {"n": int}})


async def test_the_index_follows_every_kind_of_write(db):
    store = await filled(db)
    await check(store, TARGETS)
    await store.execute(edit, ("card:0", "deck", Ref("deck:2")))
    await check(store, TARGETS)
    await store.execute(edit, ("card:1", "also", [{"a": Ref("deck:1")}, Ref("card:1")]))
    await check(store, TARGETS)
    await store.execute(drop, "card:2")
    await store.execute(put, ("card:3", {}))
    await check(store, TARGETS)
    await store.execute(put, ("deck:1", {"cover": Ref("card:1")}))
    await check(store, TARGETS)
    await store.execute_many(
        [
            (drop, "card:1"),
            (put, ("card:1", {"deck": Ref("deck:1")})),
            (edit, ("card:1", "deck", None)),
        ]
    )
    await check(store, TARGETS)
    async with store.transaction() as tx:
        await tx.execute(put, ("card:9", {"deck": Ref("deck:1")}))
    await check(store, TARGETS)
    await store.pstate.put("card:direct", {"deck": Ref("deck:1")})
    await check(store, TARGETS)
    assert "card:direct" in await asked(store, "deck:1")
    await store.pstate.delete("card:direct")
    await check(store, TARGETS)
    await store.events.append("card:8", "set", {"value": {"deck": Ref("deck:1")}})
    await check(store, TARGETS)  # folds first
    assert "card:8" in await asked(store, "deck:1")


async def test_a_command_that_fails_leaves_the_index_as_it_was(db):
    store = await filled(db)
    await check(store, TARGETS)
    before = await rows(db)
    with pytest.raises(ramax.SchemaError):
        await store.execute_many(
            [(put, ("card:0", {"deck": Ref("deck:2")})), (put, ("card:1", {"deck": 1}))]
        )
    assert await rows(db) == before


async def test_a_write_that_changes_no_reference_writes_no_row(db):
    store = await filled(db)
    await asked(store, "deck:1")
    async with db.connection() as connection:
        await connection.exec_driver_sql("DELETE FROM pstate_refs")
        await connection.commit()
    await store.execute(edit, ("card:0", "other", Ref("deck:9")))
    assert await rows(db) == []
    await store.execute(edit, ("card:0", "deck", Ref("deck:2")))
    assert await rows(db) == [("card:0", "deck:2")]


async def test_spaces_share_nothing(db):
    store, other = await filled(db), await db.content_store("other", linked())
    await other.execute(put, ("card:77", {"deck": Ref("deck:1")}))
    assert await asked(store, "deck:1") == ["card:0", "card:2", "card:4"]
    assert await asked(other, "deck:1") == ["card:77"]


async def test_pages_limits_and_where_to_go_on(db, monkeypatch):
    store = await filled(db, 9)
    monkeypatch.setattr(module, "PAGE", 2)
    found = ["card:0", "card:2", "card:4", "card:6", "card:8"]
    assert await asked(store, "deck:1") == found
    assert await asked(store, "deck:1", limit=3) == found[:3]
    assert await asked(store, "deck:1", limit=0) == []
    assert await asked(store, "deck:1", after="card:4") == found[3:]


async def test_a_rebuild_between_two_pages_is_noticed(db, monkeypatch):
    store = await filled(db, 9)
    monkeypatch.setattr(module, "PAGE", 2)
    found = store.pstate.referrers("deck:1")
    assert await anext(found) == "card:0"
    await store.rebuild_pstate()
    with pytest.raises(StateReplacedError):
        [each async for each in found]


async def test_what_has_no_index_cannot_be_asked(db):
    bare = await db.content_store("s", old_cards())
    with pytest.raises(MisuseError, match="index=True"):
        await asked(bare, "deck:1")
    store = await db.content_store("s", linked())
    with pytest.raises(MisuseError, match="'other' has no index"):
        await asked(store, "deck:1", field="other")
    with pytest.raises(ramax.DataError):
        await asked(store, "")


async def test_the_default_space_without_a_row_has_no_referrers(db):
    store = await db.content_store("default", linked())
    assert await asked(store, "deck:1") == []
    assert [space.space_id for space in await db.spaces.list_all()] == [0]


async def test_who_writes_without_the_index_gives_it_up_and_the_next_who_asks_makes_it_again(db):
    store = await filled(db)
    await check(store, TARGETS)
    older = await db.content_store("s", linked(none=NONE))
    await older.execute(put, ("free", {"deck": Ref("deck:1")}))
    assert (await guard(db, store)).indexed is not None  # no entity that it covers
    await older.execute(put, ("card:0", {"deck": Ref("deck:2")}))
    assert (await guard(db, store)).indexed is None
    await check(store, TARGETS)
    await db.pstate.put("s", "card:raw", {"deck": Ref("deck:1"), "also": []})
    assert (await guard(db, store)).indexed is None
    await check(store, TARGETS)
    assert "card:raw" in await asked(store, "deck:1")
    await db.pstate.put("s", "setting", 1)
    assert (await guard(db, store)).indexed is not None
    await older.events.append("card:1", "set", {"value": {"deck": Ref("deck:1")}})
    await older.catchup_pstate()
    assert (await guard(db, store)).indexed is None
    await check(store, TARGETS)


async def test_two_processes_with_different_declarations_are_both_answered(durable_url):
    class Card:
        deck: Ref | None = field(default=None, index=True)

    async with ramax.connect(durable_url) as one, ramax.connect(durable_url) as other:
        store = await filled(one)
        await check(store, TARGETS)
        narrow = await other.content_store("s", linked(card=Card))
        assert await asked(narrow, "deck:1") == ["card:0", "card:2", "card:4"]
        await store.execute(put, ("card:0", {"deck": Ref("deck:2"), "also": [Ref("deck:1")]}))
        assert await asked(narrow, "deck:1") == ["card:2", "card:4"]
        await narrow.execute(put, ("card:1", {"deck": Ref("deck:1")}))
        await check(store, TARGETS)


async def test_references_of_values_in_an_older_shape_count_as_they_are_read(db):
    class Card:
        decks: list[Ref] = field(
            replaces="deck", migrate=lambda old: [Ref("deck", old)] if old else [], index=True
        )

    old = await db.content_store("s", old_cards())
    for n in range(3):
        await old.execute(put, (f"card:{n}", {"deck": f"{n % 2}"}))
    store = await db.content_store("s", linked(card=Card))
    assert await asked(store, "deck:0") == ["card:0", "card:2"]
    await store.migrate_pstate()
    assert await asked(store, "deck:0") == ["card:0", "card:2"]
    await store.execute(edit, ("card:0", "decks", [Ref("deck:1")]))
    assert await asked(store, "deck:1") == ["card:0", "card:1"]


async def test_a_reference_that_no_key_can_be_is_left_out(db):
    store = await filled(db, 1)
    await asked(store, "deck:1")
    await store.execute(put, ("card:1", {"also": [Ref("x" * 5000), Ref(""), Ref("deck:1")]}))
    assert await asked(store, "deck:1") == ["card:0", "card:1"]


async def test_two_domains_keep_one_index(db):
    cards, decks = Domain("c"), Domain("d")
    cards.entity("card")(
        type("C", (), {"__annotations__": {"deck": Ref}, "deck": field(index=True)})
    )
    decks.entity("deck")(
        type("D", (), {"__annotations__": {"cover": Ref}, "cover": field(index=True)})
    )

    @cards.applicator("card")
    def card(state, event):
        state[event.entity_id] = event.payload

    @decks.applicator("deck")
    def deck(state, event):
        state[event.entity_id] = event.payload

    store = await db.content_store("s", Domain.combine(cards, decks))
    both = [
        NewEvent("card", {"deck": Ref("x")}, entity_id="card:1"),
        NewEvent("deck", {"cover": Ref("x")}, entity_id="deck:1"),
    ]
    await store.execute(lambda state, params: both)
    assert await asked(store, "x") == ["card:1", "deck:1"]


@pytest.mark.postgres
async def test_a_page_that_was_read_before_the_index_was_made_is_not_believed(
    postgres_url, db_on_postgres
):
    """Each statement sees what is committed by then: here the index, between any two of them."""

    class Interrupted:
        def __init__(self, ex, after):
            self.tables, self._ex, self._left = ex.tables, ex, after

        def rows(self, statement, params):
            found = self._ex.rows(statement, params)
            self._left -= 1
            if not self._left:
                await_only(asked(theirs, "deck:1"))
            return found

    for after in (1, 2, 3):
        name = f"s{after}"
        store = await db_on_postgres.content_store(name, linked())
        await store.execute(put, ("card:0", {"deck": Ref("deck:1")}))
        async with ramax.connect(postgres_url) as other:
            theirs = await other.content_store(name, linked())
            schema = store.domain.schema

            def page(ex, after=after, store=store, schema=schema):
                interrupted: Any = Interrupted(ex, after)
                return module._page(
                    store.space,
                    schema,
                    "deck:1",
                    interrupted,
                    prefix="",
                    field=None,
                    after="",
                    limit=10,
                )

            found = await db_on_postgres._core.read(page)
            assert found is None or found[1] == ["card:0"]
            assert await asked(theirs, "deck:1") == ["card:0"]

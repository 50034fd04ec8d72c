"""Inline projections of a replicated space: their rows follow the order of all replicas."""

import asyncio

import pytest

from ramax.errors import ProjectionError
from ramax.runtime import reprojection
from ramax.testing.records import record
from tests._diary import ONE, TWO, create_tables, diary, note, pages_of, words_of, write


@pytest.fixture
async def diaries(db):
    await create_tables(db)
    return db


async def opened(db, domain, name="notes"):
    store = await db.content_store(name, domain)
    await store.replica.enable()
    return store


async def test_a_late_event_takes_its_place_in_the_rows(diaries):
    store = await opened(diaries, diary())
    await store.execute(write, ("p", ["here"]))
    await store.replica.ingest([note(ONE, 1, "first", 1), note(ONE, 2, "second", 2)])
    assert await words_of(diaries, store) == ["first", "second", "here"]
    await store.execute(write, ("p", ["after"]))
    assert await words_of(diaries, store) == ["first", "second", "here", "after"]
    before = await pages_of(diaries, store)
    assert await store.rebuild("pages") == 4
    assert await pages_of(diaries, store) == before


async def test_with_any_order_rows_go_on_in_the_order_of_arrival(diaries, monkeypatch):
    monkeypatch.setattr(reprojection, "Reprojection", None)  # nothing is made anew
    store = await opened(diaries, diary(order="any"))
    await store.execute(write, ("p", ["here"]))
    await store.replica.ingest([note(ONE, 1, "first", 1), note(ONE, 2, "second", 2)])
    assert await words_of(diaries, store) == ["here", "first", "second"]


async def test_handlers_see_stamps_for_sequences_whoever_wrote_the_event(diaries):
    """Rows of two replicas that know the same events are the same, numbers included."""
    texts = []
    for order in ("canonical", "any"):
        store = await opened(diaries, diary(order=order), order)
        await store.execute(write, ("here", ["a"]))
        await store.execute(write, ("here", ["b"]))
        await store.replica.ingest([note(ONE, 1, "c", 1, "there")])
        other = await opened(diaries, diary(order=order), f"{order}-2")
        known = (await other.replica.info()).vector
        async for page in store.replica.read(known):
            await other.replica.ingest(page)
        texts.append(await pages_of(diaries, store))
        assert await pages_of(diaries, other) == texts[-1] != []
    assert texts[0][1] == ("there", f"c@{1 << 16};")


async def test_one_page_of_late_events_makes_the_rows_anew_once(diaries, monkeypatch):
    counted = []

    class Counting(reprojection.Reprojection):
        def swap(self, ex, now):
            counted.append(self.projected)
            super().swap(ex, now)

    monkeypatch.setattr(reprojection, "Reprojection", Counting)
    store = await opened(diaries, diary())
    await store.execute(write, ("p", ["here"]))
    await store.replica.ingest([note(ONE, n, str(n), n) for n in range(1, 40)])
    assert await words_of(diaries, store) == [*map(str, range(1, 40)), "here"]
    assert counted == [40]


async def test_late_events_that_no_handler_takes_make_nothing_anew(diaries, monkeypatch):
    store = await opened(diaries, diary())
    await store.execute(write, ("p", ["here"]))
    monkeypatch.setattr(reprojection, "Reprojection", None)
    await store.replica.ingest([record(ONE, 1, "x", event_type="other")])
    assert await words_of(diaries, store) == ["here"]
    assert await store.get_checkpoint("pages") == 2


async def test_rows_are_put_in_order_within_a_transaction_of_the_callers(diaries):
    bare = await diaries.content_store("notes", create=True)
    store = await opened(diaries, diary())
    await store.execute(write, ("p", ["here"]))
    await bare.replica.ingest([note(ONE, 1, "late", 1)])  # whoever took it knows no domain
    assert await words_of(diaries, store) == ["here"]
    async with store.transaction() as tx:
        await tx.execute(write, ("p", ["after"]))
    assert await words_of(diaries, store) == ["late", "here", "after"]
    assert await store.pstate.get("page:p") == "late;here;after;"


async def test_a_handler_that_fails_on_what_came_late_leaves_the_rows_and_is_tried_again(diaries):
    store = await opened(diaries, diary())
    await store.execute(write, ("p", ["here"]))
    with pytest.raises(ProjectionError, match="unreadable"):
        await store.replica.ingest([note(ONE, 1, "unreadable", 1)])
    assert await words_of(diaries, store) == ["here"]
    with pytest.raises(ProjectionError, match="unreadable"):
        await store.execute(write, ("p", ["after"]))
    assert (await store.replica.info()).vector[ONE] == 1
    assert await store.get_checkpoint("pages") == 1


async def test_late_events_and_commands_at_once_end_in_one_order(diaries):
    store = await opened(diaries, diary())

    async def commands():
        for n in range(10):
            await store.execute(write, ("p", [f"c{n}"]))

    async def arrivals(origin, at):
        for n in range(1, 11):
            await store.replica.ingest([note(origin, n, f"{at}-{n}", at + n)])

    await asyncio.gather(commands(), arrivals(ONE, 100), arrivals(TWO, 200))
    early = [f"100-{n}" for n in range(1, 11)] + [f"200-{n}" for n in range(1, 11)]
    assert await words_of(diaries, store) == early + [f"c{n}" for n in range(10)]
    before = await pages_of(diaries, store)
    await store.rebuild("pages")
    assert await pages_of(diaries, store) == before


async def test_what_came_late_beside_a_rebuild_is_in_its_place(diaries):
    """Events that come between the reading of history and the swap belong before others."""
    domain = diary()
    store = await opened(diaries, domain)
    await store.execute(write, ("p", ["here"]))
    core, projection = store._core, domain.projections.get("pages")
    assert projection is not None
    new = reprojection.Reprojection(store.space, domain, projection, 10)
    await core.read_whole(new.prepare)
    await store.replica.ingest([note(ONE, 1, "late", 1)])
    await core.turns.locked("a rebuild", lambda ex: new.swap(ex, core.clock()))
    assert await words_of(diaries, store) == ["late", "here"]


async def test_rows_of_before_a_space_was_replicated_get_the_numbers_of_all_replicas(diaries):
    store = await diaries.content_store("notes", diary())
    await store.execute(write, ("p", ["a", "b"]))
    assert await pages_of(diaries, store) == [("p", "a@1;b@2;")]
    await store.replica.enable()
    rows = await pages_of(diaries, store)
    assert await words_of(diaries, store) == ["a", "b"]
    assert "@1;" not in rows[0][1]
    other = await opened(diaries, diary(), "other")
    async for page in store.replica.read({}):
        await other.replica.ingest(page)
    assert await pages_of(diaries, other) == rows


async def test_reactions_and_subscriptions_get_what_came_late_once_and_nothing_again(diaries):
    """B13: rows that are made anew are not what happens again."""
    domain, reacted, seen = diary(), [], []

    @domain.reaction("note.written")
    async def react(event, _reaction):
        reacted.append(event.payload["value"])

    async def heard(event):
        seen.append(event.payload["value"])

    async def all_read(store):
        await store.run_reactions(follow=False)
        async with store.subscribe("reader", follow=False) as reader:
            await reader.run(heard)

    store = await opened(diaries, domain)
    await store.execute(write, ("p", ["a", "b"]))
    await all_read(store)
    await store.replica.ingest([note(ONE, 1, "late", 1)])
    await store.replica.ingest([note(TWO, 1, "later", 2)])
    await all_read(store)
    await store.rebuild("pages")
    await all_read(store)
    assert reacted == seen == ["a", "b", "late", "later"]
    assert await words_of(diaries, store) == ["late", "later", "a", "b"]

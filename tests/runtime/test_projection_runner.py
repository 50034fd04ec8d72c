"""Async projections: rows and checkpoint move together, whoever fails."""

import asyncio

import pytest

import ramax
from ramax import MisuseError, NewEvent, SubscriptionPausedError
from ramax.runtime import reprojection
from tests import _diary as diary
from tests._orders import add, create_tables, rows_of, search_of, shop, totals_of


@pytest.fixture
async def shops(db):
    await create_tables(db)
    return db


async def test_rows_follow_the_log(shops):
    store = await shops.content_store("a", shop("async"))
    await store.execute(add, ("placed", [str(n) for n in range(1200)]))
    await store.execute(add, ("paid", ["7"]))
    assert await rows_of(shops, store) == []
    await store.run_projections(follow=False)
    assert await totals_of(shops, store) == {"placed": 1200, "paid": 1}
    assert await store.get_checkpoint("search") == 1201
    await store.run_projections("search", follow=False)
    assert await totals_of(shops, store) == {"placed": 1200, "paid": 1}


async def test_the_same_handlers_make_the_same_rows_in_both_modes(shops):
    stores = [await shops.content_store(mode, shop(mode)) for mode in ("inline", "async")]
    for store in stores:
        await store.execute(add, ("placed", ["1", "2", "3"]))
        await store.execute(add, ("cancelled", ["1"]))
        await store.execute(add, ("paid", ["2"]))
    await stores[1].run_projections(follow=False)
    assert await rows_of(shops, stores[0]) == await rows_of(shops, stores[1]) != []


async def test_an_event_that_cannot_be_projected_pauses_it_there(shops):
    domain = shop("async")
    odd = [True]

    @search_of(domain).on("odd")
    def handle(event):
        if odd:
            raise KeyError("odd")

    store = await shops.content_store("a", domain)
    await store.execute(add, ("placed", ["1", "2"]))
    await store.execute(add, ("odd", ["1"]))
    await store.execute(add, ("paid", ["2"]))
    with pytest.raises(SubscriptionPausedError, match="odd"):
        await store.run_projections(follow=False)
    assert await totals_of(shops, store) == {"placed": 2}
    assert await store.get_checkpoint("search") == 2
    odd.clear()
    await shops.subscriptions.resume("search", space="a")
    await store.run_projections(follow=False)
    assert await totals_of(shops, store) == {"placed": 2, "paid": 1}


async def test_an_event_that_was_split_is_projected_whole_or_not_at_all(shops):
    domain = shop("async")

    @domain.upcaster("ordered", from_version=1)
    def ordered(event):
        number = event.payload["order"]
        return [NewEvent("placed", {"order": number}), NewEvent("paid", {"order": number})]

    store = await shops.content_store("a", domain)
    facts = [NewEvent("ordered", {"order": str(n)}, entity_id="e") for n in range(501)]
    await shops.events.append_many("a", facts)
    await store.run_projections(follow=False)
    assert await totals_of(shops, store) == {"placed": 501, "paid": 501}


async def test_handlers_can_tell_the_parts_of_an_event_apart_in_both_modes(shops):
    seen: dict[str, list[int]] = {}
    for mode in ("inline", "async"):
        domain = shop(mode)

        @domain.upcaster("ordered", from_version=1)
        def ordered(event):
            return [NewEvent("noted", {}), NewEvent("noted", {})]

        parts = seen[mode] = []
        search_of(domain).on("noted")(lambda event, parts=parts: parts.append(event.part))
        store = await shops.content_store(mode, domain)
        await shops.events.append(mode, "e", "ordered", {})  # of version 1
        if mode == "async":
            await store.run_projections(follow=False)
        await store.wait_for("search")
    assert seen == {"inline": [0, 1], "async": [0, 1]}


async def test_two_that_run_one_projection_make_its_rows_once(durable_url):
    async with ramax.connect(durable_url) as one, ramax.connect(durable_url) as two:
        await create_tables(one)
        stores = [await db.content_store("a", shop("async")) for db in (one, two)]
        running = [
            asyncio.create_task(store.run_projections(poll_interval=0.05)) for store in stores
        ]
        for number in range(50):
            await stores[number % 2].execute(add, ("placed", [str(number)]))
        assert await stores[0].wait_for("search") == 50
        for task in running:
            task.cancel()
        await asyncio.wait(running)
        assert await totals_of(one, stores[0]) == {"placed": 50}


async def test_nothing_to_run_is_misuse(shops):
    for domain in (None, shop()):
        store = await shops.content_store("a", domain)
        with pytest.raises(MisuseError, match="async"):
            await store.run_projections()
    store = await shops.content_store("a", shop("async"))
    with pytest.raises(MisuseError, match="other"):
        await store.run_projections("other")
    await shops.spaces.delete("a")
    with pytest.raises(ramax.SpaceNotFoundError):
        await store.run_projections(follow=False)


@pytest.fixture
async def diaries(db):
    await diary.create_tables(db)
    return db


async def replicated(db, domain):
    store = await db.content_store("notes", domain)
    await store.replica.enable()
    return store


@pytest.mark.parametrize(
    ("order", "words"), [("canonical", ["first", "a", "b"]), ("any", ["a", "b", "first"])]
)
async def test_an_event_that_came_late_takes_its_place_or_goes_on(diaries, order, words):
    store = await replicated(diaries, diary.diary("async", order))
    await store.execute(diary.write, ("p", ["a", "b"]))
    await store.run_projections(follow=False)
    await store.replica.ingest([diary.note(diary.ONE, 1, "first", 1)])
    assert await diary.words_of(diaries, store) == ["a", "b"]
    await store.run_projections(follow=False)
    assert await diary.words_of(diaries, store) == words
    assert await store.get_checkpoint("pages") == 3
    await store.execute(diary.write, ("p", ["c"]))
    await store.run_projections(follow=False)
    assert await diary.words_of(diaries, store) == [*words, "c"]


async def test_rows_in_order_are_those_of_an_inline_projection_numbers_included(diaries):
    store = await replicated(diaries, diary.diary("async"))
    await store.execute(diary.write, ("p", ["a"]))
    await store.replica.ingest([diary.note(diary.ONE, 1, "late", 1)])
    await store.run_projections(follow=False)
    rows = await diary.pages_of(diaries, store)
    other = await diaries.content_store("other", diary.diary())
    await other.replica.enable()
    async for page in store.replica.read({}):
        await other.replica.ingest(page)
    assert await diary.pages_of(diaries, other) == rows


async def test_a_projection_pauses_where_what_came_late_cannot_be_projected(diaries):
    store = await replicated(diaries, diary.diary("async"))
    await store.execute(diary.write, ("p", ["a"]))
    await store.run_projections(follow=False)
    await store.replica.ingest(
        [diary.note(diary.ONE, 1, "late", 1), diary.note(diary.ONE, 2, "unreadable", 2)]
    )
    with pytest.raises(SubscriptionPausedError, match="unreadable"):
        await store.run_projections(follow=False, attempts=1)
    assert await diary.words_of(diaries, store) == ["a"]
    assert await store.get_checkpoint("pages") == 1


async def test_one_of_a_page_that_goes_one_by_one_takes_its_place_too(diaries, monkeypatch):
    store = await replicated(diaries, diary.diary("async"))
    await store.execute(diary.write, ("p", ["a"]))
    await store.run_projections(follow=False)
    await store.execute(diary.write, ("p", ["b"]))
    await store.replica.ingest(
        [diary.note(diary.ONE, 1, "first", 1), diary.note(diary.ONE, 2, "second", 2)]
    )
    failing = [ramax.StorageBusyError("somebody", 1.0)]

    async def rebuild(*_given):
        raise failing.pop()

    monkeypatch.setattr(reprojection, "rebuild", rebuild)
    await store.run_projections(follow=False)
    assert not failing
    assert await diary.words_of(diaries, store) == ["first", "second", "a", "b"]

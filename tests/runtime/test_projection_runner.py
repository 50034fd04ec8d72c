"""Async projections: rows and checkpoint move together, whoever fails."""

import asyncio

import pytest

import ramax
from ramax import MisuseError, NewEvent, SubscriptionPausedError
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

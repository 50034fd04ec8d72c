"""Reading one's own writes: waiting until a reader has got to an event."""

import asyncio
import time

import pytest

import ramax
from ramax import DataError, SpaceNotFoundError
from ramax.errors import ProjectionBehindError
from tests._orders import add, create_tables, rows_of, shop, totals_of


@pytest.fixture
async def shops(db):
    await create_tables(db)
    return db


async def test_the_pstate_is_folded_at_once(db):
    store = await db.content_store("a", shop("async"))
    assert await store.wait_for() == 0
    await store.events.append("order:1", "placed", {"order": "1"})
    assert await store.get_checkpoint() == 0
    assert await store.wait_for(timeout=0) == 1
    assert await store.get_checkpoint() == 1


async def test_an_inline_projection_is_caught_up_at_once(shops):
    store = await shops.content_store("a", shop())
    await store.events.append("order:1", "placed", {"order": "1"})
    assert await store.wait_for("search", timeout=0) == 1
    assert await rows_of(shops, store) == [("1", "placed", 1)]


async def test_an_async_projection_is_waited_for(shops):
    store = await shops.content_store("a", shop("async"))
    commit = await store.execute(add, ("placed", ["1", "2"]))
    with pytest.raises(ProjectionBehindError) as caught:
        await store.wait_for("search", timeout=0.03)
    error = caught.value
    assert (error.projection, error.sequence, error.actual, error.retryable) == (
        "search",
        2,
        0,
        True,
    )
    assert isinstance(error, TimeoutError)
    running = asyncio.create_task(store.run_projections(poll_interval=30))
    assert await store.wait_for("search", commit.space_sequence) == 2
    for number in range(10):
        await store.execute(add, ("paid", ["1"]))
        begun = time.monotonic()
        await store.wait_for("search")
        assert time.monotonic() - begun < 10  # not by the poll of the reader
        assert (await totals_of(shops, store))["paid"] == number + 1
    running.cancel()
    await asyncio.wait([running])


async def test_an_event_that_is_no_projections_business_is_no_hindrance(shops):
    store = await shops.content_store("a", shop("async"))
    running = asyncio.create_task(store.run_projections(poll_interval=0.1))
    await store.execute(add, ("placed", ["1"]))
    await store.events.append("e", "something.else", {})
    assert await store.wait_for("search") == 2
    running.cancel()
    await asyncio.wait([running])


async def test_a_sequence_that_is_not_there_yet_can_be_waited_for(shops):
    store = await shops.content_store("a", shop())
    waiting = asyncio.create_task(store.wait_for("search", 2))
    for number in (1, 2):
        await store.execute(add, ("placed", [str(number)]))
    assert await waiting == 2


async def test_a_subscription_can_be_waited_for(db):
    store = await db.content_store("a")
    await store.events.append("e", "t", {})
    async with store.subscribe("mailer", follow=False) as reader:
        waiting = asyncio.create_task(store.wait_for("mailer"))
        async for event in reader:
            await reader.ack(event)
        assert await waiting == 1


async def test_what_cannot_be_waited_for_is_refused(db):
    store = await db.content_store("a")
    for wrong in (("", None), ("x", -1), ("x", "1")):
        with pytest.raises(DataError):
            await store.wait_for(*wrong)
    for timeout in (-1, "1", True):
        with pytest.raises(DataError, match="timeout"):
            await store.wait_for(timeout=timeout)
    await db.spaces.delete("a")
    with pytest.raises(SpaceNotFoundError):
        await store.wait_for("x")


async def test_another_process_is_found_out_by_looking(durable_url):
    async with ramax.connect(durable_url) as here, ramax.connect(durable_url) as there:
        await create_tables(here)
        store = await here.content_store("a", shop("async"))
        await store.execute(add, ("placed", ["1"]))
        waiting = asyncio.create_task(store.wait_for("search"))
        elsewhere = await there.content_store("a", shop("async"))
        await elsewhere.run_projections(follow=False)
        assert await waiting == 1

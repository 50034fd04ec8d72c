import pytest

from ramax import SubscriptionLostError
from ramax.runtime.parking import Parking
from ramax.storage.events import as_event
from ramax.storage.parked import Reader


@pytest.fixture
async def parking(db):
    await db.content_store("acme")
    for entity in ("a", "b", "a"):
        await db.events.append("acme", entity, "t", {})
    return Parking(db._core, Reader(1, "s"))


async def put(parking, write):
    await parking._core.locked("a test", write)


async def events(db):
    return [e async for e in db.events.stream_space_events("acme")]


async def test_an_entity_waits_behind_its_first_failure(db, parking):
    first, second, third = await events(db)
    assert not await parking.holds(first)
    await put(parking, parking.failed(first, 2, "boom"))
    await put(parking, parking.behind(third))
    assert [await parking.holds(e) for e in (first, second, third)] == [True, False, True]
    assert await parking.due() == []
    assert parking.any


async def test_what_is_due_can_be_read_and_taken_out_once(db, parking):
    (first, *_) = await events(db)
    await put(parking, parking.behind(first))
    (aside,) = await parking.due()
    assert await parking.events_of(aside, lambda row: [as_event(row)]) == [first]
    await put(parking, lambda ex: parking.take_out(ex, aside))
    with pytest.raises(SubscriptionLostError):
        await put(parking, lambda ex: parking.take_out(ex, aside))
    await parking.done(aside)  # it is gone already
    assert await parking.due() == []
    assert not parking.any


async def test_one_that_fails_again_waits_again(db, parking):
    (first, *_) = await events(db)
    await put(parking, parking.behind(first))
    (aside,) = await parking.due()
    await parking.failed_again(aside, 3, "worse")
    assert await parking.due() == []


async def test_an_event_that_is_gone_is_none(db, parking):
    (first, *_) = await events(db)
    await put(parking, parking.behind(first))
    (aside,) = await parking.due()
    gone = aside._replace(space_sequence=99)
    assert await parking.events_of(gone, lambda row: [as_event(row)]) == []

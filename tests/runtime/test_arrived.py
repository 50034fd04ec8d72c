"""What a projection has to know of events that came: their numbers, and whether one is too late."""

import pytest

from ramax.runtime.arrived import UNREPLICATED, read_arrived
from tests._diary import ONE, diary, note, write


async def looked(store, domain, after, upto):
    projection = domain.projections.get("pages")
    return await store._core.read(
        lambda ex: read_arrived(ex, store.space, domain, projection, after=after, upto=upto)
    )


async def test_there_is_nothing_to_say_of_a_space_that_is_not_replicated(db):
    domain = diary("async")
    store = await db.content_store("notes", domain)
    await store.execute(write, ("p", ["a"]))
    assert await looked(store, domain, 0, 1) is UNREPLICATED
    (event,) = [each async for each in store.events.stream()]
    assert [each.space_sequence for each in UNREPLICATED.events([event])] == [1]


@pytest.mark.parametrize(("order", "too_late"), [("canonical", True), ("any", False)])
async def test_a_late_event_of_a_type_with_a_handler_is_too_late(db, order, too_late):
    domain = diary("async", order)
    store = await db.content_store("notes", domain)
    await store.replica.enable()
    await store.execute(write, ("p", ["a"]))
    await store.replica.ingest([note(ONE, 1, "late", 7)])
    arrived = await looked(store, domain, 1, 2)
    assert arrived.too_late is too_late
    assert arrived.stamps == {2: (7 << 16, False)}
    events = [each async for each in store.events.stream(from_sequence=1)]
    assert [each.space_sequence for each in arrived.events(events)] == [7 << 16]
    assert events[0].space_sequence == 2
    assert not (await looked(store, domain, 0, 1)).too_late

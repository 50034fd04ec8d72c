"""`store.events`: the log of one space, and nothing of another's."""

import pytest

from ramax import Domain, NewEvent
from ramax.errors import DataError, EventNotFoundError, SpaceNotFoundError

notes = Domain("notes", entity_id=lambda payload: f"note:{payload['id']}")


@notes.upcaster("noted", from_version=1)
def lower(event):
    return {**event.payload, "text": event.payload["text"].lower()}


@pytest.fixture
async def store(db):
    return await db.content_store("acme", notes)


async def test_the_domain_names_the_entity_of_what_is_appended(store):
    (event,) = await store.events.append_many([NewEvent("seen", {"id": "日本"})])
    assert event.entity_id == "note:日本"
    with pytest.raises(DataError, match="seen"):
        await store.events.append_many([NewEvent("seen", {})])


async def test_an_event_is_read_in_todays_shape(db, store):
    old = await db.events.append_many(
        "acme", [NewEvent("noted", {"id": 1, "text": "LOUD"}, entity_id="note:1", version=1)]
    )
    found = await store.events.get_event(old[0].event_id)
    assert found.payload["text"] == "loud"
    assert (await store.events.last(1))[0].payload == found.payload
    assert [e.payload async for e in store.events.stream()] == [found.payload]


async def test_an_event_of_another_space_is_not_found(db, store):
    other = await db.content_store("globex", notes)
    theirs = await other.events.append("note:1", "seen", {"id": 1})
    with pytest.raises(EventNotFoundError):
        await store.events.get_event(theirs.event_id)
    with pytest.raises(EventNotFoundError):
        await store.events.get_event(10**9)


async def test_the_log_of_a_deleted_space_is_not_merely_empty(db, store):
    event = await store.events.append("note:1", "seen", {"id": 1})
    await db.spaces.delete("acme", force=True)
    with pytest.raises(SpaceNotFoundError):
        await store.events.get_event(event.event_id)
    with pytest.raises(SpaceNotFoundError):
        await store.events.get_space_latest_sequence()

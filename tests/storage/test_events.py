import pytest

from ramax import NewEvent
from ramax.storage.events import (
    as_event,
    read_all_page,
    read_event,
    read_head,
    read_last_id,
    read_page,
    stored_events,
)

ODD = 'it\'s "odd", ["x"]'


@pytest.fixture
async def space(db):
    space = await db.spaces.create("s")
    other = await db.spaces.create("other")
    names = [("a", "noted"), ("b", ODD), ("a", ODD), ("b", "noted"), ("a", "seen")]
    for at, (entity, event_type) in enumerate(names):
        await db.events.append(space, entity, event_type, {"at": at})
        await db.events.append(other, entity, event_type, {"at": at})
    return space


async def sequences(db, space, **bounds):
    rows = await db._core.read(lambda ex: read_page(ex, space.space_id, **bounds))
    assert {row[1] for row in rows} <= {space.space_id}
    return [row[2] for row in rows]


async def test_pages_go_on_after_the_last_row_and_end_at_the_bound(db, space):
    assert await sequences(db, space, after=0, limit=2) == [1, 2]
    assert await sequences(db, space, after=2, limit=2) == [3, 4]
    assert await sequences(db, space, after=4, limit=2) == [5]
    assert await sequences(db, space, after=1, upto=4, limit=9) == [2, 3, 4]
    assert await sequences(db, space, after=5, limit=2) == []


async def test_pages_of_all_spaces_follow_the_ids(db, space):
    rows = await db._core.read(lambda ex: read_all_page(ex, after=3, upto=8, limit=4))
    assert [row[0] for row in rows] == [4, 5, 6, 7]
    assert len({row[1] for row in rows}) == 2


async def test_an_unknown_id_is_none_and_so_is_the_head_of_no_space(db, space):
    assert await db._core.read(lambda ex: read_event(ex, 99)) is None
    assert await db._core.read(lambda ex: read_head(ex, 99)) is None
    found = await db._core.read(lambda ex: read_event(ex, 3))
    assert found is not None
    assert (found.event_type, found.payload, found.space_sequence) == (ODD, {"at": 1}, 2)
    assert await db._core.read(lambda ex: read_head(ex, space.space_id)) == 5


async def test_the_last_id_does_not_go_back_when_events_are_deleted(db, space):
    await db.spaces.delete("other", force=True)
    await db.spaces.delete(space, force=True)
    assert await db._core.read(read_last_id) == 10


async def test_the_last_id_is_0_before_the_first_event(db):
    assert await db._core.read(read_last_id) == 0


async def test_what_an_applicator_sees_is_the_event_without_its_ids(db, space):
    new = NewEvent("t", {"x": 1}, entity_id="e", correlation_id="c", metadata={"m": 1})
    await db.events.append_many(space, [new])
    rows = await db._core.read(lambda ex: read_page(ex, space.space_id, after=5, limit=1))
    event, (applied,) = as_event(rows[0]), stored_events(rows, ids=False)
    assert (event.event_id, event.space_id) == (11, space.space_id)
    assert not hasattr(applied, "event_id")
    assert not hasattr(applied, "space_id")
    for name in ("space_sequence", "entity_id", "payload", "micros", "correlation_id", "metadata"):
        assert getattr(applied, name) == getattr(event, name)

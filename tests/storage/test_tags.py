import sqlalchemy as sa

from ramax import NewEvent
from ramax.core.tags import pack_tags
from ramax.storage.tags import tag_rows
from tests._plans import appended, plan, write


async def stored(db):
    async with db.connection() as connection:
        rows = await connection.execute(
            sa.text("SELECT space_id, tag, space_sequence FROM event_tags ORDER BY 1, 2, 3")
        )
        return [tuple(row) for row in rows]


async def test_each_tag_of_an_event_is_a_row_of_its_space(db):
    a, b = await db.spaces.create("a"), await db.spaces.create("b")
    await db.events.append_many(
        a,
        [
            NewEvent("t", {}, entity_id="e", tags=["y", "x", "x"]),
            NewEvent("t", {}, entity_id="e"),
            NewEvent("t", {}, entity_id="e", tags=["x"]),
        ],
    )
    await db.events.append(b, "e", "t", {}, tags={"x"})
    assert await stored(db) == [(1, "x", 1), (1, "x", 3), (1, "y", 1), (2, "x", 1)]


def test_without_tags_there_is_nothing_to_write():
    assert tag_rows([appended(1, 3)]) == []


async def test_tags_of_a_space_that_lost_its_guard_are_not_written(db):
    space = await db.spaces.create("a")
    await db.events.append(space, "e", "t", {})
    late = appended(space.space_id)  # decided before that event
    late.events = [late.events[0]._replace(tags=pack_tags(["x"]))]
    assert await write(db, plan(late, extras=tuple(tag_rows([late])))) == {}
    assert await stored(db) == []

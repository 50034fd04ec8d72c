"""Two read models, compared in the database."""

import pytest

from ramax.storage import diffs
from tests._domains import documents, put


@pytest.fixture
async def two(db):
    """The same but for `x`, which is another, `l` and `r`, which only one has."""
    found = []
    for name, values in (("left", {"x": 1, "y": 1, "l": 1}), ("right", {"x": 2, "y": 1, "r": 1})):
        store = await db.content_store(name, documents())
        for key, value in values.items():
            await store.execute(put, [key, {"v": value}])
        found.append(store)
    await found[0].pstate.put("beside", 1)
    return found


async def read(db, two, work):
    ids = [store.space.space_id for store in two]
    return await db._core.read(lambda ex: work(ex, *ids))


async def test_what_both_have_and_not_the_same_is_found(db, two):
    (stored,) = await read(db, two, diffs.read_different)
    assert stored.key == "x"
    assert stored.here != stored.there


async def test_what_one_lacks_is_found_by_key(db, two):
    assert await read(db, two, diffs.read_missing) == ["beside", "l"]
    assert await read(db, two[::-1], diffs.read_missing) == ["r"]


async def test_keys_are_counted(db, two):
    assert await read(db, two, lambda ex, left, right: diffs.count(ex, left)) == 4


async def test_what_was_written_since_a_time_is_found_and_what_was_put_beside(db, two):
    last = [event async for event in two[0].events.stream()][-1]
    found = await read(
        db, two, lambda ex, left, right: diffs.read_touched(ex, left, right, last.micros)
    )
    assert {each.key for each in found} >= {"beside", "l"}
    assert next(each for each in found if each.key == "l").there is None
    only = await read(db, two, lambda ex, left, right: diffs.read_touched(ex, left, right, None))
    assert [each.key for each in only] == ["beside"]
    assert await read(db, two[::-1], lambda ex, a, b: diffs.read_touched(ex, a, b, None)) == []

import pytest

from ramax.core.sync.place import FoldPlace
from ramax.storage import canonical_snapshots as stored


def at(count):
    return FoldPlace((count, b"o" * 16, count), count, {b"o" * 16: count})


@pytest.fixture
async def spaces(db):
    found = [await db.spaces.create(name) for name in ("one", "two")]

    def work(ex):
        for space in found:
            for count in (1, 2, 3):
                stored.write_canonical(ex, space.space_id, "f", at(count), [("k", b"%d" % count)])
            stored.write_canonical(ex, space.space_id, "g", at(4), [])

    await db._core.locked("a test", work)
    return [each.space_id for each in found]


async def counts(db, space_id, fold="f"):
    found = await db._core.read(lambda ex: stored.read_canonical(ex, space_id, fold))
    return [each.place.events for each in found]


async def test_what_knows_a_late_event_goes_and_what_does_not_stays(db, spaces):
    one, two = spaces
    await db._core.locked("a test", lambda ex: stored.drop_canonical_from(ex, one, 2))
    assert [await counts(db, one), await counts(db, two)] == [[1], [1, 2, 3]]
    assert await counts(db, one, "g") == []


async def test_those_of_other_folds_are_not_found_and_can_be_dropped(db, spaces):
    one, two = spaces
    await db._core.locked("a test", lambda ex: stored.drop_other_folds(ex, one, "g"))
    assert [await counts(db, one), await counts(db, one, "g")] == [[], [4]]
    await db._core.locked("a test", lambda ex: stored.drop_canonical(ex, two, at(2)))
    assert await counts(db, two) == [1, 3]


async def test_a_space_takes_its_snapshots_with_it(db, spaces):
    one, two = spaces
    await db.spaces.delete("one", force=True)
    assert [await counts(db, one), await counts(db, two)] == [[], [1, 2, 3]]


async def test_a_snapshot_without_keys_has_a_chunk(db, spaces):
    read = stored.read_canonical_chunk
    assert await db._core.read(lambda ex: read(ex, spaces[0], at(4), 0)) == {}
    assert await db._core.read(lambda ex: read(ex, spaces[0], at(9), 0)) is None

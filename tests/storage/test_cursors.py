import pytest

from ramax.storage import cursors
from ramax.storage.cursors import ALL_SPACES, Owner, Place, Position
from ramax.storage.subscriptions import Key, add, take
from tests._domains import add as count
from tests._domains import counter

ME = Owner("me", "s", 0)


def own(ex, space_id):
    add(ex, Key(space_id, "s"), 1)
    assert take(ex, Key(space_id, "s"), "me", 1, 2)


async def test_a_reader_of_a_space_counts_sequences_and_keeps_the_id_of_the_event(db):
    store = await db.content_store("a", counter())
    await db.events.append("a", "e", "t", {})
    last = (await store.execute(count)).events[0]
    space_id = store.space.space_id

    def work(ex):
        assert cursors.read(ex, space_id, "s") is None
        own(ex, space_id)
        cursors.begin(ex, space_id, "s", 1, 5)
        cursors.begin(ex, space_id, "s", 2, 5)
        assert cursors.read(ex, space_id, "s") == Place(1)
        to = Position(space_id, "s", Place(2))
        assert not cursors.move(ex, to, expected=Place(0), by=ME, event_id=None, now=6)
        other = ME._replace(me="other")
        assert not cursors.move(ex, to, expected=Place(1), by=other, event_id=None, now=6)
        assert cursors.move(ex, to, expected=Place(1), by=ME, event_id=None, now=6)
        return ex.rows(cursors._read, {"space_id": space_id, "name": "s"})

    assert [tuple(row) for row in await db._core.locked("t", work)] == [(2, last.event_id, 0)]


async def test_a_reader_of_all_spaces_counts_ids_and_is_nobodys(db):
    store = await db.content_store("a", counter())

    def work(ex):
        cursors.begin(ex, ALL_SPACES, "s", 0, 5)
        cursors.begin(ex, store.space.space_id, "s", 0, 5)
        to = Position(ALL_SPACES, "s", Place(7))
        own(ex, ALL_SPACES)
        assert not cursors.move(ex, to, expected=Place(1), by=ME, event_id=None, now=6)
        assert cursors.move(ex, to, expected=Place(0), by=ME, event_id=None, now=6)
        assert cursors.read(ex, store.space.space_id, "s") == Place(0)
        cursors.remove(ex, store.space.space_id, "s")
        return cursors.read(ex, ALL_SPACES, "s"), cursors.read(ex, store.space.space_id, "s")

    assert await db._core.locked("t", work) == (Place(7), None)
    assert await db.checkpoints.list("a") == {}


@pytest.mark.parametrize("over_all", [False, True])
async def test_a_place_within_an_event_is_compared_and_passed_by_its_parts(db, over_all):
    store = await db.content_store("a", counter())
    for _ in range(3):
        await store.execute(count)
    space_id = ALL_SPACES if over_all else store.space.space_id

    def work(ex):
        def moved(expected, to):
            place = Position(space_id, "s", to)
            return cursors.move(ex, place, expected=expected, by=ME, event_id=None, now=6)

        own(ex, space_id)
        cursors.begin(ex, space_id, "s", 1, 5)
        assert moved(Place(1), Place(1, 2))
        assert not moved(Place(1), Place(2))
        assert not moved(Place(1, 1), Place(2))
        assert cursors.read(ex, space_id, "s") == Place(1, 2)
        for to, expected in (
            (Place(1, 1), Place(1, 2)),  # it never goes back
            (Place(1, 3), Place(1, 3)),
            (Place(2, 1), Place(2, 1)),
            (Place(2), Place(2, 1)),
        ):
            cursors.pass_over(ex, Position(space_id, "s", to), 6)
            assert cursors.read(ex, space_id, "s") == expected
        assert moved(Place(2, 1), Place(3))
        return cursors.read(ex, space_id, "s")

    assert await db._core.locked("t", work) == Place(3)

from ramax.storage import parked
from ramax.storage.cursors import ALL_SPACES
from ramax.storage.parked import FAILED, RETRY, WAITING, Parked, Reader

MINE, FEED = Reader(1, "s"), Reader(ALL_SPACES, "s")


def event(sequence, state=FAILED, *, part=0, entity="e", space_id=1):
    return Parked(space_id, sequence, part, entity, state, 1, "boom", 5)


async def on(db, *steps):
    return await db._core.locked("a test", lambda ex: [step(ex) for step in steps])


async def test_readers_of_one_name_park_apart(db):
    for name in ("a", "b"):
        await db.spaces.create(name)
    await db.branches.create("other")
    elsewhere = (await db.at_branch("other").spaces.create("a")).space_id
    await on(
        db,
        lambda ex: parked.add(ex, Reader(-2, "s"), event(1, space_id=elsewhere)),
        lambda ex: parked.add(ex, MINE, event(1)),
        lambda ex: parked.add(ex, FEED, event(1)),
        lambda ex: parked.add(ex, FEED, event(1, space_id=2)),
    )
    mine, feed = await on(
        db, lambda ex: parked.listed(ex, MINE), lambda ex: parked.listed(ex, FEED)
    )
    assert mine == [event(1)]
    assert feed == [event(1), event(1, space_id=2)]
    found = await on(
        db,
        lambda ex: parked.is_parked(ex, MINE, 1, "e"),
        lambda ex: parked.is_parked(ex, MINE, 1, "f"),
        lambda ex: parked.is_parked(ex, MINE, 2, "e"),
        lambda ex: parked.is_parked(ex, FEED, 2, "e"),
    )
    assert found == [True, False, False, True]
    await on(db, lambda ex: parked.remove_all(ex, MINE, 1))
    assert await on(db, lambda ex: parked.listed(ex, MINE), lambda ex: parked.listed(ex, FEED)) == [
        [],
        feed,
    ]


async def test_what_failed_is_tried_again_when_somebody_says_so(db):
    found = await on(
        db,
        lambda ex: parked.add(ex, MINE, event(1)),
        lambda ex: parked.retry(ex, MINE, 1, 1, 0),
        lambda ex: parked.retry(ex, MINE, 1, 1, 0),
        lambda ex: parked.failed_again(ex, MINE, event(1), 3, "worse"),
        lambda ex: parked.listed(ex, MINE),
        lambda ex: parked.remove(ex, MINE, 1, 1, 0),
        lambda ex: parked.remove(ex, MINE, 1, 1, 0),
    )
    again = [event(1)._replace(attempts=4, error="worse")]
    assert found == [None, True, False, None, again, True, False]


def test_due_is_what_nothing_failed_lies_before_in_its_entity():
    rows = [
        event(1, FAILED),
        event(2, WAITING),
        event(3, RETRY),
        event(4, RETRY, entity="f"),
        event(5, WAITING, entity="f"),
        event(6, FAILED, entity="f"),
        event(7, WAITING, entity="f"),
        event(1, WAITING, space_id=2),
    ]
    assert [(e.space_id, e.space_sequence) for e in parked.due(rows)] == [(1, 4), (1, 5), (2, 1)]


async def test_parts_of_an_event_are_parked_apart(db):
    whole = event(2, part=parked.WHOLE)
    first, second = event(1), event(1, part=1, entity="f")
    found = await on(
        db,
        *(lambda ex, e=each: parked.add(ex, MINE, e) for each in (whole, second, first)),
        lambda ex: parked.listed(ex, MINE),
        lambda ex: parked.retry(ex, MINE, 1, 1, 1),
        lambda ex: parked.failed_again(ex, MINE, second, 1, "worse"),
        lambda ex: parked.remove(ex, MINE, 1, 1, 0),
        lambda ex: parked.remove(ex, MINE, 1, 2, 0),
        lambda ex: parked.remove(ex, MINE, 1, 2, parked.WHOLE),
        lambda ex: parked.listed(ex, MINE),
    )
    worse = second._replace(attempts=2, error="worse")
    assert found[3:] == [[first, second, whole], True, None, True, False, True, [worse]]

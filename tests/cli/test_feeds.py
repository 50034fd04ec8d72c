import pytest

from ramax.cli.criteria import Criteria
from ramax.cli.feeds import feed_of
from ramax.core.query import Query
from ramax.errors import CodecError, SpaceNotFoundError
from tests.runtime._damage import damage


async def sequences(feed, *arguments):
    return [event.space_sequence async for event in feed.events(*arguments)]


@pytest.fixture
async def spaces(db):
    """a: events 1 to 3, b: event 1, a: event 4."""
    await db.spaces.create("a")
    await db.spaces.create("b")
    for space, kind in (("a", "x"), ("a", "y"), ("a", "x"), ("b", "x"), ("a", "x")):
        await db.events.append(space, "e", kind, {})
    return db


async def test_a_feed_of_a_space_goes_on_where_it_was(spaces):
    feed = await feed_of(spaces, "a")
    assert await feed.newest() == 4
    assert await sequences(feed) == [1, 2, 3, 4]
    assert await sequences(feed) == []
    await spaces.events.append("b", "e", "x", {})
    await spaces.events.append("a", "e", "x", {})
    assert await sequences(feed) == [5]
    assert feed.position == 5


async def test_a_feed_of_all_spaces_goes_by_event_id(spaces):
    feed = await feed_of(spaces, None)
    assert await feed.newest() == 5
    found = [(event.event_id, await feed.name_of(event)) async for event in feed.events()]
    assert found == [(1, "a"), (2, "a"), (3, "a"), (4, "b"), (5, "a")]
    assert feed.position == 5


@pytest.mark.parametrize(("space", "ids"), [("a", [2, 3]), (None, [2, 3])])
async def test_bounds_are_positions(spaces, space, ids):
    feed = await feed_of(spaces, space)
    feed.position = 1
    assert [event.event_id async for event in feed.events(3)] == ids


@pytest.mark.parametrize(("space", "ids"), [("a", [1, 3, 5]), (None, [1, 3, 4, 5])])
async def test_only_the_types_that_are_wanted(spaces, space, ids):
    feed = await feed_of(spaces, space)
    assert [event.event_id async for event in feed.events(None, Criteria(Query(["x", "z"])))] == ids


@pytest.mark.parametrize("space", ["a", None])
async def test_stepping_back_counts_what_is_wanted(spaces, space):
    feed = await feed_of(spaces, space)
    stepped = []
    for lines, wanted in (
        (0, Criteria(Query())),
        (1, Criteria(Query(["x"]))),
        (2 if space else 3, Criteria(Query(["x", "y"]))),
        (9, Criteria(Query(["x"]))),
    ):
        await feed.step_back(lines, wanted)
        stepped.append(feed.position)
    newest = 4 if space else 5
    assert stepped == [newest, newest - 1, 2, 0]
    await feed.step_back(5, Criteria(Query(["none"])))
    assert feed.position == newest


async def test_a_space_is_read_backwards_too(spaces):
    feed = await feed_of(spaces, "a")
    found = [event.space_sequence async for event in feed.events(3, reverse=True)]
    assert found == [3, 2, 1]


@pytest.mark.parametrize(("space", "before"), [("a", [1, 2, 3]), (None, [1, 2, 3, 4])])
async def test_an_event_that_cannot_be_read_is_named_by_the_one_before(spaces, space, before):
    await damage(spaces, "UPDATE events SET payload = :bad WHERE event_id = 5", bad=b"\xc1")
    feed, found = await feed_of(spaces, space), []
    with pytest.raises(CodecError, match=f"the first event after {before[-1]} .*`ramax verify`"):
        async for event in feed.events():
            found.append(event.event_id)
    assert found == before


async def test_a_default_space_is_followed_from_before_its_first_event(durable_db):
    feed = await feed_of(durable_db, "default")
    assert await sequences(feed) == []
    await durable_db.events.append("default", "e", "x", {})
    assert await sequences(feed) == [1]


async def test_a_space_that_is_renamed_is_followed_and_one_that_is_deleted_is_not(spaces):
    feed = await feed_of(spaces, "a")
    await spaces.spaces.rename("a", "c")
    [first, *_] = [event async for event in feed.events()]
    assert await feed.name_of(first) == "c"
    await spaces.spaces.delete("c", force=True)
    with pytest.raises(SpaceNotFoundError):
        await sequences(feed)


async def test_an_unknown_space_has_no_feed(db):
    with pytest.raises(SpaceNotFoundError):
        await feed_of(db, "nobody")


async def test_an_event_of_a_deleted_space_goes_by_its_id(spaces):
    feed = await feed_of(spaces, None)
    event = await spaces.events.get_event(4)
    await spaces.spaces.delete("b", force=True)
    assert await feed.name_of(event) == "2"

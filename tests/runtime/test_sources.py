import pytest

from ramax import SpaceNotFoundError
from ramax.runtime.sources import FeedSource, Only, SpaceSource
from tests._domains import add, counter


@pytest.fixture
async def stores(db):
    made = [await db.content_store(name, counter()) for name in ("a", "b")]
    for store in (*made, *made, made[0]):
        await store.execute(add)
    return made


async def pages(db, source, limit):
    after, found = 0, []
    while True:
        page = await db._core.read(lambda ex, start=after: source.read(ex, start, limit))
        found.append((len(page.rows), page.upto, page.complete))
        after = page.upto
        if page.complete:
            return found


async def test_a_page_says_how_far_it_looked_and_whether_there_is_more(db, stores):
    source = SpaceSource(stores[0].space, Only())
    assert await pages(db, source, 2) == [(2, 2, False), (1, 3, True)]
    assert await pages(db, SpaceSource(stores[0].space, Only()), 3) == [(3, 3, True)]
    assert await pages(db, FeedSource(Only(), 0, 1), 4) == [(4, 4, False), (1, 5, True)]


async def test_what_is_not_wanted_counts_as_looked_at(db, stores):
    nothing = Only(types=frozenset())
    assert await pages(db, SpaceSource(stores[0].space, nothing), 9) == [(0, 3, True)]
    nobody = Only(types=frozenset({"x"}))
    assert await pages(db, SpaceSource(stores[0].space, nobody), 2) == [(0, 2, False), (0, 3, True)]
    assert await pages(db, FeedSource(Only(types=frozenset({"x"})), 0, 1), 9) == [(0, 5, True)]
    own = await pages(db, FeedSource(Only(), stores[1].space.space_id % 2, 2), 9)
    assert own == [(2, 5, True)]


async def test_what_comes_later_is_on_the_next_page(db, stores):
    source = SpaceSource(stores[0].space, Only())
    feed = FeedSource(Only(), 0, 1)
    for each in (source, feed):
        await pages(db, each, 9)
    await stores[0].execute(add)
    page = await db._core.read(lambda ex: source.read(ex, 3, 9))
    assert [e.space_sequence for row in page.rows for e in source.events(row)] == [4]
    page = await db._core.read(lambda ex: feed.read(ex, 5, 9))
    assert [feed.position(e) for row in page.rows for e in feed.events(row)] == [6]
    assert await db._core.read(source.end) == 4
    assert await db._core.read(feed.end) == 6


async def test_the_end_of_a_deleted_space_is_an_error(db, stores):
    source = SpaceSource(stores[0].space, Only())
    await db.spaces.delete("a", force=True)
    with pytest.raises(SpaceNotFoundError):
        await db._core.read(source.end)

"""No read on one branch ever shows what was written later on another, and no write reaches it.

The same verbs as between two spaces (tests/test_isolation.py), between a space and its fork: both
hold what was there before, and each what it wrote since.
"""

from collections.abc import AsyncIterator
from typing import Any

import pytest

import ramax
from ramax import ContentStore, Database, Ref, SpaceManager
from ramax.errors import EventNotFoundError, MisuseError, SpaceInUseError
from ramax.runtime.text_search import ALL
from tests._merging import took_over
from tests._reading import park
from tests._tables import of_space
from tests.test_isolation import (
    CASES,
    MATRIX,
    MINE,
    THEIRS,
    Two,
    docs,
    drain,
    dump_all,
    fill,
    linked_documents,
    sealed,
)

OTHERWISE = {
    "at": "goes from the store of the one branch to that branch's space",
    "delete": "the space of a fork that was forked further is refused; tested with branches",
    "clone": "makes a third space; nothing of these two",
    "create": "the name of a third space; nothing of these two",
}


async def prepared(db: Database, store: ContentStore, of: str) -> None:
    """Write everything that there is to write, with a value that shows whose it is."""
    space = store.space
    await store.execute(fill, of, idempotency_key="same", correlation_id=of)
    await store.pstate.put("direct", {"of": of})
    assert await drain(store.pstate.referrers("k0")) == ["link:1"]
    await store.update_checkpoint(3, name="reader")
    await db.spaces.enable_hash_chain(space)
    await db.spaces.enable_search(space, fields={"": ["of"]})
    await store.snapshots.take(9)
    async with store.subscribe("subscription", start=2) as s:
        await s.ack(await anext(s))
    await park(store_database(db), space.space_id, of)
    await took_over(store_database(db), space.space_id)
    await sealed(store).set("k0", of)


def store_database(db: Database) -> Database:
    return db.at_branch("main")


POSTGRES = [pytest.mark.nightly, pytest.mark.postgres]
SIDES = [
    pytest.param(("fork", "sqlite_url"), id="fork-sqlite"),
    pytest.param(("parent", "sqlite_url"), id="parent-sqlite", marks=pytest.mark.nightly),
    pytest.param(("fork", "postgres_url"), id="fork-postgres", marks=POSTGRES),
    pytest.param(("parent", "postgres_url"), id="parent-postgres", marks=POSTGRES),
]


@pytest.fixture(params=SIDES)
def side(request: pytest.FixtureRequest) -> tuple[str, str]:
    """Which of the two is mine, and in which database."""
    mine, url = request.param
    return mine, str(request.getfixturevalue(url))


@pytest.fixture
async def two(side: tuple[str, str]) -> AsyncIterator[Two]:
    """A space and its fork, of which the one is mine."""
    async with ramax.connect(side[1], synchronous="OFF") as db:
        yield await made(db, side[0])


async def made(db: Database, which: str) -> Two:
    async with db.connection() as connection:
        await connection.run_sync(docs.metadata.create_all)
        await connection.commit()
    parent = await db.content_store(MINE, linked_documents())
    await parent.execute(fill, "before")
    await parent.pstate.put("link:1", {"of": "before", "see": Ref("k0")})
    await db.branches.fork("main", "experiment")
    view = db.at_branch("experiment")
    fork = await view.content_store(MINE, linked_documents())
    sides = [(db, parent), (view, fork)]
    if which == "parent":
        sides.reverse()
    (their_db, theirs), (my_db, mine) = sides
    await prepared(their_db, theirs, THEIRS)
    await prepared(my_db, mine, MINE)
    both = Two(my_db, mine, theirs)
    both.before = await dump_all(db)
    return both


@pytest.mark.parametrize(("kind", "name"), CASES)
async def test_no_verb_shows_or_changes_what_the_other_branch_has(
    two: Two, kind: type, name: str
) -> None:
    if name in OTHERWISE:
        return
    try:
        answer: Any = await MATRIX[kind][name](two)
    except SpaceInUseError:
        answer = None  # of the parent there are things that the fork needs
    except MisuseError as error:  # whatever else is refused is a mistake here
        forked = two.mine.space.branch_id != 1 and "was forked" in str(error)
        if kind is not SpaceManager or not forked:
            raise
        answer = None
    assert THEIRS not in repr(answer)
    theirs = two.theirs.space.space_id
    assert of_space(await dump_all(two.db), theirs) == of_space(two.before, theirs)


async def test_an_event_of_before_is_found_on_both_sides_and_a_later_one_on_its_own(two: Two):
    before, later = [await two.theirs.events.get_events("k0")][0]
    assert (await two.mine.events.get_event(before.event_id)).payload["of"] == "before"
    assert (await two.db.events.get_event(before.event_id)).space_id == two.space.space_id
    for find in (two.mine.events, two.db.events, (await two.mine.as_of(10)).events):
        with pytest.raises(EventNotFoundError):
            await find.get_event(later.event_id)


async def test_what_is_about_all_spaces_is_about_those_of_the_branch(two: Two):
    listed = await two.db.spaces.list_all()
    assert [s.space_id for s in listed if s.space_name == MINE] == [two.space.space_id]
    assert two.theirs.space.space_id not in {s.space_id for s in listed}
    stats = [s for s in await two.db.spaces.stats() if s.space.space_name == MINE]
    assert [(s.space, s.event_count) for s in stats] == [(two.space, 10)]
    feed = await drain(two.db.events.stream_all_events())
    assert {e.space_id for e in feed} == {two.space.space_id}
    async with two.db.subscribe_all("feed", follow=False) as s:
        assert [e.event_id async for e in s] == [e.event_id for e in feed]
    assert {r.space.space_id for r in await drain(two.db.verify())} == {two.space.space_id}
    assert THEIRS not in repr(await two.db.search(THEIRS, spaces=ALL))
    assert THEIRS not in repr(await two.db.subscriptions.list())

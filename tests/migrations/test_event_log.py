"""What the revisions of the log's columns do to a filled database, up and down."""

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

import ramax
from ramax import NewEvent
from ramax.errors import StorageError
from ramax.storage import migrate
from tests._domains import counter

BEFORE = "ramax_0002"


@pytest.fixture
async def engine(durable_url):
    engine = create_async_engine(durable_url)
    yield engine
    await engine.dispose()


async def rows(engine: AsyncEngine, text: str):
    async with engine.connect() as connection:
        return [tuple(row) for row in await connection.execute(sa.text(text))]


async def fill(url: str, *new_events: NewEvent) -> None:
    async with ramax.connect(url) as db:
        store = await db.content_store("a", counter())
        await store.execute(lambda _, params: params, list(new_events))


ALL = "SELECT event_id, space_id, space_sequence, payload, timestamp, metadata FROM events"


async def test_old_events_are_of_version_1_and_keep_every_byte(durable_url, engine):
    await fill(durable_url, *[NewEvent("added", {"by": n}, metadata={"n": n}) for n in range(3)])
    before = await rows(engine, ALL)
    await migrate.downgrade(engine, BEFORE)
    assert await rows(engine, ALL) == before
    await migrate.upgrade(engine)
    assert await rows(engine, ALL) == before
    assert set(await rows(engine, "SELECT version, tags FROM events")) == {(1, None)}
    async with ramax.connect(durable_url) as db:
        store = await db.content_store("a", counter())
        assert await store.pstate.get("n") == 3
        found = [event async for event in store.events.stream_space_events()]
        assert [(e.version, e.tags) for e in found] == [(1, ())] * 3


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (NewEvent("t", {}, entity_id="e", version=2), "1 events are of a version above 1"),
        (NewEvent("t", {}, entity_id="e", tags=["x"]), "1 events have tags"),
    ],
)
async def test_going_back_is_refused_where_it_would_lose_something(
    durable_url, engine, event, said
):
    await fill(durable_url, event)
    before = await rows(engine, ALL)
    with pytest.raises(StorageError, match=said):
        await migrate.downgrade(engine, BEFORE)
    assert await rows(engine, ALL) == before

"""ramax_0013 on a filled database: no event comes again, and what was parked is parked once."""

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine

import ramax
from ramax import Domain, NewEvent
from ramax.storage import migrate

PARKED = "space_id, subscription, over_all, space_sequence, entity_id, state, attempts, error"
QUERIES = {
    "checkpoints": "SELECT space_id, name, last_event_id, last_space_sequence"
    " FROM projection_checkpoints ORDER BY 1, 2",
    "subscriptions": "SELECT space_id, name, stopped_at, reason FROM event_subscriptions"
    " ORDER BY 1, 2",
    "parked": f"SELECT {PARKED}, parked_at FROM parked_events ORDER BY 1, 2, 3, 4",
}


async def asked(engine, query):
    async with engine.connect() as connection:
        return [tuple(row) for row in await connection.execute(sa.text(query))]


def splitting():
    domain = Domain("d", entity_id=lambda _: "e")
    domain.upcaster("old", from_version=1)(
        lambda event: [NewEvent("new", {}, entity_id=e) for e in event.payload["of"]]
    )
    return domain


async def fails(event):
    if event.entity_id == "a":
        raise RuntimeError("no")


@pytest.fixture
async def filled(durable_url):
    async with ramax.connect(durable_url) as db:
        store = await db.content_store("acme", splitting())
        for of in ("x", "aba", "x"):
            await db.events.append("acme", "e", "old", {"of": of})
        async with store.subscribe("between") as s:
            for _ in range(3):
                await s.ack(await anext(s))
        async with store.subscribe("parks", follow=False) as s:
            await s.run(fails, attempts=1, on_error="park")
        async with db.subscribe_all("stops", domain=splitting(), follow=False) as s:
            with pytest.raises(ramax.SubscriptionPausedError):
                await s.run(fails, attempts=1)
    return durable_url


async def test_down_and_up_on_a_filled_database(filled):
    engine = create_async_engine(filled)
    before = {name: await asked(engine, query) for name, query in QUERIES.items()}
    assert len(before["parked"]) == 2  # two parts about "a" of one event
    await migrate.downgrade(engine, "ramax_0012")
    down = {name: await asked(engine, query) for name, query in QUERIES.items()}
    assert down == before | {"parked": before["parked"][:1]}
    await migrate.upgrade(engine)
    assert await migrate.check(engine) == []
    assert {name: await asked(engine, query) for name, query in QUERIES.items()} == down
    parts = "SELECT part FROM parked_events"
    assert await asked(engine, parts) == [(-1,)]
    await engine.dispose()
    async with ramax.connect(filled) as db:
        store = await db.content_store("acme", splitting())
        (aside,) = await db.subscriptions.parked("parks", space="acme")
        assert (aside.space_sequence, aside.part) == (2, None)
        await db.subscriptions.retry("parks", aside, space="acme")
        seen = []

        async def handle(event):
            seen.append(event.entity_id)

        async with store.subscribe("parks", follow=False) as s:
            await s.run(handle, on_error="park")
        assert seen == ["a", "b", "a"]  # as a whole, which is how it was parked
        assert await db.subscriptions.parked("parks", space="acme") == []
        await db.subscriptions.skip("stops")  # the whole event, too
        async with db.subscribe_all("stops", domain=splitting(), follow=False) as s:
            assert [(e.space_sequence, e.part) async for e in s] == [(3, 0)]
        async with store.subscribe("between", follow=False) as s:
            assert [(e.space_sequence, e.part) async for e in s][0] == (2, 0)

"""What the revision of the index of references does to a filled database, up and down."""

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

import ramax
from ramax import Domain, Ref
from ramax.storage import migrate
from tests._cards import old_cards, put

BEFORE = "ramax_0007"
VALUES = "SELECT space_id, key, value, format, updated_at, direct FROM pstate_entities ORDER BY key"


@pytest.fixture
async def engine(durable_url):
    engine = create_async_engine(durable_url)
    yield engine
    await engine.dispose()


async def rows(engine: AsyncEngine, text: str):
    async with engine.connect() as connection:
        return [tuple(row) for row in await connection.execute(sa.text(text))]


def indexed() -> Domain:
    domain = old_cards()
    fields = {"deck": ramax.field(index=True), "__annotations__": {"deck": Ref}}
    domain.entity("card")(type("Card", (), fields))
    return domain


async def test_the_index_goes_and_comes_back_and_no_value_changes(durable_url, engine):
    async with ramax.connect(durable_url) as db:
        store = await db.content_store("a", indexed())
        for number in range(3):
            await store.execute(put, (f"card:{number}", {"deck": Ref("deck:d")}))
        assert [key async for key in store.pstate.referrers("deck:d")] == [
            "card:0",
            "card:1",
            "card:2",
        ]
    before = await rows(engine, VALUES)
    assert len(await rows(engine, "SELECT source FROM pstate_refs")) == 3
    await migrate.downgrade(engine, BEFORE)
    assert await rows(engine, VALUES) == before
    await migrate.upgrade(engine)
    assert await rows(engine, VALUES) == before
    assert await rows(engine, "SELECT source FROM pstate_refs") == []
    assert await rows(engine, "SELECT indexed FROM spaces") == [(None,)]
    async with ramax.connect(durable_url) as db:
        store = await db.content_store("a", indexed())
        assert len([key async for key in store.pstate.referrers("deck:d")]) == 3

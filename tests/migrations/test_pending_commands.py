"""ramax_0019 on a filled database: down refuses to lose what the authority has not heard of."""

import pytest
from sqlalchemy.ext.asyncio import create_async_engine

import ramax
from ramax import Follower
from ramax.storage import migrate
from tests.sync._booking import COMMANDS, booking, count


async def test_down_and_up_on_a_filled_database(durable_url):
    async with (
        ramax.connect() as server,
        ramax.connect(durable_url) as db,
        Follower(
            db, "plane", booking, server, commands=COMMANDS, on_conflict=lambda *_: "drop"
        ) as plane,
    ):
        await plane.execute(count, (1, "a"))
        engine = create_async_engine(durable_url)
        with pytest.raises(RuntimeError, match="1 command"):
            await migrate.downgrade(engine, "ramax_0018")
        await plane.sync()
    await migrate.downgrade(engine, "ramax_0018")
    await migrate.upgrade(engine)
    assert await migrate.check(engine) == []
    await engine.dispose()
    async with ramax.connect(durable_url) as db:
        store = await db.content_store("plane", booking)
        assert await store.pstate.get("sum") == 1

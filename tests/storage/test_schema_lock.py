import asyncio

import pytest
import sqlalchemy as sa

from ramax.storage.create import create
from ramax.storage.engine import make_engine
from ramax.storage.schema_lock import schema_transaction

LONG = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 2000000) "


async def test_a_cancelled_change_leaves_no_lock_and_waits_for_none(sqlite_url):
    engine, opened = make_engine(sqlite_url), []
    sa.event.listen(engine.sync_engine, "connect", lambda *_: opened.append(1))
    begun = asyncio.Event()

    async def change() -> None:
        async with schema_transaction(engine) as connection:
            await connection.exec_driver_sql("CREATE TABLE half (x INTEGER)")
            begun.set()
            await connection.exec_driver_sql(f"{LONG} INSERT INTO half SELECT x FROM n")

    changing = asyncio.create_task(change())
    await begun.wait()
    changing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await changing
    # another connection would wait for the one that was given up in the middle of its work
    assert len(opened) == 1
    assert (await create(engine)).kind == "current"
    async with engine.connect() as connection:
        assert not await connection.run_sync(lambda c: sa.inspect(c).has_table("half"))
    await engine.dispose()

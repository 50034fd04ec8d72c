import asyncio
import json
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import create_async_engine

from ramax.runtime.announcements import Announcements
from tests._domains import add, counter
from tests._reading import until


@pytest.fixture
async def heard(postgres_url):
    """What a connection of PostgreSQL hears."""
    engine = create_async_engine(postgres_url)
    found = []
    async with engine.connect() as connection:
        driver: Any = (await connection.get_raw_connection()).driver_connection
        await driver.add_listener("ramax", lambda *told: found.append(json.loads(told[3])))
        yield found
        await driver.remove_listener("ramax", lambda *_: None)
        await driver.close()
    await engine.dispose()


@pytest.mark.postgres
async def test_commits_are_told_together_and_only_while_somebody_subscribes(db_on_postgres, heard):
    db = db_on_postgres
    stores = [await db.content_store(name, counter()) for name in ("a", "b")]
    told = db._core._announcements
    told._look_at = 0.0  # it may look at once
    await stores[0].execute(add)
    await until(lambda: told._look_at and told._task is None and told._timer is None)
    assert not told._wanted
    async with stores[0].subscribe("s") as s:
        waiting = asyncio.create_task(s.next_event())
        await until(lambda: s.active)
        told._look_at = 0.0
        await asyncio.gather(*(store.execute(add) for store in stores * 5))
        await until(lambda: {i for each in heard for i in each} == {1, 2})
        await waiting
    assert len(heard) < 10


@pytest.mark.postgres
async def test_a_process_in_which_nobody_is_interested_hardly_asks(db_on_postgres):
    db = db_on_postgres
    asked = []

    async def read(work):
        asked.append(work)
        return await db._core.reader.run(work)

    told = Announcements(read, db._core.clock)
    told._look_at = 0.0
    told.committed([1])
    await until(lambda: asked)
    for _ in range(10):
        told.committed([1])
        await asyncio.sleep(0)
    await until(lambda: told._task is None)
    assert len(asked) == 1
    await told.close()
    assert told._timer is None


@pytest.mark.postgres
async def test_a_hint_that_cannot_be_sent_is_no_error(db_on_postgres, caplog):
    from ramax.storage.faults import ConnectionLostError

    async def read(_work):
        raise ConnectionLostError("gone")

    told = Announcements(read, db_on_postgres._core.clock)
    told._look_at = 0.0
    told.committed([1])
    await until(lambda: "could not tell other processes" in caplog.text)
    await told.close()

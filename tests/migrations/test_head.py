"""The revisions, `create` and the metadata give the same tables."""

import re
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine

from ramax.storage import migrate
from ramax.storage.create import create
from ramax.storage.tables import HEAD, build_tables
from tests.migrations.catalog import catalog

EMPTY = [
    pytest.param("sqlite_url", id="sqlite"),
    pytest.param("empty_postgres_url", id="postgres", marks=pytest.mark.postgres),
]


@pytest.fixture(params=EMPTY)
def empty_url(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(request.param))


async def facts(url: str):
    engine = create_async_engine(url)
    async with engine.connect() as connection:
        found = await connection.run_sync(catalog)
    await engine.dispose()
    return found


async def wipe(url: str) -> None:
    if url.startswith("sqlite"):
        Path(sa.make_url(url).database or "").unlink()
        return
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        await connection.exec_driver_sql("DROP SCHEMA public CASCADE")
        await connection.exec_driver_sql("CREATE SCHEMA public")
    await engine.dispose()


async def test_revisions_and_creation_give_the_same_database_to_the_last_detail(empty_url):
    engine = create_async_engine(empty_url)
    await migrate.upgrade(engine)
    assert await migrate.check(engine) == []
    await engine.dispose()
    by_revisions = await facts(empty_url)

    await wipe(empty_url)
    engine = create_async_engine(empty_url)
    await create(engine)
    assert await migrate.check(engine) == []
    await engine.dispose()
    assert await facts(empty_url) == by_revisions


async def test_down_to_nothing_and_up_again_gives_the_same_database(empty_url):
    engine = create_async_engine(empty_url)
    await migrate.upgrade(engine)
    await engine.dispose()
    before = await facts(empty_url)

    engine = create_async_engine(empty_url)
    await migrate.downgrade(engine, "base")
    assert await migrate.current_revision(engine) is None
    async with engine.connect() as connection:
        names = await connection.run_sync(lambda c: sa.inspect(c).get_table_names())
    assert names == ["ramax_alembic_version"]
    await migrate.upgrade(engine)
    await engine.dispose()
    assert await facts(empty_url) == before


@pytest.mark.postgres
async def test_the_sequence_has_been_drawn_from_and_still_the_first_event_gets_1(
    empty_postgres_url,
):
    engine = create_async_engine(empty_postgres_url)
    await create(engine)
    async with engine.begin() as connection:
        state = await connection.exec_driver_sql("SELECT last_value, is_called FROM event_id_seq")
        assert state.one() == (0, True)
        events = build_tables("postgresql").events
        first = sa.insert(events).returning(events.c.event_id)
        values = {
            "space_id": 1, "space_sequence": 1, "entity_id": "e", "event_type": "t",
            "payload": b"\x80", "format": "msgpack", "timestamp": 1,
        }  # fmt: skip
        assert await connection.scalar(first.values(values)) == 1
    await engine.dispose()


def test_there_is_one_line_of_revisions_and_its_end_is_head():
    ids = [step.revision for step in migrate.history()]
    assert ids == [f"ramax_{n:04}" for n in range(1, len(ids) + 1)]
    assert ids[-1] == HEAD
    assert [step.down_revision for step in migrate.history()] == [None, *ids[:-1]]


def test_revisions_do_not_know_todays_tables():
    for path in (migrate.location() / "versions").glob("*.py"):
        assert not re.search(r"storage\.(tables|create|migrate)|build_tables", path.read_text())

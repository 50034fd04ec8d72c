"""`create`: the newest schema in an empty database."""

import asyncio

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import StaticPool

from ramax.storage.create import create
from ramax.storage.schema import schema_state
from ramax.storage.tables import HEAD, build_tables
from tests._racers import race
from tests.migrations.catalog import catalog

EMPTY = [
    pytest.param("sqlite_url", id="sqlite"),
    pytest.param("empty_postgres_url", id="postgres", marks=pytest.mark.postgres),
]


@pytest.fixture(params=EMPTY)
def empty_url(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(request.param))


@pytest.mark.parametrize("url", ["sqlite+aiosqlite://"])
async def test_in_memory_one_connection_serves_for_everything(url):
    engine = create_async_engine(url)
    assert isinstance(engine.pool, StaticPool)
    states = await asyncio.gather(*(create(engine) for _ in range(4)))
    assert [state.kind for state in states] == ["current"] * 4
    async with engine.connect() as connection:
        assert (await schema_state(connection)).revision == HEAD
    await engine.dispose()


async def test_a_second_creation_changes_nothing(empty_url):
    engine = create_async_engine(empty_url)
    await create(engine)
    async with engine.connect() as connection:
        before = await connection.run_sync(catalog)
    assert (await create(engine)).revision == HEAD
    async with engine.connect() as connection:
        assert await connection.run_sync(catalog) == before
    await engine.dispose()


async def test_tables_of_the_application_do_not_make_a_database_less_empty(empty_url):
    engine = create_async_engine(empty_url)
    async with engine.begin() as connection:
        await connection.exec_driver_sql("CREATE TABLE orders (id INTEGER PRIMARY KEY)")
        await connection.exec_driver_sql("INSERT INTO orders VALUES (7)")
    assert (await create(engine)).kind == "current"
    async with engine.connect() as connection:
        assert (await connection.exec_driver_sql("SELECT id FROM orders")).scalars().all() == [7]
    await engine.dispose()


async def test_any_other_table_of_our_names_is_left_alone(empty_url):
    engine = create_async_engine(empty_url)
    async with engine.begin() as connection:
        await connection.exec_driver_sql("CREATE TABLE events (id INTEGER PRIMARY KEY)")
    state = await create(engine)
    assert (state.kind, state.tables) == ("foreign", ("events",))
    async with engine.connect() as connection:
        names = await connection.run_sync(lambda c: sa.inspect(c).get_table_names())
    assert names == ["events"]
    await engine.dispose()


async def test_a_failing_creation_leaves_nothing(empty_url, monkeypatch):
    from ramax.storage import create as module

    statements = module._statements

    def broken(dialect, schema):
        return (*statements(dialect, schema), "SELECT * FROM there_is_no_such_table")

    monkeypatch.setattr(module, "_statements", broken)
    engine = create_async_engine(empty_url)
    with pytest.raises(Exception, match="there_is_no_such_table"):
        await create(engine)
    async with engine.connect() as connection:
        assert (await schema_state(connection)).kind == "empty"
    await engine.dispose()


RACE = """
    import asyncio, sys
    from sqlalchemy.ext.asyncio import create_async_engine
    from ramax.storage.create import create
    async def main():
        engine = create_async_engine(sys.argv[1])
        START
        print((await create(engine)).kind)
        await engine.dispose()
    asyncio.run(main())
"""


def test_six_processes_at_once_create_one_schema(empty_url):
    assert race(RACE, empty_url) == ["current\n"] * 6


@pytest.mark.postgres
async def test_the_tables_can_live_in_a_schema_of_their_own(empty_postgres_url):
    engine = create_async_engine(empty_postgres_url)
    async with engine.begin() as connection:
        await connection.exec_driver_sql("CREATE SCHEMA ledger")
    assert (await create(engine, "ledger")).kind == "current"
    async with engine.connect() as connection:
        assert (await schema_state(connection)).kind == "empty"
        assert (await schema_state(connection, "ledger")).kind == "current"
        query = sa.select(build_tables("postgresql", "ledger").spaces)
        assert (await connection.execute(query)).all() == []
    await engine.dispose()

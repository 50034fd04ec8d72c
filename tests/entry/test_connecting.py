"""`connect` opens what it can work with, says why it will not, and closes what it opened."""

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine

import ramax
from ramax.errors import (
    ClosedError,
    DataError,
    ForeignSchemaError,
    MisuseError,
    RamaxError,
    SchemaOutOfDateError,
    StorageError,
)
from ramax.storage import migrate
from ramax.storage.tables import HEAD
from tests._domains import add, counter

EMPTY = [
    pytest.param("sqlite_url", id="sqlite"),
    pytest.param("empty_postgres_url", id="postgres", marks=pytest.mark.postgres),
]


@pytest.fixture(params=EMPTY)
def empty_url(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(request.param))


async def run(url: str, *statements: str) -> None:
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        for statement in statements:
            await connection.exec_driver_sql(statement)
    await engine.dispose()


async def test_a_database_is_entered_or_awaited(url: str) -> None:
    async with ramax.connect(url) as entered:
        assert await entered.current_revision() == HEAD
    assert entered.closed
    awaited = await ramax.connect(url)
    assert await awaited.current_revision() == HEAD
    await awaited.close()
    with pytest.raises(ClosedError):
        await awaited.spaces.list_all()


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"cache": "none"}, DataError),
        *[
            ({name: wrong}, DataError)
            for name in ("max_batch", "max_queue", "cache_bytes", "rebuild_memory")
            for wrong in (-1, 1.5, "1", None, True)
        ],
        ({"max_batch": 0}, DataError),
        ({"max_queue": 0}, DataError),
        *[({"lock_timeout": wrong}, DataError) for wrong in (0, -1, "1", None, float("nan"), 1e9)],
        *[({"synchronous": wrong}, DataError) for wrong in ("normal", "", None, "FULL; SELECT 1")],
        *[({"schema": wrong}, DataError) for wrong in ("", "Odd Name", "a.b", "1a", 5, "x" * 64)],
        ({"schema": "ledger"}, DataError),  # SQLite has none
        ({"no_such_option": 1}, StorageError),
        ({"target": "mysql://localhost/app"}, DataError),
        ({"target": ""}, DataError),
    ],
)
async def test_a_bad_option_is_refused(options: dict[str, Any], error: type[RamaxError]) -> None:
    [(name, _)] = options.items()
    with pytest.raises(error, match=name if name != "target" else "database"):
        async with ramax.connect(**options):
            pass


async def test_a_missing_file_is_not_made_where_that_is_off(
    sqlite_url: str, tmp_path: Path
) -> None:
    closed: list[Any] = [{"create": False}, {"read_only": True}]
    for options in closed:
        with pytest.raises(StorageError):
            await ramax.connect(sqlite_url, **options)
    assert list(tmp_path.iterdir()) == []


async def test_an_engine_of_the_caller_outlives_the_database(durable_url: str) -> None:
    engine = create_async_engine(durable_url)
    disposed: list[object] = []
    sa.event.listen(engine.sync_engine, "engine_disposed", disposed.append)
    async with ramax.connect(engine) as db:
        await (await db.content_store("acme", counter())).execute(add)
        assert db.engine is engine
    assert disposed == []
    async with engine.connect() as connection:
        assert await connection.scalar(sa.text("SELECT count(*) FROM events")) == 1
    with pytest.raises(MisuseError, match="pool_size"):
        await ramax.connect(engine, pool_size=2)
    await engine.dispose()


async def test_an_empty_database_is_refused_where_it_must_not_be_made(empty_url: str) -> None:
    await run(empty_url, "CREATE TABLE guests (id INTEGER)")
    with pytest.raises(SchemaOutOfDateError) as caught:
        await ramax.connect(empty_url, create=False)
    assert (caught.value.current, caught.value.head) == (None, HEAD)
    async with ramax.connect(empty_url) as db:
        assert await db.current_revision() == HEAD


async def test_an_older_schema_is_brought_to_head_only_when_asked(sqlite_url: str) -> None:
    engine = create_async_engine(sqlite_url)
    await migrate.upgrade(engine, "ramax_0001")
    await engine.dispose()
    for _ in range(2):  # refusing changes nothing
        with pytest.raises(SchemaOutOfDateError) as caught:
            await ramax.connect(sqlite_url)
        assert (caught.value.current, caught.value.head) == ("ramax_0001", HEAD)
    async with ramax.connect(sqlite_url, upgrade=True) as db:
        assert await db.current_revision() == HEAD


async def test_a_newer_schema_is_refused_even_with_upgrade(durable_url: str) -> None:
    await (await ramax.connect(durable_url)).close()
    await run(durable_url, "UPDATE ramax_alembic_version SET version_num = 'ramax_9999'")
    with pytest.raises(SchemaOutOfDateError) as caught:
        await ramax.connect(durable_url, upgrade=True)
    assert caught.value.current == "ramax_9999"


async def test_tables_that_only_share_our_names_are_left_as_they_are(sqlite_url: str) -> None:
    await run(sqlite_url, "CREATE TABLE events (what TEXT)", "INSERT INTO events VALUES ('mine')")
    with pytest.raises(ForeignSchemaError) as caught:
        await ramax.connect(sqlite_url, upgrade=True)
    assert caught.value.tables == ("events",)
    engine = create_async_engine(sqlite_url)
    async with engine.connect() as connection:
        found = await connection.run_sync(lambda c: sa.inspect(c).get_table_names())
        assert found == ["events"]
        assert (await connection.exec_driver_sql("SELECT * FROM events")).all() == [("mine",)]
    await engine.dispose()

"""Upgrades at once, and upgrades that are killed: always one whole database, old or new."""

import asyncio
import hashlib
import random
import shutil
import signal
import sqlite3
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine

from ramax.storage import migrate
from ramax.storage.tables import HEAD, build_tables
from tests._racers import go, line, race, spawn
from tests.migrations.elixir import BEFORE_SPACES, ElixirFile, event, pstate

EVENTS, BATCH = 6_000, 250

UPGRADE = f"""
    import asyncio, sys
    from sqlalchemy.ext.asyncio import create_async_engine
    from ramax.storage import carry_over, migrate
    carry_over.BATCH = {BATCH}
    async def main():
        engine = create_async_engine(sys.argv[1])
        migrate.history()  # imports what the upgrade needs
        START
        tell = lambda _: print("batch", flush=True)
        await migrate.upgrade(engine, progress=tell)
        print(await migrate.current_revision(engine))
        await engine.dispose()
    asyncio.run(main())
"""


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """A file from before spaces with thousands of events; to be copied."""
    file = ElixirFile(tmp_path_factory.mktemp("old") / "elixir.db", BEFORE_SPACES)
    file.insert("events", *(event(number) for number in range(1, EVENTS + 1)))
    file.insert("pstate_entities", *(pstate(f"k:{number}") for number in range(200)))
    return file


@pytest.fixture
def sqlite_copy(filled, tmp_path):
    return f"sqlite+aiosqlite:///{shutil.copy(filled.path, tmp_path)}"


@pytest.fixture
async def postgres_copy(filled, empty_postgres_url):
    engine = create_async_engine(empty_postgres_url)
    await migrate.upgrade(engine, "ramax_0001")
    async with engine.begin() as connection:
        driver: Any = (await connection.get_raw_connection()).driver_connection
        for table, columns in (
            (
                "events",
                (
                    "event_id, entity_id, event_type, CAST(payload AS BLOB), timestamp, causation_id,"
                    " correlation_id, created_at"
                ),
            ),
            ("pstate_entities", "key, CAST(value AS BLOB), updated_at"),
        ):
            records = filled.read(f"SELECT {columns} FROM {table}")
            await driver.copy_records_to_table(table, records=records)
    await engine.dispose()
    return empty_postgres_url


@pytest.fixture(
    params=[
        pytest.param("sqlite_copy", id="sqlite"),
        pytest.param("postgres_copy", id="postgres", marks=pytest.mark.postgres),
    ]
)
def old_url(request):
    return request.getfixturevalue(request.param)


async def digest(engine):
    """Read all rows of all tables into one number."""
    found = hashlib.sha256()
    async with engine.connect() as connection:
        for table in build_tables(engine.dialect.name).metadata.sorted_tables:
            query = sa.select(table).order_by(*table.primary_key.columns)
            for row in await connection.execute(query):
                found.update(repr(tuple(row)).encode())
    return found.hexdigest()


async def upgraded(url):
    engine = create_async_engine(url)
    await migrate.upgrade(engine)
    try:
        return await digest(engine)
    finally:
        await engine.dispose()


async def count(url, table):
    engine = create_async_engine(url)
    async with engine.connect() as connection:
        found = await connection.scalar(sa.text(f"SELECT count(*) FROM {table}"))
    await engine.dispose()
    return found


async def test_four_calls_at_once_make_one_upgrade(old_url):
    digests = await asyncio.gather(*(upgraded(old_url) for _ in range(4)))
    assert len(set(digests)) == 1
    assert await count(old_url, "events") == EVENTS


async def test_four_calls_at_once_on_one_engine_make_one_upgrade(old_url):
    engine = create_async_engine(old_url)
    await asyncio.gather(*(migrate.upgrade(engine) for _ in range(4)))
    assert await migrate.current_revision(engine) == HEAD
    await engine.dispose()


async def test_four_calls_at_once_in_memory_share_its_one_connection():
    engine = create_async_engine("sqlite+aiosqlite://")
    await asyncio.gather(*(migrate.upgrade(engine) for _ in range(4)))
    assert await migrate.check(engine) == []
    await engine.dispose()


async def test_six_processes_at_once_make_one_upgrade(old_url):
    said = race(UPGRADE, old_url)
    assert [each.splitlines()[-1] for each in said] == [HEAD] * 6
    assert sum(each.count("batch") for each in said) == EVENTS // BATCH
    assert await count(old_url, "events") == EVENTS


async def test_an_upgrade_waits_for_a_writer_that_is_longer_than_the_drivers_patience(sqlite_copy):
    path = sqlite_copy.partition("///")[2]
    writer = sqlite3.connect(path, isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    engine = create_async_engine(sqlite_copy, connect_args={"timeout": 0.01})
    waiting = asyncio.create_task(migrate.upgrade(engine))
    done, _ = await asyncio.wait([waiting], timeout=0.3)
    assert not done
    writer.execute("COMMIT")
    writer.close()
    await waiting
    assert await migrate.current_revision(engine) == HEAD
    await engine.dispose()


def kill_in_batch(url, number):
    """Upgrade in a process of its own, which is killed after that many batches of events.

    Returns whether that was in time: on a busy machine it may have ended before.
    """
    process = spawn(UPGRADE, url)
    try:
        assert line(process) == "ready", process.communicate()[1]
        go(process)
        for _ in range(number):
            assert line(process) == "batch"
    finally:
        process.kill()
        process.communicate()
    return process.returncode == -signal.SIGKILL


@pytest.mark.timeout(900)
@pytest.mark.parametrize("kills", [5, pytest.param(60, marks=pytest.mark.nightly)])
async def test_killed_at_any_instant_and_run_again_the_end_is_the_same(old_url, kills):
    chance = random.Random(kills)
    expected = await upgraded(old_url)
    engine = create_async_engine(old_url)
    in_time = 0
    for _ in range(kills):
        await migrate.downgrade(engine, "ramax_0001")
        in_time += kill_in_batch(old_url, chance.randint(0, EVENTS // BATCH))
        for table, rows in (("events", EVENTS), ("pstate_entities", 200)):
            assert await count(old_url, table) == rows
        assert await migrate.current_revision(engine) in {"ramax_0001", HEAD}
        assert await upgraded(old_url) == expected
    assert in_time
    await engine.dispose()

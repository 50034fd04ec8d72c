"""The module that runs Alembic, and the checkout's own `alembic` command."""

import os
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine

from ramax.errors import DataError, StorageError
from ramax.storage import migrate
from ramax.storage.create import create
from ramax.storage.tables import HEAD, VERSION_TABLE, build_tables

ROOT = Path(__file__).parents[2]


def test_importing_ramax_does_not_import_alembic():
    program = (
        "import sys, ramax; from ramax.storage import migrate; print('alembic' in sys.modules)"
    )
    env = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    answer = subprocess.run(
        [sys.executable, "-c", program], env=env, capture_output=True, text=True
    )
    assert answer.stdout == "False\n", answer.stderr


def test_an_application_is_told_to_leave_our_tables_alone_and_no_others():
    ours = {*build_tables("sqlite").metadata.tables, VERSION_TABLE}
    assert not any(migrate.include_name(name, "table", {}) for name in ours)
    assert migrate.include_name("orders", "table", {})
    assert migrate.include_name("events", "column", {"table_name": "orders"})
    assert migrate.include_name(None, "schema", {})


@pytest.fixture(
    params=[
        pytest.param("sqlite_url", id="sqlite"),
        pytest.param("empty_postgres_url", id="postgres", marks=pytest.mark.postgres),
    ]
)
def empty_url(request):
    return request.getfixturevalue(request.param)


async def test_check_names_what_differs(empty_url):
    engine = create_async_engine(empty_url)
    await create(engine)
    assert await migrate.check(engine) == []
    async with engine.begin() as connection:
        await connection.exec_driver_sql("DROP INDEX ix_events_space_entity")
        await connection.exec_driver_sql("ALTER TABLE spaces ADD COLUMN extra INTEGER")
        await connection.exec_driver_sql("CREATE TABLE not_ours (id INTEGER)")
    found = await migrate.check(engine)
    assert len(found) == 2
    assert any("ix_events_space_entity" in difference for difference in found)
    assert any("remove_column" in difference for difference in found)
    await engine.dispose()


@pytest.mark.postgres
async def test_checking_draws_no_event_id(empty_postgres_url):
    engine = create_async_engine(empty_postgres_url)
    await create(engine)
    await migrate.check(engine)
    async with engine.connect() as connection:
        assert await connection.scalar(sa.text("SELECT last_value FROM event_id_seq")) == 0
    await engine.dispose()


@pytest.mark.postgres
@pytest.mark.parametrize("name", ["ledger", 'odd "Name"'])
async def test_the_tables_can_be_upgraded_in_a_schema_of_their_own(empty_postgres_url, name):
    engine = create_async_engine(empty_postgres_url)
    quoted = engine.dialect.identifier_preparer.quote_identifier(name)
    async with engine.begin() as connection:
        await connection.exec_driver_sql(f"CREATE SCHEMA {quoted}")
        await connection.exec_driver_sql("CREATE TABLE events (of_somebody_else INTEGER)")
    await migrate.upgrade(engine, "ramax_0001", schema=name)
    async with engine.begin() as connection:
        await connection.exec_driver_sql(
            f"INSERT INTO {quoted}.events (entity_id, event_type, payload, timestamp)"
            " VALUES ('e', 't', '\\x8374', 5)"
        )
    await migrate.upgrade(engine, schema=name)
    assert await migrate.check(engine, schema=name) == []
    assert await migrate.current_revision(engine, schema=name) == HEAD
    assert await migrate.current_revision(engine) is None
    async with engine.connect() as connection:
        events = build_tables("postgresql", name).events
        query = sa.select(events.c.event_id, events.c.space_id, events.c.timestamp)
        assert (await connection.execute(query)).all() == [(1, 1, 5000)]
    await migrate.downgrade(engine, "ramax_0001", schema=name)
    await engine.dispose()


@pytest.mark.postgres
async def test_a_schema_that_does_not_exist_is_named(empty_postgres_url):
    engine = create_async_engine(empty_postgres_url)
    for call in (migrate.upgrade(engine, schema="nowhere"), create(engine, "nowhere")):
        with pytest.raises(StorageError, match="nowhere"):
            await call
    async with engine.connect() as connection:
        assert await connection.run_sync(lambda c: sa.inspect(c).get_table_names()) == []
    await engine.dispose()


async def test_an_unknown_revision_is_named(sqlite_url):
    engine = create_async_engine(sqlite_url)
    with pytest.raises(DataError, match="'ramax_7777'") as caught:
        await migrate.upgrade(engine, "ramax_7777")
    assert caught.value.what == "revision"
    await engine.dispose()


async def test_a_database_that_cannot_be_reached_is_named_without_its_password():
    engine = create_async_engine("postgresql+asyncpg://me:secret@127.0.0.1:1/db?ssl=disable")
    with pytest.raises(StorageError, match=r"me:\*\*\*@127.0.0.1:1/db") as caught:
        await migrate.upgrade(engine)
    assert "secret" not in str(caught.value)
    await engine.dispose()


async def test_an_engine_that_begins_by_itself_is_no_hindrance(sqlite_url):
    engine = create_async_engine(sqlite_url)

    @sa.event.listens_for(engine.sync_engine, "connect")
    def by_hand(connection, _):
        connection.isolation_level = None

    @sa.event.listens_for(engine.sync_engine, "begin")
    def begin(connection):
        connection.exec_driver_sql("BEGIN DEFERRED")

    await migrate.upgrade(engine)
    async with engine.connect() as connection:
        driver: Any = (await connection.get_raw_connection()).driver_connection
        assert driver.isolation_level is None
    assert await migrate.check(engine) == []
    await engine.dispose()


class TestAlembicInTheCheckout:
    """`alembic …` at the top of the checkout, as contributors and deployments run it."""

    def alembic(self, *arguments, url=None, fails=False):
        env = os.environ | ({"RAMAX_DATABASE_URL": url} if url else {})
        command = [sys.executable, "-m", "alembic", *arguments]
        done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True)
        assert (done.returncode != 0) is fails, done.stdout + done.stderr
        return done.stdout + done.stderr

    def test_it_upgrades_what_the_option_or_the_variable_names(self, tmp_path):
        path = tmp_path / "new.db"
        url = f"sqlite:///{path}"
        self.alembic("-x", f"url={url}", "upgrade", "head", url="sqlite:////nowhere/at/all.db")
        assert f"{HEAD} (head)" in self.alembic("current", url=url)
        assert "No new upgrade operations" in self.alembic("check", url=url)
        self.alembic("downgrade", "base", url=url)
        connection = sqlite3.connect(path)
        left = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        connection.close()
        assert {name for (name,) in left} == {VERSION_TABLE, "sqlite_sequence"}

    def test_a_refusal_is_one_line(self, tmp_path):
        path = tmp_path / "theirs.db"
        connection = sqlite3.connect(path)
        connection.execute("CREATE TABLE events (x)")
        connection.close()
        said = self.alembic("upgrade", "head", url=f"sqlite:///{path}", fails=True)
        assert "Traceback" not in said
        assert "tables events are not ramax's" in said

    @pytest.mark.postgres
    async def test_a_script_for_a_new_postgres_database_can_be_written(self, empty_postgres_url):
        script = self.alembic("upgrade", "head", "--sql", url="postgresql://nobody@nowhere/db")
        script = script[script.index("BEGIN;") :].partition("COMMIT;")[0].removeprefix("BEGIN;")
        engine = create_async_engine(empty_postgres_url)
        async with engine.begin() as connection:
            driver: Any = (await connection.get_raw_connection()).driver_connection
            await driver.execute(script)
        assert await migrate.current_revision(engine) == HEAD
        assert await migrate.check(engine) == []
        await engine.dispose()

    @pytest.mark.postgres
    async def test_that_script_changes_nothing_where_rows_are(self, empty_postgres_url):
        url = "postgresql://nobody@nowhere/db"
        script = self.alembic("upgrade", "ramax_0001:head", "--sql", url=url)
        script = script[script.index("BEGIN;") :].partition("COMMIT;")[0].removeprefix("BEGIN;")
        engine = create_async_engine(empty_postgres_url)
        await migrate.upgrade(engine, "ramax_0001")
        insert = "INSERT INTO pstate_entities (key, value) VALUES ('k', '\\x8374')"
        async with engine.begin() as connection:
            await connection.exec_driver_sql(insert)
        async with engine.connect() as connection:
            driver: Any = (await connection.get_raw_connection()).driver_connection
            with pytest.raises(Exception, match="pstate_entities has rows"):
                await driver.execute(script)
        assert await migrate.current_revision(engine) == "ramax_0001"
        await engine.dispose()

    def test_on_sqlite_there_is_no_such_script(self):
        said = self.alembic("upgrade", "head", "--sql", url="sqlite://", fails=True)
        assert "run it on a connection, without --sql" in said

import asyncio
import hashlib
import sqlite3
from pathlib import Path
from shutil import copy

import click
import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from sqlalchemy.ext.asyncio import create_async_engine

import ramax
from ramax.cli.failures import Command
from ramax.cli.session import reading
from ramax.storage.tables import HEAD
from tests.cli.command import fail, on, read, run, succeed

LEGACY = Path(__file__).parents[1] / "data" / "legacy"


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_variable_names_the_database_and_the_option_wins(demo_url, tmp_path, monkeypatch):
    monkeypatch.setenv("RAMAX_DATABASE_URL", demo_url)
    assert "crm_acme" in succeed("spaces", "list")
    succeed("db", "upgrade", "--url", str(tmp_path / "other.db"))
    assert "crm_acme" not in succeed("spaces", "list", "--url", str(tmp_path / "other.db"))


def test_a_path_and_a_bare_url_are_databases_too(demo_file):
    path = demo_file.partition("///")[2]
    expected = read("spaces", "list", "--url", demo_file)
    assert read("spaces", "list", "--url", path) == expected
    assert read("spaces", "list", "--url", f"sqlite:///{path}") == expected


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("nowhere.db", "there is no database file 'nowhere.db'; check --url"),
        ("no/folder/x.db", "the folder 'no/folder' is missing; check --url"),
        (".", "it is a folder, not a database file; check --url"),
        ("mysql://me@host/x", "unknown driver; give a file path, sqlite:///file.db"),
        ("postgresql://me:pa:s@s@host:port/x", "'postgresql://me:***@host:port/x': give a file"),
        ("postgresql://me:secret@127.0.0.1:1/x", "me:***@127.0.0.1:1/x: the connection"),
        ("postgresql://127.0.0.1:1/x?sslmode=require", "unexpected keyword argument 'sslmode'"),
        ("", "database '': give a file path"),
    ],
)
def test_a_wrong_url_is_one_line_without_its_password(url, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for command in (("spaces", "list"), ("db", "current"), ("spaces", "create", "a")):
        line = fail(*command, f"--url={url}")
        assert said in line
        assert "secret" not in line
    assert list(tmp_path.iterdir()) == []


@pytest.mark.postgres
def test_a_database_that_postgresql_does_not_have_is_one_line(postgres_server):
    url = sa.make_url(postgres_server).set(database="nobody_made_it")
    line = fail("spaces", "list", "--url", url.render_as_string(hide_password=False))
    assert 'database "nobody_made_it" does not exist' in line
    assert "check --url" in line


def test_an_old_schema_names_the_command_that_upgrades_and_is_left_alone(tmp_path):
    old = tmp_path / "old.db"
    copy(LEGACY / "sample_spaces.db", old)
    before = digest(old)
    for command in (
        ("spaces", "list"),
        ("spaces", "create", "a"),
        ("events", "tail"),
        ("verify",),
        ("db", "check"),
    ):
        line = fail(*command, "--url", str(old))
        assert "an Elixir database with spaces; run `ramax db upgrade`" in line
    assert read("db", "current", "--url", str(old))["state"] == "older"
    assert digest(old) == before
    assert [path.name for path in tmp_path.iterdir()] == ["old.db"]


def test_other_tables_and_other_files_are_named_and_left_alone(tmp_path):
    other, text = tmp_path / "other.db", tmp_path / "text.db"
    with sqlite3.connect(other) as connection:
        connection.execute("CREATE TABLE events (id INTEGER)")
    connection.close()
    text.write_text("not a database, but long enough to look at " * 20)
    before = digest(other), digest(text)
    for command in (("spaces", "list"), ("db", "upgrade"), ("spaces", "create", "a")):
        assert "tables events are not ramax's" in fail(*command, "--url", str(other))
        assert "not a sound SQLite database" in fail(*command, "--url", str(text))
    assert (digest(other), digest(text)) == before


def test_a_newer_schema_is_named(demo_url):
    async def rename() -> None:
        engine = create_async_engine(demo_url)
        async with engine.begin() as connection:
            await connection.execute(
                sa.text("UPDATE ramax_alembic_version SET version_num = 'ramax_9999'")
            )
        await engine.dispose()

    asyncio.run(rename())
    for command in (("spaces", "list"), ("db", "upgrade")):
        assert "install the ramax that made it, or a newer one" in fail(*command, "--url", demo_url)
    assert read("db", "current", "--url", demo_url)["state"] == "newer"


def test_an_empty_database_names_the_command_that_makes_the_tables(empty_postgres_url, tmp_path):
    (tmp_path / "empty.db").touch()
    for url in (empty_postgres_url, str(tmp_path / "empty.db")):
        assert "it is empty; run `ramax db upgrade`" in fail("spaces", "list", "--url", url)


def test_reading_commands_cannot_write(demo_url):
    async def write(db: ramax.Database) -> None:
        await db.spaces.create("never")

    command = click.command(cls=Command)(reading(write))
    done = CliRunner().invoke(command, ["--url", demo_url])
    assert "read-only" in str(done.exception)
    assert "never" not in succeed("spaces", "list", "--url", demo_url)


@pytest.mark.postgres
def test_the_tables_may_be_in_a_schema_of_their_own(empty_postgres_url):
    async def make() -> None:
        engine = create_async_engine(empty_postgres_url)
        async with engine.begin() as connection:
            await connection.execute(sa.text("CREATE SCHEMA ledger"))
        await engine.dispose()

    asyncio.run(make())
    where = ("--url", empty_postgres_url, "--schema", "ledger")
    assert succeed("db", "upgrade", *where) == f"made the tables, at {HEAD}\n"
    succeed("spaces", "create", "a", *where)
    assert [each["space_name"] for each in read("spaces", "list", *where)] == ["default", "a"]
    assert read("db", "check", *where)["ok"]
    assert run("spaces", "list", *where[:2]).exit_code == 1


def test_commands_work_beside_a_program_that_writes(durable_url):
    async def program(db: ramax.Database) -> None:
        store = await db.content_store("s")
        await store.events.append("e", "t", {"n": 1})
        seen = await asyncio.to_thread(read, "events", "tail", "s", "--url", durable_url)
        assert seen["payload"] == {"n": 1}
        made = await asyncio.to_thread(succeed, "spaces", "create", "new", "--url", durable_url)
        assert made == "created space 'new' with id 2\n"
        assert await db.spaces.exists("new")
        await store.events.append("e", "t", {"n": 2})

    on(durable_url, program)

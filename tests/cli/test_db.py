import asyncio
from pathlib import Path
from shutil import copy

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine

from ramax.storage.tables import HEAD
from tests.cli.command import fail, process, read, run, succeed

LEGACY = Path(__file__).parents[1] / "data" / "legacy"


@pytest.fixture(
    params=["sqlite_url", pytest.param("empty_postgres_url", marks=pytest.mark.postgres)]
)
def empty_url(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(request.param))


def test_upgrade_makes_the_tables_once(empty_url):
    assert succeed("db", "upgrade", "--url", empty_url) == f"made the tables, at {HEAD}\n"
    again = succeed("db", "upgrade", "--url", empty_url)
    assert again == f"the database was at {HEAD} already\n"
    assert read("spaces", "list", "--url", empty_url)[0]["space_name"] == "default"


def test_upgrade_carries_an_old_database_into_the_space_that_is_named(tmp_path):
    old = str(tmp_path / "old.db")
    copy(LEGACY / "sample_legacy.db", old)
    said = succeed("db", "upgrade", "--space", "mine", "--url", old)
    assert said == f"upgraded a database from before spaces to {HEAD}\n"
    stats = read("spaces", "stats", "mine", "--url", old)
    assert (stats["event_count"], stats["key_count"]) == (33, 14)
    first = read("events", "show", "1", "--url", old)
    assert first["space_name"] == "mine"


def test_a_warning_of_an_upgrade_is_a_line(tmp_path):
    old = tmp_path / "old.db"
    copy(LEGACY / "sample_spaces.db", old)
    done = process("db", "upgrade", "--url", str(old))
    assert done.returncode == 0
    assert done.stderr.splitlines() == [
        f"ramax: space {number} was deleted and left 2 pstate rows: they are kept, no space shows them"
        for number in (2, 4)
    ]


def test_a_space_that_may_not_have_its_name_changes_nothing(tmp_path):
    old = tmp_path / "old.db"
    copy(LEGACY / "sample_legacy.db", old)
    before = old.read_bytes()
    assert "space name 'My Space'" in fail(
        "db", "upgrade", "--space", "My Space", "--url", str(old)
    )
    assert old.read_bytes() == before


def test_up_and_down_and_what_cannot_be(empty_url):
    succeed("db", "upgrade", "--url", empty_url)
    assert (
        succeed("db", "downgrade", "ramax_0001", "--url", empty_url) == "downgraded to ramax_0001\n"
    )
    assert "run `ramax db upgrade`" in fail("db", "check", "--url", empty_url)
    said = succeed("db", "upgrade", "ramax_0002", "--url", empty_url)
    assert said == "upgraded ramax_0001 to ramax_0002\n"
    assert "revision 'ramax_7777'" in fail("db", "upgrade", "ramax_7777", "--url", empty_url)


def test_downgrade_refuses_what_the_older_tables_cannot_hold(demo_url):
    line = fail("db", "downgrade", "ramax_0001", "--url", demo_url)
    assert "crm_acme" in line
    assert read("db", "current", "--url", demo_url)["revision"] == HEAD


def test_current_says_what_is_there(demo_url, empty_postgres_url, tmp_path):
    assert read("db", "current", "--url", empty_postgres_url)["state"] == "empty"
    (tmp_path / "empty.db").touch()
    assert read("db", "current", "--url", str(tmp_path / "empty.db"))["revision"] is None
    found = read("db", "current", "--url", demo_url)
    assert (found["revision"], found["head"], found["state"]) == (
        HEAD,
        HEAD,
        "current",
    )
    assert "events" in found["tables"]
    assert f"state     current: stamped {HEAD}" in succeed("db", "current", "--url", demo_url)


def test_history_needs_no_database():
    steps = read("db", "history")
    revisions = [step["revision"] for step in steps]
    assert (revisions[0], revisions[-1]) == ("ramax_0001", HEAD)
    assert [step["down_revision"] for step in steps] == [None, *revisions[:-1]]
    assert "Before spaces" in succeed("db", "history")


def test_check_names_what_differs_and_exits_with_1(demo_url):
    assert succeed("db", "check", "--url", demo_url) == "the tables are as they must be\n"
    assert read("db", "check", "--url", demo_url) == {"ok": True, "differences": []}

    async def drop_index() -> None:
        engine = create_async_engine(demo_url)
        async with engine.begin() as connection:
            await connection.execute(sa.text("DROP INDEX ix_events_space_entity"))
        await engine.dispose()

    asyncio.run(drop_index())
    done = run("db", "check", "--url", demo_url)
    assert (done.exit_code, done.stderr) == (1, "")
    assert "ix_events_space_entity" in done.stdout
    assert done.stdout.endswith("the tables differ\n")
    assert run("db", "check", "--json", "--url", demo_url).exit_code == 1


def test_reading_what_a_writer_holds_locked_does_not_wait(demo_file):
    async def read_while_locked() -> None:
        engine = create_async_engine(demo_file)
        async with engine.connect() as connection:
            await connection.exec_driver_sql("BEGIN IMMEDIATE")
            for command in ("current", "check"):
                await asyncio.to_thread(read, "db", command, "--url", demo_file)
            await connection.rollback()
        await engine.dispose()

    asyncio.run(asyncio.wait_for(read_while_locked(), 20))

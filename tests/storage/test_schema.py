"""What `schema_state` says of a database, and what connecting to it would say."""

import hashlib
import sqlite3
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine

from ramax.errors import ForeignSchemaError, SchemaOutOfDateError, StorageError
from ramax.storage import migrate
from ramax.storage.create import create
from ramax.storage.engine import make_engine
from ramax.storage.schema import read_schema, schema_state
from ramax.storage.tables import HEAD

EMPTY = [
    pytest.param("sqlite_url", id="sqlite"),
    pytest.param("empty_postgres_url", id="postgres", marks=pytest.mark.postgres),
]


@pytest.fixture(params=EMPTY)
def empty_url(request):
    return request.getfixturevalue(request.param)


@pytest.fixture
async def empty(empty_url):
    engine = create_async_engine(empty_url)
    yield engine
    await engine.dispose()


async def state_of(engine):
    async with engine.connect() as connection:
        return await schema_state(connection)


async def run(engine, *statements):
    async with engine.begin() as connection:
        for statement in statements:
            await connection.exec_driver_sql(statement)


async def test_empty_and_current_are_no_problem(empty):
    state = await state_of(empty)
    assert (state.kind, state.revision, state.problem()) == ("empty", None, None)
    await create(empty)
    state = await state_of(empty)
    assert (state.kind, state.revision, state.problem()) == ("current", HEAD, None)


async def test_an_older_schema_names_its_revision_and_the_command_that_upgrades(empty):
    await migrate.upgrade(empty, "ramax_0001")
    problem = (await state_of(empty)).problem()
    assert isinstance(problem, SchemaOutOfDateError)
    assert (problem.current, problem.head) == ("ramax_0001", HEAD)
    assert "ramax db upgrade" in problem.remedy


@pytest.mark.parametrize("stamp", ["ramax_9999", "0123456789ab"])
async def test_a_newer_schema_is_named_and_no_upgrade_touches_it(empty, stamp):
    await create(empty)
    await run(empty, f"UPDATE ramax_alembic_version SET version_num = '{stamp}'")
    state = await state_of(empty)
    assert state.kind == "newer"
    for call in (migrate.upgrade(empty), migrate.downgrade(empty, "base")):
        with pytest.raises(SchemaOutOfDateError, match=stamp) as caught:
            await call
        assert caught.value.current == stamp
        assert "newer" in caught.value.remedy
    assert await state_of(empty) == state


async def test_a_table_of_our_name_with_other_columns_is_foreign_and_untouched(empty):
    await run(empty, "CREATE TABLE events (id INTEGER PRIMARY KEY, name TEXT)")
    state = await state_of(empty)
    assert (state.kind, state.tables) == ("foreign", ("events",))
    with pytest.raises(ForeignSchemaError, match="columns id, name") as caught:
        await migrate.upgrade(empty)
    assert caught.value.tables == ("events",)
    async with empty.connect() as connection:
        assert await connection.run_sync(lambda c: sa.inspect(c).get_table_names()) == ["events"]


@pytest.mark.parametrize(
    "change",
    [
        "DROP TABLE pstate_entities",
        "ALTER TABLE events RENAME COLUMN payload TO body",
        "ALTER TABLE events ADD COLUMN mine INTEGER",
        "CREATE TABLE idempotency_keys (space_id INTEGER, key TEXT)",
        "CREATE VIEW spaces AS SELECT 1 AS space_id",
    ],
)
async def test_almost_a_known_form_is_foreign_too(empty, change):
    await migrate.upgrade(empty, "ramax_0001")
    await run(empty, "DROP TABLE ramax_alembic_version", change)
    if change.startswith("DROP"):  # a file with events only is a known form
        await run(empty, "CREATE TABLE pstate_entities (key TEXT, value TEXT, updated_at INTEGER)")
    before = await state_of(empty)
    assert before.kind == "foreign"
    with pytest.raises(ForeignSchemaError):
        await migrate.upgrade(empty)
    assert await state_of(empty) == before


async def test_stamped_tables_that_are_missing_are_noticed(empty):
    await create(empty)
    await run(empty, "DROP TABLE idempotency_keys")
    problem = (await state_of(empty)).problem()
    assert isinstance(problem, ForeignSchemaError)
    assert "idempotency_keys" in problem.reason


async def test_a_stamp_in_the_applications_own_history_counts(empty):
    await create(empty)
    await run(
        empty,
        "DROP TABLE ramax_alembic_version",
        "CREATE TABLE alembic_version (version_num VARCHAR(32))",
        f"INSERT INTO alembic_version VALUES ('f00d'), ('{HEAD}')",
    )
    assert (await state_of(empty)).kind == "current"
    await run(
        empty, "UPDATE alembic_version SET version_num = 'ramax_0001' WHERE version_num <> 'f00d'"
    )
    state = await state_of(empty)
    assert (state.kind, state.revision) == ("older", "ramax_0001")
    with pytest.raises(SchemaOutOfDateError, match="upgraded with the application"):
        await migrate.upgrade(empty)


async def test_the_newest_tables_without_a_stamp_are_taken_for_what_they_are(empty):
    await create(empty)
    await run(empty, "DROP TABLE ramax_alembic_version")
    state = await state_of(empty)
    assert (state.kind, state.revision) == ("current", None)


def checksum(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def sound(tmp_path):
    """A database from before spaces, large enough to be cut in the middle of its events."""
    path = tmp_path / "file.db"
    connection = sqlite3.connect(path)
    connection.executescript(
        "CREATE TABLE events (event_id INTEGER PRIMARY KEY AUTOINCREMENT, entity_id TEXT NOT NULL,"
        " event_type TEXT NOT NULL, payload BLOB NOT NULL, timestamp INTEGER NOT NULL,"
        " causation_id INTEGER, correlation_id TEXT, created_at INTEGER)"
    )
    row = ("e", "t", b"\x83" + b"x" * 3000, 1)
    insert = "INSERT INTO events (entity_id, event_type, payload, timestamp) VALUES (?, ?, ?, ?)"
    connection.executemany(insert, [row] * 200)
    connection.commit()
    connection.close()
    return path


@pytest.mark.parametrize("journal", ["delete", "wal"])
@pytest.mark.parametrize("left", [0.95, 0.5, 0.03])
async def test_a_truncated_file_is_named_and_untouched(sound, left, journal):
    connection = sqlite3.connect(sound)
    connection.execute(f"PRAGMA journal_mode = {journal}")
    connection.close()
    whole = sound.read_bytes()
    sound.write_bytes(whole[: int(len(whole) * left)])
    before = checksum(sound)
    engine = create_async_engine(f"sqlite+aiosqlite:///{sound}")
    with pytest.raises(StorageError, match=str(sound)):
        await migrate.upgrade(engine)
    await engine.dispose()
    assert checksum(sound) == before


@pytest.mark.parametrize("content", [b"\x89PNG\r\n" + b"x" * 5000, b"SQLite format 3\x00" * 99])
async def test_what_is_no_database_is_named_and_untouched(tmp_path, content):
    path = tmp_path / "picture.png"
    path.write_bytes(content)
    engine = create_async_engine(f"sqlite+aiosqlite:///{path}")
    for call in (migrate.upgrade, create):
        with pytest.raises(StorageError, match="picture.png"):
            await call(engine)
    await engine.dispose()
    assert path.read_bytes() == content


async def test_a_foreign_file_is_the_same_to_the_last_byte_after_a_refusal(tmp_path):
    path = tmp_path / "theirs.db"
    connection = sqlite3.connect(path)
    connection.executescript("CREATE TABLE spaces (x); INSERT INTO spaces VALUES (1)")
    connection.close()
    before = checksum(path)
    engine = create_async_engine(f"sqlite+aiosqlite:///{path}")
    with pytest.raises(ForeignSchemaError):
        await migrate.upgrade(engine)
    assert (await create(engine)).kind == "foreign"
    await engine.dispose()
    assert checksum(path) == before


async def test_reading_does_not_wait_for_a_writer(sqlite_url):
    engine = make_engine(sqlite_url)
    await create(engine)
    writer = make_engine(sqlite_url)
    async with writer.begin() as connection:  # BEGIN IMMEDIATE
        assert connection.in_transaction()
        assert (await read_schema(engine)).kind == "current"
        assert await migrate.check(engine) == []
        assert await migrate.current_revision(engine) == HEAD
    await writer.dispose()
    await engine.dispose()


async def test_a_file_can_be_read_that_may_not_be_written(sqlite_url):
    engine = make_engine(sqlite_url)
    await create(engine)
    await engine.dispose()
    reader = make_engine(sqlite_url, read_only=True)
    assert (await read_schema(reader)).kind == "current"
    assert await migrate.check(reader) == []
    await reader.dispose()


async def test_what_cannot_be_read_is_a_storage_error(tmp_path):
    (tmp_path / "text.db").write_text("text " * 400)
    engine = make_engine(str(tmp_path / "text.db"))
    with pytest.raises(StorageError, match="not a sound SQLite database"):
        await read_schema(engine)
    await engine.dispose()

"""Upgrading a filled database from before spaces, on SQLite and on PostgreSQL."""

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine

from ramax.errors import SpaceNameError, StorageError
from ramax.storage import carry_over, migrate
from ramax.storage.schema import schema_state
from ramax.storage.tables import build_tables
from ramax.values import Progress
from tests.migrations.catalog import catalog
from tests.migrations.elixir import BEFORE_SPACES, ElixirFile, awkward, etf, event, pstate

IDS = [2, 3, 7, 11, 12]
KEYS = ["e:0", "e:1", "é:2"]
ENTITIES = ["events", "pstate_entities"]


async def insert(connection, table, row):
    columns, marks = ", ".join(row), ", ".join(f":{name}" for name in row)
    await connection.execute(sa.text(f"INSERT INTO {table} ({columns}) VALUES ({marks})"), row)


async def fill(url):
    """Fill the tables of revision 1; the highest event id ever used is 20."""
    engine = create_async_engine(url)
    await migrate.upgrade(engine, "ramax_0001")
    async with engine.begin() as connection:
        for number in [*IDS, 20]:
            await insert(connection, "events", event(number))
        await connection.exec_driver_sql("DELETE FROM events WHERE event_id = 20")
        if connection.dialect.name == "postgresql":
            await connection.exec_driver_sql("SELECT setval('events_event_id_seq', 20)")
        for key in KEYS:
            await insert(connection, "pstate_entities", pstate(key))
    await engine.dispose()


@pytest.fixture
def elixir_url(tmp_path):
    """The same rows as Elixir writes them: no stamp, bytes with storage class TEXT."""
    file = ElixirFile(tmp_path / "elixir.db", BEFORE_SPACES)
    file.insert("events", *(event(number) for number in [*IDS, 20]))
    file.run("DELETE FROM events WHERE event_id = 20")
    file.insert("pstate_entities", *(pstate(key) for key in KEYS))
    return file.url


@pytest.fixture
async def filled_sqlite_url(sqlite_url):
    await fill(sqlite_url)
    return sqlite_url


@pytest.fixture
async def filled_postgres_url(empty_postgres_url):
    await fill(empty_postgres_url)
    return empty_postgres_url


@pytest.fixture(
    params=[
        pytest.param("elixir_url", id="elixir"),
        pytest.param("filled_sqlite_url", id="sqlite"),
        pytest.param("filled_postgres_url", id="postgres", marks=pytest.mark.postgres),
    ]
)
def old_url(request):
    return request.getfixturevalue(request.param)


@pytest.fixture
async def old(old_url):
    engine = create_async_engine(old_url)
    yield engine
    await engine.dispose()


async def rows(engine, table, *columns):
    found = build_tables(engine.dialect.name).metadata.tables[table]
    query = sa.select(*(found.c[name] for name in columns)).order_by(*found.primary_key.columns)
    async with engine.connect() as connection:
        return [tuple(row) for row in await connection.execute(query)]


async def everything(engine):
    """Read all rows of all tables, with the types that SQLite keeps for each value."""
    tables = build_tables(engine.dialect.name).metadata.tables
    return {name: await rows(engine, name, *table.c.keys()) for name, table in tables.items()}


async def test_events_go_to_one_space_and_keep_ids_bytes_and_times(old):
    await migrate.upgrade(old)
    assert await rows(old, "events", "event_id", "space_id", "space_sequence") == [
        (number, 1, rank) for rank, number in enumerate(IDS, 1)
    ]
    assert await rows(old, "events", "payload", "format") == [(awkward(n), "etf") for n in IDS]
    assert await rows(old, "events", "timestamp", "created_at") == [
        ((1_700_000_000_000 + n) * 1000, 1_700_000_000_000_000) for n in IDS
    ]
    origin = await rows(old, "events", "causation_id", "correlation_id", "entity_id", "metadata")
    assert origin == [(n - 1, None if n % 2 else "run-1", f"e:{n % 3}", None) for n in IDS]


async def test_the_space_its_guard_its_pstate_and_its_checkpoint_are_there(old):
    await migrate.upgrade(old)
    created = (1_700_000_000_000 + IDS[0]) * 1000
    space = await rows(old, "spaces", "space_id", "space_name", "created_at", "metadata", "domains")
    assert space == [(1, "default", created, None, None)]
    latest = (1_700_000_000_000 + IDS[-1]) * 1000
    guard = await rows(
        old, "space_sequences", "space_id", "last_sequence", "state_version", "last_timestamp"
    )
    assert guard == [(1, len(IDS), 0, latest)]
    assert await rows(
        old, "projection_checkpoints", "space_id", "name", "last_event_id", "last_space_sequence"
    ) == [(1, "pstate", IDS[-1], len(IDS))]
    values = await rows(
        old, "pstate_entities", "space_id", "key", "value", "format", "updated_at", "direct"
    )
    assert values == [
        (1, key, etf(key.encode() + b"\x00\xff"), "etf", 1_700_000_001_000_000, 0) for key in KEYS
    ]


async def test_bytes_are_bytes_afterwards_not_text(elixir_url):
    engine = create_async_engine(elixir_url)
    await migrate.upgrade(engine)
    async with engine.connect() as connection:
        kinds = await connection.exec_driver_sql(
            "SELECT typeof(payload) FROM events UNION SELECT typeof(value) FROM pstate_entities"
        )
        assert kinds.scalars().all() == ["blob"]
    await engine.dispose()


async def test_no_id_that_was_ever_used_is_used_again(old):
    await migrate.upgrade(old)
    tables = build_tables(old.dialect.name)
    new_event = {
        "space_id": 1, "space_sequence": 6, "entity_id": "e", "event_type": "t",
        "payload": b"\x80", "format": "msgpack", "timestamp": 1,
    }  # fmt: skip
    async with old.begin() as connection:
        events = sa.insert(tables.events).values(new_event)
        assert await connection.scalar(events.returning(tables.events.c.event_id)) == 21
        spaces = sa.insert(tables.spaces).values(space_name="b", created_at=1)
        assert await connection.scalar(spaces.returning(tables.spaces.c.space_id)) == 2


async def test_the_schema_is_the_newest_and_nothing_of_the_old_is_left(old, old_url):
    await migrate.upgrade(old)
    assert await migrate.check(old) == []
    async with old.connect() as connection:
        assert (await schema_state(connection)).kind == "current"
        found = await connection.run_sync(catalog)
    assert not [fact for fact in str(found).split("'") if "ramax_old" in fact or "idx_" in fact]


async def test_the_space_can_be_named(old):
    await migrate.upgrade(old, space_name="acme")
    assert await rows(old, "spaces", "space_id", "space_name") == [(1, "acme")]


async def test_a_bad_name_is_refused_before_anything_is_written(old):
    before = await read_old(old)
    with pytest.raises(SpaceNameError, match="No Good"):
        await migrate.upgrade(old, space_name="No Good")
    assert await read_old(old) == before


async def test_a_database_without_rows_gets_no_space(tmp_path):
    engine = create_async_engine(ElixirFile(tmp_path / "empty.db", BEFORE_SPACES).url)
    await migrate.upgrade(engine)
    nothing: dict[str, list[object]] = {n: [] for n in build_tables("sqlite").metadata.tables}
    assert await everything(engine) == nothing | {"branches": [(1, "main", None, 0)]}
    await engine.dispose()


async def test_a_second_upgrade_changes_nothing(old):
    await migrate.upgrade(old)
    before = await everything(old)
    await migrate.upgrade(old, space_name="other")
    assert await everything(old) == before


async def test_progress_is_told_after_each_batch(old, monkeypatch):
    monkeypatch.setattr(carry_over, "BATCH", 2)
    told: list[Progress] = []
    await migrate.upgrade(old, progress=told.append)
    assert [(each.done, each.total) for each in told] == [(2, 5), (4, 5), (5, 5)]
    assert all(each.seconds >= 0 for each in told)
    sequences = await rows(old, "events", "event_id", "space_sequence")
    assert sequences == [(number, rank) for rank, number in enumerate(IDS, 1)]


async def test_what_fails_in_the_middle_leaves_the_old_database(old, monkeypatch):
    monkeypatch.setattr(carry_over, "BATCH", 2)
    before = await read_old(old)

    def stop(progress):
        if progress.done == 4:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await migrate.upgrade(old, progress=stop)
    assert await read_old(old) == before
    await migrate.upgrade(old)
    assert len(await rows(old, "events", "event_id")) == len(IDS)


async def read_old(engine):
    async with engine.connect() as connection:
        return {
            name: (await connection.exec_driver_sql(query)).all()
            for name, query in {
                "events": "SELECT event_id, entity_id, timestamp FROM events ORDER BY 1",
                "pstate": "SELECT key, updated_at FROM pstate_entities ORDER BY 1",
            }.items()
        }


async def test_a_view_of_the_application_still_shows_the_events(filled_sqlite_url):
    engine = create_async_engine(filled_sqlite_url)
    async with engine.begin() as connection:
        await connection.exec_driver_sql("CREATE VIEW seen AS SELECT event_id FROM events")
    await migrate.upgrade(engine)
    async with engine.connect() as connection:
        seen = await connection.exec_driver_sql("SELECT event_id FROM seen ORDER BY 1")
        assert seen.scalars().all() == IDS
    await engine.dispose()


async def test_a_table_of_the_application_that_refers_to_events_keeps_its_rows(filled_sqlite_url):
    engine = create_async_engine(filled_sqlite_url)

    @sa.event.listens_for(engine.sync_engine, "connect")
    def enforce(connection, _):
        connection.execute("PRAGMA foreign_keys = ON")

    async with engine.begin() as connection:
        await connection.exec_driver_sql(
            "CREATE TABLE notes (event_id INTEGER REFERENCES events(event_id) ON DELETE CASCADE)"
        )
        await connection.exec_driver_sql("INSERT INTO notes VALUES (2), (7)")
    await migrate.upgrade(engine)
    async with engine.begin() as connection:
        notes = await connection.exec_driver_sql("SELECT event_id FROM notes ORDER BY 1")
        assert notes.scalars().all() == [2, 7]
        assert await connection.scalar(sa.text("PRAGMA foreign_keys")) == 1
        await connection.exec_driver_sql("INSERT INTO notes VALUES (12)")
        with pytest.raises(sa.exc.IntegrityError):
            await connection.exec_driver_sql("INSERT INTO notes VALUES (13)")
    await engine.dispose()


async def test_a_reference_into_our_tables_that_leads_nowhere_stops_the_upgrade(filled_sqlite_url):
    engine = create_async_engine(filled_sqlite_url)
    async with engine.begin() as connection:
        await connection.exec_driver_sql(
            "CREATE TABLE notes (event_id INTEGER REFERENCES events(event_id))"
        )
        await connection.exec_driver_sql("INSERT INTO notes VALUES (4)")
    with pytest.raises(StorageError, match="row 1 of notes refers to a row of events"):
        await migrate.upgrade(engine)
    assert await migrate.current_revision(engine) == "ramax_0001"
    await engine.dispose()


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        (b"\x83t\x00\x00\x00\x00", "etf"),
        (b"\x83P\x00\x00\x00\x05x", "etf"),
        (b"\x83F\x3f\xf0\x00\x00\x00\x00\x00\x00", "etf"),
        (b'{"a": 1}', "json"),
        (b'"text"', "json"),
        (b"-1.5", "json"),
        (b"null", "json"),
        (b"\x83\xa1a\x01\xa1b\x02\xa1c\x03", "msgpack"),
        (b"\xc0", "msgpack"),
        (b"\xa1a", "msgpack"),
    ],
)
async def test_each_row_says_its_format(tmp_path, stored, expected):
    file = ElixirFile(tmp_path / "elixir.db", BEFORE_SPACES)
    file.insert("pstate_entities", pstate("k", value=stored), pstate("other"))
    engine = create_async_engine(file.url)
    await migrate.upgrade(engine)
    found = await rows(engine, "pstate_entities", "key", "value", "format")
    assert found[0] == ("k", stored, expected)
    assert found[1][2] == "etf"
    await engine.dispose()

"""Going back to the tables from before spaces: without a loss, or not at all."""

import shutil
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine

from ramax.errors import DataError, StorageError
from ramax.storage import migrate
from ramax.storage.create import create
from ramax.storage.schema import schema_state
from ramax.storage.tables import HEAD, build_tables
from tests.migrations.catalog import catalog
from tests.migrations.elixir import awkward

EMPTY = [
    pytest.param("sqlite_url", id="sqlite"),
    pytest.param("empty_postgres_url", id="postgres", marks=pytest.mark.postgres),
]
DATA = Path(__file__).parents[1] / "data" / "legacy"


@pytest.fixture(params=EMPTY)
def empty_url(request):
    return request.getfixturevalue(request.param)


@pytest.fixture
async def new(empty_url):
    """An engine of a database of today with one space that holds two events and two keys."""
    engine = create_async_engine(empty_url)
    await create(engine)
    await insert(engine, "spaces", space_id=4, space_name="acme", created_at=5)
    await insert(engine, "space_sequences", space_id=4, last_sequence=2)
    await insert(engine, "events", **new_event(1))
    await insert(engine, "events", **new_event(2, payload=awkward(3), format="etf"))
    for key, value, stored in (("a", b'{"a":1}', "json"), ("b", b"\x91\x01", "msgpack")):
        await insert(engine, "pstate_entities", space_id=4, key=key, value=value, format=stored)
    yield engine
    await engine.dispose()


def new_event(sequence, **others):
    return {
        "space_id": 4,
        "space_sequence": sequence,
        "entity_id": "e",
        "event_type": "t",
        "payload": b"\x81\xa1a\x01",
        "format": "msgpack",
        "timestamp": 1_700_000_000_123_456,
        "created_at": 1_700_000_000_999_999,
    } | others


async def insert(engine, table, **row):
    found = build_tables(engine.dialect.name).metadata.tables[table]
    async with engine.begin() as connection:
        await connection.execute(sa.insert(found).values(row))


async def read(engine, query):
    async with engine.connect() as connection:
        return [tuple(row) for row in await connection.exec_driver_sql(query)]


async def test_order_ids_and_bytes_are_kept_and_times_fall_to_their_old_units(new):
    await migrate.downgrade(new, "ramax_0001")
    assert await migrate.current_revision(new) == "ramax_0001"
    events = "SELECT event_id, payload, timestamp, created_at FROM events ORDER BY event_id"
    assert await read(new, events) == [
        (1, b"\x81\xa1a\x01", 1_700_000_000_123, 1_700_000_000),
        (2, awkward(3), 1_700_000_000_123, 1_700_000_000),
    ]
    assert await read(new, "SELECT key, value FROM pstate_entities ORDER BY key") == [
        ("a", b'{"a":1}'),
        ("b", b"\x91\x01"),
    ]


async def test_up_again_tells_the_formats_and_gives_new_ids_above_the_old(new):
    await insert(new, "events", **new_event(3))
    async with new.begin() as connection:
        await connection.exec_driver_sql("DELETE FROM events WHERE event_id = 3")
    await migrate.downgrade(new, "ramax_0001")
    await migrate.upgrade(new, space_name="acme")
    assert await read(new, "SELECT event_id, format FROM events ORDER BY 1") == [
        (1, "msgpack"),
        (2, "etf"),
    ]
    assert await read(new, "SELECT key, format FROM pstate_entities ORDER BY key") == [
        ("a", "json"),
        ("b", "msgpack"),
    ]
    assert await read(new, "SELECT space_name FROM spaces") == [("acme",)]
    await insert(new, "events", **new_event(3, space_id=1))
    assert await read(new, "SELECT max(event_id) FROM events") == [(4,)]


async def test_the_old_tables_are_those_of_the_first_revision_to_the_last_detail(new, empty_url):
    await migrate.downgrade(new, "ramax_0001")
    async with new.begin() as connection:
        await connection.exec_driver_sql("DELETE FROM events")
        await connection.exec_driver_sql("DELETE FROM pstate_entities")
    async with new.connect() as connection:
        there = await connection.run_sync(catalog)
    await migrate.downgrade(new, "base")
    await migrate.upgrade(new, "ramax_0001")
    async with new.connect() as connection:
        fresh = await connection.run_sync(catalog)
    there.pop("counters", None), fresh.pop("counters", None)  # ids go on where they were
    there.pop("sequences", None), fresh.pop("sequences", None)
    assert there == fresh


@pytest.mark.parametrize(
    ("table", "row", "reason"),
    [
        ("pstate_entities", {"space_id": 9, "key": "k", "value": b"\xc0"}, "2 spaces hold data"),
        (
            "pstate_entities",
            {"space_id": 4, "key": "k", "value": b"1"},
            "1 rows of pstate_entities",
        ),
        ("events", new_event(3, metadata=b"\x80"), "1 events have metadata"),
        ("events", new_event(3, payload=b"\x83t"), "1 rows of events"),
    ],
)
async def test_it_refuses_naming_what_would_be_lost(new, table, row, reason):
    await insert(new, table, **{"format": "msgpack"} | row)
    async with new.connect() as connection:
        before = await connection.run_sync(catalog)
    with pytest.raises(StorageError, match=reason):
        await migrate.downgrade(new, "ramax_0001")
    async with new.connect() as connection:
        assert await connection.run_sync(catalog) == before


async def test_it_names_the_spaces_that_are_too_many(tmp_path):
    path = shutil.copy(DATA / "sample_spaces.db", tmp_path)
    engine = create_async_engine(f"sqlite+aiosqlite:///{path}")
    await migrate.upgrade(engine)
    with pytest.raises(StorageError, match="id 2, a deleted one, id 4, crm_acme, crm_widgets"):
        await migrate.downgrade(engine, "ramax_0001")
    assert await migrate.current_revision(engine) == HEAD
    await engine.dispose()


async def test_spaces_without_data_are_no_reason_to_refuse(new):
    await insert(new, "spaces", space_id=6, space_name="empty", created_at=5)
    await migrate.downgrade(new, "ramax_0001")
    async with new.connect() as connection:
        assert (await schema_state(connection)).tables == ("events", "pstate_entities")


async def test_the_first_revision_is_not_undone_while_it_holds_rows(new):
    await migrate.downgrade(new, "ramax_0001")
    with pytest.raises(StorageError, match="events holds 2 rows, which this would delete"):
        await migrate.downgrade(new, "base")
    assert await migrate.current_revision(new) == "ramax_0001"


async def test_the_elixir_sample_comes_back_as_it_was(tmp_path):
    path = shutil.copy(DATA / "sample_legacy.db", tmp_path)
    engine = create_async_engine(f"sqlite+aiosqlite:///{path}")
    queries = (
        (
            "SELECT event_id, entity_id, event_type, CAST(payload AS BLOB), timestamp, causation_id,"
            " correlation_id, created_at FROM events ORDER BY 1"
        ),
        "SELECT key, CAST(value AS BLOB), updated_at FROM pstate_entities ORDER BY 1",
        "SELECT name, seq FROM sqlite_sequence",
    )
    before = [await read(engine, query) for query in queries]
    await migrate.upgrade(engine)
    await migrate.downgrade(engine, "ramax_0001")
    assert [await read(engine, query) for query in queries] == before
    await engine.dispose()


async def test_an_unknown_revision_is_named(new):
    with pytest.raises(DataError, match="ramax_7777"):
        await migrate.downgrade(new, "ramax_7777")

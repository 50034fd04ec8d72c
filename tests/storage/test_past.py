import pytest

from ramax import NewEvent
from ramax.storage.past import first_later, read_first_later, read_time, time_of
from tests._domains import add, counter
from tests.runtime._damage import damage

INDEX = {"sqlite": "sqlite_autoindex_events_1", "postgresql": "pk_events"}


@pytest.fixture
async def store(db):
    """Five events at 10, 20, 15, 30 and 40 µs; another space has later ones."""
    store = await db.content_store("s", counter())
    other = await db.content_store("other", counter())
    for each in (store, other):
        await each.execute_many([(add, None)] * 5)
    await damage(db, "UPDATE events SET timestamp = timestamp + 1000 WHERE space_id = 2")
    for sequence, micros in enumerate((10, 20, 15, 30, 40), start=1):
        await damage(
            db,
            "UPDATE events SET timestamp = :at WHERE space_id = 1 AND space_sequence = :s",
            at=micros,
            s=sequence,
        )
    return store


async def test_the_first_later_event_counts_also_where_times_fall(db, store):
    async def later(moment: int, after: int = 0) -> int | None:
        found: int | None = await db._core.read(
            lambda ex: read_first_later(ex, 1, moment, after=after)
        )
        return found

    assert [await later(at) for at in (0, 10, 15, 20, 29, 30, 40)] == [1, 2, 2, 4, 4, 5, None]
    assert await later(10, after=2) == 3
    assert await db._core.read(lambda ex: read_first_later(ex, 99, 0, after=0)) is None


async def test_the_time_of_an_event_is_of_its_space(db, store):
    assert await db._core.read(lambda ex: read_time(ex, 1, 3)) == 15
    assert await db._core.read(lambda ex: read_time(ex, 1, 6)) is None


async def test_both_use_the_index_of_sequences(db, store):
    dialect = db.engine.dialect.name
    explain = "EXPLAIN QUERY PLAN " if dialect == "sqlite" else "EXPLAIN "
    params = {"space_id": 1, "after": 0, "upto": 99, "moment": 20, "sequence": 3, "limit": 1}
    # of a handful of rows PostgreSQL finds any index as good as another
    await store.events.append_many([NewEvent("n", {}, entity_id=f"e{n}") for n in range(500)])
    async with db.connection() as connection:
        await connection.exec_driver_sql("ANALYZE")
        if dialect == "postgresql":
            await connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
            await connection.exec_driver_sql("SET LOCAL enable_bitmapscan = off")
            await connection.exec_driver_sql("SET LOCAL enable_sort = off")
        for statement in (first_later, time_of):
            sql = statement.on(db._core.backend.tables)
            rows = await connection.exec_driver_sql(
                explain + sql.text, tuple(sql.arguments(params))
            )
            plan = "\n".join(str(row[-1]) for row in rows)
            assert INDEX[dialect] in plan, plan
            assert "Sort" not in plan
            assert "TEMP B-TREE" not in plan

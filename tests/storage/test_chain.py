import pytest

from ramax.core.chain import BEGINNING
from ramax.storage.chain import (
    extend,
    hash_page,
    hashes_page,
    insert_hash,
    read_hashes,
    read_head,
    write_head,
)
from tests._domains import add, counter


@pytest.fixture
async def store(db):
    store = await db.content_store("s", counter())
    await store.execute_many([(add, n) for n in range(5)])
    return store


async def test_stored_events_are_hashed_page_by_page_in_order(db, store):
    async def page(after: int, previous: bytes) -> tuple[int, bytes]:
        found: tuple[int, bytes] = await db._core.locked(
            "a test", lambda ex: hash_page(ex, 1, after, previous, 2)
        )
        return found

    at, one = await page(0, BEGINNING)
    again = await page(0, BEGINNING)
    assert (at, one) == again
    at, two = await page(at, one)
    at, three = await page(at, two)
    assert (at, await page(5, three)) == (5, (5, three))
    hashes = await db._core.read(lambda ex: read_hashes(ex, 1, after=0, upto=9))
    assert list(hashes) == [1, 2, 3, 4, 5]
    assert [hashes[2], hashes[4], hashes[5]] == [one, two, three]
    some = await db._core.read(lambda ex: read_hashes(ex, 1, after=1, upto=3))
    assert list(some) == [2, 3]


async def test_the_head_says_what_the_hot_row_and_the_newest_event_have(db, store):
    read = db._core.read
    assert await read(lambda ex: read_head(ex, 1)) == (5, None, None)
    assert await read(lambda ex: read_head(ex, 99)) is None
    await db._core.locked("a test", lambda ex: write_head(ex, 1, b"h"))
    assert await read(lambda ex: read_head(ex, 1)) == (5, b"h", None)
    empty = await db.spaces.create("empty")
    assert await read(lambda ex: read_head(ex, empty.space_id)) == (0, None, BEGINNING)


async def test_a_chain_is_extended_over_what_was_written_past_the_writer(db, store):
    await db._core.locked("a test", lambda ex: extend(ex, 1, 2))
    assert await db._core.read(lambda ex: read_hashes(ex, 1, after=0, upto=9)) == {}
    await db._core.locked("a test", lambda ex: write_head(ex, 1, BEGINNING))
    await db._core.locked("a test", lambda ex: extend(ex, 1, 2))
    _, head, newest = await db._core.read(lambda ex: read_head(ex, 1))
    assert head == newest != BEGINNING
    await db._core.locked("a test", lambda ex: extend(ex, 1, 2))
    assert (await db._core.read(lambda ex: read_head(ex, 1)))[1] == head


async def test_hashes_are_read_by_their_key(db, store):
    dialect = db.engine.dialect.name
    tables = db._core.backend.tables
    key = {
        "sqlite": "USING PRIMARY KEY (space_id=? AND space_sequence>?",
        "postgresql": "event_hashes_pkey",
    }[dialect]
    sql = hashes_page.on(tables)
    explain = "EXPLAIN QUERY PLAN " if dialect == "sqlite" else "EXPLAIN "
    async with db.connection() as connection:
        if dialect == "postgresql":
            await connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
            await connection.exec_driver_sql("SET LOCAL enable_bitmapscan = off")
        rows = await connection.exec_driver_sql(
            explain + sql.text, tuple(sql.arguments({"space_id": 1, "after": 0, "upto": 9}))
        )
        plan = "\n".join(str(row[-1]) for row in rows)
    assert key in plan, plan
    assert "TEMP B-TREE" not in plan
    assert "hash" in insert_hash.on(tables).names

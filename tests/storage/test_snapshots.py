import pytest

from ramax.storage import snapshots
from ramax.storage.snapshots import CHUNK, Fold, Stored, chunks_of, read_chunk, read_newest
from tests._domains import add, counter

MINE, OTHERS = Fold.of({"a": 1, "b": 2}), Fold.of({"a": 2, "b": 2})


@pytest.fixture
async def space(db):
    store = await db.content_store("s", counter())
    await store.execute(add)
    return store.space.space_id


async def write(db, space_id, sequence, *data, fold=MINE, latest=0, chunks=None):
    def work(ex):
        for number, each in enumerate(data):
            snapshots.write_chunk(ex, space_id, sequence, fold, number, each)
        head = Stored(sequence, len(data) if chunks is None else chunks, latest)
        return snapshots.write_head(ex, space_id, head, fold, key_count=len(data), now=5)

    return await db._core.locked("a test", work)


def test_a_fold_is_its_domains_and_their_versions():
    assert Fold.of({"b": 2, "a": 1}) == MINE
    assert len({MINE.digest, OTHERS.digest, Fold.of({"a": 1}).digest}) == 3


def test_chunks_are_full_and_nothing_is_lost():
    values = [(f"k{n:03}", bytes(CHUNK // 4)) for n in range(9)]
    found = list(chunks_of(values))
    assert [count for count, _ in found] == [4, 4, 1]
    assert all(len(data) < 1.2 * CHUNK for _, data in found)
    assert list(chunks_of([])) == []
    assert len(list(chunks_of([("k", bytes(16 * CHUNK)), ("l", b"")]))) == 2


async def test_the_newest_of_a_fold_is_found_by_sequence_and_by_time(db, space):
    for sequence in (10, 20, 30):
        assert await write(db, space, sequence, latest=sequence * 100)

    async def newest(**bounds):
        found = await db._core.read(lambda ex: read_newest(ex, space, MINE, **bounds))
        return found and found.sequence

    assert [await newest(upto=n) for n in (9, 10, 29, 99)] == [None, 10, 20, 30]
    assert [await newest(moment=n) for n in (999, 1000, 2500)] == [None, 10, 20]
    assert await db._core.read(lambda ex: read_newest(ex, space, OTHERS)) is None
    assert await db._core.read(lambda ex: read_newest(ex, 99, MINE)) is None


async def test_chunks_come_back_as_they_were(db, space):
    packed = [data for _, data in chunks_of([("a", b"\x01"), ("é", b"\xc0")])]
    await write(db, space, 1, *packed)
    assert await db._core.read(lambda ex: read_chunk(ex, space, 1, MINE, 0)) == {
        "a": b"\x01",
        "é": b"\xc0",
    }
    assert await db._core.read(lambda ex: read_chunk(ex, space, 1, MINE, 1)) is None
    assert await db._core.read(lambda ex: read_chunk(ex, space, 1, OTHERS, 0)) is None


async def test_a_head_counts_only_with_all_of_its_chunks(db, space):
    assert not await write(db, space, 1, b"\x90", chunks=2)
    assert await db._core.read(lambda ex: read_newest(ex, space, MINE)) is None


async def test_a_new_version_drops_what_older_ones_left(db, space):
    other = (await db.content_store("other", counter())).space.space_id
    for at in (space, other):
        await write(db, at, 1, b"\x90")
        await write(db, at, 2, b"\x90")
    await write(db, space, 3, b"\x90", fold=OTHERS)
    read = db._core.read
    assert [s.space_sequence for s in await read(lambda ex: snapshots.read_all(ex, space))] == [3]
    assert await read(lambda ex: read_chunk(ex, space, 2, MINE, 0)) is None
    assert len(await read(lambda ex: snapshots.read_all(ex, other))) == 2


@pytest.mark.parametrize("keep", [0, 1, 2, 9])
async def test_all_but_the_newest_are_dropped(db, space, keep):
    for sequence in (1, 2, 3):
        await write(db, space, sequence, b"\x90")
    dropped = await db._core.locked("a test", lambda ex: snapshots.drop(ex, space, keep))
    assert dropped == max(0, 3 - keep)
    left = await db._core.read(lambda ex: snapshots.read_all(ex, space))
    assert [s.space_sequence for s in left] == [3, 2, 1][:keep]
    for sequence in (1, 2, 3):
        chunk = await db._core.read(lambda ex, s=sequence: read_chunk(ex, space, s, MINE, 0))
        assert (chunk is not None) == (sequence > 3 - keep)


async def test_the_newest_is_found_by_the_key(db, space):
    dialect = db.engine.dialect.name
    key = {"sqlite": "sqlite_autoindex_pstate_snapshots_1", "postgresql": "pstate_snapshots_pkey"}
    sql = snapshots.newest.on(db._core.backend.tables)
    params = {"space_id": 1, "upto": 9, "fold": "f", "moment": 9}
    explain = "EXPLAIN QUERY PLAN " if dialect == "sqlite" else "EXPLAIN "
    async with db.connection() as connection:
        if dialect == "postgresql":
            await connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
            await connection.exec_driver_sql("SET LOCAL enable_bitmapscan = off")
        rows = await connection.exec_driver_sql(explain + sql.text, tuple(sql.arguments(params)))
        plan = "\n".join(str(row[-1]) for row in rows)
    assert key[dialect] in plan, plan
    assert "TEMP B-TREE" not in plan

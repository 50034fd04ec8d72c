import pytest
import sqlalchemy as sa

from ramax.errors import StorageError
from ramax.storage import pstate, spaces
from ramax.storage.executors import AsyncpgExecutor, CoreExecutor, SqliteExecutor
from ramax.storage.faults import UniqueViolationError
from ramax.storage.spaces import _by_id, _rename, list_all
from ramax.storage.sql import Statement


@Statement
def keys(t):
    s = t.pstate.c
    return sa.select(s.space_id, s.key, s.value, s.direct).order_by(s.key)


async def by_core(db, work):
    """Run work over the third kind of connection, with its own commit."""
    async with db.connection() as connection:
        tables = db._core.backend.tables
        result = await connection.run_sync(lambda c: work(CoreExecutor(c, tables)))
        await connection.commit()
        return result


async def test_every_kind_of_executor_gives_the_same_rows_and_counts(db):
    kinds = set()
    space_id = (await db.spaces.create("s")).space_id

    def work(ex):
        kinds.add(type(ex))
        pstate.put(ex, space_id, [("a", b"\x01"), ("b", b"\x02")], now=1, direct=True)
        pstate.delete(ex, space_id, ["b"])
        changed = [ex.run(_rename, {"id": id_, "name": "t"}) for id_ in (space_id, 99)]
        found = [tuple(row) for row in ex.rows(keys, {})]
        return changed, found, list(ex.rows(_by_id, {"space_id": 99}))

    own = await db._core.read(work)
    assert own == ([1, 0], [(space_id, "a", b"\x01", 1)], [])
    assert await by_core(db, work) == own
    postgres = db._core.backend.tables.dialect == "postgresql"
    assert kinds == {CoreExecutor, AsyncpgExecutor if postgres else SqliteExecutor}


async def test_both_kinds_on_postgresql_copy_rows(db):
    if db._core.backend.tables.dialect == "sqlite":
        pytest.skip("COPY is PostgreSQL's")
    space_id = (await db.spaces.create("s")).space_id
    columns = ("space_id", "key", "value", "format", "updated_at", "direct")

    def copying(prefix):
        def work(ex):
            before = len(ex.rows(keys, {}))
            new = ((space_id, f"{prefix}{i}", b"\x01", "msgpack", 1, 0) for i in range(3000))
            ex.copy(ex.tables.pstate, columns, new)
            return len(ex.rows(keys, {})) - before

        return work

    assert await db._core.read(copying("a")) == 3000
    assert await by_core(db, copying("b")) == 3000
    with pytest.raises(UniqueViolationError):
        await db._core.read(copying("a"))


async def test_what_raises_inside_an_atomic_part_rolls_back_all_of_it(db):
    def work(ex):
        spaces.create(ex, "half", None, 1)
        assert spaces.find_by_name(ex, "half")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await db._core.read(lambda ex: ex.atomically(lambda: work(ex)))
    assert await db._core.read(list_all) == []
    made = await db._core.read(lambda ex: ex.atomically(lambda: spaces.create(ex, "s", None, 1)))
    assert await db._core.read(list_all) == [made]


@pytest.mark.parametrize("call", ["rows", "run", "run_many"])
async def test_errors_of_the_driver_are_translated_by_every_call(db, call):
    @Statement
    def refused(t):
        return sa.insert(t.space_sequences).values(space_id=sa.bindparam("space_id"))

    def work(ex):
        row = {"space_id": 99}
        getattr(ex, call)(refused, [row, row] if call == "run_many" else row)

    for run in (db._core.read, lambda work: by_core(db, work)):
        with pytest.raises(StorageError) as raised:
            await run(work)
        assert raised.value.__cause__ is not None
    assert await db._core.read(list_all) == []  # the connection is of use again

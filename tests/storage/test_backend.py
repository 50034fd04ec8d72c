import asyncio

import pytest

from ramax.storage import locks, spaces
from ramax.storage.append_postgres import write_postgres
from ramax.storage.append_sqlite import write_sqlite
from ramax.storage.backend import write_plan
from tests._plans import appended, plan
from tests._tables import dump


class _Failure(Exception):
    pass


async def posted(backend, work):
    """Post work and wait for what `done` is told."""
    told = asyncio.get_running_loop().create_future()
    backend.post(work, told.set_result)
    return await told


def fail_after(work):
    def failing(ex):
        work(ex)
        raise _Failure

    return failing


def create(ex):
    return spaces.create(ex, "new", None, 1)


async def test_a_plan_gives_the_same_answer_and_rows_as_the_way_of_its_database(db):
    a, b = [(await db.spaces.create(name)).space_id for name in ("a", "b")]
    wanted = plan(appended(a, 2), appended(b, 1))
    answers, states = [], []
    direct = write_postgres if db._core.backend.tables.dialect == "postgresql" else write_sqlite

    def undone(way, ex):
        answers.append(way(ex, wanted))
        states.append([tuple(row) for s in (a, b) for row in ex.rows(locks.lock, {"space_id": s})])
        raise _Failure

    for way in (write_plan, direct):
        with pytest.raises(_Failure):
            await db._core.backend.locked(lambda ex, way=way: undone(way, ex))
    assert states == [[(2, 0, 1000), (1, 0, 1000)]] * 2
    for answer in answers:
        assert {s: list(written) for s, written in answer.items()} == {a: [1, 2], b: [1]}
    assert not (await dump(db))["events"]


async def test_posted_work_is_committed_when_done_is_told(db):
    assert await posted(db._core.backend, create) is None
    assert [row["space_name"] for row in (await dump(db))["spaces"]] == ["new"]


async def test_posted_work_that_raises_tells_its_error(db):
    space_id = (await db.spaces.create("s")).space_id
    before = await dump(db)

    def write(ex):
        ex.atomically(lambda: fail_after(lambda ex: write_plan(ex, plan(appended(space_id))))(ex))

    assert isinstance(await posted(db._core.backend, write), _Failure)
    assert await dump(db) == before
    assert await posted(db._core.backend, create) is None  # it goes on


async def test_locked_work_that_raises_is_rolled_back(db):
    before = await dump(db)
    with pytest.raises(_Failure):
        await db._core.backend.locked(fail_after(create))
    assert await dump(db) == before
    made = await db._core.backend.locked(create)
    assert await db._core.backend.read(spaces.list_all) == [made]

import asyncio

import pytest
import sqlalchemy as sa

import ramax
from ramax import Domain, NewEvent
from ramax.storage.faults import ConnectionLostError
from ramax.storage.sql import Statement
from tests._reading import until

pytestmark = pytest.mark.postgres

notes = Domain("notes", entity_id=lambda payload: f"note:{payload['text']}")


@notes.applicator("noted")
def noted(state, event):
    state[event.entity_id] = event.payload


def note(_, text):
    return [NewEvent("noted", {"text": text})]


@Statement
def pid(_):
    return sa.select(sa.func.pg_backend_pid())


def own_pid(ex):
    return ex.rows(pid, {})[0][0]


async def posted(backend, work):
    told = asyncio.get_running_loop().create_future()
    backend.post(work, told.set_result)
    return await told


async def pids(backend, count):
    """The sessions over which works run that are all on their way at once."""
    found, all_there = [], asyncio.Event()

    def work(ex):
        found.append(own_pid(ex))
        if len(found) == count:
            all_there.set()
        sa.util.await_only(all_there.wait())

    assert await asyncio.gather(*(posted(backend, work) for _ in range(count))) == [None] * count
    return found


async def test_works_that_are_on_their_way_at_once_have_sessions_of_their_own(db_on_postgres):
    backend = db_on_postgres._core.backend
    assert len(set(await pids(backend, 2))) == 2
    assert len(backend._writers.idle) == 2


async def test_one_work_after_another_goes_over_the_same_session(db_on_postgres):
    backend = db_on_postgres._core.backend
    await pids(backend, 2)
    found = {(await pids(backend, 1))[0] for _ in range(5)}
    assert len(found) == 1


async def test_a_session_that_broke_takes_no_other_work_along(db_on_postgres):
    backend = db_on_postgres._core.backend
    begun, go_on = asyncio.Event(), asyncio.Event()

    def waiting(ex):
        begun.set()
        sa.util.await_only(go_on.wait())
        own_pid(ex)

    def breaking(ex):
        ex._connection.terminate()
        own_pid(ex)

    first = asyncio.ensure_future(posted(backend, waiting))
    await begun.wait()
    assert isinstance(await posted(backend, breaking), ConnectionLostError)
    go_on.set()
    assert await first is None
    assert len(backend._writers.idle) == 1
    assert await posted(backend, own_pid) is None


@pytest.fixture
async def events_locked(db_on_postgres):
    """Nobody can add an event, to whichever space, until the returned event is set."""
    release, held = asyncio.Event(), asyncio.Event()

    async def hold():
        async with db_on_postgres._core.backend._engine.begin() as connection:
            await connection.execute(sa.text("LOCK TABLE events IN EXCLUSIVE MODE"))
            held.set()
            await release.wait()

    holding = asyncio.create_task(hold())
    await held.wait()
    yield release
    release.set()
    await holding


async def blocked(db, count):
    async def so_many():
        async with db._core.backend._engine.connect() as connection:
            found = await connection.scalar(
                sa.text(
                    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                    " AND wait_event_type = 'Lock'"
                )
            )
        return found == count

    await until(so_many)


async def test_two_spaces_are_written_at_once_and_a_third_one_after_them(
    db_on_postgres, events_locked
):
    db: ramax.Database = db_on_postgres
    stores = [await db.content_store(name, notes) for name in ("a", "b", "c")]
    commands = [asyncio.create_task(store.execute(note, "x")) for store in stores]
    await blocked(db, 2)
    assert db._core.writer.waiting == 1
    events_locked.set()
    assert [(await command).space_sequence for command in commands] == [1, 1, 1]


async def test_commands_of_one_space_follow_each_other_and_keep_the_other_place_free(
    db_on_postgres, events_locked
):
    db: ramax.Database = db_on_postgres
    hot, other = [await db.content_store(name, notes) for name in ("hot", "other")]
    commands = [asyncio.create_task(hot.execute(note, f"{n}")) for n in range(5)]
    await blocked(db, 1)
    assert db._core.writer.waiting == 4
    beside = asyncio.create_task(other.execute(note, "y"))
    await blocked(db, 2)
    assert db._core.writer.waiting == 4
    events_locked.set()
    assert [(await command).space_sequence for command in commands] == [1, 2, 3, 4, 5]
    assert (await beside).space_sequence == 1


async def test_closing_waits_for_both_that_are_on_their_way(db_on_postgres, events_locked):
    db: ramax.Database = db_on_postgres
    stores = [await db.content_store(name, notes) for name in ("a", "b", "c")]
    commands = [asyncio.create_task(store.execute(note, "x")) for store in stores]
    await blocked(db, 2)
    closing = asyncio.create_task(db.close())
    await asyncio.sleep(0)
    assert not closing.done()
    events_locked.set()
    await closing
    assert [(await command).space_sequence for command in commands] == [1, 1, 1]

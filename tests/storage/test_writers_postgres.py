import asyncio
import secrets

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine

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


async def widened(db):
    db._core.backend.widen()

    async def wide():
        return db._core.backend.batches == 2

    await until(wide)


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
    await widened(db_on_postgres)
    assert len(set(await pids(backend, 2))) == 2
    assert len(backend._writers.idle) == 2


async def test_one_work_after_another_goes_over_the_same_session(db_on_postgres):
    backend = db_on_postgres._core.backend
    await widened(db_on_postgres)
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
    await widened(db)
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
    await widened(db)
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
    await widened(db)
    commands = [asyncio.create_task(store.execute(note, "x")) for store in stores]
    await blocked(db, 2)
    closing = asyncio.create_task(db.close())
    await asyncio.sleep(0)
    assert not closing.done()
    events_locked.set()
    await closing
    assert [(await command).space_sequence for command in commands] == [1, 1, 1]


async def test_another_connection_is_opened_when_commands_of_two_spaces_wait(
    db_on_postgres, events_locked
):
    db: ramax.Database = db_on_postgres
    stores = [await db.content_store(name, notes) for name in ("a", "b")]
    assert db._core.backend.batches == 1
    commands = [asyncio.create_task(store.execute(note, "x")) for store in stores]

    async def wide():
        return db._core.backend.batches == 2

    await until(wide)
    await blocked(db, 1)
    events_locked.set()
    assert [(await command).space_sequence for command in commands] == [1, 1]


async def test_a_lone_caller_keeps_one_connection(db_on_postgres):
    stores = [await db_on_postgres.content_store(name, notes) for name in ("a", "b")]
    for number in range(20):
        await stores[number % 2].execute(note, f"{number}")
    assert db_on_postgres._core.backend.batches == 1
    assert len(db_on_postgres._core.backend._writers.idle) == 1


async def test_without_another_connection_all_goes_on_over_one(empty_postgres_url, caplog):
    role = f"limited_{secrets.token_hex(4)}"
    url = sa.make_url(empty_postgres_url)
    limit = create_async_engine(url, isolation_level="AUTOCOMMIT")
    async with limit.connect() as admin:
        await admin.execute(sa.text(f"CREATE ROLE {role} LOGIN PASSWORD 'x'"))
        await admin.execute(sa.text(f"ALTER DATABASE {url.database} OWNER TO {role}"))
        theirs = url.set(username=role, password="x").render_as_string(hide_password=False)
        async with ramax.connect(theirs) as db:
            stores = [await db.content_store(name, notes) for name in ("a", "b", "c")]
            await stores[0].execute(note, "first")
            sessions = sa.text("SELECT count(*) FROM pg_stat_activity WHERE usename = :role")
            count = await admin.scalar(sessions, {"role": role})
            await admin.execute(sa.text(f"ALTER ROLE {role} CONNECTION LIMIT {count}"))
            rounds = 0
            with caplog.at_level("INFO", "ramax.writer"):
                async with asyncio.timeout(25):
                    while "too many connections" not in caplog.text:
                        rounds += 1
                        await asyncio.gather(
                            *(store.execute(note, f"{n}") for n in range(20) for store in stores)
                        )
            heads = [await store.events.get_space_latest_sequence() for store in stores]
            assert heads == [20 * rounds + 1, 20 * rounds, 20 * rounds]
            assert caplog.text.count("too many connections") == 1
    await limit.dispose()


async def test_closing_waits_for_a_connection_that_is_being_opened(db_on_postgres):
    backend = db_on_postgres._core.backend
    backend.widen()
    await db_on_postgres.close()
    assert backend._writers.idle == []
    assert backend._writers._widening is None

import asyncio
from typing import Any

import pytest

import ramax
from ramax.storage.cursors import ALL_SPACES
from tests._domains import add, counter
from tests._reading import no_task_left, until

FAR = 3600.0


@pytest.fixture
async def store(db):
    return await db.content_store("acme", counter())


async def rings(bell, seconds=10.0):
    await bell.wait(seconds)
    rung = bell._rung.is_set()
    bell.clear()
    return rung


async def test_a_commit_rings_for_its_space_and_for_all(db, store):
    other = await db.content_store("other", counter())
    wakeups = db._core.wakeups
    wakeups._listener = None  # which rings for everybody when it begins
    bells = [wakeups.bell(i, FAR) for i in (store.space.space_id, other.space.space_id, ALL_SPACES)]
    for bell in bells:
        bell.clear()
    await store.execute(add)
    assert [await rings(bell, 0.01) for bell in bells] == [True, False, True]
    for bell in bells:
        await wakeups.dismiss(bell)


async def test_what_nobody_told_about_is_found_within_the_interval(durable_db, durable_url):
    store = await durable_db.content_store("acme", counter())
    wakeups = durable_db._core.wakeups
    wakeups._listener = None  # as where notifications get lost
    async with ramax.connect(durable_url) as elsewhere:
        writer = await elsewhere.content_store("acme", counter())
        for space_id in (store.space.space_id, ALL_SPACES):
            bell = wakeups.bell(space_id, 0.05)
            await rings(bell)  # the first look
            await rings(bell, 0.1)
            clock = asyncio.get_running_loop().time
            before = clock()
            await writer.execute(add)
            assert await rings(bell)
            assert clock() - before < 2  # generous: machines of tests are busy
            await wakeups.dismiss(bell)


async def test_no_task_is_left_after_the_last_bell(db, store):
    async with no_task_left():
        wakeups = db._core.wakeups
        one, two = wakeups.bell(1, FAR), wakeups.bell(2, FAR)
        await wakeups.dismiss(one)
        await wakeups.dismiss(two)


async def test_a_database_that_does_not_answer_is_asked_again(db, store, caplog):
    wakeups = db._core.wakeups
    real, failures = wakeups._read, [ramax.StorageBusyError("busy")]

    async def read(work):
        if failures:
            raise failures.pop()
        return await real(work)

    wakeups._read = read
    bell = wakeups.bell(store.space.space_id, 0.02)
    await until(lambda: "looking for new events failed: busy" in caplog.text)
    bell.clear()
    assert await rings(bell)
    await wakeups.dismiss(bell)


@pytest.mark.parametrize("step", ["_read", "_listen"])
async def test_no_error_ends_the_polling_and_it_is_told(db, store, caplog, step):
    wakeups = db._core.wakeups
    real, failures = getattr(wakeups, step), [ZeroDivisionError("a mistake") for _ in range(3)]

    async def fails(*arguments):
        if failures:
            raise failures.pop()
        return await real(*arguments)

    setattr(wakeups, step, fails)
    wakeups._listener = None  # which rings for everybody when it begins
    bell = wakeups.bell(store.space.space_id, 0.01)
    assert await rings(bell)  # whoever waits reads for himself, and tells his caller
    assert "looking for new events failed, which is tried again" in caplog.text
    assert "ZeroDivisionError: a mistake" in caplog.text
    await until(lambda: not failures)
    await until(lambda: wakeups._seen.get(store.space.space_id) == 0)
    bell.clear()
    wakeups._seen.clear()
    assert await rings(bell)
    assert caplog.text.count("looking for new events failed") == 3
    await wakeups.dismiss(bell)


@pytest.mark.postgres
async def test_another_process_rings_by_a_notification(db_on_postgres, postgres_url):
    store = await db_on_postgres.content_store("acme", counter())
    wakeups = db_on_postgres._core.wakeups
    bell = wakeups.bell(store.space.space_id, FAR)
    await until(lambda: wakeups._listener.open)
    bell.clear()
    async with ramax.connect(postgres_url) as elsewhere, store.subscribe("s") as s:
        waiting = asyncio.create_task(s.next_event())
        await until(lambda: s.active)
        announcements: Any = elsewhere._core._announcements
        announcements._wanted = True  # it has seen that somebody subscribes
        await (await elsewhere.content_store("acme", counter())).execute(add)
        assert await rings(bell)
        await waiting
    await wakeups.dismiss(bell)
    assert not wakeups._listener.open


@pytest.mark.postgres
async def test_a_server_that_does_not_let_listen_is_polled(db_on_postgres, caplog):
    wakeups = db_on_postgres._core.wakeups

    async def refused():
        raise ramax.StorageError("a pooler in between")

    wakeups._listener.listen = refused
    bell = wakeups.bell(ALL_SPACES, 0.02)
    assert await rings(bell)
    assert caplog.text.count("polling goes on: a pooler in between") == 1
    await wakeups.dismiss(bell)


async def test_the_last_bell_leaves_no_connection_though_its_waiter_is_cancelled(db_on_postgres):
    """As where a task is ended twice: by a timeout, and then by whoever closes."""
    wakeups = db_on_postgres._core.wakeups
    bell = wakeups.bell(ALL_SPACES, FAR)
    await until(lambda: wakeups._listener.open)
    dismissing = asyncio.create_task(wakeups.dismiss(bell))
    await asyncio.sleep(0)
    dismissing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await dismissing
    assert not wakeups._listener.open
    assert wakeups._task is None

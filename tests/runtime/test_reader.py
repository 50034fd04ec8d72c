"""Reads of keys: those that wait are answered together, each with what is its own."""

import asyncio

import pytest

import ramax
from ramax import StorageError
from ramax.errors import SpaceNotFoundError
from tests._counting import counted
from tests._domains import add, counter, documents, put
from tests._gates import held_back
from tests._reading import until


async def test_reads_that_wait_are_answered_in_one_go(postgres_url):
    async with ramax.connect(postgres_url) as db:
        store = await db.content_store("acme", documents())
        for n in range(50):
            await store.execute(put, (f"k{n}", {"n": n}))
        await store.pstate.fetch("k0")  # a new connection asks the server about types first
        async with counted(db) as calls:
            found = await asyncio.gather(*(store.pstate.fetch(f"k{n}") for n in range(50)))
        assert found == [{"n": n} for n in range(50)]
        assert calls.statements == 1, calls.texts


async def test_a_batch_of_reads_is_one_transaction_on_sqlite(sqlite_url):
    async with ramax.connect(sqlite_url) as db:
        store = await db.content_store("acme", documents())
        for n in range(5):
            await store.execute(put, (f"k{n}", {"n": n}))
        async with counted(db) as calls:
            await asyncio.gather(*(store.pstate.fetch(f"k{n}") for n in range(5)))
        assert sum(text.startswith("BEGIN") for text in calls.texts) == 1


async def test_reads_that_come_while_others_are_on_their_way_wait_for_the_next_go(durable_db):
    store = await durable_db.content_store("acme", counter())
    await store.execute(add)
    async with held_back(durable_db, "read") as gate:
        first = asyncio.create_task(store.pstate.fetch("n"))
        await gate.reached.wait()
        later = [asyncio.create_task(store.pstate.get(key)) for key in ("n", "x", "n")]
        await asyncio.sleep(0)
        await store.execute(add)  # what they read is at least as new as when they asked
    assert await first == 1
    assert await asyncio.gather(*later) == [2, None, 2]


async def test_one_space_that_is_gone_spoils_nobody_elses_read(durable_db):
    gone = await durable_db.content_store("gone", counter())
    there = await durable_db.content_store("there", counter())
    await there.execute(add)
    await durable_db.spaces.delete("gone")
    outcomes = await asyncio.gather(
        gone.pstate.get("n"), there.pstate.get("n"), gone.pstate.get("n"), return_exceptions=True
    )
    assert isinstance(outcomes[0], SpaceNotFoundError)
    assert isinstance(outcomes[2], SpaceNotFoundError)
    assert outcomes[1] == 1


async def test_a_reader_that_leaves_takes_nobody_with_it(durable_db):
    store = await durable_db.content_store("acme", counter())
    await store.execute(add)
    tasks = [asyncio.create_task(store.pstate.fetch("n")) for _ in range(10)]
    await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert outcomes[1::2] == [1] * 5
    assert await store.pstate.fetch("n") == 1


async def test_a_failing_read_reaches_everyone_that_waited_for_it(durable_db):
    store = await durable_db.content_store("acme", counter())
    await store.execute(add)
    tables = durable_db._core.backend.tables
    async with durable_db.engine.begin() as connection:
        await connection.exec_driver_sql(f"ALTER TABLE {tables.pstate.name} RENAME TO hidden")
    outcomes = await asyncio.gather(
        *(store.pstate.fetch("n") for _ in range(3)), return_exceptions=True
    )
    assert all(isinstance(outcome, StorageError) for outcome in outcomes), outcomes
    async with durable_db.engine.begin() as connection:
        await connection.exec_driver_sql(f"ALTER TABLE hidden RENAME TO {tables.pstate.name}")
    assert await store.pstate.fetch("n") == 1


@pytest.mark.parametrize("call", ["read", "batch"])
async def test_cancelling_every_task_there_is_leaves_a_database_that_works(url, call):
    """As some frameworks do when they stop: reads and batches on their way are cancelled too."""
    async with ramax.connect(url) as db:
        store = await db.content_store("acme", counter())
        await store.execute(add)
        verbs = {
            "read": store.events.get_space_latest_sequence,
            "batch": lambda: store.execute(add),
        }
        for _ in range(5):
            waiting = [asyncio.create_task(verbs[call]()) for _ in range(3)]
            waiting += [asyncio.create_task(store.pstate.get("other")) for _ in range(3)]
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            for task in asyncio.all_tasks() - {asyncio.current_task()}:
                task.cancel()
            await asyncio.wait(waiting)
        async with asyncio.timeout(25):
            head = (await store.execute(add)).space_sequence

            async def all_is_written():  # batches whose callers left go on
                newest = await store.events.get_space_latest_sequence()
                return newest >= head and await store.pstate.fetch("n") == newest

            await until(all_is_written)

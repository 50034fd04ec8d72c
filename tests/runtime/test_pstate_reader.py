"""Readers: several reads as of one sequence, and who may have how many of them."""

import asyncio
import sqlite3
import threading
from contextlib import AsyncExitStack
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import create_async_engine

import ramax
from ramax import (
    ClosedError,
    MisuseError,
    NestedTransactionError,
    NewEvent,
    Ref,
    SpaceNotFoundError,
    StorageBusyError,
    StorageError,
    TransactionFailedError,
)
from ramax.core.domain import Domain
from ramax.runtime import pstate_reader
from ramax.storage.places import MOST
from tests._counting import counted
from tests._domains import add, counter, documents, put
from tests._each import each
from tests.concurrency._postgres_sessions import terminate_all


async def keys(stream):
    return [key async for key, _ in stream]


async def elsewhere(coroutine):
    """Do something as another task."""
    return await asyncio.create_task(coroutine)


def places_of(database: Any) -> Any:
    return database._core.backend.places


async def in_transaction(held: Any) -> bool:
    """Say whether a kept connection is still inside a block of somebody."""
    if hasattr(held, "hop"):
        return bool(await held.hop(lambda connection: connection.in_transaction))
    return bool(held._driver.is_in_transaction())


@pytest.fixture
async def store(db):
    store = await db.content_store("acme", documents())
    await store.execute(put, ("a", {"n": 1, "to": Ref("b")}))
    await store.execute(put, ("b", {"n": 1}))
    return store


@pytest.fixture
async def durable_store(durable_db):
    store = await durable_db.content_store("acme", documents())
    await store.execute(put, ("a", {"n": 1, "to": Ref("b")}))
    await store.execute(put, ("b", {"n": 1}))
    return store


# -- what it reads -------------------------------------------------------------------------------


async def test_a_reader_answers_every_kind_of_read(store):
    async with store.pstate.reader() as reader:
        assert reader.sequence == 2
        assert await reader.fetch("b") == {"n": 1}
        assert await reader.get("a") == {"n": 1, "to": Ref("b")}
        assert await reader.get("x", 5) == 5
        assert await reader.get_many(["b", "x"]) == {"b": {"n": 1}}
        assert await keys(reader.scan()) == ["a", "b"]
        assert await keys(reader.scan("a")) == ["a"]
        assert await keys(reader.scan(limit=1)) == ["a"]
        assert await keys(reader.scan(after="a")) == ["b"]
        assert await reader.count() == 2
        assert await reader.count("b") == 1
        assert await reader.get_resolved("a") == {"n": 1, "to": {"n": 1}}
        assert await reader.get_path("a", "to.n", follow=True) == 1
        assert await reader.preload("a", "to") == {"n": 1, "to": Ref("b")}
        assert await reader.preload("x", "to") is None


async def test_what_others_commit_meanwhile_is_not_seen(durable_store):
    store = durable_store
    async with store.pstate.reader() as reader:
        await elsewhere(store.execute(put, ("a", {"n": 2})))
        await elsewhere(store.execute(put, ("c", {"n": 2})))
        await elsewhere(store.pstate.put("direct", 1))
        assert reader.sequence == 2
        assert (await reader.fetch("a"))["n"] == 1
        assert await reader.get("c") is None
        assert await keys(reader.scan()) == ["a", "b"]
        assert await reader.count() == 2
    async with store.pstate.reader() as reader:
        assert reader.sequence == 4
        assert await reader.fetch("a") == {"n": 2}
        assert await reader.count() == 4


async def test_in_memory_what_others_write_waits_for_the_block_to_end(memory_url):
    async with ramax.connect(memory_url) as db:
        store = await db.content_store("acme", documents())
        await store.execute(put, ("a", {"n": 1}))
        async with store.pstate.reader() as reader:
            writing = asyncio.create_task(store.execute(put, ("a", {"n": 2})))
            assert await reader.fetch("a") == {"n": 1}
            assert not writing.done()
        assert (await writing).space_sequence == 2
        assert await store.pstate.fetch("a") == {"n": 2}


async def test_a_rebuild_in_the_middle_of_a_scan_does_not_disturb_a_reader(durable_db):
    store = await durable_db.content_store("acme", documents())

    def fill(state, params):
        return [NewEvent("doc.put", {"n": n}, entity_id=f"k{n:05}") for n in range(1500)]

    await store.execute(fill)
    other = Domain("documents", lambda state, event: state.update(only=event.space_sequence))
    async with store.pstate.reader() as reader:
        scan = reader.scan()
        seen = [(await anext(scan))[0]]
        rebuilt = await elsewhere(durable_db.content_store("acme", other))
        await elsewhere(rebuilt.rebuild_pstate())
        seen += await keys(scan)
        assert seen == [f"k{n:05}" for n in range(1500)]
        assert await reader.get("only") is None
    assert await keys(rebuilt.pstate.scan()) == ["only"]


async def test_every_value_is_the_callers_own(store):
    async with store.pstate.reader() as reader:
        for _ in range(2):
            (await reader.fetch("a"))["n"] = "mine"
            (await reader.get_resolved("a"))["to"]["n"] = "mine"
        assert (await reader.fetch("a"))["n"] == 1
        assert (await reader.fetch("b"))["n"] == 1


async def test_a_reader_folds_first_what_raw_appends_left_behind(db):
    store = await db.content_store("acme", counter())
    await store.execute(add)
    await db.events.append("acme", "n", "added", {"by": 1})
    async with store.pstate.reader() as reader:
        assert (reader.sequence, await reader.fetch("n")) == (2, 2)


async def test_the_sequence_is_that_of_what_is_stored_where_the_reader_may_not_fold(db):
    store = await db.content_store("acme", counter())
    await store.execute(add)
    await db.events.append("acme", "n", "added", {"by": 1})
    for domain in (None, documents()):
        other = await db.content_store("acme", domain)
        async with other.pstate.reader() as reader:
            assert (reader.sequence, await reader.fetch("n")) == (1, 1)


async def test_default_before_its_first_write_is_empty(db):
    store = await db.content_store(domain=documents())
    async with store.pstate.reader() as reader:
        assert reader.sequence == 0
        assert await reader.get("a") is None
        assert await reader.count() == 0
        assert await keys(reader.scan()) == []
        assert await reader.get_resolved("a", default=None) is None
    await store.execute(put, ("a", {}))
    async with store.pstate.reader() as reader:
        assert (reader.sequence, await reader.count()) == (1, 1)


async def test_a_deleted_space_is_not_found(db, store):
    plain = await db.content_store("acme")
    await db.spaces.delete("acme", force=True)
    for gone in (store, plain):
        with pytest.raises(SpaceNotFoundError):
            async with gone.pstate.reader():
                pass
    assert await db.spaces.exists("acme") is False


async def test_a_database_that_is_opened_to_be_read_has_readers(durable_url):
    async with ramax.connect(durable_url) as db:
        await (await db.content_store("acme", documents())).execute(put, ("a", {"n": 1}))
    async with ramax.connect(durable_url, read_only=True) as db:
        store = await db.content_store("acme", documents())
        async with store.pstate.reader() as reader:
            assert (reader.sequence, await reader.fetch("a")) == (1, {"n": 1})


@each("cache_bytes", [0, 100, 10**6])
async def test_a_reader_remembers_no_more_than_the_cache_may_hold(memory_url, cache_bytes):
    async with ramax.connect(memory_url, cache_bytes=cache_bytes) as db:
        store = await db.content_store("acme", documents())
        for n in range(20):
            await store.execute(put, (f"k{n}", {"n": n}))
        async with store.pstate.reader() as reader:
            for _ in range(2):
                for n in range(20):
                    assert await reader.fetch(f"k{n}") == {"n": n}
                    assert sum(len(v or b"") for v in reader._memory.values()) <= cache_bytes
            async with counted(db) as calls:
                await reader.fetch("k0")
            assert bool(calls.texts) == (cache_bytes < 1000)


# -- the block -----------------------------------------------------------------------------------


async def test_a_reader_is_for_one_block(store):
    reader = store.pstate.reader()
    reads = (
        lambda: reader.fetch("a"),
        lambda: reader.get_many([]),
        lambda: reader.count(),
        lambda: keys(reader.scan()),
        lambda: reader.get_resolved("a"),
        lambda: reader.preload("a", "to"),
    )
    for read in reads:
        with pytest.raises(MisuseError, match="open the reader first"):
            await read()
    with pytest.raises(MisuseError, match="open the reader first"):
        assert reader.sequence
    async with reader:
        await reader.fetch("a")
        scan = reader.scan()
        with pytest.raises(MisuseError, match="one block"):
            await reader.__aenter__()
    for read in (*reads, lambda: keys(scan)):
        with pytest.raises(ClosedError, match="the reader is closed"):
            await read()
    with pytest.raises(MisuseError, match="one block"):
        await reader.__aenter__()
    assert reader.sequence == 2


async def test_a_reader_belongs_to_its_task(store):
    async with store.pstate.reader() as reader:
        with pytest.raises(NestedTransactionError, match="belongs to the task"):
            await elsewhere(reader.fetch("a"))
        assert (await reader.fetch("a"))["n"] == 1


async def test_inside_a_reader_its_task_uses_nothing_else(db, store):
    async with store.pstate.reader() as reader:
        for attempt in (
            lambda: store.pstate.fetch("a"),
            lambda: store.execute(put, ("c", {})),
            lambda: store.pstate.get_resolved("a"),
            lambda: db.spaces.list_all(),
            store.pstate.reader().__aenter__,
            store.transaction().__aenter__,
            db.close,
        ):
            with pytest.raises(NestedTransactionError, match="a reader of space 'acme'"):
                await attempt()
        assert (await reader.fetch("a"))["n"] == 1
    await store.execute(put, ("c", {}))


async def test_a_reader_is_refused_inside_a_transaction_of_its_task(store):
    async with store.transaction() as tx:
        await tx.execute(put, ("c", {}))
        with pytest.raises(NestedTransactionError):
            await store.pstate.reader().__aenter__()
        assert await tx.pstate.get("c") == {}
    assert await store.pstate.get("c") == {}


async def test_an_error_in_the_block_closes_the_reader_and_goes_on(db, store):
    with pytest.raises(ZeroDivisionError):
        async with store.pstate.reader() as reader:
            await reader.fetch("a")
            raise ZeroDivisionError
    assert not places_of(db).taken
    await store.execute(put, ("c", {}))


async def test_a_reader_that_stays_open_is_named_in_a_warning(store, monkeypatch, caplog):
    monkeypatch.setattr(pstate_reader, "LONG", 0.0)
    async with store.pstate.reader() as reader:
        while not caplog.records:
            await reader.count()
    assert caplog.records[0].name == "ramax.reader"
    assert "a reader of space 'acme' has been open" in caplog.text


# -- many of them --------------------------------------------------------------------------------


async def opened(stack, store, gate):
    """Keep a reader open in a task of its own until the gate opens."""

    async def keep(ready):
        async with store.pstate.reader() as reader:
            ready.set_result(await reader.fetch("a"))
            await gate.wait()

    ready = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(keep(ready))
    stack.push_async_callback(lambda: task)
    return await ready


async def test_many_open_readers_hold_up_neither_writer_nor_reads(durable_db, durable_store):
    store, gate = durable_store, asyncio.Event()
    async with AsyncExitStack() as stack:
        for _ in range(MOST):
            assert (await opened(stack, store, gate))["n"] == 1
        for n in range(20):
            await store.execute(put, ("a", {"n": n}))
            assert await store.pstate.fetch("a") == {"n": n}
        async with store.transaction() as tx:
            await tx.execute(put, ("a", {"n": 100}))
        await asyncio.gather(*(store.pstate.fetch("a") for _ in range(100)))
        next_one = asyncio.create_task(opened(stack, store, gate))
        await store.pstate.fetch("a")
        assert not next_one.done()
        gate.set()
        assert await next_one == {"n": 100}
    assert len(places_of(durable_db).idle) <= 2


async def test_a_reader_waits_for_a_place_no_longer_than_the_lock_timeout(durable_url):
    async with ramax.connect(durable_url, lock_timeout=0.2) as db, AsyncExitStack() as stack:
        store = await db.content_store("acme", documents())
        await store.execute(put, ("a", {"n": 1}))
        gate = asyncio.Event()
        stack.callback(gate.set)
        for _ in range(MOST):
            await opened(stack, store, gate)
        with pytest.raises(StorageBusyError, match=f"{MOST} readers of pstate are open"):
            await store.pstate.reader().__aenter__()
        assert await store.pstate.fetch("a") == {"n": 1}
        gate.set()


async def test_closing_the_database_waits_for_open_readers(url):
    db = await ramax.connect(url)
    store = await db.content_store("acme", documents())
    await store.execute(put, ("a", {"n": 1}))
    gate = asyncio.Event()
    async with AsyncExitStack() as stack:
        await opened(stack, store, gate)
        closing = asyncio.create_task(db.close())
        while not db.closed:
            await asyncio.sleep(0)
        assert not closing.done()
        with pytest.raises(ClosedError):
            await store.pstate.reader().__aenter__()
        gate.set()
        await closing


# -- breaking off --------------------------------------------------------------------------------


async def test_cancelling_a_reader_anywhere_leaves_nothing_behind(db, store):
    outcomes = set()

    async def use():
        async with store.pstate.reader() as reader:
            await reader.get_resolved("a")
            await keys(reader.scan())

    await use()
    for steps in range(0, 240, 4):  # at the end it is through
        task = asyncio.create_task(use())
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        outcomes.add(task.cancelled())
        assert not places_of(db).taken
        for held in places_of(db).idle:
            assert not await in_transaction(held)
    await use()
    await store.execute(put, ("a", {"n": 2}))
    assert await store.pstate.fetch("a") == {"n": 2}


async def test_a_reader_whose_read_was_cancelled_says_so(store):
    async with store.pstate.reader() as reader:
        task = asyncio.current_task()
        assert task is not None
        asyncio.get_running_loop().call_soon(task.cancel)
        with pytest.raises(asyncio.CancelledError):
            await reader.fetch("a")
        task.uncancel()
        with pytest.raises(TransactionFailedError, match="another reader"):
            await reader.fetch("a")
    async with store.pstate.reader() as reader:
        assert (await reader.fetch("a"))["n"] == 1


async def test_a_read_that_fails_ends_its_reader_and_no_other(sqlite_url):
    async with ramax.connect(sqlite_url) as db:
        store = await db.content_store("acme", documents())
        await store.execute(put, ("a", {"n": 1}))
        async with store.pstate.reader() as reader:
            [held] = places_of(db).taken
            await held.hop(lambda c: c.set_authorizer(lambda *_: sqlite3.SQLITE_DENY))
            with pytest.raises(StorageError):
                await reader.fetch("a")
            await held.hop(lambda c: c.set_authorizer(None))
            with pytest.raises(TransactionFailedError):
                await reader.fetch("a")
        async with store.pstate.reader() as reader:
            assert await reader.fetch("a") == {"n": 1}


@pytest.mark.postgres
async def test_a_session_that_ends_fails_its_reader_and_no_other(postgres_url):
    async with ramax.connect(postgres_url) as db:
        store = await db.content_store("acme", documents())
        await store.execute(put, ("a", {"n": 1}))
        async with store.pstate.reader() as reader:
            await terminate_all(postgres_url)
            with pytest.raises(StorageError):
                await reader.fetch("a")
            with pytest.raises(TransactionFailedError):
                await reader.count()
        async with store.pstate.reader() as reader:
            assert await reader.fetch("a") == {"n": 1}
        assert len(places_of(db).idle) == 1
        await terminate_all(postgres_url)
        async with store.pstate.reader() as reader:  # the one that was kept had gone
            assert await reader.fetch("a") == {"n": 1}


@pytest.mark.postgres
async def test_a_kept_session_that_ended_unnoticed_costs_no_error(postgres_url):
    async with ramax.connect(postgres_url) as db:
        await (await db.content_store("acme", documents())).execute(put, ("a", {"n": 1}))
        plain = await db.content_store("acme")
        async with plain.pstate.reader():
            pass
        # this loop stands still meanwhile, so the driver cannot hear of it
        ending = threading.Thread(target=lambda: asyncio.run(terminate_all(postgres_url)))
        ending.start()
        ending.join()
        [kept] = places_of(db).idle
        assert not kept.lost
        async with plain.pstate.reader() as reader:
            assert await reader.fetch("a") == {"n": 1}


# -- engines of the application ------------------------------------------------------------------


async def test_readers_take_nothing_from_the_pool_of_a_handed_in_engine(durable_url):
    async with ramax.connect(durable_url) as db:
        await (await db.content_store("acme", documents())).execute(put, ("a", {"n": 1}))
    engine = create_async_engine(durable_url, pool_size=1, max_overflow=0, pool_timeout=5)
    async with ramax.connect(engine) as db, AsyncExitStack() as stack:
        store, gate = await db.content_store("acme", documents()), asyncio.Event()
        stack.callback(gate.set)
        for _ in range(3):
            assert await opened(stack, store, gate) == {"n": 1}
        async with engine.connect() as connection:
            await connection.exec_driver_sql("SELECT 1")
            await store.execute(put, ("a", {"n": 2}))
        gate.set()
    await engine.dispose()

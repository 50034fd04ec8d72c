"""`Database`: opening stores, lending connections, closing; who may call it."""

import asyncio
import dataclasses
import gc
import multiprocessing
import os
import threading
import warnings
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

import ramax
from ramax import ConflictError, MisuseError
from ramax.errors import ClosedError, NestedTransactionError
from ramax.storage.sql import Statement
from ramax.storage.tables import HEAD
from tests._domains import add, counter, documents, put
from tests._gates import held_back
from tests._tables import dump

# -- what it is ----------------------------------------------------------------------------------


async def test_a_database_has_its_repositories_and_its_engine(db):
    for name in ("spaces", "events", "pstate", "checkpoints"):
        assert getattr(db, name) is not None
    assert isinstance(db.engine, AsyncEngine)
    assert not db.closed
    async with db.connection() as connection:
        assert (await connection.execute(sa.text("SELECT 1"))).scalar() == 1


async def test_its_text_hides_the_password():
    async with ramax.connect() as db:
        assert "sqlite" in repr(db)
        assert "closed" not in repr(db)
    assert "closed" in repr(db)
    engine = create_async_engine("postgresql+asyncpg://me:secret@host/app")
    assert "secret" not in repr(ramax.Database(db._core, engine, owns_engine=False))
    await engine.dispose()


async def test_it_knows_its_revision_and_upgrading_to_it_does_nothing(db):
    assert await db.current_revision() == HEAD
    await db.content_store("acme", counter())
    before = await dump(db)
    await db.upgrade()
    assert await db.current_revision() == HEAD
    assert await dump(db) == before


async def test_a_lent_connection_is_for_statements_of_ones_own(db):
    async with db.connection() as connection:
        await connection.execute(sa.text("CREATE TABLE mine (n INTEGER)"))
        await connection.execute(sa.text("INSERT INTO mine VALUES (7)"))
        await connection.commit()
    store = await db.content_store("acme", counter())
    await store.execute(add)
    async with db.connection() as connection:
        assert (await connection.execute(sa.text("SELECT n FROM mine"))).scalar() == 7
        await connection.execute(sa.text("INSERT INTO mine VALUES (8)"))  # never committed
    async with db.connection() as connection:
        assert (await connection.execute(sa.text("SELECT count(*) FROM mine"))).scalar() == 1
    assert (await store.execute(add)).space_sequence == 2


async def test_a_retryable_conflict_runs_the_block_again(db):
    stores = [await db.content_store(name, counter()) for name in ("a", "b")]
    tries = []

    async def work(tx):
        tries.append(1)
        await tx.at("a", counter()).execute(add)
        if len(tries) < 3:
            raise ConflictError("again")
        return len(tries)

    assert await db.run_transaction(work, *stores) == 3
    assert await stores[0].pstate.fetch("n") == 1

    async def never(_tx):
        tries.append(1)
        raise ConflictError("never")

    tries.clear()
    with pytest.raises(ConflictError, match="never"):
        await db.run_transaction(never, "a", attempts=4)
    assert len(tries) == 4
    with pytest.raises(MisuseError, match="name the spaces"):
        db.transaction()


# -- closing -------------------------------------------------------------------------------------


def everything(db, store):
    """Every way to ask something of a database and its handles."""

    async def read(stream):
        return [each async for each in stream]

    async def transact(transaction):
        async with transaction:
            pass

    async def borrow():
        async with db.connection():
            pass

    return [
        lambda: db.content_store("acme"),
        lambda: db.content_store(store.space),
        lambda: db.spaces.list_all(),
        lambda: db.spaces.create("other"),
        lambda: db.spaces.get_or_create("other"),
        lambda: db.spaces.get("acme"),
        lambda: db.spaces.exists("acme"),
        lambda: db.spaces.find_by_name("acme"),
        lambda: db.spaces.find_by_id(1),
        lambda: db.spaces.stats(),
        lambda: db.spaces.rename("acme", "other"),
        lambda: db.spaces.update_metadata(store.space, {}),
        lambda: db.spaces.delete(store.space, force=True),
        lambda: db.events.append(store.space, "e", "t", {}),
        lambda: db.events.append_many(store.space, []),
        lambda: db.events.get_event(1),
        lambda: db.events.get_events(store.space, "e"),
        lambda: db.events.get_space_latest_sequence(store.space),
        lambda: db.events.get_latest_event_id(),
        lambda: read(db.events.stream_all_events()),
        lambda: read(db.events.stream_space_events(store.space)),
        lambda: read(db.events.stream_entity_events(store.space, "e")),
        lambda: db.pstate.get(store.space, "n"),
        lambda: db.pstate.put(store.space, "k", 1),
        lambda: db.pstate.delete(store.space, "k"),
        lambda: read(db.pstate.scan(store.space)),
        lambda: db.checkpoints.get(store.space, "c"),
        lambda: db.checkpoints.list(store.space),
        lambda: db.checkpoints.advance(store.space, "c", 0, expected=0),
        lambda: db.upgrade(),
        lambda: db.current_revision(),
        lambda: transact(db.transaction("acme")),
        borrow,
        lambda: store.execute(add),
        lambda: store.execute_many([(add, 1)]),
        lambda: store.rebuild_pstate(),
        lambda: store.catchup_pstate(),
        lambda: store.get_checkpoint(),
        lambda: store.update_checkpoint(0, name="c"),
        lambda: store.pstate.fetch("n"),
        lambda: store.pstate.get_many(["n"]),
        lambda: store.pstate.count(),
        lambda: read(store.pstate.scan()),
        lambda: store.events.append("e", "t", {}),
        lambda: store.events.get_event(1),
        lambda: transact(store.transaction()),
    ]


async def test_everything_is_refused_once_it_is_closed(db):
    store = await db.content_store("acme", counter())
    await store.execute(add)
    await db.close()
    assert db.closed
    for number, attempt in enumerate(everything(db, store)):
        with pytest.raises(ClosedError):
            raise AssertionError(f"call {number} returned {await attempt()!r}")
    with pytest.raises(ClosedError):
        async with db:
            pass
    await db.close()  # closing twice is closing once


async def test_closing_waits_for_the_commands_that_were_accepted(durable_url):
    async with ramax.connect(durable_url) as db:
        store = await db.content_store("acme", counter())
        running = [asyncio.create_task(store.execute(add)) for _ in range(100)]
        await asyncio.sleep(0)  # each has handed its command over
    commits = await asyncio.gather(*running)
    assert sorted(c.space_sequence for c in commits) == list(range(1, 101))
    async with ramax.connect(durable_url) as db:
        assert await (await db.content_store("acme", counter())).pstate.fetch("n") == 100


SLOW = {
    "read": ("read", lambda store: store.pstate.fetch("n")),
    "stats": ("read", lambda store: store.events.get_space_latest_sequence()),
    "put": ("locked", lambda store: store.pstate.put("k", 1)),
    "catch up": ("locked", lambda store: store.catchup_pstate()),
    "command": ("batch", lambda store: store.execute(add)),
}


@pytest.mark.parametrize("what", SLOW)
async def test_closing_waits_for_what_is_on_its_way(durable_url, what):
    call, verb = SLOW[what]
    async with ramax.connect(durable_url) as db:
        store = await db.content_store("acme", counter())
        await store.execute(add)
        async with held_back(db, call) as gate:
            running = asyncio.create_task(verb(store))
            await gate.reached.wait()
            closing = asyncio.create_task(db.close())
            await asyncio.sleep(0)
            with pytest.raises(ClosedError):
                await store.execute(add)
        await closing
        await running  # it got its answer


async def test_a_long_query_ends_before_its_connection_is_closed(postgres_url):
    slow = Statement(lambda _: sa.text("SELECT 7 FROM pg_sleep(0.3)"))
    async with ramax.connect(postgres_url) as db:
        running = [
            asyncio.create_task(db._core.read(lambda ex: ex.rows(slow, {})[0][0]))
            for _ in range(5)  # more than there are connections: two of them wait for one
        ]
        await asyncio.sleep(0)
        await db.close()
        assert [task.done() for task in running] == [True] * 5
        assert await asyncio.gather(*running) == [7] * 5


@pytest.mark.parametrize("kind", ["store", "database"])
async def test_closing_waits_for_an_open_transaction(durable_url, kind):
    async with ramax.connect(durable_url) as db:
        store = await db.content_store("acme", counter())
        opened, go_on = asyncio.Event(), asyncio.Event()

        async def transact():
            async with store.transaction() if kind == "store" else db.transaction(store) as tx:
                await tx.execute(add)
                opened.set()
                await go_on.wait()
                await tx.execute(add)

        running = asyncio.create_task(transact())
        await opened.wait()
        closing = asyncio.create_task(db.close())
        await asyncio.wait([closing], timeout=0.1)
        assert not closing.done()
        go_on.set()
        await running
        await closing
    async with ramax.connect(durable_url) as db:
        assert await (await db.content_store("acme", counter())).pstate.fetch("n") == 2


async def test_a_transaction_that_forgets_to_end_is_named(url, caplog):
    async with ramax.connect(url) as db:
        limits = dataclasses.replace(db._core.turns._limits, slow_turn=0.01)
        db._core.turns._limits = limits
        store = await db.content_store("acme", counter())
        async with store.transaction():
            async with asyncio.timeout(25):
                while not caplog.messages:
                    await asyncio.sleep(0.01)
        assert "acme" in caplog.messages[0]
        assert "has kept" in caplog.messages[0]
        caplog.clear()
        await asyncio.sleep(0.05)
        assert caplog.messages == []


async def test_closing_inside_ones_own_transaction_is_refused_not_a_deadlock(db):
    store = await db.content_store("acme", counter())
    async with store.transaction() as tx:
        with pytest.raises(NestedTransactionError):
            await db.close()
        await tx.execute(add)
    assert await store.pstate.fetch("n") == 1


async def test_closing_leaves_no_thread_no_task_and_no_connection(url):
    threads, tasks = set(threading.enumerate()), asyncio.all_tasks()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        async with ramax.connect(url) as db:
            store = await db.content_store("acme", documents())
            await asyncio.gather(*(store.execute(put, (f"k{n}", {})) for n in range(20)))
            async with store.transaction() as tx:
                await tx.execute(put, ("t", {}))
            await store.pstate.put("direct", 1)
            await store.rebuild_pstate()
            assert await store.pstate.count() == 21
            stream: Any = store.events.stream_space_events(batch_size=2)
            await anext(stream)
            scan: Any = store.pstate.scan()
            await anext(scan)
            assert len([each async for each in db.events.stream_all_events()]) == 21
            running = asyncio.create_task(store.execute(put, ("last", {})))
            await asyncio.sleep(0)
        await running
        await stream.aclose()
        await scan.aclose()
        del db, store, tx, stream, scan, running
        gc.collect()
    assert set(threading.enumerate()) <= threads
    assert asyncio.all_tasks() <= tasks


async def test_closing_gives_every_connection_of_the_server_back(postgres_url):
    watcher = create_async_engine(postgres_url)
    query = sa.text(
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )

    async def others():
        async with watcher.connect() as connection:
            return (await connection.execute(query)).scalar()

    async with ramax.connect(postgres_url) as db:
        store = await db.content_store("acme", counter())
        await asyncio.gather(*(store.execute(add) for _ in range(20)))
        await asyncio.gather(*(store.pstate.fetch("n") for _ in range(20)))
        await store.pstate.put("k", 1)
        assert await others() > 0
    async with asyncio.timeout(25):  # a backend takes a moment to go
        while await others():
            await asyncio.sleep(0.02)
    await watcher.dispose()


async def test_a_caller_that_leaves_takes_nothing_with_it(db):
    store = await db.content_store("acme", counter())
    tasks = [asyncio.create_task(store.execute(add)) for _ in range(30)]
    await asyncio.sleep(0)
    for task in tasks[::3]:
        task.cancel()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    done = [o for o in outcomes if isinstance(o, ramax.Commit)]
    assert len(done) >= 20
    head = await store.events.get_space_latest_sequence()
    assert head >= len(done)
    assert await store.pstate.fetch("n") == head == await store.get_checkpoint()


# -- who may call --------------------------------------------------------------------------------


async def test_another_event_loop_may_not_use_it(db):
    store = await db.content_store("acme", counter())
    found = []

    def elsewhere():
        async def use():
            for attempt in (*everything(db, store), db.close):
                try:
                    await attempt()
                except MisuseError as error:
                    found.append(str(error))
                else:
                    found.append("no error")

        asyncio.run(use())

    await asyncio.to_thread(elsewhere)
    assert len(found) == len(everything(db, store)) + 1
    assert all("another event loop" in each for each in found), found
    assert (await store.execute(add)).space_sequence == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_may_not_use_it(tmp_path):
    """In a child of the fork the loop, the threads and the sockets are the parent's."""

    async def parent():
        async with ramax.connect(tmp_path / "app.db") as db:
            store = await db.content_store("acme", counter())
            await store.execute(add)
            context = multiprocessing.get_context("fork")
            answers = context.Queue()

            def child():
                async def use():
                    for attempt in (lambda: store.execute(add), lambda: store.pstate.get("n")):
                        try:
                            await attempt()
                        except MisuseError as error:
                            answers.put(str(error))
                        else:
                            answers.put("no error")

                asyncio.events._set_running_loop(None)
                asyncio.run(use())

            process = context.Process(target=child)
            process.start()
            found = [await asyncio.to_thread(answers.get, timeout=20) for _ in range(2)]
            await asyncio.to_thread(process.join, 20)
            assert process.exitcode == 0
            assert (await store.execute(add)).space_sequence == 2
            answers.close()
            return found

    assert all("fork" in each for each in asyncio.run(parent()))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
async def test_a_child_that_goes_on_where_its_parent_forked_may_not_use_it(tmp_path):
    async with ramax.connect(tmp_path / "app.db") as db:
        child = os.fork()
        if not child:
            try:
                db._core.check_caller()
            except MisuseError as error:
                os._exit(0 if "fork" in str(error) else 1)
            os._exit(2)
        assert os.waitpid(child, 0)[1] == 0
        db._core.check_caller()


def test_without_a_loop_there_is_only_an_error(tmp_path):
    async def opened():
        return await ramax.connect(tmp_path / "app.db")

    loop = asyncio.new_event_loop()
    db = loop.run_until_complete(opened())
    with pytest.raises(MisuseError, match="running event loop"):
        db._core.check_caller()
    loop.run_until_complete(db.close())
    loop.close()

"""A domain that catches everything cannot turn a failing database into a missing key."""

import asyncio
import sqlite3
from contextlib import suppress
from threading import Thread, current_thread, main_thread

import pytest
from sqlalchemy.util import await_only

import ramax
from ramax import Domain, NewEvent
from ramax.errors import StorageError, TransactionFailedError
from tests._notes import scanned
from tests._tables import dump
from tests.concurrency._postgres_sessions import terminate_all

READS = [
    pytest.param((lambda state: state["there"], Exception), id="item"),
    pytest.param((lambda state: "there" if "there" in state else "missing", Exception), id="in"),
    pytest.param((lambda state: "there" if [*state] else "missing", Exception), id="iteration"),
    pytest.param((lambda state: state.get("there", "missing"), BaseException), id="get"),
]


class Fault:
    """Breaks the database under the code that is running, once it is armed."""

    def __init__(self, db, url):
        self._db, self._url = db, url
        self.armed = False

    def strike(self):
        """Break the next read; called by the domain while the database waits for it."""
        if not self.armed:
            return
        self.armed = False
        if self._db.engine.dialect.name == "sqlite":
            self._on_connection(self._refuse_once)
        else:
            other = Thread(target=lambda: asyncio.run(terminate_all(self._url)))
            other.start()
            other.join()

    def _on_connection(self, work):
        driver = self._db._core.backend._writer._driver
        if current_thread() is main_thread():  # in a transaction: a greenlet of the event loop
            await_only(driver._execute(lambda: work(driver._conn)))
        else:
            work(driver._conn)

    @staticmethod
    def _refuse_once(connection):
        left = ["one read"]

        def decide(action, table, *_):
            if action == sqlite3.SQLITE_READ and table == "pstate_entities" and left:
                left.clear()
                return sqlite3.SQLITE_DENY
            return sqlite3.SQLITE_OK

        connection.set_authorizer(decide)


def careless(fault, read, catch):
    """A domain whose applicator and command catch what reading raises."""
    domain = Domain("careless", entity_id=lambda _: "e")

    def look(state):
        state.get("first")  # a miss: PostgreSQL fetches it, and then runs everything again
        fault.strike()
        try:
            return read(state)
        except catch:
            return "missing"

    @domain.applicator("kept")
    def kept(state, event):
        state["there"] = "there"

    @domain.applicator("looked")
    def looked(state, event):
        state["seen"] = look(state)

    def command(state, params):
        return [NewEvent("noted", {"seen": look(state)})]

    return domain, command


@pytest.fixture(params=READS)
async def cold(url, request):
    """A store that has the key, but not in memory; the fault; the command."""
    async with ramax.connect(url) as db:
        fault = Fault(db, url)
        domain, command = careless(fault, *request.param)
        store = await db.content_store("mine", domain)
        await store.execute(lambda *_: [NewEvent("kept", {})])
        db._core.cache.forget(store.space.space_id)
        fault.armed = True
        yield db, store, fault, command


async def struck(running, fault):
    """Return what came of it: the result, or the StorageError."""
    try:
        return await running
    except StorageError as error:
        return error
    finally:
        assert not fault.armed  # or the test has not tested anything


async def looked(store):
    """What the events and the state say that the domain has seen."""
    events = [e.payload async for e in store.events.stream_space_events(event_types=["noted"])]
    state = await scanned(store)
    return {payload["seen"] for payload in events} | ({state["seen"]} if "seen" in state else set())


def look(state, params):
    return [NewEvent("looked", {})]


async def test_a_command_never_decides_on_a_failed_read(cold):
    db, store, fault, command = cold
    before = await dump(db)
    got = await struck(store.execute(command), fault)
    assert await looked(store) == ({"there"} if isinstance(got, ramax.Commit) else set())
    if isinstance(got, StorageError):
        assert await dump(db) == before
    assert (await store.execute(command)).events[0].payload == {"seen": "there"}


async def test_an_applicator_never_folds_a_failed_read(cold):
    db, store, fault, _ = cold
    before = await dump(db)
    got = await struck(store.execute(look), fault)
    assert await looked(store) == ({"there"} if isinstance(got, ramax.Commit) else set())
    if isinstance(got, StorageError):
        assert await dump(db) == before
    await store.execute(look)
    assert await looked(store) == {"there"}


async def test_other_commands_of_the_batch_do_what_they_do(cold):
    db, store, fault, command = cold
    other = await db.content_store("other", store.domain)
    calls = [other.execute(command), store.execute(command), other.execute(command)]
    calls.insert(0, other.execute(lambda *_: []))  # while this one runs, they gather
    results = await struck(asyncio.gather(*calls, return_exceptions=True), fault)
    assert [type(result) for result in results] == [ramax.Commit] * 4  # each again, alone
    assert await looked(store) == {"there"}
    assert await looked(other) == {"missing"}


async def test_catch_up_never_folds_a_failed_read(cold):
    db, store, fault, _ = cold
    await store.events.append("e", "looked", {})
    before = await dump(db)
    got = await struck(store.catchup_pstate(), fault)
    if isinstance(got, StorageError):
        assert await dump(db) == before
        assert await store.catchup_pstate() == 1
    assert await looked(store) == {"there"}


async def test_a_transaction_never_decides_on_a_failed_read(cold):
    db, store, fault, command = cold
    before = await dump(db)

    async def decide():
        async with store.transaction() as tx:
            await tx.execute(command)

    assert isinstance(await struck(decide(), fault), StorageError)
    assert await dump(db) == before
    async with store.transaction() as tx:
        await tx.execute(command)
    assert await looked(store) == {"there"}


async def test_a_transaction_that_went_on_after_a_failed_read_cannot_commit(cold):
    db, store, fault, command = cold
    before = await dump(db)

    async def decide():
        async with store.transaction() as tx:
            await tx.append("e", "before", {})
            with suppress(StorageError):
                await tx.execute(command)

    with pytest.raises(TransactionFailedError):
        await decide()
    assert await dump(db) == before

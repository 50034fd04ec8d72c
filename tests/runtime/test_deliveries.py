import asyncio
import logging

import pytest
import sqlalchemy as sa

import ramax
from ramax import ClosedError, Rejected, SubscriptionLostError, SubscriptionPausedError
from tests._domains import add, counter
from tests._reading import no_task_left, sequences, take, until

SOON = 0.02  # a poll, where the test waits for one


@pytest.fixture
async def store(db):
    made = await db.content_store("acme", counter())
    for _ in range(5):
        await made.execute(add)
    return made


async def test_a_reader_whose_lease_went_to_another_reads_no_further(store, db, caplog):
    async with store.subscribe("s", buffer=2, poll_interval=SOON) as s:
        await take(s, 2, ack=True)
        theft = {"me": "thief", "until": 2**62, "now": 2**62, **s.key.params}

        def steal(ex):
            from ramax.storage.subscriptions import take_lease

            assert ex.run(take_lease, theft) == 1

        await db._core.locked("a test", steal)
        assert await s.next_event(0.1) is None
        assert not s.active
    assert "another reader has taken it over" in caplog.text


async def refused(event):
    raise Rejected(f"no {event.space_sequence}")


async def test_a_reader_that_stops_at_a_pause_gives_its_lease_back(store, db):
    async with store.subscribe("s", follow=False) as s:
        with pytest.raises(SubscriptionPausedError):
            await s.run(refused, attempts=1)
    (status,) = await db.subscriptions.list()
    assert status.owner is None


async def test_a_reader_whose_checkpoint_was_moved_gives_its_lease_back(store, db):
    async with store.subscribe("s") as s:
        event = await anext(s)
        await store.update_checkpoint(3, name="s")
        with pytest.raises(SubscriptionLostError):
            await s.ack(event)
    (status,) = await db.subscriptions.list()
    assert status.owner is None


async def test_who_only_waited_for_his_turn_takes_no_lease_with_him(store, db, caplog):
    async with store.subscribe("s", buffer=1) as first:
        await take(first, 1, ack=True)
        async with store.subscribe("s", poll_interval=SOON) as second:
            assert await second.next_event(0.01) is None
        (status,) = await db.subscriptions.list()
        assert status.owner == db._core.leases.owner
        await take(first, 4, ack=True)
    assert "taken it over" not in caplog.text


async def test_iterating_ends_in_an_error_when_the_database_closes(url):
    db = await ramax.connect(url)
    async with no_task_left():
        store = await db.content_store("acme", counter())

        async def read():
            async with store.subscribe("s") as s:
                async for _ in s:
                    pass

        reading = asyncio.create_task(read())
        await until(lambda: len(db._core.leases._held) == 1)
        await asyncio.sleep(0)
        await db.close()
        with pytest.raises(ClosedError):
            await reading


async def test_a_closed_database_has_given_its_leases_back(durable_url):
    db = await ramax.connect(durable_url)
    store = await db.content_store("acme", counter())
    await store.execute(add)
    s = await store.subscribe("s").__aenter__()
    await take(s, 1)
    await db.close()
    async with ramax.connect(durable_url) as again:
        reopened = await again.content_store("acme", counter())
        async with reopened.subscribe("s", poll_interval=60) as other:
            assert len(await take(other, 1)) == 1


async def test_breaking_out_and_cancelling_leave_no_task(store):
    async with no_task_left():
        async with store.subscribe("s") as s:
            async for _ in s:
                break

        async def read():
            async with store.subscribe("s") as s:
                async for _ in s:
                    pass

        reading = asyncio.create_task(read())
        await until(lambda: store._core.leases._held)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        assert not store._core.leases._held
    async with store.subscribe("s", poll_interval=60) as s:  # free at once
        assert len(await take(s, 1)) == 1


async def test_memory_is_bounded_by_the_buffer(store):
    async with store.subscribe("s", buffer=2) as s:
        for _ in range(5):
            await take(s, 1)
            assert len(s._rows) < 2


async def test_no_connection_is_held_between_pages(durable_db, durable_url):
    """A thousand readers that wait, and the pool is as it was."""
    store = await durable_db.content_store("acme", counter())
    async with asyncio.timeout(60):
        readers = [store.subscribe(f"s{n}", poll_interval=60) for n in range(20)]
        for reader in readers:
            await reader.__aenter__()
        waiting = [asyncio.create_task(take(r, 1)) for r in readers]
        await until(lambda: all(r.caught_up for r in readers))
        assert durable_db.engine.pool.checkedout() == 0
        await store.execute(add)
        assert [len(each) for each in await asyncio.gather(*waiting)] == [1] * 20
        for reader in readers:
            await reader.__aexit__(None, None, None)


async def test_a_paused_subscription_delivers_nothing(store, db, caplog):
    from ramax.storage.subscriptions import pause, resume

    async with store.subscribe("s", poll_interval=SOON, buffer=1) as s:
        await take(s, 1)
        await db._core.locked("a test", lambda ex: pause(ex, s.key, 1, None, "a reason"))
        assert await s.next_event(0.1) is None
        assert await s.next_event(0.1) is None
        assert caplog.text.count("a reason") == 1
        await db._core.locked("a test", lambda ex: resume(ex, s.key))
        assert [e.space_sequence for e in await take(s, 1)] == [2]
        await db._core.locked("a test", lambda ex: pause(ex, s.key, 1, None, "a reason"))
    with pytest.raises(ramax.SubscriptionPausedError, match="a reason"):
        await sequences(store.subscribe("s", follow=False))


async def test_an_event_that_cannot_be_read_is_not_passed_over(store, db):
    tables = db._core.backend.tables
    async with db.connection() as connection, connection.begin():
        e = tables.events
        await connection.execute(
            sa.update(e).where(e.c.space_sequence == 2).values(payload=b"\xc1")
        )
    async with store.subscribe("s") as s:
        await take(s, 1, ack=True)
        for _ in range(2):
            with pytest.raises(ramax.CodecError):
                await take(s, 1)
    assert await store.get_checkpoint("s") == 1


async def test_a_read_is_made_again_while_the_database_is_busy(store, db, caplog):
    caplog.set_level(logging.WARNING)
    reads = db._core.reader.run
    failures = [ramax.StorageBusyError("busy")] * 2

    async def read(work):
        if failures and "Deliveries._read" in getattr(work, "__qualname__", ""):
            raise failures.pop()
        return await reads(work)

    async with store.subscribe("s") as s:
        db._core.reader.run = read
        assert len(await take(s, 5)) == 5
    assert caplog.text.count("reads again") == 2


async def test_a_checkpoint_that_somebody_moved_is_where_the_next_page_begins(store):
    async with store.subscribe("s", buffer=2) as s:
        await take(s, 2, ack=True)
        await store.update_checkpoint(4, name="s")
        assert [e.space_sequence for e in await take(s, 1)] == [5]

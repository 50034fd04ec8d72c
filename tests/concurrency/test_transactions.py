"""Explicit transactions among others: no deadlock, nothing half, nobody kept waiting for ever."""

import asyncio
import dataclasses
import logging
import random
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

import ramax
from ramax.errors import (
    ClosedError,
    ConflictError,
    MisuseError,
    NestedTransactionError,
    StorageBusyError,
    StorageError,
    TransactionFailedError,
)
from tests.concurrency._audit import audit, dump
from tests.concurrency._ledger import Overdrawn, increment, ledger, post


def params(name: str, **more: Any) -> dict[str, Any]:
    return {"account": "a", "amount": 1, "name": name} | more


async def names(store: ramax.ContentStore) -> list[str]:
    return [event.payload["name"] async for event in store.events.stream_space_events()]


# -- one task, one transaction -------------------------------------------------------------------


async def _nested(store: ramax.ContentStore) -> None:
    async with store.transaction():
        pass


async def _scanned(store: ramax.ContentStore) -> None:
    async for _ in store.pstate.scan():
        pass


async def _streamed(db: ramax.Database) -> None:
    async for _ in db.events.stream_all_events():
        pass


USES: dict[str, Callable[[ramax.Database, ramax.ContentStore], Awaitable[Any]]] = {
    "execute": lambda _, store: store.execute(post, params("x")),
    "execute_many": lambda _, store: store.execute_many([(post, params("x"))]),
    "append": lambda _, store: store.events.append("e", "t", {}),
    "fetch": lambda _, store: store.pstate.fetch("account:a"),
    "scan": lambda _, store: _scanned(store),
    "stream": lambda db, _: _streamed(db),
    "put": lambda _, store: store.pstate.put("k", 1),
    "rebuild": lambda _, store: store.rebuild_pstate(),
    "checkpoint": lambda _, store: store.update_checkpoint(1, name="mine"),
    "transaction": lambda _, store: _nested(store),
    "create": lambda db, _: db.spaces.create("other"),
    "stats": lambda db, _: db.spaces.stats(),
    "open": lambda db, _: db.content_store("other", ledger),
    "close": lambda db, _: db.close(),
}


@pytest.mark.parametrize("use", USES)
async def test_handles_are_refused_at_once_inside_a_transaction(
    db: ramax.Database, use: str
) -> None:
    store = await db.content_store("acme", ledger)
    await store.execute(post, params("first"))
    async with store.transaction() as tx:
        await tx.execute(post, params("second"))
        async with asyncio.timeout(25):
            with pytest.raises(NestedTransactionError, match="acme"):
                await USES[use](db, store)
        await tx.execute(post, params("third"))
    assert await names(store) == ["first", "second", "third"]


async def test_a_transaction_belongs_to_its_task(db: ramax.Database) -> None:
    store = await db.content_store("acme", ledger)
    async with store.transaction() as tx:
        with pytest.raises(NestedTransactionError):
            await asyncio.create_task(tx.execute(post, params("of another task")))
        await tx.execute(post, params("own"))
    with pytest.raises(ClosedError):
        await tx.execute(post, params("late"))
    with pytest.raises(MisuseError):
        async with tx:
            pass
    assert await names(store) == ["own"]


async def test_another_task_may_use_handles_meanwhile(durable_db: ramax.Database) -> None:
    store = await durable_db.content_store("acme", ledger)
    await store.execute(post, params("first"))
    async with store.transaction() as tx:
        await tx.execute(post, params("second"))
        assert (await asyncio.create_task(store.pstate.fetch("account:a")))["total"] == 1
        waiting = asyncio.create_task(store.execute(post, params("third")))
    assert (await waiting).space_sequence == 3


# -- what it sees and leaves ---------------------------------------------------------------------


async def test_it_sees_its_own_writes_and_nobody_else_does(durable_db: ramax.Database) -> None:
    store = await durable_db.content_store("acme", ledger)
    async with store.transaction() as tx:
        for number in range(1, 4):
            commit = await tx.execute(post, params(f"n{number}", parts=2))
            assert commit.space_sequence == 2 * number
            assert (await tx.pstate.get("account:a"))["total"] == 2 * number
        assert await asyncio.create_task(store.pstate.get("account:a")) is None
    assert (await store.pstate.fetch("account:a"))["total"] == 6


async def test_a_space_that_is_behind_is_folded_first(
    durable_db: ramax.Database, durable_url: str
) -> None:
    store = await durable_db.content_store("acme", ledger)
    await store.execute(post, params("first"))
    raw = {**params("raw"), "part": 1, "parts": 1, "balance": 1}
    await store.events.append("account:a", "posted", raw)
    async with store.transaction() as tx:
        assert (await tx.execute(post, params("third"))).space_sequence == 3
        assert (await tx.pstate.get("account:a"))["total"] == 3
        await tx.append("account:a", "posted", raw | {"name": "raw 2", "balance": 3})
        assert (await tx.pstate.get("account:a"))["total"] == 4
        await tx.execute(post, params("fifth"))
    assert (await audit(durable_url))["acme"].commands == [
        "first",
        "raw",
        "third",
        "raw 2",
        "fifth",
    ]


async def test_a_no_leaves_it_usable(db: ramax.Database) -> None:
    store = await db.content_store("acme", ledger)
    async with store.transaction() as tx:
        await tx.execute(post, params("one"))
        for _ in range(3):
            with pytest.raises(Overdrawn):
                await tx.execute(post, params("no", amount=-9))
        with pytest.raises(ramax.DataError):
            await tx.append("", "posted", {})
        await tx.execute(post, params("two"))
    assert await names(store) == ["one", "two"]


async def test_what_the_block_raises_rolls_everything_back(durable_url: str) -> None:
    async with ramax.connect(durable_url) as db:
        acme, globex = [await db.content_store(name, ledger) for name in ("acme", "globex")]
        await acme.execute(post, params("first"))
        before = await dump(durable_url)
        with pytest.raises(ZeroDivisionError):
            async with db.transaction(acme, globex) as tx:
                await tx.at(globex).execute(post, params("never", parts=3))
                await tx.at(acme).execute(post, params("never"))
                raise ZeroDivisionError
        assert await dump(durable_url) == before
        await acme.execute(post, params("second"))
        await globex.execute(post, params("first"))
    assert {n: s.commands for n, s in (await audit(durable_url)).items()} == {
        "acme": ["first", "second"],
        "globex": ["first"],
    }


async def test_a_storage_error_fails_it_for_good(
    durable_db: ramax.Database, durable_url: str
) -> None:
    store = await durable_db.content_store("acme", ledger)
    async with durable_db.engine.begin() as connection:
        await connection.exec_driver_sql("CREATE UNIQUE INDEX mine ON events (correlation_id)")
    before = await dump(durable_url)
    with pytest.raises(TransactionFailedError) as caught:
        async with store.transaction() as tx:
            await tx.execute(post, params("one"), correlation_id="c")
            with pytest.raises(StorageError):
                await tx.execute(post, params("two"), correlation_id="c")
            with pytest.raises(TransactionFailedError):
                await tx.execute(post, params("three"))
            with pytest.raises(TransactionFailedError):
                await tx.pstate.get("account:a")
    assert isinstance(caught.value.__cause__, StorageError)
    assert await dump(durable_url) == before
    await store.execute(post, params("next"))


@pytest.mark.parametrize("steps", range(0, 90, 3))
async def test_a_cancelled_transaction_rolls_back_and_frees_the_writer(
    db: ramax.Database, steps: int
) -> None:
    store = await db.content_store("acme", ledger)
    await store.execute(post, params("first"))
    ended = False

    async def transaction() -> None:
        nonlocal ended
        async with db.transaction("acme") as tx:
            for number in range(12):
                await tx.at(store).execute(post, params(f"t{number}", account=f"b{number}"))
                await tx.at(store).pstate.get("account:a")
        ended = True

    task = asyncio.create_task(transaction())
    for _ in range(steps):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled() or task.result() is None
    async with asyncio.timeout(25):
        await store.execute(post, params("second"))
        async with store.transaction() as tx:
            await tx.execute(post, params("third"))
    there = await names(store)
    inside = [f"t{number}" for number in range(12)] if ended or len(there) > 3 else []
    assert there == ["first", *inside, "second", "third"]


@pytest.mark.parametrize("steps", range(0, 16, 2))
async def test_a_cancelled_statement_on_a_lent_connection_ends_nothing_else(
    db: ramax.Database, steps: int
) -> None:
    store = await db.content_store("acme", ledger)
    await store.execute(post, params("first"))
    numbers = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)"

    async def borrow() -> None:
        async with db.connection() as connection, connection.begin():
            tx = await store.join(connection)
            await tx.execute(post, params("never"))
            while True:
                await connection.exec_driver_sql(f"{numbers} SELECT max(i) FROM n")

    task = asyncio.create_task(borrow())
    for _ in range(steps):
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await store.execute(post, params("second"))
    assert await names(store) == ["first", "second"]


async def test_a_cancelled_turn_at_random_moments_frees_the_writer(db: ramax.Database) -> None:
    store = await db.content_store("acme", ledger)
    dice = random.Random(5)

    async def transaction(number: int) -> None:
        async with store.transaction() as tx:
            await tx.execute(increment)
            await asyncio.sleep(0)
            await tx.execute(increment)

    for _ in range(10):
        tasks = [asyncio.create_task(transaction(number)) for number in range(8)]
        for _ in range(dice.randrange(60)):
            await asyncio.sleep(0)
        for task in dice.sample(tasks, 4):
            task.cancel()
        await asyncio.wait(tasks)
        done = sum(not task.cancelled() and task.exception() is None for task in tasks)
        assert done >= 4
        count = await store.pstate.get("counter", 0)
        assert count % 2 == 0
        assert count == await store.events.get_space_latest_sequence()


# -- several spaces, many tasks ------------------------------------------------------------------


@pytest.mark.parametrize("named", [True, False], ids=["named", "found out on the way"])
async def test_transfers_across_spaces_in_any_order_never_deadlock(
    durable_url: str, named: bool
) -> None:
    spaces = ["acme", "globex", "initech", "umbrella", "hooli"]
    dice = random.Random(3)
    async with ramax.connect(durable_url) as db:
        stores = {name: await db.content_store(name, ledger) for name in spaces}
        for store in stores.values():
            await store.execute(post, params("endow", amount=100))

        async def transfer(number: int) -> None:
            source, target, third = dice.sample(spaces, 3)

            async def move(tx: ramax.Transaction) -> None:
                for name, amount in ((source, -2), (target, 1), (third, 1)):
                    await tx.at(stores[name]).execute(post, params(f"m{number}", amount=amount))

            await db.run_transaction(move, *([source, target, third] if named else [source]))

        async with asyncio.timeout(60):
            await asyncio.gather(*map(transfer, range(60)))
    found = await audit(durable_url)
    assert sum(space.state["account:a"]["total"] for space in found.values()) == 500
    for number in range(60):
        assert sum(f"m{number}" in space.commands for space in found.values()) == 3


async def test_twenty_tasks_mix_transactions_commands_and_rebuilds(durable_url: str) -> None:
    spaces = ["acme", "globex", "initech"]
    dice = random.Random(9)
    async with ramax.connect(durable_url) as db:
        stores = [await db.content_store(name, ledger) for name in spaces]
        done = [0]

        async def both(tx: ramax.Transaction) -> None:
            for store in dice.sample(stores, 2):
                await tx.at(store).execute(increment)

        async def task(number: int) -> None:
            for _ in range(6):
                kind = dice.randrange(8)
                if kind == 0:
                    await dice.choice(stores).rebuild_pstate()
                elif kind < 4:
                    await db.run_transaction(both, dice.choice(stores))
                    done[0] += 2
                else:
                    await dice.choice(stores).execute(increment)
                    done[0] += 1

        async with asyncio.timeout(60):
            await asyncio.gather(*map(task, range(20)))
    found = await audit(durable_url)
    assert sum(space.state.get("counter", 0) for space in found.values()) == done[0]


@pytest.mark.postgres
async def test_a_lower_space_that_is_taken_is_a_conflict_not_a_wait(postgres_url: str) -> None:
    async with ramax.connect(postgres_url) as db, ramax.connect(postgres_url) as other:
        low, high = [await db.content_store(name, ledger) for name in ("acme", "globex")]
        async with other.transaction("acme"):

            async def upside_down() -> None:
                async with db.transaction(high) as tx:
                    await tx.at(high).execute(post, params("h"))
                    await tx.at(low).execute(post, params("l"))

            async with asyncio.timeout(25):
                with pytest.raises(ConflictError) as caught:
                    await asyncio.create_task(upside_down())
            assert caught.value.retryable
    assert await names_in(postgres_url, "globex") == []


async def names_in(url: str, space: str) -> list[str]:
    return (await audit(url))[space].commands


async def test_a_transaction_that_waits_too_long_says_so_and_leaves_nothing(
    durable_url: str,
) -> None:
    async with (
        ramax.connect(durable_url, lock_timeout=0.3) as db,
        ramax.connect(durable_url) as other,
    ):
        store = await db.content_store("acme", ledger)
        async with other.transaction("acme"):
            with pytest.raises(StorageBusyError):
                async with store.transaction():
                    raise AssertionError
        async with store.transaction() as tx:
            await tx.execute(post, params("one"))
    assert await names_in(durable_url, "acme") == ["one"]


async def test_a_slow_transaction_is_named_in_a_warning(
    durable_db: ramax.Database, caplog: pytest.LogCaptureFixture
) -> None:
    turns = durable_db._core.turns
    turns._limits = dataclasses.replace(turns._limits, slow_turn=0.05)
    store = await durable_db.content_store("acme", ledger)

    async def slow() -> None:
        async with store.transaction() as tx, asyncio.timeout(25):
            while len(caplog.records) < 2:
                await asyncio.sleep(0.01)
            await tx.execute(post, params("done"))

    with caplog.at_level(logging.WARNING, "ramax.writer"):
        await asyncio.create_task(slow(), name="the slow one")
    for record in caplog.records:
        assert "the slow one" in record.getMessage()
        assert "acme" in record.getMessage()
    assert await names(store) == ["done"]

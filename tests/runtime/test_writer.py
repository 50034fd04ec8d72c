"""The writer is fair, bounded, and indifferent to whoever leaves, is slow, or asks for much."""

import asyncio
import logging
import random
import time
from collections.abc import Mapping
from typing import Any

import pytest

import ramax
from ramax import NewEvent
from ramax.errors import ClosedError, StorageBusyError
from tests.concurrency._audit import audit
from tests.concurrency._ledger import increment, ledger, post


def params(name: str, **more: Any) -> dict[str, Any]:
    return {"account": "a", "amount": 1, "name": name} | more


async def _names(store: ramax.ContentStore) -> list[str]:
    """The commands that are there, each whole, in their order."""
    found: list[str] = []
    due = 0
    async for event in store.events.stream_space_events():
        assert event.payload["part"] == due + 1
        due = event.payload["part"] % event.payload["parts"]
        if due == 0:
            found.append(event.payload["name"])
    assert due == 0
    assert await store.get_checkpoint() == await store.events.get_space_latest_sequence()
    return found


# -- who leaves ----------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
async def test_waiters_that_leave_at_random_moments_take_nothing_half_away(
    db: ramax.Database, seed: int
) -> None:
    dice = random.Random(seed)
    stores = [await db.content_store(name, ledger) for name in ("acme", "globex", "initech")]
    running: list[asyncio.Task[ramax.Commit]] = []
    for number in range(150):
        store = stores[number % 3]
        key = f"k{number}" if number % 4 == 0 else None
        command = store.execute(
            post, params(str(number), parts=1 + number % 3), idempotency_key=key
        )
        running.append(asyncio.create_task(command))
        if dice.random() < 0.3:
            await asyncio.sleep(0)
        if dice.random() < 0.3:
            dice.choice(running).cancel()
    results = await asyncio.gather(*running, return_exceptions=True)
    left = {str(n) for n, each in enumerate(results) if isinstance(each, asyncio.CancelledError)}
    answered = {str(n) for n, each in enumerate(results) if isinstance(each, ramax.Commit)}
    assert len(left) + len(answered) == 150
    assert left
    for store in stores:
        await store.execute(post, params(f"last in {store.space.space_name}"))
    names = [name for store in stores for name in await _names(store)]
    assert len(names) == len(set(names))
    there = {name for name in names if not name.startswith("last")}
    assert answered <= there <= answered | left


async def test_a_waiter_that_leaves_before_its_turn_is_not_run(db: ramax.Database) -> None:
    store = await db.content_store("acme", ledger)
    task = asyncio.create_task(store.execute(post, params("never")))
    asyncio.get_running_loop().call_soon(task.cancel)
    async with db.transaction("globex" if await db.spaces.exists("globex") else "acme"):
        pass
    with pytest.raises(asyncio.CancelledError):
        await task
    await store.execute(post, params("next"))
    assert "next" in await _names(store)


async def test_who_waits_for_a_turn_and_leaves_does_not_keep_it(db: ramax.Database) -> None:
    store = await db.content_store("acme", ledger)

    async def transaction(name: str) -> None:
        async with store.transaction() as tx:
            await tx.execute(post, params(name))

    async with store.transaction() as tx:
        waiting = [asyncio.create_task(transaction(f"w{n}")) for n in range(6)]
        await tx.execute(post, params("holder"))
        for task in waiting[::2]:
            task.cancel()
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert [isinstance(each, asyncio.CancelledError) for each in results] == [True, False] * 3
    assert sorted(await _names(store)) == ["holder", "w1", "w3", "w5"]


# -- bounds --------------------------------------------------------------------------------------


async def test_a_full_queue_lets_callers_wait_outside(url: str) -> None:
    async with ramax.connect(url, max_queue=5, max_batch=3) as db:
        stores = [await db.content_store(name, ledger) for name in ("acme", "globex")]
        longest = 0
        over = asyncio.Event()

        async def watch() -> None:
            nonlocal longest
            while not over.is_set():
                longest = max(longest, len(db._core.writer._queue))
                await asyncio.sleep(0)

        watching = asyncio.create_task(watch())
        callers = [
            asyncio.create_task(stores[n % 2].execute(post, params(str(n)))) for n in range(100)
        ]
        for leaving in callers[::7]:
            asyncio.get_running_loop().call_soon(leaving.cancel)
        await asyncio.wait(callers)
        over.set()
        await watching
        assert 1 <= longest <= 5 + 3  # what is put back after a lost race may exceed it
        answered = {str(n) for n, task in enumerate(callers) if not task.cancelled()}
        assert len(answered) >= 80
        names = [name for store in stores for name in await _names(store)]
        assert answered <= set(names)
        await stores[0].execute(post, params("next"))


async def test_closing_finishes_what_was_accepted_and_refuses_the_rest(url: str) -> None:
    async with ramax.connect(url, max_queue=20, max_batch=7) as db:
        store = await db.content_store("acme", ledger)
        callers = [asyncio.create_task(store.execute(post, params(str(n)))) for n in range(50)]
        await callers[0]
        await db.close()
        results = await asyncio.gather(*callers, return_exceptions=True)
        done = sum(isinstance(each, ramax.Commit) for each in results)
        assert {type(each) for each in results} <= {ramax.Commit, ClosedError}
        assert done >= 1
        with pytest.raises(ClosedError):
            await store.execute(post, params("late"))
    if "memory" not in url and url != "sqlite://":
        assert len((await audit(url))["acme"].commands) == done


async def test_closing_waits_for_an_open_transaction_and_what_waits_behind_it(
    durable_url: str,
) -> None:
    db = await ramax.connect(durable_url)
    store = await db.content_store("acme", ledger)
    entered, go = asyncio.Event(), asyncio.Event()

    async def transaction() -> None:
        async with store.transaction() as tx:
            entered.set()
            await go.wait()
            await tx.execute(post, params("in the transaction"))

    inside = asyncio.create_task(transaction())
    await entered.wait()
    behind = asyncio.create_task(store.execute(post, params("behind")))
    await asyncio.sleep(0)
    closing = asyncio.create_task(db.close())
    await asyncio.sleep(0)
    assert not closing.done()
    go.set()
    await asyncio.gather(inside, behind, closing)
    assert (await audit(durable_url))["acme"].commands == ["in the transaction", "behind"]


# -- the slow and the huge -----------------------------------------------------------------------


async def test_a_slow_command_delays_its_batch_and_no_more(db: ramax.Database) -> None:
    store = await db.content_store("acme", ledger)

    def slow(state: Mapping[str, Any], p: Any) -> list[NewEvent]:
        time.sleep(0.05)  # it computes
        return post(state, p)

    waiting = [store.execute(post, params(f"n{n}")) for n in range(10)]
    waiting.insert(5, store.execute(slow, params("slow")))
    commits = await asyncio.gather(*waiting)
    assert [commit.space_sequence for commit in commits] == list(range(1, 12))


HUGE = 50_000


async def test_a_huge_command_is_one_unit_and_others_go_on_after_it(db: ramax.Database) -> None:
    store, beside = [await db.content_store(name, ledger) for name in ("acme", "globex")]
    huge = store.execute(post, params("huge", parts=HUGE))
    commits = await asyncio.gather(huge, *[beside.execute(increment) for _ in range(20)])
    assert len(commits[0].events) == HUGE
    assert commits[0].space_sequence == HUGE
    assert (await store.pstate.fetch("account:a"))["total"] == HUGE
    assert await beside.pstate.fetch("counter") == 20
    assert len(set(commits[0].event_ids)) == HUGE
    await store.execute(post, params("next"))
    assert await _names(store) == ["huge", "next"]


async def test_a_huge_command_that_fails_at_its_end_leaves_nothing(db: ramax.Database) -> None:
    store = await db.content_store("acme", ledger)

    def fails(state: Mapping[str, Any], p: Any) -> list[NewEvent]:
        return [*post(state, p), NewEvent("posted", {"account": object()})]

    with pytest.raises(ramax.CodecError):
        await store.execute(fails, params("never", parts=5000))
    assert (await store.execute(post, params("next"))).space_sequence == 1


# -- fairness ------------------------------------------------------------------------------------


async def test_a_flood_in_one_space_does_not_drown_the_others(db: ramax.Database) -> None:
    flooded, quiet = [await db.content_store(name, ledger) for name in ("acme", "globex")]
    for _ in range(3):  # each connection plans its statements
        await asyncio.gather(*(store.execute(increment) for store in (flooded, quiet)))
    done = 0

    async def one_of_the_flood(number: int) -> None:
        nonlocal done
        await flooded.execute(post, params(str(number)))
        done += 1

    flood = [asyncio.create_task(one_of_the_flood(number)) for number in range(2500)]
    await asyncio.sleep(0)  # they are in the queue
    await quiet.execute(increment)
    assert done <= 1000
    await asyncio.gather(*flood)
    assert await flooded.events.get_space_latest_sequence() == 2503


async def test_many_spaces_get_their_share_while_some_are_flooded(url: str) -> None:
    async with ramax.connect(url, max_batch=16) as db:
        stores = [await db.content_store(f"s{n}", ledger) for n in range(40)]
        for _ in range(3):  # each connection plans its statements
            await asyncio.gather(*(store.execute(post, params("first")) for store in stores))
        order: list[int] = []

        async def call(space: int, number: int) -> None:
            await stores[space].execute(post, params(f"{space}-{number}"))
            order.append(space)

        floods = [call(space, number) for space in (0, 1) for number in range(400)]
        others = [call(space, 0) for space in range(2, 40)]
        await asyncio.gather(*floods, *others)
        last = max(order.index(space) for space in range(2, 40))
        assert last < 300


# -- turns ---------------------------------------------------------------------------------------


async def test_a_transaction_that_keeps_the_writer_is_named(
    sqlite_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with ramax.connect(sqlite_url, lock_timeout=0.3) as db:
        store = await db.content_store("acme", ledger)
        with caplog.at_level(logging.WARNING, "ramax.writer"):

            async def keep() -> None:
                async with store.transaction():
                    with pytest.raises(StorageBusyError) as caught:
                        await asyncio.create_task(store.execute(post, params("waits")))
                    assert "the keeper" in str(caught.value)
                    assert "acme" in str(caught.value)
                    with pytest.raises(StorageBusyError, match="the keeper"):
                        await asyncio.create_task(store.pstate.put("x", 1))

            await asyncio.create_task(keep(), name="the keeper")
        await store.execute(post, params("next"))
        assert await _names(store) == ["next"]

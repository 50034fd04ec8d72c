"""PostgreSQL ends our sessions: nothing is lost, and whoever comes next does not notice."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest
import sqlalchemy as sa

import ramax
from ramax.errors import CommitUnknownError, StorageError, TransactionFailedError
from ramax.storage.faults import ConnectionLostError
from tests.concurrency._audit import audit, dump
from tests.concurrency._ledger import ledger, post
from tests.concurrency._postgres_sessions import terminate, terminate_all

pytestmark = pytest.mark.postgres

FIRST = {"account": "a", "amount": 1, "name": "first"}
NEXT = {"account": "a", "amount": 1, "name": "next"}


async def _in_transaction(db: ramax.Database, store: ramax.ContentStore) -> None:
    async with store.transaction() as tx:
        await tx.execute(post, NEXT)


async def _everything(store: ramax.ContentStore) -> list[Any]:
    return [each async for each in store.pstate.scan()] + [
        event async for event in store.events.stream_space_events()
    ]


STEPS: dict[str, Callable[[ramax.Database, ramax.ContentStore], Awaitable[Any]]] = {
    "execute": lambda _, store: store.execute(post, NEXT),
    "execute with a key": lambda _, store: store.execute(post, NEXT, idempotency_key="k"),
    "append": lambda _, store: store.events.append("account:a", "posted", {**FIRST, "part": 1}),
    "fetch": lambda _, store: store.pstate.fetch("account:a"),
    "stream": lambda _, store: _everything(store),
    "transaction": _in_transaction,
    "put": lambda _, store: store.pstate.put("mine", 1),
    "rebuild": lambda _, store: store.rebuild_pstate(),
    "catch up": lambda _, store: store.catchup_pstate(),
    "create": lambda db, _: db.spaces.create("globex"),
    "stats": lambda db, _: db.spaces.stats(),
    "rename": lambda db, _: db.spaces.rename("acme", "globex"),
    "delete": lambda db, _: db.spaces.delete("acme", force=True),
    "checkpoint": lambda _, store: store.update_checkpoint(1, name="mine"),
    "revision": lambda db, _: db.current_revision(),
}


@pytest.mark.parametrize("step", STEPS)
async def test_after_all_sessions_were_ended_the_next_call_works(
    postgres_url: str, step: str
) -> None:
    async with ramax.connect(postgres_url) as db:
        store = await db.content_store("acme", ledger)
        await store.execute(post, FIRST)
        await _in_transaction_only(db, store)
        await store.pstate.fetch("account:a")
        assert await terminate_all(postgres_url) >= 3
        await STEPS[step](db, store)
        assert await terminate_all(postgres_url) >= 1
        await STEPS["stats"](db, store)


async def _in_transaction_only(db: ramax.Database, store: ramax.ContentStore) -> None:
    async with store.transaction() as tx:  # leaves a connection in the pool
        assert await tx.pstate.get("account:a")


async def test_sessions_that_end_again_and_again_lose_and_double_nothing(
    postgres_url: str,
) -> None:
    async with ramax.connect(postgres_url) as db:
        stores = [await db.content_store(name, ledger) for name in ("acme", "globex")]
        over = asyncio.Event()
        done: list[str] = []

        async def caller(number: int) -> None:
            index = 0
            while not over.is_set():
                name = f"{number}-{index}"
                await stores[index % 2].execute(
                    post,
                    {"account": "a", "amount": 1, "name": name, "parts": 1 + index % 3},
                    idempotency_key=name if number % 2 else None,
                )
                done.append(name)
                index += 1

        async def reader() -> None:
            while not over.is_set():
                with suppress(ConnectionLostError):  # ended twice in a row
                    await stores[0].pstate.get("account:a")

        callers = [asyncio.create_task(caller(number)) for number in range(8)]
        callers.append(asyncio.create_task(reader()))
        for _ in range(12):
            await terminate_all(postgres_url)
            enough = len(done) + 10
            while len(done) < enough:
                await asyncio.sleep(0)
        over.set()
        await asyncio.gather(*callers)
    found = await audit(postgres_url)
    there = [name for space in found.values() for name in space.commands]
    assert sorted(there) == sorted(done)


@pytest.mark.parametrize("step", ["execute", "append", "read"])
async def test_a_transaction_whose_session_ends_has_failed_and_left_nothing(
    postgres_url: str, step: str
) -> None:
    async with ramax.connect(postgres_url) as db:
        acme = await db.content_store("acme", ledger)
        await acme.execute(post, FIRST)
        before = await dump(postgres_url)
        with pytest.raises(TransactionFailedError) as caught:
            async with acme.transaction() as tx:
                await tx.execute(post, NEXT)
                await terminate(postgres_url, await _pid(tx))
                with pytest.raises(StorageError):
                    if step == "read":
                        await tx.pstate.get("account:a")
                    elif step == "append":
                        await tx.append("account:a", "posted", {**NEXT, "part": 1})
                    else:
                        await tx.execute(post, NEXT)
                with pytest.raises(TransactionFailedError):
                    await tx.execute(post, NEXT)
        assert isinstance(caught.value.__cause__, StorageError)
        assert await dump(postgres_url) == before
        await _in_transaction(db, acme)
        await acme.execute(post, NEXT | {"name": "last"})
    assert (await audit(postgres_url))["acme"].commands == ["first", "next", "last"]


async def test_a_transaction_whose_session_ends_before_the_commit_is_not_reported_as_done(
    postgres_url: str,
) -> None:
    async with ramax.connect(postgres_url) as db:
        acme = await db.content_store("acme", ledger)
        with pytest.raises((CommitUnknownError, ConnectionLostError)):
            async with acme.transaction() as tx:
                await tx.execute(post, FIRST)
                await terminate(postgres_url, await _pid(tx))
        assert await acme.events.get_space_latest_sequence() == 0
        await acme.execute(post, NEXT)


async def test_a_joined_transaction_whose_session_ends_leaves_nothing(postgres_url: str) -> None:
    async with ramax.connect(postgres_url) as db:
        acme = await db.content_store("acme", ledger)
        with pytest.raises((StorageError, TransactionFailedError, sa.exc.DBAPIError)):
            async with db.engine.begin() as connection:
                tx = await acme.join(connection)
                await tx.execute(post, FIRST)
                pid = (await connection.execute(sa.text("SELECT pg_backend_pid()"))).scalar_one()
                await terminate(postgres_url, pid)
                await tx.execute(post, NEXT)
        assert await acme.events.get_space_latest_sequence() == 0
        await acme.execute(post, NEXT)
        assert (await acme.pstate.fetch("account:a"))["total"] == 1


async def _pid(tx: Any) -> int:
    found = await tx._connection.execute(sa.text("SELECT pg_backend_pid()"))
    return int(found.scalar_one())

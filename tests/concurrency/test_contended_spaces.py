"""Somebody else holds a space, or the whole file: who waits, for how long, and who does not."""

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine

import ramax
from ramax.errors import StorageBusyError
from tests.concurrency._audit import audit
from tests.concurrency._ledger import increment, ledger, post
from tests.concurrency._postgres_sessions import waiting_for_lock

PATIENCE = 0.4
# Far below the default patience, and below that of a few who wait one after another.
SOON = 14.0


def params(name: str, **more: Any) -> dict[str, Any]:
    return {"account": "a", "amount": 1, "name": name} | more


@asynccontextmanager
async def held(url: str, space: str) -> AsyncIterator[None]:
    """Hold a space as a transaction of another process does; on SQLite that is the whole file."""
    async with ramax.connect(url) as db, db.transaction(space):
        yield


async def aside(work: Awaitable[Any]) -> Any:
    """Run as another task: the calling one may be inside a transaction."""

    async def wait() -> Any:
        return await work

    return await asyncio.create_task(wait())


@pytest.mark.postgres
async def test_the_others_go_on_while_one_space_is_held(postgres_url: str) -> None:
    async with ramax.connect(postgres_url) as db:
        stores = [await db.content_store(name, ledger) for name in ("acme", "globex", "initech")]
        async with held(postgres_url, "acme"):
            stuck = [
                asyncio.create_task(stores[0].execute(post, params(f"s{n}"))) for n in range(9)
            ]
            for number in range(30):
                together = [
                    store.execute(post, params(f"{number} {n}"))
                    for n, store in enumerate(stores[1:])
                ]
                await asyncio.gather(*together)
            await waiting_for_lock(postgres_url)
            assert not any(task.done() for task in stuck)
            assert await aside(stores[0].pstate.get("account:a")) is None  # reads never wait
        await asyncio.gather(*stuck)
        later = await stores[0].execute(post, params("later"))
        assert later.space_sequence == 10
    found = await audit(postgres_url)
    assert sorted(found["acme"].commands) == sorted([f"s{n}" for n in range(9)] + ["later"])


@pytest.mark.postgres
async def test_what_a_held_space_got_meanwhile_is_decided_on(postgres_url: str) -> None:
    async with ramax.connect(postgres_url) as db, ramax.connect(postgres_url) as other:
        store = await db.content_store("acme", ledger)
        theirs = await other.content_store("acme", ledger)
        await store.execute(increment)
        async with theirs.transaction() as tx:
            waiting = [asyncio.create_task(store.execute(increment)) for _ in range(5)]
            await waiting_for_lock(postgres_url)
            await tx.execute(increment)
        sequences = sorted(commit.space_sequence for commit in await asyncio.gather(*waiting))
        assert sequences == [3, 4, 5, 6, 7]
    assert (await audit(postgres_url))["acme"].state == {"counter": 7}


VERBS: dict[str, Callable[[ramax.Database, ramax.ContentStore], Awaitable[Any]]] = {
    "execute": lambda _, store: store.execute(post, params("never")),
    "execute with a key": lambda _, store: store.execute(
        post, params("never"), idempotency_key="k"
    ),
    "append": lambda _, store: store.events.append("account:a", "posted", params("never")),
    "put": lambda _, store: store.pstate.put("mine", 1),
    "delete a key": lambda _, store: store.pstate.delete("mine"),
    "rebuild": lambda _, store: store.rebuild_pstate(),
    "rename": lambda db, _: db.spaces.rename("acme", "other"),
    "metadata": lambda db, _: db.spaces.update_metadata("acme", {"a": 1}),
    "delete": lambda db, _: db.spaces.delete("acme", force=True),
    "transaction": lambda _, store: _transaction(store),
}


async def _transaction(store: ramax.ContentStore) -> None:
    async with store.transaction() as tx:
        await tx.execute(post, params("never"))


@pytest.mark.parametrize("verb", VERBS)
async def test_whoever_waits_too_long_is_told_so(durable_url: str, verb: str) -> None:
    async with ramax.connect(durable_url, lock_timeout=PATIENCE) as db:
        store = await db.content_store("acme", ledger)
        await store.execute(post, params("first"))
        await store.pstate.put("mine", 0)
        async with held(durable_url, "acme"):
            started = time.monotonic()
            with pytest.raises(StorageBusyError) as caught:
                await aside(VERBS[verb](db, store))
            assert PATIENCE * 0.9 < time.monotonic() - started < SOON
            assert caught.value.retryable
        await store.execute(post, params("second"))
    assert (await audit_without_direct(durable_url)) == ["first", "second"]


async def audit_without_direct(url: str) -> list[str]:
    async with ramax.connect(url) as db:
        store = await db.content_store("acme", ledger, create=False)
        await store.rebuild_pstate()
    return (await audit(url))["acme"].commands


@pytest.mark.postgres
async def test_catching_up_a_held_space_gives_up_in_time(postgres_url: str) -> None:
    async with ramax.connect(postgres_url, lock_timeout=PATIENCE) as db:
        store = await db.content_store("acme", ledger)
        await store.events.append("account:a", "posted", {**params("raw"), "part": 1})
        async with held(postgres_url, "acme"):
            for step in (
                store.catchup_pstate(),
                store.pstate.get("account:a"),
                store.execute(post, params("never")),
            ):
                with pytest.raises(StorageBusyError):
                    await aside(step)
        assert (await store.pstate.fetch("account:a"))["total"] == 1


async def test_many_who_wait_too_long_do_not_wait_one_after_another(durable_url: str) -> None:
    async with ramax.connect(durable_url, lock_timeout=PATIENCE) as db:
        store = await db.content_store("acme", ledger)
        await store.execute(post, params("first"))
        async with held(durable_url, "acme"):
            started = time.monotonic()
            waiting = [asyncio.create_task(store.execute(post, params(f"n{n}"))) for n in range(40)]
            results = await asyncio.gather(*waiting, return_exceptions=True)
            assert time.monotonic() - started < SOON
        assert {type(each) for each in results} == {StorageBusyError}
    assert (await audit(durable_url))["acme"].commands == ["first"]


async def test_a_file_that_another_program_locks_is_waited_for(
    sqlite_url: str,
) -> None:
    async with ramax.connect(sqlite_url) as db:
        store = await db.content_store("acme", ledger)
        foreign = sqlite3.connect(sa.make_url(sqlite_url).database or "", isolation_level=None)
        foreign.execute("BEGIN IMMEDIATE")
        waiting = [asyncio.create_task(store.execute(post, params(f"n{n}"))) for n in range(3)]
        assert await store.pstate.get("account:a") is None  # a read does not wait
        assert not any(task.done() for task in waiting)
        foreign.execute("COMMIT")
        foreign.close()
        await asyncio.gather(*waiting)
    assert (await audit(sqlite_url))["acme"].sequence == 3


async def test_a_handed_in_engine_waits_as_long_as_the_database_was_told_to(
    sqlite_url: str,
) -> None:
    engine = create_async_engine(sqlite_url, connect_args={"timeout": 0})
    async with ramax.connect(engine) as db:
        store = await db.content_store("acme", ledger)
        async with engine.begin() as connection:
            await connection.execute(sa.text("CREATE TABLE mine (id INTEGER)"))
            await connection.execute(sa.text("INSERT INTO mine VALUES (1)"))
            waiting = [
                asyncio.create_task(store.execute(post, params("waits"))),
                asyncio.create_task(_transaction(store)),
                asyncio.create_task(store.pstate.put("mine", 1)),
            ]
            for _ in range(200):
                await store.pstate.get("account:a")
            assert not any(task.done() for task in waiting)
        await asyncio.gather(*waiting)
    await engine.dispose()

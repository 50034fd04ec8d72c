"""PostgreSQL itself dies and recovers: what it acknowledged is there, what it did not is known."""

import asyncio
import os
import random
import signal
from contextlib import suppress

import pytest
import sqlalchemy as sa

import ramax
from ramax.errors import CommitUnknownError
from tests._postgres import Server
from tests.concurrency._audit import audit
from tests.concurrency._ledger import ledger, post
from tests.concurrency._postgres_sessions import administrator

pytestmark = pytest.mark.postgres


@pytest.mark.parametrize(
    "crashes", [3, pytest.param(60, marks=[pytest.mark.nightly, pytest.mark.timeout(1800)])]
)
async def test_a_server_that_crashes_loses_nothing_it_acknowledged(
    durable_server: Server, crashes: int
) -> None:
    name = f"crash_{random.getrandbits(40):x}"
    async with administrator(durable_server.url()) as admin:
        await admin.execute(sa.text(f"CREATE DATABASE {name}"))
    url = durable_server.url(name)
    done: list[str] = []
    unknown: set[str] = set()
    over = asyncio.Event()

    async def caller(db: ramax.Database, number: int) -> None:
        store = await db.content_store(f"s{number % 3}", ledger)
        index = 0
        while not over.is_set():
            index += 1
            command = f"{number}-{index}"
            key = command if number % 2 else None
            params = {"account": f"a{index % 5}", "amount": 1, "name": command}
            try:
                await store.execute(post, params | {"parts": 1 + index % 3}, idempotency_key=key)
            except CommitUnknownError:
                unknown.add(command)
            else:
                done.append(command)

    async with ramax.connect(url) as db:
        callers = [asyncio.create_task(caller(db, number)) for number in range(6)]
        for _ in range(crashes):
            enough = len(done) + 200
            while len(done) < enough and not any(task.done() for task in callers):
                await asyncio.sleep(0.001)
            await _crash(url)
        enough = len(done) + 100
        while len(done) < enough and not any(task.done() for task in callers):
            await asyncio.sleep(0.001)
        over.set()
        await asyncio.gather(*callers)
    found = await audit(url)
    there = [command for space in found.values() for command in space.commands]
    assert set(done) <= set(there)
    assert set(there) - set(done) <= unknown
    async with administrator(durable_server.url()) as admin:
        await admin.execute(sa.text(f"DROP DATABASE {name} WITH (FORCE)"))


async def _crash(url: str) -> None:
    """Kill any session of the callers: the server then restarts all of them."""
    while True:
        with suppress(sa.exc.DBAPIError, OSError):  # it recovers, or that session has just ended
            if session := await _any_session(url):
                os.kill(session, signal.SIGKILL)
                return


async def _any_session(url: str) -> int | None:
    query = sa.text(
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
        " AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
        " ORDER BY random() LIMIT 1"
    )
    async with administrator(url) as admin:
        session: int | None = await admin.scalar(query)
        return session

"""A process that dies at a random instant leaves whole commands, and all that it acknowledged."""

import asyncio
import random
import signal
import time
from pathlib import Path

import pytest
import sqlalchemy as sa

import ramax
from tests._postgres import Server
from tests.concurrency._audit import Found, audit
from tests.concurrency._ledger import ledger, post
from tests.concurrency._postgres_sessions import administrator, alone
from tests.concurrency._processes import await_ready, started

SPACES = ("acme", "globex", "initech")
CI, NIGHTLY = 15, 150


def rounds(few: int, many: int) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(
        "rounds",
        [few, pytest.param(many, marks=[pytest.mark.nightly, pytest.mark.timeout(3600)])],
    )


@rounds(CI, NIGHTLY)
async def test_a_killed_writer_leaves_sqlite_at_whole_commands(
    sqlite_url: str, tmp_path: Path, rounds: int
) -> None:
    await _kill_again_and_again(sqlite_url, tmp_path / "acknowledged", rounds)


@pytest.mark.postgres
@rounds(CI, NIGHTLY)
async def test_a_killed_writer_leaves_postgres_at_whole_commands(
    durable_server: Server, tmp_path: Path, rounds: int
) -> None:
    name = f"kill_{random.getrandbits(40):x}"
    async with administrator(durable_server.url()) as admin:
        await admin.execute(sa.text(f"CREATE DATABASE {name}"))
    await _kill_again_and_again(durable_server.url(name), tmp_path / "acknowledged", rounds)
    async with administrator(durable_server.url()) as admin:
        await admin.execute(sa.text(f"DROP DATABASE {name} WITH (FORCE)"))


async def _kill_again_and_again(url: str, file: Path, rounds: int) -> None:
    written = 0
    for number in range(rounds):
        await asyncio.to_thread(_kill_one, url, f"r{number}", file)
        found = await _settled(url)
        acknowledged = [line.split() for line in file.read_text().splitlines()]
        there = {name: set(space.commands) for name, space in found.items()}
        missing = [(space, name) for space, name in acknowledged if name not in there[space]]
        assert not missing
        assert len(acknowledged) >= written
        written = len(acknowledged)
    assert written > rounds
    async with ramax.connect(url) as db:  # and life goes on
        store = await db.content_store("acme", ledger)
        await store.execute(post, {"account": "a0", "amount": 1, "name": "after"})
        assert await store.rebuild_pstate() == found["acme"].sequence + 1
    await audit(url)


def _kill_one(url: str, name: str, file: Path) -> None:
    with started("relentless", url, name, str(file), *SPACES) as process:
        await_ready(process)
        time.sleep(random.uniform(0, 0.2))  # the random instant
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL


async def _settled(url: str) -> dict[str, Found]:
    """Audit once nothing of the dead process is at work: a server may be finishing for it."""
    await alone(url)
    return await audit(url)

"""Rows of projections, where processes are killed or work at the same time: each effect once."""

import asyncio
import random
import signal
import time

import pytest

import ramax
from tests._orders import create_tables, rows_of, shop, totals_of
from tests.concurrency._processes import await_ready, started

kills = pytest.mark.parametrize(
    "kills", [2, pytest.param(50, marks=[pytest.mark.nightly, pytest.mark.timeout(900)])]
)
modes = pytest.mark.parametrize("mode", ["inline", "async"])


async def prepare(url: str) -> None:
    async with ramax.connect(url) as db:
        await create_tables(db)
        await db.spaces.get_or_create("acme")


def run(url: str, mode: str, worker: str, count: int) -> None:
    with started("projector", url, mode, worker, str(count)) as process:
        output, errors = process.communicate(timeout=100)
        assert process.returncode == 0, output + errors


async def check(url: str, mode: str, count: int) -> None:
    async with ramax.connect(url) as db:
        store = await db.content_store("acme", shop("inline" if mode == "inline" else "async"))
        assert await store.events.get_space_latest_sequence() == 2 * count
        assert await store.get_checkpoint("search") == 2 * count
        assert await totals_of(db, store) == {"placed": count, "paid": count}
        rows = await rows_of(db, store)
        assert {row[1:] for row in rows} == {("paid", 2)}
        assert len(rows) == count


@kills
@modes
async def test_a_process_killed_at_any_instant(durable_url, mode, kills):
    count = 120
    await prepare(durable_url)

    def kill() -> None:
        with started("projector", durable_url, mode, "w", str(count)) as process:
            await_ready(process)
            time.sleep(random.uniform(0, 0.5))  # the random instant
            process.send_signal(signal.SIGKILL)
            process.wait()

    for _ in range(kills):
        await asyncio.to_thread(kill)
    await asyncio.to_thread(run, durable_url, mode, "w", count)
    await check(durable_url, mode, count)


@modes
async def test_two_processes_project_one_space(durable_url, mode):
    count = 30
    await prepare(durable_url)
    workers = [asyncio.to_thread(run, durable_url, mode, worker, count) for worker in "ab"]
    await asyncio.gather(*workers)
    await check(durable_url, mode, 2 * count)

"""Rows of projections follow the order of all replicas, whoever is killed and whoever else writes."""

import pytest

import ramax
from tests._diary import create_tables, diary, pages_of, words_of
from tests.concurrency._processes import await_ready, go, run_together, started

modes = pytest.mark.parametrize("mode", ["inline", "async"])


async def check(url, mode, origins, count):
    """Compare rows with the order that they must have, and with those of a rebuild."""
    async with ramax.connect(url) as db:
        store = await db.content_store("acme", diary(mode))
        words = await words_of(db, store)
        late = [f"{origin} late {n}" for n in range(1, count + 1) for origin in origins]
        assert words[: len(late)] == late
        here = {f"{origin} here {n}" for n in range(1, count + 1) for origin in origins}
        assert set(words[len(late) :]) == here
        assert len(words) == len(late) + len(here)
        rows = await pages_of(db, store)
        await store.rebuild("pages")
        assert await pages_of(db, store) == rows


@modes
async def test_after_a_kill_rows_are_put_in_order_by_whoever_comes_next(durable_url, mode):
    async with ramax.connect(durable_url) as db:
        await create_tables(db)
    for stop_after in (2, 5):
        with started("latecomer", durable_url, mode, "a", "8") as process:
            await_ready(process)
            go(process)
            assert process.stdout is not None
            while int(process.stdout.readline()) < stop_after:
                pass
            process.kill()
    run_together("latecomer", [[durable_url, mode, "a", "8"]])
    await check(durable_url, mode, "a", 8)


@modes
async def test_two_processes_that_take_late_events_end_in_one_order(durable_url, mode):
    async with ramax.connect(durable_url) as db:
        await create_tables(db)
        await (await db.content_store("acme", diary(mode))).replica.enable()
    run_together("latecomer", [[durable_url, mode, origin, "8"] for origin in "ab"])
    await check(durable_url, mode, "ab", 8)

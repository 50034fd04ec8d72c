"""Data types under many tasks and processes: no update is lost, no transfer is half done."""

import asyncio
from collections import defaultdict

import pytest

import ramax
from ramax import VersionConflictError
from tests._racers import race
from tests.concurrency._processes import await_ready, go, started

ADDING = """
    import asyncio, sys
    import ramax

    async def main(url):
        async with ramax.connect(url) as db:
            store = await db.content_store("acme")
            START

            async def add():
                for _ in range(5):
                    while True:
                        cell = await store.cells.entry("n")
                        try:
                            await store.cells.cas("n", cell.value + 1, cell.version)
                            break
                        except ramax.VersionConflictError:
                            pass

            await asyncio.gather(*(add() for _ in range(20)))

    asyncio.run(main(sys.argv[1]))
"""


async def test_twenty_tasks_and_two_processes_lose_no_update_of_a_cell(durable_url):
    async with ramax.connect(durable_url) as db:
        await (await db.content_store("acme")).cells.set("n", 0)
    await asyncio.to_thread(race, ADDING, durable_url, racers=2)
    async with ramax.connect(durable_url) as db:
        store = await db.content_store("acme")
        cell = await store.cells.entry("n")
        assert cell is not None
        assert (cell.value, cell.version) == (200, 201)
        history = await store.cells.history("n")
        assert [(v.value, v.version) for v in reversed(history)] == [(n, n + 1) for n in range(201)]


async def test_of_many_that_compare_at_once_one_wins(db):
    store = await db.content_store("acme")
    await store.cells.set("n", 0)
    outcomes = await asyncio.gather(
        *(store.cells.cas("n", task, 1) for task in range(20)), return_exceptions=True
    )
    lost = [outcome for outcome in outcomes if isinstance(outcome, VersionConflictError)]
    assert len(lost) == 19
    assert (await store.cells.entry("n")).version == 2


@pytest.mark.parametrize(
    "kills", [2, pytest.param(30, marks=[pytest.mark.nightly, pytest.mark.timeout(3600)])]
)
async def test_money_moves_between_ten_spaces_and_none_is_lost_in_a_crash(durable_url, kills):
    """Twenty tasks move money, transfers fail in the middle, and the process is killed."""
    names = [f"account-{n}" for n in range(10)]
    async with ramax.connect(durable_url) as db:
        for name in names:
            store = await db.content_store(name)
            await store.kv.put("money", {"balance": 100, "by": "start", "step": 100})
    acknowledged: list[str] = []
    for number in range(kills):
        acknowledged += await asyncio.to_thread(_kill_one, durable_url, f"k{number}")
    async with ramax.connect(durable_url) as db:
        done, balances = await _audited(db, names)
        assert sum(balances.values()) == 1000
        assert all(sum(steps) == 0 and len(steps) == 2 for steps in done.values())
        assert set(acknowledged) <= set(done)


def _kill_one(url: str, seed: str) -> list[str]:
    with started("transfer", url, seed, "10") as process:
        await_ready(process)
        go(process)
        assert process.stdout is not None
        lines = [process.stdout.readline().strip() for _ in range(30)]
        process.kill()
        rest, _ = process.communicate(timeout=30)
        whole = rest[: rest.rfind("\n") + 1].split()
        return [*lines, *whole]


async def _audited(db, names):
    """Walk every event; at each one the balance is what it was plus the step."""
    done: dict[str, list[int]] = defaultdict(list)
    balances: dict[str, int] = {}
    for name in names:
        store = await db.content_store(name)
        balances[name] = 0
        async for event in store.events.stream_space_events():
            value = event.payload["value"]
            balances[name] += value["step"]
            assert value["balance"] == balances[name]
            if value["by"] != "start":
                done[value["by"]].append(value["step"])
        assert (await store.kv.get("money"))["balance"] == balances[name]
    return done, balances


async def test_whoever_looks_while_money_moves_sees_all_of_it(db):
    names = [f"account-{n}" for n in range(10)]
    for name in names:
        store = await db.content_store(name)
        await store.kv.put("money", {"balance": 100, "by": "start", "step": 100})
    from random import Random

    from tests.concurrency._programs.transfer import Crash, transfer

    async def mover(number):
        chance = Random(number)
        for index in range(4):
            one, other = chance.sample(names, 2)
            try:
                await transfer(db, chance, f"{number}-{index}", one, other)
            except Crash:
                continue

    async def looker():
        sums = []
        for _ in range(5):
            async with db.transaction(*names) as tx:
                found = [(await tx.at(name).kv.get("money"))["balance"] for name in names]
            sums.append(sum(found))
        return sums

    *_, sums = await asyncio.gather(*(mover(n) for n in range(20)), looker())
    assert set(sums) == {1000}
    done, balances = await _audited(db, names)
    assert sum(balances.values()) == 1000
    assert all(sum(steps) == 0 for steps in done.values())

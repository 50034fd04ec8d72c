"""Whatever is killed, frozen, or fights: each event has its effect once."""

import asyncio
import random
import signal
import time

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine

import ramax
from tests.concurrency._processes import await_ready, started

CI, NIGHTLY = 3, 50
PER_KILL = 8
LEASE = "0.4"

kills = pytest.mark.parametrize(
    "kills", [CI, pytest.param(NIGHTLY, marks=[pytest.mark.nightly, pytest.mark.timeout(900)])]
)
hows = pytest.mark.parametrize("how", ["transaction", "connection"])


async def prepare(url: str, count: int) -> None:
    async with ramax.connect(url) as db:
        store = await db.content_store("acme")
        for _ in range(count):
            await store.events.append("e", "t", {})
        async with db.engine.begin() as connection:  # without a key: what is doubled is seen
            await connection.execute(
                sa.text("CREATE TABLE effects (space_id INTEGER, sequence INTEGER, worker TEXT)")
            )


async def effects(url: str) -> list[tuple[int, str]]:
    engine = create_async_engine(url)
    async with engine.connect() as connection:
        query = sa.text("SELECT sequence, worker FROM effects ORDER BY sequence")
        found = [(row[0], row[1]) for row in await connection.execute(query)]
    await engine.dispose()
    return found


def finish(url: str, how: str, count: int) -> None:
    with started("mailer", url, "last", LEASE, how, str(count), "0") as process:
        output, errors = process.communicate(timeout=100)
        assert process.returncode == 0, output + errors


@kills
@hows
async def test_a_process_killed_between_its_write_and_its_ack(durable_url, how, kills):
    count = kills + PER_KILL
    await prepare(durable_url, count)

    def kill() -> None:
        with started("mailer", durable_url, "w", LEASE, how, "0", "0.2") as process:
            await_ready(process)
            assert process.stdout is not None
            for _ in range(random.randint(1, 2)):
                while process.stdout.readline() != "wrote\n":
                    assert process.poll() is None
            process.send_signal(signal.SIGKILL)
            process.wait()

    for _ in range(kills):
        await asyncio.to_thread(kill)
    await asyncio.to_thread(finish, durable_url, how, count)
    found = await effects(durable_url)
    assert [sequence for sequence, _ in found] == list(range(1, count + 1))


@kills
async def test_a_process_killed_at_any_instant(durable_url, kills):
    count = kills * 40
    await prepare(durable_url, count)

    def kill() -> None:
        with started("mailer", durable_url, "w", LEASE, "transaction", "0", "0.002") as process:
            await_ready(process)
            time.sleep(random.uniform(0, 0.6))  # the random instant, often behind the lease
            process.send_signal(signal.SIGKILL)
            process.wait()

    for _ in range(kills):
        await asyncio.to_thread(kill)
    await asyncio.to_thread(finish, durable_url, "transaction", count)
    found = await effects(durable_url)
    assert [sequence for sequence, _ in found] == list(range(1, count + 1))


@hows
async def test_two_processes_that_fight_over_one_name(durable_url, how):
    """Leases that end while their owners sleep: both read at once, again and again."""
    count = 12
    await prepare(durable_url, count)

    def fight() -> int:
        shorter = "0.3"
        arguments = [shorter, how, str(count), "0.5"]
        with (
            started("mailer", durable_url, "a", *arguments) as one,
            started("mailer", durable_url, "b", *arguments) as two,
        ):
            lost = 0
            for process in (one, two):
                await_ready(process)
            for process in (one, two):
                output, errors = process.communicate(timeout=100)
                assert process.returncode == 0, errors
                lost += output.count("lost")
            return lost

    lost = await asyncio.to_thread(fight)
    found = await effects(durable_url)
    assert [sequence for sequence, _ in found] == list(range(1, count + 1))
    assert lost > 0  # else nobody fought


@kills
async def test_a_process_killed_between_two_parts_of_an_event(durable_url, kills):
    """Upcasters make several of one stored event: each part has its effect once."""
    parts = kills + 3  # each process does one more, and is killed
    async with ramax.connect(durable_url) as db:
        await db.spaces.create("acme")
        for count in (parts, 2):
            await db.events.append("acme", "e", "old", {"parts": count})
        async with db.engine.begin() as connection:  # without a key: what is doubled is seen
            await connection.execute(
                sa.text("CREATE TABLE effects (sequence INTEGER, part INTEGER)")
            )

    def kill(where: str) -> None:
        with started("parts", durable_url, where) as process:
            await_ready(process)
            assert process.stdout is not None
            assert process.stdout.readline() == f"{where}\n"
            process.send_signal(signal.SIGKILL)
            process.wait()

    def end() -> None:
        with started("parts", durable_url, "nowhere") as process:
            output, errors = process.communicate(timeout=100)
            assert process.returncode == 0, output + errors

    for number in range(kills):
        await asyncio.to_thread(kill, "within" if number % 2 else "between")
    async with ramax.connect(durable_url) as db:
        (standing,) = await db.subscriptions.list("acme")
        assert (standing.position, standing.parts_done) == (0, kills)
    await asyncio.to_thread(end)
    engine = create_async_engine(durable_url)
    async with engine.connect() as connection:
        query = sa.text("SELECT sequence, part FROM effects ORDER BY sequence, part")
        found = [tuple(row) for row in await connection.execute(query)]
    await engine.dispose()
    assert found == [(1, part) for part in range(parts)] + [(2, 0), (2, 1)]

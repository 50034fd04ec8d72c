"""Whatever order events come in, all replicas end with the same pstate, byte for byte.

Three to five devices, all data types, secrets and a domain; partitions, loss, duplication, other
orders and batches, restarts, kills and old backups; SQLite files, SQLite in memory and PostgreSQL in one run.
"""

import random
from pathlib import Path

import pytest

from tests.concurrency._processes import await_ready, go, started
from tests.sync._fleet import Device, carried, check_equal, fleet, heal, live

HEAVY = [pytest.mark.nightly, pytest.mark.timeout(600)]
CI_SEEDS, NIGHTLY_SEEDS = range(50), range(50, 1000)


def urls_of(seed: int, folder: Path, postgres_url: str | None) -> list[str]:
    """Return 3 to 5 databases: files, in every other seed one in memory, and PostgreSQL if given."""
    files = [f"sqlite+aiosqlite:///{folder / name}.db" for name in ("one", "two", "three", "four")]
    others = ["sqlite://"] * (seed % 2) + ([postgres_url] if postgres_url else [])
    urls = [*others, *files][: 3 + seed % 3]
    random.Random(seed).shuffle(urls)
    return urls


async def converge(seed: int, urls: list[str], steps: int = 60) -> None:
    rng = random.Random(seed)
    async with fleet(urls) as devices:
        await live(rng, devices, steps)
        await heal(rng, devices)
        await check_equal(devices)


@pytest.mark.parametrize("seed", [seed for seed in CI_SEEDS if seed % 5])
async def test_replicas_that_know_the_same_are_the_same(seed, tmp_path):
    """A9, A10, B7: also those that were closed in the middle of their work."""
    await converge(seed, urls_of(seed, tmp_path, None))


@pytest.mark.parametrize("seed", [seed for seed in CI_SEEDS if not seed % 5])
async def test_also_where_one_of_them_is_on_postgresql(seed, tmp_path, postgres_url):
    """A9, A10, B7."""
    await converge(seed, urls_of(seed, tmp_path, postgres_url))


@pytest.mark.parametrize("seed", [pytest.param(seed, marks=HEAVY) for seed in NIGHTLY_SEEDS])
async def test_a_thousand_times(seed, tmp_path, postgres_url):
    await converge(seed, urls_of(seed, tmp_path, postgres_url if seed % 2 else None), 100)


@pytest.mark.parametrize(
    "seed", [0, 1, *(pytest.param(seed, marks=HEAVY) for seed in range(2, 40))]
)
async def test_a_replica_that_is_killed_at_work_comes_to_the_same(seed, tmp_path, postgres_url):
    """It writes and takes in what another has, in a process of its own, and is killed twice."""
    rng = random.Random(seed)
    urls = urls_of(2, tmp_path, postgres_url if seed % 2 else None)
    async with fleet(urls) as devices:
        await live(rng, devices, 20)
        victim, peer = rng.sample([device for device in devices if device.lasts], 2)
        for round_ in range(2):
            await live(rng, [d for d in devices if d is not victim], 10, all_there=False)
            await victim.db.close()
            kill_at_work(victim, peer, seed * 2 + round_, rng.randint(1, 25))
            await victim.open()
            assert (await victim.store.verify()).ok
            await peer.store.replica.ingest(await carried(rng, victim, peer))
        await live(rng, devices, 20)
        await heal(rng, devices)
        await check_equal(devices)


def kill_at_work(victim: Device, peer: Device, seed: int, after: int) -> None:
    """Kill a process that works as a device when it has done so many steps, and on."""
    arguments = [victim.url, peer.url, victim.keys.key.hex(), str(seed)]
    with started("device", *arguments) as process:
        await_ready(process)
        go(process)
        assert process.stdout is not None
        for _ in range(after):
            assert process.stdout.readline() == "done\n"
        process.kill()

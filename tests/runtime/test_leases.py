import asyncio

import pytest

import ramax
from ramax.runtime.leases import Leases
from ramax.storage.subscriptions import Key, add, stands
from tests._domains import counter
from tests._reading import until


@pytest.fixture
async def key(durable_db):
    store = await durable_db.content_store("acme", counter())
    made = Key(store.space.space_id, "s")
    await durable_db._core.locked("a test", lambda ex: add(ex, made, 1))
    return made


@pytest.fixture
async def other(durable_db, durable_url):
    """The leases of another process."""
    async with ramax.connect(durable_url) as database:
        yield database._core.leases


async def owner(db, key):
    return (await db._core.read(lambda ex: stands(ex, key))).owner


async def test_one_has_it_and_gives_it_back(durable_db, key, other):
    mine = durable_db._core.leases
    assert await mine.take(key, 30)
    assert not await mine.take(key, 30)  # another task of this process
    assert not await other.take(key, 30)
    assert await owner(durable_db, key) == mine.owner
    await mine.give_back(key)
    assert await other.take(key, 30)
    await mine.give_back(key)  # it has nothing to give
    assert await owner(durable_db, key) == other.owner


async def test_it_ends_when_nobody_prolongs_it(durable_db, key, other):
    core = durable_db._core
    early = Leases(core.reader.run, core.turns.locked, lambda: core.clock() - 60_000_000)
    assert await early.take(key, 30)
    await early._stop()  # as when the process has died
    assert await other.take(key, 30)
    early._held.clear()


async def test_it_is_prolonged_as_long_as_the_process_lives(durable_db, key, other):
    mine = durable_db._core.leases

    async def until_when():
        return (await durable_db._core.read(lambda ex: stands(ex, key))).lease_until

    assert await mine.take(key, 0.3)
    first = await until_when()

    async def later():
        return await until_when() > first + 500_000

    await until(later)
    assert not await other.take(key, 0.3)
    assert await owner(durable_db, key) == mine.owner


async def test_who_lost_it_does_not_prolong_it(durable_db, key, other):
    mine = durable_db._core.leases
    assert await mine.take(key, 30)
    mine.lost(key)
    await mine.give_back(key)
    assert await owner(durable_db, key) == mine.owner  # it is not ours to give


async def test_who_lost_all_of_them_prolongs_none(durable_db, key, caplog):
    class Turns(asyncio.Event):
        count = 0

        async def wait(self):
            self.count += 1
            return await super().wait()

    mine = durable_db._core.leases
    turns = mine._another = Turns()
    assert await mine.take(key, 0.3)
    await until(lambda: turns.count)
    mine.lost(key)
    turns.count = 0
    await until(lambda: turns.count == 2)
    assert "could not prolong" not in caplog.text


async def test_nobody_has_what_is_not_there(durable_db):
    assert not await durable_db._core.leases.take(Key(77, "s"), 30)


async def test_ten_at_once_and_one_has_it(durable_db, key, other):
    mine = durable_db._core.leases
    taken = await asyncio.gather(*(each.take(key, 30) for each in (mine, other) * 5))
    assert taken.count(True) == 1

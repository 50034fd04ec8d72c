"""A transaction finds its spaces on its own connection, and never waits where that could deadlock."""

import asyncio

import pytest

import ramax
from ramax import ConflictError, SpaceNameError, SpaceNotFoundError
from ramax.runtime.held_spaces import HeldSpaces
from tests._domains import add, counter


async def test_what_is_locked_is_known_by_its_name_its_id_and_itself(db):
    async with db.transaction("mine") as tx:
        held = HeldSpaces(db._core, tx.run, None)
        mine = await held.make("mine")
        assert held.holding("mine") is None
        await held.lock(mine)
        assert held.holding("mine") == held.holding(mine.space_id) == held.holding(mine) == mine
        assert held.holding("other") is None
        assert await held.take(mine) == mine


async def test_a_name_that_does_not_exist_is_not_found_but_can_be_made(db):
    async with db.transaction("mine") as tx:
        held = HeldSpaces(db._core, tx.run, None)
        assert await held.find("new") is None
        assert await held.find("a\x00b") is None
        made = await held.make("new")
        assert await held.find("new") == made
        assert await held.find(made.space_id) == made
        assert await held.make("new") == made
        with pytest.raises(SpaceNotFoundError):
            await held.find(77)
        with pytest.raises(SpaceNameError):
            await held.make("_system_x")


async def test_what_was_made_goes_with_the_transaction(db):
    with pytest.raises(ZeroDivisionError):
        async with db.transaction("mine") as tx:
            await HeldSpaces(db._core, tx.run, None).make("new")
            raise ZeroDivisionError
    assert not await db.spaces.exists("new")


async def test_forgotten_spaces_are_looked_at_again(db):
    store = await db.content_store("mine", counter())
    await store.execute(add)
    space_id = store.space.space_id
    async with db.transaction(store) as tx:
        held = HeldSpaces(db._core, tx.run, None)
        await held.lock(store.space)
        assert db._core.cache.known(space_id) is not None
        held.forget()
        assert db._core.cache.known(space_id) is None


@pytest.mark.postgres
async def test_where_to_wait_could_deadlock_it_fails_and_says_what_it_wanted(postgres_url):
    async with ramax.connect(postgres_url) as db, ramax.connect(postgres_url) as other:
        low, high = [await db.spaces.create(name) for name in ("low", "high")]
        opened, go_on = asyncio.Event(), asyncio.Event()

        async def keep():
            async with other.transaction("low"):
                opened.set()
                await go_on.wait()

        keeping = asyncio.create_task(keep())
        await opened.wait()
        with pytest.raises(ConflictError, match="'low' is locked by another transaction"):
            async with db.transaction("high") as tx:
                held = HeldSpaces(db._core, tx.run, None)
                await held.lock(high)
                await held.take(low)
        assert held.wanted == {low.space_id: low}
        go_on.set()
        await keeping

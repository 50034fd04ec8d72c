"""Work beside the commands: one at a time where there is one writer, and awaited at the end."""

import asyncio

import pytest

import ramax
from ramax.errors import ClosedError, StorageBusyError
from ramax.runtime.queue import Limits
from ramax.runtime.turns import Turns
from tests._domains import add, counter


async def test_turns_are_taken_one_after_another(sqlite_url):
    async with ramax.connect(sqlite_url) as db:
        order = []

        async def take(name):
            async with db._core.turns.take(name):
                order.append(f"{name} begins")
                await asyncio.sleep(0)
                order.append(f"{name} ends")

        await asyncio.gather(*(take(name) for name in "abc"))
    assert order == [f"{name} {what}" for name in "abc" for what in ("begins", "ends")]


async def test_where_there_are_several_writers_nobody_waits(postgres_url):
    async with ramax.connect(postgres_url) as db:
        turns = db._core.turns
        async with asyncio.timeout(25), turns.take("one"), turns.take("another"):
            pass


async def test_who_waits_in_vain_hears_who_has_the_writer(sqlite_url):
    async with ramax.connect(sqlite_url) as db:
        core = db._core
        hasty = Turns(core.backend, core.writer, Limits(lock_timeout=0.01))
        async with core.turns.take("the keeper"):
            with pytest.raises(StorageBusyError, match=r"a reader waited .* held by the keeper"):
                async with hasty.take("a reader"):
                    raise AssertionError
        async with core.turns.take("the next"):
            pass


async def test_who_leaves_before_his_turn_is_passed_over(sqlite_url):
    async with ramax.connect(sqlite_url) as db:
        turns, had = db._core.turns, []

        async def take(number):
            async with turns.take(str(number)):
                had.append(number)

        async with turns.take("holder"):
            waiting = [asyncio.create_task(take(number)) for number in range(6)]
            await asyncio.sleep(0)
            for task in waiting[::2]:
                task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        assert had == [1, 3, 5]


async def test_commands_go_on_when_a_turn_ends_with_an_error(db):
    store = await db.content_store("acme", counter())
    with pytest.raises(ZeroDivisionError):
        await db._core.turns.locked("a mistake", lambda _: 1 // 0)
    await store.execute(add)
    assert await store.pstate.fetch("n") == 1


async def test_a_closed_database_gives_no_turns(url):
    async with ramax.connect(url) as db:
        turns = db._core.turns
    for taking in (turns.locked("late", lambda _: None), turns.read(lambda _: None)):
        with pytest.raises(ClosedError):
            await taking


async def test_closing_waits_for_work_of_its_own_connection(url):
    async with ramax.connect(url) as db:
        writer, go_on, ends = db._core.writer, asyncio.Event(), []

        async def keep():
            async with db._core.turns.take("the keeper"):
                await go_on.wait()
                ends.append("the keeper")

        keeping = asyncio.create_task(keep())
        await asyncio.sleep(0)
        closing = asyncio.create_task(writer.close())
        closing.add_done_callback(lambda _: ends.append("closed"))
        await asyncio.sleep(0)
        go_on.set()
        await asyncio.gather(keeping, closing)
        await asyncio.sleep(0)
        assert ends == ["the keeper", "closed"]

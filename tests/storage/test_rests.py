import asyncio

import ramax
from ramax.storage.rests import EVERY, Rests
from tests._domains import add, counter


async def spin(until):
    """Keep the loop busy, as an application does that always has another request to answer."""
    async with asyncio.timeout(60):
        while not until():
            sum(range(20_000))  # a turn takes longer than a thread takes to wake
            await asyncio.sleep(0)


async def test_a_loop_that_is_always_busy_rests_while_a_thread_has_work():
    rests = Rests()
    rests.begin(asyncio.get_running_loop())
    await spin(lambda: rests.taken > 3)
    rests.end()


async def test_a_loop_that_waits_anyway_is_left_alone():
    rests = Rests()
    rests.begin(asyncio.get_running_loop())
    await asyncio.sleep(EVERY * 20)
    assert rests.taken == 0
    rests.end()


async def test_nothing_rests_once_the_work_is_done():
    rests, loop = Rests(), asyncio.get_running_loop()
    rests.begin(loop)
    rests.end()
    turned = loop.create_future()
    loop.call_later(EVERY * 20, turned.set_result, None)
    await spin(turned.done)
    assert rests.taken == 0


async def test_commands_go_on_beside_a_loop_that_never_rests(url):
    async with ramax.connect(url) as db:
        store = await db.content_store("a", counter())
        commands = asyncio.gather(*(store.execute(add) for _ in range(100)))
        await spin(commands.done)
        assert (await commands)[-1].space_sequence == 100

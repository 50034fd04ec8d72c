"""Work that its waiter leaves."""

import asyncio

import pytest

from ramax.storage.cancellation import to_its_end


async def test_its_answer_and_its_error_are_the_waiters():
    async def work(answer):
        await asyncio.sleep(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert await to_its_end(work(3)) == 3
    with pytest.raises(KeyError):
        await to_its_end(work(KeyError()))


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("times", [1, 2, 5])
async def test_it_ends_before_the_waiter_does_however_often_he_is_cancelled(times, fails):
    go, ended = asyncio.Event(), False

    async def work():
        nonlocal ended
        await go.wait()
        ended = True
        if fails:
            raise KeyError

    waiter = asyncio.create_task(to_its_end(work()))
    for _ in range(times):
        await asyncio.sleep(0)
        waiter.cancel()
        await asyncio.sleep(0)
        assert not waiter.done()
    go.set()
    with pytest.raises(asyncio.CancelledError):
        await waiter
    assert ended


async def test_work_that_is_cancelled_itself_is_told():
    async def work():
        await asyncio.Event().wait()

    running = asyncio.ensure_future(work())
    waiter = asyncio.create_task(to_its_end(running))
    await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiter

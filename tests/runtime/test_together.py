import asyncio

import pytest

from ramax.runtime.together import run_together


async def fail(error, cause=None):
    raise error from cause


async def test_all_run_to_their_end():
    done = []

    async def work(name):
        await asyncio.sleep(0)
        task = asyncio.current_task()
        done.append((name, task and task.get_name()))

    await run_together({"a": work(1), "b": work(2)})
    assert sorted(done) == [(1, "a"), (2, "b")]


async def test_what_one_raises_ends_the_others_and_comes_as_it_is():
    ended = []

    async def forever():
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(1)

    cause = KeyError("why")
    with pytest.raises(LookupError, match="no") as raised:
        await run_together({"a": forever(), "b": fail(LookupError("no"), cause)})
    assert (ended, raised.value.__cause__) == ([1], cause)


async def test_what_several_raise_comes_together():
    with pytest.raises(ExceptionGroup) as raised:
        await run_together({"a": fail(LookupError("1")), "b": fail(ValueError("2"))})
    assert [type(e) for e in raised.value.exceptions] == [LookupError, ValueError]


async def test_cancelling_it_cancels_all_of_them():
    async def forever():
        await asyncio.Event().wait()

    running = asyncio.create_task(run_together({"a": forever()}))
    await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running

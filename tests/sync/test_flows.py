"""Tasks that belong together end together, and the first error is heard."""

import asyncio

import pytest

from ramax.sync.flows import ended, first_to_fail


async def test_when_one_fails_the_others_end_and_its_error_is_raised():
    left = []

    async def stays() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            left.append("stays")

    async def fails() -> None:
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        await first_to_fail([stays(), fails()])
    assert left == ["stays"]


async def test_who_is_cancelled_leaves_none_of_them_behind():
    async def stays() -> None:
        await asyncio.Event().wait()

    flows = asyncio.ensure_future(first_to_fail([stays(), stays()]))
    before = asyncio.all_tasks()
    await asyncio.sleep(0)
    flows.cancel()
    with pytest.raises(asyncio.CancelledError):
        await flows
    assert asyncio.all_tasks() <= before


async def test_the_error_of_a_task_that_is_ended_is_nobodys_concern():
    async def fails() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            raise OSError("at its end")

    task = asyncio.ensure_future(fails())
    await asyncio.sleep(0)
    await ended([task])
    assert task.done()

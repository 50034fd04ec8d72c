"""Work is driven from end to end without a task, and its end is always told, once, and later."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy.util import await_only

from ramax.storage.driving import Drive


async def driven(work: Callable[[Any], object], argument: Any = None) -> list[BaseException | None]:
    """Drive work to its end and return what was told."""
    told: list[BaseException | None] = []
    ended = asyncio.Event()

    def done(error: BaseException | None) -> None:
        told.append(error)
        ended.set()

    Drive(work, argument, done)
    assert not told, "whoever begins work must not hear of its end before he has returned"
    await ended.wait()
    await asyncio.sleep(0)
    return told


async def later(value: Any) -> Any:
    """Wait for a future, then for a turn of the loop."""
    future = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(future.set_result, value)
    await asyncio.sleep(0)
    return await future


async def at_once(value: Any) -> Any:
    return value


async def fails(error: BaseException) -> None:
    await later(None)
    raise error


async def test_work_gets_what_it_waits_for_and_its_end_is_told() -> None:
    found = []

    def work(argument: str) -> None:
        found.append(argument)
        found.extend(await_only(wait) for wait in (later(1), at_once(2), later(3)))

    assert await driven(work, "begun") == [None]
    assert found == ["begun", 1, 2, 3]


async def test_what_needs_a_task_is_awaited_as_one() -> None:
    found = []

    async def with_a_timeout() -> str:
        async with asyncio.timeout(25):
            return str(await later("in time"))

    def work(_: object) -> None:
        found.append(await_only(asyncio.ensure_future(with_a_timeout())))

    assert await driven(work) == [None]
    assert found == ["in time"]


async def test_work_has_begun_when_the_call_returns_and_has_no_task() -> None:
    steps: list[Any] = []

    def work(_: object) -> None:
        steps.append("begun")
        await_only(later(None))
        steps.append(asyncio.current_task())

    tasks = asyncio.all_tasks()
    running = driven(work).__await__()
    running.send(None)
    assert steps == ["begun"]
    assert asyncio.all_tasks() == tasks
    running.close()
    while len(steps) == 1:
        await asyncio.sleep(0)
    assert steps[1] is None


async def test_work_that_never_waits_is_told_of_later_too() -> None:
    assert await driven(lambda _: None) == [None]
    error = ValueError("no")
    assert await driven(lambda _: _raise(error)) == [error]


def _raise(error: BaseException) -> None:
    raise error


async def test_what_fails_behind_the_work_is_raised_in_it() -> None:
    caught = []

    def work(_: object) -> None:
        for wait in (fails(KeyError("a")), fails(asyncio.CancelledError())):
            try:
                await_only(wait)
            except (KeyError, asyncio.CancelledError) as error:
                caught.append(type(error))
        await_only(fails(OSError("gone")))

    told = await driven(work)
    assert caught == [KeyError, asyncio.CancelledError]
    assert [str(error) for error in told] == ["gone"]


async def test_the_next_work_may_be_begun_when_the_one_before_is_told_of() -> None:
    count = 2000  # more than the call stack would bear, one inside the other
    ended = asyncio.Event()

    def done(error: BaseException | None) -> None:
        nonlocal count
        assert error is None
        count -= 1
        if count:
            Drive(lambda _: await_only(at_once(1)), None, done)
        else:
            ended.set()

    Drive(lambda _: None, None, done)
    await ended.wait()


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit])
async def test_what_ends_the_program_is_told_and_goes_on(stop: type[BaseException]) -> None:
    told: list[BaseException | None] = []
    with pytest.raises(stop):
        Drive(lambda _: _raise(stop()), None, told.append)
    await asyncio.sleep(0)
    assert [type(error) for error in told] == [stop]

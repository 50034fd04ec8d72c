"""Connections that are taken for longer: how many, and what becomes of them."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from ramax.errors import ClosedError, StorageBusyError
from ramax.storage.places import MOST, Places


class Line:
    def __init__(self) -> None:
        self.lost = False


class Exchange:
    """Opens and closes lines, and knows which are open."""

    def __init__(self, patience: float = 5) -> None:
        self.open: set[Line] = set()
        self.opened = 0
        self.places: Places[Line] = Places(self.hold, self.drop, patience)

    async def hold(self) -> Line:
        line = Line()
        self.open.add(line)
        self.opened += 1
        return line

    async def drop(self, line: Line) -> None:
        self.open.remove(line)


async def test_a_line_that_comes_back_is_used_again():
    exchange = Exchange()
    for _ in range(3):
        async with exchange.places.take() as line:
            assert line in exchange.open
    assert exchange.opened == 1


async def test_few_lines_are_kept_and_lost_ones_are_not():
    exchange = Exchange()
    async with AsyncExitStack() as stack:
        for _ in range(MOST):
            await stack.enter_async_context(exchange.places.take())
        assert len(exchange.open) == MOST
    assert len(exchange.open) == 2
    async with exchange.places.take() as line:
        line.lost = True
    assert line not in exchange.open
    for line in exchange.places.idle:
        line.lost = True
    async with exchange.places.take() as line:
        assert not line.lost
        assert exchange.open == {line}


async def test_who_comes_when_all_are_taken_waits_for_one_to_come_back():
    exchange = Exchange()
    async with AsyncExitStack() as stack:
        first = exchange.places.take()
        await first.__aenter__()
        for _ in range(MOST - 1):
            await stack.enter_async_context(exchange.places.take())
        waiting = asyncio.create_task(first_of(exchange))
        await asyncio.sleep(0)
        assert not waiting.done()
        await first.__aexit__(None, None, None)
        assert await waiting
    assert exchange.opened == MOST


async def first_of(exchange):
    async with exchange.places.take() as line:
        return line


async def test_who_waits_too_long_is_told_and_takes_no_place():
    exchange = Exchange(patience=0.01)
    async with AsyncExitStack() as stack:
        for _ in range(MOST):
            await stack.enter_async_context(exchange.places.take())
        with pytest.raises(StorageBusyError, match=f"{MOST} readers"):
            await first_of(exchange)
    assert await first_of(exchange)


async def test_a_line_that_cannot_be_opened_takes_no_place():
    exchange = Exchange(patience=0.01)

    async def fail():
        raise OSError("no route")

    broken: Places[Line] = Places(fail, exchange.drop, 0.01)
    for _ in range(MOST + 1):
        with pytest.raises(OSError, match="no route"):
            async with broken.take():
                pass
    await broken.close()


async def test_a_line_whose_waiter_leaves_while_it_is_opened_is_kept_and_used():
    exchange, go = Exchange(), asyncio.Event()
    hold = exchange.hold

    async def slowly():
        await go.wait()
        return await hold()

    places: Places[Line] = Places(slowly, exchange.drop, 5)

    async def use():
        async with places.take() as line:
            return line

    waiting = asyncio.create_task(use())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    waiting.cancel()
    go.set()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert set(places.idle) == exchange.open
    assert await use() in exchange.open
    assert exchange.opened == 1
    await places.close()
    assert not exchange.open


async def test_closing_waits_for_all_to_come_back_and_lets_nobody_else_in():
    exchange = Exchange()
    async with AsyncExitStack() as stack:
        for _ in range(MOST):
            await stack.enter_async_context(exchange.places.take())
        waiting = asyncio.create_task(first_of(exchange))
        closing = asyncio.create_task(exchange.places.close())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert not closing.done()
    with pytest.raises(ClosedError):
        await waiting
    await closing
    assert not exchange.open

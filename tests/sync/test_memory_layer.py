"""The layer in memory keeps the contract, and its knobs do what they say."""

import asyncio

import pytest

from ramax.errors import LayerUnavailableError, ProtocolError
from ramax.sync.layer import SpaceRef
from ramax.sync.memory_layer import MemoryLayer, MemoryPlace
from ramax.testing import LayerContract
from tests.core.sync._records import ANNE, record, records

REF = SpaceRef("notes", b"u" * 16)


class TestMemoryLayer(LayerContract):
    @pytest.fixture(autouse=True)
    def place(self):
        self.memory = MemoryPlace()

    def layer(self):
        return MemoryLayer(self.memory)


class TestOneWay(LayerContract):
    @pytest.fixture(autouse=True)
    def place(self):
        self.memory = MemoryPlace()

    def layer(self):
        return MemoryLayer(self.memory, two_way=False)


async def opened(**options) -> MemoryLayer:
    layer = MemoryLayer(**options)
    await layer.open(REF)
    return layer


async def test_a_cut_is_heard_by_calls_and_by_who_listens():
    layer = await opened()
    changes = layer.changes({})
    assert (await anext(changes)).caught_up
    listening = asyncio.ensure_future(anext(changes))
    layer.cut()
    for call in (layer.vector(), layer.write(records(ANNE, 1, 1)), listening):
        with pytest.raises(LayerUnavailableError):
            await call
    layer.mend()
    assert await layer.vector() == {}


async def test_errors_come_once_each():
    layer = await opened()
    layer.faults.errors = [ProtocolError("memory", "no")]
    with pytest.raises(ProtocolError):
        await layer.vector()
    assert await layer.vector() == {}


async def test_a_lost_answer_has_come_through():
    """B6: the write is there, though its writer hears of no answer."""
    layer = await opened()
    layer.faults.lose_answers = 1
    with pytest.raises(LayerUnavailableError):
        await layer.write(records(ANNE, 1, 2))
    assert (await layer.write(records(ANNE, 1, 2))).duplicates == 2


async def test_pages_come_twice_where_they_shall():
    layer = await opened()
    await layer.write(records(ANNE, 1, 2))
    layer.faults.deliver_twice = True
    assert [len(page) async for page in layer.read({})] == [2, 2]


async def test_a_reset_loses_what_came_later_and_shows_in_the_epoch():
    layer = await opened()
    before = (await layer.open(REF)).epoch
    await layer.write(records(ANNE, 1, 5))
    layer.place.reset({ANNE: 2})
    assert await layer.vector() == {ANNE: 2}
    assert (await layer.open(REF)).epoch != before


async def test_it_takes_no_more_at_once_than_it_says():
    layer = await opened(max_records=2)
    with pytest.raises(ProtocolError):
        await layer.write(records(ANNE, 1, 3))
    assert await layer.vector() == {}


async def test_an_answer_may_be_late():
    layer = await opened()
    layer.faults.delay = 3600
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await layer.write([record(ANNE, 1)])
    assert layer.place.vector == {}

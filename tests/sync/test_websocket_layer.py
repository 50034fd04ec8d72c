import asyncio
from collections.abc import Iterator
from contextlib import aclosing

import pytest

from ramax.errors import LayerUnavailableError, MisuseError
from ramax.sync.memory_layer import MemoryLayer
from ramax.sync.websocket_layer import WebSocketLayer
from tests._serving import NOTES, OWN, cutting, layer_at, memory, records, served, silent


async def test_a_connection_cut_in_the_middle_of_a_frame_loses_nothing(place, port):
    """A frame cut at any byte is not taken in part, and pushing again brings all of it."""
    for turn, upto in enumerate((1, 3, 40, 4_000)):
        cuts, pushed = iter([upto]), records(20, first=20 * turn + 1, payload=b"x" * 900)

        def cut(data: bytes, cuts: Iterator[int] = cuts) -> int | None:
            return next(cuts, None) if len(data) > 8_000 else None

        async with cutting(port, cut) as through:
            layer = layer_at("websocket", through)
            await layer.open(NOTES)
            with pytest.raises(LayerUnavailableError):
                await layer.write(pushed)
            assert place.vector.get(OWN, 0) == 20 * turn
            await layer.write(pushed)
            assert place.records[OWN][20 * turn :] == pushed
            await layer.aclose()


async def test_a_listener_whose_server_goes_away_hears_of_it(place):
    async with served(memory(place)) as port:
        layer = layer_at("websocket", port)
        await layer.open(NOTES)
        changes = layer.changes({})
        assert (await anext(changes)).caught_up
    with pytest.raises(LayerUnavailableError):
        await anext(changes)
    await layer.aclose()


async def test_nobody_there_is_unavailable_and_can_be_tried_again(place):
    async with served(memory(place)) as port:
        pass
    layer = layer_at("websocket", port)
    with pytest.raises(LayerUnavailableError) as caught:
        await layer.open(NOTES)
    assert caught.value.retryable


async def test_an_answer_that_does_not_come_is_not_waited_for_for_ever():
    async with silent() as port:
        layer = layer_at("websocket", port, timeout=0.05)
        with pytest.raises(LayerUnavailableError):
            await layer.open(NOTES)


async def test_a_caller_that_cancels_leaves_no_answer_for_the_next_one(port, place):
    layer = layer_at("websocket", port)
    await layer.open(NOTES)
    asking = asyncio.create_task(layer.write(records(3)))
    await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert (await layer.write(records(3))).vector == {OWN: 3}
    assert await layer.vector() == {OWN: 3}
    await layer.aclose()


async def test_requests_of_several_callers_take_turns(port):
    layer = layer_at("websocket", port)
    await layer.open(NOTES)
    await layer.write(records(9))
    found = await asyncio.gather(*(layer.vector() for _ in range(20)))
    assert found == [{OWN: 9}] * 20
    await layer.aclose()


async def test_listening_ends_with_who_listens(place):
    kept: list[MemoryLayer] = []

    def layer_of(_name: str) -> MemoryLayer:
        kept.append(MemoryLayer(place))
        return kept[-1]

    async with served(layer_of) as port:
        layer = layer_at("websocket", port)
        await layer.open(NOTES)
        async with aclosing(layer.changes({})) as changes:
            assert (await anext(changes)).caught_up
        await layer.aclose()
        await layer.aclose()
        while any(each.opened for each in kept):
            await asyncio.sleep(0)
    assert len(kept) == 2


async def test_an_address_that_is_none_is_the_callers_mistake():
    with pytest.raises(MisuseError, match="notes"):
        await WebSocketLayer("notes").open(NOTES)

import pytest

from ramax.core.sync.frames import PROTOCOL, Frame
from ramax.errors import LayerUnavailableError
from ramax.sync.memory_layer import MemoryLayer, MemoryPlace
from ramax.web.access import Access, Asking
from ramax.web.conversation import Service
from ramax.web.limits import Limits
from ramax.web.refusals import RefusedError

HELLO = Frame("hello", {"protocol": PROTOCOL, "space": "notes", "space_uid": b"a" * 16})


async def anybody(_asking: Asking) -> Access | None:
    return Access()


def service_of(layer: MemoryLayer) -> Service:
    return Service(lambda _name: layer, anybody, Limits())


async def test_who_is_let_in_is_asked_for_by_what_it_says_and_brings():
    asked: list[Asking] = []

    async def authorize(asking: Asking) -> Access | None:
        asked.append(asking)
        return None

    service = Service(lambda _name: MemoryLayer(), authorize, Limits())
    for token in ("from the header", None):
        with pytest.raises(RefusedError, match="unauthorized"):
            await service.begin(HELLO, token)
    assert asked == [Asking("notes", "from the header", None), Asking("notes", None, None)]


async def test_a_layer_is_closed_whatever_opening_it_came_to():
    place = MemoryPlace()
    place.space_uid = b"b" * 16
    layer = MemoryLayer(place)
    with pytest.raises(Exception, match="another space"):
        await service_of(layer).begin(HELLO)
    layer.faults.errors.append(LayerUnavailableError("memory", "not now"))
    with pytest.raises(LayerUnavailableError):
        await service_of(layer).begin(HELLO)
    assert layer.opened == 0


async def test_a_conversation_closes_its_layer():
    layer = MemoryLayer()
    conversation = await service_of(layer).begin(HELLO)
    assert layer.opened == 1
    await conversation.aclose()
    assert layer.opened == 0


async def test_who_may_do_nothing_any_more_is_asked_about_again_and_sent_away():
    may: list[Access | None] = [Access(None), Access(None), Access(), None]

    async def authorize(_asking: Asking) -> Access | None:
        return may.pop(0)

    push = Frame("push", {"records": []})
    service = Service(lambda _name: MemoryLayer(), authorize, Limits(access_seconds=0))
    conversation = await service.begin(HELLO)
    await conversation.answer(push)
    with pytest.raises(RefusedError, match="forbidden"):
        await conversation.answer(push)
    with pytest.raises(RefusedError, match="unauthorized"):
        await conversation.answer(push)
    await conversation.aclose()


async def test_nobody_is_asked_about_again_while_the_answer_is_young():
    asked = []

    async def authorize(asking: Asking) -> Access | None:
        asked.append(asking)
        return Access()

    conversation = await Service(lambda _name: MemoryLayer(), authorize, Limits()).begin(HELLO)
    for _ in range(3):
        await conversation.answer(Frame("vector", {}))
    await conversation.aclose()
    assert len(asked) == 1

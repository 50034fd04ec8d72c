"""The home of the workers of a space: who brings it, and who waits for whom."""

import asyncio

import pytest

import ramax
from ramax.errors import SpaceLoadError, SpaceNotFoundError
from ramax.sync.memory_layer import MemoryLayer, MemoryPlace
from ramax.sync.open_space import OpenSpace
from ramax.sync.terms import Pace
from tests.core.sync._records import ANNE, records

UID, OTHER = b"u" * 16, b"v" * 16


@pytest.fixture
async def home():
    async with ramax.connect() as db:
        opened = OpenSpace(db._core, "notes", Pace(), lambda _event: None)
        yield opened
        await opened.close(0)


def place(uid: bytes | None = UID) -> MemoryPlace:
    made = MemoryPlace()
    made.space_uid = uid
    if uid is not None:
        made.add("notes", records(ANNE, 1, 3))
    return made


async def test_the_first_layer_that_has_the_space_brings_it(home):
    layers = [MemoryLayer(place(uid), layer_id=str(uid)) for uid in (None, UID)]
    await home.start(layers)
    await home.found(None)
    assert home.brought
    assert (await home.replica().info()).space_uid == UID
    await home.flush(home.workers)
    assert layers[0].place.space_uid == UID  # and it was brought to the other one


async def test_of_two_spaces_under_one_name_only_one_is_taken(home):
    layers = [MemoryLayer(place(uid), layer_id=uid.decode()) for uid in (UID, OTHER)]
    await home.start(layers)
    await home.found(None)
    uid = (await home.replica().info()).space_uid
    other = (OTHER if uid == UID else UID).decode()
    worker = home.workers[other]
    async with asyncio.timeout(30):
        await worker._standing.lost.wait()
    assert "another space" in worker.status({}).last_error


async def test_layers_without_the_space_do_not_wait_for_each_other(home):
    await home.start([MemoryLayer(layer_id=name) for name in "abc"])
    with pytest.raises(SpaceNotFoundError):
        await home.found(None)


async def test_one_that_failed_may_have_had_it(home):
    broken = MemoryLayer(layer_id="broken")
    broken.cut()
    await home.start([MemoryLayer(layer_id="empty"), broken])
    with pytest.raises(SpaceLoadError) as caught:
        await home.found(None)
    assert caught.value.failures == ("layer 'broken': the connection is cut",)


async def test_too_little_is_waited_on(home):
    enough = asyncio.Event()
    asked = asyncio.Event()

    async def suffices() -> bool:
        asked.set()
        return enough.is_set()

    layer = MemoryLayer(place())
    await home.start([layer])
    found = asyncio.ensure_future(home.found(suffices))
    await asked.wait()
    assert not found.done()
    enough.set()
    layer.cut()  # whatever happens to a layer, it is asked again
    await found

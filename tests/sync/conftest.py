"""A served place, and layers that reach it by both ways."""

from collections.abc import AsyncIterator, Callable

import pytest

from ramax.sync.memory_layer import MemoryPlace
from ramax.sync.remote import RemoteLayer
from tests._serving import layer_at, memory, served


@pytest.fixture
def place() -> MemoryPlace:
    return MemoryPlace()


@pytest.fixture
async def port(place: MemoryPlace) -> AsyncIterator[int]:
    async with served(memory(place)) as port:
        yield port


@pytest.fixture(params=["websocket", "http"])
async def reach(request: pytest.FixtureRequest) -> AsyncIterator[Callable[..., RemoteLayer]]:
    """Makes a layer of the server at a port; each is closed at the end."""
    made: list[RemoteLayer] = []

    def layer(*given: object, **options: object) -> RemoteLayer:
        made.append(layer_at(request.param, *given, **options))  # type: ignore[arg-type]
        return made[-1]

    yield layer
    for each in made:
        await each.aclose()

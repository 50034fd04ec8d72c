"""A manager over a database of its own, and layers of places in memory."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager

import ramax
from ramax import ContentStore
from ramax.entry.sync import SpaceManager
from ramax.sync.layer import Layer, SpaceRef
from ramax.sync.memory_layer import MemoryLayer, MemoryPlace

PATIENCE = 30


class Places:
    """Places in memory, each with the layers that managers have made for it."""

    def __init__(self, *names: str) -> None:
        self.places = {name: MemoryPlace() for name in names}
        self.layers: dict[str, list[MemoryLayer]] = {name: [] for name in names}
        self.prepare: dict[str, Callable[[MemoryLayer], None]] = {}
        self.two_way = True

    def __call__(self, _ref: SpaceRef) -> Sequence[MemoryLayer]:
        return [self.make(name) for name in self.places]

    def make(self, name: str) -> MemoryLayer:
        layer = MemoryLayer(self.places[name], layer_id=name, two_way=self.two_way)
        self.layers[name].append(layer)
        self.prepare.get(name, lambda _: None)(layer)
        return layer

    def __getitem__(self, name: str) -> MemoryPlace:
        return self.places[name]

    def layer(self, name: str) -> MemoryLayer:
        return self.layers[name][-1]


@asynccontextmanager
async def manager_on(
    url: str | None, layers_for: Callable[[SpaceRef], Iterable[Layer]], **options
) -> AsyncIterator[SpaceManager]:
    options = {"first_retry": 0.01, "last_retry": 0.05, "secrets_interval": 0.05} | options
    async with (
        ramax.connect(url) as db,
        SpaceManager(db, layers_for, **options) as manager,
    ):
        yield manager


async def until(condition: Callable[[], Awaitable[bool]] | Callable[[], bool]) -> None:
    """Wait for something that nobody rings for."""
    async with asyncio.timeout(PATIENCE):
        while True:
            found = condition()
            if found if isinstance(found, bool) else await found:
                return
            await asyncio.sleep(0.005)


async def has(store: ContentStore, *keys: str) -> None:
    """Wait until a space has these keys."""

    async def there() -> bool:
        return len(await store.kv.get_many(keys)) == len(keys)

    await until(there)


async def write(store: ContentStore, *keys: str) -> None:
    for key in keys:
        await store.kv.put(key, f"value of {key}")


def layer_tasks() -> list[str]:
    return [t.get_name() for t in asyncio.all_tasks() if t.get_name().startswith("ramax layer")]


async def filled(place: MemoryPlace, *keys: str, name: str = "notes") -> None:
    """Bring a space with these keys to a place, from a device that is gone then."""
    places = Places("origin")
    places.places["origin"] = place
    async with manager_on(None, places) as manager:
        known = place.space_uid is not None
        store = await (manager.load(name) if known else manager.create(name))
        await write(store, *keys)
        await manager.flush(name)


def wait_for(places: Places, name: str, event: asyncio.Event) -> None:
    """Let a layer answer nothing before an event."""

    def prepare(layer):
        answer = layer._answer

        async def wait():
            await event.wait()
            await answer()

        layer._answer = wait

    places.prepare[name] = prepare

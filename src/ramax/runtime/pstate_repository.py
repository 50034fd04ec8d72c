"""``db.pstate``: the stored values of every space."""

from collections.abc import AsyncIterator, Iterable
from typing import Any

from ramax.runtime.core import Core, SpaceLike
from ramax.runtime.pstate import SpacePState


class PStateRepository:
    """Reads and writes stored values of spaces, given as `Space`, name or id; folds nothing."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def get(self, space: SpaceLike, key: str, default: Any = None) -> Any:
        """Return the value of a key, or ``default``."""
        return await (await self._of(space)).get(key, default)

    async def get_many(self, space: SpaceLike, keys: Iterable[str]) -> dict[str, Any]:
        """Return the values of those keys that exist, in the order asked for."""
        return await (await self._of(space)).get_many(keys)

    async def put(self, space: SpaceLike, key: str, value: Any) -> None:
        """Store a value that no event wrote; see `SpacePState.put`."""
        await (await self._of(space)).put(key, value)

    async def delete(self, space: SpaceLike, key: str) -> bool:
        """Delete a value that ``put`` wrote; see `SpacePState.delete`."""
        return await (await self._of(space)).delete(key)

    async def scan(
        self, space: SpaceLike, prefix: str = "", *, limit: int | None = None, after: str = ""
    ) -> AsyncIterator[tuple[str, Any]]:
        """Yield keys and values in key order; see `SpacePState.scan`."""
        values = await self._of(space)
        async for pair in values.scan(prefix, limit=limit, after=after):
            yield pair

    async def _of(self, space: SpaceLike) -> SpacePState:
        return SpacePState(self._core, await self._core.resolve(space), None)

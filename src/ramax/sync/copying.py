"""Bringing one side of a replica and a layer to where the other is, once: backup and restore."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from ramax.core.sealed import SealedSet
from ramax.core.sync.vector import Vector, behind
from ramax.errors import LayerAuthError, LayerError, SpaceNotFoundError
from ramax.runtime.core import Core
from ramax.runtime.spaces import SpaceRegistry
from ramax.storage.layer_cursors import LayerCursor, put_cursor
from ramax.sync.layer import Layer, LayerInfo, SpaceRef
from ramax.sync.replica import Replica
from ramax.sync.secret_flow import SecretExchange
from ramax.sync.transfer import Position, claim, pull, push
from ramax.values import Progress, Space

OnProgress = Callable[[Progress], None]


@dataclass(frozen=True, slots=True)
class Copied:
    """How many events were carried, and how many were not taken."""

    count: int
    refused: int
    seconds: float


class Copying:
    """Copies between the spaces of one database and layers, which it opens and closes."""

    def __init__(self, core: Core, secrets_of: Callable[[Space], SecretExchange]) -> None:
        self._core, self._secrets_of = core, secrets_of

    async def push(self, space: Space, layer: Layer, show: OnProgress) -> Copied:
        """Write to a layer what it lacks of a space, which becomes a replica if it is none.

        Raises:
            LayerError: The layer failed, or holds another space.
            LayerAuthError: It takes nothing from here.
            ForkError: It has other events in the places of these.
        """
        replica = Replica(self._core, space)
        known = await replica.enable()
        ref = SpaceRef(space.space_name, known.space_uid, known.origin)
        try:
            info = await layer.open(ref)
            if info.origins == frozenset():
                raise LayerAuthError(layer.layer_id, "it may only be read")
            position = Position(await layer.vector())
            position.takes = info.origins
            told = _Told(behind(position.meant(known.vector), position.vector), show)
            await claim(layer, info, position)
            await push(replica, layer, info, position, told)
            sealed = await self._secrets_of(space).export()
            if info.takes_secrets and sealed != SealedSet():
                await layer.save_secrets(sealed)
            await self._remember(space, layer, info, position)
        finally:
            await layer.aclose()
        return told.copied()

    async def pull(self, name: str, layer: Layer, show: OnProgress) -> Copied:
        """Take from a layer what a space lacks; one that is not there is made.

        Raises:
            SpaceNotFoundError: The layer holds no space.
            LayerError: It failed, or holds another space than the one of this name.
            ForkError: It has other events in the places of those here.
        """
        space = await self._core.find_by_name(name)
        uid = await self._uid_of(space, layer)
        try:
            info = await layer.open(SpaceRef(name, uid))
            if info.space_uid is None:
                raise SpaceNotFoundError(name)
            space = await self._core.opened(name)
            replica = Replica(self._core, space)
            known = await replica.enable(info.space_uid)
            position = Position(await layer.vector())
            told = _Told(behind(position.vector, known.vector), show)
            await pull(layer, replica, position, told)
            sealed = await layer.load_secrets() if info.secrets else SealedSet()
            if sealed != SealedSet():
                await self._secrets_of(space).merge(sealed)
            await self._remember(space, layer, info, position)
        finally:
            await layer.aclose()
        return told.copied()

    async def _uid_of(self, space: Space | None, layer: Layer) -> bytes | None:
        """Return the id of a space that is here; None if the layer's may become its own."""
        if space is None or not space.space_id:
            return None
        replica = Replica(self._core, space)
        if await replica.enabled():
            return (await replica.info()).space_uid
        if (await SpaceRegistry(self._core).stats(space)).event_count:
            raise LayerError(
                layer.layer_id,
                f"space {space.space_name!r} has events of its own and is no replica of it; "
                "choose another name",
            )
        return None

    async def _remember(
        self, space: Space, layer: Layer, info: LayerInfo, position: Position
    ) -> None:
        vector: Vector = position.vector
        cursor = LayerCursor(
            *(layer.layer_id, vector, info.epoch, self._core.clock()),
            refused=len(position.refused),
        )
        await self._core.locked(
            f"cursor of layer {layer.layer_id!r}",
            lambda ex: put_cursor(ex, space.space_id, space.space_name, cursor),
        )


class _Told:
    """Counts, and shows how far it is."""

    def __init__(self, total: int, show: OnProgress) -> None:
        self._total, self._show, self._start = total, show, time.monotonic()
        self._count = self._refused = 0

    def __call__(self, count: int, refused: int) -> None:
        self._count += count
        self._refused += refused
        total = max(self._total, self._count)
        self._show(Progress(self._count, total, time.monotonic() - self._start))

    def copied(self) -> Copied:
        """Return what was carried in all."""
        return Copied(self._count, self._refused, time.monotonic() - self._start)

"""How a space comes to be open with its layers: made, taken from the primary, or from a layer."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from ramax.core.domain import Domain
from ramax.core.limits import check_name, validate_space_name
from ramax.errors import DataError, SpaceLoadTimeoutError, SpaceNotFoundError
from ramax.runtime.content_store import ContentStore
from ramax.runtime.core import Core
from ramax.runtime.spaces import SpaceRegistry
from ramax.sync.layer import Layer, SpaceRef
from ramax.sync.open_space import OpenSpace
from ramax.sync.replica import Replica
from ramax.sync.secret_flow import SecretExchange
from ramax.sync.status import SyncEvent
from ramax.sync.terms import LayersFor, Terms
from ramax.values import Space


class Opening:
    """Opens spaces of one primary, each with the layers that ``layers_for`` names for it."""

    def __init__(
        self,
        core: Core,
        store_of: Callable[[OpenSpace, Domain | None], Awaitable[ContentStore]],
        layers_for: LayersFor | None,
        terms: Terms,
        *,
        tell: Callable[[SyncEvent], None],
        secrets_of: Callable[[Space], SecretExchange] | None,
    ) -> None:
        self._core, self._store_of, self._layers_for = core, store_of, layers_for
        self._terms, self._tell, self._secrets_of = terms, tell, secrets_of

    async def create(
        self, name: str, domain: Domain | None, metadata: Mapping[str, Any] | None
    ) -> OpenSpace:
        """Make a space in the primary, and open it.

        Raises:
            SpaceExistsError: The name is taken in the primary.
            SpaceNameError: A new space may not have this name.
        """
        space = await SpaceRegistry(self._core).create(name, metadata)
        try:
            return await self.here(space, SpaceRef(name), domain)
        except BaseException:
            await self._remove_empty(space)
            raise

    async def add(self, store: ContentStore, space_uid: bytes | None) -> OpenSpace:
        """Open a space of the primary, which becomes a replica with all that it holds."""
        space = await self._core.saved(store.space)
        return await self.here(space, SpaceRef(space.space_name, space_uid), store.domain)

    async def load(self, ref: SpaceRef, domain: Domain | None, seconds: float) -> OpenSpace:
        """Open a space from the primary, or from the first layer that has enough of it.

        Raises:
            SpaceNotFoundError: Neither the primary nor a layer has it.
            SpaceNameError: The primary has it not, and a new space may not have this name.
            SpaceLoadError: No layer that could be reached has it.
            SpaceLoadTimeoutError: It took longer than ``seconds``.
        """
        space = await self._core.find_by_name(ref.name)
        if space is not None and space.space_id and await self._is_here(space):
            return await self.here(space, ref, domain)
        if space is None:
            validate_space_name(ref.name)  # before a layer makes a path or an address of it
        layers = await self._layers(ref)
        if not layers:
            raise SpaceNotFoundError(ref.name)
        self._terms.check_durability(layers)
        opened = self._home(ref.name, domain)
        try:
            async with asyncio.timeout(seconds):
                await opened.start(layers, ref.space_uid)
                await opened.found(self._enough(opened, domain))
        except BaseException as error:
            await opened.close(0)
            await self._undo(opened)
            if isinstance(error, TimeoutError):
                raise SpaceLoadTimeoutError(ref.name, seconds) from error
            raise
        self._guard(opened)
        return opened

    async def here(self, space: Space, ref: SpaceRef, domain: Domain | None) -> OpenSpace:
        """Open a space that the primary has; it waits for no layer."""
        opened = self._home(ref.name, domain)
        replica = await opened.adopt(space, ref.space_uid)
        uid = (await replica.info()).space_uid
        layers = await self._layers(SpaceRef(ref.name, uid))
        self._terms.check_durability(layers)
        await opened.start(layers, uid)
        self._guard(opened)
        return opened

    async def _is_here(self, space: Space) -> bool:
        """Whether the primary has the space, and not only a name that nothing was written to."""
        if await Replica(self._core, space).enabled():
            return True
        stats = await SpaceRegistry(self._core).stats(space)
        return bool(stats.event_count)

    def _enough(
        self, opened: OpenSpace, domain: Domain | None
    ) -> Callable[[], Awaitable[bool]] | None:
        suffices = self._terms.suffices
        if suffices is None:
            return None

        async def enough() -> bool:
            return await suffices(await self._store_of(opened, domain))

        return enough

    async def _undo(self, opened: OpenSpace) -> None:
        """Leave no empty space behind that a layer was to fill and did not."""
        if opened.brought and opened.space is not None:
            await self._remove_empty(opened.space)

    async def _remove_empty(self, space: Space) -> None:
        stats = await SpaceRegistry(self._core).stats(space)
        if not stats.event_count:
            await SpaceRegistry(self._core).delete(space, force=True)

    def _home(self, name: str, domain: Domain | None) -> OpenSpace:
        if domain is not None:
            if not isinstance(domain, Domain):
                raise DataError("domain", domain, "is a Domain")
            domain.freeze()
        return OpenSpace(
            self._core,
            name,
            self._terms.pace,
            self._tell,
            secrets_of=self._secrets_of,
            domain=domain,
        )

    async def _layers(self, ref: SpaceRef) -> list[Layer]:
        found = self._layers_for(ref) if self._layers_for else ()
        layers = list(await found if inspect.isawaitable(found) else found)
        for layer in layers:
            check_name(layer.layer_id, "layer id")
        ids = [layer.layer_id for layer in layers]
        if len(set(ids)) < len(ids):
            raise DataError("layer ids", ids, f"of space {ref.name!r} must differ")
        return layers

    def _guard(self, opened: OpenSpace) -> None:
        """Let commits wait for the layers that durability names."""
        terms = self._terms
        if terms.durability and opened.space is not None:
            self._core.confirming[opened.space.space_id] = lambda: opened.confirm(
                terms.durability, terms.durability_timeout
            )

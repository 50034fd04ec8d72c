"""Opens spaces with their layers, keeps them up to date, and closes them."""

import asyncio
import weakref
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Generic, Self, TypeVar

from ramax.core.domain import Domain
from ramax.core.limits import check_name
from ramax.errors import (
    ClosedError,
    DataError,
    MisuseError,
    SpaceAlreadyOpenError,
)
from ramax.runtime.content_store import ContentStore
from ramax.runtime.core import Core
from ramax.storage.layer_cursors import read_cursors
from ramax.sync.layer import Layer, SpaceRef
from ramax.sync.open_space import OpenSpace
from ramax.sync.opening import Opening
from ramax.sync.replica import Replica
from ramax.sync.secret_flow import SecretExchange
from ramax.sync.status import LayerStatus, SyncEvent, SyncEvents, closed_status
from ramax.sync.terms import LayersFor, Terms
from ramax.values import Space

S = TypeVar("S", bound=ContentStore)
T = TypeVar("T")


class SpaceManager(Generic[S]):
    """Several spaces of one primary database, each with layers of its own.

    The primary is where a space is worked with; a commit waits for nothing else, unless
    ``durability`` says so. A layer is another place that holds the space: it is read when the
    space is opened, and gets whatever is written, now or when it can be reached again.
    """

    def __init__(
        self,
        core: Core,
        open_store: Callable[[Space, Domain | None], Awaitable[S]],
        layers_for: LayersFor | None,
        terms: Terms,
        secrets_of: Callable[[Space], SecretExchange] | None = None,
    ) -> None:
        self._core, self._open_store, self._terms = core, open_store, terms
        self._ways = Opening(
            core, self._store, layers_for, terms, tell=self._tell, secrets_of=secrets_of
        )
        self._opening: dict[str, asyncio.Task[tuple[OpenSpace, S]]] = {}
        self._open: dict[str, tuple[OpenSpace, S]] = {}
        self._listeners: weakref.WeakSet[SyncEvents] = weakref.WeakSet()
        self._closed = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    # -- opening ---------------------------------------------------------------------------------

    async def create(
        self,
        name: str,
        domain: Domain | None = None,
        *,
        metadata: Mapping[str, Any] | None = None,
    ) -> S:
        """Make a new space in the primary, and bring it to its layers; waits for none of them.

        Raises:
            SpaceExistsError: The name is taken in the primary.
            SpaceNameError: A new space may not have this name.
            SpaceAlreadyOpenError: It is open here.
        """
        self._check_not_open(name)
        return await self._opened(name, domain, lambda: self._ways.create(name, domain, metadata))

    async def add(self, store: ContentStore, *, space_uid: bytes | None = None) -> S:
        """Give a space of the primary its layers: it becomes a replica, with all that it holds.

        Args:
            space_uid: What other replicas know it by; by default a new id, if it has none.

        Raises:
            SpaceAlreadyOpenError: It is open here.
        """
        name = store.space.space_name
        self._check_not_open(name)
        return await self._opened(name, store.domain, lambda: self._ways.add(store, space_uid))

    async def load(
        self,
        ref: str | SpaceRef,
        domain: Domain | None = None,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - the error names it
    ) -> S:
        """Open a space that exists somewhere.

        What the primary has is ready at once. Else it is ready when the first layer that has the
        space was read, and ``suffices`` if that is given; the others are merged afterwards. Who
        loads what is being loaded waits for the same.

        Raises:
            SpaceNotFoundError: Neither the primary nor a layer has it.
            SpaceNameError: The primary has it not, and a new space may not have this name.
            SpaceLoadError: No layer that could be reached has it.
            SpaceLoadTimeoutError: It took longer than ``timeout``, or ``load_timeout``, seconds.
        """
        self._check_open()
        ref = SpaceRef(ref) if isinstance(ref, str) else ref
        check_name(ref.name, "space name")
        if ref.name in self._open:
            return await self._with(self._open[ref.name], domain)
        running = self._opening.get(ref.name)
        if running is not None:
            return await self._with(await _waited(running, ref.name), domain)
        seconds = self._terms.load_timeout if timeout is None else timeout
        return await self._opened(ref.name, domain, lambda: self._ways.load(ref, domain, seconds))

    async def _opened(
        self, name: str, domain: Domain | None, work: Callable[[], Awaitable[OpenSpace]]
    ) -> S:
        """Open a space once, whoever else asks for it, and whoever stops waiting."""

        async def run() -> tuple[OpenSpace, S]:
            try:
                opened = await work()
                try:
                    found = self._open[name] = opened, await self._store(opened, domain)
                except BaseException:
                    await opened.close(0)
                    raise
            finally:
                self._opening.pop(name, None)
            self._tell(SyncEvent("opened", name))
            return found

        task = asyncio.create_task(run(), name=f"ramax opens space {name}")
        task.add_done_callback(lambda done: done.cancelled() or done.exception())
        self._opening[name] = task
        return (await _waited(task, name))[1]

    async def _with(self, found: tuple[OpenSpace, S], domain: Domain | None) -> S:
        """Return the store of an open space, or one with another domain."""
        opened, store = found
        return store if domain in (None, store.domain) else await self._store(opened, domain)

    async def _store(self, opened: OpenSpace, domain: Domain | None) -> S:
        assert opened.space is not None
        return await self._open_store(opened.space, domain)

    # -- what is open ----------------------------------------------------------------------------

    def get(self, name: str) -> S | None:
        """Return the store of a space that is open, with the domain that it was opened with."""
        found = self._open.get(name)
        return None if found is None else found[1]

    def active(self) -> list[Space]:
        """Return the spaces that are open, by name."""
        return [self._open[name][1].space for name in sorted(self._open)]

    async def status(self, name: str) -> dict[str, LayerStatus]:
        """Say how each layer of a space is; of one that is not open, as it was last.

        Raises:
            SpaceNotFoundError: There is no such space here.
        """
        if name in self._open:
            return await self._open[name][0].status()
        self._check_open()
        space = await self._core.present(name)
        cursors = await self._core.read(lambda ex: read_cursors(ex, space.space_id))
        if not cursors:
            return {}
        vector = (await Replica(self._core, space).info()).vector
        return {layer: closed_status(cursor, vector) for layer, cursor in cursors.items()}

    def events(self) -> SyncEvents:
        """Return what happens from now on, as an async iterator; it ends with the manager."""
        self._check_open()
        events = SyncEvents()
        self._listeners.add(events)
        return events

    def _tell(self, event: SyncEvent) -> None:
        for listener in list(self._listeners):
            listener.put(event)

    # -- layers of an open space -----------------------------------------------------------------

    async def add_layer(self, name: str, layer: Layer) -> None:
        """Give an open space one more layer; it gets what the space has, and the other way round.

        Raises:
            MisuseError: The space is not open.
            DataError: The space has a layer of that id.
        """
        opened = self._opened_now(name)
        check_name(layer.layer_id, "layer id")
        uid = (await opened.replica().info()).space_uid
        await opened.start([layer], uid)

    async def remove_layer(self, name: str, layer_id: str) -> None:
        """Take a layer away from an open space, and forget how far it was; it keeps what it has.

        Raises:
            MisuseError: The space is not open, or needs the layer for its ``durability``.
            DataError: It has no such layer.
        """
        opened = self._opened_now(name)
        if layer_id not in opened.workers:
            raise DataError("layer id", layer_id, f"space {name!r} has no such layer")
        if layer_id in self._terms.durability:
            raise MisuseError(f"every commit waits for layer {layer_id!r}: it is in durability")
        await opened.remove(layer_id, self._terms.flush_timeout)

    def retry(self, name: str) -> None:
        """Try the layers that wait now, as when the network is back."""
        for worker in self._opened_now(name).workers.values():
            worker.retry()

    async def flush(self, name: str, *layers: str) -> None:
        """Wait until these layers, by default all, have what the space has now.

        There is no limit: use ``asyncio.timeout``.

        Raises:
            MisuseError: The space is not open.
            DataError: It has no such layer.
        """
        opened = self._opened_now(name)
        unknown = set(layers) - set(opened.workers)
        if unknown:
            raise DataError("layers", sorted(unknown), f"space {name!r} has no such layers")
        await opened.flush(layers or list(opened.workers))

    def _opened_now(self, name: str) -> OpenSpace:
        self._check_open()
        if name not in self._open:
            raise MisuseError(f"space {name!r} is not open; load it first")
        return self._open[name][0]

    # -- closing ---------------------------------------------------------------------------------

    async def close(self, name: str) -> None:
        """Push what is left to the layers that work, then let go; one that is not open is no error.

        Afterwards nothing is carried any more; what was not pushed is when the space is opened.
        """
        running = self._opening.get(name)
        if running is not None:
            running.cancel()
            await asyncio.wait([running])
            self._opening.pop(name, None)
        found = self._open.pop(name, None)
        if found is None:
            return
        opened, store = found
        self._core.confirming.pop(store.space.space_id, None)
        try:
            await opened.close(self._terms.flush_timeout)
        finally:
            self._tell(SyncEvent("closed", name))

    async def aclose(self) -> None:
        """Close all spaces, at the same time; the database stays open. Again is no error."""
        self._closed = True
        names = {*self._opening, *self._open}
        try:
            closing = [self.close(name) for name in names]
            ends = await asyncio.gather(*closing, return_exceptions=True)
        finally:
            for listener in list(self._listeners):
                listener.put(None)
        failed = [end for end in ends if isinstance(end, Exception)]
        if failed:
            raise ExceptionGroup("closing the space manager", failed)

    def _check_open(self) -> None:
        if self._closed:
            raise ClosedError("the space manager is closed")

    def _check_not_open(self, name: str) -> None:
        self._check_open()
        if name in self._open or name in self._opening:
            raise SpaceAlreadyOpenError(name)


async def _waited(opening: "asyncio.Task[T]", name: str) -> T:
    """Wait for a space that is being opened, and for others maybe as well.

    Raises:
        ClosedError: It was closed before it was open; whoever waits was not cancelled.
    """
    try:
        return await asyncio.shield(opening)
    except asyncio.CancelledError:
        waiter = asyncio.current_task()
        if opening.cancelled() and not (waiter and waiter.cancelling()):
            raise ClosedError(f"space {name!r} was closed while it was opened") from None
        raise

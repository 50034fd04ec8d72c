"""One space that a manager has open: its replica, and a worker for each of its layers."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from functools import partial

from ramax.core.domain import Domain
from ramax.errors import (
    DataError,
    DurabilityError,
    LayerError,
    MisuseError,
    SpaceLoadError,
    SpaceNotFoundError,
)
from ramax.runtime.core import Core
from ramax.storage.layer_cursors import LayerCursor, forget_cursor, put_cursor, read_cursors
from ramax.sync.home import Outcome
from ramax.sync.layer import Layer
from ramax.sync.layer_worker import LayerWorker
from ramax.sync.replica import Replica
from ramax.sync.secret_flow import SecretExchange
from ramax.sync.status import LayerStatus, SyncEvent
from ramax.sync.terms import Pace
from ramax.values import Space


class OpenSpace:
    """The home of the workers; where the space is not here yet, the first to find it brings it."""

    def __init__(
        self,
        core: Core,
        name: str,
        pace: Pace,
        tell: Callable[[SyncEvent], None],
        *,
        secrets_of: Callable[[Space], SecretExchange] | None = None,
        domain: Domain | None = None,
    ) -> None:
        self.name, self.pace, self.tell = name, pace, tell
        self.secrets: SecretExchange | None = None
        self.space: Space | None = None
        self.workers: dict[str, LayerWorker] = {}
        self.brought = False
        """Whether the space was made because a layer had it."""
        self._core, self._secrets_of, self._domain = core, secrets_of, domain
        self._replica: Replica | None = None
        self._making, self._made = asyncio.Lock(), asyncio.Event()
        self._outcomes: dict[str, Outcome] = {}
        self._news = asyncio.Event()
        self._closed = False

    # -- what the workers ask for ----------------------------------------------------------------

    def clock(self) -> int:
        """Return the time in UTC microseconds."""
        return self._core.clock()

    async def replica_of(self, space_uid: bytes | None) -> Replica:
        """Return the replica; where there is none, ``space_uid`` brings the space here.

        Without an id, and without the space, this waits until another layer has it.
        """
        if self._replica is None and space_uid is None:
            await self._made.wait()
        async with self._making:
            if self._replica is None:
                self.brought = True
                space = await self._core.opened(self.name)
                await self.adopt(space, space_uid)
        assert self._replica is not None
        return self._replica

    async def adopt(self, space: Space, space_uid: bytes | None) -> Replica:
        """Make a space of the primary a replica, if it is none yet."""
        replica = Replica(self._core, space, self._domain)
        if (await replica.enable(space_uid=space_uid)).quarantined:
            await replica.retry()
        self.space, self._replica = space, replica
        if self._secrets_of is not None:
            self.secrets = self._secrets_of(space)
        self._made.set()
        return replica

    async def save(self, cursor: LayerCursor) -> None:
        """Remember a cursor, once there is a space that it is of."""
        if self.space is not None:
            space_id, name = self.space.space_id, self.name
            await self._core.locked(
                f"cursor of layer {cursor.layer_id!r}",
                lambda ex: put_cursor(ex, space_id, name, cursor),
            )

    def outcome(self, layer_id: str, outcome: Outcome) -> None:
        """Hear what became of looking for the space in a layer."""
        if self._outcomes.get(layer_id) != "pulled":
            self._outcomes[layer_id] = outcome
        self._news.set()

    # -- layers ----------------------------------------------------------------------------------

    async def start(self, layers: Iterable[Layer], space_uid: bytes | None = None) -> None:
        """Begin to work with these layers.

        Raises:
            DataError: There is one of such an id.
            MisuseError: The space was closed meanwhile.
        """
        known: dict[str, LayerCursor] = {}
        if self.space is not None:
            known = await self._core.read(partial(read_cursors, space_id=self.space.space_id))
        if self._closed:
            raise MisuseError(f"space {self.name!r} was closed meanwhile")
        for layer in layers:
            if layer.layer_id in self.workers:
                raise DataError("layer id", layer.layer_id, f"space {self.name!r} has such a layer")
            worker = LayerWorker(layer, self, space_uid, known.get(layer.layer_id))
            self.workers[layer.layer_id] = worker
            worker.start()

    async def remove(self, layer_id: str, flush: float) -> None:
        """End the work with a layer, and forget it."""
        worker = self.workers.pop(layer_id)
        await worker.close(flush)
        if self.space is not None:
            space_id = self.space.space_id
            await self._core.locked(
                f"cursor of layer {layer_id!r}", lambda ex: forget_cursor(ex, space_id, layer_id)
            )

    async def found(self, suffices: Callable[[], Awaitable[bool]] | None) -> None:
        """Wait until a layer has brought enough of the space.

        Raises:
            SpaceNotFoundError: No layer has it.
            SpaceLoadError: None that could be reached has it.
        """
        while True:
            self._news.clear()
            outcomes = list(self._outcomes.values())
            if "pulled" in outcomes and (suffices is None or await suffices()):
                return
            if len(outcomes) == len(self.workers) and "pulled" not in outcomes:
                self._refuse()
            await self._news.wait()

    def _refuse(self) -> None:
        errors = {
            layer: outcome
            for layer, outcome in self._outcomes.items()
            if isinstance(outcome, Exception)
        }
        if not errors:
            raise SpaceNotFoundError(self.name)
        group = ExceptionGroup(f"space {self.name!r}", list(errors.values()))
        failures = [
            str(error) if isinstance(error, LayerError) else f"layer {layer!r}: {error!r}"
            for layer, error in errors.items()
        ]
        raise SpaceLoadError(self.name, failures) from group

    # -- waiting for layers ----------------------------------------------------------------------

    async def flush(self, layers: Iterable[str]) -> None:
        """Wait until these layers have what the space has now."""
        vector = (await self.replica().info()).vector
        await asyncio.gather(*(self.workers[layer].has(vector) for layer in layers))

    async def confirm(self, layers: Iterable[str], seconds: float) -> None:
        """Wait, after a commit, until it is in these layers too.

        Raises:
            DurabilityError: It took longer; the commit stays.
        """
        vector = (await self.replica().info()).vector
        waiting = {
            layer: asyncio.ensure_future(self.workers[layer].position.reached(vector))
            for layer in layers
            if layer in self.workers
        }
        if not waiting:
            return
        try:
            await asyncio.wait(waiting.values(), timeout=seconds)
            late = [layer for layer, reached in waiting.items() if not reached.done()]
        finally:
            for reached in waiting.values():
                reached.cancel()
        if late:
            raise DurabilityError(self.name, late, seconds)

    async def status(self) -> dict[str, LayerStatus]:
        """Say how each layer is."""
        vector = (await self.replica().info()).vector
        return {layer: worker.status(vector) for layer, worker in self.workers.items()}

    def replica(self) -> Replica:
        """Return the replica, once the space is here."""
        assert self._replica is not None
        return self._replica

    async def close(self, flush: float) -> None:
        """Push what is left to the layers that work, and let go of all of them.

        Raises:
            ExceptionGroup: Workers failed in a way that they should not.
        """
        self._closed = True
        closing = [worker.close(flush) for worker in self.workers.values()]
        ends = await asyncio.gather(*closing, return_exceptions=True)
        failed = [end for end in ends if isinstance(end, Exception)]
        if failed:
            raise ExceptionGroup(f"closing space {self.name!r}", failed)

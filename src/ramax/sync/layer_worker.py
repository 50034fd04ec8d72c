"""Keeps one layer of one space up to date, and the space with it, through failures and restarts.

One worker, one layer: whatever the layer does, nothing else waits for it. Where the layer is, it
says itself each time it is opened, so that pushing goes on from there after a crash; what is
remembered of it is for who asks while it cannot be reached, and shows that it was reset.
"""

import asyncio
import logging
import random
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol

from ramax.core.sealed import SealedSet
from ramax.core.sync.backoff import Backoff
from ramax.core.sync.vector import Vector, covers
from ramax.errors import (
    ClosedError,
    LayerError,
    LayerUnavailableError,
    RamaxError,
    SpaceNotFoundError,
)
from ramax.storage.layer_cursors import LayerCursor
from ramax.sync.layer import Layer, LayerInfo, SpaceRef, TwoWayLayer
from ramax.sync.replica import Replica
from ramax.sync.status import EventKind, LayerState, LayerStatus, SyncEvent, closed_status
from ramax.sync.transfer import Position, closing, listen, pull, push
from ramax.values import from_micros

logger = logging.getLogger("ramax.sync")


Outcome = Literal["absent", "pulled"] | Exception
"""What a layer had of a space: nothing, something that is here now, or it failed."""


class SecretExchange(Protocol):
    """What gives and takes the sealed secrets of a space."""

    async def export(self) -> SealedSet:
        """Return all of them, nobody can read them."""
        ...

    async def merge(self, given: SealedSet) -> Any:
        """Take what wins."""
        ...


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds: how long a worker waits, and for what."""

    backoff: Backoff = Backoff()  # noqa: RUF009 - it is frozen
    secrets: float = 5.0
    """Between two looks whether secrets have changed here."""

    cursor: float = 1.0
    """Between two times that the cursor is written, while records flow."""


class Home(Protocol):
    """The open space, as its workers see it."""

    name: str
    pace: Pace
    secrets: SecretExchange | None

    async def replica_of(self, space_uid: bytes | None) -> Replica:
        """Return the replica, made for this id if the space is not here yet."""
        ...

    async def save(self, cursor: LayerCursor) -> None:
        """Remember a cursor."""
        ...

    def tell(self, event: SyncEvent) -> None:
        """Pass on what has happened."""
        ...

    def outcome(self, worker: "LayerWorker", outcome: "Outcome") -> None:
        """Hear what became of looking for the space in a layer."""
        ...

    def clock(self) -> int:
        """Return the time in UTC microseconds."""
        ...


class LayerWorker:
    """Opens a layer, pulls from it, then pushes and listens; after an error it does so again."""

    def __init__(
        self, layer: Layer, home: Home, space_uid: bytes | None, cursor: LayerCursor | None
    ) -> None:
        self.layer, self._home, self._space_uid = layer, home, space_uid
        known = cursor or LayerCursor(layer.layer_id, {})
        self.position = Position(known.vector)
        self.state: LayerState = "connecting"
        self._epoch, self._heard_at = known.epoch, known.heard_at
        self._failed_at, self._error = known.failed_at, known.error
        self._failures = 0
        self._retry_at: int | None = None
        self._saved_at, self._tried_at, self._unsaved = 0, 0, False
        self._sent: SealedSet | None = None
        self._again, self._connected, self._lost = (asyncio.Event() for _ in range(3))
        self._task: asyncio.Task[None] | None = None

    @property
    def layer_id(self) -> str:
        """The id of its layer."""
        return self.layer.layer_id

    def start(self) -> None:
        """Begin to work."""
        self._task = asyncio.create_task(
            self._run(), name=f"ramax layer {self.layer_id} of {self._home.name}"
        )

    def retry(self) -> None:
        """Try again now, if it is waiting."""
        self._again.set()

    def status(self, vector: Vector) -> LayerStatus:
        """Say how the layer is; ``vector`` is that of the space."""
        status = closed_status(self._cursor(), self.position.meant(vector))
        return replace(
            status,
            state=self.state,
            retry_at=None if self._retry_at is None else from_micros(self._retry_at),
            failures=self._failures,
        )

    async def close(self, flush: float) -> None:
        """Push what is left, for at most so many seconds and unless the layer fails; then end."""
        task, self._task = self._task, None
        if task is None:
            return
        if flush and not self._lost.is_set() and not task.done():
            await self._flush(task, flush)
        task.cancel()
        await asyncio.wait([task])
        self.state = "closed"
        if not task.cancelled() and (error := task.exception()) is not None:
            raise error

    async def _flush(self, task: asyncio.Task[None], seconds: float) -> None:
        replica = await self._home.replica_of(self._space_uid)
        vector = (await replica.info()).vector
        reached = asyncio.ensure_future(self._reached(vector))
        lost = asyncio.ensure_future(self._lost.wait())
        try:
            await asyncio.wait(
                [task, reached, lost], timeout=seconds, return_when=asyncio.FIRST_COMPLETED
            )
            if reached.done() and self.state == "connected":
                with suppress(RamaxError):
                    await self._give_secrets()
        finally:
            await _ended([reached, lost])

    async def _reached(self, vector: Vector) -> None:
        await self._connected.wait()  # what is remembered of a layer is not what it has
        await self.position.reached(vector)

    # -- working ---------------------------------------------------------------------------------

    async def _run(self) -> None:
        try:
            while True:
                error = await self._connected_once()
                if isinstance(error, (ClosedError, SpaceNotFoundError)):
                    return  # the database was closed, or the space deleted, under it
                await self._wait_to_retry(error)
        finally:
            self.state = "closed"

    async def _connected_once(self) -> Exception:
        """Work until the layer fails, and return the error."""
        self.state = "connecting"
        self._lost.clear()
        try:
            await self._work()
        except Exception as error:  # a layer of somebody else's may raise anything
            if not isinstance(error, RamaxError):
                logger.exception("layer %r failed in an unknown way", self.layer_id)
            await self._failed(error)
            return error
        finally:
            with suppress(LayerError):
                await self.layer.aclose()
            await self._save(always=True)
        raise AssertionError("a worker ends by an error")

    async def _failed(self, error: Exception) -> None:
        was_connected = self.state == "connected"
        self.state = "waiting"
        self._connected.clear()
        self._lost.set()
        self._failures += 1
        self._failed_at, self._error, self._unsaved = self._home.clock(), str(error), True
        if was_connected or self._failures == 1:
            logger.warning("space %r: %s", self._home.name, error)
        self._tell("disconnected", error=error)
        self._home.outcome(self, error)

    async def _wait_to_retry(self, error: Exception) -> None:
        backoff = self._home.pace.backoff
        worth = getattr(error, "retryable", False)
        chance = random.random()  # noqa: S311 - jitter
        seconds = backoff.wait(self._failures if worth else 99, chance)
        self._retry_at = self._home.clock() + int(seconds * 1_000_000)
        self._again.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._again.wait()
        self._retry_at = None

    async def _work(self) -> None:
        said = await self._reference()
        info = await self.layer.open(said)
        if info.space_uid is None and self._space_uid is None:
            self._home.outcome(self, "absent")
        replica = await self._home.replica_of(info.space_uid)
        here = await replica.info()
        self._space_uid = here.space_uid
        if info.space_uid not in {None, self._space_uid}:
            raise LayerError(self.layer_id, "it holds another space")
        if (said.space_uid, said.origin) != (here.space_uid, here.origin):
            info = await self.layer.open(SpaceRef(self._home.name, here.space_uid, here.origin))
        self.position.takes = info.origins
        await self._look(info)
        await self._take_secrets()
        await pull(self.layer, replica, self.position, self._received)
        self.state, self._failures, self._error, self._failed_at = "connected", 0, None, None
        self._unsaved = True
        self._connected.set()
        self._tell("connected")
        if info.space_uid is not None:
            self._home.outcome(self, "pulled")
        await self._exchange(replica, info)

    async def _reference(self) -> SpaceRef:
        """Say which space is meant and, where it is here, under which origin it is written."""
        if self._space_uid is None:
            return SpaceRef(self._home.name)
        here = await (await self._home.replica_of(self._space_uid)).info()
        return SpaceRef(self._home.name, here.space_uid, here.origin)

    async def _look(self, info: LayerInfo) -> None:
        """See where the layer is, and whether it still has what it had."""
        there = await self.layer.vector()
        reset = (self._epoch is not None and info.epoch != self._epoch) or not covers(
            there, self.position.vector
        )
        self.position.set(there)
        self.position.release()
        self._tried_at = self._home.clock()
        self._epoch, self._heard_at, self._unsaved = info.epoch, self._home.clock(), True
        if reset:
            logger.warning(
                "space %r: layer %r was reset or restored", self._home.name, self.layer_id
            )
            self._sent = None
            self._tell("reset")

    async def _exchange(self, replica: Replica, info: LayerInfo) -> None:
        flows = [self._push_on(replica, info)]
        if self.layer.two_way and isinstance(self.layer, TwoWayLayer):
            flows.append(self._listen_on(self.layer, replica))
        await _first_to_fail(flows)

    async def _push_on(self, replica: Replica, info: LayerInfo) -> None:
        while True:
            await push(replica, self.layer, info, self.position, self._pushed)
            await self._give_secrets()
            self._tell("caught_up")
            await self._save()
            await self._until_changed(replica)

    async def _until_changed(self, replica: Replica) -> None:
        """Wait for something to push, and look now and then after what nobody tells of."""
        known = self.position.settled((await replica.info()).vector)
        changed = asyncio.ensure_future(replica.changed(known))
        try:
            while not (await asyncio.wait([changed], timeout=self._home.pace.secrets))[0]:
                await self._give_secrets()
                await self._save()
                if await self._try_refused(replica):
                    return
            await changed
        finally:
            await _ended([changed])

    async def _try_refused(self, replica: Replica) -> bool:
        """Try again, now and then, what was refused while the layer stayed connected."""
        position, now = self.position, self._home.clock()
        pause = int(self._home.pace.backoff.most * 1_000_000)
        if not (position.held_here or position.held_there) or now - self._tried_at < pause:
            return False
        self._tried_at = now
        position.release()
        await pull(self.layer, replica, position, self._received)
        return True

    async def _listen_on(self, layer: TwoWayLayer, replica: Replica) -> None:
        async with closing(listen(layer, replica, self.position, self._received)) as heard:
            async for incoming in heard:
                self._heard_at, self._unsaved = self._home.clock(), True
                if incoming.secrets_changed:
                    await self._take_secrets()
        raise LayerUnavailableError(self.layer_id, "it ended the connection")

    # -- secrets ---------------------------------------------------------------------------------

    async def _take_secrets(self) -> None:
        if self._home.secrets is not None:
            found = await self.layer.load_secrets()
            if found != SealedSet():
                await self._home.secrets.merge(found)

    async def _give_secrets(self) -> None:
        if self._home.secrets is not None:
            ours = await self._home.secrets.export()
            if ours not in (self._sent, SealedSet()):
                await self.layer.save_secrets(ours)
                self._sent = ours

    # -- telling ---------------------------------------------------------------------------------

    def _pushed(self, count: int, refused: int) -> None:
        self._heard_at, self._unsaved = self._home.clock(), True
        self._count("pushed", count)
        self._count("refused", refused)

    def _received(self, count: int, refused: int) -> None:
        self._count("received", count)
        self._count("refused", refused)

    def _count(self, kind: EventKind, count: int) -> None:
        if count:
            self._tell(kind, count)

    def _tell(self, kind: EventKind, count: int = 0, error: Exception | None = None) -> None:
        self._home.tell(SyncEvent(kind, self._home.name, self.layer_id, count, error))

    async def _save(self, *, always: bool = False) -> None:
        now = self._home.clock()
        pause = int(self._home.pace.cursor * 1_000_000)
        if not self._unsaved or (not always and now - self._saved_at < pause):
            return
        try:
            await self._home.save(self._cursor())
        except RamaxError as error:  # it is no more than a hint
            logger.debug("the cursor of layer %r was not written: %s", self.layer_id, error)
        else:
            self._saved_at, self._unsaved = now, False

    def _cursor(self) -> LayerCursor:
        return LayerCursor(
            self.layer_id,
            self.position.vector,
            self._epoch,
            self._heard_at,
            self._failed_at,
            self._error,
            len(self.position.refused),
        )


async def _first_to_fail(flows: list[Coroutine[Any, Any, None]]) -> None:
    """Run all until one ends, end the others, and raise the first error."""
    tasks = [asyncio.ensure_future(flow) for flow in flows]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        failed = [task for task in tasks if task.done()]
    finally:
        await _ended(tasks)
    for task in failed:
        task.result()


async def _ended(tasks: Sequence["asyncio.Future[Any]"]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    for task in tasks:
        if not task.cancelled():
            task.exception()  # it is heard: the first one is raised

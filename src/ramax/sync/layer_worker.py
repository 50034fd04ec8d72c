"""Keeps one layer of one space up to date, and the space with it, through failures and restarts.

One worker, one layer: whatever the layer does, nothing else waits for it. Where the layer is, it
says itself each time it is opened, so that pushing goes on from there after a crash; what is
remembered of it is for who asks while it cannot be reached, and shows that it was reset.
"""

import asyncio
import logging
import random
from contextlib import suppress

from ramax.core.sync.vector import Vector
from ramax.errors import (
    ClosedError,
    LayerError,
    LayerUnavailableError,
    RamaxError,
    SpaceNotFoundError,
)
from ramax.storage.layer_cursors import LayerCursor
from ramax.sync.flows import ended, first_to_fail
from ramax.sync.home import Home
from ramax.sync.layer import Layer, LayerInfo, SpaceRef, TwoWayLayer
from ramax.sync.replica import Replica
from ramax.sync.secret_flow import SecretFlow
from ramax.sync.standing import Standing
from ramax.sync.status import EventKind, LayerState, LayerStatus, SyncEvent
from ramax.sync.transfer import Position, claim, closing, listen, pull, push

logger = logging.getLogger("ramax.sync")

_PATIENCE = 5.0
"""Seconds that a layer may take to let go; nothing waits longer for it."""


class LayerWorker:
    """Opens a layer, pulls from it, then pushes and listens; after an error it does so again."""

    def __init__(
        self, layer: Layer, home: Home, space_uid: bytes | None, cursor: LayerCursor | None
    ) -> None:
        self.layer, self._home, self._space_uid = layer, home, space_uid
        self._standing = Standing(layer.layer_id, cursor)
        self._secrets = SecretFlow(layer)
        self._tried_at = 0
        self._again = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def layer_id(self) -> str:
        """The id of its layer."""
        return self.layer.layer_id

    @property
    def position(self) -> Position:
        """How far its layer is known to be."""
        return self._standing.position

    @property
    def state(self) -> LayerState:
        """What it is doing."""
        return self._standing.state

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
        return self._standing.status(vector)

    async def has(self, vector: Vector) -> None:
        """Wait until the layer itself has said that it has all of ``vector``."""
        await self._standing.has(vector)

    async def close(self, flush: float) -> None:
        """Push what is left, for at most so many seconds and unless the layer fails; then end."""
        task, self._task = self._task, None
        if task is None:
            return
        try:
            if flush and not self._standing.lost.is_set() and not task.done():
                await self._flush(task, flush)
        finally:
            await self._end(task)

    async def _flush(self, task: asyncio.Task[None], seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._pushed_all(task)
        except TimeoutError:
            return  # what is left is pushed when the space is opened again
        except RamaxError as error:  # the space was deleted, the database closed, or cannot be read
            logger.warning("space %r: not flushed to %r: %s", self._home.name, self.layer_id, error)

    async def _pushed_all(self, task: asyncio.Task[None]) -> None:
        replica = await self._home.replica_of(self._space_uid)
        vector = (await replica.info()).vector
        reached = asyncio.ensure_future(self._standing.reached(vector))
        lost = asyncio.ensure_future(self._standing.lost.wait())
        try:
            await asyncio.wait([task, reached, lost], return_when=asyncio.FIRST_COMPLETED)
            if reached.done() and self.state == "connected":
                await self._secrets.give(self._home.secrets)
        finally:
            await ended([reached, lost])

    async def _end(self, task: asyncio.Task[None]) -> None:
        """End the work, whatever the layer does: one that does not let go is left behind."""
        task.cancel()
        await asyncio.wait([task], timeout=2 * _PATIENCE)  # it may close the layer first
        self._standing.state = "closed"
        if not task.done():
            logger.error("space %r: layer %r does not let go", self._home.name, self.layer_id)
            task.add_done_callback(lambda late: late.cancelled() or late.exception())
        elif not task.cancelled() and (error := task.exception()) is not None:
            raise error

    # -- working ---------------------------------------------------------------------------------

    async def _run(self) -> None:
        try:
            while True:
                error = await self._connected_once()
                if isinstance(error, (ClosedError, SpaceNotFoundError)):
                    return  # the database was closed, or the space deleted, under it
                await self._wait_to_retry(error)
        finally:
            self._standing.state = "closed"

    async def _connected_once(self) -> Exception:
        """Work until the layer fails, and return the error."""
        self._standing.connecting()
        try:
            await self._work()
        except Exception as error:  # a layer of somebody else's may raise anything
            if not isinstance(error, RamaxError):
                logger.exception("layer %r failed in an unknown way", self.layer_id)
            await self._failed(error)
            return error
        finally:
            await self._let_go()
            await self._save(always=True)
        raise AssertionError("a worker ends by an error")

    async def _let_go(self) -> None:
        """Close the layer; what goes wrong with that must not keep it from being tried again."""
        try:
            async with asyncio.timeout(_PATIENCE):
                await self.layer.aclose()
        except Exception as error:  # a layer of somebody else's may raise anything
            logger.warning("space %r: closing layer %r: %r", self._home.name, self.layer_id, error)

    async def _failed(self, error: Exception) -> None:
        if self._standing.failed(error, self._home.clock()):
            logger.warning("space %r: %s", self._home.name, error)
        self._tell("disconnected", error=error)
        self._home.outcome(self.layer_id, error)

    async def _wait_to_retry(self, error: Exception) -> None:
        backoff = self._home.pace.backoff
        worth = getattr(error, "retryable", False)
        chance = random.random()  # noqa: S311 - jitter
        seconds = backoff.wait(self._standing.failures if worth else 99, chance)
        self._standing.retry_at = self._home.clock() + int(seconds * 1_000_000)
        self._again.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._again.wait()
        self._standing.retry_at = None

    async def _work(self) -> None:
        said = await self._reference()
        info = await self.layer.open(said)
        if info.space_uid is None and self._space_uid is None:
            self._home.outcome(self.layer_id, "absent")
        replica = await self._home.replica_of(info.space_uid)
        here = await replica.info()
        self._space_uid = here.space_uid
        if info.space_uid not in {None, self._space_uid}:
            raise LayerError(self.layer_id, "it holds another space")
        if (said.space_uid, said.origin) != (here.space_uid, here.origin):
            info = await self.layer.open(SpaceRef(self._home.name, here.space_uid, here.origin))
        self.position.takes = info.origins
        self._secrets.opened(info)
        await self._look(info)
        await self._secrets.take(self._home.secrets)
        await pull(self.layer, replica, self.position, self._received)
        await claim(self.layer, info, self.position)
        self._standing.works()
        self._tell("connected")
        if info.space_uid is not None:
            self._home.outcome(self.layer_id, "pulled")
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
        self._tried_at = self._home.clock()
        if self._standing.looked(info, there, self._tried_at):
            logger.warning(
                "space %r: layer %r was reset or restored", self._home.name, self.layer_id
            )
            self._secrets.forget()
            self._tell("reset")

    async def _exchange(self, replica: Replica, info: LayerInfo) -> None:
        flows = [self._push_on(replica, info)]
        if self.layer.two_way and isinstance(self.layer, TwoWayLayer):
            flows.append(self._listen_on(self.layer, replica))
        await first_to_fail(flows)

    async def _push_on(self, replica: Replica, info: LayerInfo) -> None:
        while True:
            await push(replica, self.layer, info, self.position, self._pushed)
            await self._secrets.give(self._home.secrets)
            self._tell("caught_up")
            await self._save()
            await self._until_changed(replica)

    async def _until_changed(self, replica: Replica) -> None:
        """Wait for something to push, and look now and then after what nobody tells of."""
        known = self.position.settled((await replica.info()).vector)
        changed = asyncio.ensure_future(replica.changed(known))
        try:
            while not (await asyncio.wait([changed], timeout=self._home.pace.secrets))[0]:
                await self._secrets.give(self._home.secrets)
                await self._save()
                if await self._try_refused(replica):
                    return
            await changed
        finally:
            await ended([changed])

    async def _try_refused(self, replica: Replica) -> bool:
        """Try again, now and then, what was refused while the layer stayed connected."""
        position, now = self.position, self._home.clock()
        pause = int(self._home.pace.backoff.most * 1_000_000)
        if not (position.held_here or position.held_there) or 0 <= now - self._tried_at < pause:
            return False
        self._tried_at = now
        position.release()
        await pull(self.layer, replica, position, self._received)
        return True

    async def _listen_on(self, layer: TwoWayLayer, replica: Replica) -> None:
        async with closing(listen(layer, replica, self.position, self._received)) as heard:
            async for incoming in heard:
                self._standing.heard(self._home.clock())
                if incoming.secrets_changed:
                    await self._secrets.take(self._home.secrets)
        raise LayerUnavailableError(self.layer_id, "it ended the connection")

    # -- telling ---------------------------------------------------------------------------------

    def _pushed(self, count: int, refused: int) -> None:
        self._standing.heard(self._home.clock())
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
        pause = 0 if always else int(self._home.pace.cursor * 1_000_000)
        if not self._standing.due(now, pause):
            return
        try:
            await self._home.save(self._standing.cursor())
        except RamaxError as error:  # it is no more than a hint
            logger.debug("the cursor of layer %r was not written: %s", self.layer_id, error)
        else:
            self._standing.saved(now)

"""A space that an authority decides on: commands are run here at once, and there for good.

What is stored here is what the authority has confirmed; it comes as records, as to any replica. A
command is kept, and run on top in memory, until its events come back (`ramax.sync.overlay`).
"""

import asyncio
import logging
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, Self

from ramax.core.domain import Command, Domain
from ramax.core.sync.backoff import Backoff
from ramax.core.sync.vector import covers
from ramax.errors import (
    ClosedError,
    LayerError,
    LayerResetError,
    MisuseError,
    StorageError,
)
from ramax.runtime.catchup import catch_up_all
from ramax.runtime.core import Core
from ramax.runtime.jobs import StateBehindError
from ramax.storage.events import read_head
from ramax.sync.authority import Authority, OnConflict, Pending, by_name
from ramax.sync.layer import Layer, SpaceRef
from ramax.sync.overlay import Overlay, OverlayState
from ramax.sync.pending_commands import PendingCommands
from ramax.sync.replica import Replica
from ramax.sync.transfer import Position, pull
from ramax.values import Space

logger = logging.getLogger("ramax.sync")

_PATIENCE = 5.0
"""Seconds that an authority may take to answer, or to let go, when the follower is closed."""


class Follower:
    """One space as its authority has decided it, with the pending commands of this device on top.

    Use it in ``async with``, inside that of the database. What is stored in the space comes from
    the authority alone; nobody may write to it by another handle.
    """

    def __init__(
        self,
        core: Core,
        name: str,
        domain: Domain,
        authority: Authority,
        *,
        commands: Iterable[Command],
        on_conflict: OnConflict,
    ) -> None:
        self.name, self.domain = name, domain
        self._core, self._authority, self._on_conflict = core, authority, on_conflict
        self._commands = by_name(commands)
        self._kept: PendingCommands | None = None
        self._layer: Layer | None = None
        self._turn = asyncio.Lock()
        self._syncing: asyncio.Task[None] | None = None
        self._news = asyncio.Event()
        self._closed = False

    def __repr__(self) -> str:
        return f"<Follower of {self.name!r}>"

    async def __aenter__(self) -> Self:
        self.domain.freeze()
        space = await self._core.saved(await self._core.opened(self.name))
        overlay = Overlay(self._core, space, self.domain, self._commands)
        self._kept = PendingCommands(self._core, overlay, self._commands)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Let go of the authority; what is pending stays, for whoever follows next.

        A synchronisation that is under way may end, but an authority that hangs holds nothing up.
        """
        self._closed = True
        if self._kept is not None:
            self._kept.close()
        self._news.set()
        syncing = self._syncing
        if syncing is not None:
            await asyncio.wait([syncing], timeout=_PATIENCE)
            syncing.cancel()
        async with self._turn:
            await self._leave()

    @property
    def pstate(self) -> OverlayState:
        """The read model: what is confirmed, with the pending commands on top."""
        return OverlayState(self._pending.overlay)

    @property
    def _pending(self) -> PendingCommands:
        if self._kept is None:
            raise MisuseError("open the follower first: async with Follower(…) as notes")
        if self._closed:
            raise ClosedError(f"{self!r} is closed")
        return self._kept

    @property
    def _space(self) -> Space:
        return self._pending.space

    # -- here ------------------------------------------------------------------------------------

    async def execute(self, command: Command, params: Any = None) -> Pending:
        """Run a command on what is known here, and keep it until the authority has run it.

        Raises:
            MisuseError: It is not one of the commands of this follower.
            Exception: Whatever the command raised; nothing of it stays.
        """
        kept = self._pending
        new = kept.new(command, params)
        while True:
            try:
                row = await kept.add(new)
            except StateBehindError:
                await catch_up_all(self._core, kept.space, self.domain)
            else:
                self._news.set()
                return row

    async def pending(self) -> list[Pending]:
        """Return the commands whose events have not come back yet, in their order."""
        return await self._pending.open()

    async def drop(self, uid: bytes) -> bool:
        """Give up a command that the authority has refused before; False if there is none such.

        One that was sent, and not answered, may have been run: it is for the authority to say.
        """
        return await self._pending.drop(uid)

    # -- with the authority ----------------------------------------------------------------------

    async def sync(self) -> None:
        """Send what is pending, in order, then take what the authority has decided.

        Raises:
            LayerError: The authority cannot be reached, or failed; nothing is lost, do it again.
            LayerResetError: It has lost what it had decided, as after a restored backup: nothing
                heals that but taking the space anew.
            ClosedError: The follower was closed meanwhile.
            Exception: Whatever ``on_conflict`` raised; the command stays.
        """
        self._core.check_caller()
        kept = self._pending
        async with self._turn:
            self._pending  # noqa: B018 - it may have been closed while this waited
            syncing = self._syncing = asyncio.create_task(self._sync(kept))
            try:
                await syncing
            except asyncio.CancelledError:
                waiter = asyncio.current_task()
                if self._closed and not (waiter and waiter.cancelling()):
                    raise ClosedError(f"{self!r} was closed while it synchronised") from None
                raise
            finally:
                self._syncing = None

    async def _sync(self, kept: PendingCommands) -> None:
        replica = Replica(self._core, kept.space, self.domain)
        try:
            layer = await self._reach(replica)
            await kept.send(self._authority, self._on_conflict)
            await pull(layer, replica, Position({}), lambda _count, _refused: None)
            await _check_whole(layer, replica)
        except BaseException:
            with suppress(LayerError, StorageError, OSError):
                await self._leave()
            raise
        await kept.forget_confirmed()

    async def run(self, *, interval: float = 1.0, backoff: Backoff | None = None) -> None:
        """Synchronise whenever something is pending, and every ``interval`` seconds, for ever.

        An authority that cannot be reached is tried again, less and less often up to a minute.

        Raises:
            Exception: What trying again does not heal: the authority holds another space, a fold
                failed, or ``on_conflict`` raised.
        """
        waits, failures = backoff or Backoff(), 0
        while not self._closed:
            self._news.clear()
            seconds = interval
            try:
                await self.sync()
                failures = 0
            except (LayerError, StorageError, OSError) as error:
                if not getattr(error, "retryable", True):
                    raise
                failures += 1
                seconds = waits.wait(failures, 0.5)
                logger.warning("space %r: %s", self.name, error)
                self._news.clear()  # what is new cannot be sent either
            except ClosedError:
                if not self._closed:
                    raise
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._news.wait()

    async def _reach(self, replica: Replica) -> Layer:
        if self._layer is not None:
            return self._layer
        self._layer = layer = await self._authority.open(self.name)
        known = None
        if await replica.enabled():
            known = (await replica.info()).space_uid
        elif await self._core.read(lambda ex: read_head(ex, self._space.space_id)):
            raise MisuseError(f"space {self.name!r} has events of its own: it follows nobody")
        info = await layer.open(SpaceRef(self.name, known))
        if info.space_uid is None:
            raise LayerError(layer.layer_id, "the authority does not hold the space")
        here = await replica.enable(info.space_uid)
        if here.origin in here.vector:
            raise MisuseError(f"space {self.name!r} was written to beside its authority")
        return layer

    async def _leave(self) -> None:
        layer, self._layer = self._layer, None
        try:
            async with asyncio.timeout(_PATIENCE):
                try:
                    if layer is not None:
                        await layer.aclose()
                finally:
                    await self._authority.aclose()
        except TimeoutError:
            logger.warning("space %r: its authority does not let go", self.name)


async def _check_whole(layer: Layer, replica: Replica) -> None:
    if not covers(await layer.vector(), (await replica.info()).vector):
        raise LayerResetError(layer.layer_id, None)

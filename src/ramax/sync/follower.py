"""A space that an authority decides on: commands are run here at once, and there for good.

What is stored here is what the authority has confirmed; it comes as records, as to any replica. A
command is kept, and run on top in memory, until its events come back (`ramax.sync.overlay`).
"""

import asyncio
import inspect
import logging
import secrets
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, Self, TypeVar

from ramax.core.codec import decode, encode
from ramax.core.domain import Command, Domain
from ramax.core.sealed import ID_BYTES
from ramax.core.sync.backoff import Backoff
from ramax.core.sync.vector import Vector, covers
from ramax.errors import (
    ClosedError,
    DataError,
    LayerError,
    LayerResetError,
    MisuseError,
    StorageError,
)
from ramax.runtime.catchup import catch_up_all
from ramax.runtime.commands import name_of
from ramax.runtime.core import Core
from ramax.runtime.jobs import StateBehindError
from ramax.storage import pending
from ramax.storage.events import read_head
from ramax.storage.executors import Executor
from ramax.storage.pending import PendingRow
from ramax.storage.spaces import take_lock
from ramax.sync.authority import (
    NOT_THE_COMMANDS,
    Answer,
    Authority,
    OnConflict,
    Pending,
    Replace,
    by_name,
)
from ramax.sync.layer import Layer, SpaceRef
from ramax.sync.overlay import Overlay, OverlayState, open_rows
from ramax.sync.replica import Replica
from ramax.sync.transfer import Position, pull
from ramax.values import Space, from_micros

T = TypeVar("T")

logger = logging.getLogger("ramax.sync")


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
        self._open: Overlay | None = None
        self._layer: Layer | None = None
        self._turn = asyncio.Lock()
        self._news = asyncio.Event()
        self._closed = False

    def __repr__(self) -> str:
        return f"<Follower of {self.name!r}>"

    async def __aenter__(self) -> Self:
        self.domain.freeze()
        space = await self._core.saved(await self._core.opened(self.name))
        self._open = Overlay(self._core, space, self.domain, self._commands)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Let go of the authority; what is pending stays, for whoever follows next."""
        self._closed = True
        self._news.set()
        async with self._turn:
            await self._leave()

    @property
    def pstate(self) -> OverlayState:
        """The read model: what is confirmed, with the pending commands on top."""
        return OverlayState(self._overlay)

    @property
    def _overlay(self) -> Overlay:
        if self._open is None:
            raise MisuseError("open the follower first: async with Follower(…) as notes")
        if self._closed:
            raise ClosedError(f"{self!r} is closed")
        return self._open

    @property
    def _space(self) -> Space:
        return self._overlay.space

    # -- here ------------------------------------------------------------------------------------

    async def execute(self, command: Command, params: Any = None) -> Pending:
        """Run a command on what is known here, and keep it until the authority has run it.

        Raises:
            MisuseError: It is not one of the commands of this follower.
            Exception: Whatever the command raised; nothing of it stays.
        """
        overlay, space = self._overlay, self._space
        name = name_of(command)
        if self._commands.get(name) is not command:
            raise MisuseError(f"{name} is not one of the commands that this follower was given")
        packed, uid = encode(params, f"params of {name}"), secrets.token_bytes(ID_BYTES)
        new = PendingRow(0, uid, name, packed, self._core.clock())

        def work(ex: Executor) -> PendingRow:
            unit, _ = overlay.on_top(ex, open_rows(ex, space.space_id))
            overlay.run(unit, new)
            return pending.add(ex, space.space_id, new)

        while True:
            try:
                row: PendingRow = await self._locked(work)
            except StateBehindError:
                await catch_up_all(self._core, space, self.domain)
            else:
                self._news.set()
                return _told(row)

    async def pending(self) -> list[Pending]:
        """Return the commands whose events have not come back yet, in their order."""
        space_id = self._space.space_id
        return [_told(row) for row in await self._core.read(lambda ex: open_rows(ex, space_id))]

    async def drop(self, uid: bytes) -> bool:
        """Give up a command that the authority has refused before; False if there is none such.

        One that was sent, and not answered, may have been run: it is for the authority to say.
        """
        space_id = self._space.space_id

        def work(ex: Executor) -> bool:
            rows = pending.read_pending(ex, space_id)
            refused = any(row.uid == uid and row.error is not None for row in rows)
            return refused and pending.remove(ex, space_id, uid)

        return await self._locked(work)

    # -- with the authority ----------------------------------------------------------------------

    async def sync(self) -> None:
        """Send what is pending, in order, then take what the authority has decided.

        Raises:
            LayerError: The authority cannot be reached, or failed; nothing is lost, do it again.
            LayerResetError: It has lost what it had decided, as after a restored backup: nothing
                heals that but taking the space anew.
            Exception: Whatever ``on_conflict`` raised; the command stays.
        """
        space = self._space
        replica = Replica(self._core, space, self.domain)
        async with self._turn:
            try:
                layer = await self._reach(replica)
                await self._send()
                await pull(layer, replica, Position({}), lambda _count, _refused: None)
                await _check_whole(layer, replica)
            except BaseException:
                with suppress(LayerError, StorageError, OSError):
                    await self._leave()
                raise
            await self._locked(self._forget_confirmed)

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
            if layer is not None:
                await layer.aclose()
        finally:
            await self._authority.aclose()

    async def _send(self) -> None:
        """Let the authority run what it was not heard to have run."""
        space_id = self._space.space_id
        rows = await self._core.read(lambda ex: pending.read_pending(ex, space_id))
        for row in rows:
            if row.needs is None and not await self._settle(row):
                return

    async def _settle(self, row: PendingRow) -> bool:
        """Send one command until it, or what was put in its place, is taken or given up.

        Returns:
            False where it is to be tried again, before those that follow it.
        """
        space_id = self._space.space_id
        while True:
            error, needs = await self._ask(row)
            if error is None:
                uid, vector = row.uid, needs
                await self._locked(lambda ex: pending.answered(ex, space_id, uid, vector))  # noqa: B023
                return True
            said = str(error) or type(error).__name__
            await self._locked(lambda ex: pending.refused(ex, space_id, row.uid, said))  # noqa: B023
            answer = await self._answer(row._replace(error=said), error)
            if answer == "keep":
                return False
            if answer == "drop":
                await self._locked(lambda ex: pending.remove(ex, space_id, row.uid))  # noqa: B023
                return True
            row = await self._replaced(row, answer)

    async def _ask(self, row: PendingRow) -> tuple[Exception | None, Vector]:
        command, space_id = self._commands.get(row.name), self._space.space_id
        if row.error is not None:  # from here on it may have been run
            await self._locked(lambda ex: pending.refused(ex, space_id, row.uid, None))
        if command is None:
            raise MisuseError(
                f"the pending command {row.name} is not one that this follower was given"
            )
        try:
            return None, await self._authority.execute(
                row.name, command, decode(row.params), row.uid.hex()
            )
        except NOT_THE_COMMANDS:
            raise
        except Exception as error:  # whatever a command raises
            return error, {}

    async def _answer(self, row: PendingRow, error: Exception) -> Answer:
        answer = self._on_conflict(_told(row), error)
        if inspect.isawaitable(answer):
            answer = await answer
        if answer not in ("drop", "keep") and not isinstance(answer, Replace):
            raise DataError("answer to a conflict", answer, "is 'drop', 'keep' or Replace(…)")
        return answer

    async def _replaced(self, row: PendingRow, new: Replace) -> PendingRow:
        name = name_of(new.command)
        if self._commands.get(name) is not new.command:
            raise MisuseError(f"{name} is not one of the commands that this follower was given")
        made = row._replace(
            uid=secrets.token_bytes(ID_BYTES),
            name=name,
            params=encode(new.params, f"params of {name}"),
            error=None,
        )
        space_id = self._space.space_id
        await self._locked(lambda ex: pending.replace(ex, space_id, row.uid, made))
        return made

    def _forget_confirmed(self, ex: Executor) -> None:
        space_id = self._space.space_id
        still = {row.uid for row in open_rows(ex, space_id)}
        for row in pending.read_pending(ex, space_id):
            if row.uid not in still:
                pending.remove(ex, space_id, row.uid)

    async def _locked(self, work: Callable[[Executor], T]) -> T:
        space = self._space

        def locked(ex: Executor) -> T:
            take_lock(ex, space.space_id, space.space_name)
            return work(ex)

        return await self._core.locked(f"pending commands of space {self.name!r}", locked)


async def _check_whole(layer: Layer, replica: Replica) -> None:
    if not covers(await layer.vector(), (await replica.info()).vector):
        raise LayerResetError(layer.layer_id, None)


def _told(row: PendingRow) -> Pending:
    at = from_micros(row.created_at)
    params, confirmed = decode(row.params), row.needs is not None
    return Pending(row.number, row.uid, row.name, params, at, confirmed, row.error)

"""The spaces of one transaction: found or made on its connection, and locked until it ends."""

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from ramax.core.limits import validate_space_name
from ramax.errors import ConflictError, SpaceNotFoundError, StorageBusyError
from ramax.runtime.core import Core, SpaceLike, check_space
from ramax.storage import spaces
from ramax.storage.executors import Executor
from ramax.storage.locks import take_lock
from ramax.values import Space

T = TypeVar("T")


class Run(Protocol):
    """Runs work on the connection of the transaction."""

    def __call__(self, work: Callable[[Executor], T], /) -> Awaitable[T]:
        """Run it; a storage error fails the transaction."""
        ...


class HeldSpaces:
    """Knows which spaces a transaction has locked; locks more where that cannot deadlock."""

    def __init__(self, core: Core, run: Run, joined: AsyncConnection | None) -> None:
        self._core, self._run, self._joined = core, run, joined
        self._held: dict[int, Space] = {}
        self.wanted: dict[int, Space] = {}
        """Those that were locked after the beginning, or should have been."""

    def holding(self, target: SpaceLike) -> Space | None:
        """Return a space if it is locked."""
        return next((space for space in self._held.values() if _is(space, target)), None)

    async def take(self, space: Space) -> Space:
        """Lock a space that was not named at the beginning.

        Raises:
            ConflictError: Somebody holds it, and to wait could deadlock.
        """
        if space.space_id in self._held:
            return self._held[space.space_id]
        nowait = any(held > space.space_id for held in self._held)
        self.wanted[space.space_id] = space
        try:
            await self.lock(space, nowait=nowait)
        except StorageBusyError as error:
            raise ConflictError(
                f"space {space.space_name!r} is locked by another transaction; begin again"
            ) from error
        return space

    async def find(self, target: SpaceLike) -> Space | None:
        """Return a space as the transaction sees it; None for a name that does not exist.

        Raises:
            SpaceNotFoundError: There is none of that id.
            DataError: It is not a space, a name or an id.
        """
        check_space(target)
        if isinstance(target, Space) and target.space_id:
            return await self._core.resolve(target)
        if isinstance(target, int):
            found = await self._run(lambda ex: spaces.find_by_id(ex, target))
            if found is None or found.branch_id != await self._core.branch():
                raise SpaceNotFoundError(target)
            return found
        name = target.space_name if isinstance(target, Space) else target
        if not spaces.is_storable_name(name):
            return None
        branch = await self._core.branch()
        return await self._run(lambda ex: spaces.find_by_name(ex, name, branch))

    async def make(self, target: SpaceLike) -> Space:
        """As `find`, but a name that does not exist is made a space.

        Raises:
            SpaceNameError: A new space may not have this name.
        """
        space = await self.find(target)
        if space is not None:
            return space
        name = validate_space_name(target.space_name if isinstance(target, Space) else target)
        now, branch = self._core.clock(), await self._core.branch()
        made = await self._run(
            lambda ex: (
                spaces.create(ex, name, None, now, branch) or spaces.find_by_name(ex, name, branch)
            )
        )
        if made is None:  # somebody made it and deleted it again, in this moment
            raise ConflictError(f"space {name!r} is being made by another transaction; begin again")
        return made

    async def lock(self, space: Space, *, nowait: bool = False) -> None:
        """Lock a space until the transaction ends."""
        patience = self._core.options.limits.lock_timeout
        await self._run(
            lambda ex: take_lock(
                ex,
                space.space_id,
                space.space_name,
                nowait=nowait,
                wait_seconds=patience,
                joined=self._joined is not None,
            )
        )
        self._held[space.space_id] = space
        if (joined := self._joined) is not None:  # when it ends is its owner's to say
            self._core.cache.leave(
                space.space_id, lambda: not joined.closed and joined.in_transaction()
            )

    def forget(self) -> None:
        """Let the cache look again: what the transaction wrote, it does not know."""
        for space_id in self._held:
            self._core.cache.forget(space_id)


def _is(space: Space, target: SpaceLike) -> bool:
    if isinstance(target, Space):
        target = target.space_id or target.space_name  # `default` before its first write
    return target in (space.space_id, space.space_name)

"""Checkpoints as users see them: ``db.checkpoints``."""

from ramax.core.limits import check_name, check_sequence
from ramax.errors import ConcurrencyError, DataError, MisuseError, SpaceNotFoundError
from ramax.runtime.core import Core, SpaceLike
from ramax.storage import checkpoints
from ramax.storage.executors import Executor
from ramax.storage.locks import keep
from ramax.storage.reads import PSTATE


class CheckpointRepository:
    """How far each named reader of a space has come, as sequences of that space.

    ``pstate`` is the built-in projection's; only folding moves it.
    """

    def __init__(self, core: Core) -> None:
        self._core = core

    async def get(self, space: SpaceLike, name: str = PSTATE) -> int:
        """Return the last sequence that a reader finished, 0 if it never finished one."""
        check_name(name, "checkpoint name")
        found = await self._core.resolve(space)
        if not found.space_id:
            return 0
        reached = await self._core.read(lambda ex: checkpoints.read(ex, found.space_id, name))
        if reached is None:
            raise SpaceNotFoundError(found.space_name)
        return reached

    async def list(self, space: SpaceLike) -> dict[str, int]:
        """Return name to last finished sequence, by name."""
        found = await self._core.resolve(space)
        if not found.space_id:
            return {}
        reached = await self._core.read(lambda ex: checkpoints.read_all(ex, found.space_id))
        if reached is None:
            raise SpaceNotFoundError(found.space_name)
        return reached

    async def advance(self, space: SpaceLike, name: str, sequence: int, *, expected: int) -> None:
        """Move a checkpoint forward by compare-and-set.

        Raises:
            ConcurrencyError: It is not at ``expected``.
            DataError: ``sequence`` lies before ``expected`` or beyond the head of the space.
            MisuseError: The name is ``pstate``.
        """
        check_name(name, "checkpoint name")
        check_sequence(sequence, "sequence")
        check_sequence(expected, "expected")
        if name == PSTATE:
            raise MisuseError("the checkpoint 'pstate' moves only with the pstate itself")
        if sequence < expected:
            raise DataError("sequence", sequence, f"a checkpoint never goes back (from {expected})")
        found = await self._core.resolve(space)
        if not found.space_id and sequence:  # `default` has no row and no event yet
            raise DataError("sequence", sequence, "the space ends at 0")
        found = await self._core.saved(found)
        now = self._core.clock()

        def work(ex: Executor) -> None:
            head = keep(ex, found.space_id)
            if head is None:
                raise SpaceNotFoundError(found.space_name)
            if sequence > head:
                raise DataError("sequence", sequence, f"the space ends at {head}")
            if not checkpoints.advance(
                ex, found.space_id, name, sequence, expected=expected, now=now
            ):
                actual = checkpoints.read(ex, found.space_id, name)
                raise ConcurrencyError(found.space_name, expected, actual, checkpoint=name)

        await self._core.locked(f"checkpoint {name!r}", work)

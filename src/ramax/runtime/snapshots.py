"""The snapshots of a space as users see them: ``store.snapshots``."""

from ramax.core.domain import Domain
from ramax.core.limits import check_sequence
from ramax.errors import MisuseError
from ramax.runtime.core import Core
from ramax.runtime.past import Past
from ramax.runtime.snapshot_writing import save
from ramax.storage import snapshots
from ramax.storage.executors import Executor
from ramax.storage.locks import take_lock
from ramax.values import SnapshotInfo, Space


class SpaceSnapshots:
    """Copies of the read model at sequences of the past, from which `as_of` folds on.

    A space leaves them by itself where its domain has ``snapshot_every``.
    """

    def __init__(self, core: Core, space: Space, domain: Domain | None) -> None:
        self._core, self._space, self._domain = core, space, domain

    async def take(self, sequence: int | None = None) -> SnapshotInfo:
        """Take a snapshot as of a sequence, by default of the newest event.

        Raises:
            MisuseError: The domain has no ``fold_version``, or there is no event yet.
            DataError: The sequence lies beyond the newest event.
        """
        if self._domain is None or not self._domain.fold_versions:
            raise MisuseError("snapshots need a domain with a fold_version")
        if sequence is None:
            sequence = await self._head()
        async with Past(self._core, self._space, self._domain, sequence) as past:
            fold = await past.folded()
            if not sequence:
                raise MisuseError("there is nothing to take a snapshot of before the first event")
            await save(self._core, fold, self._domain)
        return next(each for each in await self.list() if each.space_sequence == sequence)

    async def list(self) -> list[SnapshotInfo]:
        """Return the snapshots of the space, newest first."""
        space = await self._core.present(self._space)
        return await self._core.read(lambda ex: snapshots.read_all(ex, space.space_id))

    async def prune(self, *, keep: int = 0) -> int:
        """Drop all snapshots but the newest ``keep``; return how many that were."""
        check_sequence(keep, "keep")
        space = await self._core.present(self._space)
        if not space.space_id:
            return 0

        def work(ex: Executor) -> int:
            take_lock(ex, space.space_id, space.space_name)
            return snapshots.drop(ex, space.space_id, keep)

        return await self._core.locked(f"pruning snapshots of {space.space_name!r}", work)

    async def _head(self) -> int:
        space = await self._core.present(self._space)
        if not space.space_id:
            return 0
        found = await self._core.reader.facts(space.space_id, ())
        return 0 if found is None else found.guard.last_sequence

"""What can be done with two branches: merging, rebasing, and looking first."""

from ramax.branches.diffing import Diffing
from ramax.branches.merging import Domains, Merging
from ramax.core.merging.conflicts import OnConflict
from ramax.core.merging.differences import BranchDiff
from ramax.core.merging.results import BranchMerge, BranchPreview
from ramax.errors import BranchNotFoundError, MisuseError
from ramax.runtime.core import Core
from ramax.storage import branches


class MergeVerbs:
    """The verbs of ``db.branches`` that take two branches."""

    _core: Core

    async def diff(
        self,
        left: str,
        right: str,
        *,
        values: bool = False,
        include_unchanged: bool = False,
        domains: Domains = None,
    ) -> BranchDiff:
        """Say how two branches differ, space by space: keys, and events that the other lacks.

        Keys are named from left to right: ``added`` is what only the right one has. Spaces that
        neither branch touched since they parted cost no read; in the others, cost grows with what
        was written and, at a few hundred nanoseconds each, with the keys that there are.

        Args:
            values: Give what both have under each key.
            include_unchanged: List spaces that do not differ as well; else they are counted.
            domains: By the name of a space of the right branch: what folds both sides of it first.

        Raises:
            BranchNotFoundError: There is no such branch.
            DataError: A domain is none.
        """
        diffing = Diffing(self._core, left, right, values)
        return await diffing.run(domains, include_unchanged=include_unchanged)

    async def merge(
        self,
        source: str,
        into: str = "main",
        *,
        on_conflict: OnConflict = "fail",
        domains: Domains = None,
    ) -> BranchMerge:
        """Take over into a branch what it does not have of another: all spaces, or none.

        The events of the source are recorded again in the target, space by space in their order,
        each caused by the one that it is a copy of; nothing that the target has is changed or
        removed, and no space is deleted. Merging again takes nothing over. Spaces are the same
        where they come from the same one, or have the same name; one that the target lacks is
        made there. Any two branches can be merged: siblings, and what was forked from forks.

        Args:
            on_conflict: What to do where both have changed the same entity, key, cell or vector,
                or the same place of a JSON document: see `SpaceRegistry.promote`.
            domains: By the name of a space of the target: what folds it. A space without one is
                folded by its next user who has the domain; data types need none.

        Raises:
            MergeConflictError: There are conflicts, in any space, and they are to fail.
            BranchNotFoundError: There is no such branch.
            SpaceExistsError: The name of a new space belongs to one that comes from another.
            FoldError, ProjectionError, DomainMismatchError: A domain cannot fold the copies.
        """
        return await Merging(self._core, source, into).run(on_conflict, domains)

    async def preview_merge(self, source: str, into: str = "main") -> BranchPreview:
        """Say what `merge` would take over, and every conflict; nothing is written.

        Raises:
            BranchNotFoundError: There is no such branch.
        """
        return await Merging(self._core, source, into).preview()

    async def rebase(
        self,
        branch: str,
        onto: str | None = None,
        *,
        on_conflict: OnConflict = "fail",
        domains: Domains = None,
    ) -> BranchMerge:
        """Take over into a branch what has happened since on the one that it was forked from.

        The mirror of `merge`: the branch is the target, so ``"ours"`` is what the branch has.

        Args:
            onto: Another branch than the one that it was forked from.

        Raises:
            MisuseError: It was not forked from any, and ``onto`` is not given.
            BranchNotFoundError, MergeConflictError: As `merge`.
        """
        found = await self._core.read(lambda ex: branches.find(ex, branch))
        if found is None:
            raise BranchNotFoundError(branch)
        if onto is None and found.parent is None:
            raise MisuseError(f"branch {branch!r} was not forked from another; say onto which")
        base = onto or found.parent or ""
        return await Merging(self._core, base, branch).run(on_conflict, domains)

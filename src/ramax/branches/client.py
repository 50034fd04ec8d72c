"""``db.branches``: making, forking and deleting branches."""

from collections.abc import Mapping
from datetime import datetime

from ramax.branches.merges import MergeVerbs
from ramax.core.limits import validate_space_name
from ramax.errors import (
    BranchExistsError,
    BranchInUseError,
    BranchNotFoundError,
    DataError,
    MisuseError,
)
from ramax.runtime.core import Core
from ramax.runtime.point import check_point, locate
from ramax.storage import branches, deletion, forking, projections, spaces
from ramax.storage.cursors import all_spaces
from ramax.storage.executors import Executor
from ramax.storage.forking import Head
from ramax.storage.inherit import inherit_all
from ramax.values import MAIN_BRANCH, Branch, to_micros

At = Mapping[str, int] | datetime | None


class Branches(MergeVerbs):
    """Sets of spaces. `main` is always there, and cannot be renamed or deleted."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def create(self, name: str) -> Branch:
        """Make a branch without spaces.

        Raises:
            BranchExistsError: The name is taken.
            SpaceNameError: The name breaks the rule for names of spaces.
        """
        validate_space_name(name)
        now = self._core.clock()

        def work(ex: Executor) -> Branch:
            made = branches.create(ex, name, None, now)
            if made is None:
                raise BranchExistsError(name)
            return made

        return await self._core.locked(f"creating branch {name!r}", work)

    async def fork(self, source: str = "main", name: str = "", *, at: At = None) -> Branch:
        """Make a branch of every space of another, at one point over all of them.

        Costs a row or two for each space, however much it holds: what was before stays where it
        is, and is read from there.

        Args:
            at: Where, if not at the newest events: a sequence for spaces by name, others at their
                newest; or a moment, aware.

        Raises:
            BranchNotFoundError: There is no such source.
            BranchExistsError: The name is taken.
            DataError: ``at`` names no point of the source's history.
            MisuseError: A space is replicated, and an event before that point came late.
        """
        validate_space_name(name)
        if isinstance(at, datetime):
            check_point(at)
        elif at is not None and not isinstance(at, Mapping):
            raise DataError("at", at, "give sequences by name of space, or a datetime")
        now = self._core.clock()

        def work(ex: Executor) -> Branch:
            if not _checked(source):
                raise BranchNotFoundError(source)
            origin = branches.find_kept(ex, source)
            made = branches.create(ex, name, origin, now)
            if made is None:
                raise BranchExistsError(name)
            heads, forks = forking.begin_fork(ex, origin.branch_id, made.branch_id, now)
            chosen, moved = _places(ex, heads, at, now)
            for head in chosen:
                if head.replicated:
                    upto = moved.get(head.space_id, head.last_sequence)
                    forking.check_in_order(ex, head.space_id, head.space_name, upto)
            left_out = forks.keys() - {head.space_id for head in chosen}
            forking.end_fork(ex, made.branch_id, sorted(left_out), moved)
            for head in chosen:
                _finish(ex, head, forks[head.space_id], moved, now)
            return made

        return await self._core.locked(f"forking branch {source!r}", work)

    async def list(self) -> list[Branch]:
        """Return every branch, `main` first, then in the order in which they were made."""
        return await self._core.read(branches.list_all)

    async def get(self, name: str) -> Branch:
        """Return a branch.

        Raises:
            BranchNotFoundError: There is none of that name.
        """
        found = await self._core.read(lambda ex: branches.find(ex, _checked(name)))
        if found is None:
            raise BranchNotFoundError(name)
        return found

    async def exists(self, name: str) -> bool:
        """Say whether there is a branch of that name."""
        return await self._core.read(lambda ex: branches.find(ex, _checked(name))) is not None

    async def rename(self, name: str, new_name: str) -> Branch:
        """Give a branch another name; views of it that were used before go on.

        Raises:
            BranchNotFoundError: There is none of that name.
            BranchExistsError: The new name is taken.
            MisuseError: It is `main`.
        """
        validate_space_name(new_name)

        def work(ex: Executor) -> Branch:
            found = _own(ex, name, "renamed")
            if branches.find(ex, new_name) is not None:
                raise BranchExistsError(new_name)
            branches.rename(ex, found.branch_id, new_name)
            return Branch(found.branch_id, new_name, found.parent, found.created_at)

        return await self._core.locked(f"renaming branch {name!r}", work)

    async def delete(self, name: str) -> None:
        """Delete a branch with everything that was written on it, for good.

        What it has from before it was forked is its parent's, and stays.

        Raises:
            BranchNotFoundError: There is none of that name.
            BranchInUseError: Another branch was forked from it.
            MisuseError: It is `main`.
        """

        def work(ex: Executor) -> list[int]:
            found = _own(ex, name, "deleted")
            heads = forking.lock_heads(ex, found.branch_id)
            if needed_by := branches.children_of_branch(ex, found.branch_id):
                raise BranchInUseError(name, needed_by)
            for head in heads if self._core.projected else ():
                projections.empty(ex, self._core.projected.values(), head.space_id)
            forking.empty_branch(ex, found.branch_id)
            deletion.empty(ex, all_spaces(found.branch_id))  # of readers of the whole branch
            branches.remove(ex, found.branch_id)
            return [head.space_id for head in heads]

        for space_id in await self._core.locked(f"deleting branch {name!r}", work):
            self._core.cache.forget(space_id)


def _checked(name: str) -> str:
    if not isinstance(name, str):
        raise DataError("branch", name, "give its name")
    return name if spaces.is_storable_name(name) else ""


def _own(ex: Executor, name: str, what: str) -> Branch:
    found = branches.find(ex, _checked(name))
    if found is None:
        raise BranchNotFoundError(name)
    if found.branch_id == MAIN_BRANCH:
        raise MisuseError(f"the branch 'main' cannot be {what}")
    branches.take_lock(ex, found.branch_id, name)
    return found


def _finish(ex: Executor, head: Head, fork_id: int, moved: Mapping[int, int], now: int) -> None:
    """Give a fork what its hot row alone does not say."""
    base = moved.get(head.space_id)
    if base is None:
        if head.direct:
            inherit_all(ex, head.space_id, fork_id, now)
    elif head.chained and base != head.last_sequence:
        forking.begin_chain(ex, fork_id, base)


def _places(ex: Executor, heads: list[Head], at: At, now: int) -> tuple[list[Head], dict[int, int]]:
    """Find which spaces are forked, and where those that are not forked at their head."""
    if at is None:
        return heads, {}
    if isinstance(at, datetime):
        return _places_in_time(ex, heads, at, now)
    by_name = {head.space_name: head for head in heads}
    moved: dict[int, int] = {}
    for name, sequence in at.items():
        found = by_name.get(name)
        if found is None:
            raise DataError("at", name, "is no space of the branch")
        if type(sequence) is not int or not 0 <= sequence <= found.last_sequence:
            raise DataError("at", sequence, f"space {name!r} has 0 to {found.last_sequence}")
        moved[found.space_id] = sequence
    return heads, moved


def _places_in_time(
    ex: Executor, heads: list[Head], at: datetime, now: int
) -> tuple[list[Head], dict[int, int]]:
    there: list[Head] = []
    moved: dict[int, int] = {}
    for head in heads:
        space = spaces.find_by_id(ex, head.space_id)
        assert space is not None  # it is locked
        if head.base_sequence or to_micros(space.created_at) <= to_micros(at):
            there.append(head)
            moved[head.space_id] = locate(ex, space, at, now).sequence
    return there, moved

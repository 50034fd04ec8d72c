"""Merging all spaces of one branch into those of another, in one transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ramax.branches import plan as planning
from ramax.branches.applying import Applier
from ramax.branches.pairs import Pairs, pair
from ramax.branches.plan import SpacePlan
from ramax.branches.sides import LogSide, SpaceSides
from ramax.core.domain import Domain
from ramax.core.merging.conflicts import OnConflict, Verdict, check_policy
from ramax.core.merging.decisions import decide
from ramax.core.merging.knowledge import Knowledge
from ramax.core.merging.results import BranchMerge, BranchPreview, SpaceMerge
from ramax.errors import (
    BranchNotFoundError,
    DataError,
    MergeConflictError,
    MisuseError,
    SpaceExistsError,
)
from ramax.runtime.core import Core
from ramax.storage import branches, merges, spaces
from ramax.storage.executors import Executor
from ramax.values import Branch

Domains = Mapping[str, Domain] | None


@dataclass(slots=True)
class Decided:
    """A pair of spaces that has something to take over, and what was decided of it."""

    sides: SpaceSides
    verdicts: Sequence[Verdict]


@dataclass(slots=True)
class Comparison:
    """Two branches at one point: how their spaces pair, and what is to go over."""

    pairs: Pairs
    decided: list[Decided]
    new: list[LogSide]
    """Spaces of the source that the target lacks, and that have something of their own."""


class Merging:
    """Takes over from a branch what another does not have."""

    def __init__(self, core: Core, source: str, into: str) -> None:
        """Make one over the core of the whole database."""
        if source == into:
            raise MisuseError(f"branch {source!r} cannot be merged into itself")
        self._core, self._source, self._into = core, source, into

    async def run(self, on_conflict: OnConflict, domains: Domains) -> BranchMerge:
        """Merge; see `Branches.merge`."""
        check_policy(on_conflict)
        known = checked_domains(domains)
        applier = Applier(self._core)
        written: list[int] = []

        def work(ex: Executor) -> BranchMerge:
            source, into = self._branches(ex, keep=True)
            found = compare(ex, source, into, lock=True)
            conflicts = [c for each in found.decided for c in planning.conflicts_of(each.verdicts)]
            if conflicts and on_conflict == "fail":
                raise MergeConflictError(conflicts)
            plans = [_plan(each, known, on_conflict) for each in found.decided]
            plans += [self._created(ex, side, into, known) for side in found.new]
            plans = [plan for plan in plans if not plan.empty]
            written[:] = [plan.space.space_id for plan in plans if plan.events]
            done = applier.apply(ex, plans)
            return self._result(found, done)

        done = await self._core.locked(f"merging {self._source!r} into {self._into!r}", work)
        for space_id in written:
            self._core.cache.forget(space_id)
        if written:
            self._core.tell(written)
        return done

    async def preview(self) -> BranchPreview:
        """Say what `run` would do."""

        def work(ex: Executor) -> BranchPreview:
            found = compare(ex, *self._branches(ex, keep=False), lock=False)
            spaces = [
                planning.preview(each.sides.into_log.space, each.verdicts) for each in found.decided
            ]
            created = tuple(side.space.space_name for side in found.new)
            unchanged = len(found.pairs.both) - len(found.decided)
            return BranchPreview(self._source, self._into, tuple(spaces), created, unchanged)

        return await self._core.read(work)

    def _branches(self, ex: Executor, *, keep: bool) -> tuple[Branch, Branch]:
        found = [existing(ex, name) for name in (self._source, self._into)]
        for branch in sorted(found, key=lambda each: each.branch_id) if keep else ():
            branches.keep(ex, branch.branch_id, branch.name)
        return found[0], found[1]

    def _created(
        self, ex: Executor, side: LogSide, into: Branch, domains: Mapping[str, Domain]
    ) -> SpacePlan:
        name = side.space.space_name
        now = self._core.clock()
        made = spaces.create(ex, name, side.space.metadata, now, into.branch_id)
        if made is None:  # a space of another past has it, which is merged into by another
            raise SpaceExistsError(name)
        sides = SpaceSides(side, LogSide(ex, made, 0))
        return planning.plan(made, domains.get(name), sides, decide(sides), "fail")

    def _result(self, found: Comparison, done: Sequence[SpaceMerge]) -> BranchMerge:
        created = tuple(side.space.space_name for side in found.new)
        unchanged = len(found.pairs.both) - len(found.decided)
        return BranchMerge(self._source, self._into, tuple(done), created, unchanged)


def paired(ex: Executor, source: Branch, into: Branch, *, lock: bool) -> Pairs:
    """Pair the spaces of two branches at one point over all of them."""
    heads = merges.read_heads(ex, source.branch_id, into.branch_id, lock=lock)
    sides = [LogSide(ex, space, head, remembers=remembers) for space, head, remembers in heads]
    return pair(
        [side for side in sides if side.space.branch_id == source.branch_id],
        [side for side in sides if side.space.branch_id == into.branch_id],
    )


def compare(ex: Executor, source: Branch, into: Branch, *, lock: bool) -> Comparison:
    """Find what a branch has that another does not know, space by space."""
    pairs = paired(ex, source, into, lock=lock)
    decided = []
    for pair_ in pairs.both:
        compared = SpaceSides(*pair_)
        if news(compared):
            decided.append(Decided(compared, decide(compared)))
    new = [side for side in pairs.only_source if side.own]
    return Comparison(pairs, decided, new)


def news(sides: SpaceSides) -> bool:
    """Say whether the source may know anything that the target does not; first without a read."""
    here, there = sides.from_log, sides.into_log
    if not here.remembers and not any(True for _ in here.beyond(there.lineage)):
        return False
    if Knowledge(here.upto).beyond(Knowledge(there.upto)):
        return True
    return bool(here.declined_beyond(there.upto))


def _plan(each: Decided, domains: Mapping[str, Domain], on_conflict: OnConflict) -> SpacePlan:
    space = each.sides.into_log.space
    domain = domains.get(space.space_name)
    return planning.plan(space, domain, each.sides, each.verdicts, on_conflict)


def existing(ex: Executor, name: Any) -> Branch:
    """Return a branch; raise BranchNotFoundError if there is none of that name."""
    found = branches.find(ex, name) if isinstance(name, str) else None
    if found is None:
        raise BranchNotFoundError(name)
    return found


def checked_domains(domains: Domains) -> Mapping[str, Domain]:
    """Return the domains by the names of the spaces that they fold.

    Raises:
        DataError: It is no such mapping.
    """
    found = {} if domains is None else domains
    if not isinstance(found, Mapping):
        raise DataError("domains", domains, "give domains by the names of spaces")
    for name, domain in found.items():
        if not isinstance(domain, Domain):
            raise DataError("domains", domain, f"is no Domain, but that of space {name!r}")
        domain.freeze()
    return found

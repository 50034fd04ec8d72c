"""How two branches differ: what each has that the other does not know, and the keys."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from ramax.branches.merging import Domains, checked_domains, existing, paired
from ramax.branches.pairs import Pairs
from ramax.branches.sides import LogSide, SpaceSides, Traced
from ramax.core.datatypes.json_value import MISSING
from ramax.core.domain import Domain
from ramax.core.merging.differences import BranchDiff, SpaceDiff, changes, counted
from ramax.core.state import Packed, unpack
from ramax.errors import DomainMismatchError, MisuseError
from ramax.runtime.branch_core import BranchCore
from ramax.runtime.core import Core
from ramax.runtime.state_reads import StateReads
from ramax.storage import diffs
from ramax.storage.executors import Executor
from ramax.storage.reads import read_facts
from ramax.values import MAIN_BRANCH, Space


@dataclass(slots=True)
class Differing:
    """A pair of spaces that may differ: on each side what the other does not know."""

    left: LogSide
    right: LogSide
    news: tuple[list[Traced], list[Traced]]
    forked_only: bool
    """Nothing was merged since they parted: then all that differs was written since."""


def _forked_only(left: LogSide, right: LogSide) -> bool:
    if left.segments[0].space_id != right.segments[0].space_id:
        return False
    return not (left.merged_into_since(right.lineage) or right.merged_into_since(left.lineage))


@dataclass(frozen=True, slots=True)
class Diffing:
    """Compares two branches."""

    core: Core
    left: str
    right: str
    values: bool = False

    async def run(self, domains: Domains, *, include_unchanged: bool) -> BranchDiff:
        """Compare; see `MergeVerbs.diff`."""
        if self.left == self.right:
            raise MisuseError(f"branch {self.left!r} cannot be compared with itself")
        known = checked_domains(domains)
        pairs, differing = await self.core.read(self._look)
        for each in differing:
            for side in (each.left, each.right):
                await self._fold(side.space, known.get(each.right.space.space_name))
        found = await self.core.read(lambda ex: [self._space(ex, each) for each in differing])
        shown = {diff.space: diff for diff in found if not diff.same}
        names = [right.space.space_name for _, right in pairs.both]
        if include_unchanged:
            spaces = tuple(shown.get(name) or SpaceDiff(name) for name in names)
        else:
            spaces = tuple(shown[name] for name in names if name in shown)
        return BranchDiff(
            self.left,
            self.right,
            spaces,
            tuple(side.space.space_name for side in pairs.only_source),
            tuple(side.space.space_name for side in pairs.only_target),
            len(names) - len(shown),
        )

    def _look(self, ex: Executor) -> tuple[Pairs, list[Differing]]:
        """Find the pairs that may differ; those that nobody touched cost no read."""
        pairs = paired(ex, existing(ex, self.left), existing(ex, self.right), lock=False)
        found = []
        for left, right in pairs.both:
            remembers = left.remembers or right.remembers
            apart = any(True for _ in left.beyond(right.lineage)) or any(
                True for _ in right.beyond(left.lineage)
            )
            if remembers or apart:
                news = SpaceSides(left, right).news
                found.append(Differing(left, right, news, _forked_only(left, right)))
        return pairs, found

    async def _fold(self, space: Space, domain: Domain | None) -> None:
        branch = self.left if space.branch_id == (await self._left_id()) else self.right
        core = self.core if space.branch_id == MAIN_BRANCH else BranchCore(self.core, branch)
        with suppress(DomainMismatchError):  # told by what is behind
            await StateReads(core, space, domain).current()

    async def _left_id(self) -> int:
        return (await self.core.read(lambda ex: existing(ex, self.left))).branch_id

    def _space(self, ex: Executor, each: Differing) -> SpaceDiff:
        here, there = each.left.space.space_id, each.right.space.space_id
        both = _since(ex, each) if each.forked_only else _all(ex, here, there)
        names = {here: self.left, there: self.right}
        facts = read_facts(ex, {here: (), there: ()})
        behind = tuple(
            names[i] for i, f in facts.items() if f.guard.checkpoint < f.guard.last_sequence
        )
        left, right = (counted(traced.thing for traced in side) for side in each.news)
        stored = _stored(ex, both, here, there, values=self.values)
        found = changes(stored, values=self.values)
        keys = tuple(sorted(found, key=lambda change: (change.type, change.key)))
        return SpaceDiff(each.right.space.space_name, keys, left, right, behind)


@dataclass(slots=True)
class Found:
    """What the left and the right have under keys, and whose other keys the other may lack."""

    both: dict[str, tuple[Packed | None, Packed | None]]
    left_may_lack: bool = True
    right_may_lack: bool = True


def _all(ex: Executor, here: int, there: int) -> Found:
    """Find the keys that differ by looking at every one."""
    return Found({key: (left, right) for key, left, right in diffs.read_different(ex, here, there)})


def _since(ex: Executor, each: Differing) -> Found:
    """Find the keys that may differ by what was written on either side since they parted.

    Where one side has written nothing, only the other can have removed a key; then the numbers of
    keys say whether one was.
    """
    here, there = each.left.space.space_id, each.right.space.space_id
    found = Found({})
    times = [min((b.event.micros for b in news), default=None) for news in each.news]
    for key, left, right in diffs.read_touched(ex, here, there, times[0]):
        found.both[key] = (left, right)
    for key, right, left in diffs.read_touched(ex, there, here, times[1]):
        found.both[key] = (left, right)
    if None in times:
        alone = [sum(p[side] is None for p in found.both.values()) for side in (1, 0)]
        surplus = diffs.count(ex, here) - alone[0] - (diffs.count(ex, there) - alone[1])
        found.right_may_lack, found.left_may_lack = surplus > 0, surplus < 0
    return found


def _stored(
    ex: Executor, found: Found, here: int, there: int, *, values: bool
) -> Iterator[tuple[str, Any, Any]]:
    for key, packed in found.both.items():
        if packed[0] != packed[1]:
            yield key, *map(_value, packed)
    for mine, other, may_lack in (
        (here, there, found.right_may_lack),
        (there, here, found.left_may_lack),
    ):
        keys = diffs.read_missing(ex, mine, other) if may_lack else []
        keys = [key for key in keys if key not in found.both]
        stored = read_facts(ex, {mine: keys})[mine].values if keys and values else {}
        for key in keys:
            value = _value(stored[key]) if values else None
            yield (key, value, MISSING) if mine == here else (key, MISSING, value)


def _value(packed: Packed | None) -> Any:
    return MISSING if packed is None else unpack(packed)

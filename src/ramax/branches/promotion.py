"""``db.spaces.promote``: taking some entities over from one space to another."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from ramax.branches import plan as planning
from ramax.branches.applying import Applier
from ramax.branches.sides import Chosen, LogSide, SpaceSides
from ramax.core.datatypes.cells import CELLS
from ramax.core.datatypes.json import JSON
from ramax.core.datatypes.kv import KV
from ramax.core.datatypes.log import LOG
from ramax.core.datatypes.text import TEXT
from ramax.core.datatypes.tree import TREE
from ramax.core.datatypes.vectors import VECTORS
from ramax.core.domain import Domain
from ramax.core.limits import check_entity_id
from ramax.core.merging.conflicts import OnConflict, check_policy
from ramax.core.merging.decisions import decide
from ramax.core.merging.results import MergePreview, SpaceMerge
from ramax.errors import DataError, MisuseError, SpaceNotFoundError
from ramax.runtime.core import Core
from ramax.storage import locks
from ramax.storage.events import read_head
from ramax.storage.executors import Executor
from ramax.values import Space

TYPES: Final = {
    each.name.partition(".")[2]: each for each in (KV, CELLS, JSON, LOG, VECTORS, TREE, TEXT)
}


class Promotion:
    """Takes the events of some entities over from one space to another."""

    def __init__(self, core: Core, source: Any, target: Any, chosen: Sequence[Chosen]) -> None:
        """Make one; spaces are given as `Space`, name, id or store."""
        self._core = core
        self._source = getattr(source, "space", source)
        self._target = getattr(target, "space", target)
        self._domain: Domain | None = getattr(target, "domain", None)
        self._chosen = chosen

    async def run(self, on_conflict: OnConflict, domain: Domain | None) -> SpaceMerge:
        """Take over what the target does not have; see `SpaceRegistry.promote`."""
        check_policy(on_conflict)
        folder = domain or self._domain
        source, target = await self._spaces()
        target = await self._core.saved(target)
        applier = Applier(self._core)

        def work(ex: Executor) -> SpaceMerge:
            sides = self._sides(ex, source, target, lock=True)
            found = planning.plan(target, folder, sides, decide(sides), on_conflict)
            return applier.apply(ex, [found])[0]

        name = f"promoting from {source.space_name!r} to {target.space_name!r}"
        done = await self._core.locked(name, work)
        if done.changed:
            self._core.cache.forget(target.space_id)
            self._core.tell([target.space_id])
        return done

    async def preview(self) -> MergePreview:
        """Say what would be taken over, and what conflicts."""
        source, target = await self._spaces()
        return await self._core.read(
            lambda ex: planning.preview(target, decide(self._sides(ex, source, target, lock=False)))
        )

    async def _spaces(self) -> tuple[Space, Space]:
        source = await self._core.resolve(self._source)
        target = await self._core.resolve(self._target)
        if source == target:
            raise MisuseError(f"space {source.space_name!r} cannot be promoted to itself")
        return source, target

    def _sides(self, ex: Executor, source: Space, target: Space, *, lock: bool) -> SpaceSides:
        if lock:
            in_order(ex, (source, target))
        here, there = (LogSide(ex, each, _head(ex, each)) for each in (source, target))
        sides = SpaceSides(here, there, self._chosen)
        new = {each.event.entity_id for each in sides.source}
        for each in self._chosen:
            if each.entity_id not in new and not here.history(each.entity_id, inside=each.under):
                rule = f"has no event in space {source.space_name!r}"
                raise DataError("entity", each.entity_id, rule)
        return sides


def _head(ex: Executor, space: Space) -> int:
    if not space.space_id:  # `default` before its first write
        return 0
    found = read_head(ex, space.space_id)
    if found is None:
        raise SpaceNotFoundError(space.space_name)
    return found


def in_order(ex: Executor, targets: Iterable[Space]) -> None:
    """Lock spaces by id: what is decided of them rests on their logs as they are.

    Raises:
        SpaceNotFoundError: One is gone.
    """
    for space in sorted(targets, key=lambda each: each.space_id):
        if space.space_id:
            locks.take_lock(ex, space.space_id, space.space_name)


def chosen_of(
    entities: Iterable[str], data: Mapping[str, Iterable[str]] | None
) -> Sequence[Chosen]:
    """Check and name what is to be promoted.

    Raises:
        DataError: Nothing is named, or an id, name or data type breaks a rule.
    """
    found = dict.fromkeys(Chosen(each) for each in _names("entities", entities))
    for kind, names in ({} if data is None else data).items():
        if kind not in TYPES:
            raise DataError("data type", kind, f"must be one of {', '.join(TYPES)}")
        for name in _names(kind, names):
            found[Chosen(TYPES[kind].id_of(name), kind == "vectors")] = None
    if not found:
        raise DataError("entities", entities, "name what is to be promoted")
    for each in found:
        check_entity_id(each.entity_id, "entity id")
    return list(found)


def _names(what: str, given: Iterable[str]) -> list[str]:
    if isinstance(given, (str, bytes)) or not isinstance(given, Iterable):
        raise DataError(what, given, "give a list of names")
    names = list(given)
    for name in names:
        check_entity_id(name, f"name in {what}")
    return names

"""Which space of a branch is which of another: by where they come from, then by name."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from ramax.branches.sides import LogSide

Key = Callable[[LogSide], object]


@dataclass(slots=True)
class Pairs:
    """Spaces of a source and the ones of a target that they are merged into."""

    both: list[tuple[LogSide, LogSide]] = field(default_factory=list)
    only_source: list[LogSide] = field(default_factory=list)
    only_target: list[LogSide] = field(default_factory=list)


def pair(sources: Iterable[LogSide], targets: Iterable[LogSide]) -> Pairs:
    """Pair spaces: same name and a common past, then a common past alone, then the name alone.

    So a space that was renamed on one side is still merged into itself.
    """
    found, left, free = Pairs(), list(sources), list(targets)
    for same in (_same, _related, _named):
        left, free = _match(found, left, free, same)
    found.only_source, found.only_target = left, free
    found.both.sort(key=lambda each: each[1].space.space_id)
    return found


def _match(
    found: Pairs, sources: Sequence[LogSide], targets: Sequence[LogSide], same: Key
) -> tuple[list[LogSide], list[LogSide]]:
    """Pair what has the same key, where each side has it once."""
    by_key: dict[object, list[LogSide]] = {}
    for target in targets:
        by_key.setdefault(same(target), []).append(target)
    counts: dict[object, int] = {}
    for source in sources:
        counts[same(source)] = counts.get(same(source), 0) + 1
    left: list[LogSide] = []
    taken: set[int] = set()
    for source in sources:
        candidates = by_key.get(same(source), [])
        if len(candidates) == 1 and counts[same(source)] == 1:
            found.both.append((source, candidates[0]))
            taken.add(candidates[0].space.space_id)
        else:
            left.append(source)
    return left, [each for each in targets if each.space.space_id not in taken]


def _root(side: LogSide) -> int:
    return side.segments[0].space_id


def _same(side: LogSide) -> object:
    return side.space.space_name, _root(side)


def _related(side: LogSide) -> object:
    return _root(side)


def _named(side: LogSide) -> object:
    return side.space.space_name

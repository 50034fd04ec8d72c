"""Leaving snapshots on the way of a fold in the order of all replicas, for events to come late."""

from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import NamedTuple

from ramax.core.domain import Domain
from ramax.core.sync.place import FoldPlace
from ramax.storage import canonical_snapshots as stored
from ramax.storage.canonical_snapshots import CanonicalSnapshot
from ramax.storage.executors import Executor
from ramax.storage.snapshots import Fold

NEAREST = 1000
"""Events before the end at which the newest snapshot is left; others at twice that, and so on."""

LARGEST = 64 << 20
"""Bytes of keys and values that the snapshots of one fold take at most; else it leaves none."""

_OWN = 1
"""What the data types make of their events; changes when that changes."""


def fold_of(domain: Domain) -> str | None:
    """Name what makes snapshots, so that others' are not used; None where it cannot be told."""
    if not domain.fold_versions and domain.handles:
        return None
    return Fold.of({**domain.fold_versions, "": _OWN}).digest  # no domain has an empty name


class _Left(NamedTuple):
    place: FoldPlace
    values: Mapping[str, bytes | None]


class Trail:
    """Gathers what is written between places, until it is stored with what the fold came to.

    Args:
        fold: See `fold_of`.
        start: Where the fold goes on from.
        end: About how many events there are.
        late: The first stamp of what came late; None where all is folded for another reason.
    """

    def __init__(self, fold: str, start: int, end: int, late: int | None) -> None:
        self._fold, self._start, self._end, self._late = fold, start, end, late
        self._passed = 0  # how many events come before the first late one
        self._targets = targets(start, end)
        self._written: dict[str, bytes | None] = {}
        self._size = 0
        self._left: list[_Left] = []

    def limit(self, count: int, page: int) -> int:
        """Return how many events may be folded at once."""
        return min(page, self._targets[-1] - count) if self._targets else page

    def folded(self, written: Mapping[str, bytes | None], place: FoldPlace) -> None:
        """Take what some events wrote, up to a place."""
        if not self._passed and self._late is not None and place.last[0] >= self._late:
            self._passed = place.events
        if not self._targets:
            return
        for key, value in written.items():
            self._size += _size(key, value)
            if key in self._written:
                self._size -= _size(key, self._written[key])
        self._written.update(written)
        if self._size > LARGEST:
            self._targets.clear()
            self._written = {}
        elif place.events >= self._targets[-1]:
            self._targets.pop()
            if not self._passed or self._is_sparse():
                self._left.append(_Left(place, self._written))
                self._written = {}

    def _is_sparse(self) -> bool:
        """Say whether snapshots were missed: the fold began at twice the distance that it had to.

        Else those behind the late event are not left: where many come, page by page, the next page
        would drop them again.
        """
        return self._end - self._start > 2 * (self._end - self._passed) + NEAREST

    def store(self, ex: Executor, space_id: int) -> None:
        """Write the snapshots; the caller holds the space's lock, and stores what was folded."""
        stored.drop_other_folds(ex, space_id, self._fold)
        for place, values in self._left:
            data = sorted(values.items(), key=itemgetter(0))
            stored.write_canonical(ex, space_id, self._fold, place, data)
        if self._left:
            _thin_out(ex, space_id, self._fold, self._end)


def targets(start: int, end: int) -> list[int]:
    """Return after how many events to leave snapshots, the last one first."""
    found: list[int] = []
    distance = NEAREST
    while end - distance >= start + NEAREST:
        found.append(end - distance)
        distance *= 2
    return found


def _size(key: str, value: bytes | None) -> int:
    return len(key) + len(value or b"")


def _thin_out(ex: Executor, space_id: int, fold: str, end: int) -> None:
    """Merge snapshots that lie close together for how far they are from the end."""
    kept: list[list[CanonicalSnapshot]] = []
    for snapshot in stored.read_canonical(ex, space_id, fold):
        together = [snapshot]
        while len(kept) > 1 and _is_close(kept[-2][-1], snapshot, end):
            together = kept.pop() + together
        kept.append(together)
    for together in kept:
        if len(together) > 1:
            _merge(ex, space_id, fold, together)


def _is_close(one: CanonicalSnapshot, other: CanonicalSnapshot, end: int) -> bool:
    return end - one.place.events <= 3 * max(end - other.place.events, NEAREST)


def _merge(ex: Executor, space_id: int, fold: str, together: Sequence[CanonicalSnapshot]) -> None:
    """Make one snapshot of some that follow each other, at the place of the last one."""
    data: dict[str, bytes | None] = {}
    for snapshot in together:
        for chunk in snapshot.chunks:
            values = stored.read_canonical_chunk(ex, space_id, snapshot.place, chunk.number)
            data.update(values or {})
        stored.drop_canonical(ex, space_id, snapshot.place)
    write = stored.write_canonical
    write(ex, space_id, fold, together[-1].place, sorted(data.items(), key=itemgetter(0)))

"""Which event id became which: all the same, or a pair for each event, 16 bytes in memory."""

from array import array
from bisect import bisect_left
from collections.abc import Iterator
from heapq import merge
from itertools import pairwise


class EventIds:
    """Old event ids and new ones, in the order of the old ones.

    ``kept``: every event has the id that it had, and no pairs are held.
    """

    def __init__(self, *, kept: bool = False) -> None:
        self.kept = kept
        self._old, self._new = array("q"), array("q")

    def add(self, old: int, new: int) -> None:
        """Note what became of an event."""
        self._old.append(old)
        self._new.append(new)

    def sort(self) -> None:
        """Bring the pairs into order, which everything that asks relies on."""
        old, count = self._old, len(self._old)
        ends = [at for at in range(1, count) if old[at] < old[at - 1]]
        if not ends:
            return
        runs = [self._pairs(a, b) for a, b in pairwise([0, *ends, count])]
        self._old, self._new = array("q"), array("q")
        for pair in merge(*runs):
            self.add(*pair)

    def _pairs(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        old, new = self._old, self._new
        return ((old[at], new[at]) for at in range(start, end))

    def new(self, old: int) -> int | None:
        """Return the id that an event has now; None if no event had ``old``."""
        if self.kept:
            return old
        at = bisect_left(self._old, old)
        return self._new[at] if at < len(self._old) and self._old[at] == old else None

    def are_the_old_ones(self) -> bool:
        """Say whether every event that was noted has the id that it had."""
        return self._old == self._new

    def __len__(self) -> int:
        return len(self._old)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return zip(self._old, self._new, strict=True)

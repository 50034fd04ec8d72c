"""Merging the moves of a tree that replicas made apart: the same tree on each, without a cycle.

The tree is the fold of all moves in the order of their stamps; a move that would put a node below
itself does nothing, but stays in the log, since an earlier move that arrives late may let it in.
Late moves are merged as a batch: what came after the first of them is taken back and done again,
once. Source: Kleppmann and others, *A highly-available move operation for replicated trees* (2021).
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from operator import attrgetter
from types import MappingProxyType
from typing import Final, NamedTuple

Stamp = tuple[int, bytes, int]
"""Clock, origin and number at that origin: the order of what replicas wrote."""

ROOT: Final = "root"
"""The node that every tree has; it cannot be moved."""

TRASH: Final = "trash"
"""What deleted nodes are below; it cannot be moved."""


class Place(NamedTuple):
    """Where a node is: below which one, and where among its siblings; equal keys go by node."""

    parent: str
    sort_key: str


class Move(NamedTuple):
    """A node was put somewhere; the first move of a node makes it, one below `TRASH` deletes it."""

    stamp: Stamp
    node: str
    place: Place


_stamp = attrgetter("stamp")


class TreeMoves:
    """All moves of one tree by stamp, and the places that they come to.

    Also what each of them replaced, so that the newest can be taken back: memory grows with moves.
    """

    __slots__ = ("_log", "_places", "_replaced")

    def __init__(self, moves: Iterable[Move] = ()) -> None:
        self._log: list[Move] = []
        self._replaced: list[Place | bool | None] = []  # False: the move did nothing
        self._places: dict[str, Place] = {}
        self.merge(moves)

    @property
    def places(self) -> Mapping[str, Place]:
        """Where each node is now; a parent that no move has made yet is nobody's child."""
        return MappingProxyType(self._places)

    def __len__(self) -> int:
        return len(self._log)

    def merge(self, moves: Iterable[Move]) -> dict[str, Place | None]:
        """Add moves in whatever order they came; those whose stamps are known are left out.

        Returns:
            Nodes that are somewhere else than before, with their places; None for one that is
            nowhere any more, which only a node can be whose first moves do nothing now.
        """
        new = sorted({move.stamp: move for move in moves}.values(), key=_stamp)
        log = self._log
        new = [move for move in new if not self._knows(move.stamp)]
        if not new:
            return {}
        first = bisect_left(log, new[0].stamp, key=_stamp)
        later = log[first:]
        before: dict[str, Place | None] = {}
        self._take_back(first, before)
        for move in sorted(later + new, key=_stamp):  # two sorted runs: linear
            self._do(move, before)
        places = self._places
        return {node: places.get(node) for node, was in before.items() if places.get(node) != was}

    def _knows(self, stamp: Stamp) -> bool:
        at = bisect_left(self._log, stamp, key=_stamp)
        return at < len(self._log) and self._log[at].stamp == stamp

    def _take_back(self, first: int, before: dict[str, Place | None]) -> None:
        log, replaced, places = self._log, self._replaced, self._places
        while len(log) > first:
            node, was = log.pop().node, replaced.pop()
            if isinstance(was, bool):
                continue
            before.setdefault(node, places[node])
            if was is None:
                del places[node]
            else:
                places[node] = was

    def _do(self, move: Move, before: dict[str, Place | None]) -> None:
        _, node, place = move
        self._log.append(move)
        if node in {ROOT, TRASH} or self._is_in(place.parent, node):
            self._replaced.append(False)
            return
        was = self._places.get(node)
        before.setdefault(node, was)
        self._replaced.append(was)
        self._places[node] = place

    def _is_in(self, node: str, above: str) -> bool:
        """Say whether a node is another one, or below it."""
        places = self._places
        while node != above:
            place = places.get(node)
            if place is None:
                return False
            node = place.parent
        return True

"""How far a fold in the order of all replicas has come."""

from collections.abc import Sequence
from typing import NamedTuple

from ramax.core.sync.vector import Vector

BEGINNING: tuple[int, bytes, int] = (0, b"", 0)
"""Before every place of the canonical order: stamp, origin, number in it."""


_NOTHING: Vector = {}


class FoldPlace(NamedTuple):
    """Everything up to an event of the canonical order."""

    last: tuple[int, bytes, int] = BEGINNING
    """The place of that event: stamp, origin, number in it."""

    events: int = 0
    """How many events that is."""

    vector: Vector = _NOTHING
    """The newest of each origin among them."""

    def after(self, places: Sequence[tuple[int, bytes, int]]) -> "FoldPlace":
        """Return where a fold is after the events of these places, in order."""
        vector = {**self.vector, **{origin: number for _, origin, number in places}}
        return FoldPlace(places[-1], self.events + len(places), vector)

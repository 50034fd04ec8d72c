"""The places of the events of a unit of work among those of all replicas of its space."""

from collections.abc import Mapping, Sequence

from ramax.core.event_row import EventRow, row_of
from ramax.core.sync.head import ReplicaHead
from ramax.core.sync.record import REFUSED
from ramax.core.sync.runs import Place, Run, runs_of

_NO_CAUSES: Mapping[int, int] = {}


class Placing:
    """Gives new events of a replicated space their places; takes those of others with theirs."""

    __slots__ = ("_before", "causes", "head", "places", "runs")

    def __init__(self, packed: bytes) -> None:
        self.head = ReplicaHead.unpack(packed)
        self.runs: list[Run] = []
        """That begin among these events."""

        self.places: dict[int, Place] = {}
        """Of the events of other replicas, by sequence."""

        self.causes: dict[int, int] = {}
        """Events of other replicas whose cause came with them; both by sequence."""

        self._before: list[tuple[int, ReplicaHead]] = []

    def own(self, rows: Sequence[EventRow]) -> range:
        """Give new events of this replica, one at least, their places; return their stamps."""
        first = rows[0]
        self._before.append((first.sequence, self.head))
        stamps, run, self.head = self.head.own(first.sequence, len(rows), first.micros)
        if run is not None:
            self.runs.append(run)
        return stamps

    def forget_beyond(self, sequence: int) -> None:
        """Forget own events that are not to be written after all."""
        while self.runs and self.runs[-1].sequence > sequence:
            self.runs.pop()
        while self._before and self._before[-1][0] > sequence:
            _, self.head = self._before.pop()

    def received(
        self, events: Sequence[tuple[EventRow, Place]], causes: Mapping[int, int] = _NO_CAUSES
    ) -> None:
        """Take events of other replicas; the stamp of one that was refused moves no clock.

        Args:
            causes: Of which of these events another one is the cause, by sequence.
        """
        for row, place in events:
            self.places[row.sequence] = place
            self.head = self.head.observed(0 if row.event_type == REFUSED else place.stamp)
        self.runs += runs_of((row.sequence, row.micros, place) for row, place in events)
        self.causes |= causes


def numbered(rows: Sequence[EventRow], stamps: range) -> list[EventRow]:
    """Number events by their stamps, as applicators of a replicated space see them."""
    return [row_of((stamp, *row[1:])) for row, stamp in zip(rows, stamps, strict=True)]

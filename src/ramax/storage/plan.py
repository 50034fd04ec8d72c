"""The write plan: everything that a batch adds, as one value that every database writes its way."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ramax.core.event_row import EventRow
from ramax.core.space_write import SpaceWrite
from ramax.storage.sql import Statement

EventIds = Mapping[int, int]
"""The ids that the events of a space got, by sequence."""


class ConsecutiveIds(Mapping[int, int]):
    """The ids of events that got them in order, without holes; nothing is made for each of them."""

    __slots__ = ("_events", "_offset")

    def __init__(self, events: Sequence[EventRow], offset: int) -> None:
        self._events, self._offset = events, offset

    def __getitem__(self, sequence: int) -> int:
        events = self._events
        if not events or not events[0].sequence <= sequence <= events[-1].sequence:
            raise KeyError(sequence)
        return sequence + self._offset

    def __iter__(self) -> Iterator[int]:
        return (row.sequence for row in self._events)

    def __len__(self) -> int:
        return len(self._events)


@dataclass(frozen=True, slots=True)
class Extra:
    """Rows of a feature that commit with the events: one statement, many sets of parameters.

    Each set carries ``space_id``; those of a space whose guard was lost are not written.
    """

    statement: Statement
    rows: Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class WritePlan:
    """What to write for a batch; ``token`` identifies the batch if its acknowledgement is lost."""

    spaces: Sequence[SpaceWrite]
    token: bytes
    now: int
    extras: Sequence[Extra] = field(default_factory=tuple)

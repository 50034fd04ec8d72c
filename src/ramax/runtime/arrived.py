"""What came to a space since a projection looked: under which numbers, and whether too late."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ramax.core.domain import Domain
from ramax.core.projections import Projection
from ramax.runtime.page_fold import facts_of
from ramax.storage.executors import Executor, Row
from ramax.storage.origins import read_late_types, read_stamps
from ramax.values import Event, Space, as_applied

_SEQUENCE = 2


@dataclass(frozen=True, slots=True)
class Arrived:
    """Events of a part of a log; in a space that is not replicated there is nothing to say.

    Handlers get an event of a replicated space as its applicator does: its sequence is its stamp,
    which is the same on every replica.
    """

    stamps: Mapping[int, int] | None = None
    too_late: bool = False
    """Whether one came late that the projection has to know in its place."""

    def rows(self, rows: Sequence[Row]) -> Sequence[Row]:
        """Number stored events as handlers see them."""
        stamps = self.stamps
        if stamps is None:
            return rows
        return [(*row[:2], stamps[row[_SEQUENCE]], *row[3:]) for row in rows]

    def events(self, events: Iterable[Event]) -> Iterator[Event]:
        """Make of read events what handlers see."""
        for event in events:
            found = as_applied(event)
            if self.stamps is not None:
                object.__setattr__(found, "space_sequence", self.stamps[event.space_sequence])
            yield found


UNREPLICATED = Arrived()


def read_arrived(
    ex: Executor, space: Space, domain: Domain, projection: Projection, *, after: int, upto: int
) -> Arrived:
    """Read what a projection has to know of the events with after < sequence <= upto.

    Raises:
        SpaceNotFoundError: The space is gone.
    """
    if facts_of(ex, space).guard.replica is None:
        return UNREPLICATED
    stamps = read_stamps(ex, space.space_id, after=after, upto=upto)
    return Arrived(stamps, came_late(ex, space, domain, projection, after=after, upto=upto))


def came_late(
    ex: Executor, space: Space, domain: Domain, projection: Projection, *, after: int, upto: int
) -> bool:
    """Say whether a projection has to know one of these events before others that it knows."""
    if projection.order == "any":
        return False
    late = read_late_types(ex, space.space_id, after=after, upto=upto)
    return not late.isdisjoint(projection.event_types | domain.upcast_types)

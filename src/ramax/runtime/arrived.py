"""What came to a space since a projection looked: under which numbers, and whether too late."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ramax.core.domain import Domain
from ramax.core.projections import Projection
from ramax.core.sync.record import DISCARDED, REFUSED
from ramax.runtime.page_fold import facts_of
from ramax.storage.canonical import read_stamps
from ramax.storage.executors import Executor, Row
from ramax.storage.records import read_late_types
from ramax.values import Event, Space, as_applied

_SEQUENCE, _ENTITY, _TYPE = 2, 3, 4


@dataclass(frozen=True, slots=True)
class Arrived:
    """Events of a part of a log; in a space that is not replicated there is nothing to say.

    Handlers get an event of a replicated space as its applicator does: its sequence is its stamp,
    which is the same on every replica.
    """

    stamps: Mapping[int, tuple[int, bool]] | None = None
    """By sequence; and whether the event was discarded, so that nobody handles it."""

    too_late: bool = False
    """Whether one came late that the projection has to know in its place."""

    def rows(self, rows: Sequence[Row]) -> Sequence[Row]:
        """Number stored events as handlers see them."""
        stamps = self.stamps
        if stamps is None:
            return rows
        return [folded_as(row, *stamps[row[_SEQUENCE]]) for row in rows]

    def events(self, events: Iterable[Event]) -> Iterator[Event]:
        """Make of read events what handlers see."""
        for event in events:
            found = as_applied(event)
            if self.stamps is not None:
                stamp, left_out = self.stamps[event.space_sequence]
                if left_out:
                    continue
                object.__setattr__(found, "space_sequence", stamp)
            yield found


UNREPLICATED = Arrived()


def folded_as(row: Row, stamp: int, left_out: bool) -> Row:  # noqa: FBT001 - as it is read
    """Return a stored event of a replicated space as applicators and handlers see it."""
    event_type = REFUSED if left_out else row[_TYPE]
    return (*row[:_SEQUENCE], stamp, row[_ENTITY], event_type, *row[_TYPE + 1 :])


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
    late = read_late_types(ex, space.space_id, after=after, upto=upto)
    if projection.order == "any":
        return DISCARDED in late  # what was discarded may be in the rows
    return not late.isdisjoint({DISCARDED, *projection.event_types, *domain.upcast_types})

"""What a unit of work asks about the log of its space, answered by the database."""

from collections.abc import Collection, Mapping

from ramax.core.query import Query
from ramax.core.sync.record import EventRecord
from ramax.core.sync.runs import Newest
from ramax.storage import checkpoints
from ramax.storage.events import read_count
from ramax.storage.executors import Executor
from ramax.storage.reads import read_event_types, uncatchable
from ramax.storage.records import read_ids_of, read_records
from ramax.storage.runs import read_newest
from ramax.storage.search import read_newest_match


class StoredLog:
    """See `Log`; a failure of the database is not for the domain to catch."""

    __slots__ = ("_ex", "_read", "_space_id")

    def __init__(self, ex: Executor, space_id: int) -> None:
        self._ex, self._space_id = ex, space_id
        self._read: dict[tuple[bytes, int], EventRecord] = {}

    def types_up_to(self, upto: int) -> frozenset[str]:
        """Read which event types there are."""
        return uncatchable(read_event_types, self._ex, self._space_id, upto)

    def count_of(self, entity_id: str, upto: int, most: int) -> int:
        """Count the events of an entity."""
        return uncatchable(
            lambda: read_count(self._ex, self._space_id, entity_id, upto=upto, most=most)
        )

    def standing_at(self, sequence: int) -> frozenset[str]:
        """Read which checkpoints are at a sequence."""
        return uncatchable(checkpoints.standing_at, self._ex, self._space_id, sequence)

    def newest_match(self, query: Query, after: int, upto: int) -> int | None:
        """Search for the newest event that a query matches."""
        return uncatchable(
            lambda: read_newest_match(self._ex, self._space_id, query, after=after, upto=upto)
        )

    def newest(self) -> Mapping[bytes, Newest]:
        """Read the newest event of every origin."""
        return uncatchable(read_newest, self._ex, self._space_id)

    def record_at(self, origin: bytes, origin_seq: int) -> EventRecord | None:
        """Read an event of an origin; some that follow it are remembered, for they are next."""
        if (origin, origin_seq) not in self._read:
            found = uncatchable(
                lambda: read_records(
                    self._ex, self._space_id, origin, after=origin_seq - 1, limit=_AHEAD
                )
            )
            self._read = {(origin, each.origin_seq): each for each in found}
        return self._read.get((origin, origin_seq))

    def ids_of(self, uids: Collection[bytes]) -> dict[bytes, int]:
        """Read the ids of the events of uids."""
        return uncatchable(read_ids_of, self._ex, self._space_id, uids)


_AHEAD = 100

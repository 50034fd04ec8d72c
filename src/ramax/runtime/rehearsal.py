"""Work tried on an empty space that has no row; nothing is written."""

from collections.abc import Collection

from ramax.core.guard import Guard
from ramax.core.query import Query
from ramax.core.state import NothingStored
from ramax.core.sync.record import EventRecord
from ramax.core.sync.runs import Newest
from ramax.core.unit import SpaceUnit
from ramax.runtime.attempt import commits_of
from ramax.runtime.jobs import Work
from ramax.values import Commit, Space


class NothingLogged:
    """The stored log of a space that has no row."""

    def types_up_to(self, _upto: int) -> frozenset[str]:
        """Return nothing."""
        return frozenset()

    def count_of(self, _entity_id: str, _upto: int, _most: int) -> int:
        """Return 0."""
        return 0

    def standing_at(self, _sequence: int) -> frozenset[str]:
        """Return nothing."""
        return frozenset()

    def newest_match(self, _query: Query, _after: int, _upto: int) -> int | None:
        """Return None."""
        return None

    def newest(self) -> dict[bytes, Newest]:
        """Return nothing."""
        return {}

    def record_at(self, _origin: bytes, _origin_seq: int) -> EventRecord | None:
        """Return None."""
        return None

    def ids_of(self, _uids: Collection[bytes]) -> dict[bytes, int]:
        """Return nothing."""
        return {}


def try_empty(space: Space, work: Work, now: int) -> list[Commit]:
    """Run work on an empty space: what fails, or adds nothing, must not give `default` its row."""
    unit = SpaceUnit(space.space_id, space.space_name, Guard(0, 0, 0, 0, None), NothingStored())
    groups = work.run(unit, NothingLogged(), now)
    ids = {row.sequence: 0 for row in unit.rows}
    return commits_of(space.space_id, groups, ids, 0)

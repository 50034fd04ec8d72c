"""A point of a space's history: what may name one, and where it is."""

from datetime import datetime
from typing import NamedTuple

from ramax.errors import DataError
from ramax.runtime.page_fold import facts_of
from ramax.storage.executors import Executor
from ramax.storage.past import read_first_later, read_time
from ramax.storage.snapshots import Fold, read_newest
from ramax.values import Space, to_micros

_WHAT = "as_of"


class Point(NamedTuple):
    """A point of a space's history: after the event ``sequence``, recorded at ``micros``."""

    sequence: int
    micros: int | None


def check_point(at: object) -> None:
    """Refuse what no point of a history can be."""
    if isinstance(at, datetime):
        if at.utcoffset() is None:
            raise DataError(_WHAT, at, "needs a time zone: datetime.now(UTC), not a naive one")
    elif type(at) is not int:
        raise DataError(_WHAT, at, "give a sequence, or a datetime with a time zone")
    elif at < 0:
        raise DataError(_WHAT, at, "must be at least 0, which is before the first event")


def locate(
    ex: Executor, space: Space, at: int | datetime, now: int, whose: Fold | None = None
) -> Point:
    """Find a point of a space's history.

    Args:
        now: The time, in UTC µs.

    Raises:
        DataError: It lies beyond the newest event, or in the future.
        SpaceNotFoundError: The space was deleted.
    """
    head, latest, replicated = 0, 0, False
    if space.space_id:
        guard = facts_of(ex, space).guard
        head, latest = guard.last_sequence, guard.last_timestamp
        replicated = guard.replica is not None
    if isinstance(at, int):
        if at > head:
            raise DataError(_WHAT, at, f"lies beyond the newest event, which is {head}")
        return Point(at, read_time(ex, space.space_id, at))
    moment = to_micros(at)
    if moment > max(now, latest):
        raise DataError(_WHAT, at, "lies in the future: events may still come before it")
    known = whose and read_newest(ex, space.space_id, whose, moment=moment)
    after = known.sequence if known else 0
    later = read_first_later(ex, space.space_id, moment, after=after, replicated=replicated)
    sequence = head if later is None else min(head, later - 1)
    return Point(sequence, read_time(ex, space.space_id, sequence))

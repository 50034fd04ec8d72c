"""What to read of a log: which events, between which bounds, in which direction."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from ramax.core.limits import MAX_INTEGER, check_sequence
from ramax.core.query import Query, Search
from ramax.errors import DataError, MisuseError
from ramax.values import to_micros

BATCH: Final = 1000
"""Events that a page holds unless somebody asks for another number."""

BEFORE_ALL: Final = -(2**63)
"""A time below every other, in microseconds."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Bounds as numbers; a bound that nobody gave is one that nothing reaches.

    ``searches`` None is every event. after < sequence <= upto; since < timestamp <= until, in UTC
    microseconds; at most ``limit`` stored events, newest first if ``reverse``.
    """

    searches: tuple[Search, ...] | None
    after: int = 0
    upto: int = MAX_INTEGER
    since: int = BEFORE_ALL
    until: int = MAX_INTEGER
    reverse: bool = False
    limit: int = MAX_INTEGER
    batch_size: int = BATCH

    @property
    def plain(self) -> bool:
        """Whether it is a run of sequences, oldest first: nothing to be searched for."""
        everything = self.searches is None and self.since == BEFORE_ALL
        return everything and self.until == MAX_INTEGER and not self.reverse


def select(
    query: Query | Search | None = None,
    *,
    from_sequence: int = 0,
    to_sequence: int | None = None,
    from_time: datetime | None = None,
    to_time: datetime | None = None,
    reverse: bool = False,
    limit: int | None = None,
    batch_size: int = BATCH,
) -> Selection:
    """Check what a reader asks for; ``from_*`` is exclusive, ``to_*`` inclusive.

    Raises:
        DataError: A bound breaks a rule: a sequence is negative, a time is not aware.
        MisuseError: ``query`` is no query.
    """
    upto = MAX_INTEGER if to_sequence is None else to_sequence
    most = MAX_INTEGER if limit is None else limit
    check_sequence(from_sequence, "from_sequence")
    check_sequence(upto, "to_sequence")
    check_sequence(most, "limit")
    check_batch_size(batch_size)
    return Selection(
        _searches(query),
        from_sequence,
        upto,
        BEFORE_ALL if from_time is None else _micros(from_time, "from_time"),
        MAX_INTEGER if to_time is None else _micros(to_time, "to_time"),
        bool(reverse),
        most,
        batch_size,
    )


def check_batch_size(value: Any) -> None:
    """How many events a page holds: a sequence, but not 0; else `DataError`."""
    check_sequence(value, "batch_size")
    if value == 0:
        raise DataError("batch_size", value, "must be at least 1")


def _searches(query: Any) -> tuple[Search, ...] | None:
    if query is None or query == Query():
        return None
    if isinstance(query, Search):
        return (query,)
    if not isinstance(query, Query):
        raise MisuseError(f"a query must be a Query, got {type(query).__name__}: {query!r:.80}")
    return query.searches


def _micros(moment: Any, what: str) -> int:
    if not isinstance(moment, datetime) or moment.utcoffset() is None:
        raise DataError(what, moment, "must be an aware datetime")
    return to_micros(moment)

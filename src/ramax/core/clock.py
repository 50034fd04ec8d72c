"""A hybrid logical clock: stamps that grow along causality and stay near the wall clock.

A stamp is one integer, UTC milliseconds in its upper 48 bits and a counter in the lower 16, so
that stamps of any two replicas compare as numbers do. Ties between replicas are broken by their
origins. Source: Kulkarni and others, *Logical Physical Clocks* (2014).
"""

from typing import Final

from ramax.errors import ClockSkewError

COUNTER_BITS: Final = 16

FIRST_STAMP: Final = 1 << 48
"""A stamp of 1970: above any sequence, below any clock of today."""

MAX_AHEAD_MS: Final = 5 * 60 * 1000
"""How far a stamp of another replica may lie in the future before it is not believed, in ms."""

Version = tuple[int, bytes]
"""A stamp with the origin that gave it: the total order of what replicas wrote."""


def next_stamp(last: int, now_micros: int) -> int:
    """Return the stamp that follows ``last``: the wall clock's, or one more where it lags."""
    return max(last + 1, wall_stamp(now_micros))


def wall_stamp(now_micros: int) -> int:
    """Return the lowest stamp of this moment, given in UTC microseconds."""
    return (now_micros // 1000) << COUNTER_BITS


def last_stamp(now_micros: int) -> int:
    """Return the highest stamp of this moment, given in UTC microseconds."""
    return wall_stamp(now_micros + 1000) - 1


def check_stamp(stamp: int, now_micros: int) -> None:
    """Refuse a stamp that would drag every clock it meets into the future.

    Raises:
        ClockSkewError: It lies more than `MAX_AHEAD_MS` ahead of ``now_micros``.
    """
    ahead = (stamp >> COUNTER_BITS) - now_micros // 1000
    if ahead > MAX_AHEAD_MS:
        raise ClockSkewError(stamp, ahead)

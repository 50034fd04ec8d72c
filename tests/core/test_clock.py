"""Stamps follow the wall clock, never go back, and are not dragged into the future."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ramax.core.clock import (
    COUNTER_BITS,
    MAX_AHEAD_MS,
    check_stamp,
    last_stamp,
    next_stamp,
    wall_stamp,
)
from ramax.errors import ClockSkewError

NOW = 1_800_000_000_000_000


def as_micros(stamp):
    """The moment of a stamp, exact to the millisecond."""
    return (stamp >> COUNTER_BITS) * 1000


def test_a_stamp_is_the_wall_clock_in_milliseconds():
    assert next_stamp(0, NOW) == (NOW // 1000) << COUNTER_BITS
    assert as_micros(next_stamp(0, NOW + 999)) == NOW


@given(st.integers(0, 2**62), st.integers(0, 2**51))
def test_a_stamp_always_grows_and_is_never_behind_the_clock(last, now):
    stamp = next_stamp(last, now)
    assert stamp > last
    assert stamp >= wall_stamp(now)


def test_many_stamps_in_one_millisecond_count_up():
    stamps = [wall_stamp(NOW)]
    for _ in range(1000):
        stamps.append(next_stamp(stamps[-1], NOW))
    assert stamps == list(range(stamps[0], stamps[0] + 1001))
    assert as_micros(stamps[-1]) == NOW


def test_a_clock_that_is_set_back_goes_on_from_where_it_was():
    assert next_stamp(wall_stamp(NOW), NOW - 10**9) == wall_stamp(NOW) + 1


def test_a_stamp_from_too_far_in_the_future_is_refused():
    limit = NOW + MAX_AHEAD_MS * 1000
    check_stamp(wall_stamp(limit), NOW)
    with pytest.raises(ClockSkewError) as caught:
        check_stamp(wall_stamp(limit + 1000), NOW)
    assert caught.value.ahead == MAX_AHEAD_MS + 1


def test_every_stamp_of_a_millisecond_lies_between_its_lowest_and_its_highest():
    assert last_stamp(NOW) + 1 == wall_stamp(NOW + 1000)
    assert as_micros(last_stamp(NOW)) == as_micros(wall_stamp(NOW))

import random

import pytest

from ramax.core.sync.accepting import accept
from ramax.errors import ForkError, GapError
from tests._each import each
from tests.core.sync._records import ANNE, BOB, record, records

THERE = {(each.origin, each.origin_seq): each.digest for each in records(ANNE, 1, 3)}


def accepted(found, vector=None):
    return accept("notes", found, vector or {ANNE: 3}, lambda *place: THERE[place])


@each("seed", range(10))
async def test_shuffled_and_doubled_records_give_the_new_ones_in_order(seed: int):
    """A10: shuffled, interleaved, duplicated delivery gives the same."""
    new = [*records(ANNE, 4, 6), *records(BOB, 1, 2)]
    given = [*records(ANNE, 2, 3), *new, *new]
    random.Random(seed).shuffle(given)
    assert accepted(given) == (new, 7)


def test_a_hole_is_a_gap_that_says_where_the_place_is():
    """Nothing after a hole is taken, of no origin."""
    with pytest.raises(GapError) as caught:
        accepted([*records(ANNE, 5, 6), *records(BOB, 1, 1)])
    assert caught.value.wanted == {ANNE: 3}


@each("other", [record(ANNE, 2, "other"), record(ANNE, 3, "x")])
async def test_another_record_in_a_place_that_is_taken_is_a_fork(other):
    """B10: the same origin and sequence with another digest."""
    with pytest.raises(ForkError) as caught:
        accepted([record(ANNE, 4), other])
    assert caught.value.sequence == other.origin_seq


def test_two_records_for_one_place_that_come_together_are_a_fork():
    with pytest.raises(ForkError):
        accepted([record(ANNE, 4, "one"), record(ANNE, 4, "other")])

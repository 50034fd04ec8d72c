"""Records are sorted into those that are taken, never taken, and waiting, whatever their order."""

import random

import pytest

from ramax.core.clock import COUNTER_BITS, MAX_AHEAD_MS
from ramax.core.sync.runs import Newest
from ramax.core.sync.sound import DAMAGED, UNSOUND, Refusal
from ramax.errors import ClockSkewError, GapError
from ramax.sync.sorting import WAITING, Given, Sorting
from ramax.testing.records import record

ONE, TWO = b"device-of-origin", b"server-of-origin"
NOW = 1_700_000_000_000_000


def given(origin, seq, refusal=None, **more):
    return Given(record(origin, seq, stamp=100 + seq)._replace(**more), refusal)


def sort(*all_given, newest=None, discarded=frozenset()):
    sorting = Sorting("s", newest or {}, discarded, NOW)
    sorting.add_all(all_given)
    return sorting


def places(records):
    return [(each.origin, each.origin_seq) for each in records]


def test_sound_records_are_taken_by_origin_and_number():
    coming = [given(origin, seq) for origin in (ONE, TWO) for seq in (1, 2, 3)]
    random.Random(1).shuffle(coming)  # noqa: S311 - any order
    believed, refused, aside = sort(*coming).results()
    assert places(believed) == [(origin, seq) for origin in (ONE, TWO) for seq in (1, 2, 3)]
    assert (refused, aside) == ((), ())


def test_what_follows_one_that_is_refused_waits_and_others_go_on():
    bad = Refusal(UNSOUND, "no such key")
    believed, refused, aside = sort(
        given(ONE, 1), given(ONE, 2, bad), given(ONE, 3), given(TWO, 1)
    ).results()
    assert places(believed) == [(ONE, 1), (TWO, 1)]
    assert [(each.code, each.reason) for each in refused] == [bad]
    assert [(each.record.origin_seq, each.code) for each in aside] == [(2, UNSOUND), (3, WAITING)]


def test_before_the_first_one_that_is_refused_nothing_may_be_missing():
    with pytest.raises(GapError):
        sort(given(ONE, 3, Refusal(UNSOUND, "x")), newest={ONE: Newest(1, 101)})


def test_a_damaged_copy_of_one_that_came_whole_is_nothing():
    damaged = Refusal(DAMAGED, "its digest is another's")
    believed, refused, aside = sort(given(ONE, 1, damaged), given(ONE, 1)).results()
    assert (places(believed), refused, aside) == ([(ONE, 1)], (), ())


def test_a_clock_far_ahead_is_refused():
    ahead = (NOW // 1000 + MAX_AHEAD_MS + 1000) << COUNTER_BITS
    believed, refused, _ = sort(given(ONE, 1, stamp=ahead)).results()
    assert (believed, [each.code for each in refused]) == ([], [ClockSkewError.code])


def test_within_an_origin_stamps_ascend():
    believed, refused, _ = sort(given(ONE, 6), newest={ONE: Newest(5, 500)}).results()
    assert (believed, [each.code for each in refused]) == ([], [UNSOUND])


def test_one_that_is_left_out_gets_the_place_of_the_one_before_it():
    bad = given(ONE, 2, Refusal(UNSOUND, "x"))
    sorting = sort(given(ONE, 1), bad, given(ONE, 3), discarded=frozenset({bad.record.uid}))
    believed, refused, aside = sorting.results()
    assert places(believed) == [(ONE, 1), (ONE, 2), (ONE, 3)]
    assert (refused, aside) == ((), ())
    assert sorting.left_out == {bad.record.uid: 101}
    assert [sorting.place(each)[0] for each in believed] == [101, 101, 103]


def test_what_is_known_already_is_compared_by_somebody_else():
    believed, refused, aside = sort(given(ONE, 1), newest={ONE: Newest(5, 500)}).results()
    assert (places(believed), refused, aside) == ([(ONE, 1)], (), ())

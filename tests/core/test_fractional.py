"""There is always a sort key between two others, and it stays short."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ramax.core.fractional import DIGITS, between, check_sort_key, spread
from ramax.errors import DataError

keys = st.text(alphabet=DIGITS, min_size=1, max_size=12).filter(lambda key: key[-1] != "0")


@given(st.none() | keys, st.none() | keys)
def test_a_key_lies_between_its_bounds(one, other):
    low, high = (one, other) if None in (one, other) or one < other else (other, one)
    if low is not None and low == high:
        with pytest.raises(DataError):
            between(low, high)
        return
    key = between(low, high)
    check_sort_key(key)
    assert (low is None or low < key) and (high is None or key < high)


@given(st.lists(st.integers(0, 10**6), max_size=80))
def test_any_order_of_insertions_gives_that_order(places):
    siblings: list[str] = []
    for place in places:
        at = place % (len(siblings) + 1)
        low = siblings[at - 1] if at else None
        high = siblings[at] if at < len(siblings) else None
        siblings.insert(at, between(low, high))
    assert siblings == sorted(set(siblings))


@pytest.mark.parametrize("end", ["first", "last", "middle"])
def test_a_thousand_insertions_at_one_place_give_short_keys(end):
    low, high = "V", "W"
    for _ in range(1000):
        if end == "first":
            high = between(None, high)
        elif end == "last":
            low = between(low, None)
        else:
            high = between(low, high)
    assert max(len(low), len(high)) <= 210


@pytest.mark.parametrize("end", ["first", "last"])
def test_a_list_that_grows_at_one_end_keeps_keys_of_a_few_digits(end):
    keys = [between(None, None)]
    for _ in range(10_000):
        keys.append(between(keys[-1], None) if end == "last" else between(None, keys[-1]))
    assert keys == sorted(set(keys), reverse=end == "first")
    assert max(map(len, keys)) <= 4


@given(st.none() | keys, st.integers(0, 200))
def test_spreading_gives_that_many_keys_in_order(low, count):
    found = spread(low, None, count)
    assert len(found) == count
    assert found == sorted(set(found))
    assert all(low is None or key > low for key in found)
    assert max(map(len, found), default=0) <= len(low or "") + 12


@pytest.mark.parametrize("key", ["", "0", "a0", "é", "a-b", "x" * 501, None, 5])
def test_what_is_no_key_is_refused(key):
    with pytest.raises(DataError):
        check_sort_key(key)

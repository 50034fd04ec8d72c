"""Keys of an index order as the values do, and the ranges lose nothing."""

import operator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ramax.core.datatypes.json_index import entry_key, entry_range, is_indexed

numbers = st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
OPERATIONS = {
    "eq": operator.eq,
    "lt": operator.lt,
    "lte": operator.le,
    "gt": operator.gt,
    "gte": operator.ge,
}


def inside(op, bound, value):
    low, high = entry_range("$.f", op, bound)
    return low <= entry_key("$.f", value, "doc") < high


@given(numbers, numbers, st.sampled_from(list(OPERATIONS)))
@example(0.0, -0.0, "eq")
@example(2**63, 2**63 + 1, "lt")
def test_a_range_holds_every_number_that_compares_so(value, bound, op):
    if OPERATIONS[op](value, bound):
        assert inside(op, bound, value)


@given(texts, texts, st.sampled_from(list(OPERATIONS)))
@example("ab\x01", "ab", "gt")
@example("a", "a\x05", "lt")
@example("x" * 300, "x" * 301, "lt")
@example("a\x00", "a\x01", "lt")
def test_a_range_holds_every_text_that_compares_so(value, bound, op):
    if OPERATIONS[op](value, bound):
        assert inside(op, bound, value)


@given(numbers | texts | st.booleans() | st.none(), numbers)
def test_only_numbers_are_in_a_range_of_numbers(value, bound):
    if type(value) in {str, bool, type(None)}:
        assert not any(inside(op, bound, value) for op in OPERATIONS)


def test_a_field_has_its_own_range():
    low, high = entry_range("$.a", "ne", 1)
    assert low <= entry_key("$.a", "x", "d") < high
    assert not low <= entry_key("$.ab", "x", "d") < high


def test_keys_are_short_enough_for_every_index():
    key = entry_key("$." + "f" * 198, "\U0010ffff" * 500, "k" * 900)
    assert len(key.encode()) < 2_600


@pytest.mark.parametrize("value", [[], {}, b"x", object()])
def test_only_scalars_are_indexed(value):
    assert not is_indexed(value)

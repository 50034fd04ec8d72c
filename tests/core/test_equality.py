from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given

from ramax import Ref
from ramax.core.codec import decode, encode
from ramax.core.equality import same_value
from tests._values import EVERY_TYPE, values

NOON = datetime(2024, 1, 1, 12, tzinfo=UTC)

DIFFERENT = [
    (1, True),
    (1, 1.0),
    (0.0, -0.0),
    (Decimal("1.0"), Decimal("1.00")),
    ([1], (1,)),
    ({1}, frozenset({1})),
    ({1: "a"}, {True: "a"}),
    ({1}, {1.0}),
    ([1], [1, 2]),
    ({"a": 1}, {"a": 1, "b": 2}),
    ({"a": 1, "c": 2}, {"a": 1, "b": 2}),
    ({"a": [{"b": 1}]}, {"a": [{"b": True}]}),
    (NOON, NOON.astimezone(timezone(timedelta(hours=1)))),
    (Ref("a"), Ref("b")),
    ("1", b"1"),
    (range(3), range(0, 3, 2)),
    (None, False),
]


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_values_that_differ_at_all_are_not_the_same(one, other):
    assert not same_value(one, other)
    assert not same_value([one], [other])
    assert not same_value({"in": one}, {"in": other})


def test_the_order_of_a_dict_does_not_matter_but_that_of_a_list_does():
    assert same_value({"a": 1, "b": {"c": 2, "d": 3}}, {"b": {"d": 3, "c": 2}, "a": 1})
    assert not same_value([1, 2], [2, 1])


def test_nan_is_the_same_as_nan():
    assert same_value({"a": float("nan")}, {"a": float("nan")})
    assert same_value(Decimal("NaN"), Decimal("NaN"))


def test_a_value_is_the_same_as_its_stored_self():
    assert same_value(EVERY_TYPE, decode(encode(EVERY_TYPE, "v")))


@given(values, values)
def test_what_is_written_alike_is_the_same_and_what_is_unequal_is_not(one, other):
    assert same_value(one, decode(encode(one, "v")))
    if encode(one, "v") == encode(other, "v"):
        assert same_value(one, other)
    if one != other:
        assert not same_value(one, other)

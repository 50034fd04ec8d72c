"""Filters of metadata, and what is none."""

import pytest

from ramax.datatypes.filters import compiled
from ramax.errors import VectorError

METADATA = {"lang": "en", "n": 3, "flag": True, "tags": ["a", 1], "none": None}


def f(field, op, value):
    return {"field": field, "op": op, "value": value}


@pytest.mark.parametrize(
    ("wanted", "passes"),
    [
        (f("lang", "eq", "en"), True),
        (f("lang", "eq", "de"), False),
        (f("n", "eq", 3.0), True),
        (f("flag", "eq", 1), False),
        (f("n", "eq", True), False),
        (f("missing", "eq", None), False),
        (f("none", "eq", None), True),
        (f("lang", "ne", "de"), True),
        (f("missing", "ne", 1), True),
        (f("lang", "in", ["de", "en"]), True),
        (f("lang", "in", []), False),
        (f("n", "lt", 4), True),
        (f("n", "lte", 3), True),
        (f("n", "gt", 3), False),
        (f("n", "gte", 3), True),
        (f("n", "gt", "a"), False),
        (f("flag", "lt", 5), False),
        (f("missing", "lt", 5), False),
        (f("tags", "contains", "a"), True),
        (f("tags", "contains", 1), True),
        (f("tags", "contains", True), False),
        (f("lang", "contains", "n"), True),
        (f("lang", "contains", 5), False),
        (f("n", "contains", 3), False),
        ({"and": [f("n", "eq", 3), f("lang", "eq", "en")]}, True),
        ({"and": [f("n", "eq", 3), f("lang", "eq", "de")]}, False),
        ({"or": [f("n", "eq", 4), f("lang", "eq", "en")]}, True),
        ({"or": [{"and": [f("n", "eq", 4)]}, f("lang", "eq", "de")]}, False),
        ({"and": []}, True),
        ({"or": []}, False),
    ],
)
def test_a_filter_passes_what_it_says(wanted, passes):
    test = compiled(wanted)
    assert test is not None
    assert test(METADATA) is passes


def test_no_filter_is_none():
    assert compiled(None) is None


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        [],
        5,
        "x",
        {"field": "a"},
        f("a", "like", 1),
        f(1, "eq", 1),
        f("a", "in", 5),
        {"and": 5},
        {"or": [5]},
        {"and": [], "or": []},
        {"not": []},
        {**f("a", "eq", 1), "x": 1},
    ],
)
def test_what_is_no_filter_is_refused(wrong):
    with pytest.raises(VectorError) as caught:
        compiled(wrong)
    assert caught.value.code == "data.vector"


def test_a_filter_that_nests_without_end_is_refused():
    deep = f("a", "eq", 1)
    for _ in range(40):
        deep = {"and": [deep]}
    with pytest.raises(VectorError):
        compiled(deep)

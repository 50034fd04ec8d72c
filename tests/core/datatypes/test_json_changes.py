"""Differences of JSON documents: small, and exactly what makes one of the other."""

import copy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ramax.core.datatypes.json_changes import changed, changes_between
from ramax.core.equality import same_value

scalars = st.none() | st.booleans() | st.integers(-2, 2) | st.sampled_from([0.0, 1.0, "a", "b"])
documents = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(documents, documents)
def test_the_changes_make_the_one_document_of_the_other(old, new):
    before = copy.deepcopy(old)
    changes = changes_between(old, new)
    assert same_value(old, before)
    assert same_value(changed(old, copy.deepcopy(changes)), new)
    assert bool(changes) != same_value(before, new)


def test_a_small_edit_is_a_small_change():
    long: Any = [{"n": n} for n in range(1000)]
    assert changes_between({"l": long}, {"l": [*long, 1]}) == [["splice", ["l"], 1000, 0, [1]]]
    assert changes_between({"l": long}, {"l": long[1:]}) == [["splice", ["l"], 0, 1, []]]
    edited = copy.deepcopy(long)
    edited[500]["n"] = "x"
    assert changes_between({"l": long}, {"l": edited}) == [["set", ["l", 500, "n"], "x"]]
    assert changes_between({"a": 1, "b": 2}, {"b": 2, "c": 3}) == [
        ["remove", ["a"]],
        ["set", ["c"], 3],
    ]


def test_one_and_true_are_not_the_same():
    assert changes_between([1], [True]) == [["set", [0], True]]
    assert changes_between(1, 1.0) == [["set", [], 1.0]]

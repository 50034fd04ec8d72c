"""Several names, named values, prefixes and bounds."""

from typing import Any

import pytest

from ramax.datatypes.arguments import bound, checked_prefix, named, names
from ramax.errors import DataError


def test_names_are_several_and_come_once():
    wrong: Any
    assert names(iter(["b", "a", "b"]), "names") == ["b", "a"]
    for wrong in ("ab", b"ab", 5, None, [1], [""]):
        with pytest.raises(DataError):
            names(wrong, "names")


def test_named_values_are_a_dict_or_pairs():
    wrong: Any
    assert named({"a": 1}, "names") == {"a": 1}
    assert named([("a", 1), ("a", 2)], "names") == {"a": 2}
    for wrong in ("ab", 5, None, [1], [("a",)], {1: 2}, [("", 1)]):
        with pytest.raises(DataError):
            named(wrong, "names")


def test_a_prefix_may_be_empty_and_a_bound_missing():
    wrong: Any
    assert checked_prefix("", "prefix") == ""
    assert checked_prefix("a", "prefix") == "a"
    assert bound(None, "limit") is None
    assert bound(5, "limit") == 5
    for wrong in (None, 5, "a\0", "x" * 901):
        with pytest.raises(DataError):
            checked_prefix(wrong, "prefix")
    for wrong in (-1, "1", 1.5, True):
        with pytest.raises(DataError):
            bound(wrong, "limit")

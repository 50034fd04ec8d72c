"""Following and changing JSON documents."""

from typing import Any

import pytest

from ramax.core.datatypes.json_value import (
    MISSING,
    check_json,
    look,
    merged,
    with_value,
    without_value,
)
from ramax.errors import DataError, JsonPathError

DOCUMENT: Any = {"a": {"b": [1, {"c": None}]}, "": 0}


@pytest.mark.parametrize(
    ("tokens", "value"),
    [
        ((), DOCUMENT),
        (("a", "b", 0), 1),
        (("a", "b", -1, "c"), None),
        (("",), 0),
        (("x",), MISSING),
        (("a", "b", 2), MISSING),
        (("a", "b", -3), MISSING),
        (("a", 0), MISSING),
        (("a", "b", "0"), MISSING),
        (("", "deeper"), MISSING),
    ],
)
def test_tokens_lead_to_a_value_or_to_nothing(tokens, value):
    assert look(DOCUMENT, tokens) == value or look(DOCUMENT, tokens) is value


def test_objects_on_the_way_are_made_and_nothing_else_is_touched():
    changed = with_value(DOCUMENT, ("a", "new", "deep"), 1)
    assert changed == {"a": {"b": [1, {"c": None}], "new": {"deep": 1}}, "": 0}
    assert "new" not in DOCUMENT["a"]
    assert with_value(MISSING, ("a", "b"), 1) == {"a": {"b": 1}}
    assert with_value(DOCUMENT, ("a", "b", -1), 2)["a"]["b"] == [1, 2]


@pytest.mark.parametrize(
    "tokens", [("a", "b", 2), ("a", "b", -3), ("", "x"), ("a", 0), ("a", "b", "x"), (0,)]
)
def test_a_way_through_a_scalar_or_beyond_an_array_is_refused(tokens):
    with pytest.raises(JsonPathError):
        with_value(DOCUMENT, tokens, 1)


def test_a_value_is_taken_out():
    assert without_value(DOCUMENT, ("a", "b", 0)) == {"a": {"b": [{"c": None}]}, "": 0}
    assert without_value(DOCUMENT, ("",)) == {"a": {"b": [1, {"c": None}]}}
    assert DOCUMENT["a"]["b"][0] == 1


@pytest.mark.parametrize(
    ("document", "patch", "result"),
    [  # the appendix of RFC 7396
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"a": "b"}, ["c"], ["c"]),
        ({"a": "foo"}, None, None),
        ({"a": "foo"}, "bar", "bar"),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
        (MISSING, {"a": 1}, {"a": 1}),
    ],
)
def test_a_merge_is_that_of_the_rfc(document, patch, result):
    assert merged(document, patch) == result


@pytest.mark.parametrize(
    "value",
    [float("nan"), float("inf"), 2**64, -(2**63) - 1, (1,), {1: 2}, b"a", {"a": [object()]}, {1}],
)
def test_what_json_cannot_say_is_refused(value):
    with pytest.raises(DataError):
        check_json(value, "document")


def test_what_is_too_deep_or_holds_itself_is_refused():
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(DataError, match="deeper"):
        check_json(endless, "document")
    check_json({"a": [1, -1.5, None, True, "x", 2**64 - 1, -(2**63)]}, "document")

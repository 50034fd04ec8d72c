"""Paths and patches: those of the RFCs, and clear errors for the rest."""

import copy
import sys

import pytest

from ramax.core.datatypes.json_value import MISSING
from ramax.datatypes import json_path
from ramax.datatypes.json_path import checked_patch, matches, patched, way
from ramax.errors import DataError, JsonPatchError, JsonPathError, MisuseError, PatchTestError

DOCUMENT = {"a": 1, "l": [1, 2], "o": {"x": {"y": True}}, "a/b": 0}


@pytest.mark.parametrize(
    ("path", "tokens"),
    [
        ("$", ()),
        ("$.a.b", ("a", "b")),
        ("$['a b'][0][-1]", ("a b", 0, -1)),
        ("$.ü", ("ü",)),
    ],
)
def test_a_path_to_one_value_is_tokens(path, tokens):
    assert way(path) == tokens


@pytest.mark.parametrize(
    "path",
    [
        "",
        "a",
        "$.",
        "$.a[",
        "$..a",
        "$[*]",
        "$['a','b']",
        "$[0:1]",
        "$[?@.a]",
        5,
        None,
        "$[" * 2000,
        "$" + ".a" * 600,
        "$.a | $.b",
    ],
)
def test_what_is_none_is_refused(path):
    with pytest.raises(JsonPathError) as caught:
        way(path)
    assert caught.value.code == "data.json_path"


def test_a_path_may_lead_to_several_values_where_several_are_meant():
    assert matches("$..*", {"a": [1]}) == [[1], 1]
    assert matches("$.l[?@ > 1]", DOCUMENT) == [2]
    assert matches("$.none", DOCUMENT) == []
    with pytest.raises(JsonPathError):
        matches("$.a[", DOCUMENT)


@pytest.mark.parametrize(
    ("operations", "result"),
    [
        ([{"op": "add", "path": "/l/-", "value": 3}], {**DOCUMENT, "l": [1, 2, 3]}),
        ([{"op": "add", "path": "/l/0", "value": 0}], {**DOCUMENT, "l": [0, 1, 2]}),
        ([{"op": "replace", "path": "", "value": 5}], 5),
        ([{"op": "replace", "path": "/a~1b", "value": 5}], {**DOCUMENT, "a/b": 5}),
        (
            [{"op": "move", "from": "/a", "path": "/o/z"}],
            {"l": [1, 2], "o": {"x": {"y": True}, "z": 1}, "a/b": 0},
        ),
        (
            [{"op": "copy", "from": "/o", "path": "/p"}, {"op": "remove", "path": "/p/x"}],
            {**DOCUMENT, "p": {}},
        ),
        ([{"op": "test", "path": "/a", "value": 1.0}], DOCUMENT),
        ([{"op": "test", "path": "/o", "value": {"x": {"y": True}}}], DOCUMENT),
        ([], DOCUMENT),
    ],
)
def test_a_patch_does_what_the_rfc_says(operations, result):
    checked = checked_patch(operations)
    before = copy.deepcopy(checked)
    for _ in range(2):  # a command may run again: nothing of the first run may stay
        assert patched("d", copy.deepcopy(DOCUMENT), checked) == result
    assert checked == before


@pytest.mark.parametrize(
    "operations",
    [
        "[]",
        {"op": "add"},
        5,
        None,
        [5],
        [{}],
        [{"op": "x", "path": ""}],
        [{"op": "addne", "path": "/a", "value": 1}],
        [{"op": "add", "path": "a", "value": 1}],
        [{"op": "add", "path": "/a"}],
        [{"op": "move", "path": "/a"}],
        [{"op": "add", "path": 5}],
    ],
)
def test_what_is_no_patch_is_refused(operations):
    with pytest.raises(JsonPatchError) as caught:
        checked_patch(operations)
    assert caught.value.code == "data.json_patch"


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "remove", "path": "/none"},
        {"op": "remove", "path": ""},
        {"op": "replace", "path": "/none", "value": 1},
        {"op": "add", "path": "/l/9", "value": 1},
        {"op": "add", "path": "/a/x", "value": 1},
        {"op": "move", "from": "/o", "path": "/o/x"},
        {"op": "copy", "from": "/none", "path": "/x"},
    ],
)
def test_what_does_not_fit_the_document_is_refused(operation):
    with pytest.raises(JsonPatchError):
        patched("d", copy.deepcopy(DOCUMENT), checked_patch([operation]))


@pytest.mark.parametrize(
    ("path", "value"), [("/a", True), ("/a", 2), ("/none", None), ("/l", [1]), ("/o/x/y", 1)]
)
def test_a_failing_test_is_told_from_a_bad_patch(path, value):
    with pytest.raises(PatchTestError) as caught:
        patched("d", DOCUMENT, checked_patch([{"op": "test", "path": path, "value": value}]))
    assert (caught.value.code, caught.value.key) == ("conflict.patch_test", "d")


def test_values_of_a_patch_are_json():
    with pytest.raises(DataError):
        checked_patch([{"op": "add", "path": "/a", "value": float("nan")}])
    with pytest.raises(JsonPatchError, match="no document"):
        patched("d", MISSING, [])


def test_without_the_library_the_message_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "jsonpath", None)
    json_path._library.cache_clear()
    json_path._environment.cache_clear()
    json_path._compiled.cache_clear()
    try:
        assert way("$") == ()
        with pytest.raises(MisuseError, match=r"ramax\[jsonpath\]"):
            way("$.a")
    finally:
        json_path._library.cache_clear()

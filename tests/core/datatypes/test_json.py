"""The rules of JSON documents, without a database."""

from ramax.core.datatypes import json
from ramax.core.datatypes.json_index import entry_key
from ramax.core.datatypes.json_value import MISSING, with_value
from tests.core.datatypes._states import Rules


def index_of(rules):
    return {key: value for key, value in rules.state.items() if key.startswith("x/")}


def test_an_edit_is_an_event_only_where_something_changes():
    rules = Rules(json.JSON)
    assert rules.do(json.edit, ("d", lambda _doc: {"a": 1})) == [("ramax.json.set", "ramax.json:d")]
    assert rules.do(json.edit, ("d", lambda doc: dict(doc))) == []
    assert rules.do(json.edit, ("d", lambda doc: with_value(doc, ("b",), 2))) == [
        ("ramax.json.changed", "ramax.json:d")
    ]
    assert rules.do(json.edit, ("new", lambda _doc: MISSING)) == []
    assert rules.state["v/d"] == [2, {"a": 1, "b": 2}]
    assert rules.refolded() == rules.state


def test_an_index_follows_every_change_of_a_document():
    rules = Rules(json.JSON)
    rules.do(json.put, ("old", {"n": 3}, False, None))
    rules.do(json.put, ("none", {"m": 3}, False, None))
    rules.do(json.create_index, ("$.n", ["n"]))
    assert rules.do(json.create_index, ("$.n", ["n"])) == []
    assert index_of(rules) == {entry_key("$.n", 3, "old"): "old"}
    rules.do(json.put, ("new", {"n": 4}, False, None))
    rules.do(json.edit, ("old", lambda _doc: {"n": 5}))
    expected = {entry_key("$.n", 4, "new"): "new", entry_key("$.n", 5, "old"): "old"}
    assert index_of(rules) == expected
    assert rules.refolded() == rules.state
    rules.do(json.delete, "new")
    rules.do(json.put, ("old", {"n": [1]}, False, None))
    assert index_of(rules) == {}


def test_an_index_that_is_dropped_leaves_nothing():
    rules = Rules(json.JSON)
    rules.do(json.create_index, ("$.n", ["n"]))
    rules.do(json.create_index, ("$.m", ["m"]))
    rules.do(json.put, ("d", {"n": 1, "m": 2}, False, None))
    rules.do(json.drop_index, "$.n")
    assert rules.do(json.drop_index, "$.n") == []
    assert index_of(rules) == {entry_key("$.m", 2, "d"): "d"}
    assert rules.refolded() == rules.state


def test_several_documents_are_put_at_once():
    rules = Rules(json.JSON)
    rules.do(json.put_many, {"a": 1, "b": [2]})
    assert rules.state == {"v/a": [1, 1], "v/b": [1, [2]]}

"""References inside values: finding and replacing them."""

from ramax import Ref
from ramax.core.walk import readable, refs_in, substitute

A, B, C = Ref("a"), Ref("b"), Ref("c")


def test_refs_are_found_in_every_container_in_order():
    value = {"x": A, "y": [B, (C, {"deep": [[A]]})], "n": 1}
    assert list(refs_in(value)) == [A, B, C, A]
    assert set(refs_in({A, (B, frozenset({C}))})) == {A, B, C}
    assert list(refs_in(A)) == [A]
    assert list(refs_in({"a": "b", "n": None})) == []


def test_keys_of_dicts_are_names_and_not_references():
    assert list(refs_in({A: 1, (B,): 2})) == []
    assert substitute({A: 1}, {"a": 2}) == {A: 1}


def test_refs_deeper_than_the_call_stack_are_found():
    value: object = A
    for _ in range(5000):
        value = [value]
    assert list(refs_in(value)) == [A]


def test_substitute_keeps_types_and_what_is_not_named():
    value = {"x": A, "y": [B, (A, 1)], "s": {A, B, 3}, "f": frozenset({(A,)})}
    got = substitute(value, {"a": "new"})
    assert got == {"x": "new", "y": [B, ("new", 1)], "s": {"new", B, 3}, "f": frozenset({("new",)})}
    assert [type(each) for each in got.values()] == [str, list, set, frozenset]
    assert value["x"] == A


def test_a_ref_in_a_set_stays_where_its_value_cannot_be_in_one():
    assert substitute({A, B}, {"a": {"name": "A"}, "b": 2}) == {A, 2}
    assert substitute({(A, 1)}, {"a": []}) == {(A, 1)}


def test_every_container_that_substitute_returns_is_new():
    value = {"x": {"y": [1]}, "a": A}
    got = substitute(value, {"a": 1})
    got["x"]["y"].append(2)
    assert value["x"] == {"y": [1]}


def test_only_what_can_be_a_key_is_read_and_once():
    assert readable(["a", "", "x\0y", "b", "a", "\ud800", "k" * 1025]) == ["a", "b"]

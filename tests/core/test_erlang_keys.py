import sys

import pytest
from hypothesis import given

from ramax.core import codec, erlang
from ramax.core.erlang_keys import KeyCollision
from ramax.errors import LegacyFormatError
from tests.core.terms import (
    NIL,
    a_list,
    a_map,
    a_struct,
    a_tuple,
    atom,
    binary,
    bodies,
    floating,
    integer,
    read,
    shape,
    term,
    u32,
)


@pytest.fixture
def the_usual_limit_on_the_text_of_an_int():
    before = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(4300)
    yield
    sys.set_int_max_str_digits(before)


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize(
    ("pairs", "value", "renamed"),
    [
        ([(atom("a"), 1), (binary("a"), 2)], {"a": 2, ":a": 1}, {":a"}),
        (
            [(atom("a"), 1), (binary("a"), 2), (binary(":a"), 3)],
            {"a": 2, ":a": 3, "::a": 1},
            {"::a"},
        ),
        ([(atom("true"), 1), (integer(1), 2)], {1: 2, ":true": 1}, {":true"}),
        ([(atom("false"), 1), (integer(0), 2)], {0: 2, ":false": 1}, {":false"}),
        ([(atom("nil"), 1), (binary("nil"), 2)], {None: 1, "nil": 2}, set()),
    ],
)
def test_keys_that_python_sees_as_equal_are_all_kept_and_reported(order, pairs, value, renamed):
    body = a_map(*[(key, integer(number)) for key, number in pairs[::order]])
    found, collisions = erlang.decode_with_report(term(body))
    assert shape(found) == shape(value)
    assert {collision.renamed for collision in collisions} == renamed


def test_numbers_that_python_sees_as_equal_are_all_kept():
    body = a_map(
        (integer(1), integer(10)), (floating(1.0), integer(20)), (atom("true"), integer(30))
    )
    found, collisions = erlang.decode_with_report(term(body))
    assert shape(found) == shape({1: 10, "1.0": 20, ":true": 30})
    assert collisions == (KeyCollision(1.0, "1.0"), KeyCollision(True, ":true"))


def test_keys_too_long_to_be_shown_are_kept_when_they_are_equal(
    the_usual_limit_on_the_text_of_an_int,
):
    huge = b"\x6f" + u32(3000) + b"\x00" + b"\x01" * 3000
    body = a_map(
        *[(a_tuple(huge, clash), NIL) for clash in (integer(1), floating(1.0), atom("true"))]
    )
    found, collisions = erlang.decode_with_report(term(body))
    assert len(found) == 3
    assert {type(key) for key in found} == {tuple, str}
    assert len(collisions) == 2


def test_collisions_deep_inside_are_reported_too():
    clash = a_map((atom("a"), NIL), (binary("a"), NIL))
    body = a_list(a_tuple(a_map((clash, clash))))
    _, collisions = erlang.decode_with_report(term(body))
    assert len(collisions) == 2


def test_members_of_a_set_that_python_sees_as_equal_are_all_kept():
    inner = a_map((atom("a"), NIL), (binary("a"), NIL), (a_list(integer(1)), NIL))
    found, collisions = erlang.decode_with_report(
        term(a_struct("MapSet", map=inner, version=integer(2)))
    )
    assert found == {"a", ":a", (1,)}
    assert [collision.renamed for collision in collisions] == [":a"]


@pytest.mark.parametrize(
    ("key", "frozen"),
    [
        (a_list(integer(1), a_list(integer(2))), (1, (2,))),
        (NIL, ()),
        (a_map((atom("a"), a_list(integer(1)))), frozenset({("a", (1,))})),
        (a_tuple(a_map()), (frozenset(),)),
        (
            a_struct("MapSet", map=a_map((integer(1), NIL)), version=integer(2)),
            frozenset({1}),
        ),
        (a_struct("My.Key", x=NIL), frozenset({("__struct__", "Elixir.My.Key"), ("x", ())})),
        (a_list(integer(1), tail=a_map()), None),
    ],
)
def test_a_key_that_python_cannot_hash_is_frozen(key, frozen):
    (found,) = read(a_map((key, integer(1)))).items()
    assert found[1] == 1
    if frozen is not None:
        assert shape(found[0]) == shape(frozen)
    assert codec.decode(codec.encode({found[0]: 1}, "value")) == {found[0]: 1}


def test_the_same_key_twice_is_no_map_of_erlang():
    for key in (atom("a"), binary("a"), integer(1), a_list(integer(1)), a_map()):
        with pytest.raises(LegacyFormatError, match="twice"):
            read(a_map((key, integer(1)), (key, integer(2))))


@given(bodies)
def test_no_entry_of_a_map_is_ever_lost(body):
    entries = a_map((binary("first"), body), (atom("first"), body), (integer(1), NIL))
    try:
        found = read(entries)
    except LegacyFormatError:  # a random map with a key twice
        return
    assert len(found) == 3

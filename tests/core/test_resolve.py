"""Resolving references over plain data."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ramax import Ref
from ramax.core import resolve as module
from ramax.core.resolve import check_depth, resolve
from ramax.core.walk import NOT_THERE, readable, refs_in, substitute
from ramax.errors import CircularRefError, DataError
from tests._walks import complete, graphs, run

A, B, C, D = (Ref(name) for name in "abcd")


def resolved(data, key="a", depth=None):
    return run(resolve(key, depth), data)[0]


def naive(data, key, depth, path=(), chain=()):
    """The definition: a link is replaced unless it is dangling, too deep or leads back."""
    value = data[key]
    path = (*path, key)
    chain = (*chain, key) if type(value) is Ref else ()

    def of(ref):
        if depth == 0 or ref.key not in data or ref.key not in readable([ref.key]):
            return ref
        if ref.key in chain:
            raise CircularRefError([*chain[chain.index(ref.key) :], ref.key])
        if ref.key in path:
            return ref
        return naive(data, ref.key, depth if depth is None else depth - 1, path, chain)

    return substitute(value, {ref.key: of(ref) for ref in refs_in(value)})


@settings(max_examples=400, deadline=None)
@given(data=graphs(5), depth=st.one_of(st.none(), st.integers(0, 6)))
def test_resolve_equals_a_naive_resolver(data, depth):
    if "k0" not in data:
        assert run(resolve("k0", depth), data) == (NOT_THERE, [["k0"]])
        return
    try:
        expected = naive(data, "k0", depth)
    except CircularRefError:
        with pytest.raises(CircularRefError):
            resolved(data, "k0", depth)
        return
    got, asked = run(resolve("k0", depth), data)
    assert got == expected
    flat = [key for level in asked for key in level]
    assert len(flat) == len(set(flat))
    assert depth is None or len(asked) <= depth + 1


def test_depth_counts_levels_of_references():
    data = {"a": {"to": B}, "b": {"to": C}, "c": {"end": 1}}
    assert resolved(data, depth=0) == {"to": B}
    assert resolved(data, depth=1) == {"to": {"to": C}}
    assert resolved(data, depth=2) == {"to": {"to": {"end": 1}}}
    assert resolved(data) == resolved(data, depth=99) == {"to": {"to": {"end": 1}}}


def test_links_back_stay_references():
    data = {"deck": {"cards": {"c": Ref("c")}}, "c": {"deck": Ref("deck"), "front": "hola"}}
    assert resolved(data, "deck") == {"cards": {"c": {"deck": Ref("deck"), "front": "hola"}}}
    assert resolved(data, "c") == {"deck": {"cards": {"c": Ref("c")}}, "front": "hola"}
    assert resolved({"a": {"me": A}}) == {"me": A}


def test_links_between_siblings_are_followed():
    data = {"a": [B, C], "b": {"next": C}, "c": {"prev": B}}
    assert resolved(data) == [{"next": {"prev": B}}, {"prev": {"next": C}}]


def test_dangling_references_stay():
    assert resolved({"a": [B, Ref(""), Ref("x" * 2000)]}) == [B, Ref(""), Ref("x" * 2000)]
    assert resolved({"a": B}) == B


def test_a_key_whose_value_is_a_reference_counts_as_a_level():
    data = {"a": B, "b": C, "c": 5, "d": {"x": A}}
    assert [resolved(data, depth=depth) for depth in range(4)] == [B, C, 5, 5]
    assert resolved(data, "d") == {"x": 5}


def test_a_chain_of_bare_references_that_loops_is_an_error_with_its_path():
    with pytest.raises(CircularRefError, match="a -> b -> a") as caught:
        resolved({"a": B, "b": A})
    assert caught.value.path == ("a", "b", "a")
    with pytest.raises(CircularRefError, match="a -> a"):
        resolved({"a": A})
    with pytest.raises(CircularRefError, match="b -> c -> b"):
        resolved({"a": {"x": B}, "b": C, "c": B})
    assert resolved({"a": B, "b": A}, depth=1) == A  # it went no further
    assert resolved({"a": B, "b": {"x": A}}) == {"x": A}  # not bare: a link back


def test_what_several_refer_to_is_read_once_and_resolved_everywhere():
    data = {"a": {"l": B, "r": C}, "b": {"x": D}, "c": {"x": D}, "d": {"end": 1}}
    got, asked = run(resolve("a", None), data)
    assert got == {"l": {"x": {"end": 1}}, "r": {"x": {"end": 1}}}
    assert asked == [["a"], ["b", "c"], ["d"]]


def test_diamonds_in_a_row_do_not_double():
    data = {
        f"k{n}": [{"l": Ref(f"k{n + 1}")}, {"r": Ref(f"k{n + 1}")}] for n in range(200)
    }  # 2**200 ways
    got, asked = run(resolve("k0", None), data)
    assert len(asked) == 201
    for _ in range(199):
        assert got[0]["l"] == got[1]["r"] if len(asked) < 5 else got[0]["l"] is got[1]["r"]
        got = got[1]["r"]


def test_a_chain_longer_than_the_call_stack_is_resolved():
    data = {f"k{n}": {"next": Ref(f"k{n + 1}")} for n in range(5000)}
    got = resolved(data, "k0")
    for _ in range(4999):
        got = got["next"]
    assert got == {"next": Ref("k5000")}


def test_a_complete_graph_of_200_is_two_levels_and_takes_no_time():
    data = complete(200)
    began = time.process_time()
    got, asked = run(resolve("n0", None), data)
    assert time.process_time() - began < 10  # about 0.1 s; its ways are 199! in number
    assert [len(level) for level in asked] == [1, 199]
    assert [each["name"] for each in got["links"]] == [f"n{n}" for n in range(1, 200)]
    assert got["links"][0]["links"] == data["n1"]["links"]


def test_beyond_the_bound_links_stay_that_are_on_no_shortest_way(monkeypatch):
    data = {
        "a": {"cards": [B, C]},
        "b": {"next": C, "up": A, "by": D, "sub": Ref("e")},
        "c": {"next": B, "up": A, "by": D},
        "d": {"name": "author"},
        "e": {"of": B, "x": 1},
    }
    author = {"name": "author"}
    b = {"next": C, "up": A, "by": author, "sub": {"of": B, "x": 1}}
    assert resolved(data)["cards"][0]["next"] == {"next": B, "up": A, "by": author}
    monkeypatch.setattr(module, "LINKS_UNFOLDED", 0)
    assert resolved(data) == {"cards": [b, {"next": B, "up": A, "by": author}]}


@pytest.mark.parametrize("bad", [-1, 1.0, "1", True, float("inf")])
def test_a_depth_that_is_no_number_of_levels_is_refused(bad):
    with pytest.raises(DataError, match="depth"):
        check_depth(bad)
    for good in (None, 0, 7):
        check_depth(good)

"""Queries of RFC 9535 over values that are more than JSON."""

import sys

import pytest

from ramax import Ref
from ramax.core import json_path
from ramax.core.paths import Path, at_path
from ramax.errors import DataError, MisuseError
from tests._walks import run

DATA = {
    "deck": {
        "min": 2,
        "cards": [
            {"front": "uno", "n": 1, "by": Ref("ann")},
            {"front": "dos", "n": 2, "by": Ref("bob")},
            Ref("c3"),
        ],
        "pair": ("a", "b"),
        "raw": b"xyz",
        "range": range(3),
    },
    "c3": {"front": "tres", "n": 3, "by": Ref("ann")},
    "ann": {"name": "Ann"},
    "bob": {"name": "Bob"},
}


def found(query, *, follow=False):
    return run(at_path("deck", Path(query), follow=follow), DATA)


def test_a_query_finds_members_slices_and_what_a_filter_lets_through():
    assert found("$.cards[*].front")[0] == ["uno", "dos"]
    assert found("$.cards[::-1].front")[0] == ["dos", "uno"]
    assert found("$.cards[?@.n >= $.min].front")[0] == ["dos"]
    assert found("$..front")[0] == ["uno", "dos"]
    assert found("$.pair[1]")[0] == ["b"]
    assert found("$")[0] == [DATA["deck"]]
    assert found("$.nothing")[0] == []
    assert found("$[?match(@, 'x')]")[0] == []


def test_references_are_followed_between_the_segments_when_asked():
    assert found("$.cards[*].front", follow=True) == (["uno", "dos", "tres"], [["deck"], ["c3"]])
    names, asked = found("$.cards[*].by.name", follow=True)
    assert names == ["Ann", "Bob", "Ann"]
    assert asked == [["deck"], ["c3"], ["ann", "bob"]]


def test_bytes_and_ranges_are_single_values():
    assert found("$.raw")[0] == [b"xyz"]
    for query in ("$.raw[0]", "$.raw[*]", "$.range[1]", "$.range[:2]"):
        assert found(query)[0] == []
    assert 120 not in found("$..*")[0]


def test_text_that_looks_like_json_is_text():
    walk = at_path("k", Path("$[0]"), follow=False)
    assert run(walk, {"k": "[1]"})[0] == []


def test_values_as_deep_as_can_be_stored_are_searched():
    value: object = 5
    for _ in range(255):
        value = {"a": value}
    assert run(at_path("k", Path("$..a"), follow=False), {"k": value})[0][-1] == 5


@pytest.mark.parametrize("bad", ["$.", "$[", "$.a | $.b", "$[?@.a=1]", "$.a b", "$[?nope(@)]"])
def test_what_is_no_query_is_refused(bad):
    with pytest.raises(DataError, match="RFC 9535"):
        Path(bad)


def test_without_the_library_the_message_says_what_to_install(monkeypatch):
    json_path._environment.cache_clear()
    monkeypatch.setitem(sys.modules, "jsonpath", None)
    with pytest.raises(MisuseError, match=r"ramax\[jsonpath\]"):
        Path("$.a")

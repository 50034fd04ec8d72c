"""Paths into values, over plain data."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ramax import Ref
from ramax.core.paths import ALL, Path, at_path, dotted_steps
from ramax.errors import CircularRefError, DataError
from tests._walks import run

DATA = {
    "deck:d1": {
        "name": "Spanish",
        "cards": {"c1": Ref("card:c1"), "c.2": {"front": "dos"}, "7": {"front": "siete"}},
        "tags": ["a", ("b", "c")],
        1: "one",
        "odd": {"it's": 1, 'say "hi"': 2, "a]b": 3, "back\\slash": 4, "": 5, "*": 6},
        "none": None,
        "gone": Ref("gone"),
        "bare": Ref("bare1"),
        "set": {1},
    },
    "card:c1": {"front": "uno", "deck": Ref("deck:d1"), "tr": [Ref("t1"), Ref("t2")]},
    "t1": {"text": "one", "by": Ref("ann")},
    "t2": {"text": "an", "by": Ref("ann")},
    "ann": {"name": "Ann"},
    "bare1": Ref("bare2"),
    "bare2": {"end": True},
    "loop": Ref("pool"),
    "pool": Ref("loop"),
}


def found(path, *, follow=False, key="deck:d1"):
    return run(at_path(key, Path(path), follow=follow), DATA)[0]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("name", ["Spanish"]),
        ("tags[0]", ["a"]),
        ("tags.0", ["a"]),
        ("tags[-1][1]", ["c"]),
        ("tags[1].0", ["b"]),
        ("tags[2]", []),
        ("tags[-3]", []),
        ("tags.x", []),
        ("name.x", []),
        ("none", [None]),
        ("none.x", []),
        ("nothing", []),
        ("1", ["one"]),
        ("[1]", ["one"]),
        ("cards.7.front", ["siete"]),
        ("cards[7].front", ["siete"]),
        ('cards["c.2"].front', ["dos"]),
        ("cards['c.2']['front']", ["dos"]),
        ("odd.it's", [1]),
        ("odd['it\\'s']", [1]),
        ('odd["say \\"hi\\""]', [2]),
        ('odd["a]b"]', [3]),
        ('odd["back\\\\slash"]', [4]),
        ("odd['']", [5]),
        ('odd["*"]', [6]),
        (("cards", "c.2", "front"), ["dos"]),
        (["tags", 1, 0], ["b"]),
        (("odd", "*"), [6]),
        ((), [DATA["deck:d1"]]),
        ("tags.*", ["a", ("b", "c")]),
        ("tags[*]", ["a", ("b", "c")]),
        ("odd.*", [1, 2, 3, 4, 5, 6]),
        ("set.*", [1]),
        ("name.*", []),
    ],
)
def test_a_path_leads_where_it_says(path, expected):
    assert found(path) == expected


def test_references_are_followed_only_when_asked():
    assert found("cards.c1") == [Ref("card:c1")]
    assert found("cards.c1.front") == []
    assert found("cards.c1.front", follow=True) == ["uno"]
    assert found("cards.c1", follow=True) == [DATA["card:c1"]]
    assert found("cards.c1.deck.name", follow=True) == ["Spanish"]
    assert found("bare.end", follow=True) == [True]
    assert found("gone", follow=True) == [Ref("gone")]
    assert found("gone.x", follow=True) == []
    assert found((), follow=True, key="bare1") == [{"end": True}]
    assert found("name", follow=True, key="nowhere") == []


def test_following_asks_for_each_level_at_once_and_each_key_once():
    walk = at_path("deck:d1", Path("cards.c1.tr.*.by.name"), follow=True)
    assert run(walk, DATA) == (["Ann", "Ann"], [["deck:d1"], ["card:c1"], ["t1", "t2"], ["ann"]])


def test_a_chain_of_bare_references_that_loops_is_an_error_with_its_path():
    with pytest.raises(CircularRefError, match="loop -> pool -> loop|pool -> loop -> pool"):
        found((), follow=True, key="loop")


@pytest.mark.parametrize(
    "bad", ["", ".", "a.", ".a", "a..b", "a[", "a]", "a[x]", "a[0", "a['b]", "a[0]b", "a.[0]", "[]"]
)
def test_a_path_that_breaks_off_is_refused_with_the_place(bad):
    with pytest.raises(DataError, match="path .* at character"):
        Path(bad)


@pytest.mark.parametrize(
    "bad", [None, 5, b"a", {"a": 1}, ("a", None), ("a", True), (1.5,), ("a", ALL)]
)
def test_what_is_no_path_is_refused(bad):
    with pytest.raises(DataError, match="path"):
        Path(bad)


@given(st.lists(st.text(), min_size=1, max_size=4))
def test_any_names_can_be_quoted(names):
    def quoted(name):
        return '["' + name.replace("\\", "\\\\").replace('"', '\\"') + '"]'

    assert dotted_steps("".join(map(quoted, names))) == tuple(names)

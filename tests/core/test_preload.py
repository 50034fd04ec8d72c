"""Which keys preloading asks for, over plain data."""

import pytest

from ramax import Ref
from ramax.core.preload import preload, preload_tree
from ramax.core.walk import NOT_THERE
from ramax.errors import DataError
from tests._walks import run

DATA = {
    "deck": {
        "cards": {"c1": Ref("c1"), "c2": Ref("c2")},
        "meta": {"author": Ref("ann"), "editor": Ref("bob")},
        "name": "Spanish",
    },
    "c1": {"translations": [Ref("t1"), (Ref("t2"),)], "deck": Ref("deck")},
    "c2": {"translations": {Ref("t3")}, "deck": Ref("deck")},
    "t1": {"by": Ref("ann")},
    "t2": {"by": Ref("bob")},
    "t3": {},
    "ann": {"name": "Ann"},
    "alias": Ref("deck"),
    "loop": Ref("pool"),
    "pool": Ref("loop"),
}


def asked(paths, key="deck"):
    return [sorted(level) for level in run(preload(key, preload_tree(paths)), DATA)[1]]


def test_a_path_asks_for_each_level_at_once():
    assert asked("cards") == [["deck"], ["c1", "c2"]]
    assert asked("cards.translations") == [["deck"], ["c1", "c2"], ["t1", "t2", "t3"]]
    assert asked("cards.translations.by")[3:] == [["ann", "bob"]]


@pytest.mark.parametrize(
    "paths",
    [
        {"cards": "translations"},
        {"cards": {"translations": None}},
        {"cards": ["translations"]},
        ["cards", "cards.translations"],
        ("cards", "translations"),
        [("cards", "translations")],
        "cards.*.translations",
    ],
)
def test_every_form_says_the_same(paths):
    assert asked(paths) == [["deck"], ["c1", "c2"], ["t1", "t2", "t3"]]


def test_a_nested_map_is_gone_through_and_only_the_named_field_asked_for():
    assert asked("meta.author") == [["deck"], ["ann"]]
    assert asked("meta") == [["deck"], ["ann", "bob"]]


def test_several_paths_share_levels_and_keys():
    assert asked(["cards.translations.by", "meta.author"]) == [
        ["deck"],
        ["ann", "c1", "c2"],
        ["t1", "t2", "t3"],
        ["bob"],
    ]


def test_what_is_missing_or_no_reference_is_left_alone():
    assert asked(["name", "nothing", "cards.nothing", "name.deeper"]) == [["deck"], ["c1", "c2"]]
    assert asked("cards", key="gone") == [["gone"]]
    assert run(preload("gone", {}), DATA)[0] is NOT_THERE
    assert run(preload("deck", {}), DATA)[0] == DATA["deck"]


def test_links_back_and_bare_references_end():
    assert asked("cards.deck.cards") == [["deck"], ["c1", "c2"]]
    assert asked("cards", key="alias") == [["alias"], ["deck"], ["c1", "c2"]]
    assert asked("x", key="loop") == [["loop"], ["pool"]]


@pytest.mark.parametrize("bad", [5, b"cards", "a..b", "", [5], {"a": 5}, {5.5: None}, ("a", None)])
def test_what_is_no_specification_is_refused(bad):
    with pytest.raises(DataError):
        preload_tree(bad)

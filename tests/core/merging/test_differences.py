"""What a difference is called, and what is none."""

import pytest

from ramax.core.datatypes.cells import CELLS
from ramax.core.datatypes.json import JSON
from ramax.core.datatypes.json_value import MISSING
from ramax.core.datatypes.kv import KV
from ramax.core.datatypes.log import LOG, entry_key
from ramax.core.datatypes.tree import TREE
from ramax.core.datatypes.vectors import VECTORS
from ramax.core.merging.differences import (
    BranchDiff,
    KeyChange,
    SideEvents,
    SpaceDiff,
    changes,
    counted,
    shown_key,
)
from ramax.core.merging.things import Thing


@pytest.mark.parametrize(
    ("stored", "shown"),
    [
        ("card:1", ("pstate", "card:1")),
        (KV.prefix + "k", ("kv", "k")),
        (CELLS.prefix + "v/c", ("cells", "c")),
        (JSON.prefix + "v/d", ("json", "d")),
        (LOG.prefix + entry_key(17), ("log", "17")),
        (VECTORS.prefix + "v/docs/k", ("vectors", "docs/k")),
        (VECTORS.prefix + "c/docs", ("vectors", "docs")),
        (TREE.prefix + "n/menu/home", ("tree", "menu/home")),
        (TREE.prefix + "p/menu/home", ("tree", "menu/home/properties")),
        (TREE.prefix + "c/menu/root/a/home", None),
        (CELLS.prefix + "g/c", None),
        (LOG.prefix + "head", None),
    ],
)
def test_a_stored_key_is_shown_by_type_and_name(stored, shown):
    assert shown_key(stored) == shown


def test_a_change_is_named_from_left_to_right():
    stored = [("a", 1, 2), ("b", MISSING, 2), ("c", 1, MISSING), ("d", 1, 1), ("e", 1, 1.0)]
    assert list(changes(stored, values=True)) == [
        KeyChange("pstate", "a", "changed", 1, 2),
        KeyChange("pstate", "b", "added", None, 2),
        KeyChange("pstate", "c", "removed", 1, None),
        KeyChange("pstate", "e", "changed", 1, 1.0),
    ]
    assert [(c.kind, c.old, c.new) for c in changes(stored[:3], values=False)] == [
        ("changed", None, None),
        ("added", None, None),
        ("removed", None, None),
    ]


def test_what_only_counts_is_no_difference():
    document, entry = JSON.prefix + "v/d", LOG.prefix + entry_key(1)
    collection = VECTORS.prefix + "c/docs"
    stored = [
        (document, [1, {"x": 1}], [7, {"x": 1}]),
        (entry, ["noted", {}, 1, b"h", b"g"], ["noted", {}, 2, b"i", b"g"]),
        (collection, [2, "cosine", 1, 2, 3], [2, "cosine", 4, 5, 3]),
        (LOG.prefix + "head", [1, b"h"], [1, b"i"]),
        ("both gone", MISSING, MISSING),
    ]
    assert list(changes(stored, values=True)) == []
    (change,) = changes([(document, [1, {"x": 1}], [1, {"x": 2}])], values=True)
    assert (change.old, change.new) == ({"x": 1}, {"x": 2})


def test_events_are_counted_by_type_and_by_what_they_are_about():
    things = [Thing("entity", "e"), Thing("vectors", "v", "k"), Thing("entity", "e")]
    found = counted(things)
    assert found == SideEvents(3, {"entity": 2, "vectors": 1}, {"e": 2, "v/k": 1})
    assert counted([]).count == 0


def test_a_diff_is_the_same_only_without_any_difference():
    same = SpaceDiff("s")
    assert same.same
    assert not SpaceDiff("s", left=SideEvents(1)).same
    assert BranchDiff("a", "b", (same,), unchanged=1).same
    assert not BranchDiff("a", "b", only_right=("s",)).same

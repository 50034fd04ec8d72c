"""Where nodes are: what the keys of a tree say."""

from ramax.core.datatypes.tree_places import (
    ROOT,
    TRASH,
    Place,
    above,
    child_key,
    children_prefix,
    is_live,
    place_of,
    put,
)


def test_a_node_is_at_one_place_and_among_the_children_of_one_parent():
    state: dict[str, object] = {}
    put(state, "t", "a", Place(ROOT, "V"))
    put(state, "t", "b", Place("a", "V"))
    assert list(above(state, "t", "b")) == ["a", ROOT]
    put(state, "t", "b", Place(TRASH, "W", "a"), Place("a", "V"))
    assert place_of(state, "t", "b") == Place(TRASH, "W", "a")
    assert [is_live(state, "t", node) for node in ("a", "b", ROOT, "never")] == [
        True,
        False,
        True,
        False,
    ]
    assert [key for key in state if key.startswith("c/")] == ["c/t/root/V/a", "c/t/trash/W/b"]


def test_children_lie_under_the_prefix_of_their_parent_in_their_order():
    keys = [child_key("t", node, Place("p", key)) for node, key in (("z", "V"), ("a", "V1"))]
    assert keys == sorted(keys)
    assert all(key.startswith(children_prefix("t", "p")) for key in keys)

"""The fold of tree events in any order that replicas could have: a tree, and the same one."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from ramax.core.datatypes import tree as rules
from ramax.core.datatypes.tree_places import ROOT, TRASH, above, place_of
from tests.core.datatypes._trees import Keyed, event

NODES = ["a", "b", "c", "d", "e"]


def folded(moves: list[tuple[str, str, str]]) -> Keyed:
    state = Keyed()
    for number, node in enumerate(NODES):
        created: dict[str, Any] = {"node": node, "parent": ROOT, "key": "V", "properties": {}}
        rules.was_created(state, event(number, rules.CREATED, created))
    for number, (node, parent, key) in enumerate(moves, len(NODES)):
        moved: dict[str, Any] = {"node": node, "parent": parent, "key": key}
        rules.was_moved(state, event(number, rules.MOVED, moved))
    return state


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(NODES),
            st.sampled_from([*NODES, ROOT, TRASH]),
            st.sampled_from(["U", "V", "W"]),
        ),
        max_size=30,
    )
)
def test_whatever_moves_there_are_every_node_hangs_from_the_root_or_the_trash(moves):
    state = folded(moves)
    for node in NODES:
        *_, top = above(state, "t", node)
        assert top in {ROOT, TRASH}
        place = place_of(state, "t", node)
        assert place is not None
        assert f"c/t/{place.parent}/{place.sort_key}/{node}" in state
    assert len(state.under("c/t/")) == len(NODES)

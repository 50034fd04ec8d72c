"""The fold of tree events in any order that replicas could have: a tree, and the same one."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from ramax.core.datatypes import tree as rules
from ramax.core.datatypes.tree import ROOT, TRASH, TREE
from ramax.values import applied_event

NODES = ["a", "b", "c", "d", "e"]


def event(number: int, event_type: str, payload: dict[str, Any]):
    return applied_event(number, TREE.id_of("t"), event_type, payload, number, None, None, None)


class Keyed(dict[str, Any]):
    """A state of one data type, as applicators see it."""

    def under(self, prefix: str) -> list[str]:
        return sorted(key for key in self if key.startswith(prefix))


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
        *_, top = rules.above(state, "t", node)
        assert top in {ROOT, TRASH}
        place = rules.place_of(state, "t", node)
        assert place is not None
        assert f"c/t/{place.parent}/{place.sort_key}/{node}" in state
    assert len(state.under("c/t/")) == len(NODES)


def test_a_place_between_siblings_of_one_key_is_beside_both():
    state = folded([])
    (created,) = rules.create(state, ("t", "f", (ROOT, "after", "b"), {}))
    assert created.payload["key"] > "V"
    (moved,) = rules.move(state, ("t", "a", (ROOT, "first", None)))
    assert moved.payload["key"] < "V"

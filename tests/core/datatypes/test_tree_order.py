"""The place that is asked for is the place that a node gets, whatever keys its siblings have."""

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ramax.core.datatypes import tree as rules
from ramax.core.datatypes.tree_order import place_for
from ramax.core.datatypes.tree_places import ROOT, Place, Where, put
from ramax.core.fractional import MAX_KEY_LENGTH
from ramax.core.mapping import ReadState
from ramax.core.state import SpaceState
from ramax.errors import NodeNotFoundError
from tests.core._sources import Stored
from tests.core.datatypes._trees import Keyed

KEYS = ["U", "V", "V0001", "V1", "W", "W01", "x" * MAX_KEY_LENGTH, "x" * 499 + "w"]

placed = st.lists(st.sampled_from(KEYS), max_size=8)
wishes = st.lists(
    st.tuples(
        st.booleans(), st.integers(0, 99), st.sampled_from(["before", "after", "first", "last"])
    ),
    max_size=12,
)


def wanted(siblings: list[str], node: str, where: Where) -> list[str]:
    """The order that somebody has in mind who asks for a place."""
    others = [each for each in siblings if each != node]
    if where.sibling is None:
        return [node, *others] if where.side == "first" else [*others, node]
    at = others.index(where.sibling) + (where.side == "after")
    return [*others[:at], node, *others[at:]]


@given(placed, wishes)
@example(["U", *["x" * 499 + "w"] * 3, "x" * MAX_KEY_LENGTH], [(False, 0, "after")])
def test_a_node_comes_where_it_was_asked_for(keys, wishes):
    state = Keyed()
    for number, key in enumerate(keys):
        put(state, "t", f"n{number}", Place(ROOT, key))
    for number, (new, which, side) in enumerate(wishes):
        siblings = state.children(ROOT)
        node = f"m{number}" if new or not siblings else siblings[which % len(siblings)]
        others = [each for each in siblings if each != node]
        beside = others[which % len(others)] if side in {"before", "after"} and others else None
        if side in {"before", "after"} and beside is None:
            continue
        where = Where(ROOT, side, beside)
        if node in siblings:
            state.fold(rules.move(state, ("t", node, where)))
        else:
            state.fold(rules.create(state, ("t", node, where, {})))
        assert state.children(ROOT) == wanted(siblings, node, where)


@given(st.data())
def test_it_does_among_what_replicas_inserted_apart(data):
    """Each puts nodes at the same places; then their moves are folded, and one asks for more."""
    state = Keyed()
    state.fold(rules.create(state, ("t", "a", Where(ROOT), {})))
    state.fold(rules.create(state, ("t", "b", Where(ROOT), {})))
    apart: list[list[Any]] = []
    for replica in "xyz":
        mine = Keyed(state)
        made: list[Any] = []
        for number in range(data.draw(st.integers(0, 4))):
            beside = data.draw(st.sampled_from(mine.children(ROOT)))
            where = Where(ROOT, data.draw(st.sampled_from(["before", "after"])), beside)
            events = rules.create(mine, ("t", f"{replica}{number}", where, {}))
            mine.fold(events)
            made += events
        apart.append(made)
    for made in apart:
        state.fold(made)
    siblings = state.children(ROOT)
    where = Where(ROOT, "after", data.draw(st.sampled_from(siblings)))
    events = rules.create(state, ("t", "new", where, {}))
    state.fold(events)
    assert state.children(ROOT) == wanted(siblings, "new", where)
    assert len(events) == 1  # no two have one key, so nobody else has to move


def test_what_two_replicas_put_at_one_place_has_keys_of_its_own():
    state = Keyed()
    put(state, "t", "a", Place(ROOT, "V"))
    keys = {place_for(state, "t", node, Where(ROOT, "after", "a"))[0] for node in ("x", "y", "z")}
    assert len(keys) == 3


def test_only_those_that_share_a_key_move_to_make_room():
    state = Keyed()
    for node in "abcd":
        put(state, "t", node, Place(ROOT, "V"))
    put(state, "t", "e", Place(ROOT, "W"))
    key, others = place_for(state, "t", "new", Where(ROOT, "after", "b"))
    assert [each.node for each in others] == ["c", "d"]
    assert "V" < key < others[0].key < others[1].key < "W"


def test_a_sibling_is_a_live_child_of_that_parent_and_another_node():
    state = Keyed()
    put(state, "t", "a", Place(ROOT, "V"))
    put(state, "t", "b", Place("a", "V"))
    for sibling in ("b", "gone", "x"):
        with pytest.raises(NodeNotFoundError):
            place_for(state, "t", "x", Where(ROOT, "before", sibling))


@pytest.mark.parametrize("where", [Where(ROOT), Where(ROOT, "first"), Where(ROOT, "after", "n5")])
def test_ten_thousand_siblings_are_not_read_to_place_one(where):
    stored = Stored(
        **{f"n/t/n{n}": [ROOT, f"V{n:05}1", None] for n in range(10_000)},
        **{f"c/t/root/V{n:05}1/n{n}": True for n in range(10_000)},
    )
    state = SpaceState(stored)
    key, others = place_for(ReadState(state), "t", "new", where)
    assert key and not others
    assert "*" not in stored.asked
    assert len(stored.asked) <= 4

"""Late events of an entity that stands alone: taking back and doing again is the sorted fold."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ramax.core.codec import encode
from ramax.core.datatypes.tree import CHANGED, CREATED, MOVED, TREE
from ramax.core.datatypes.tree_places import ROOT, TRASH
from ramax.core.rewind import Known, Rewindable, rewound
from ramax.errors import FoldError
from ramax.values import Event
from tests.core.datatypes._trees import event

NODES = list("abcd")


def made(number: int, what: str, node: str, parent: str, key: str, value: int) -> Event:
    match what:
        case "create":
            payload = {"node": node, "parent": parent, "key": key, "properties": {"v": value}}
            return event(number, CREATED, payload)
        case "move":
            return event(number, MOVED, {"node": node, "parent": parent, "key": key})
        case _:
            said = {"node": node, "set": {"v": value, what: value}, "unset": ["create"]}
            return event(number, CHANGED, said)


events = st.lists(
    st.tuples(
        st.sampled_from(["create", "move", "move", "set", "x"]),
        st.sampled_from(NODES),
        st.sampled_from([*NODES, ROOT, TRASH]),
        st.sampled_from(["U", "V", "W"]),
        st.integers(0, 2),
    ),
    max_size=30,
)


def oracle(found: list[Event]) -> dict[str, bytes]:
    """Every event in order, from nothing, into a plain dict."""
    state: dict[str, Any] = {}
    for each in found:
        TREE.apply(state, each)
    return {TREE.prefix + key: encode(value, key) for key, value in state.items()}


@settings(deadline=None)
@given(events, st.randoms(use_true_random=False))
def test_batches_in_any_order_of_arrival_come_to_the_sorted_fold(given_events, rng):
    """B8: after each batch the state is byte for byte that of all known events in order."""
    log = [made(number, *each) for number, each in enumerate(given_events)]
    stored: dict[str, bytes] = {}
    arriving, known = list(log), set[int]()
    rng.shuffle(arriving)
    while arriving:
        size = rng.randint(1, 8)
        batch, arriving = arriving[:size], arriving[size:]
        new = {each.space_sequence for each in batch}
        there = [each for each in log if each.space_sequence in known | new]
        changes = rewound(TREE, [Known(e, e.space_sequence in known) for e in there], "notes")
        known |= new
        for key, value in changes.items():
            assert stored.get(key) != value  # only what differs is to be written
            if value is None:
                del stored[key]
            else:
                stored[key] = value
        assert stored == oracle(there)


def test_nothing_changes_where_everything_is_known():
    log = [made(n, "create", node, ROOT, "V", 1) for n, node in enumerate(NODES)]
    assert rewound(TREE, [Known(each, folded=True) for each in log], "notes") == {}
    assert rewound(TREE, [], "notes") == {}


def test_what_cannot_be_folded_names_its_event():
    bad = event(7, MOVED, {"node": "a"})
    with pytest.raises(FoldError) as caught:
        rewound(TREE, [Known(bad, folded=False)], "notes")
    assert "notes" in str(caught.value)
    assert caught.value.sequence == 7


def test_a_state_is_as_it_was_at_the_mark_when_it_is_taken_back():
    state = Rewindable()
    state.update(a=1, b=2, c=3)
    state.mark()
    state["a"] = 10
    state["a"] = 11
    state["d"] = 4
    del state["b"]
    assert state.pop("c") == 3
    assert state.pop("never", None) is None
    assert (list(state), len(state), "b" in state) == (["a", "d"], 2, False)
    assert state.marked()["a"] == 1
    before = state.take_back()
    assert dict(state) == {"a": 1, "b": 2, "c": 3}
    assert (before["a"], before["d"], set(before)) == (11, 4, {"a", "b", "c", "d"})
    assert state.marked() == {}
    assert all(one < other for one, other in pairwise(state))

"""Late events of an entity that stands alone: taking back and doing again is the sorted fold."""

import contextlib
import random
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ramax.core.codec import encode
from ramax.core.datatypes import tree as rules
from ramax.core.datatypes.tree import CHANGED, CREATED, MOVED, TREE
from ramax.core.datatypes.tree_places import ROOT, TRASH, Side, Where, place_of
from ramax.core.rewind import Known, Rewindable, rewound
from ramax.errors import FoldError, RamaxError
from ramax.values import Event, NewEvent
from tests.core.datatypes._trees import Keyed, event

NODES = list("abcd")
HOUR = pytest.mark.timeout(3600)


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


class Copy:
    """A replica of a tree: what it knows, by place in the order of all, and what that folds to."""

    def __init__(self, number: int) -> None:
        self.number, self.clock = number, 0
        self.log: dict[int, Event] = {}
        self.stored: dict[str, bytes] = {}

    def does(self, rng: random.Random) -> None:
        """Ask for something, and fold what comes of it at once."""
        state = Keyed()
        for each in self.in_order():
            TREE.apply(state, each)
        with contextlib.suppress(RamaxError):
            for said in asked(rng, state):
                self.clock += 1
                number = self.clock * len(NODES) + self.number
                self.log[number] = event(number, said.event_type, dict(said.payload))
        self.stored = oracle(self.in_order())

    def hears(self, new: dict[int, Event]) -> None:
        """Take what others did: all that came late of it is rewound."""
        known = set(self.log)
        self.log |= new
        self.clock = max(self.log, default=0) // len(NODES) + 1
        changes = rewound(TREE, [Known(e, e.space_sequence in known) for e in self.in_order()], "n")
        for key, value in changes.items():
            assert self.stored.get(key) != value
            self.stored[key] = value or b""
            if value is None:
                del self.stored[key]

    def in_order(self) -> list[Event]:
        return [self.log[number] for number in sorted(self.log)]


def asked(rng: random.Random, state: Keyed) -> Sequence[NewEvent]:
    """Ask a tree for anything that `Tree` can ask it for."""
    node, parent = rng.choice(NODES), rng.choice([*NODES, ROOT, ROOT])
    value = rng.randrange(3)
    siblings = [each for each in state.children(parent) if each != node]
    sides: list[Side] = ["first", "last"]
    beside = rng.choice([*siblings, None])
    if beside is not None:
        sides = ["before", "after"]
    side = rng.choice(sides)
    where = Where(parent, side, beside)
    match rng.choice(["place", "place", "place", "set", "rename", "unset", "delete", "restore"]):
        case "place" if place_of(state, "t", node) is None:
            return rules.create(state, ("t", node, where, {"v": value}))
        case "place":
            return rules.move(state, ("t", node, where))
        case "delete":
            return rules.delete(state, ("t", node))
        case "restore":
            return rules.restore(state, ("t", node))
        case "unset":
            return rules.change(state, ("t", node, {}, ["v", "name"]))
        case what:
            name = "name" if what == "rename" else "v"
            return rules.change(state, ("t", node, {name: str(value)}, []))


@pytest.mark.parametrize(
    "seeds",
    [range(40), pytest.param(range(40, 4_000), marks=[pytest.mark.nightly, HOUR])],
    ids=["some", "many"],
)
def test_whatever_is_asked_of_replicas_of_a_tree_they_come_to_the_sorted_fold(seeds):
    """B8: create and move at every side, set, rename, unset, delete and restore, all cut off."""
    for seed in seeds:
        rng = random.Random(seed)
        copies = [Copy(number) for number in range(3)]
        for _ in range(40):
            rng.choice(copies).does(rng)
            if rng.random() < 0.3:
                source, target = rng.sample(copies, 2)
                target.hears({n: e for n, e in source.log.items() if n not in target.log})
        everything = {n: e for copy in copies for n, e in copy.log.items()}
        for copy in copies:
            copy.hears({n: e for n, e in everything.items() if n not in copy.log})
            assert copy.stored == oracle(copy.in_order()), seed
        assert copies[0].stored == copies[1].stored == copies[2].stored


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

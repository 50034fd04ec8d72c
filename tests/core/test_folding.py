"""Which part of the state an event changes: every fold passes here."""

from typing import Any

import pytest

from ramax.core.datatypes.cells import CELLS
from ramax.core.datatypes.kv import KV
from ramax.core.datatypes.log import LOG
from ramax.core.datatypes.vectors import VECTORS
from ramax.core.domain import Domain
from ramax.core.folding import apply_command, apply_event
from ramax.core.mapping import WriteState
from ramax.core.state import SpaceState
from ramax.errors import DataError
from ramax.values import applied_event
from tests.core._sources import Stored, packed

greedy = Domain("greedy", lambda state, _event: state.update(seen=[*state]))


def apply(state, event_type, entity_id, payload):
    event = applied_event(1, entity_id, event_type, payload, 0, None, None, None)
    apply_event(greedy, WriteState(state), state, event)


def test_an_event_of_a_data_type_goes_past_the_domain():
    state = SpaceState(Stored())
    apply(state, "ramax.kv.put", "ramax.kv:a", {"value": 1})
    assert state.pending == {"\x01kv:a": packed(1)}


def test_a_domain_sees_no_key_of_a_data_type_whatever_it_does():
    state = SpaceState(Stored(**{"\x01kv:a": 1, "mine": 2}))
    apply(state, "anything", "e", {})
    assert state.pending == {"seen": packed(["mine"])}


@pytest.mark.parametrize("unknown", ["ramax.kv.invented", "ramax.later.put", "ramax.", "ramax.x"])
def test_an_event_of_a_newer_ramax_is_not_skipped(unknown):
    with pytest.raises(DataError, match="not known to this version"):
        apply(SpaceState(Stored()), unknown, "e", {})


def vector(n):
    return {"vector": bytes(4 * n), "metadata": {"n": n}}


COMMANDS: dict[str, tuple[Domain, list[tuple[str, str, dict[str, Any]]]]] = {
    "kv": (
        KV,
        [
            ("ramax.kv.put", "ramax.kv:a", {"value": [1]}),
            ("ramax.kv.put", "ramax.kv:b", {"value": 2}),
            ("ramax.kv.deleted", "ramax.kv:b", {}),
            ("ramax.kv.put", "ramax.kv:a", {"value": [2, b"\xc4"]}),
            ("ramax.kv.deleted", "ramax.kv:old", {}),
        ],
    ),
    "log": (LOG, [(f"ramax.log.{n % 2}", "ramax.log:entries", {"n": [n]}) for n in range(5)]),
    "vectors": (
        VECTORS,
        [
            (
                "ramax.vectors.collection_created",
                "ramax.vectors:c",
                {"dimension": 2, "metric": "cosine"},
            ),
            ("ramax.vectors.upserted", "ramax.vectors:c/a", vector(2)),
            ("ramax.vectors.upserted", "ramax.vectors:c/b", vector(3)),
            ("ramax.vectors.upserted", "ramax.vectors:c/c", vector(2)),
            ("ramax.vectors.upserted", "ramax.vectors:c/a", vector(2)),
            ("ramax.vectors.deleted", "ramax.vectors:c/c", {}),
            ("ramax.vectors.collection_deleted", "ramax.vectors:c", {}),
            (
                "ramax.vectors.collection_created",
                "ramax.vectors:c",
                {"dimension": 3, "metric": "cosine"},
            ),
            ("ramax.vectors.upserted", "ramax.vectors:c/a", vector(3)),
        ],
    ),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_events_of_a_command_come_to_what_each_by_itself_comes_to(name):
    datatype, given = COMMANDS[name]
    events = [
        applied_event(n, entity_id, event_type, payload, n, None, None, None)
        for n, (event_type, entity_id, payload) in enumerate(given, 1)
    ]
    stored = {"\x01kv:old": 0, "\x01log:head": [7, bytes(32)], "\x01log:t/1": 7}
    one_by_one, at_once = SpaceState(Stored(**stored)), SpaceState(Stored(**stored))
    for event in events:
        apply_event(greedy, WriteState(one_by_one), one_by_one, event)
    apply_command(datatype, at_once, events)
    assert getattr(datatype, "replaces", False)
    assert at_once.pending == one_by_one.pending
    assert at_once.pending


def test_a_type_that_may_change_values_in_place_settles_after_each_event():
    assert not CELLS.replaces
    seen = []

    class Watched(SpaceState):
        def packed(self, key):
            seen.append(len(self.pending))
            return super().packed(key)

    state = Watched(Stored())
    events = [
        applied_event(n, "ramax.cells:c", "ramax.cells.set", {"value": n}, n, None, None, None)
        for n in (1, 2)
    ]
    apply_command(CELLS, state, events)
    assert seen[0] == 0
    assert seen[-1] > 0

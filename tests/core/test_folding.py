"""Which part of the state an event changes: every fold passes here."""

import pytest

from ramax.core.domain import Domain
from ramax.core.folding import apply_event
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

import pytest

from ramax.core.datatypes import find_type
from ramax.core.datatypes.replica import REPLICA, discarded, entity_of
from ramax.core.sync.record import DISCARDED, REFUSED
from ramax.errors import DataError
from ramax.values import applied_event

UID = bytes(range(16))


def applied(event_type, entity_id, payload):
    state: dict[str, object] = {}
    event = applied_event(1, entity_id, event_type, payload, 1, None, None, None)
    find_type(event_type).apply(state, event)
    return state


def test_a_record_is_left_out_by_an_event_that_changes_nothing():
    said = discarded(UID, "sync.unsound", "a bug")
    assert (said.event_type, said.entity_id) == (DISCARDED, REPLICA.id_of(UID.hex()))
    assert applied(said.event_type, said.entity_id, said.payload) == {}
    assert applied(REFUSED, entity_of(UID), {"record": b""}) == {}


def test_an_event_about_another_record_than_it_says_is_none():
    for entity, payload in (
        (entity_of(UID), {"uid": b"u" * 16}),
        ("ramax.replica:x", {"uid": UID}),
    ):
        with pytest.raises(ValueError, match="replica"):
            applied(DISCARDED, entity, payload)
    with pytest.raises(DataError):
        entity_of(b"short")

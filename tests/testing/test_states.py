"""`given` shows a command the same state as a store would."""

from datetime import UTC, datetime

import pytest

from ramax import DataError, Domain, MisuseError, NewEvent
from ramax.testing import given

notes = Domain("notes", entity_id=lambda payload: payload["note"])


@notes.applicator("written")
def written(state, event):
    state[event.entity_id] = {"text": event.payload["text"], "at": event.timestamp, "tags": ()}


@notes.applicator("torn up")
def torn_up(state, event):
    del state[event.entity_id]


@notes.applicator("answered")
def answered(state, event):
    return state


def write(note, text):
    return NewEvent("written", {"note": note, "text": text})


def test_folds_events_into_a_plain_dict_in_key_order():
    state = given(notes, write("b", "1"), write("a", "2"), NewEvent("torn up", {"note": "b"}))

    assert type(state) is dict
    assert list(state) == ["a"]


def test_no_events_give_an_empty_state():
    assert given(notes) == {}


def test_events_happen_at_the_given_time():
    at = datetime(2030, 5, 6, 7, 8, 9, 10, tzinfo=UTC)

    assert given(notes, write("a", "x"), at=at)["a"]["at"] == at


def test_refuses_what_a_store_would_refuse():
    with pytest.raises(DataError, match="has no entity id"):
        given(Domain("empty"), NewEvent("written", {"note": "a"}))
    with pytest.raises(DataError, match="payload of written"):
        given(notes, NewEvent("written", {"note": "a", "text": object()}))
    with pytest.raises(MisuseError, match="returned WriteState"):
        given(notes, NewEvent("answered", {"note": "a"}))
    with pytest.raises(KeyError):
        given(notes, NewEvent("torn up", {"note": "never written"}))


async def test_equals_the_state_of_a_store(db):
    events = [write("b", "1"), write("a", "2"), NewEvent("torn up", {"note": "b"})]
    store = await db.content_store("desk", notes)
    commit = await store.execute(lambda _state, _params: events)

    stored = dict([pair async for pair in store.pstate.scan()])

    assert stored == given(notes, *events, at=commit.events[0].timestamp)
    assert isinstance(stored["a"]["tags"], tuple)

"""The nouns that ramax hands out stay as they were given, compare by value and travel whole."""

import copy
import dataclasses
import pickle
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ramax.core.limits import MAX_INTEGER
from ramax.values import (
    EPOCH,
    Commit,
    Event,
    NewEvent,
    Ref,
    Space,
    applied_event,
    from_micros,
    recorded_event,
    to_micros,
)

NOON = datetime(2024, 2, 29, 12, 0, 0, 1, tzinfo=UTC)
travels = pytest.mark.parametrize(
    "travel",
    [lambda value: pickle.loads(pickle.dumps(value)), copy.copy, copy.deepcopy],
    ids=["pickle", "copy", "deepcopy"],
)


def event(**changed: Any) -> Event:
    return Event(
        **{
            "event_id": 41,
            "space_id": 7,
            "space_sequence": 3,
            "entity_id": "card:1",
            "event_type": "card.made",
            "payload": {"front": "dog"},
            "timestamp": NOON,
            "causation_id": 40,
            "correlation_id": "c",
            "metadata": {"by": "ann"},
            **changed,
        }
    )


# -- events --------------------------------------------------------------------------------------


def test_no_field_of_an_event_can_be_set_or_deleted() -> None:
    one = event()
    for name in ("event_id", "payload", "timestamp", "micros", "new"):
        with pytest.raises(AttributeError, match="immutable"):
            setattr(one, name, 1)
        with pytest.raises(AttributeError, match="immutable"):
            delattr(one, name)
    assert one == event()


def test_an_event_keeps_a_payload_of_its_own() -> None:
    payload, metadata = {"front": "dog"}, {"by": "ann"}
    one = event(payload=payload, metadata=metadata)
    payload["front"] = metadata["by"] = "changed"
    assert (one.payload, one.metadata) == ({"front": "dog"}, {"by": "ann"})


def test_an_event_under_an_applicator_has_no_ids_and_says_what_to_use_instead() -> None:
    one = applied_event(3, "card:1", "card.made", {}, to_micros(NOON), None, None, None)
    for name in ("event_id", "space_id"):
        with pytest.raises(AttributeError, match="space_sequence"):
            getattr(one, name)
    with pytest.raises(AttributeError, match="no attribute 'colour'"):
        _ = one.colour
    assert "event_id" not in repr(one)
    assert "space_sequence=3" in repr(one)
    assert one.timestamp == NOON


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("event_id", 42),
        ("space_id", 8),
        ("space_sequence", 4),
        ("entity_id", "card:2"),
        ("event_type", "card.lost"),
        ("payload", {"front": "cat"}),
        ("timestamp", NOON + timedelta(microseconds=1)),
        ("causation_id", None),
        ("correlation_id", "d"),
        ("metadata", None),
        ("tags", ("a", "b")),
        ("version", 2),
    ],
)
def test_events_differ_where_any_field_differs(name: str, other: Any) -> None:
    assert event(**{name: other}) != event()
    assert f"{name}={other!r}" in repr(event(**{name: other}))


def test_equal_events_are_one_in_a_set_however_they_were_made() -> None:
    made = recorded_event(
        41, 7, 3, "card:1", "card.made", {"front": "dog"}, to_micros(NOON), 40, "c", {"by": "ann"}
    )
    assert type(made) is Event
    assert len({made, event(), event(timestamp=NOON.astimezone(timezone(timedelta(hours=5))))}) == 1
    assert made != "an event"


@travels
def test_an_event_travels_whole(travel: Callable[[Event], Event]) -> None:
    arrived = travel(event())
    assert arrived == event()
    assert (arrived.timestamp, arrived.timestamp.tzinfo) == (NOON, UTC)


def test_a_commit_names_its_events_in_order() -> None:
    assert Commit((event(event_id=9), event(event_id=4)), 3).event_ids == (9, 4)


def test_a_commit_makes_its_events_when_they_are_asked_for_and_once() -> None:
    asked: list[int] = []

    def events() -> tuple[Event, ...]:
        asked.append(1)
        return (event(event_id=9),)

    commit = Commit(events, 3)
    assert (commit.space_sequence, asked) == (3, [])
    assert commit.events is commit.events
    assert commit == Commit((event(event_id=9),), 3, replayed=False)
    assert (commit.event_ids, asked) == ((9,), [1])


@travels
def test_a_commit_travels_whole(travel: Callable[[Commit], Commit]) -> None:
    commit = Commit(lambda: (event(),), 3, replayed=True)
    arrived = travel(commit)
    assert arrived == commit
    assert (arrived.events, arrived.replayed) == ((event(),), True)
    assert repr(arrived) == f"Commit(events={(event(),)!r}, space_sequence=3, replayed=True)"


def test_a_commit_is_immutable_and_hashable() -> None:
    commit = Commit((event(),), 3)
    with pytest.raises(AttributeError, match="immutable"):
        commit.space_sequence = 4
    with pytest.raises(AttributeError, match="immutable"):
        del commit.replayed
    assert {commit, Commit(lambda: (event(),), 3)} == {commit}
    assert commit != Commit((event(),), 4)
    assert commit != "a commit"


# -- times ---------------------------------------------------------------------------------------

MICROS = st.integers(
    to_micros(datetime.min.replace(tzinfo=UTC)), to_micros(datetime.max.replace(tzinfo=UTC))
)


@given(MICROS)
def test_microseconds_come_back_exactly(micros: int) -> None:
    assert to_micros(from_micros(micros)) == micros


@given(
    st.datetimes(min_value=datetime(2, 1, 1), max_value=datetime(9998, 1, 1)),  # noqa: DTZ001 - given a zone below
    st.integers(-14 * 60, 14 * 60),
)
def test_a_moment_is_the_same_from_every_zone(naive: datetime, minutes: int) -> None:
    moment = naive.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    back = from_micros(to_micros(moment))
    assert back == moment
    assert back.tzinfo is UTC


def test_time_is_counted_from_1970_in_microseconds() -> None:
    assert to_micros(EPOCH) == 0
    assert to_micros(datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)) == -1
    assert from_micros(86_400_000_001) == datetime(1970, 1, 2, 0, 0, 0, 1, tzinfo=UTC)


# -- references and spaces -----------------------------------------------------------------------


def test_both_forms_of_a_reference_are_the_same_pointer() -> None:
    assert Ref("card:c1") == Ref("card", "c1")
    assert Ref("card", "c1").key == "card:c1"
    assert len({Ref("card:c1"), Ref("card", "c1"), Ref("card", "c2")}) == 2
    with pytest.raises(AttributeError):
        Ref("a").key = "b"  # type: ignore[misc]


def test_what_a_space_was_made_with_cannot_be_changed_through_it() -> None:
    given_metadata = {"plan": "free"}
    space = Space(MAX_INTEGER, "acme", NOON, given_metadata)
    with pytest.raises(TypeError):
        space.metadata["plan"] = "paid"  # type: ignore[index]
    given_metadata["plan"] = "paid"
    assert space.metadata == {"plan": "free"}
    assert {space: 1}[Space(MAX_INTEGER, "acme", NOON, {"plan": "free"})] == 1


@travels
def test_a_space_travels_whole_and_stays_unchangeable(travel: Callable[[Space], Space]) -> None:
    arrived = travel(Space(7, "acme", NOON, {"plan": "free"}))
    assert arrived == Space(7, "acme", NOON, {"plan": "free"})
    with pytest.raises(TypeError):
        arrived.metadata["plan"] = "paid"  # type: ignore[index]


def test_a_new_event_shows_what_it_says() -> None:
    assert repr(NewEvent("t", {"x": 1})) == "NewEvent(event_type='t', payload={'x': 1})"
    full = NewEvent("t", {}, entity_id="e", tags=["x"], version=2)
    assert repr(full) == (
        "NewEvent(event_type='t', payload={}, entity_id='e', tags=['x'], version=2)"
    )


def test_a_new_event_is_made_whole_and_stays_as_it_is():
    new = NewEvent("t", entity_id="e", metadata={"m": 1}, tags=("x",))
    assert (new.event_type, new.payload, new.entity_id) == ("t", {}, "e")
    assert (new.causation_id, new.correlation_id, new.version) == (None, None, None)
    assert new == NewEvent("t", {}, entity_id="e", metadata={"m": 1}, tags=("x",))
    assert hash(new) == hash(NewEvent("t", {"x": 1}, entity_id="e"))
    assert new.payload is not NewEvent("t").payload
    assert dataclasses.replace(new, version=2).version == 2
    for copied in (copy.copy(new), copy.deepcopy(new), pickle.loads(pickle.dumps(new))):
        assert (copied, type(copied)) == (new, NewEvent)
    with pytest.raises(dataclasses.FrozenInstanceError):
        new.version = 3  # type: ignore[misc]
    with pytest.raises(TypeError):
        NewEvent()  # type: ignore[call-arg]


def test_a_new_event_may_be_of_a_class_of_ones_own():
    class Paid(NewEvent):
        note = "what was due"

    paid = Paid("paid", {"cents": 5}, tags=["x"])
    assert (paid.event_type, paid.payload, paid.tags, paid.note) == (
        "paid",
        {"cents": 5},
        ["x"],
        "what was due",
    )
    assert type(paid) is Paid
    with pytest.raises(dataclasses.FrozenInstanceError):
        paid.event_type = "t"  # type: ignore[misc]

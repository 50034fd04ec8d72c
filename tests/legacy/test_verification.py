import math

import pytest

from ramax import Domain
from ramax.core.codec import FORMAT_MSGPACK, encode
from ramax.core.schema import NO_SCHEMA
from ramax.errors import FoldError
from ramax.legacy import LegacyEvent, LegacyValue
from ramax.legacy.pages import PAGE
from ramax.legacy.verification import differences, fold_events
from ramax.storage.spill import Spill
from tests._cards import NEW, OLD, cards
from tests.legacy.old_files import a_count, counts


def event(sequence, n=1, **others):
    fields = {
        "event_id": sequence,
        "space_id": 1,
        "space_sequence": sequence,
        "entity_id": "e",
        "event_type": "thing.done",
        "payload": a_count(n),
        "format": "etf",
        "timestamp": 5,
        "causation_id": None,
        "correlation_id": "c",
        "created_at": None,
    }
    return LegacyEvent(**(fields | others))


def value(key, held):
    return LegacyValue(1, key, encode(held, "value"), FORMAT_MSGPACK, None)


def folded(values, memory=10_000):
    spill = Spill(memory)
    spill.update({key: encode(held, "value") for key, held in values.items()})
    return spill


def compared(new, old, memory=10_000, schema=NO_SCHEMA):
    spill = folded(new, memory)
    try:
        values = iter([value(k, v) for k, v in old.items()])
        found = differences(spill, values, "s", memory, schema)
    finally:
        spill.close()
    assert {each.space_name for each in found} <= {"s"}
    return [(each.key, each.kind) for each in found]


def test_all_events_are_folded_page_by_page():
    into = Spill(10_000)
    fold_events(counts, (event(n) for n in range(1, 2 * PAGE + 2)), "s", lambda old: old, into)
    assert dict(into.walk()) == {"count": encode({"n": 2 * PAGE + 1}, "value")}


def test_an_applicator_sees_what_the_event_says_and_the_new_cause():
    seen = []
    watching = Domain("w", event_applicator=lambda _state, e: seen.append(e))
    fold_events(watching, iter([event(3, causation_id=2)]), "s", {2: 20}.get, Spill(100))
    (found,) = seen
    assert (found.space_sequence, found.causation_id, found.correlation_id) == (3, 20, "c")
    assert (found.payload, found.micros, found.metadata) == ({"n": 1}, 5, None)


def test_an_applicator_that_fails_names_the_space_and_the_event():
    def fails(_state, _event):
        raise ZeroDivisionError

    broken = Domain("broken", event_applicator=fails)
    with pytest.raises(FoldError, match="event 7 of space 's'"):
        fold_events(broken, iter([event(7)]), "s", lambda old: old, Spill(100))


@pytest.mark.parametrize("memory", [0, 10_000])
def test_keys_on_one_side_and_other_values_are_told_in_key_order(memory):
    new = {"a": 1, "same": {"x": [1, (2,)]}, "z": 0, "other": 1}
    old = {"other": 2, "same": {"x": [1, (2,)]}, "b": 1}
    assert compared(new, old, memory) == [
        ("a", "only in the fold"),
        ("b", "only in the old pstate"),
        ("other", "differs"),
        ("z", "only in the fold"),
    ]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, 1.0),
        (1, True),
        ({"a": 1}, {"a": True}),
        ({1: "x"}, {True: "x"}),
        ([1], (1,)),
        ({1, 2}, {1.0, 2}),
        ({"a": {"b": 1}}, {"a": {"b": 2}}),
        ([1], [1, 2]),
        ({"a": 1}, {"a": 1, "b": 1}),
        ("1", b"1"),
    ],
)
def test_values_of_other_types_are_others(one, other):
    assert compared({"k": one}, {"k": other}) == [("k", "differs")]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"a": 1, "b": {"c": 1, "d": 2}}, {"b": {"d": 2, "c": 1}, "a": 1}),
        ({1, 2, "x"}, {"x", 2, 1}),
        (math.inf, math.inf),
    ],
)
def test_the_order_of_a_dict_does_not_matter(one, other):
    assert compared({"k": one}, {"k": other}) == []


def test_old_values_count_in_the_shape_in_which_they_are_read():
    schema = cards().schema
    assert compared(NEW, OLD) == [
        ("card:1", "differs"),
        ("card:2", "differs"),
        ("deck:d", "differs"),
    ]
    assert compared(NEW, OLD, schema=schema) == []
    bad = OLD | {"card:1": {"front": "x", "level": "many"}}
    assert compared(NEW, bad, schema=schema) == [("card:1", "differs")]

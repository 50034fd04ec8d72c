"""What things come to by their events, and the events that make them so."""

from datetime import UTC, datetime

import pytest

from ramax.core.datatypes import cells, json, kv, vectors
from ramax.core.datatypes.json_value import MISSING
from ramax.core.merging.contents import content, making, same_content
from ramax.core.merging.json_paths import DoesNotApplyError
from ramax.core.merging.things import Thing
from ramax.values import Event

NOW = datetime(2026, 1, 1, tzinfo=UTC)
COLLECTION = Thing("vectors", "v")
ONE, TWO = (b"\x00" * 8, {"n": 1}), (b"\x01" * 8, None)


def recorded(news):
    return [
        Event(n, 1, n, new.entity_id, new.event_type, new.payload, NOW)
        for n, new in enumerate(news, 1)
    ]


CASES = [
    (Thing("kv", "k"), [1, {"a": 1}, MISSING, None]),
    (Thing("cells", "c"), [1, MISSING, 2]),
    (Thing("json", "d"), [{"a": 1, "b": 2}, {"a": 1, "b": 3}, [1], MISSING, "x"]),
    (Thing("vectors", "v", "k"), [ONE, TWO, MISSING, ONE]),
    (COLLECTION, [(2, "cosine", {"k": ONE}), (3, "dot", {}), MISSING]),
]


@pytest.mark.parametrize(("thing", "contents"), CASES, ids=lambda each: getattr(each, "type", ""))
def test_what_is_made_is_what_it_comes_to(thing, contents):
    now, history = MISSING, []
    for wanted in contents:
        news = making(thing, wanted, now)
        history += recorded(news)
        assert same_content(content(thing, recorded(news), now), wanted)
        assert same_content(content(thing, history), wanted)
        now = wanted


def test_what_is_gone_needs_no_event_to_go():
    for thing, _ in CASES:
        assert making(thing, MISSING, MISSING) == []


def test_a_vector_of_another_dimension_does_not_apply():
    events = recorded(making(Thing("vectors", "v", "k"), ONE, MISSING))
    with pytest.raises(DoesNotApplyError):
        content(COLLECTION, events, (3, "cosine", {}))
    with pytest.raises(DoesNotApplyError):
        content(COLLECTION, events)


def test_every_type_of_event_has_a_meaning():
    gone = {kv.DELETED, cells.DELETED, json.DELETED, vectors.DELETED, vectors.DROPPED}
    for event_type in gone:
        event = Event(1, 1, 1, "e", event_type, {}, NOW)
        assert content(Thing("kv", "k"), [event], 1) is MISSING

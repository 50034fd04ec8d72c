"""A stream through upcasters: types are today's, and what is split stays together."""

from typing import Any

import pytest

from ramax import Domain, Event, NewEvent, Query


@pytest.fixture
async def store(db):
    """Old moves, which are now a leaving and an arriving, between notes; one is dropped."""
    old = await db.content_store("s")
    for n in range(4):
        await old.events.append_many(
            [
                NewEvent("moved", {"n": n}, entity_id=f"e{n % 2}", tags=["move"]),
                NewEvent("noted", {"n": n}, entity_id="e0"),
            ]
        )
    await old.events.append("e0", "moved", {"n": -1})
    return await db.content_store("s", today())


def today() -> Domain:
    domain = Domain("moves")

    @domain.upcaster("moved", from_version=1)
    def _split(event: Event) -> list[NewEvent]:
        if event.payload["n"] < 0:
            return []
        return [NewEvent("left", event.payload), NewEvent("arrived", event.payload, entity_id="x")]

    return domain


async def seen(stream: Any) -> list[tuple[int, str]]:
    return [(event.space_sequence, event.event_type) async for event in stream]


ALL = [
    (number, event_type)
    for n in range(4)
    for number, event_type in ((2 * n + 1, "left"), (2 * n + 1, "arrived"), (2 * n + 2, "noted"))
]


@pytest.mark.parametrize("batch_size", [1, 3, 100])
async def test_parts_come_in_order_and_backwards_in_reverse(store, batch_size):
    stream = store.events.stream
    assert await seen(stream(batch_size=batch_size)) == ALL
    assert await seen(stream(batch_size=batch_size, reverse=True)) == ALL[::-1]
    assert [(e.space_sequence, e.event_type) for e in await store.events.last(2)] == ALL[-3:]


@pytest.mark.parametrize("batch_size", [1, 3, 100])
async def test_a_limit_counts_stored_events_that_count(store, batch_size):
    stream = store.events.stream
    arrived = Query(types=["arrived"])
    assert await seen(stream(arrived, limit=2, batch_size=batch_size)) == [
        (1, "arrived"),
        (3, "arrived"),
    ]
    assert await seen(stream(arrived, limit=1, reverse=True, batch_size=batch_size)) == [
        (7, "arrived")
    ]
    assert await seen(stream(limit=2, batch_size=batch_size)) == ALL[:3]


async def test_types_are_todays_and_entities_and_tags_the_stored_ones(db, store):
    stream = store.events.stream
    assert await seen(stream(Query(types=["moved"]))) == []
    assert len(await seen(db.events.stream("s", Query(types=["moved"])))) == 5
    assert await seen(stream(Query(["arrived"], ["e1"]))) == [(3, "arrived"), (7, "arrived")]
    assert await seen(stream(Query(["arrived"], ["x"]))) == []
    mixed = Query(["left"], tags=["move"]) | Query(["noted"], ["e0"])
    assert await seen(stream(mixed)) == [each for each in ALL if each[1] != "arrived"]
    assert await seen(stream(Query(tags=["move"], entities=["e0"]))) == [
        (1, "left"),
        (1, "arrived"),
        (5, "left"),
        (5, "arrived"),
    ]


async def test_effects_are_in_todays_shape_too(store):
    await store.events.append(
        "e0", "moved", {"n": 9}, version=1, causation_id=1, correlation_id="c"
    )
    assert await seen(store.events.caused_by(1)) == [(10, "left"), (10, "arrived")]
    assert await seen(store.events.correlated("c", reverse=True)) == [(10, "arrived"), (10, "left")]

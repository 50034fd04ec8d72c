"""Every shape of search finds what the same query finds in memory."""

import random
from itertools import product
from typing import Any

import pytest

import ramax
from ramax import NewEvent, Query
from ramax.storage.events import FOREVER, as_event
from ramax.storage.search import read_matches, read_newest_match

TYPES, ENTITIES, TAGS = ["t1", "t2"], ["e1", "e2"], ["x", "y", "z"]


def queries() -> list[Query]:
    made = [
        Query(types, entities, tags)
        for types, entities, tags in product(
            ([], ["t1"], ["t1", "t2"], ["no"]),
            ([], ["e2"], ["e1", "e2"]),
            ([], ["x"], ["x", "y"], ["x", "y", "z"], ["no"]),
        )
    ]
    return [*made, *(made[n] | made[-n] for n in (7, 11, 23)), Query(tags=["z"]) | Query(["t2"])]


@pytest.fixture
async def space(db: ramax.Database) -> ramax.Space:
    """60 events of every mixture; another space has the same ones in another order."""
    chance = random.Random(7)
    for name in ("other", "mine"):
        await db.spaces.create(name)
        await db.events.append_many(
            name,
            [
                NewEvent(
                    chance.choice(TYPES),
                    {"n": n},
                    entity_id=chance.choice(ENTITIES),
                    tags=chance.sample(TAGS, chance.randrange(4)),
                )
                for n in range(60)
            ],
        )
    return await db.spaces.get("mine")


async def test_the_newest_match_is_the_newest(db, space):
    events = [event async for event in db.events.stream_space_events(space)]
    for query in queries():
        hits = [
            e.space_sequence for e in events if query.matches(e.event_type, e.entity_id, e.tags)
        ]
        for after, upto in ((0, 60), (0, 41), (hits[-1] if hits else 0, 60), (30, 31)):
            inside = [hit for hit in hits if after < hit <= upto]
            found = await db._core.read(
                lambda ex, q=query, a=after, u=upto: read_newest_match(
                    ex, space.space_id, q, after=a, upto=u
                )
            )
            assert found == (inside[-1] if inside else None), query


@pytest.mark.parametrize("reverse", [False, True])
async def test_pages_hold_what_matches_in_order_and_each_once(db, space, reverse):
    events = [event async for event in db.events.stream_space_events(space)]
    bounds: dict[str, Any] = {"since": -1, "until": FOREVER, "reverse": reverse}
    for query in queries():
        hits = [e for e in events if query.matches(e.event_type, e.entity_id, e.tags)]
        hits = [e for e in hits if 5 < e.space_sequence <= 55]
        for limit in (4, 100):
            rows = await db._core.read(
                lambda ex, q=query, n=limit: read_matches(
                    ex, space.space_id, q.searches, after=5, upto=55, limit=n, **bounds
                )
            )
            wanted = hits[::-1][:limit] if reverse else hits[:limit]
            assert list(map(as_event, rows)) == wanted, query

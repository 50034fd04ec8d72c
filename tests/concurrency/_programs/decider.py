"""Appends under random queries and writes down what it decided on: URL SEED TASKS EACH HOW.

HOW is `guarded`, or a way that is known to be wrong: `unguarded` looks first and appends after.
"""

import asyncio
import random
import sys

import ramax
from ramax import ConcurrencyError, NewEvent, Query
from ramax.runtime.space_events import SpaceEvents

TYPES, ENTITIES, TAGS = ["t1", "t2"], ["e1", "e2", "e3"], ["x", "y", "z"]


def some(chance: random.Random, values: list[str], most: int) -> list[str]:
    return chance.sample(values, chance.randint(0, most))


async def append_unguarded(
    events: SpaceEvents, new: list[NewEvent], query: Query, after: int
) -> None:
    async for event in events.stream_space_events(from_sequence=after):
        if query.matches(event.event_type, event.entity_id, event.tags):
            raise ConcurrencyError("s", after, event.space_sequence, query=query)
    await events.append_many(new)


async def main(url: str, seed: int, tasks: int, each: int, how: str) -> None:
    async with ramax.connect(url) as db:
        events = (await db.content_store("s")).events
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.readline)

        async def decide(number: int) -> None:
            chance = random.Random(f"{seed}-{number}")
            for _ in range(each):
                searches = [
                    (some(chance, TYPES, 1), some(chance, ENTITIES, 2), some(chance, TAGS, 2))
                    for _ in range(chance.randint(1, 2))
                ]
                query = Query(*searches[0]) | Query(*searches[-1])
                after = max(0, await events.get_space_latest_sequence() - chance.randint(0, 2))
                size = chance.randint(1, 2)
                new = [
                    NewEvent(
                        chance.choice(TYPES),
                        {"searches": searches, "after": after, "at": at},
                        entity_id=chance.choice(ENTITIES),
                        tags=some(chance, TAGS, 2),
                    )
                    for at in range(size)
                ]
                try:
                    if how == "unguarded":
                        await append_unguarded(events, new, query, after)
                    else:
                        await events.append_if(new, no_match=query, after=after)
                except ConcurrencyError:
                    sys.stdout.write("refused\n")

        await asyncio.gather(*map(decide, range(tasks)))


asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), sys.argv[5]))

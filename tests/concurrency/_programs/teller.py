"""Appends from several tasks, in every way there is: URL WRITERS EACH SPACE…

Prints how many events it committed.
"""

import asyncio
import random
import sys

import ramax
from ramax import NewEvent


async def main(url: str, writers: int, each: int, *spaces: str) -> None:
    async with ramax.connect(url) as db:
        stores = [await db.content_store(space) for space in spaces]
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.readline)
        written = 0

        async def one(store: ramax.ContentStore, index: int) -> int:
            count = 1 + index % 4
            events = [NewEvent("told", {"n": n}, entity_id=f"e{n}") for n in range(count)]
            if index % 3:
                await store.events.append_many(events)
                return count
            try:
                async with store.transaction() as tx:
                    for event in events:
                        await tx.append_many([event])
                        await asyncio.sleep(random.uniform(0, 0.01))  # it stays open meanwhile
                    if index % 5 == 0:
                        raise RuntimeError  # ids that nobody will ever see
            except RuntimeError:
                return 0
            return count

        async def writer(number: int) -> None:
            nonlocal written
            for index in range(each):
                count = await one(stores[(number + index) % len(stores)], index)
                written += count

        await asyncio.gather(*map(writer, range(writers)))
        sys.stdout.write(f"{written}\n")


asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), *sys.argv[4:]))

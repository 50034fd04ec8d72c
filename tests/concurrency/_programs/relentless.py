"""Posts as fast as it can until it is killed: URL NAME FILE SPACE…

Whatever is acknowledged is in FILE, by one write each, before the next command begins.
"""

import asyncio
import os
import sys

import ramax
from tests.concurrency._ledger import close, ledger, post

TASKS = 12


async def main(url: str, name: str, file: str, *spaces: str) -> None:
    acknowledged = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    async with ramax.connect(url, synchronous="FULL") as db:
        stores = [await db.content_store(space, ledger) for space in spaces]

        async def caller(number: int) -> None:
            index = 0
            while True:
                store = stores[(number + index) % len(stores)]
                params = {
                    "account": f"a{index % 5}",
                    "amount": 1,
                    "name": f"{name}-{number}-{index}",
                }
                if index % 11 == 10:
                    commit = await store.execute(close, params)
                elif index % 13 == 12:
                    with_two = [(post, params | {"name": f"{params['name']}.{n}"}) for n in (1, 2)]
                    commit = (await store.execute_many(with_two))[-1]
                else:
                    commit = await store.execute(post, params | {"parts": 1 + index % 4})
                for done in {event.payload["name"] for event in commit.events}:
                    os.write(acknowledged, f"{store.space.space_name} {done}\n".encode())
                index += 1

        sys.stdout.write("ready\n")
        sys.stdout.flush()
        await asyncio.gather(*map(caller, range(TASKS)))


asyncio.run(main(*sys.argv[1:]))

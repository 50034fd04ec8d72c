"""Posts commands from several tasks, in turn into several spaces: URL NAME TASKS EACH SPACE…"""

import asyncio
import sys

import ramax
from tests.concurrency._ledger import increment, ledger, post


async def main(url: str, name: str, tasks: int, each: int, *spaces: str) -> None:
    async with ramax.connect(url) as db:
        stores = [await db.content_store(space, ledger) for space in spaces]
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.readline)

        async def caller(number: int) -> None:
            for index in range(each):
                store = stores[(number + index) % len(stores)]
                if name == "increment":
                    await store.execute(increment)
                elif name == "same":  # what every process does
                    same = f"{number}-{index}"
                    params = {"account": "a", "amount": 1, "name": same, "parts": 2}
                    commit = await store.execute(post, params, idempotency_key=same)
                    sys.stdout.write(f"{same} {commit.event_ids} {commit.replayed}\n")
                else:
                    params = {"account": f"a{index % 7}", "amount": 1, "parts": 1 + index % 3}
                    params["name"] = f"{name}-{number}-{index}"
                    await store.execute(post, params)
                    sys.stdout.write(f"{store.space.space_name} {params['name']}\n")

        await asyncio.gather(*map(caller, range(tasks)))


asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), *sys.argv[5:]))

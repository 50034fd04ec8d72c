"""Runs commands whose events are projected, until it is killed or done: URL MODE WORKER COUNT

Each is known by a key of its own, so that whoever begins again repeats nothing. With MODE `async`
nobody projects but this program, beside its commands.
"""

import asyncio
import sys

import ramax
from tests._orders import add, shop


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


async def main(url: str, mode: str, worker: str, count: str) -> None:
    async with ramax.connect(url, lock_timeout=60) as db:
        store = await db.content_store("acme", shop("inline" if mode == "inline" else "async"))
        running = None
        if mode == "async":
            running = asyncio.create_task(store.run_projections(poll_interval=0.05, lease=0.5))
        say("ready")
        for number in range(int(count)):
            name = f"{worker}{number}"
            await store.execute(add, ("placed", [name]), idempotency_key=f"placed {name}")
            await store.execute(add, ("paid", [name]), idempotency_key=f"paid {name}")
        await store.wait_for("search", timeout=60)
        if running is not None:
            running.cancel()
            await asyncio.wait([running])


asyncio.run(main(*sys.argv[1:]))

"""Writes in a diary, and takes late events of another replica: URL MODE ORIGIN COUNT

Whoever begins again repeats nothing: commands have keys, and events are known by their origin.
"""

import asyncio
import sys

import ramax
from tests._diary import diary, note, write


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


async def main(url: str, mode: str, origin: str, count: str) -> None:
    async with ramax.connect(url, lock_timeout=60) as db:
        store = await db.content_store("acme", diary("inline" if mode == "inline" else "async"))
        await store.replica.enable()
        running = None
        if mode == "async":
            running = asyncio.create_task(store.run_projections(poll_interval=0.05, lease=0.5))
        say("ready")
        sys.stdin.readline()
        name = origin.encode().ljust(16, b".")
        for n in range(1, int(count) + 1):
            said = f"{origin} here {n}"
            await store.execute(write, ("p", [said]), idempotency_key=said)
            await store.replica.ingest([note(name, n, f"{origin} late {n}", n)])
            say(str(n))
        await store.wait_for("pages", timeout=60)
        if running is not None:
            running.cancel()
            await asyncio.wait([running])


asyncio.run(main(*sys.argv[1:]))

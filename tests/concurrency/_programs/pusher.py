"""Writes to a managed space for ever, with a folder as its layer, and says what is committed."""

import asyncio
import sys

import ramax
from ramax import SpaceManager
from ramax.sync import DirectoryLayer


async def main(url: str, folder: str) -> None:
    def layers_for(_ref):
        return [DirectoryLayer(folder, layer_id="backup", poll_interval=0.05)]

    async with ramax.connect(url) as db, SpaceManager(db, layers_for) as manager:
        known = await db.spaces.exists("notes")
        store = await (manager.load("notes") if known else manager.create("notes"))
        n = (await db.spaces.stats("notes")).event_count
        print("ready", flush=True)  # noqa: T201
        await asyncio.to_thread(sys.stdin.readline)
        while True:
            await store.kv.put(f"k{n}", n)
            n += 1
            print(n, flush=True)  # noqa: T201


asyncio.run(main(*sys.argv[1:]))

"""Begins to replicate spaces with a history, in small pages, until it is killed: URL SPACE…"""

import asyncio
import sys
from dataclasses import replace

import ramax
from ramax.sync import enabling


async def main(url: str, *spaces: str) -> None:
    enabling._TAIL = 40  # noqa: SLF001 - many pages of a short history
    async with ramax.connect(url) as db:
        db._core.options = replace(db._core.options, page=20)  # noqa: SLF001 - as above
        stores = [await db.content_store(space) for space in spaces]
        print("ready", flush=True)  # noqa: T201
        await asyncio.to_thread(sys.stdin.readline)
        for store in stores:
            await store.replica.enable()
            print("done", flush=True)  # noqa: T201


asyncio.run(main(*sys.argv[1:]))

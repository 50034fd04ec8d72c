"""Works on notes beside another process: URL SPACE VERSION write|read|rebuild|catch-up COUNT."""

import asyncio
import sys
from dataclasses import replace
from typing import Any

import ramax
from ramax import ContentStore
from tests._notes import NOTES, notes, some, write


async def writing(store: ContentStore, count: int) -> None:
    """Write events, a few per command, in two tasks."""

    async def task(first: int) -> None:
        for start in range(first, count, 10):
            await store.execute(write, some(start, 5))

    await asyncio.gather(task(0), task(5))


async def reading(store: ContentStore, count: int) -> None:
    """Read all notes until they are of version 2 for ``count`` times; say what was mixed."""
    keys = [f"note:{i}" for i in range(NOTES)]
    seen: set[int] = set()
    new = 0
    while new < count:
        found: dict[str, Any] = await store.pstate.get_many(keys)
        versions = {value["v"] for value in found.values()}
        if len(found) != NOTES or len(versions) != 1:
            raise AssertionError(f"{len(found)} notes of versions {versions}")
        seen |= versions
        new += versions == {2}
        if not new:
            sys.stdout.write("old\n")
            sys.stdout.flush()
    sys.stdout.write(f"saw {sorted(seen)}\n")


async def rebuilding(store: ContentStore, count: int) -> None:
    """Rebuild, saying when the first page is folded."""
    for _ in range(count):
        await store.rebuild_pstate(progress=_say)


async def catching_up(store: ContentStore, page: int) -> None:
    """Fold what is behind in pages of ``page`` events."""
    store._core.options = replace(store._core.options, page=page)
    await store.catchup_pstate()


def _say(progress: ramax.Progress) -> None:
    sys.stdout.write(f"{progress.done}\n")
    sys.stdout.flush()


async def main(url: str, space: str, version: str, what: str, count: str) -> None:
    async with ramax.connect(url) as db:
        store = await db.content_store(space, notes(int(version)))
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.readline)
        work = {"write": writing, "read": reading, "rebuild": rebuilding, "catch-up": catching_up}[
            what
        ]
        await work(store, int(count))


asyncio.run(main(*sys.argv[1:]))

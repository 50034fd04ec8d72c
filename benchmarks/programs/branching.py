"""ramax on branches: the same work on `main` and behind ten forks, forking, and comparing."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import ramax
from benchmarks.programs.filling import lengthen
from benchmarks.programs.library import change, contacts, fill
from benchmarks.work import (
    KNOWN_KEYS,
    SPACE,
    Numbers,
    Round,
    Sample,
    Work,
    drive,
    entity,
    payload,
    serve,
)

EVENTS = 11_000
"""In all, however many forks they are spread over."""


async def behind(db: ramax.Database, depth: int) -> ramax.ContentStore:
    """Write the events of a space, forking it ``depth`` times in between."""
    view, share = db, EVENTS // (depth + 1)
    for fork in range(depth + 1):
        store = await view.content_store(SPACE, contacts)
        await fill(store, share, KNOWN_KEYS)
        if fork < depth:
            await db.branches.fork("main" if not fork else f"fork-{fork - 1}", f"fork-{fork}")
            view = db.at_branch(f"fork-{fork}")
    return store


@asynccontextmanager
async def on_branch(target: str, how: str, depth: int, **options: Any) -> AsyncIterator[Round]:
    """Read or write at the end of so many forks."""
    async with ramax.connect(target, **options) as db:
        store = await behind(db, depth)
        numbers = Numbers()

        async def replay(_: int) -> None:
            assert sum([1 async for _ in store.events.stream()]) == EVENTS // (depth + 1) * (
                depth + 1
            )

        steps = {
            "entity": lambda i: store.events.get_events(entity(i % KNOWN_KEYS)),
            "fetch": lambda i: store.pstate.fetch(entity(i % KNOWN_KEYS)),
            "append": lambda i: store.events.append(entity(i), "noted", {}),
            "execute": lambda i: store.execute(change, payload(i % KNOWN_KEYS, i)),
            "replay": replay,
        }

        async def one_round(units: int) -> Sample:
            return await drive(numbers.take(units), 1, steps[how])

        yield one_round


@asynccontextmanager
async def fork(
    target: str, spaces: int, events: int, keys: int, **options: Any
) -> AsyncIterator[Round]:
    """Fork so many spaces with so many events each; a branch per unit."""
    async with ramax.connect(target, **options) as db:
        for number in range(spaces):
            await fill(await db.content_store(f"{SPACE}-{number}", contacts), keys, keys)
    if events > keys:
        await lengthen(target, keys, events // keys)
    async with ramax.connect(target, **options) as db:
        for space in await db.spaces.list_all(SPACE):
            assert await db.events.get_space_latest_sequence(space) == events
        numbers = Numbers()

        async def one_round(units: int) -> Sample:
            taken = numbers.take(units)
            sample = await drive(taken, 1, lambda i: db.branches.fork("main", f"fork-{i}"))
            for i in taken:
                await db.branches.delete(f"fork-{i}")
            return sample

        yield one_round


@asynccontextmanager
async def compare(
    target: str, how: str, spaces: int, keys: int, changed: int, **options: Any
) -> AsyncIterator[Round]:
    """Compare a fork of so many spaces with `main`; of the last one, so many keys were changed."""
    async with ramax.connect(target, **options) as db:
        for number in range(spaces):
            await fill(await db.content_store(f"{SPACE}-{number}", contacts), keys, keys)
        await db.branches.fork("main", "fork")
        last = f"{SPACE}-{spaces - 1}"
        await fill(await db.at_branch("fork").content_store(last, contacts), changed, changed)
        steps = {
            "diff": lambda _: db.branches.diff("main", "fork", domains={last: contacts}),
            "preview": lambda _: db.branches.preview_merge("fork"),
        }
        numbers = Numbers()

        async def one_round(units: int) -> Sample:
            return await drive(numbers.take(units), 1, steps[how])

        yield one_round


WORKS: dict[str, Work] = {"on_branch": on_branch, "fork": fork, "compare": compare}

if __name__ == "__main__":
    serve(WORKS)

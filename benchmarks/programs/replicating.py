"""Replicas of ramax, through its public interface: what they cost a writer, and a first sync."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import ramax
from benchmarks.programs.library import fill, stores_of
from benchmarks.work import Meter, Numbers, Round, Sample, Work, serve
from ramax import NewEvent, SpaceManager, SqlLayer

PAGE = 500


@asynccontextmanager
async def append(
    target: str, *, replicated: bool, per_commit: int, commits: int, **options: Any
) -> AsyncIterator[Round]:
    """Append events, some to a commit, in a space that is a replica or is none."""
    async with ramax.connect(target, **options) as db:
        store = await db.content_store("appended")
        if replicated:
            await store.replica.enable()
        numbers = Numbers()

        async def one_round(_: int) -> Sample:
            first = numbers.take(1)[0]
            events = [
                NewEvent("counted", {"n": first, "at": n}, entity_id=f"e{n % 50}")
                for n in range(per_commit)
            ]
            with Meter() as meter:
                for _ in range(commits):
                    await store.events.append_many(events)
            return meter.sample(per_commit * commits)

        yield one_round


@asynccontextmanager
async def first_sync(target: str, events: int, **options: Any) -> AsyncIterator[Round]:
    """Bring a log from memory into an empty space of the database, in pages of 500."""
    async with ramax.connect() as source:
        (store,) = await stores_of(source, 1)
        await fill(store, events, 1000)
        uid = (await store.replica.enable()).space_uid
        pages = [page async for page in store.replica.read({}, PAGE)]
    async with ramax.connect(target, **options) as db:
        numbers = Numbers()

        async def one_round(_: int) -> Sample:
            copy = await db.content_store(f"copy-{numbers.take(1)[0]}")
            await copy.replica.enable(uid)
            with Meter() as meter:
                for page in pages:
                    await copy.replica.ingest(page)
            return meter.sample(events)

        yield one_round


@asynccontextmanager
async def managed_sync(target: str, events: int, **options: Any) -> AsyncIterator[Round]:
    """Bring the same log there by a manager of the space, to which the database is a layer."""
    async with ramax.connect() as source, ramax.connect(target, **options) as db:
        (store,) = await stores_of(source, 1)
        await fill(store, events, 1000)
        await store.replica.enable()
        numbers = Numbers()

        async def one_round(_: int) -> Sample:
            copy = f"managed-{numbers.take(1)[0]}"
            layer = SqlLayer(db, layer_id=copy, space=copy)
            with Meter() as meter:
                async with SpaceManager(source, lambda _: [layer], flush_timeout=600) as manager:
                    await manager.load(store.space.space_name)
                    await manager.close(store.space.space_name)
            return meter.sample(events)

        yield one_round


WORKS: dict[str, Work] = {work.__name__: work for work in (append, first_sync, managed_sync)}

if __name__ == "__main__":
    serve(WORKS)

"""Subscriptions of ramax, through its public interface: one space, and all of ten thousand."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import ramax
from benchmarks.programs import filling
from benchmarks.programs.library import contacts, fill, stores_of
from benchmarks.work import Meter, Numbers, Round, Sample, Work, serve
from ramax import Subscription


async def drain(subscription: Subscription, every: int) -> Sample:
    """Read to the end; acknowledge each ``every`` events, and the last one."""
    count = 0
    with Meter() as meter:
        async with subscription as s:
            async for event in s:
                count += 1
                if count % every == 0:
                    await s.ack(event)
            await s.ack(event)
    return meter.sample(count)


@asynccontextmanager
async def subscribe(
    target: str, events: int, every: int, how: str = "ack", **options: Any
) -> AsyncIterator[Round]:
    """Follow one space; with ``how`` "run" a handler gets each event in a transaction."""
    async with ramax.connect(target, **options) as db:
        (store,) = await stores_of(db, 1)
        await fill(store, events, 1000)
        numbers = Numbers()

        async def handle(event: ramax.Event, tx: ramax.Transaction) -> None:
            """Do nothing: what is measured is the transaction and its ack."""

        async def one_round(_: int) -> Sample:
            name = f"reader-{numbers.take(1)[0]}"
            if how == "ack":
                sample = await drain(store.subscribe(name, follow=False), every)
                assert sample.units == events, sample
                return sample
            with Meter() as meter:
                async with store.subscribe(name, follow=False) as s:
                    await s.run(handle, transaction=True)
            assert await store.get_checkpoint(name) == events
            return meter.sample(events)

        yield one_round


@asynccontextmanager
async def subscribe_all(
    target: str, spaces: int, per_space: int, every: int, **options: Any
) -> AsyncIterator[Round]:
    """Follow all spaces, whose events lie between each other, from the beginning."""
    async with ramax.connect(target, **options):
        pass  # the schema
    await filling.make_spaces(target, spaces)
    async with ramax.connect(target, **options) as db:
        ids = [space.space_id for space in await db.spaces.list_all("tenant-")]
    await filling.fill(target, filling.Rows(ids, ids[0], per_space), contacts.name)
    async with ramax.connect(target, **options) as db:
        numbers = Numbers()

        async def one_round(_: int) -> Sample:
            reader = db.subscribe_all(f"reader-{numbers.take(1)[0]}", follow=False)
            sample = await drain(reader, every)
            assert sample.units == per_space * (spaces - 1) + filling.DEPTH, sample
            return sample

        yield one_round


WORKS: dict[str, Work] = {work.__name__: work for work in (subscribe, subscribe_all)}

if __name__ == "__main__":
    serve(WORKS)

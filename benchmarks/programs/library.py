"""ramax itself, through its public interface only."""

import itertools
import random
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Mapping, MutableMapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import ramax
from benchmarks.programs import filling
from benchmarks.work import (
    EVENT_TYPE,
    KNOWN_KEYS,
    SPACE,
    Meter,
    Numbers,
    Round,
    Sample,
    Work,
    drive,
    entity,
    payload,
    serve,
)
from ramax import ContentStore, Database, Domain, Event, NewEvent, Rejected

contacts = Domain("contacts", entity_id=lambda p: f"contact:{p['contact_id']}")


class ContactMissing(Rejected):
    """There is nothing to change."""


class ContactExists(Rejected):
    """It was created before."""


def create(state: Mapping[str, Any], params: dict[str, Any]) -> list[NewEvent]:
    """Create a contact: looks up a key that is not there."""
    if f"contact:{params['contact_id']}" in state:
        raise ContactExists
    return [NewEvent(EVENT_TYPE, params)]


def change(state: Mapping[str, Any], params: dict[str, Any]) -> list[NewEvent]:
    """Change a contact: reads the value that is there."""
    if state[f"contact:{params['contact_id']}"]["name"] == "":
        raise ContactMissing
    return [NewEvent(EVENT_TYPE, params)]


def import_all(_: Mapping[str, Any], rows: Sequence[dict[str, Any]]) -> list[NewEvent]:
    """Make one event of each row."""
    return [NewEvent(EVENT_TYPE, row) for row in rows]


@contacts.applicator(EVENT_TYPE)
def saved(state: MutableMapping[str, Any], event: Event) -> None:
    """Keep the newest payload of each contact."""
    state[event.entity_id] = event.payload


async def stores_of(db: Database, spaces: int) -> list[ContentStore]:
    """Open the spaces of a case."""
    return [await db.content_store(f"{SPACE}-{n}", contacts) for n in range(spaces)]


async def fill(store: ContentStore, events: int, keys: int) -> None:
    """Write events over so many keys, 1,000 a command, with their read model."""
    for first in range(0, events, 1000):
        numbers = range(first, min(first + 1000, events))
        await store.execute(import_all, [payload(i % keys) for i in numbers])


def watch(db: Database, watched: str) -> None:
    """Let somebody watch a database."""
    if watched == "nothing":
        db.observe(ramax.Observer())
    elif watched == "opentelemetry":
        from opentelemetry.sdk.metrics import MeterProvider  # noqa: PLC0415 - one case needs it
        from opentelemetry.sdk.metrics.export import InMemoryMetricReader  # noqa: PLC0415
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415

        from ramax.telemetry import instrument  # noqa: PLC0415

        meters = MeterProvider([InMemoryMetricReader()])
        instrument(db, tracer_provider=TracerProvider(), meter_provider=meters)


@asynccontextmanager
async def command(
    target: str,
    callers: int = 1,
    spaces: int = 1,
    keys: str = "new",
    watched: str = "",
    **options: Any,
) -> AsyncIterator[Round]:
    """One command at a time and caller; ``keys`` says whether it creates or changes.

    ``watched`` says who watches: nobody, an observer that does ``nothing``, ``opentelemetry``.
    """
    async with ramax.connect(target, **options) as db:
        watch(db, watched)
        stores = await stores_of(db, spaces)
        for store in stores:
            await fill(store, KNOWN_KEYS, KNOWN_KEYS)
        numbers = Numbers()
        numbers.take(KNOWN_KEYS * spaces)

        async def creating(i: int) -> None:
            await stores[i % spaces].execute(create, payload(i))

        async def changing(i: int) -> None:
            await stores[i % spaces].execute(change, payload(i // spaces % KNOWN_KEYS, i))

        async def one_round(units: int) -> Sample:
            does = creating if keys == "new" else changing
            return await drive(numbers.take(units), callers, does)

        yield one_round


@asynccontextmanager
async def batch(target: str, how: str = "execute", **options: Any) -> AsyncIterator[Round]:
    """1,000 events of new keys: by one command, or appended raw."""
    async with ramax.connect(target, **options) as db:
        (store,) = await stores_of(db, 1)
        numbers = Numbers()

        async def one_round(units: int) -> Sample:
            parts = [[payload(i) for i in numbers.take(1000)] for _ in range(units // 1000)]
            with Meter() as meter:
                for rows in parts:
                    if how == "execute":
                        await store.execute(import_all, rows)
                    else:
                        await store.events.append_many([NewEvent(EVENT_TYPE, r) for r in rows])
            return meter.sample(units)

        yield one_round


@asynccontextmanager
async def replay(target: str, events: int, keys: int, **options: Any) -> AsyncIterator[Round]:
    """Stream every event of a space into a dict."""
    async with ramax.connect(target, **options) as db:
        (store,) = await stores_of(db, 1)
        await fill(store, events, keys)

        async def one_round(_: int) -> Sample:
            state: dict[str, Any] = {}
            count = 0
            with Meter() as meter:
                async for event in store.events.stream_space_events():
                    state[event.entity_id] = event.payload
                    count += 1
            assert (count, len(state)) == (events, keys), (count, len(state))
            return meter.sample(count)

        yield one_round


@asynccontextmanager
async def rebuild(
    target: str, events: int, keys: int, start: str, **options: Any
) -> AsyncIterator[Round]:
    """Fold every event of a space anew; it starts with an ``empty`` pstate or an ``equal`` one."""
    async with ramax.connect(target, **options) as db:
        numbers = Numbers()
        rows = [payload(i % keys) for i in range(events)]

        async def prepared() -> ContentStore:
            store = await db.content_store(f"rebuild-{numbers.take(1)[0]}", contacts)
            await store.events.append_many([NewEvent(EVENT_TYPE, row) for row in rows])
            return store

        store = await prepared()
        await store.rebuild_pstate()

        async def one_round(_: int) -> Sample:
            nonlocal store
            if start == "empty":
                store = await prepared()
            with Meter() as meter:
                await store.rebuild_pstate()
            assert await store.pstate.count() == keys
            return meter.sample(events)

        yield one_round


@asynccontextmanager
async def growth(
    target: str, spaces: int, per_space: int = 300, **options: Any
) -> AsyncIterator[Round]:
    """Rebuild one space of 1,000 events among so many others, whose events lie between its own."""
    async with ramax.connect(target, **options):
        pass  # the schema
    await filling.make_spaces(target, spaces)
    async with ramax.connect(target, **options) as db:
        ids = [space.space_id for space in await db.spaces.list_all("tenant-")]
    measured = ids[spaces // 2]
    await filling.fill(target, filling.Rows(ids, measured, per_space), contacts.name)
    async with ramax.connect(target, **options) as db:
        space = await db.spaces.get(measured)
        store = await db.content_store(space.space_name, contacts)
        assert await store.rebuild_pstate() == filling.DEPTH

        async def one_round(units: int) -> Sample:
            latencies = []
            with Meter() as meter:
                for _ in range(units):
                    started = time.perf_counter()
                    await store.rebuild_pstate()
                    latencies.append(time.perf_counter() - started)
            return meter.sample(units * filling.DEPTH, latencies)

        yield one_round


@asynccontextmanager
async def create_space(target: str, **options: Any) -> AsyncIterator[Round]:
    """Create spaces, one after the other."""
    async with ramax.connect(target, **options) as db:
        numbers = Numbers()

        async def one(i: int) -> None:
            await db.spaces.create(f"tenant-{i}")

        yield lambda units: drive(numbers.take(units), 1, one)


@asynccontextmanager
async def find_space(target: str, **options: Any) -> AsyncIterator[Round]:
    """Look spaces up by name, among 1,000."""
    async with ramax.connect(target, **options):
        pass  # the schema
    await filling.make_spaces(target, 1000)
    async with ramax.connect(target, **options) as db:
        numbers = Numbers()

        async def one(i: int) -> None:
            assert await db.spaces.find_by_name(f"tenant-{i * 7 % 1000}")

        yield lambda units: drive(numbers.take(units), 1, one)


@asynccontextmanager
async def append_one(target: str, **options: Any) -> AsyncIterator[Round]:
    """Append single events, without a command."""
    async with ramax.connect(target, **options) as db:
        (store,) = await stores_of(db, 1)
        numbers = Numbers()

        async def one(i: int) -> None:
            await store.events.append(entity(i), EVENT_TYPE, payload(i))

        yield lambda units: drive(numbers.take(units), 1, one)


READ_KEYS = 10_000


@asynccontextmanager
async def read(target: str, how: str, **options: Any) -> AsyncIterator[Round]:
    """Read keys in random order: from memory, alone, by 100 callers, or 100 in a call."""
    cache: Any = "exclusive" if how == "cached" else "shared"
    async with ramax.connect(target, cache=cache, **options) as db:
        (store,) = await stores_of(db, 1)
        await fill(store, READ_KEYS, READ_KEYS)
        keys = [entity(i) for i in range(READ_KEYS)]
        random.Random(1).shuffle(keys)
        fetch, get_many = store.pstate.fetch, store.pstate.get_many

        async def one(i: int) -> None:
            await fetch(keys[i % READ_KEYS])

        async def hundred(i: int) -> None:
            first = i * 100 % READ_KEYS
            assert len(await get_many(keys[first : first + 100])) == 100

        numbers = Numbers()

        async def one_round(units: int) -> Sample:
            if how == "cached":  # no latencies: reading the clock would cost more than the read
                with Meter() as meter:
                    for key in itertools.islice(itertools.cycle(keys), units):
                        await fetch(key)
                return meter.sample(units)
            if how == "get_many":
                sample = await drive(numbers.take(units // 100), 1, hundred)
                return replace(sample, units=units)
            return await drive(numbers.take(units), 100 if how == "many" else 1, one)

        yield one_round


@asynccontextmanager
async def memory(target: str, how: str, events: int, **options: Any) -> AsyncIterator[Round]:
    """Bytes that a stream or a rebuild adds to the peak of a process of its own."""
    async with ramax.connect(target, **options) as db:
        (store,) = await stores_of(db, 1)
        await fill(store, events, 1000)

    def one_round(_: int) -> Sample:
        with Meter() as meter:
            added = output_of(["-m", "benchmarks.programs.memory", target, how])
        return meter.sample(events, note=float(added))

    yield one_round


@asynccontextmanager
async def importing(target: str, modules: str) -> AsyncIterator[Round]:
    """Import modules in a new interpreter; the latencies are what it measured itself."""
    assert not target
    program = (
        f"import time; t = time.perf_counter(); import {modules}; print(time.perf_counter() - t)"
    )

    def one_round(units: int) -> Sample:
        seconds = [float(output_of(["-c", program])) for _ in range(units)]
        meter = Meter()
        meter.seconds, meter.cpu = sum(seconds), 0.0
        return meter.sample(units, seconds)

    yield one_round


def output_of(arguments: list[str]) -> str:
    """Run this Python once and return what it printed."""
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, check=True
    ).stdout


WORKS: dict[str, Work] = {
    work.__name__: work
    for work in (
        command,
        batch,
        replay,
        rebuild,
        growth,
        create_space,
        find_space,
        append_one,
        read,
        memory,
        importing,
    )
}

if __name__ == "__main__":
    serve(WORKS)

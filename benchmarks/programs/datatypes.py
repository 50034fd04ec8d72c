"""The data types of ramax, through its public interface only."""

import random
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from itertools import islice
from typing import Any, Literal

import ramax
from benchmarks.work import (
    DIMENSION,
    Meter,
    Numbers,
    Round,
    Sample,
    Work,
    drive,
    payload,
    serve,
    vectors_made,
)

PAGE = 1000


@asynccontextmanager
async def _store(
    target: str,
    synchronous: str,
    cache: Literal["shared", "exclusive"] = "shared",
    **options: Any,
) -> AsyncIterator[ramax.ContentStore]:
    async with ramax.connect(target, synchronous=synchronous, cache=cache, **options) as db:
        yield await db.content_store("bench")


def _one_by_one(operation: Any) -> Any:
    @asynccontextmanager
    async def work(target: str, synchronous: str) -> AsyncIterator[Round]:
        async with _store(target, synchronous) as store:
            numbers = Numbers()

            async def one_round(units: int) -> Sample:
                return await drive(numbers.take(units), 1, lambda i: operation(store, i))

            yield one_round

    return work


kv_put = _one_by_one(lambda store, i: store.kv.put(f"k{i}", payload(i)))
log_append = _one_by_one(lambda store, i: store.log.append("saved", payload(i)))
json_set = _one_by_one(lambda store, i: store.json.set(f"k{i % 1000}", payload(i)))


def _reading(cache: Literal["shared", "exclusive"]) -> Any:
    @asynccontextmanager
    async def work(target: str, synchronous: str) -> AsyncIterator[Round]:
        async with _store(target, synchronous, cache) as store:
            await store.kv.put_many({f"k{i}": payload(i) for i in range(10_000)})
            numbers = Numbers()

            async def one_round(units: int) -> Sample:
                return await drive(numbers.take(units), 1, lambda i: store.kv.get(f"k{i % 10_000}"))

            yield one_round

    return work


kv_get, kv_get_cached = _reading("shared"), _reading("exclusive")


@asynccontextmanager
async def json_get(target: str, synchronous: str) -> AsyncIterator[Round]:
    """Read one field of one document of 1,000 at a time."""
    async with _store(target, synchronous) as store:
        for i in range(1000):
            await store.json.set(f"k{i}", payload(i))
        numbers = Numbers()

        async def one_round(units: int) -> Sample:
            return await drive(
                numbers.take(units), 1, lambda i: store.json.get(f"k{i % 1000}", "$.name")
            )

        yield one_round


@asynccontextmanager
async def kv_batch(target: str, synchronous: str) -> AsyncIterator[Round]:
    """1,000 keys in one call."""
    async with _store(target, synchronous) as store:
        numbers = Numbers()

        async def one_round(units: int) -> Sample:
            with Meter() as meter:
                for _ in range(units // PAGE):
                    await store.kv.put_many({f"k{i}": payload(i) for i in numbers.take(PAGE)})
            return meter.sample(units)

        yield one_round


@asynccontextmanager
async def kv_list(target: str, synchronous: str) -> AsyncIterator[Round]:
    """List 10,000 keys."""
    async with _store(target, synchronous) as store:
        await store.kv.put_many({f"k{i}": payload(i) for i in range(10_000)})

        async def one_round(units: int) -> Sample:
            with Meter() as meter:
                for _ in range(units // 10_000):
                    assert len(await store.kv.list()) == 10_000
            return meter.sample(units)

        yield one_round


@asynccontextmanager
async def log_batch(target: str, synchronous: str) -> AsyncIterator[Round]:
    """1,000 entries in one call."""
    async with _store(target, synchronous) as store:
        numbers = Numbers()

        async def one_round(units: int) -> Sample:
            with Meter() as meter:
                for _ in range(units // PAGE):
                    rows = [("saved", payload(i)) for i in numbers.take(PAGE)]
                    await store.log.append_many(rows)
            return meter.sample(units)

        yield one_round


@asynccontextmanager
async def log_range(target: str, synchronous: str) -> AsyncIterator[Round]:
    """Read 10,000 entries."""
    async with _store(target, synchronous) as store:
        for first in range(0, 10_000, PAGE):
            rows = [("saved", payload(i)) for i in range(first, first + PAGE)]
            await store.log.append_many(rows)

        async def one_round(units: int) -> Sample:
            with Meter() as meter:
                for _ in range(units // 10_000):
                    assert len(await store.log.range()) == 10_000
            return meter.sample(units)

        yield one_round


async def _extend(target: str) -> None:
    async with ramax.connect(target) as db, db.engine.begin() as connection:
        await connection.exec_driver_sql("CREATE EXTENSION IF NOT EXISTS vector")


def _around(topics: int) -> Iterator[list[float]]:
    """Make vectors that each lie around one of the topics, always the same; 0: around nothing."""
    made, chance = vectors_made(), random.Random(7)
    centres = list(islice(made, topics)) or [[0.0] * DIMENSION]
    for each in made:
        yield [a + b for a, b in zip(chance.choice(centres), each, strict=True)]


@asynccontextmanager
async def vector_search(
    target: str,
    synchronous: str,
    vectors: int,
    topics: int = 0,
    index: str = "exact",
    *,
    pgvector: bool = False,
) -> AsyncIterator[Round]:
    """Find the 10 nearest."""
    if pgvector:
        await _extend(target)
    made = _around(topics)
    async with _store(target, synchronous, pgvector=pgvector) as store:
        await store.vectors.create_collection("c", DIMENSION, index=index)
        for first in range(0, vectors, PAGE):
            rows = [(f"v{i}", next(made), None) for i in range(first, first + PAGE)]
            await store.vectors.upsert_many("c", rows)
        numbers = Numbers()
        wanted = [next(made) for _ in range(100)]
        await store.vectors.search("c", wanted[0], 10)

        async def one_round(units: int) -> Sample:
            return await drive(
                numbers.take(units), 1, lambda i: store.vectors.search("c", wanted[i % 100], 10)
            )

        yield one_round


WORKS: dict[str, Work] = {
    "kv_put": kv_put,
    "kv_get": kv_get,
    "kv_get_cached": kv_get_cached,
    "kv_batch": kv_batch,
    "kv_list": kv_list,
    "log_append": log_append,
    "log_batch": log_batch,
    "log_range": log_range,
    "json_set": json_set,
    "json_get": json_get,
    "vector_search": vector_search,
}

if __name__ == "__main__":
    serve(WORKS)

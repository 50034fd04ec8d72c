"""The rival `stratadb`: an embedded engine; its log alone, as it has no transactions for more."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import stratadb  # type: ignore[import-not-found]

from benchmarks.work import (
    DIMENSION,
    EVENT_TYPE,
    Meter,
    Numbers,
    Round,
    Sample,
    Work,
    drive_sync,
    payload,
    serve,
    vectors_made,
)


@asynccontextmanager
async def command(target: str, durability: str) -> AsyncIterator[Round]:
    """Append one event per command; no read model, no checkpoint."""
    with stratadb.open(target, durability=durability) as db:
        numbers = Numbers()

        def one_round(units: int) -> Sample:
            return drive_sync(
                numbers.take(units), lambda i: db.events.append(EVENT_TYPE, payload(i))
            )

        yield one_round


@asynccontextmanager
async def batch(target: str, durability: str) -> AsyncIterator[Round]:
    """1,000 events in one call."""
    with stratadb.open(target, durability=durability) as db:
        numbers = Numbers()

        def one_round(units: int) -> Sample:
            with Meter() as meter:
                for _ in range(units // 1000):
                    rows = [(EVENT_TYPE, payload(i)) for i in numbers.take(1000)]
                    db.events.append_many(rows)
            return meter.sample(units)

        yield one_round


@asynccontextmanager
async def replay(target: str, durability: str, events: int, keys: int) -> AsyncIterator[Round]:
    """Read every event into a dict."""
    with stratadb.open(target, durability=durability) as db:
        for first in range(0, events, 1000):
            db.events.append_many(
                [(EVENT_TYPE, payload(i % keys)) for i in range(first, first + 1000)]
            )

        def one_round(_: int) -> Sample:
            state: dict[str, Any] = {}
            count = 0
            with Meter() as meter:
                while page := db.events.range(count, end=count + 1000).items:
                    for found in page:
                        state[found.event.payload["contact_id"]] = found.event.payload
                    count += len(page)
            assert (count, len(state)) == (events, keys), (count, len(state))
            return meter.sample(count)

        yield one_round


def _one_by_one(operation: Any, prepare: Any = None) -> Any:
    @asynccontextmanager
    async def work(target: str, durability: str) -> AsyncIterator[Round]:
        with stratadb.open(target, durability=durability) as db:
            if prepare is not None:
                prepare(db)
            numbers = Numbers()

            def one_round(units: int) -> Sample:
                return drive_sync(numbers.take(units), lambda i: operation(db, i))

            yield one_round

    return work


def _whole(size: int, operation: Any, prepare: Any = None) -> Any:
    """Operations on ``size`` things at once; ``operation`` takes their numbers."""

    @asynccontextmanager
    async def work(target: str, durability: str) -> AsyncIterator[Round]:
        with stratadb.open(target, durability=durability) as db:
            if prepare is not None:
                prepare(db)
            numbers = Numbers()

            def one_round(units: int) -> Sample:
                with Meter() as meter:
                    for _ in range(units // size):
                        operation(db, numbers.take(size))
                return meter.sample(units)

            yield one_round

    return work


def _text(i: int) -> str:
    return json.dumps(payload(i))


def _keys(db: Any) -> None:
    for first in range(0, 10_000, 1000):
        db.kv.put_many([(f"k{i}", _text(i)) for i in range(first, first + 1000)])


def _entries(db: Any) -> None:
    for first in range(0, 10_000, 1000):
        db.events.append_many([(EVENT_TYPE, payload(i)) for i in range(first, first + 1000)])


def _documents(db: Any) -> None:
    for i in range(1000):
        db.json.set(f"k{i}", payload(i))


def _list_all(db: Any, _: range) -> None:
    assert sum(1 for _ in db.kv.iter_keys()) == 10_000


def _read_all(db: Any, _: range) -> None:
    assert len(db.events.range(0, end=10_000, limit=10_000).items) == 10_000


@asynccontextmanager
async def vector_search(target: str, durability: str, vectors: int) -> AsyncIterator[Round]:
    """Find the 10 nearest of vectors of 128 numbers."""
    made = vectors_made()
    with stratadb.open(target, durability=durability) as db:
        db.vectors.create_collection("c", DIMENSION)
        for first in range(0, vectors, 1000):
            db.vectors.upsert_many(
                "c", [{"key": f"v{i}", "vector": next(made)} for i in range(first, first + 1000)]
            )
        wanted = [next(made) for _ in range(100)]
        numbers = Numbers()

        def one_round(units: int) -> Sample:
            return drive_sync(
                numbers.take(units), lambda i: db.vectors.query("c", wanted[i % 100], k=10)
            )

        yield one_round


WORKS: dict[str, Work] = {
    "command": command,
    "batch": batch,
    "replay": replay,
    "kv_put": _one_by_one(lambda db, i: db.kv.put(f"k{i}", _text(i))),
    "kv_get": _one_by_one(lambda db, i: json.loads(db.kv.get(f"k{i % 10_000}")), _keys),
    "kv_batch": _whole(
        1000, lambda db, numbers: db.kv.put_many([(f"k{i}", _text(i)) for i in numbers])
    ),
    "kv_list": _whole(10_000, _list_all, _keys),
    "log_append": _one_by_one(lambda db, i: db.events.append(EVENT_TYPE, payload(i))),
    "log_batch": _whole(
        1000,
        lambda db, numbers: db.events.append_many([(EVENT_TYPE, payload(i)) for i in numbers]),
    ),
    "log_range": _whole(10_000, _read_all, _entries),
    "json_set": _one_by_one(lambda db, i: db.json.set(f"k{i % 1000}", payload(i))),
    "json_get": _one_by_one(lambda db, i: db.json.get(f"k{i % 1000}", "$.name"), _documents),
    "vector_search": vector_search,
}

if __name__ == "__main__":
    serve(WORKS)

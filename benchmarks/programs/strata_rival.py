"""The rival `stratadb`: an embedded engine; its log alone, as it has no transactions for more."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import stratadb  # type: ignore[import-not-found]

from benchmarks.work import (
    EVENT_TYPE,
    Meter,
    Numbers,
    Round,
    Sample,
    Work,
    drive_sync,
    payload,
    serve,
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


WORKS: dict[str, Work] = {"command": command, "batch": batch, "replay": replay}

if __name__ == "__main__":
    serve(WORKS)

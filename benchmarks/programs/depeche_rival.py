"""The rival `depeche-db` on PostgreSQL: its message store, no read model; threads."""

import datetime as dt
import uuid
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from depeche_db import MessageStore  # type: ignore[import-not-found]

from benchmarks.work import (
    KNOWN_KEYS,
    Meter,
    Numbers,
    Round,
    Sample,
    Work,
    drive_sync,
    drive_threads,
    payload,
    serve,
)


@dataclass
class ContactSaved:
    """The message of every command."""

    message_id: uuid.UUID
    happened: dt.datetime
    data: dict[str, Any]

    def get_message_id(self) -> uuid.UUID:
        """Return what identifies the message."""
        return self.message_id

    def get_message_time(self) -> dt.datetime:
        """Return when it happened."""
        return self.happened


class Serializer:
    """JSON, as the library stores it."""

    def serialize(self, message: ContactSaved) -> dict[str, Any]:
        """Turn a message into JSON values."""
        return {
            "id": str(message.message_id),
            "at": message.happened.isoformat(),
            "data": message.data,
        }

    def deserialize(self, raw: dict[str, Any]) -> ContactSaved:
        """Turn them back."""
        at = dt.datetime.fromisoformat(raw["at"])
        return ContactSaved(uuid.UUID(raw["id"]), at, raw["data"])


def message(i: int) -> ContactSaved:
    """Make a message of its own identity."""
    return ContactSaved(uuid.uuid4(), dt.datetime.now(dt.UTC), payload(i))


def open_store(target: str, callers: int) -> Any:
    """Open the message store through psycopg 3."""
    url = sa.make_url(target).set(drivername="postgresql+psycopg", query={"sslmode": "disable"})
    engine = sa.create_engine(url, pool_size=max(5, callers))
    return MessageStore(name="bench", engine=engine, serializer=Serializer())


@asynccontextmanager
async def command(target: str, callers: int = 1, keys: str = "new") -> AsyncIterator[Round]:
    """One message per command; ``known`` states the version that the stream must have."""
    store = open_store(target, callers)
    numbers = Numbers()

    def one(i: int) -> None:
        if keys == "new":
            store.write(f"contact-{i}", message(i))
        else:
            stream = f"known-{i % KNOWN_KEYS}"
            store.write(stream, message(i), expected_version=i // KNOWN_KEYS)

    with ThreadPoolExecutor(callers) as pool:

        def one_round(units: int) -> Sample:
            todo = numbers.take(units)
            if callers == 1:
                return drive_sync(todo, one)
            return drive_threads(todo, pool, one)

        yield one_round


def write_many(store: Any, stream: str, numbers: range) -> None:
    """Write one new stream in one transaction."""
    store.synchronize(stream, expected_version=0, messages=[message(i) for i in numbers])


@asynccontextmanager
async def batch(target: str) -> AsyncIterator[Round]:
    """1,000 messages in one transaction."""
    store = open_store(target, 1)
    numbers = Numbers()

    def one_round(units: int) -> Sample:
        with Meter() as meter:
            for _ in range(units // 1000):
                todo = numbers.take(1000)
                write_many(store, f"batch-{todo[0]}", todo)
        return meter.sample(units)

    yield one_round


@asynccontextmanager
async def replay(target: str, events: int, keys: int) -> AsyncIterator[Round]:
    """Read every message into a dict."""
    store = open_store(target, 1)
    for first in range(0, events, 1000):
        write_many(store, f"batch-{first}", range(first, first + 1000))

    def one_round(_: int) -> Sample:
        state: dict[str, Any] = {}
        count = 0
        with Meter() as meter, store.reader() as reader:
            for stored in reader.read_wildcard("%"):
                data = stored.message.data
                state[f"contact-{int(data['contact_id'][8:]) % keys}"] = data
                count += 1
        assert (count, len(state)) == (events, keys), (count, len(state))
        return meter.sample(count)

    yield one_round


WORKS: dict[str, Work] = {"command": command, "batch": batch, "replay": replay}

if __name__ == "__main__":
    serve(WORKS)

"""The rival `eventsourcing`: its own application, recorders, transcoder and defaults; threads."""

import os
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

from eventsourcing.application import Application  # type: ignore[import-not-found]
from eventsourcing.domain import Aggregate, event  # type: ignore[import-not-found]

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


class Contact(Aggregate):  # type: ignore[misc]
    """A contact, whose events carry the payload of every other program."""

    @event("Created")  # type: ignore[untyped-decorator]
    def __init__(self, contact_id: str, name: str, email: str, tags: list[str]) -> None:
        self.contact_id, self.name, self.email, self.tags = contact_id, name, email, tags

    @event("Changed")  # type: ignore[untyped-decorator]
    def change(self, contact_id: str, name: str, email: str, tags: list[str]) -> None:
        """Change everything."""
        self.contact_id, self.name, self.email, self.tags = contact_id, name, email, tags


class Contacts(Application):  # type: ignore[misc]
    """Keeps no read model beside the log; an aggregate is read from its events."""

    is_snapshotting_enabled = False

    def create(self, i: int) -> Any:
        """Create a contact and return its id."""
        contact = Contact(**payload(i))
        self.save(contact)
        return contact.id

    def change(self, contact_id: Any, i: int) -> None:
        """Load a contact, change it, save it."""
        contact = self.repository.get(contact_id)
        contact.change(**payload(i))
        self.save(contact)


def open_application(target: str, callers: int, *, functions: bool = False) -> Contacts:
    """Open on a SQLite file (WAL, synchronous FULL) or a PostgreSQL URL."""
    if "://" not in target:
        settings = {"PERSISTENCE_MODULE": "eventsourcing.sqlite", "SQLITE_DBNAME": target}
        return Contacts(env=settings)
    url = urlsplit(target)
    return Contacts(
        env={
            "PERSISTENCE_MODULE": "eventsourcing.postgres",
            "POSTGRES_DBNAME": url.path.lstrip("/"),
            "POSTGRES_HOST": url.hostname or "",
            "POSTGRES_PORT": str(url.port),
            "POSTGRES_USER": url.username or "postgres",
            "POSTGRES_PASSWORD": url.password or os.environ.get("PGPASSWORD", "-"),
            "POSTGRES_POOL_SIZE": str(max(5, callers)),
            "POSTGRES_ENABLE_DB_FUNCTIONS": "y" if functions else "n",
        }
    )


@asynccontextmanager
async def command(
    target: str, callers: int = 1, keys: str = "new", *, functions: bool = False
) -> AsyncIterator[Round]:
    """One event per command; ``known`` loads the aggregate first."""
    application = open_application(target, callers, functions=functions)
    known = [application.create(i) for i in range(KNOWN_KEYS)]
    numbers = Numbers()
    numbers.take(KNOWN_KEYS)

    def one(i: int) -> None:
        if keys == "new":
            application.create(i)
        else:
            application.change(known[i % KNOWN_KEYS], i)

    with ThreadPoolExecutor(callers) as pool:

        def one_round(units: int) -> Sample:
            todo = numbers.take(units)
            if callers == 1:
                return drive_sync(todo, one)
            return drive_threads(todo, pool, one)

        yield one_round
    application.close()


@asynccontextmanager
async def batch(target: str, *, functions: bool = False) -> AsyncIterator[Round]:
    """1,000 new contacts in one save."""
    application = open_application(target, 1, functions=functions)
    numbers = Numbers()

    def one_round(units: int) -> Sample:
        with Meter() as meter:
            for _ in range(units // 1000):
                application.save(*[Contact(**payload(i)) for i in numbers.take(1000)])
        return meter.sample(units)

    yield one_round
    application.close()


@asynccontextmanager
async def replay(
    target: str, events: int, keys: int, *, functions: bool = False
) -> AsyncIterator[Round]:
    """Read every event through the library's mapper into a dict."""
    application = open_application(target, 1, functions=functions)
    for first in range(0, events, 1000):
        application.save(*[Contact(**payload(i)) for i in range(first, first + 1000)])

    def one_round(_: int) -> Sample:
        state: dict[str, Any] = {}
        count = last = 0
        with Meter() as meter:
            while page := application.recorder.select_notifications(start=last + 1, limit=1000):
                for notification in page:
                    happened = application.mapper.to_domain_event(notification)
                    state[f"contact-{int(happened.contact_id[8:]) % keys}"] = happened.__dict__
                count, last = count + len(page), page[-1].id
        assert (count, len(state)) == (events, keys), (count, len(state))
        return meter.sample(count)

    yield one_round
    application.close()


WORKS: dict[str, Work] = {"command": command, "batch": batch, "replay": replay}

if __name__ == "__main__":
    serve(WORKS)

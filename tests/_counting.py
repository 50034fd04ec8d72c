"""Counts what really reaches the driver: statements on every connection of a database."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import ramax

CONTROL = ("BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE")


@dataclass
class Calls:
    """What was counted: texts in order, BEGIN and COMMIT apart."""

    texts: list[str] = field(default_factory=list)

    def add(self, text: str) -> None:
        self.texts.append(text)

    @property
    def statements(self) -> int:
        """How many statements, without those that begin and end transactions.

        On SQLite the driver reports each row of an `executemany`, and many rows go in parts: rows
        in a row count once.
        """
        shapes = [shape for shape in map(_shape, self.texts) if shape not in CONTROL]
        return sum(one != before for one, before in zip(shapes, ["", *shapes], strict=False))


def _shape(text: str) -> str:
    words = text.split()
    if words[0] in CONTROL:
        return words[0]
    if words[0] == "WITH" and "INSERT INTO" in text:  # the values come first
        return "INSERT INTO" + text.partition("INSERT INTO")[2].partition(" SELECT ")[0]
    return text.partition(" VALUES ")[0] if words[0] == "INSERT" else text


@asynccontextmanager
async def counted(database: ramax.Database) -> AsyncIterator[Calls]:
    """Count the statements of the held connections while the block runs."""
    calls = Calls()
    drivers = [held._driver for held in _held(database)]
    sqlite = isinstance(getattr(drivers[0], "_conn", None), sqlite3.Connection)

    def query(record: Any) -> None:
        calls.add(record.query)

    for driver in drivers:
        if sqlite:
            await driver.set_trace_callback(calls.add)
        else:
            driver.add_query_logger(query)
    try:
        yield calls
        await asyncio.sleep(0)  # asyncpg reports a query in the next round of the loop
    finally:
        for driver in drivers:
            if sqlite:
                await driver.set_trace_callback(None)
            else:
                driver.remove_query_logger(query)


@dataclass
class Steps:
    """What SQLite did, in instructions of its machine."""

    count: int = 0

    def step(self) -> None:
        self.count += 1


@asynccontextmanager
async def stepped(database: ramax.Database) -> AsyncIterator[Steps]:
    """Count what SQLite does on the held connections while the block runs."""
    steps = Steps()
    drivers = [held._driver for held in _held(database)]
    for driver in drivers:
        await driver.set_progress_handler(steps.step, 1)
    try:
        yield steps
    finally:
        for driver in drivers:
            await driver.set_progress_handler(None, 1)


def _held(database: ramax.Database) -> list[Any]:
    backend: Any = database._core.backend
    places = [*backend.places.idle, *backend.places.taken]
    if database._core.backend.tables.dialect == "sqlite":
        return list({id(h): h for h in (backend._writer, backend._reader, *places)}.values())
    return [*backend._writers.idle, *backend._readers, *places]

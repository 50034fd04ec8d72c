"""Fills many spaces at once, as their tenants would have over time: events of all of them mixed."""

import sqlite3
import time
from collections.abc import Iterator

import asyncpg
import msgpack

from benchmarks.work import EVENT_TYPE, entity, payload

DEPTH = 1000
"""Events of the space that is measured."""
STATE_KEYS = 100
"""Keys of each other space."""


def mixed(spaces: list[int], measured: int, per_space: int) -> Iterator[tuple[int, int]]:
    """Yield (space, sequence): one event of the measured space, then a share of the others'."""
    others = [space for space in spaces if space != measured]
    sequences = dict.fromkeys(spaces, 0)
    due = taken = 0
    for number in range(DEPTH):
        yield measured, number + 1
        due += per_space * len(others)
        while (taken + 1) * DEPTH <= due:
            space = others[taken % len(others)]
            sequences[space] += 1
            taken += 1
            yield space, sequences[space]


class Rows:
    """The rows of every table; `heads` is complete once the events have been drawn."""

    def __init__(self, spaces: list[int], measured: int, per_space: int) -> None:
        self._mixed = mixed(spaces, measured, per_space)
        self._measured = measured
        self._blobs = [msgpack.packb(payload(i)) for i in range(DEPTH)]
        self._names = [entity(i) for i in range(DEPTH)]
        self.now = time.time_ns() // 1000
        self.heads: dict[int, int] = {}

    def events(self) -> Iterator[tuple[object, ...]]:
        """Yield what `EVENTS` names."""
        for space, sequence in self._mixed:
            self.heads[space] = sequence
            i = self._contact(space, sequence)
            yield space, sequence, self._names[i], EVENT_TYPE, self._blobs[i], "msgpack", self.now

    def state(self) -> Iterator[tuple[object, ...]]:
        """Yield what `STATE` names."""
        for space, head in self.heads.items():
            for i in {self._contact(space, sequence) for sequence in range(1, head + 1)}:
                yield space, self._names[i], self._blobs[i], "msgpack", self.now, 0

    def checkpoints(self, newest: int) -> Iterator[tuple[object, ...]]:
        """Yield what `CHECKPOINTS` names."""
        for space, head in self.heads.items():
            yield space, "pstate", newest, head, self.now

    def guards(self) -> list[tuple[int, int, int]]:
        """Return (head, time, space) of every space."""
        return [(head, self.now, space) for space, head in self.heads.items()]

    def _contact(self, space: int, sequence: int) -> int:
        return sequence - 1 if space == self._measured else sequence % STATE_KEYS


EVENTS = "space_id space_sequence entity_id event_type payload format timestamp"
STATE = "space_id key value format updated_at direct"
CHECKPOINTS = "space_id name last_event_id last_space_sequence updated_at"


def fill_sqlite(target: str, rows: Rows, domain: str) -> None:
    """Write rows of spaces that exist and are empty."""
    connection = sqlite3.connect(target)

    def insert(table: str, columns: str, values: Iterator[tuple[object, ...]]) -> None:
        names = columns.split()
        marks = ", ".join("?" * len(names))
        connection.executemany(f"INSERT INTO {table} ({', '.join(names)}) VALUES ({marks})", values)

    with connection:
        insert("events", EVENTS, rows.events())
        insert("pstate_entities", STATE, rows.state())
        (newest,) = connection.execute("SELECT max(event_id) FROM events").fetchone()
        insert("projection_checkpoints", CHECKPOINTS, rows.checkpoints(newest))
        connection.executemany(
            "UPDATE space_sequences SET last_sequence = ?, last_timestamp = ? WHERE space_id = ?",
            rows.guards(),
        )
        connection.execute("UPDATE spaces SET domains = ?", (msgpack.packb([domain]),))
    connection.close()


async def fill_postgres(url: str, rows: Rows, domain: str) -> None:
    """Do the same on PostgreSQL, by COPY."""
    connection = await asyncpg.connect(url)
    async with connection.transaction():
        copy = connection.copy_records_to_table
        await copy("events", records=rows.events(), columns=EVENTS.split())
        await copy("pstate_entities", records=rows.state(), columns=STATE.split())
        newest = await connection.fetchval("SELECT max(event_id) FROM events")
        await copy(
            "projection_checkpoints", records=rows.checkpoints(newest), columns=CHECKPOINTS.split()
        )
        await connection.executemany(
            "UPDATE space_sequences SET last_sequence = $1, last_timestamp = $2"
            " WHERE space_id = $3",
            rows.guards(),
        )
        await connection.execute("UPDATE spaces SET domains = $1", msgpack.packb([domain]))
    await connection.execute("ANALYZE")
    await connection.close()


async def make_spaces(target: str, count: int) -> None:
    """Create ``tenant-0`` and so on, which one by one would take longer than what is measured."""
    names = [f"tenant-{i}" for i in range(count)]
    if "://" in target:
        connection = await asyncpg.connect(plain_url(target))
        await connection.execute(
            "INSERT INTO spaces (space_name, created_at)"
            " SELECT n, 0 FROM unnest($1::text[]) AS u(n)",
            names,
        )
        await connection.execute(
            "INSERT INTO space_sequences (space_id) SELECT space_id FROM spaces"
        )
        await connection.close()
        return
    with sqlite3.connect(target) as file:
        file.executemany(
            "INSERT INTO spaces (space_name, created_at) VALUES (?, 0)", [(name,) for name in names]
        )
        file.execute("INSERT INTO space_sequences (space_id) SELECT space_id FROM spaces")
    file.close()


async def lengthen(target: str, length: int, times: int) -> None:
    """Let the only space's log of ``length`` events repeat itself; its read model stays right."""
    columns = EVENTS.replace(" ", ", ")
    repeated = columns.replace("space_sequence", "space_sequence + {}")
    steps = [
        f"INSERT INTO events ({columns}) SELECT {repeated.format(n * length)} FROM events"
        f" WHERE space_sequence <= {length} ORDER BY space_sequence"
        for n in range(1, times)
    ]
    steps.append(f"UPDATE space_sequences SET last_sequence = {length * times}")
    steps.append(
        f"UPDATE projection_checkpoints SET last_space_sequence = {length * times},"
        " last_event_id = (SELECT max(event_id) FROM events)"
    )
    if "://" in target:
        connection = await asyncpg.connect(plain_url(target))
        async with connection.transaction():
            for step in steps:
                await connection.execute(step)
        await connection.execute("ANALYZE")
        await connection.close()
        return
    with sqlite3.connect(target) as file:
        for step in steps:
            file.execute(step)
    file.close()


def plain_url(target: str) -> str:
    """Return a URL as asyncpg itself reads it."""
    return target.replace("postgresql+asyncpg:", "postgresql:").replace("ssl=", "sslmode=")


async def fill(target: str, rows: Rows, domain: str) -> None:
    """Write rows into a SQLite file or a PostgreSQL database."""
    if "://" in target:
        await fill_postgres(plain_url(target), rows, domain)
    else:
        fill_sqlite(target, rows, domain)

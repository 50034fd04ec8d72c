"""The limit on SQLite: ramax's tables, hand-written SQL, the standard library's driver, no loop."""

import itertools
import json
import random
import sqlite3
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from typing import Any

import ramax
from benchmarks.programs.codec import pack, unpack
from benchmarks.work import (
    EVENT_TYPE,
    KNOWN_KEYS,
    SPACE,
    Meter,
    Numbers,
    Round,
    Sample,
    Work,
    drive_sync,
    entity,
    payload,
    serve,
)

TOKEN = b"12345678"
GUARD = (
    "SELECT last_sequence, state_version, last_timestamp FROM space_sequences WHERE space_id = ?"
)
TAKE = """UPDATE space_sequences SET last_sequence = ?, state_version = ?, last_timestamp = ?,
 writer_token = ? WHERE space_id = ? AND last_sequence = ? AND state_version = ?"""
GET = "SELECT value, format FROM pstate_entities WHERE space_id = ? AND key = ?"
EVENT = """INSERT INTO events (space_id, space_sequence, entity_id, event_type, payload, format,
 timestamp, causation_id, correlation_id, metadata)
 VALUES (?, ?, ?, ?, ?, 'msgpack', ?, NULL, NULL, NULL)"""
PUT = """INSERT INTO pstate_entities (space_id, key, value, format, updated_at, direct)
 VALUES (?, ?, ?, 'msgpack', ?, 0) ON CONFLICT (space_id, key) DO UPDATE SET
 value = excluded.value, format = excluded.format, updated_at = excluded.updated_at,
 direct = excluded.direct"""
CHECKPOINT = """INSERT INTO projection_checkpoints
 (space_id, name, last_event_id, last_space_sequence, updated_at) VALUES (?, 'pstate', ?, ?, ?)
 ON CONFLICT (space_id, name) DO UPDATE SET last_event_id = excluded.last_event_id,
 last_space_sequence = excluded.last_space_sequence, updated_at = excluded.updated_at"""
NEWEST = "SELECT seq FROM sqlite_sequence WHERE name = 'events'"
PAGE = """SELECT event_id, space_id, space_sequence, entity_id, event_type, payload, format,
 timestamp, causation_id, correlation_id, metadata FROM events
 WHERE space_id = ? AND space_sequence > ? ORDER BY space_sequence LIMIT ?"""
CLEAR = "DELETE FROM pstate_entities WHERE space_id = ?"


def micros() -> int:
    """Return the time as the tables hold it."""
    return time.time_ns() // 1000


async def make_spaces(target: str, names: Sequence[str]) -> list[int]:
    """Create the real schema and the spaces, which is not what is measured here."""
    async with ramax.connect(target) as db:
        return [(await db.spaces.get_or_create(name)).space_id for name in names]


@contextmanager
def connected(target: str, synchronous: str) -> Iterator[sqlite3.Connection]:
    """Connect as ramax does: WAL, foreign keys, explicit BEGIN."""
    connection = sqlite3.connect(target, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute(f"PRAGMA synchronous={synchronous}")
    connection.execute("PRAGMA foreign_keys=ON")
    try:
        yield connection
    finally:
        connection.close()


def write_one(connection: sqlite3.Connection, space: int, i: int, change: int) -> None:
    """Do one command as one transaction."""
    execute = connection.execute
    key = entity(i)
    execute("BEGIN IMMEDIATE")
    last, version, stamp = execute(GUARD, (space,)).fetchone()
    if found := execute(GET, (space, key)).fetchone():
        unpack(found[0])
    now = max(micros(), stamp)
    value = pack(payload(i, change))
    execute(TAKE, (last + 1, version, now, TOKEN, space, last, version))
    event_id = execute(EVENT, (space, last + 1, key, EVENT_TYPE, value, now)).lastrowid
    execute(PUT, (space, key, value, now))
    execute(CHECKPOINT, (space, event_id, last + 1, now))
    execute("COMMIT")


def write_group(
    connection: sqlite3.Connection,
    space: int,
    items: Sequence[tuple[int, int]],
    *,
    state: bool,
    reads: bool,
) -> None:
    """Do many commands of one space as one transaction, with bulk statements."""
    execute = connection.execute
    execute("BEGIN IMMEDIATE")
    last, version, stamp = execute(GUARD, (space,)).fetchone()
    if reads:
        for i, _ in items:
            if found := execute(GET, (space, entity(i))).fetchone():
                unpack(found[0])
    now = max(micros(), stamp)
    events = [
        (space, last + n, entity(i), EVENT_TYPE, pack(payload(i, change)), now)
        for n, (i, change) in enumerate(items, 1)
    ]
    head = last + len(events)
    execute(TAKE, (head, version, now, TOKEN, space, last, version))
    connection.executemany(EVENT, events)
    if state:
        values = {row[2]: row[4] for row in events}
        connection.executemany(PUT, [(space, key, value, now) for key, value in values.items()])
        execute(CHECKPOINT, (space, execute(NEWEST).fetchone()[0], head, now))
    execute("COMMIT")


def fill(
    connection: sqlite3.Connection, space: int, events: int, keys: int, *, state: bool
) -> None:
    """Write events over so many keys, 1,000 a transaction."""
    for first in range(0, events, 1000):
        items = [(i % keys, i % keys) for i in range(first, min(first + 1000, events))]
        write_group(connection, space, items, state=state, reads=False)


@asynccontextmanager
async def command(
    target: str, synchronous: str, spaces: int = 1, keys: str = "new", group: int = 1
) -> AsyncIterator[Round]:
    """Commands one by one, or so many per transaction."""
    ids = await make_spaces(target, [f"{SPACE}-{n}" for n in range(spaces)])
    with connected(target, synchronous) as connection:
        for space in ids:
            fill(connection, space, KNOWN_KEYS, KNOWN_KEYS, state=True)
        numbers = Numbers()
        numbers.take(KNOWN_KEYS * spaces)

        def contact(i: int) -> int:
            return i if keys == "new" else i // spaces % KNOWN_KEYS

        def one_round(units: int) -> Sample:
            todo = numbers.take(units)
            if group == 1:
                return drive_sync(
                    todo, lambda i: write_one(connection, ids[i % spaces], contact(i), i)
                )
            with Meter() as meter:
                for first in range(0, units, group):
                    part = [(contact(i), i) for i in todo[first : first + group]]
                    write_group(connection, ids[0], part, state=True, reads=True)
            return meter.sample(units)

        yield one_round


@asynccontextmanager
async def batch(target: str, synchronous: str, how: str = "execute") -> AsyncIterator[Round]:
    """1,000 events of new keys, with their read model or without."""
    (space,) = await make_spaces(target, [SPACE])
    with connected(target, synchronous) as connection:
        numbers = Numbers()

        def one_round(units: int) -> Sample:
            with Meter() as meter:
                for _ in range(units // 1000):
                    items = [(i, i) for i in numbers.take(1000)]
                    write_group(connection, space, items, state=how == "execute", reads=False)
            return meter.sample(units)

        yield one_round


def read_events(connection: sqlite3.Connection, space: int, size: int) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of a space by pages."""
    last = 0
    while rows := connection.execute(PAGE, (space, last, size)).fetchall():
        yield from rows
        last = rows[-1][2]


def fold_all(connection: sqlite3.Connection, space: int) -> tuple[int, dict[str, Any]]:
    """Fold every event of a space into a dict."""
    state: dict[str, Any] = {}
    count = 0
    for _, _, _, entity_id, _, data, _, _, _, _, _ in read_events(connection, space, 5000):
        state[entity_id] = unpack(data)
        count += 1
    return count, state


@asynccontextmanager
async def replay(target: str, synchronous: str, events: int, keys: int) -> AsyncIterator[Round]:
    """Read every event of a space into a dict."""
    (space,) = await make_spaces(target, [SPACE])
    with connected(target, synchronous) as connection:
        fill(connection, space, events, keys, state=False)

        def one_round(_: int) -> Sample:
            with Meter() as meter:
                count, state = fold_all(connection, space)
            assert (count, len(state)) == (events, keys), (count, len(state))
            return meter.sample(count)

        yield one_round


@asynccontextmanager
async def rebuild(
    target: str, synchronous: str, events: int, keys: int, start: str
) -> AsyncIterator[Round]:
    """Fold every event of a space, then replace its pstate in one transaction."""
    (space,) = await make_spaces(target, [SPACE])
    with connected(target, synchronous) as connection:
        fill(connection, space, events, keys, state=start == "equal")

        def one_round(_: int) -> Sample:
            if start == "empty":
                connection.execute(CLEAR, (space,))
            with Meter() as meter:
                rebuild_one(connection, space)
            return meter.sample(events)

        yield one_round


def rebuild_one(connection: sqlite3.Connection, space: int) -> None:
    """Fold, then swap: delete and insert in key order, which is faster than upserting."""
    _, state = fold_all(connection, space)
    execute = connection.execute
    execute("BEGIN IMMEDIATE")
    last, version, stamp = execute(GUARD, (space,)).fetchone()
    now = max(micros(), stamp)
    execute(TAKE, (last, version + 1, now, TOKEN, space, last, version))
    execute(CLEAR, (space,))
    connection.executemany(
        PUT, [(space, key, pack(value), now) for key, value in sorted(state.items())]
    )
    execute(CHECKPOINT, (space, execute(NEWEST).fetchone()[0], last, now))
    execute("COMMIT")


@asynccontextmanager
async def read(target: str, synchronous: str, how: str) -> AsyncIterator[Round]:
    """Read and decode keys in random order, each alone or 100 in a statement."""
    (space,) = await make_spaces(target, [SPACE])
    with connected(target, synchronous) as connection:
        fill(connection, space, READ_KEYS, READ_KEYS, state=True)
        keys = [entity(i) for i in range(READ_KEYS)]
        random.Random(1).shuffle(keys)
        numbers = Numbers()
        execute = connection.execute

        def one(i: int) -> None:
            unpack(execute(GET, (space, keys[i % READ_KEYS])).fetchone()[0])

        def hundred(i: int) -> None:
            first = i * 100 % READ_KEYS
            asked = json.dumps(keys[first : first + 100])
            found = execute(GET_MANY, (space, asked)).fetchall()
            assert len({key: unpack(value) for key, value, _ in found}) == 100

        def one_round(units: int) -> Sample:
            if how == "get_many":
                return replace(drive_sync(numbers.take(units // 100), hundred), units=units)
            return drive_sync(numbers.take(units), one)

        yield one_round


@asynccontextmanager
async def dict_read(target: str, synchronous: str) -> AsyncIterator[Round]:
    """Read and decode keys that are in memory, without any library."""
    assert target
    assert synchronous
    packed = {entity(i): pack(payload(i)) for i in range(READ_KEYS)}
    keys = list(packed)
    random.Random(1).shuffle(keys)

    def one_round(units: int) -> Sample:
        with Meter() as meter:
            for key in itertools.islice(itertools.cycle(keys), units):
                unpack(packed[key])
        return meter.sample(units)

    yield one_round


READ_KEYS = 10_000
GET_MANY = """SELECT key, value, format FROM pstate_entities WHERE space_id = ?
 AND key IN (SELECT value FROM json_each(?))"""

WORKS: dict[str, Work] = {
    work.__name__: work for work in (command, batch, replay, rebuild, read, dict_read)
}

if __name__ == "__main__":
    serve(WORKS)

"""The limit on PostgreSQL: ramax's tables, hand-written SQL, asyncpg, connections that are held."""

import random
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import Any

import asyncpg

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
    drive,
    entity,
    payload,
    serve,
)

TOKEN = b"12345678"
PUT_CONFLICT = """ON CONFLICT (space_id, key) DO UPDATE SET value = excluded.value,
 format = excluded.format, updated_at = excluded.updated_at, direct = excluded.direct"""
STEP_CONFLICT = """ON CONFLICT (space_id, name) DO UPDATE SET
 last_event_id = excluded.last_event_id,
 last_space_sequence = excluded.last_space_sequence, updated_at = excluded.updated_at"""
# drawn before the next id: readers of all spaces learn from it which ids may still appear
MARK = """mark AS (SELECT pg_advisory_xact_lock_shared((77::bigint << 56) | last_value)::text AS m
 FROM event_id_seq)"""
ONE = f"""WITH {MARK},
sq AS (UPDATE space_sequences SET last_sequence = last_sequence + 1, last_timestamp = $7,
 writer_token = $8 WHERE space_id = $1 AND state_version = 0 {{guard}}
 RETURNING last_sequence, (SELECT m FROM mark) AS m),
ev AS (INSERT INTO events (space_id, space_sequence, entity_id, event_type, payload, format,
 timestamp) SELECT $1, last_sequence, $3, $4, $5, 'msgpack', $7 FROM sq WHERE m IS NOT NULL
 RETURNING event_id, space_sequence),
ps AS (INSERT INTO pstate_entities (space_id, key, value, format, updated_at, direct)
 SELECT $1, $3, $6::bytea, 'msgpack', $7, 0 FROM sq {PUT_CONFLICT}),
ck AS (INSERT INTO projection_checkpoints
 (space_id, name, last_event_id, last_space_sequence, updated_at)
 SELECT $1, 'pstate', event_id, space_sequence, $7 FROM ev {STEP_CONFLICT})
SELECT event_id, space_sequence FROM ev"""
GUARDED = ONE.format(guard="AND last_sequence = $2")
QUEUED = ONE.format(guard="AND $2::bigint IS NOT NULL")
"""Waits for the row instead of losing: the best that one statement per command can do together."""
GROUP = f"""WITH {MARK},
lk AS (SELECT q.space_id, n.head FROM space_sequences q JOIN unnest($1::bigint[], $2::bigint[],
 $3::bigint[]) AS n(space_id, base, head) ON q.space_id = n.space_id AND q.last_sequence = n.base
 AND q.state_version = 0 ORDER BY q.space_id FOR UPDATE OF q),
sq AS (UPDATE space_sequences q SET last_sequence = lk.head, last_timestamp = $4, writer_token = $5
 FROM lk WHERE q.space_id = lk.space_id
 RETURNING q.space_id, q.last_sequence, (SELECT m FROM mark) AS m),
ev AS (INSERT INTO events (space_id, space_sequence, entity_id, event_type, payload, format,
 timestamp)
 SELECT e.s, e.n, e.e, '{EVENT_TYPE}', e.p, 'msgpack', $4 FROM unnest($6::bigint[], $7::bigint[],
 $8::text[], $9::bytea[]) AS e(s, n, e, p) JOIN sq ON sq.space_id = e.s WHERE sq.m IS NOT NULL
 RETURNING event_id, space_id, space_sequence),
ps AS (INSERT INTO pstate_entities (space_id, key, value, format, updated_at, direct)
 SELECT k.s, k.k, k.v, 'msgpack', $4, 0 FROM unnest($10::bigint[], $11::text[], $12::bytea[])
 AS k(s, k, v) JOIN sq ON sq.space_id = k.s {PUT_CONFLICT}),
ck AS (INSERT INTO projection_checkpoints
 (space_id, name, last_event_id, last_space_sequence, updated_at)
 SELECT space_id, 'pstate', max(event_id), max(space_sequence), $4 FROM ev WHERE $13
 GROUP BY space_id {STEP_CONFLICT})
SELECT event_id, space_id, space_sequence FROM ev"""
GET = "SELECT value, format FROM pstate_entities WHERE space_id = $1 AND key = $2"
PAGE = """SELECT event_id, space_id, space_sequence, entity_id, event_type, payload, format,
 timestamp, causation_id, correlation_id, metadata FROM events
 WHERE space_id = $1 AND space_sequence > $2 ORDER BY space_sequence LIMIT $3"""
CLEAR = "DELETE FROM pstate_entities WHERE space_id = $1"


def micros() -> int:
    """Return the time as the tables hold it."""
    return time.time_ns() // 1000


async def make_spaces(target: str, names: Sequence[str]) -> list[int]:
    """Create the real schema and the spaces, which is not what is measured here."""
    async with ramax.connect(target) as db:
        return [(await db.spaces.get_or_create(name)).space_id for name in names]


@asynccontextmanager
async def connected(target: str, connections: int = 1) -> AsyncIterator[list[Any]]:
    """Open connections and keep them: a pool would reset each at every use."""
    url = target.replace("postgresql+asyncpg:", "postgresql:").replace("ssl=", "sslmode=")
    async with AsyncExitStack() as stack:
        opened = []
        for _ in range(connections):
            connection = await asyncpg.connect(url)
            stack.push_async_callback(connection.close)
            opened.append(connection)
        yield opened


class Heads:
    """What a process that writes alone knows of the sequences of its spaces."""

    def __init__(self, spaces: Sequence[int]) -> None:
        self.last = dict.fromkeys(spaces, 0)

    async def write(
        self, connection: Any, items: Sequence[tuple[int, int, int]], *, state: bool = True
    ) -> None:
        """Write (space, contact, change) items as one statement, which is one transaction."""
        base: dict[int, int] = {}
        events = []
        values: dict[tuple[int, str], bytes] = {}
        for space, i, change in items:
            last = self.last[space]
            base.setdefault(space, last)
            self.last[space] = last + 1
            key, value = entity(i), pack(payload(i, change))
            events.append((space, last + 1, key, value))
            values[space, key] = value
        kept = values if state else {}
        written = await connection.fetch(
            GROUP,
            list(base),
            list(base.values()),
            [self.last[space] for space in base],
            micros(),
            TOKEN,
            *(list(column) for column in zip(*events, strict=True)),
            [space for space, _ in kept],
            [key for _, key in kept],
            list(kept.values()),
            state,
        )
        assert len(written) == len(items)


async def fill(
    connection: Any, heads: Heads, space: int, events: int, keys: int, *, state: bool
) -> None:
    """Write events over so many keys, 1,000 a transaction."""
    for first in range(0, events, 1000):
        numbers = range(first, min(first + 1000, events))
        await heads.write(connection, [(space, i % keys, i % keys) for i in numbers], state=state)


@asynccontextmanager
async def command(
    target: str,
    *,
    callers: int = 1,
    spaces: int = 1,
    keys: str = "known",
    group: int = 1,
    read: bool = False,
) -> AsyncIterator[Round]:
    """One statement per command, each caller on a connection of its own; or groups on one.

    ``read`` looks the key up first, as a command whose key is not in memory has to.
    """
    ids = await make_spaces(target, [f"{SPACE}-{n}" for n in range(spaces)])
    async with connected(target, callers) as connections:
        heads = Heads(ids)
        for space in ids:
            await fill(connections[0], heads, space, KNOWN_KEYS, KNOWN_KEYS, state=True)
        numbers = Numbers()
        numbers.take(KNOWN_KEYS * spaces)
        free = list(connections)

        def contact(i: int) -> int:
            return i if keys == "new" else i // spaces % KNOWN_KEYS

        async def one(i: int) -> None:
            space, key = ids[i % spaces], entity(contact(i))
            value = pack(payload(contact(i), i))
            connection = free.pop()
            if read and (found := await connection.fetchrow(GET, space, key)):
                unpack(found[0])
            last = heads.last[space]
            rows = await connection.fetch(
                GUARDED if callers == 1 else QUEUED,
                space,
                last,
                key,
                EVENT_TYPE,
                value,
                value,
                micros(),
                TOKEN,
            )
            free.append(connection)
            heads.last[space] = rows[0][1]

        async def one_round(units: int) -> Sample:
            todo = numbers.take(units)
            if group == 1:
                return await drive(todo, callers, one)
            with Meter() as meter:
                for first in range(0, units, group):
                    part = [(ids[i % spaces], contact(i), i) for i in todo[first : first + group]]
                    if read:
                        keys_ = [entity(i) for _, i, _ in part]
                        await connections[0].fetch(GET_MANY, [space for space, *_ in part], keys_)
                    await heads.write(connections[0], part)
            return meter.sample(units)

        yield one_round


@asynccontextmanager
async def batch(target: str, how: str = "execute") -> AsyncIterator[Round]:
    """1,000 events of new keys, with their read model or without."""
    (space,) = await make_spaces(target, [SPACE])
    async with connected(target) as (connection,):
        heads, numbers = Heads([space]), Numbers()

        async def one_round(units: int) -> Sample:
            with Meter() as meter:
                for _ in range(units // 1000):
                    items = [(space, i, i) for i in numbers.take(1000)]
                    await heads.write(connection, items, state=how == "execute")
            return meter.sample(units)

        yield one_round


async def fold_all(connection: Any, space: int) -> tuple[int, dict[str, Any]]:
    """Fold every event of a space into a dict."""
    state: dict[str, Any] = {}
    last = count = 0
    while rows := await connection.fetch(PAGE, space, last, 5000):
        for _, _, _, entity_id, _, data, _, _, _, _, _ in rows:
            state[entity_id] = unpack(data)
        last, count = rows[-1][2], count + len(rows)
    return count, state


@asynccontextmanager
async def replay(target: str, events: int, keys: int) -> AsyncIterator[Round]:
    """Read every event of a space into a dict."""
    (space,) = await make_spaces(target, [SPACE])
    async with connected(target) as (connection,):
        await fill(connection, Heads([space]), space, events, keys, state=False)

        async def one_round(_: int) -> Sample:
            with Meter() as meter:
                count, state = await fold_all(connection, space)
            assert (count, len(state)) == (events, keys), (count, len(state))
            return meter.sample(count)

        yield one_round


@asynccontextmanager
async def rebuild(target: str, events: int, keys: int, start: str) -> AsyncIterator[Round]:
    """Fold every event of a space, then replace its pstate in one transaction."""
    (space,) = await make_spaces(target, [SPACE])
    async with connected(target) as (connection,):
        await fill(connection, Heads([space]), space, events, keys, state=start == "equal")

        async def one_round(_: int) -> Sample:
            if start == "empty":
                await connection.execute(CLEAR, space)
            with Meter() as meter:
                await rebuild_one(connection, space)
            return meter.sample(events)

        yield one_round


async def rebuild_one(connection: Any, space: int) -> None:
    """Fold, then swap: delete and COPY, which is faster than upserting."""
    _, state = await fold_all(connection, space)
    async with connection.transaction():
        last, stamp = await connection.fetchrow(
            "SELECT last_sequence, last_timestamp FROM space_sequences WHERE space_id = $1"
            " FOR UPDATE",
            space,
        )
        now = max(micros(), stamp)
        await connection.execute(
            "UPDATE space_sequences SET state_version = state_version + 1 WHERE space_id = $1",
            space,
        )
        await connection.execute(CLEAR, space)
        await connection.copy_records_to_table(
            "pstate_entities",
            records=[
                (space, key, pack(value), "msgpack", now, 0) for key, value in sorted(state.items())
            ],
            columns=("space_id", "key", "value", "format", "updated_at", "direct"),
        )
        await connection.execute(
            f"""INSERT INTO projection_checkpoints
            (space_id, name, last_event_id, last_space_sequence, updated_at)
            SELECT $1, 'pstate', max(event_id), $2, $3 FROM events WHERE space_id = $1
            AND space_sequence = $2 {STEP_CONFLICT}""",
            space,
            last,
            now,
        )


@asynccontextmanager
async def read(target: str, how: str) -> AsyncIterator[Round]:
    """Read and decode keys in random order, each alone or 100 in a statement."""
    (space,) = await make_spaces(target, [SPACE])
    async with connected(target) as (connection,):
        await fill(connection, Heads([space]), space, READ_KEYS, READ_KEYS, state=True)
        keys = [entity(i) for i in range(READ_KEYS)]
        random.Random(1).shuffle(keys)
        numbers = Numbers()

        async def one(i: int) -> None:
            row = await connection.fetchrow(GET, space, keys[i % READ_KEYS])
            unpack(row[0])

        async def hundred(i: int) -> None:
            asked = keys[i * 100 % READ_KEYS :][:100]
            found = await connection.fetch(GET_MANY, [space] * 100, asked)
            assert len({key: unpack(value) for _, key, value in found}) == 100

        async def one_round(units: int) -> Sample:
            if how == "get_many":
                sample = await drive(numbers.take(units // 100), 1, hundred)
                return replace(sample, units=units)
            return await drive(numbers.take(units), 1, one)

        yield one_round


READ_KEYS = 10_000
GET_MANY = """SELECT w.s, w.k, p.value FROM unnest($1::bigint[], $2::text[]) AS w(s, k)
 LEFT JOIN pstate_entities p ON p.space_id = w.s AND p.key = w.k"""

WORKS: dict[str, Work] = {work.__name__: work for work in (command, batch, replay, rebuild, read)}

if __name__ == "__main__":
    serve(WORKS)

"""Writes a plan on SQLite: a few statements inside the caller's BEGIN IMMEDIATE."""

from collections.abc import Sequence
from itertools import chain
from typing import Any

import sqlalchemy as sa
from sqlalchemy import bindparam as p

from ramax.core.codec import FORMAT_MSGPACK
from ramax.core.event_row import EventRow
from ramax.core.space_write import SpaceWrite
from ramax.storage.checkpoints import upsert_checkpoint
from ramax.storage.executors import AddingExecutor, Executor
from ramax.storage.plan import ConsecutiveIds, EventIds, WritePlan
from ramax.storage.pstate import (
    BULK,
    delete_value,
    upsert_alike,
    upsert_value,
    upsert_values,
)
from ramax.storage.reads import PSTATE
from ramax.storage.sql import Params, Statement
from ramax.storage.tables import Tables

EVENT_PARAMETERS = (
    "event_id",
    "space_id",
    "space_sequence",
    "entity_id",
    "event_type",
    "payload",
    "format",
    "timestamp",
    "causation_id",
    "correlation_id",
    "metadata",
    "version",
    "tags",
)
"""The order in which `insert_event` takes a row."""


GUARD_PARAMETERS = (
    "new_sequence",
    "new_version",
    "new_timestamp",
    "token",
    "space_id",
    "guard_sequence",
    "guard_version",
)
"""The order in which `take_guard` takes them."""

REPLICA_PARAMETERS = (*GUARD_PARAMETERS[:4], "replica_head", *GUARD_PARAMETERS[4:])
"""The order in which `take_replica` takes them."""


def _take(t: Tables, **more: Any) -> sa.Update:
    q = t.space_sequences
    return (
        sa.update(q)
        .where(
            q.c.space_id == p("space_id"),
            q.c.last_sequence == p("guard_sequence"),
            q.c.state_version == p("guard_version"),
        )
        .values(
            last_sequence=p("new_sequence"),
            state_version=p("new_version"),
            last_timestamp=p("new_timestamp"),
            writer_token=p("token"),
            **more,
        )
    )


@Statement
def take_guard(t: Tables) -> sa.Update:
    """Move the hot row if it is as decided on."""
    return _take(t)


@Statement
def take_replica(t: Tables) -> sa.Update:
    """As `take_guard`, of a replicated space: where its log is moves with it."""
    return _take(t, replica_head=p("replica_head"))


@Statement
def _newest_event_id(_: Tables) -> sa.TextClause:
    """The highest id ever used, deleted ones included; exact under the write lock."""
    return sa.text("SELECT seq FROM sqlite_sequence WHERE name = 'events'")


@Statement
def insert_event(t: Tables) -> sa.Insert:
    """One event with every column given."""
    return sa.insert(t.events).values({name: p(name) for name in EVENT_PARAMETERS})


@Statement
def insert_events(t: Tables) -> sa.Insert:
    """`BULK` events with every column given."""
    return sa.insert(t.events).values(
        [{name: p(f"{name}_{i}") for name in EVENT_PARAMETERS} for i in range(BULK)]
    )


_OWN = ("space_sequence", "entity_id", "event_type", "payload")
"""What begins an `EventRow`; the rest of it is mostly the same in all events of a write."""

_METADATA = 3
"""Which of the rest is the metadata, which may differ where all the others are the same."""


def _alike_parameters(own: Sequence[str]) -> tuple[str, ...]:
    return (
        *(f"{name}_{i}" for i in range(BULK) for name in own),
        "offset",
        "space_id",
        *(name for name in EVENT_PARAMETERS[7:] if name not in own),
    )


def _alike(t: Tables, own: Sequence[str]) -> sa.Insert:
    """`BULK` events of one space that differ in ``own`` only; ids keep their distance to sequences.

    Each parameter costs as much as a column does: this takes half the time of all columns given.
    """
    e = t.events.c
    rows: list[tuple[Any, ...]] = [tuple(p(f"{name}_{i}") for name in own) for i in range(BULK)]
    w = sa.values(*(sa.column(name, e[name].type) for name in own), name="w").data(rows).cte("w")
    given: dict[str, sa.ColumnElement[Any]] = {
        name: p(name, type_=e[name].type) for name in EVENT_PARAMETERS
    }
    given.update((name, w.c[name]) for name in own)
    given["event_id"] = p("offset", type_=e.event_id.type) + w.c.space_sequence
    given["format"] = sa.literal_column(f"'{FORMAT_MSGPACK}'")
    return sa.insert(t.events).from_select(list(given), sa.select(*given.values()))


ALIKE_PARAMETERS = _alike_parameters(_OWN)
"""The order in which `insert_alike` takes them."""

ALIKE_BUT_METADATA_PARAMETERS = _alike_parameters((*_OWN, "metadata"))
"""The order in which `insert_alike_but_metadata` takes them."""


@Statement
def insert_alike(t: Tables) -> sa.Insert:
    """`BULK` events that differ in `_OWN` only."""
    return _alike(t, _OWN)


@Statement
def insert_alike_but_metadata(t: Tables) -> sa.Insert:
    """`BULK` events that differ in `_OWN` and their metadata only, as entries of a log do."""
    return _alike(t, (*_OWN, "metadata"))


def write_sqlite(ex: AddingExecutor, plan: WritePlan) -> dict[int, EventIds]:
    """Write every space whose guard still holds.

    Returns:
        Space id to what its events got; a space that is absent lost its guard, or is gone.
    """
    done: dict[int, EventIds] = {}
    events: list[Params] = []
    puts: list[Params] = []
    deletes: list[Params] = []
    steps: list[Params] = []
    newest = -1
    for write in plan.spaces:
        space_id = write.space_id
        stamp = max(write.last_timestamp, write.guard.last_timestamp)
        if not _taken(ex, write, stamp, plan.token):
            continue
        rows = write.events
        if newest < 0:
            newest, rows = _newest_before(ex, space_id, rows)
        offset = newest - write.guard.last_sequence
        newest += len(write.events)
        ids = done[space_id] = ConsecutiveIds(write.events, offset)
        events += [
            (row.sequence + offset, space_id, *row[:4], FORMAT_MSGPACK, *row[4:])
            for row in _insert_alike(ex, space_id, rows, offset)
        ]
        puts += [
            (space_id, key, value, FORMAT_MSGPACK, stamp, 0)
            for key, value in _upsert_alike(ex, write, stamp)
        ]
        deletes += [(space_id, key) for key in write.deletes]
        if write.checkpoint is not None:
            event_id = ids.get(write.checkpoint, write.checkpoint_event_id)
            steps.append((space_id, PSTATE, event_id, write.checkpoint, stamp))
    _run(ex, insert_event, events, insert_events)
    _run(ex, upsert_value, puts, upsert_values)
    _run(ex, delete_value, deletes)
    _run(ex, upsert_checkpoint, steps)
    for extra in plan.extras:
        _run(ex, extra.statement, [row for row in extra.rows if row["space_id"] in done])
    return done


def _newest_before(
    ex: AddingExecutor, space_id: int, rows: Sequence[EventRow]
) -> tuple[int, Sequence[EventRow]]:
    """Return the highest event id before some events, and those that are still to be inserted.

    The first of a few tells what id it got: a statement less than to ask.
    """
    if 0 < len(rows) < BULK:
        first = rows[0]
        event = (None, space_id, *first[:4], FORMAT_MSGPACK, *first[4:])
        return ex.added(insert_event, event) - 1, rows[1:]
    newest = ex.rows(_newest_event_id, ())
    return newest[0][0] if newest else 0, rows


def _insert_alike(
    ex: Executor, space_id: int, rows: Sequence[EventRow], offset: int
) -> Sequence[EventRow]:
    """Insert as many events as there are whole `BULK`s of, if they are alike; return the others."""
    whole = len(rows) - len(rows) % BULK
    if not whole:
        return rows
    columns = list(zip(*rows[:whole], strict=True))
    own, shared = columns[: len(_OWN)], columns[len(_OWN) :]
    alike = [column.count(column[0]) == whole for column in shared]
    given = [column[0] for column in shared]
    statement = insert_alike
    if not alike.pop(_METADATA):
        statement = insert_alike_but_metadata
        own.append(shared[_METADATA])
        del given[_METADATA]
    if not all(alike):
        return rows
    values = list(chain.from_iterable(zip(*own, strict=True)))
    width = BULK * len(own)
    for start in range(0, len(values), width):
        ex.run(statement, (*values[start : start + width], offset, space_id, *given))
    return rows[whole:]


def _upsert_alike(ex: Executor, write: SpaceWrite, stamp: int) -> Sequence[tuple[str, bytes]]:
    """Write as many values as there are whole `BULK`s of, in key order; return the others."""
    values = sorted(write.puts.items())
    whole = len(values) - len(values) % BULK
    for start in range(0, whole, BULK):
        own = chain.from_iterable(values[start : start + BULK])
        ex.run(upsert_alike, (*own, write.space_id, stamp))
    return values[whole:]


def _run(
    ex: Executor, one: Statement, rows: Sequence[Any], several: Statement | None = None
) -> None:
    """Write rows by the statement for ``several`` of them as long as there are enough."""
    if several is not None and len(rows) >= BULK:
        whole = len(rows) - len(rows) % BULK
        for start in range(0, whole, BULK):
            ex.run(several, tuple(chain.from_iterable(rows[start : start + BULK])))
        rows = rows[whole:]
    # one row is the usual case, and execute is cheaper than executemany for it
    if len(rows) == 1:
        ex.run(one, rows[0])
    elif rows:
        ex.run_many(one, rows)


def _taken(ex: Executor, write: SpaceWrite, stamp: int, token: bytes) -> int:
    """Move the hot row, if it is as decided on; return how many rows that were."""
    sequence, version, *_ = write.guard
    new = (sequence + len(write.events), version + write.version_step, stamp, token)
    where = (write.space_id, sequence, version)
    if write.replica is None:
        return ex.run(take_guard, (*new, *where))
    return ex.run(take_replica, (*new, write.replica, *where))

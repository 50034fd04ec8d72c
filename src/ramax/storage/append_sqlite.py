"""Writes a plan on SQLite: a few statements inside the caller's BEGIN IMMEDIATE."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import bindparam as p

from ramax.core.codec import FORMAT_MSGPACK
from ramax.core.unit import SpaceWrite
from ramax.storage.checkpoints import upsert_checkpoint
from ramax.storage.executors import Executor
from ramax.storage.plan import WritePlan, Written
from ramax.storage.pstate import delete_value, upsert_value
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


@Statement
def _take_guard(t: Tables) -> sa.Update:
    """Move the hot row if it is as decided on."""
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
        )
    )


@Statement
def _newest_event_id(_: Tables) -> sa.TextClause:
    """The highest id ever used, deleted ones included; exact under the write lock."""
    return sa.text("SELECT seq FROM sqlite_sequence WHERE name = 'events'")


@Statement
def insert_event(t: Tables) -> sa.Insert:
    """One event with every column given."""
    return sa.insert(t.events).values({name: p(name) for name in EVENT_PARAMETERS})


def write_sqlite(ex: Executor, plan: WritePlan) -> dict[int, Written]:
    """Write every space whose guard still holds.

    Returns:
        Space id to what its events got; a space that is absent lost its guard, or is gone.
    """
    done: dict[int, Written] = {}
    events: list[tuple[Any, ...]] = []
    written: list[SpaceWrite] = []
    newest = -1
    for write in plan.spaces:
        if not ex.run(_take_guard, _guard_values(write, plan.token)):
            continue
        if newest < 0:
            rows = ex.rows(_newest_event_id, ())
            newest = rows[0][0] if rows else 0
        first = newest + 1
        newest += len(write.events)
        ids = {row[0]: first + at for at, row in enumerate(write.events)}
        events += [
            (first + at, write.space_id, *row[:4], FORMAT_MSGPACK, *row[4:])
            for at, row in enumerate(write.events)
        ]
        done[write.space_id] = Written(ids)
        written.append(write)
    _run(ex, insert_event, events)
    _write_state(ex, written, newest)
    for extra in plan.extras:
        _run(ex, extra.statement, [row for row in extra.rows if row["space_id"] in done])
    return done


def _run(ex: Executor, statement: Statement, rows: Sequence[Params]) -> None:
    # one row is the usual case, and execute is cheaper than executemany for it
    if len(rows) == 1:
        ex.run(statement, rows[0])
    elif rows:
        ex.run_many(statement, rows)


def _guard_values(write: SpaceWrite, token: bytes) -> dict[str, Any]:
    guard = write.guard
    return {
        "space_id": write.space_id,
        "guard_sequence": guard.last_sequence,
        "guard_version": guard.state_version,
        "new_sequence": write.last_sequence,
        "new_version": guard.state_version + write.version_step,
        "new_timestamp": max(write.last_timestamp, guard.last_timestamp),
        "token": token,
    }


def _write_state(ex: Executor, written: Sequence[SpaceWrite], newest: int) -> None:
    puts: list[Params] = []
    deletes: list[Params] = []
    steps: list[Params] = []
    for w in reversed(written):
        stamp = max(w.last_timestamp, w.guard.last_timestamp)
        keys = sorted(w.puts) if len(w.puts) > 1 else w.puts
        puts += [(w.space_id, key, w.puts[key], FORMAT_MSGPACK, stamp, 0) for key in keys]
        deletes += [{"space_id": w.space_id, "key": key} for key in w.deletes]
        if w.checkpoint is not None:
            unfolded = w.last_sequence - w.checkpoint  # plain appends after the last command
            event_id = newest - unfolded if w.events else w.checkpoint_event_id
            steps.append((w.space_id, PSTATE, event_id, w.checkpoint, stamp))
        newest -= len(w.events)
    _run(ex, upsert_value, puts)
    _run(ex, delete_value, deletes)
    _run(ex, upsert_checkpoint, steps)

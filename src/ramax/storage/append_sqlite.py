"""Writes a plan on SQLite: a few statements inside the caller's BEGIN IMMEDIATE."""

from collections.abc import Iterator
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
from ramax.storage.sql import Statement
from ramax.storage.tables import Tables


@Statement
def _take_guard(t: Tables) -> sa.Update:
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
    columns = [c.name for c in t.events.c if c.name != "created_at"]
    return sa.insert(t.events).values({name: p(name) for name in columns})


def write_sqlite(ex: Executor, plan: WritePlan) -> dict[int, Written]:
    """Write every space whose guard still holds.

    Returns:
        Space id to what its events got; a space that is absent lost its guard, or is gone.
    """
    done: dict[int, Written] = {}
    newest = None
    events: list[dict[str, Any]] = []
    for write in plan.spaces:
        guard = write.guard
        if not ex.run(
            _take_guard,
            {
                "space_id": write.space_id,
                "guard_sequence": guard.last_sequence,
                "guard_version": guard.state_version,
                "new_sequence": write.last_sequence,
                "new_version": guard.state_version + write.version_step,
                "new_timestamp": max(write.last_timestamp, guard.last_timestamp),
                "token": plan.token,
            },
        ):
            continue
        ids: dict[int, int] = {}
        if write.events:
            if newest is None:
                rows = ex.rows(_newest_event_id, {})
                newest = rows[0][0] if rows else 0
            for row in write.events:
                newest += 1
                ids[row.sequence] = newest
                events.append(_event_values(write.space_id, newest, row))
        done[write.space_id] = Written(ids)
    if events:
        _run(ex, insert_event, events)
    written = [write for write in plan.spaces if write.space_id in done]
    _write_state(ex, plan, written, done)
    for extra in plan.extras:
        rows_ = [row for row in extra.rows if row["space_id"] in done]
        if rows_:
            _run(ex, extra.statement, rows_)
    return done


def _run(ex: Executor, statement: Statement, rows: list[Any]) -> None:
    # one row is the usual case, and execute is cheaper than executemany for it
    if len(rows) == 1:
        ex.run(statement, rows[0])
    else:
        ex.run_many(statement, rows)


def _event_values(space_id: int, event_id: int, row: Any) -> dict[str, Any]:
    return {
        "event_id": event_id,
        "space_id": space_id,
        "space_sequence": row.sequence,
        "entity_id": row.entity_id,
        "event_type": row.event_type,
        "payload": row.payload,
        "format": FORMAT_MSGPACK,
        "timestamp": row.micros,
        "causation_id": row.causation_id,
        "correlation_id": row.correlation_id,
        "metadata": row.metadata,
    }


def _write_state(
    ex: Executor, plan: WritePlan, written: list[SpaceWrite], done: dict[int, Written]
) -> None:
    puts = list(_puts(written))
    if puts:
        _run(ex, upsert_value, puts)
    deletes = [{"space_id": w.space_id, "key": key} for w in written for key in w.deletes]
    if deletes:
        _run(ex, delete_value, deletes)
    steps = [
        {
            "space_id": w.space_id,
            "name": PSTATE,
            "event_id": max(done[w.space_id].event_ids.values(), default=w.checkpoint_event_id),
            "sequence": w.checkpoint,
            "now": plan.now,
        }
        for w in written
        if w.checkpoint is not None
    ]
    if steps:
        _run(ex, upsert_checkpoint, steps)


def _puts(written: list[SpaceWrite]) -> Iterator[dict[str, Any]]:
    for w in written:
        for key in sorted(w.puts):
            yield {
                "space_id": w.space_id,
                "key": key,
                "value": w.puts[key],
                "format": FORMAT_MSGPACK,
                "now": max(w.last_timestamp, w.guard.last_timestamp),
                "direct": 0,
            }

"""Checkpoints: how far each named reader of a space has come."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy import bindparam as p
from sqlalchemy.dialects import postgresql, sqlite

from ramax.storage.executors import Executor
from ramax.storage.lineage import clipped, lineage_of
from ramax.storage.sql import Statement
from ramax.storage.tables import Tables


@Statement
def _get(t: Tables) -> sa.Select[Any]:
    c, q = t.checkpoints.c, t.space_sequences.c
    mine = (c.space_id == q.space_id) & (c.name == p("name"))
    return (
        sa.select(c.last_space_sequence)
        .select_from(t.space_sequences.outerjoin(t.checkpoints, mine))
        .where(q.space_id == p("space_id"))
    )


@Statement
def _list(t: Tables) -> sa.Select[Any]:
    c, q = t.checkpoints.c, t.space_sequences.c
    return (
        sa.select(c.name, c.last_space_sequence)
        .select_from(t.space_sequences.outerjoin(t.checkpoints, c.space_id == q.space_id))
        .where(q.space_id == p("space_id"))
        .order_by(c.name)
    )


@Statement
def upsert_checkpoint(t: Tables) -> sa.Insert:
    """Set the checkpoint of the built-in projection; the space's guard covers it."""
    insert = postgresql.insert if t.dialect == "postgresql" else sqlite.insert
    statement = insert(t.checkpoints).values(
        space_id=p("space_id"),
        name=p("name"),
        last_event_id=p("event_id"),
        last_space_sequence=p("sequence"),
        updated_at=p("now"),
    )
    moved = ("last_event_id", "last_space_sequence", "updated_at")
    return statement.on_conflict_do_update(
        index_elements=["space_id", "name"], set_={k: statement.excluded[k] for k in moved}
    )


@Statement
def start_checkpoint(t: Tables) -> sa.Insert:
    """Give a reader its first checkpoint, unless it has one."""
    insert = postgresql.insert if t.dialect == "postgresql" else sqlite.insert
    return (
        insert(t.checkpoints)
        .values(
            space_id=p("space_id"),
            name=p("name"),
            last_event_id=p("event_id"),
            last_space_sequence=p("sequence"),
            updated_at=p("now"),
        )
        .on_conflict_do_nothing(index_elements=["space_id", "name"])
    )


@Statement
def _move(t: Tables) -> sa.Update:
    c = t.checkpoints.c
    big = sa.BigInteger()
    stays = c.last_space_sequence == p("to", type_=big)
    return (
        sa.update(t.checkpoints)
        .where(
            c.space_id == p("space"), c.name == p("reader"), c.last_space_sequence == p("expected")
        )
        .values(
            last_event_id=p("event_id"),
            last_space_sequence=p("sequence"),
            parts_done=sa.case((stays, c.parts_done), else_=sa.literal_column("0")),
            updated_at=p("now"),
        )
    )


@Statement
def _event_id_at(t: Tables) -> sa.Select[Any]:
    e = t.events.c
    return sa.select(e.event_id).where(
        e.space_id == p("space_id"), e.space_sequence == p("sequence")
    )


@Statement
def _standing_at(t: Tables) -> sa.Select[Any]:
    c = t.checkpoints.c
    return sa.select(c.name).where(
        c.space_id == p("space_id"), c.last_space_sequence == p("sequence")
    )


@Statement
def set_checkpoint(t: Tables) -> sa.Insert:
    """Set a projection's checkpoint to a sequence of the space, whose lock the caller holds."""
    insert = postgresql.insert if t.dialect == "postgresql" else sqlite.insert
    e, sequence = t.events.c, p("sequence", type_=sa.BigInteger())
    event_id = sa.select(e.event_id).where(
        e.space_id == p("space_id"), e.space_sequence == sequence
    )
    statement = insert(t.checkpoints).values(
        space_id=p("space_id"),
        name=p("name"),
        last_event_id=sa.func.coalesce(event_id.scalar_subquery(), 0),
        last_space_sequence=sequence,
        parts_done=sa.literal_column("0"),
        updated_at=p("now"),
    )
    moved = ("last_event_id", "last_space_sequence", "parts_done", "updated_at")
    return statement.on_conflict_do_update(
        index_elements=["space_id", "name"], set_={k: statement.excluded[k] for k in moved}
    )


def standing_at(ex: Executor, space_id: int, sequence: int) -> frozenset[str]:
    """Return the names of the readers of a space that are at a sequence."""
    rows = ex.rows(_standing_at, {"space_id": space_id, "sequence": sequence})
    return frozenset(row[0] for row in rows)


def read(ex: Executor, space_id: int, name: str) -> int | None:
    """Return the last sequence that a reader finished, 0 if none; None if the space is gone."""
    rows = ex.rows(_get, {"space_id": space_id, "name": name})
    return (rows[0][0] or 0) if rows else None


def read_all(ex: Executor, space_id: int) -> dict[str, int] | None:
    """Return name to last finished sequence, by name; None if the space is gone."""
    rows = ex.rows(_list, {"space_id": space_id})
    return {row[0]: row[1] for row in rows if row[0] is not None} if rows else None


def event_id_at(ex: Executor, space_id: int, sequence: int) -> int:
    """Return the id of the event at a sequence, 0 for sequence 0 or one that is not there."""
    if not sequence:
        return 0
    parts = clipped(lineage_of(ex, space_id), sequence - 1, sequence)
    owner = parts[0].space_id if parts else space_id
    rows = ex.rows(_event_id_at, {"space_id": owner, "sequence": sequence})
    return int(rows[0][0]) if rows else 0


def advance(
    ex: Executor, space_id: int, name: str, sequence: int, *, expected: int, now: int
) -> bool:
    """Move a checkpoint by compare-and-set, in the caller's transaction.

    Returns:
        False if it was not at ``expected`` (0 where there is none yet); nothing has changed then.
    """
    event_id = event_id_at(ex, space_id, sequence)
    if expected == 0:
        started = ex.run(
            start_checkpoint,
            {
                "space_id": space_id,
                "name": name,
                "event_id": event_id,
                "sequence": sequence,
                "now": now,
            },
        )
        if started:
            return True
    moved = ex.run(
        _move,
        {
            "space": space_id,
            "reader": name,
            "expected": expected,
            "event_id": event_id,
            "sequence": sequence,
            "to": sequence,
            "now": now,
        },
    )
    return bool(moved)

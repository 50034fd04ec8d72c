"""The hot row of a space, locked, kept, and moved on: who writes to the space waits for that."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy import bindparam as p

from ramax.errors import SpaceNotFoundError
from ramax.storage.executors import Executor
from ramax.storage.planning import limit_waiting
from ramax.storage.sql import Statement
from ramax.storage.tables import Tables


@Statement
def lock(t: Tables) -> sa.UpdateBase | sa.Select[Any]:
    """Lock the hot row of a space until the transaction ends, and return its numbers."""
    q = t.space_sequences
    columns = (q.c.last_sequence, q.c.state_version, q.c.last_timestamp)
    if t.dialect == "postgresql":
        return (
            sa.select(*columns).where(q.c.space_id == p("space_id")).with_for_update(key_share=True)
        )
    # a write that changes nothing takes SQLite's write lock, whatever BEGIN the caller used
    return (
        sa.update(q)
        .where(q.c.space_id == p("space_id"))
        .values(state_version=q.c.state_version)
        .returning(*columns)
    )


@Statement
def _keep(t: Tables) -> sa.Select[Any]:
    """Keep a space from being deleted until the transaction ends; appends to it go on."""
    q = t.space_sequences
    statement = sa.select(q.c.last_sequence).where(q.c.space_id == p("space_id"))
    return statement.with_for_update(read=True, key_share=True)


@Statement
def lock_nowait(t: Tables) -> sa.Select[Any]:
    """Like `lock`, but fails at once where somebody holds the row (PostgreSQL)."""
    q = t.space_sequences
    return (
        sa.select(q.c.last_sequence, q.c.state_version, q.c.last_timestamp)
        .where(q.c.space_id == p("space_id"))
        .with_for_update(nowait=True, key_share=True)
    )


@Statement
def _bump(t: Tables) -> sa.Update:
    q = t.space_sequences
    return (
        sa.update(q)
        .where(q.c.space_id == p("space_id"))
        .values(state_version=q.c.state_version + 1)
        .returning(q.c.last_sequence, q.c.state_version, q.c.writer_token)
    )


def take_lock(
    ex: Executor,
    space_id: int,
    space: str | int,
    *,
    nowait: bool = False,
    wait_seconds: float | None = None,
    joined: bool = False,
) -> None:
    """Lock a space for the transaction of ``ex``.

    Args:
        nowait: Fail at once where somebody holds it (PostgreSQL; SQLite has one lock for all).
        wait_seconds: How long to wait on PostgreSQL; SQLite waits by its busy timeout.
        joined: See `limit_waiting`.

    Raises:
        SpaceNotFoundError: It was deleted.
        StorageBusyError: Somebody holds it.
    """
    postgres = ex.tables.dialect == "postgresql"
    if wait_seconds is not None:
        limit_waiting(ex, wait_seconds, joined=joined)
    if not ex.rows(lock_nowait if nowait and postgres else lock, {"space_id": space_id}):
        raise SpaceNotFoundError(space)


def keep(ex: Executor, space_id: int) -> int | None:
    """Keep a space from being deleted until the transaction ends; return its newest sequence.

    None means that there is no such space. On SQLite the write lock, which the caller has, is
    what keeps it.
    """
    rows = ex.rows(_keep, {"space_id": space_id})
    return rows[0][0] if rows else None


def move_state_version(ex: Executor, space_id: int) -> tuple[int, int, bytes | None] | None:
    """Make every cached guard of a space stale; return sequence, version, token, or None."""
    rows = ex.rows(_bump, {"space_id": space_id})
    return (rows[0][0], rows[0][1], rows[0][2]) if rows else None

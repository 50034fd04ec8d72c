"""Reading for a verification: what must agree is read by one statement, hence as of one moment."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import bindparam as p

from ramax.storage.events import read_page
from ramax.storage.executors import Executor, Row
from ramax.storage.lineage import base_of
from ramax.storage.reads import PSTATE
from ramax.storage.sql import Statement, beside
from ramax.storage.tables import Tables


@Statement
def _ends(t: Tables) -> sa.Select[Any]:
    q, e = t.space_sequences.c, t.events.c
    newest = sa.select(sa.func.max(e.space_sequence)).where(e.space_id == q.space_id)
    return sa.select(q.last_sequence, newest.scalar_subquery()).where(q.space_id == p("space_id"))


@Statement
def _checkpoints(t: Tables) -> sa.Select[Any]:
    q, c, e = t.space_sequences.c, t.checkpoints.c, t.events.c
    at = (e.space_id == c.space_id) & (e.space_sequence == c.last_space_sequence)
    standing = t.space_sequences.join(t.checkpoints, c.space_id == q.space_id)
    source, event = beside(t, standing, t.events, at, outer=True)
    return (
        sa.select(q.last_sequence, c.name, c.last_space_sequence, c.last_event_id, event.c.event_id)
        .select_from(source)
        .where(q.space_id == p("space_id"))
        .order_by(c.name)
    )


@Statement
def _stored(t: Tables) -> sa.Select[Any]:
    q, c, s = t.space_sequences, t.checkpoints, t.pstate.c
    page = (
        sa.select(s.key, s.value, s.format, s.direct)
        .where(s.space_id == p("space_id"), s.key > p("after"))
        .order_by(s.key)
        .limit(p("limit", type_=sa.Integer()))
        .subquery("page")
    )
    own = (c.c.space_id == q.c.space_id) & (c.c.name == sa.literal_column(f"'{PSTATE}'"))
    return (
        sa.select(c.c.last_space_sequence, *page.c)
        .select_from(q.outerjoin(c, own).outerjoin(page, sa.true()))
        .where(q.c.space_id == p("space_id"))
        .order_by(page.c.key)
    )


def read_ends(ex: Executor, space_id: int) -> tuple[int, int] | None:
    """Read the last sequence as the space says and as its events say; None where it is gone."""
    rows = ex.rows(_ends, {"space_id": space_id})
    if not rows:
        return None
    last, newest = rows[0]
    return last, base_of(ex, space_id) if newest is None else newest


def read_checkpoints(ex: Executor, space_id: int) -> Sequence[Row]:
    """Read (last sequence of the space, name, sequence, event id, id of the event there)."""
    rows = ex.rows(_checkpoints, {"space_id": space_id})
    base = base_of(ex, space_id)
    if not base:
        return rows
    return [(*row[:4], _inherited_id(ex, space_id, row, base) or row[4]) for row in rows]


def _inherited_id(ex: Executor, space_id: int, row: Row, base: int) -> int | None:
    sequence, noted = row[2], row[3]
    if sequence > base:
        return None
    if not noted:  # a projection's checkpoint names only events of the space's own
        return 0
    found = read_page(ex, space_id, after=sequence - 1, upto=sequence, limit=1)
    return found[0][0] if found else None


def read_stored_at(
    ex: Executor, space_id: int, *, after: str, limit: int
) -> tuple[int, list[Row]] | None:
    """Read a page of (key, value, format, direct) and the checkpoint at which that was the pstate.

    None where the space is gone.
    """
    rows = ex.rows(_stored, {"space_id": space_id, "after": after, "limit": limit})
    if not rows:
        return None
    return rows[0][0] or 0, [row[1:] for row in rows if row[1] is not None]

"""What spaces hold, counted in one statement."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import bindparam as p

from ramax.storage.executors import Executor, Row
from ramax.storage.past import read_time
from ramax.storage.reads import PSTATE
from ramax.storage.spaces import as_space, space_columns
from ramax.storage.sql import Statement
from ramax.storage.tables import Tables
from ramax.values import MAIN_BRANCH, SpaceStats, from_micros


def _select_stats(t: Tables, only: sa.ColumnElement[int] | None) -> sa.Select[Any]:
    """Counts of all spaces, or of one, in one statement; each part looks only at what it needs."""
    e, s, c = t.events.c, t.pstate.c, t.spaces.c

    def part(column: Any) -> sa.ColumnElement[bool]:
        return sa.true() if only is None else column == only

    events = (
        sa.select(
            e.space_id,
            sa.func.count().label("n"),
            sa.func.max(e.timestamp).label("newest"),
            sa.func.sum(sa.func.length(e.payload)).label("size"),
        )
        .where(part(e.space_id))
        .group_by(e.space_id)
        .subquery("ev")
    )
    keys = (
        sa.select(
            s.space_id,
            sa.func.count().label("n"),
            sa.func.sum(sa.func.length(s.value)).label("size"),
        )
        .where(part(s.space_id))
        .group_by(s.space_id)
        .subquery("ks")
    )
    parents = t.events.alias("of_parent")
    forked = sa.select(parents.c.timestamp).where(
        parents.c.space_id == c.parent_space_id, parents.c.space_sequence == c.base_sequence
    )
    return (
        sa.select(
            *space_columns(t),
            events.c.n,
            events.c.newest,
            events.c.size,
            keys.c.n,
            keys.c.size,
            t.checkpoints.c.name,
            t.checkpoints.c.last_space_sequence,
            c.base_sequence,
            forked.scalar_subquery(),
        )
        .select_from(
            t.spaces.outerjoin(events, events.c.space_id == c.space_id)
            .outerjoin(keys, keys.c.space_id == c.space_id)
            .outerjoin(t.checkpoints, t.checkpoints.c.space_id == c.space_id)
        )
        .where(part(c.space_id) if only is not None else c.branch_id == p("branch_id"))
        .order_by(c.space_id, t.checkpoints.c.name)
    )


@Statement
def _stats_of_all(t: Tables) -> sa.Select[Any]:
    return _select_stats(t, None)


@Statement
def _stats_of_one(t: Tables) -> sa.Select[Any]:
    return _select_stats(t, p("space_id", type_=sa.BigInteger()))


def read_stats(
    ex: Executor, space_id: int | None = None, branch_id: int = MAIN_BRANCH
) -> list[SpaceStats]:
    """Return the counts of one space, or of all of a branch, by id, with one statement.

    A fork has the events of its parent's too, but no bytes of them.
    """
    grouped: dict[int, tuple[Row, dict[str, int]]] = {}
    rows = (
        ex.rows(_stats_of_all, {"branch_id": branch_id})
        if space_id is None
        else ex.rows(_stats_of_one, {"space_id": space_id})
    )
    for row in rows:
        _, checkpoints = grouped.setdefault(row[0], (row, {}))
        if row[11] is not None:
            checkpoints[row[11]] = row[12]
    return [_as_stats(ex, row, checkpoints) for row, checkpoints in grouped.values()]


def _as_stats(ex: Executor, row: Sequence[Any], checkpoints: dict[str, int]) -> SpaceStats:
    events, newest, event_bytes, keys, key_bytes = row[6:11]
    inherited, of_parent = row[13], row[14]
    if newest is None and inherited:  # of an older space, where the parent has it from there
        newest = of_parent or read_time(ex, row[0], inherited)
    return SpaceStats(
        as_space(row[:6]),
        (events or 0) + inherited,
        keys or 0,
        {PSTATE: 0} | checkpoints,
        None if newest is None else from_micros(newest),
        int(event_bytes or 0) + int(key_bytes or 0),
    )

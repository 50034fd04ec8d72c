"""Finding a moment in the log of a space."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy import bindparam as p

from ramax.core.clock import last_stamp
from ramax.storage.executors import Executor
from ramax.storage.lineage import FOREVER, Segment, clipped, lineage_of
from ramax.storage.sql import Statement
from ramax.storage.tables import Tables


def _first_later(t: Tables) -> sa.Select[Any]:
    e = t.events.c
    return (
        sa.select(e.space_sequence)
        .where(
            e.space_id == p("space_id"),
            e.space_sequence > p("after"),
            e.space_sequence <= p("upto"),
            e.timestamp > p("moment"),
        )
        .order_by(e.space_sequence)
        .limit(1)
    )


@Statement
def first_later(t: Tables) -> sa.Select[Any]:
    """The first event after a sequence that is later than a moment."""
    return _first_later(t)


@Statement
def first_later_of_replicas(t: Tables) -> sa.Select[Any]:
    """As `first_later`, where others write as well: the first one that its stamp says so of, too.

    A time is what the clock of another replica said; a stamp that is far ahead is not believed.
    """
    o = t.event_origins.c
    stamp = (
        sa.select(o.stamp)
        .where(o.space_id == t.events.c.space_id, o.space_sequence == t.events.c.space_sequence)
        .scalar_subquery()
    )
    return _first_later(t).where(sa.func.coalesce(stamp > p("stamp"), sa.true()))


@Statement
def time_of(t: Tables) -> sa.Select[Any]:
    """When an event was recorded."""
    e = t.events.c
    return sa.select(e.timestamp).where(
        e.space_id == p("space_id"), e.space_sequence == p("sequence")
    )


def read_first_later(
    ex: Executor, space_id: int, moment: int, *, after: int, replicated: bool = False
) -> int | None:
    """Read the sequence of the first event, above ``after``, later than a time in UTC µs.

    Times may fall in a log that came from elsewhere, so the first one counts, not a search.
    """
    parts = clipped(lineage_of(ex, space_id), after, FOREVER)
    of_replicas = replicated or bool(parts)
    asked = {"moment": moment} | ({"stamp": last_stamp(moment)} if of_replicas else {})
    for part in parts or (Segment(space_id, after, FOREVER),):
        statement = first_later_of_replicas if of_replicas else first_later
        rows = ex.rows(statement, part._asdict() | asked)
        if rows:
            return rows[0][0]  # type: ignore[no-any-return]
    return None


def read_time(ex: Executor, space_id: int, sequence: int) -> int | None:
    """Read when an event was recorded (UTC µs); None if there is no such event."""
    parts = clipped(lineage_of(ex, space_id), sequence - 1, sequence)
    owner = parts[0].space_id if parts else space_id
    rows = ex.rows(time_of, {"space_id": owner, "sequence": sequence})
    return rows[0][0] if rows else None

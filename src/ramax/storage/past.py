"""Finding a moment in the log of a space."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy import bindparam as p

from ramax.storage.executors import Executor
from ramax.storage.lineage import FOREVER, Segment, clipped, lineage_of
from ramax.storage.sql import Statement
from ramax.storage.tables import Tables


@Statement
def first_later(t: Tables) -> sa.Select[Any]:
    """The first event after a sequence that is later than a moment."""
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
def time_of(t: Tables) -> sa.Select[Any]:
    """When an event was recorded."""
    e = t.events.c
    return sa.select(e.timestamp).where(
        e.space_id == p("space_id"), e.space_sequence == p("sequence")
    )


def read_first_later(ex: Executor, space_id: int, moment: int, *, after: int) -> int | None:
    """Read the sequence of the first event, above ``after``, later than a time in UTC µs.

    Times may fall in a log that came from elsewhere, so the first one counts, not a search.
    """
    parts = clipped(lineage_of(ex, space_id), after, FOREVER)
    for part in parts or (Segment(space_id, after, FOREVER),):
        rows = ex.rows(first_later, part._asdict() | {"moment": moment})
        if rows:
            return rows[0][0]  # type: ignore[no-any-return]
    return None


def read_time(ex: Executor, space_id: int, sequence: int) -> int | None:
    """Read when an event was recorded (UTC µs); None if there is no such event."""
    parts = clipped(lineage_of(ex, space_id), sequence - 1, sequence)
    owner = parts[0].space_id if parts else space_id
    rows = ex.rows(time_of, {"space_id": owner, "sequence": sequence})
    return rows[0][0] if rows else None

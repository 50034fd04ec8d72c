"""Finding a moment in the log of a space."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy import bindparam as p

from ramax.core.clock import last_stamp
from ramax.storage.canonical import read_stamps
from ramax.storage.executors import Executor
from ramax.storage.lineage import FOREVER, Segment, clipped, lineage_of
from ramax.storage.sql import Statement
from ramax.storage.tables import Tables


@Statement
def first_later(t: Tables) -> sa.Select[Any]:
    """The first events after a sequence that are later than a moment."""
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
        .limit(p("limit", type_=sa.BigInteger()))
    )


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

    Times may fall in a log that came from elsewhere, so the first one counts, not a search. Among
    replicas a time is what the clock of another one said: there the stamp must say so as well, for
    one that is far ahead is not believed.
    """
    parts = clipped(lineage_of(ex, space_id), after, FOREVER)
    for part in parts or (Segment(space_id, after, FOREVER),):
        found = _first_in(ex, part, moment, replicated=replicated or bool(parts))
        if found is not None:
            return found
    return None


_SEVERAL = 500


def _first_in(ex: Executor, part: Segment, moment: int, *, replicated: bool) -> int | None:
    after, highest = part.after, last_stamp(moment)
    limit = _SEVERAL if replicated else 1
    while True:
        asked = {"space_id": part.space_id, "after": after, "upto": part.upto}
        rows = ex.rows(first_later, asked | {"moment": moment, "limit": limit})
        if not replicated or not rows:
            return rows[0][0] if rows else None
        first, last = rows[0][0], rows[-1][0]
        stamps = read_stamps(ex, part.space_id, after=first - 1, upto=last)
        for (sequence,) in rows:
            stamp, _ = stamps.get(sequence, (FOREVER, False))
            if stamp > highest:
                return int(sequence)
        if len(rows) < limit:
            return None
        after = last


def read_time(ex: Executor, space_id: int, sequence: int) -> int | None:
    """Read when an event was recorded (UTC µs); None if there is no such event."""
    parts = clipped(lineage_of(ex, space_id), sequence - 1, sequence)
    owner = parts[0].space_id if parts else space_id
    rows = ex.rows(time_of, {"space_id": owner, "sequence": sequence})
    return rows[0][0] if rows else None

"""Which events are a space's own, and which are those of the spaces that it was forked from.

A fork continues its parent's sequence, so its log is a row of segments: each space of its ancestry
has those sequences that lie above its own base, up to where the next one branched off. What a
space goes on from never changes, so it is read once per process (ADR-0082).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy import bindparam as p

from ramax.storage.executors import Executor, Row
from ramax.storage.sql import Statement
from ramax.storage.tables import Tables

FOREVER = 2**63 - 1
"""A sequence above every event."""


class Segment(NamedTuple):
    """Where events with after < sequence <= upto are stored."""

    space_id: int
    after: int
    upto: int


Lineage = tuple[Segment, ...]
"""The segments of a log, oldest first; none where the space has no parent."""

ALONE: Lineage = ()


@Statement
def _parent(t: Tables) -> sa.Select[Any]:
    s = t.spaces.c
    return sa.select(s.parent_space_id, s.base_sequence).where(s.space_id == p("space_id"))


def lineage_of(ex: Executor, space_id: int) -> Lineage:
    """Return the segments of a space's log; none where it has no parent."""
    found = ex.lineages.get(space_id)
    return _read(ex, space_id) if found is None else found


def learn(ex: Executor, space_id: int, parent_id: int | None) -> None:
    """Remember that a space has no parent, from a row that was read for another reason."""
    if parent_id is None and ex.lasting:
        ex.lineages[space_id] = ALONE


def parent_of(ex: Executor, space_id: int) -> tuple[int, int] | None:
    """Return the space that one was forked from, and at which sequence; None if it was not."""
    rows = ex.rows(_parent, {"space_id": space_id})
    return (rows[0][0], rows[0][1]) if rows and rows[0][0] is not None else None


def _read(ex: Executor, space_id: int) -> Lineage:
    rows = ex.rows(_parent, {"space_id": space_id})
    if not rows:  # it is gone, or has no row yet
        return ALONE
    parent_id, base = rows[0]
    found = ALONE
    if parent_id is not None:
        above = lineage_of(ex, parent_id) or (Segment(parent_id, 0, FOREVER),)
        found = (*clipped(above, 0, base), Segment(space_id, base, FOREVER))
    if ex.lasting:
        ex.lineages[space_id] = found
    return found


def clipped(lineage: Lineage, after: int, upto: int) -> Lineage:
    """Return the parts of segments that have any of after < sequence <= upto."""
    parts = (Segment(s.space_id, max(s.after, after), min(s.upto, upto)) for s in lineage)
    return tuple(part for part in parts if part.after < part.upto)


def base_of(ex: Executor, space_id: int) -> int:
    """Return the sequence at which a space was forked, 0 where it was not."""
    lineage = lineage_of(ex, space_id)
    return lineage[-1].after if lineage else 0


def gather(
    lineage: Lineage,
    bounds: tuple[int, int],
    limit: int,
    read: Callable[[int, dict[str, int]], Sequence[Row]],
    *,
    reverse: bool = False,
) -> Sequence[Row]:
    """Read rows of a log's segments one after another: those of a page are mostly in one of them.

    Args:
        bounds: after and upto.
        read: Reads rows of the space of that id with these ``after``, ``upto`` and ``limit``.
    """
    found: list[Row] = []
    segments = clipped(lineage, *bounds)
    for space_id, after, upto in segments[::-1] if reverse else segments:
        found += read(space_id, {"after": after, "upto": upto, "limit": limit - len(found)})
        if len(found) >= limit:
            break
    return as_own(found, lineage[-1].space_id)


def as_own(rows: Sequence[Row], space_id: int) -> list[Row]:
    """Return rows of events as those of the space itself."""
    return [row if row[1] == space_id else (row[0], space_id, *row[2:]) for row in rows]


AT_ONCE = 40
"""Segments that one statement reads; SQLite takes 500."""


def read_over(  # noqa: PLR0917 - what is read, and how far
    ex: Executor,
    lineage: Lineage,
    bounds: tuple[int, int],
    limit: int,
    statement: Callable[[int], Statement],
    params: Mapping[str, Any],
    *,
    reverse: bool = False,
) -> list[Row]:
    """Read rows that may be in any of a log's segments, with one statement over them all.

    Args:
        statement: Makes the statement over a number of segments, each of which is bound by
            ``space_id<n>`` and ``upto<n>``, all of them by ``after`` and ``limit``.
    """
    segments = clipped(lineage, *bounds)
    if reverse:
        segments = segments[::-1]
    found: list[Row] = []
    for first in range(0, len(segments), AT_ONCE):
        some = segments[first : first + AT_ONCE]
        # above its own beginning a space has what it has; one bound from below is for all
        asked = {**params, "after": bounds[0], "limit": limit - len(found)}
        for number, (space_id, _, upto) in enumerate(some):
            asked[f"space_id{number}"], asked[f"upto{number}"] = space_id, upto
        found += ex.rows(statement(len(some)), asked)
        if len(found) >= limit:
            break
    return found


def ordered_by_itself(
    t: Tables,
    part: sa.Select[Any],
    sequence: sa.ColumnElement[int],
    limit: sa.BindParameter[int] | int,
    *,
    name: str,
    reverse: bool,
) -> sa.Select[Any]:
    """Return what is read of one segment as a part of a union, of which a page is wanted.

    PostgreSQL would find all of each part first, and sort that, or take another index of the space.
    """
    if t.dialect == "sqlite":  # merges the parts, and takes no order within one
        return part
    ordered = part.order_by(sequence.desc() if reverse else sequence).limit(limit)
    return sa.select(ordered.subquery(name))


def in_order(
    union: sa.CompoundSelect[Any], column: int, *, reverse: bool
) -> sa.CompoundSelect[Any]:
    """Order rows of several segments by a column, given by its place."""
    # by its place: SQLite finds no name of a column where a part is a join
    sequence: sa.ColumnElement[int] = sa.literal_column(str(column + 1))
    return union.order_by(sequence.desc() if reverse else sequence)

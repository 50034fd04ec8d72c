"""The rows of runs: where the events of replicated spaces come from.

A row speaks for its event and for those after it, up to the next row of the space.
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy import bindparam as p

from ramax.core.sync.runs import Newest, Run
from ramax.storage.events import FOREVER, space_page
from ramax.storage.executors import Executor, Row
from ramax.storage.sql import Statement
from ramax.storage.tables import Tables

_COLUMNS = (
    "space_sequence",
    "origin",
    "origin_seq",
    "stamp",
    "rule",
    "late",
    "uid",
    "causation",
)
"""In the order of `Run`."""

_SEQUENCE, _TIME = 2, 7
"""Of a row of an event."""


def run_columns(t: Tables) -> list[sa.ColumnElement[Any]]:
    """The columns of a run, in the order in which `as_run` takes them."""
    return [t.event_origins.c[name] for name in _COLUMNS]


def as_run(row: Row) -> Run:
    """Make a run of its columns."""
    sequence, origin, origin_seq, stamp, rule, late, uid, causation = row
    return Run(
        sequence,
        bytes(origin),
        origin_seq,
        stamp,
        rule,
        bool(late),
        None if uid is None else bytes(uid),
        None if causation is None else bytes(causation),
    )


def row_of(space_id: int, run: Run) -> dict[str, Any]:
    """Return a run as `insert_run` takes it."""
    return {"space_id": space_id, **dict(zip(_COLUMNS, run, strict=True)), "late": int(run.late)}


@Statement
def insert_run(t: Tables) -> sa.Insert:
    """The row of a new run."""
    return sa.insert(t.event_origins).values({name: p(name) for name in ("space_id", *_COLUMNS)})


def _covering(t: Tables, sequence: Any, columns: Iterable[str] = _COLUMNS) -> sa.Select[Any]:
    """The run of an event, whose sequence is given."""
    o = t.event_origins.alias("covering").c
    return (
        sa.select(*(o[name] for name in columns))
        .where(o.space_id == p("space_id"), o.space_sequence <= sequence)
        .order_by(o.space_sequence.desc())
        .limit(sa.literal_column("1"))
    )


def with_run(t: Tables, *columns: sa.ColumnElement[Any]) -> sa.Select[Any]:
    """Select columns of events, and those of the run of each."""
    e, o = t.events, t.event_origins
    if t.dialect == "postgresql":  # else it might take all runs of the space to join them
        run = _covering(t, e.c.space_sequence).lateral("run")
        return sa.select(*columns, *run.c).select_from(e.join(run, sa.true()))
    begins = _covering(t, e.c.space_sequence, ["space_sequence"]).scalar_subquery()
    same = (o.c.space_id == e.c.space_id) & (o.c.space_sequence == begins)
    return sa.select(*columns, *run_columns(t)).select_from(e.join(o, same))


def _until(t: Tables, run: sa.FromClause | None = None) -> sa.ColumnElement[Any]:
    """The sequence of the last event of a run."""
    o, q = (t.event_origins if run is None else run).c, t.space_sequences.c
    after = t.event_origins.alias("following").c
    following = (
        sa.select(after.space_sequence - 1)
        .where(after.space_id == p("space_id"), after.space_sequence > o.space_sequence)
        .order_by(after.space_sequence)
        .limit(sa.literal_column("1"))
        .scalar_subquery()
    )
    last = sa.select(q.last_sequence).where(q.space_id == p("space_id")).scalar_subquery()
    return sa.func.coalesce(following, last)


def _over(t: Tables, *columns: sa.ColumnElement[Any]) -> sa.Select[Any]:
    o = t.event_origins.c
    return (
        sa.select(*columns)
        .where(
            o.space_id == p("space_id"),
            o.space_sequence >= _covering(t, p("first"), ["space_sequence"]).scalar_subquery(),
            o.space_sequence <= p("upto"),
        )
        .order_by(o.space_sequence)
    )


@Statement
def runs_over(t: Tables) -> sa.Select[Any]:
    """The runs of a part of the log."""
    return _over(t, *run_columns(t))


@Statement
def late_over(t: Tables) -> sa.Select[Any]:
    """From where to where events of a part of the log, or around its bounds, came late."""
    o = t.event_origins.c
    return _over(t, o.space_sequence, _until(t)).where(o.late == sa.literal_column("1"))


@Statement
def runs_of_origin(t: Tables) -> sa.Select[Any]:
    """Runs of an origin, the one of an event of it first, and where each ends."""
    o, found = t.event_origins.c, t.event_origins.alias("found").c
    begins = (
        sa.select(found.origin_seq)
        .where(
            found.space_id == p("space_id"),
            found.origin == p("origin"),
            found.origin_seq <= p("origin_seq"),
        )
        .order_by(found.origin_seq.desc())
        .limit(sa.literal_column("1"))
        .scalar_subquery()
    )
    return (
        sa.select(*run_columns(t), _until(t))
        .where(o.space_id == p("space_id"), o.origin == p("origin"), o.origin_seq >= begins)
        .order_by(o.origin_seq)
        .limit(p("limit", type_=sa.BigInteger()))
    )


@Statement
def newest_runs(t: Tables) -> sa.Select[Any]:
    """The newest run of every origin, where it ends, and the time of the event there.

    Origins are found one after another, by a short search for each.
    """
    e = t.events

    def first_origin(*conditions: Any) -> Any:
        of = t.event_origins.alias("next_origin").c
        return (
            sa.select(of.origin)
            .where(of.space_id == p("space_id"), *(each(of) for each in conditions))
            .order_by(of.origin)
            .limit(sa.literal_column("1"))
            .scalar_subquery()
        )

    begin = sa.select(first_origin().label("origin")).cte("origins", recursive=True)
    origins = begin.union_all(
        sa.select(first_origin(lambda of: of.origin > begin.c.origin)).where(
            begin.c.origin.is_not(None)
        )
    )
    newest = t.event_origins.alias("newest").c

    def begin_of(*columns: str) -> Any:
        return (
            sa.select(*(newest[name] for name in columns))
            .where(newest.space_id == p("space_id"), newest.origin == origins.c.origin)
            .order_by(newest.origin_seq.desc())
            .limit(sa.literal_column("1"))
        )

    if t.dialect == "postgresql":  # see `with_run`
        run: Any = begin_of(*_COLUMNS).lateral("run")
        both: Any = origins.join(run, sa.true())
    else:
        run, begins = t.event_origins, begin_of("space_sequence").scalar_subquery()
        same = (run.c.space_id == p("space_id")) & (run.c.space_sequence == begins)
        both = origins.join(run, same)
    ends = (
        sa.select(*(run.c[name] for name in _COLUMNS), _until(t, run).label("until"))
        .select_from(both)
        .subquery("ends")
    )
    time = (
        sa.select(e.c.timestamp)
        .where(e.c.space_id == p("space_id"), e.c.space_sequence == ends.c.until)
        .scalar_subquery()
    )
    return sa.select(*ends.c, time)


@Statement
def _forget(t: Tables) -> sa.Delete:
    o = t.event_origins
    return sa.delete(o).where(o.c.space_id == p("space_id"))


@Statement
def _move_origin(t: Tables) -> sa.Update:
    o = t.event_origins
    return (
        sa.update(o)
        .where(
            o.c.space_id == p("space_id"),
            o.c.origin == p("old"),
            o.c.origin_seq > p("before"),
        )
        .values(origin=p("new"), origin_seq=o.c.origin_seq - p("before"))
    )


@Statement
def _mark_late(t: Tables) -> sa.Update:
    o = t.event_origins
    return (
        sa.update(o)
        .where(o.c.space_id == p("space"), o.c.space_sequence == p("sequence"))
        .values(late=sa.literal_column("1"))
    )


@Statement
def first_late(t: Tables) -> sa.Select[Any]:
    """The first event of a log that came late; the very first only counts as such."""
    o = t.event_origins.c
    mine = (o.space_id == p("space_id")) & (o.space_sequence > sa.literal_column("1"))
    late = o.late == sa.literal_column("1")
    return sa.select(o.space_sequence).where(mine, late).order_by(o.space_sequence).limit(1)


class Part(NamedTuple):
    """Events of a run that follow each other: which, by their sequences in the log."""

    run: Run
    first: int
    last: int


def write_runs(ex: Executor, space_id: int, runs: Sequence[Run]) -> None:
    """Write the rows of runs of events that are there already."""
    if runs:
        ex.run_many(insert_run, [row_of(space_id, run) for run in runs])


def replace_runs(ex: Executor, space_id: int, runs: Sequence[Run]) -> None:
    """Let these be all runs of a space."""
    ex.run(_forget, {"space_id": space_id})
    write_runs(ex, space_id, runs)


def read_runs(ex: Executor, space_id: int, *, after: int, upto: int) -> list[Run]:
    """Read the runs of the events with after < sequence <= upto, in order."""
    rows = ex.rows(runs_over, {"space_id": space_id, "first": after + 1, "upto": upto})
    return [as_run(row) for row in rows]


def read_newest(ex: Executor, space_id: int) -> dict[bytes, Newest]:
    """Read the newest event of every origin."""
    found = {}
    for *columns, until, micros in ex.rows(newest_runs, {"space_id": space_id}):
        run = as_run(columns)
        found[run.origin] = Newest(run.seq_at(until), run.stamp_at(until, micros))
    return found


def read_vector(ex: Executor, space_id: int) -> dict[bytes, int]:
    """Read the newest number of every origin."""
    return {origin: each.origin_seq for origin, each in read_newest(ex, space_id).items()}


def read_parts(
    ex: Executor, space_id: int, origin: bytes, *, after: int, upto: int = FOREVER, limit: int
) -> list[Part]:
    """Find where the events of an origin after its number ``after`` are, about ``limit`` of them.

    Args:
        upto: A sequence of the log.
    """
    params = {"space_id": space_id, "origin": origin, "origin_seq": after + 1}
    parts: list[Part] = []
    for *columns, until in ex.rows(runs_of_origin, params | {"limit": min(limit, _AT_ONCE)}):
        run = as_run(columns)
        first = max(run.sequence, run.sequence + after + 1 - run.origin_seq)
        last = min(until, upto, first + limit - 1)
        if last < first or not limit:
            continue
        parts.append(Part(run, first, last))
        limit -= last - first + 1
    return parts


_AT_ONCE = 512
"""Runs that are looked at for a page: where they are that short, pages are as well."""


def placed(runs: Iterable[Run], rows: Iterable[Row]) -> Iterable[tuple[Run, Row]]:
    """Yield each event of rows in the order of the log, with its run."""
    given = iter(rows)
    row = next(given, None)
    for run, following in pairwise([*runs, None]):
        assert run is not None
        end = FOREVER if following is None else following.sequence
        while row is not None and row[_SEQUENCE] < end:
            yield run, row
            row = next(given, None)


def stamped(run: Run, row: Row) -> int:
    """Return the stamp of an event of a run."""
    return run.stamp_at(row[_SEQUENCE], row[_TIME])


def divide(ex: Executor, space_id: int, sequence: int) -> None:
    """Let a run begin with an event, if it is there and is within one."""
    for run in read_runs(ex, space_id, after=sequence - 1, upto=sequence):
        page = {"space_id": space_id, "after": sequence - 1, "upto": sequence, "limit": 1}
        for row in ex.rows(space_page, page):
            if run.sequence < sequence:
                write_runs(ex, space_id, [run.from_there(sequence, row[_TIME])])


def mark_first_late(ex: Executor, space_id: int) -> None:
    """Let the first event of a space count as late, and none that follows it for that."""
    divide(ex, space_id, 2)
    ex.run(_mark_late, {"space": space_id, "sequence": 1})


def move_origin(ex: Executor, space_id: int, origin: bytes, first: int, to: bytes) -> int:
    """Give the events of an origin from ``first`` on to another one, as 1, 2, 3 …; count them."""
    newest = read_newest(ex, space_id).get(origin)
    for part in read_parts(ex, space_id, origin, after=first - 1, limit=1):
        divide(ex, space_id, part.first)
    ex.run(_move_origin, {"space_id": space_id, "old": origin, "new": to, "before": first - 1})
    return max(newest.origin_seq - first + 1, 0) if newest else 0


def read_first_late(ex: Executor, space_id: int) -> int | None:
    """Read the sequence of the first late event of a space; None where there is none."""
    rows = ex.rows(first_late, {"space_id": space_id})
    return int(rows[0][0]) if rows else None


def read_late_parts(ex: Executor, space_id: int, *, after: int, upto: int) -> list[tuple[int, int]]:
    """Read the first and last sequences of late events with after < sequence <= upto, in order."""
    rows = ex.rows(late_over, {"space_id": space_id, "first": after + 1, "upto": upto})
    return [(max(first, after + 1), min(last, upto)) for first, last in rows]


def read_late(ex: Executor, space_id: int, *, after: int, upto: int) -> list[int]:
    """Read the sequences of late events with after < sequence <= upto."""
    parts = read_late_parts(ex, space_id, after=after, upto=upto)
    return [sequence for first, last in parts for sequence in range(first, last + 1)]

"""What a space took over from others: rows of `merges` and `merged_events` (ADR-0084).

A row of `merged_events` says what became of an event of another space: a copy of it, or a decision
against it. A row of `merges` says that everything of another space up to a sequence is decided.
Both stand at a sequence of the space's own log, so what is forked from it there knows the same.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy import bindparam as p
from sqlalchemy.dialects import postgresql, sqlite

from ramax.core.keys import prefix_end
from ramax.core.merging.knowledge import Origin
from ramax.storage.events import as_event, event_columns
from ramax.storage.executors import Executor
from ramax.storage.lineage import FOREVER, Segment, lineage_of
from ramax.storage.spaces import as_space, space_columns
from ramax.storage.sql import Statement, along, opaque
from ramax.storage.tables import Tables
from ramax.values import Event, Space

DECLINED: Final = 0
"""The target kept what it had; the sequence is that of the space at that time."""

COPIED: Final = 1
"""The event of that sequence is a copy."""

SETTLED: Final = 2
"""It is a copy that was taken in place of what the target had changed before it."""


class Brief(NamedTuple):
    """What an event of a log is about, without its payload."""

    space_sequence: int
    entity_id: str
    event_type: str
    micros: int


class Head(NamedTuple):
    """Where the log of a space is, and whether anything was ever merged into it."""

    space: Space
    sequence: int
    remembers: bool


class Copy(NamedTuple):
    """Of which event one of a log is a copy."""

    origin: Origin
    kind: int


def _of_two_branches(t: Tables) -> sa.Select[Any]:
    s, q = t.spaces, t.space_sequences
    remembers = sa.or_(
        *[
            sa.exists().where(table.c.space_id == s.c.space_id)
            for table in (t.merges, t.merged_events)
        ]
    )
    return (
        sa.select(*space_columns(t), q.c.last_sequence, remembers)
        .select_from(s.join(q, q.c.space_id == s.c.space_id))
        .where(s.c.branch_id.in_([p("one"), p("other")]))
        .order_by(s.c.space_id)
    )


@Statement
def heads(t: Tables) -> sa.Select[Any]:
    """Where the logs of all spaces of two branches are."""
    return _of_two_branches(t)


@Statement
def lock_heads(t: Tables) -> sa.Select[Any]:
    """As `heads`, and nothing is appended to them until the transaction ends."""
    return _of_two_branches(t).with_for_update(of=t.space_sequences, key_share=True)


@Statement
def declined(t: Tables) -> sa.Select[Any]:
    """Which events of other spaces were decided against at a part of a log."""
    m = t.merged_events.c
    return sa.select(m.origin_space_id, m.origin_sequence).where(
        m.space_id == p("space_id"),
        m.space_sequence > p("after"),
        m.space_sequence <= p("upto"),
        m.kind == sa.literal_column(str(DECLINED)),
    )


@Statement
def _recorded(t: Tables) -> sa.Select[Any]:
    there = [
        sa.exists().where(
            table.c.space_id == p("space_id"),
            table.c.space_sequence > p("after", type_=sa.BigInteger()),
        )
        for table in (t.merges, t.merged_events)
    ]
    return sa.select(sa.or_(*there))


@Statement
def known_upto(t: Tables) -> sa.Select[Any]:
    """Up to where a space knows others, by what it had recorded at a sequence."""
    m = t.merges.c
    return (
        sa.select(m.origin_space_id, sa.func.max(m.origin_upto))
        .where(m.space_id == p("space_id"), m.space_sequence <= p("upto"))
        .group_by(m.origin_space_id)
    )


@Statement
def copies(t: Tables) -> sa.Select[Any]:
    """Which events of a part of a log are copies, and of what; the last row of one counts."""
    m = t.merged_events.c
    return (
        sa.select(m.space_sequence, m.origin_space_id, m.origin_sequence, m.kind)
        .where(
            m.space_id == p("space_id"),
            m.space_sequence > p("after"),
            m.space_sequence <= p("upto"),
            m.kind != sa.literal_column(str(DECLINED)),
        )
        .order_by(m.space_sequence, m.origin_space_id, m.origin_sequence)
    )


@Statement
def decided(t: Tables) -> sa.Select[Any]:
    """Which events of another space in a range were copied, or decided against."""
    m = t.merged_events.c
    return sa.select(m.origin_sequence).where(
        m.space_id == p("space_id"),
        m.origin_space_id == p("origin_space_id"),
        m.origin_sequence >= p("first"),
        m.origin_sequence <= p("last"),
        m.space_sequence <= p("upto"),
    )


def _between(t: Tables) -> tuple[sa.ColumnElement[bool], ...]:
    e = t.events.c
    own = e.space_id == p("space_id")
    return own, e.space_sequence > p("after"), e.space_sequence <= p("upto")


@Statement
def whole(t: Tables) -> sa.Select[Any]:
    """The events of a part of a log."""
    return sa.select(*event_columns(t)).where(*_between(t)).order_by(t.events.c.space_sequence)


@Statement
def briefs(t: Tables) -> sa.Select[Any]:
    """What the events of a part of a log are about."""
    e = t.events.c
    columns = (e.space_sequence, e.entity_id, e.event_type, e.timestamp)
    return sa.select(*columns).where(*_between(t)).order_by(e.space_sequence)


@Statement
def of_entity(t: Tables) -> sa.Select[Any]:
    """The events of an entity in a part of a log."""
    e = t.events.c
    part = along(t, (e.entity_id, e.space_sequence), "entity_id", ("after", "upto"))
    found = sa.select(*event_columns(t)).where(e.space_id == p("space_id"), *part)
    return found.order_by(e.space_sequence)


@Statement
def inside(t: Tables) -> sa.Select[Any]:
    """The events of entities whose ids begin alike, in a part of a log."""
    e = t.events.c
    sequence = opaque(e.space_sequence)  # or a planner may go over the part of the log
    found = sa.select(*event_columns(t)).where(
        e.space_id == p("space_id"),
        e.entity_id >= p("low"),
        e.entity_id < p("high"),
        sequence > p("after"),
        sequence <= p("upto"),
    )
    return found.order_by(e.entity_id, e.space_sequence)


@Statement
def _insert_event(t: Tables) -> sa.Insert:
    return sa.insert(t.merged_events).values(
        space_id=p("space_id"),
        space_sequence=p("space_sequence"),
        origin_space_id=p("origin_space_id"),
        origin_sequence=p("origin_sequence"),
        kind=p("kind"),
    )


@Statement
def _know(t: Tables) -> sa.Insert:
    insert = postgresql.insert if t.dialect == "postgresql" else sqlite.insert
    statement = insert(t.merges).values(
        space_id=p("space_id"),
        space_sequence=p("space_sequence"),
        origin_space_id=p("origin_space_id"),
        origin_upto=p("origin_upto"),
        created_at=p("now"),
    )
    return statement.on_conflict_do_update(
        index_elements=["space_id", "space_sequence", "origin_space_id"],
        set_={
            "origin_upto": statement.excluded.origin_upto,
            "created_at": statement.excluded.created_at,
        },
    )


def segments_of(ex: Executor, space_id: int, head: int) -> tuple[Segment, ...]:
    """Return where the events of a log up to its head are stored; the last is its space's own."""
    *above, own = lineage_of(ex, space_id) or (Segment(space_id, 0, FOREVER),)
    return (*above, Segment(space_id, own.after, head))


def read_heads(ex: Executor, one: int, other: int, *, lock: bool = False) -> list[Head]:
    """Return the spaces of two branches, by id, and where their logs are.

    Args:
        lock: Nothing is appended to any of them until the transaction ends.
    """
    rows = ex.rows(lock_heads if lock else heads, {"one": one, "other": other})
    return [Head(as_space(row[:-2]), row[-2], bool(row[-1])) for row in rows]


def has_recorded(ex: Executor, space_id: int, after: int) -> bool:
    """Say whether anything was merged into a space behind a sequence of its log."""
    return bool(ex.rows(_recorded, {"space_id": space_id, "after": after})[0][0])


def read_known(ex: Executor, segments: Sequence[Segment]) -> dict[int, int]:
    """Return up to where a log knows its own segments, and what was merged into them."""
    found: dict[int, int] = {}
    for space_id, limit, upto in _limits(segments):
        found[space_id] = max(upto, found.get(space_id, 0))
        for origin, known in ex.rows(known_upto, {"space_id": space_id, "upto": limit}):
            found[origin] = max(known, found.get(origin, 0))
    return found


def read_decided(
    ex: Executor, segments: Sequence[Segment], origins: Iterable[Origin]
) -> set[Origin]:
    """Return which of some origins a log has copies of, or was decided against in it."""
    ranges: dict[int, tuple[int, int]] = {}
    for space_id, sequence in origins:
        first, last = ranges.get(space_id, (sequence, sequence))
        ranges[space_id] = min(first, sequence), max(last, sequence)
    found: set[Origin] = set()
    for owner, limit, _ in _limits(segments):
        for origin, (first, last) in ranges.items():
            asked = {"space_id": owner, "origin_space_id": origin, "upto": limit}
            rows = ex.rows(decided, {**asked, "first": first, "last": last})
            found.update(Origin(origin, row[0]) for row in rows)
    return found


def _limits(segments: Sequence[Segment]) -> Iterator[tuple[int, int, int]]:
    """Say up to which place of each segment what is recorded there counts.

    What the log's own space has decided since its newest event is recorded behind that.
    """
    for number, (space_id, _, upto) in enumerate(segments, 1):
        yield space_id, FOREVER if number == len(segments) else upto, upto


def read_declined(
    ex: Executor, segments: Sequence[Segment], upto: Mapping[int, int]
) -> list[Origin]:
    """Return what was decided against at a log, beyond what somebody knows of it."""
    found = []
    for (owner, limit, _), segment in zip(_limits(segments), segments, strict=True):
        after = max(segment.after, upto.get(owner, 0))
        rows = ex.rows(declined, {"space_id": owner, "after": after, "upto": limit})
        found += [Origin(*row) for row in rows]
    return found


def read_copies(ex: Executor, segment: Segment) -> dict[int, Copy]:
    """Return which events of a part of a log are copies, by sequence."""
    params = dict(zip(("space_id", "after", "upto"), segment, strict=True))
    return {
        sequence: Copy(Origin(space_id, origin), kind)
        for sequence, space_id, origin, kind in ex.rows(copies, params)
    }


def read_events(ex: Executor, segment: Segment) -> list[Event]:
    """Read the events of a part of a log as they are stored."""
    params = dict(zip(("space_id", "after", "upto"), segment, strict=True))
    return [as_event(row) for row in ex.rows(whole, params)]


def read_briefs(ex: Executor, segment: Segment) -> list[Brief]:
    """Read what the events of a part of a log are about."""
    params = dict(zip(("space_id", "after", "upto"), segment, strict=True))
    return [Brief(*row) for row in ex.rows(briefs, params)]


def read_history(
    ex: Executor, segments: Iterable[Segment], entity_id: str, *, under: bool = False
) -> list[Event]:
    """Read the events of an entity, in order.

    Args:
        under: Those of ``<entity_id>/…`` as well.
    """
    low = f"{entity_id}/"
    found: list[Event] = []
    for segment in segments:
        params: dict[str, Any] = dict(zip(("space_id", "after", "upto"), segment, strict=True))
        rows = list(ex.rows(of_entity, {**params, "entity_id": entity_id}))
        if under:
            rows += ex.rows(inside, {**params, "low": low, "high": prefix_end(low)})
        found += [as_event(row) for row in rows]
    return sorted(found, key=lambda event: event.space_sequence) if under else found


def record(  # noqa: PLR0917 - what is to be remembered
    ex: Executor,
    space_id: int,
    events: Sequence[tuple[int, Origin, int]],
    known: Mapping[int, int],
    at: int,
    now: int,
) -> None:
    """Write down what a space took over; the caller holds its lock.

    Args:
        events: Each the sequence in the space, the origin, and what became of it.
        known: Up to where it knows other spaces now.
        at: The sequence at which it came to know that.
    """
    if events:
        ex.run_many(
            _insert_event,
            [
                {
                    "space_id": space_id,
                    "space_sequence": sequence,
                    "origin_space_id": origin.space_id,
                    "origin_sequence": origin.sequence,
                    "kind": kind,
                }
                for sequence, origin, kind in events
            ],
        )
    if known:
        ex.run_many(
            _know,
            [
                {
                    "space_id": space_id,
                    "space_sequence": at,
                    "origin_space_id": origin,
                    "origin_upto": upto,
                    "now": now,
                }
                for origin, upto in sorted(known.items())
            ],
        )

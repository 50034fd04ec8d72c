"""Reading the log: keyset pages of one space, of one entity, of everything."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy import bindparam as p

from ramax.core.codec import FORMAT_MSGPACK, decode, decode_tagged
from ramax.core.domain import Domain
from ramax.core.tags import unpack_tags
from ramax.storage.branches import seen_on
from ramax.storage.executors import Executor, Row
from ramax.storage.lineage import FOREVER as FOREVER  # noqa: PLC0414 - for readers
from ramax.storage.lineage import (
    as_own,
    clipped,
    gather,
    in_order,
    lineage_of,
    ordered_by_itself,
    read_over,
)
from ramax.storage.sql import Statement, along
from ramax.storage.tables import EVENT_ID_SEQUENCE, Tables
from ramax.values import MAIN_BRANCH, Event, EventDraft


def event_columns(t: Tables) -> list[sa.ColumnElement[Any]]:
    """The columns of a page, in the order in which `stored_events` takes them."""
    e = t.events.c
    return [
        e.event_id,
        e.space_id,
        e.space_sequence,
        e.entity_id,
        e.event_type,
        e.payload,
        e.format,
        e.timestamp,
        e.causation_id,
        e.correlation_id,
        e.metadata,
        e.version,
        e.tags,
    ]


@Statement
def space_page(t: Tables) -> sa.Select[Any]:
    """A page of a space by sequence."""
    e = t.events.c
    return (
        sa.select(*event_columns(t))
        .where(
            e.space_id == p("space_id"),
            e.space_sequence > p("after"),
            e.space_sequence <= p("upto"),
        )
        .order_by(e.space_sequence)
        .limit(p("limit", type_=sa.BigInteger()))
    )


def all_page(t: Tables) -> sa.Select[Any]:
    """Select a page of all spaces of a branch by id."""
    e = t.events.c
    mine = _branch(t) == p("branch_id")
    return (
        sa.select(*event_columns(t))
        .where(e.event_id > p("after"), e.event_id <= p("upto"), mine)
        .order_by(e.event_id)
        .limit(p("limit", type_=sa.BigInteger()))
    )


def _branch(t: Tables) -> sa.ScalarSelect[Any]:
    """The branch of the space of an event.

    It is no join: a planner may begin with the spaces, and sort all of their events for each page.
    """
    s = t.spaces.c
    return sa.select(s.branch_id).where(s.space_id == t.events.c.space_id).scalar_subquery()


@Statement
def _all_page(t: Tables) -> sa.Select[Any]:
    """A page of all spaces by id; names no space on purpose."""
    return all_page(t)


@Statement
def _by_id(t: Tables) -> sa.Select[Any]:
    """One event by its id; names no space on purpose."""
    return sa.select(*event_columns(t), _branch(t)).where(t.events.c.event_id == p("event_id"))


@Statement
def count_of_entity(t: Tables) -> sa.Select[Any]:
    """How many events an entity has; no further than a limit."""
    e = t.events.c
    found: sa.Select[Any] = (
        sa.select(sa.literal_column("1"))
        .where(
            e.space_id == p("space_id"),
            *along(t, (e.entity_id, e.space_sequence), "entity_id", (None, "upto")),
        )
        .limit(p("limit", type_=sa.BigInteger()))
    )
    return sa.select(sa.func.count()).select_from(found.subquery("found"))


@lru_cache(maxsize=64)
def page_over(segments: int) -> Statement:
    """As `space_page`, over a number of segments at once."""

    def build(t: Tables) -> sa.CompoundSelect[Any]:
        e, limit = t.events.c, p("limit", type_=sa.BigInteger())

        def part(n: int) -> sa.Select[Any]:
            mine = (e.space_id == p(f"space_id{n}"), e.space_sequence <= p(f"upto{n}"))
            found = sa.select(*event_columns(t)).where(*mine, e.space_sequence > p("after"))
            return ordered_by_itself(
                t, found, e.space_sequence, limit, name=f"part{n}", reverse=False
            )

        union = sa.union_all(*(part(n) for n in range(segments)))
        return in_order(union, 2, reverse=False).limit(limit)

    return Statement(build)


@lru_cache(maxsize=64)
def count_over(segments: int) -> Statement:
    """As `count_of_entity`, over a number of segments at once."""

    def build(t: Tables) -> sa.Select[Any]:
        e = t.events.c
        parts = [
            sa.select(e.space_sequence).where(
                e.space_id == p(f"space_id{n}"),
                *along(t, (e.entity_id, e.space_sequence), "entity_id", (None, f"upto{n}")),
            )
            for n in range(segments)
        ]
        found = sa.union_all(*parts).limit(p("limit", type_=sa.BigInteger()))
        return sa.select(sa.func.count()).select_from(found.subquery("found"))

    return Statement(build)


@Statement
def _head(t: Tables) -> sa.Select[Any]:
    q = t.space_sequences.c
    return sa.select(q.last_sequence).where(q.space_id == p("space_id"))


@Statement
def _end(t: Tables) -> sa.Select[Any]:
    q = t.space_sequences.c
    return sa.select(q.last_sequence, q.replica_head.is_not(None)).where(
        q.space_id == p("space_id")
    )


@Statement
def _last_id(t: Tables) -> sa.TextClause | sa.Select[Any]:
    if t.dialect == "sqlite":
        return sa.text("SELECT seq FROM sqlite_sequence WHERE name = 'events'")
    sequence = sa.table(EVENT_ID_SEQUENCE, schema=t.metadata.schema)
    return sa.select(sa.column("last_value")).select_from(sequence)


def stored_events(
    rows: Iterable[Row],
    *,
    ids: bool = True,
    upcast: Callable[[Event], Iterable[Event]] | None = None,
) -> Iterator[Event]:
    """Make the events of a page of rows, in one frame: a call would cost as much as an event.

    Args:
        ids: Without them it is what an applicator sees.
        upcast: Says what comes of an event of another version than 1.
    """
    for row in rows:
        draft = EventDraft()
        (
            event_id,
            space_id,
            draft.space_sequence,
            draft.entity_id,
            draft.event_type,
            payload,
            format_,
            draft.micros,
            draft.causation_id,
            draft.correlation_id,
            metadata,
            version,
            tags,
        ) = row
        if ids:
            draft.event_id, draft.space_id = event_id, space_id
        draft.payload = (
            decode(payload) if format_ == FORMAT_MSGPACK else decode_tagged(payload, format_)
        )
        draft.metadata = None if metadata is None else decode(metadata)
        if version != 1:
            draft.version = version
        if tags is not None:
            draft.tags = unpack_tags(tags)
        draft.__class__ = Event
        event: Event = draft  # type: ignore[assignment]
        if version == 1 or upcast is None:
            yield event
        else:
            yield from upcast(event)


def as_event(row: Row) -> Event:
    """Make an event of a row of a page."""
    return next(stored_events((row,)))


def applied_events(rows: Sequence[Row], domain: Domain, space_name: str) -> Iterable[Event]:
    """Make what applicators see of a page of rows: every event in today's shape.

    Raises:
        UpcastError: While iterating; see `Domain.upcast`.
    """
    return _todays(rows, domain, space_name, ids=False)


def recorded_events(rows: Sequence[Row], domain: Domain | None, space_name: str) -> Iterable[Event]:
    """Make what readers see of a page of rows: in today's shape where the domain is known.

    Raises:
        UpcastError: While iterating; see `Domain.upcast`.
    """
    return stored_events(rows) if domain is None else _todays(rows, domain, space_name, ids=True)


def _todays(rows: Sequence[Row], domain: Domain, space_name: str, *, ids: bool) -> Iterable[Event]:
    if domain.has_versions:
        return domain.upcast(stored_events(rows, ids=ids), space_name)
    # the usual case, which is to cost nothing: only what a newer program wrote is to be refused
    return stored_events(rows, ids=ids, upcast=lambda event: domain.upcast((event,), space_name))


def read_page(
    ex: Executor, space_id: int, *, after: int, upto: int = FOREVER, limit: int
) -> Sequence[Row]:
    """Read up to ``limit`` rows of a space with after < sequence <= upto, in order."""
    lineage = lineage_of(ex, space_id)
    if not lineage:
        params = {"space_id": space_id, "after": after, "upto": upto, "limit": limit}
        return ex.rows(space_page, params)
    end = min(upto, after + limit)
    if len(clipped(lineage, after, end)) > 1:  # a log has no holes: these are all of the page's
        rows = read_over(ex, lineage, (after, end), limit, page_over, {})
        if len(rows) == limit:
            return as_own(rows, space_id)
    return gather(
        lineage, (after, upto), limit, lambda i, part: ex.rows(space_page, {"space_id": i, **part})
    )


def read_all_page(
    ex: Executor, *, after: int, upto: int, limit: int, branch_id: int = MAIN_BRANCH
) -> Sequence[Row]:
    """Read up to ``limit`` rows of all spaces of a branch with after < event_id <= upto, by id."""
    bounds = {"after": after, "upto": upto, "limit": limit, "branch_id": branch_id}
    return ex.rows(_all_page, bounds)


def read_event(ex: Executor, event_id: int, branch_id: int = MAIN_BRANCH) -> Event | None:
    """Return one event of any space of a branch, or None.

    One that a space of the branch has from before it was forked is shown as an event of it.
    """
    for *row, written_on in ex.rows(_by_id, {"event_id": event_id}):
        if written_on != branch_id:
            row[1] = seen_on(ex, branch_id, row[1], row[2])
        return as_event(row) if row[1] is not None else None
    return None


def read_event_of(ex: Executor, space_id: int, event_id: int) -> Event | None:
    """Return an event of a space, which may be one that it has from before it was forked."""
    for *row, _ in ex.rows(_by_id, {"event_id": event_id}):
        parts = clipped(lineage_of(ex, space_id), row[2] - 1, row[2])
        if row[1] == (parts[0].space_id if parts else space_id):
            return as_event((row[0], space_id, *row[2:]))
    return None


def read_head(ex: Executor, space_id: int) -> int | None:
    """Return the newest sequence of a space, or None if there is no such space."""
    rows = ex.rows(_head, {"space_id": space_id})
    return rows[0][0] if rows else None


def read_end(ex: Executor, space_id: int) -> tuple[int, bool] | None:
    """Return the newest sequence of a space and whether it is replicated, or None without it."""
    rows = ex.rows(_end, {"space_id": space_id})
    return (rows[0][0], bool(rows[0][1])) if rows else None


def read_count(ex: Executor, space_id: int, entity_id: str, *, upto: int, most: int) -> int:
    """Count the events of an entity with sequence <= upto; no further than ``most``."""
    lineage = lineage_of(ex, space_id)
    if not lineage:
        params = {"space_id": space_id, "entity_id": entity_id, "upto": upto, "limit": most}
        return int(ex.rows(count_of_entity, params)[0][0])
    asked = {"entity_id": entity_id}
    counts = read_over(ex, lineage, (0, upto), most, count_over, asked)
    return min(most, sum(int(row[0]) for row in counts))


def read_last_id(ex: Executor) -> int:
    """Return the highest event id ever given, deleted events included; 0 before the first."""
    rows = ex.rows(_last_id, {})
    return rows[0][0] if rows else 0

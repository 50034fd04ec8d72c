"""Searching the log of a space by type, entity, tag and time, along the index that fits."""

import json
from collections.abc import Sequence
from functools import lru_cache, partial
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy import bindparam as p
from sqlalchemy.dialects.postgresql import ARRAY

from ramax.core.query import Query, Search
from ramax.storage.events import event_columns
from ramax.storage.executors import Executor, Row
from ramax.storage.lineage import (
    as_own,
    gather,
    in_order,
    lineage_of,
    ordered_by_itself,
    read_over,
)
from ramax.storage.sql import Statement, along, beside
from ramax.storage.tables import Tables


class Shape(NamedTuple):
    """Which conditions a search has; each shape is a statement of its own."""

    types: bool = False
    entity: bool = False
    tags: int = 0
    """0: none, 1: one, 2: several."""

    origin: str = ""
    """The column of what is asked for, `causation_id` or `correlation_id`; alone."""


def shape_of(search: Search) -> Shape:
    """Return the shape of the statement that runs a search."""
    if search.causation_id is not None:
        return Shape(origin="causation_id")
    if search.correlation_id is not None:
        return Shape(origin="correlation_id")
    return Shape(bool(search.types), search.entity_id is not None, min(len(search.tags), 2))


_BOTH = (False, True)
ORIGINS = [Shape(origin="causation_id"), Shape(origin="correlation_id")]
SHAPES = [Shape(types, entity, tags) for types in _BOTH for entity in _BOTH for tags in (0, 1, 2)]


def among(t: Tables, column: sa.ColumnElement[Any], name: str) -> sa.ColumnElement[bool]:
    """Say that a column has one of the values of a parameter, which `listed` makes."""
    if t.dialect == "postgresql":
        return column == sa.func.any(p(name, type_=ARRAY(sa.Text())))
    given = sa.func.json_each(p(name, type_=sa.Text())).table_valued("value")
    return column.in_(sa.select(given.c.value))


def listed(t: Tables, values: Sequence[str]) -> Any:
    """Return values as the parameter of `among`."""
    return list(values) if t.dialect == "postgresql" else json.dumps(list(values))


class _Found(NamedTuple):
    """What a shape asks for, without columns, in no order yet."""

    rows: sa.Select[Any]
    sequence: sa.ColumnElement[int]
    """Of the table that leads: its index has them in order."""

    events: sa.FromClause
    """What has the columns of events."""

    def page(self, t: Tables) -> sa.Select[Any]:
        """Select the columns of a page, of those of some time."""
        e = self.events.c
        columns = [self.sequence if c.name == _SEQUENCE else e[c.name] for c in event_columns(t)]
        rows = self.rows.with_only_columns(*columns)
        return rows.where(e.timestamp > p("since"), e.timestamp <= p("until"))


_SEQUENCE = "space_sequence"


def _found(t: Tables, shape: Shape, number: str = "") -> _Found:
    """Select what a shape asks for.

    Args:
        number: Of a segment, where a log has several: what its bounds are called by.
    """
    events: sa.FromClause = t.events
    leading: sa.FromClause = t.event_tags if shape.tags else t.events
    space, sequence = leading.c.space_id, leading.c.space_sequence
    source = leading
    conditions: list[sa.ColumnElement[bool]] = []
    if shape.tags:
        conditions.append(leading.c.tag == p("tag"))
        same = (events.c.space_id == space) & (events.c.space_sequence == sequence)
        source, events = beside(t, leading, events, same)
    if shape.tags > 1:
        more = t.event_tags.alias("more")
        others = sa.select(sa.func.count()).where(
            more.c.space_id == space,
            among(t, more.c.tag, "tags"),
            more.c.space_sequence == sequence,
        )
        conditions.append(others.scalar_subquery() == p("tag_count", type_=sa.BigInteger()))
    bounds = ("after", f"upto{number}")
    led_by = shape.origin or ("entity_id" if shape.entity else "")
    if led_by and not shape.tags:
        conditions += along(t, (events.c[led_by], sequence), led_by, bounds)
    else:
        conditions += [sequence > p(bounds[0]), sequence <= p(bounds[1])]
        conditions += [events.c[led_by] == p(led_by)] if led_by else []
    if shape.types:
        conditions.append(among(t, events.c.event_type, "types"))
    mine = space == p(f"space_id{number}")
    rows = sa.select(sequence).select_from(source).where(mine, *conditions)
    return _Found(rows, sequence, events)


def _newest(shape: Shape) -> Statement:
    def build(t: Tables) -> sa.Select[Any]:
        found = _found(t, shape)
        return found.rows.order_by(found.sequence.desc()).limit(1)

    return Statement(build)


def _page(shape: Shape, *, reverse: bool) -> Statement:
    def build(t: Tables) -> sa.Select[Any]:
        found = _found(t, shape)
        order = found.sequence.desc() if reverse else found.sequence
        return found.page(t).order_by(order).limit(p("limit", type_=sa.BigInteger()))

    return Statement(build)


@lru_cache(maxsize=512)
def newest_over(shape: Shape, segments: int) -> Statement:
    """As `NEWEST`, over a number of segments at once."""

    def build(t: Tables) -> sa.CompoundSelect[Any]:
        def part(number: int) -> sa.Select[Any]:
            found = _found(t, shape, str(number))
            name = f"part{number}"
            return ordered_by_itself(t, found.rows, found.sequence, 1, name=name, reverse=True)

        union = sa.union_all(*map(part, range(segments)))
        return in_order(union, 0, reverse=True).limit(1)

    return Statement(build)


@lru_cache(maxsize=512)
def page_over(shape: Shape, segments: int, *, reverse: bool) -> Statement:
    """As `PAGES`, over a number of segments at once: a merge of what each has in order."""

    def build(t: Tables) -> sa.CompoundSelect[Any]:
        limit = p("limit", type_=sa.BigInteger())

        def part(number: int) -> sa.Select[Any]:
            found = _found(t, shape, str(number))
            name, page = f"part{number}", found.page(t)
            return ordered_by_itself(t, page, found.sequence, limit, name=name, reverse=reverse)

        union = sa.union_all(*map(part, range(segments)))
        return in_order(union, SEQUENCE, reverse=reverse).limit(limit)

    return Statement(build)


SEQUENCE = 2
"""Where the sequence is in a row of a page."""

NEWEST = {shape: _newest(shape) for shape in SHAPES}
PAGES = {(shape, back): _page(shape, reverse=back) for shape in SHAPES + ORIGINS for back in _BOTH}


def parameters(ex: Executor, search: Search) -> dict[str, Any]:
    """Return what the statement of a search takes, but for the space and the bounds."""
    found: dict[str, Any] = {}
    if search.types:
        found["types"] = listed(ex.tables, search.types)
    if search.entity_id is not None:
        found["entity_id"] = search.entity_id
    if search.tags:
        found["tag"] = search.tags[0]
    if len(search.tags) > 1:
        found["tags"], found["tag_count"] = listed(ex.tables, search.tags[1:]), len(search.tags) - 1
    return found | {"causation_id": search.causation_id, "correlation_id": search.correlation_id}


def read_newest_match(
    ex: Executor, space_id: int, query: Query, *, after: int, upto: int
) -> int | None:
    """Return the newest sequence with after < sequence <= upto that a query matches, or None."""
    newest = None
    lineage = lineage_of(ex, space_id)
    for search in query.searches:
        shape, asked = shape_of(search), parameters(ex, search)
        if not lineage:
            bounds = {"space_id": space_id, "after": after, "upto": upto}
            rows = ex.rows(NEWEST[shape], asked | bounds)
        else:
            rows = read_over(
                ex, lineage, (after, upto), 1, partial(newest_over, shape), asked, reverse=True
            )
        if rows:
            after = newest = rows[0][0]  # the others have to be newer
    return newest


def read_matches(  # noqa: PLR0913 - what bounds a page
    ex: Executor,
    space_id: int,
    searches: Sequence[Search],
    *,
    after: int,
    upto: int,
    since: int,
    until: int,
    limit: int,
    reverse: bool,
) -> Sequence[Row]:
    """Read up to ``limit`` rows that any search finds, in order, or newest first.

    after < sequence <= upto, and since < timestamp <= until in UTC microseconds.
    """
    times = {"since": since, "until": until}
    lineage = lineage_of(ex, space_id)

    def page(search: Search) -> Sequence[Row]:
        shape, asked = shape_of(search), parameters(ex, search) | times
        if not lineage:
            bounds = {"space_id": space_id, "after": after, "upto": upto, "limit": limit}
            return ex.rows(PAGES[shape, reverse], asked | bounds)
        if shape == Shape():  # all of it: what is read is mostly in one segment
            statement = PAGES[shape, reverse]
            return gather(
                lineage,
                (after, upto),
                limit,
                lambda i, part: ex.rows(statement, {"space_id": i, **asked, **part}),
                reverse=reverse,
            )
        over = partial(page_over, shape, reverse=reverse)
        rows = read_over(ex, lineage, (after, upto), limit, over, asked, reverse=reverse)
        return as_own(rows, space_id)

    pages = [page(search) for search in searches]
    if len(pages) == 1:
        return pages[0]
    found = {row[2]: row for page in pages for row in page}
    return [found[sequence] for sequence in sorted(found, reverse=reverse)[:limit]]

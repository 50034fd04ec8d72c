"""Searching the log of a space by type, entity, tag and time, along the index that fits."""

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy import bindparam as p
from sqlalchemy.dialects.postgresql import ARRAY

from ramax.core.query import Query, Search
from ramax.storage.events import event_columns
from ramax.storage.executors import Executor, Row
from ramax.storage.lineage import clipped, gather, lineage_of
from ramax.storage.sql import Statement
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


def _among(t: Tables, column: sa.ColumnElement[Any], name: str) -> sa.ColumnElement[bool]:
    if t.dialect == "postgresql":
        return column == sa.func.any(p(name, type_=ARRAY(sa.Text())))
    listed = sa.func.json_each(p(name, type_=sa.Text())).table_valued("value")
    return column.in_(sa.select(listed.c.value))


def _found(
    t: Tables, shape: Shape, columns: Sequence[sa.ColumnElement[Any]]
) -> tuple[sa.Select[Any], sa.ColumnElement[int]]:
    """Select what a shape asks for; also return the sequence that leads its index."""
    e, g = t.events.c, t.event_tags.c
    source: sa.FromClause = t.events
    space, sequence = e.space_id, e.space_sequence
    conditions: list[sa.ColumnElement[bool]] = []
    if shape.tags:
        space, sequence = g.space_id, g.space_sequence
        conditions.append(g.tag == p("tag"))
        same = (e.space_id == space) & (e.space_sequence == sequence)
        source = t.event_tags.join(t.events, same)
    if shape.tags > 1:
        more = t.event_tags.alias("more")
        others = sa.select(sa.func.count()).where(
            more.c.space_id == space,
            _among(t, more.c.tag, "tags"),
            more.c.space_sequence == sequence,
        )
        conditions.append(others.scalar_subquery() == p("tag_count", type_=sa.BigInteger()))
    if shape.entity:
        conditions.append(e.entity_id == p("entity_id"))
    if shape.types:
        conditions.append(_among(t, e.event_type, "types"))
    if shape.origin:
        conditions.append(e[shape.origin] == p(shape.origin))
    found = (
        sa.select(*columns or (sequence,))
        .select_from(source)
        .where(space == p("space_id"), sequence > p("after"), sequence <= p("upto"), *conditions)
    )
    return found, sequence


def _newest(shape: Shape) -> Statement:
    def build(t: Tables) -> sa.Select[Any]:
        found, sequence = _found(t, shape, ())
        return found.order_by(sequence.desc()).limit(1)

    return Statement(build)


def _page(shape: Shape, *, reverse: bool) -> Statement:
    def build(t: Tables) -> sa.Select[Any]:
        found, sequence = _found(t, shape, event_columns(t))
        moment = t.events.c.timestamp
        return (
            found.where(moment > p("since"), moment <= p("until"))
            .order_by(sequence.desc() if reverse else sequence)
            .limit(p("limit", type_=sa.BigInteger()))
        )

    return Statement(build)


NEWEST = {shape: _newest(shape) for shape in SHAPES}
PAGES = {(shape, back): _page(shape, reverse=back) for shape in SHAPES + ORIGINS for back in _BOTH}


def parameters(ex: Executor, space_id: int, search: Search) -> dict[str, Any]:
    """Return what the statement of a search takes, but for the bounds."""

    def listed(values: Sequence[str]) -> Any:
        return list(values) if ex.tables.dialect == "postgresql" else json.dumps(list(values))

    found: dict[str, Any] = {"space_id": space_id}
    if search.types:
        found["types"] = listed(search.types)
    if search.entity_id is not None:
        found["entity_id"] = search.entity_id
    if search.tags:
        found["tag"] = search.tags[0]
    if len(search.tags) > 1:
        found["tags"], found["tag_count"] = listed(search.tags[1:]), len(search.tags) - 1
    return found | {"causation_id": search.causation_id, "correlation_id": search.correlation_id}


def read_newest_match(
    ex: Executor, space_id: int, query: Query, *, after: int, upto: int
) -> int | None:
    """Return the newest sequence with after < sequence <= upto that a query matches, or None."""
    newest = None
    lineage = lineage_of(ex, space_id)
    for search in query.searches:
        parts = clipped(lineage, after, upto)[::-1] or ((space_id, after, upto),)
        for owner, low, high in parts:
            bounds = {"after": low, "upto": high}
            rows = ex.rows(NEWEST[shape_of(search)], parameters(ex, owner, search) | bounds)
            if rows:
                after = newest = rows[0][0]  # the others have to be newer
                break
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
        statement = PAGES[shape_of(search), reverse]

        def read(owner: int, bounds: dict[str, int]) -> Sequence[Row]:
            return ex.rows(statement, parameters(ex, owner, search) | bounds | times)

        if not lineage:
            return read(space_id, {"after": after, "upto": upto, "limit": limit})
        return gather(lineage, (after, upto), limit, read, reverse=reverse)

    pages = [page(search) for search in searches]
    if len(pages) == 1:
        return pages[0]
    found = {row[2]: row for page in pages for row in page}
    return [found[sequence] for sequence in sorted(found, reverse=reverse)[:limit]]

"""The index of references between keys: who refers to a key, and keeping it true (ADR-0035)."""

from collections.abc import Iterable, Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy import bindparam as p
from sqlalchemy.dialects import postgresql, sqlite

from ramax.core.entity import Link
from ramax.core.keys import prefix_end
from ramax.core.space_write import SpaceWrite
from ramax.storage.executors import Executor
from ramax.storage.plan import Extra
from ramax.storage.sql import Statement
from ramax.storage.tables import Tables

END = prefix_end("")
"""Above every key."""


@Statement
def _referrers(t: Tables) -> sa.Select[Any]:
    return _page(t).where(t.pstate_refs.c.space_id == p("space_id"))


@Statement
def _referrers_by_field(t: Tables) -> sa.Select[Any]:
    r = t.pstate_refs.c
    return _page(t).where(r.space_id == p("space_id"), r.field == p("field"))


def _page(t: Tables) -> sa.Select[Any]:
    """Bound target and source together: only the primary key can answer that.

    Apart, a plan that was made without the parameters may take the index on sources, and go over
    every reference of the space.
    """
    r = t.pstate_refs.c
    place = sa.tuple_(r.target, r.source)
    return (
        sa.select(r.target, r.source)
        .where(
            place >= _place("low"),
            place < _place("high"),
            place > _place("after"),
        )
        .distinct()
        .order_by(r.target, r.source)
        .limit(p("limit", type_=sa.Integer()))
    )


def _place(source: str) -> sa.Tuple:
    return sa.tuple_(p("target", type_=sa.Text()), p(source, type_=sa.Text()))


@Statement
def _between(t: Tables) -> sa.Select[Any]:
    r = t.pstate_refs.c
    return sa.select(r.source, r.field, r.target).where(
        r.space_id == p("space_id"), r.source > p("after"), r.source <= p("upto")
    )


@Statement
def _forget(t: Tables) -> sa.Delete:
    r = t.pstate_refs
    return sa.delete(r).where(r.c.space_id == p("space_id"), r.c.source == p("source"))


@Statement
def _remove(t: Tables) -> sa.Delete:
    r = t.pstate_refs
    return sa.delete(r).where(
        r.c.space_id == p("space_id"),
        r.c.target == p("target"),
        r.c.source == p("source"),
        r.c.field == p("field"),
    )


@Statement
def _insert(t: Tables) -> sa.Insert:
    insert = postgresql.insert if t.dialect == "postgresql" else sqlite.insert
    return (
        insert(t.pstate_refs)
        .values(space_id=p("space_id"), target=p("target"), source=p("source"), field=p("field"))
        .on_conflict_do_nothing()
    )


@Statement
def _set_indexed(t: Tables) -> sa.Update:
    c = t.spaces.c
    return sa.update(t.spaces).where(c.space_id == p("space_id")).values(indexed=p("indexed"))


def indexed_row(space_id: int, indexed: str | None) -> Extra:
    """Record which fields the index of a space covers, as part of a write plan."""
    return Extra(_set_indexed, [{"space_id": space_id, "indexed": indexed}])


def link_rows(space_id: int, links: Mapping[str, frozenset[Link]]) -> list[Extra]:
    """Replace what keys refer to, as part of a write plan; nothing where nothing changed."""
    if not links:
        return []
    gone = [{"space_id": space_id, "source": key} for key in links]
    new = [_row(space_id, key, link) for key, found in links.items() for link in sorted(found)]
    return [Extra(_forget, gone), *([Extra(_insert, new)] if new else [])]


def index_rows(writes: Iterable[SpaceWrite]) -> list[Extra]:
    """Make the rows that keep the index true beside these writes."""
    extras: list[Extra] = []
    for write in writes:
        if write.links:
            extras += link_rows(write.space_id, write.links)
        if write.index_lost:
            extras.append(indexed_row(write.space_id, None))
    return extras


def replace_links(ex: Executor, space_id: int, links: Mapping[str, frozenset[Link]]) -> None:
    """As `link_rows`, at once; the caller holds the space's lock."""
    for extra in link_rows(space_id, links):
        ex.run_many(extra.statement, extra.rows)


def set_indexed(ex: Executor, space_id: int, indexed: str | None) -> None:
    """As `indexed_row`, at once; the caller holds the space's lock."""
    ex.run(_set_indexed, {"space_id": space_id, "indexed": indexed})


def sync_links(
    ex: Executor, space_id: int, after: str, upto: str, links: Mapping[str, frozenset[Link]]
) -> None:
    """Make the index say ``links`` of the keys above ``after`` up to ``upto``, by differences.

    The caller holds the space's lock.
    """
    surplus, missing = differing_links(ex, space_id, after, upto, links)
    if surplus:
        ex.run_many(_remove, [_row(space_id, key, link) for key, link in surplus])
    if missing:
        ex.run_many(_insert, [_row(space_id, key, link) for key, link in missing])


def differing_links(
    ex: Executor, space_id: int, after: str, upto: str, links: Mapping[str, frozenset[Link]]
) -> tuple[list[tuple[str, Link]], list[tuple[str, Link]]]:
    """Compare the index with ``links`` of the keys above ``after`` up to ``upto``.

    Returns:
        What only the index says, and what it does not say.
    """
    bounds = {"space_id": space_id, "after": after, "upto": upto}
    stored = {(source, Link(field, target)) for source, field, target in ex.rows(_between, bounds)}
    wanted = {(key, link) for key, found in links.items() for link in found}
    return sorted(stored - wanted), sorted(wanted - stored)


def read_referrers(
    ex: Executor,
    space_id: int,
    target: str,
    *,
    prefix: str = "",
    field: str | None = None,
    after: str = "",
    limit: int,
) -> list[str]:
    """Read up to ``limit`` keys that refer to ``target``, above ``after``, in key order."""
    params: dict[str, Any] = {
        "space_id": space_id,
        "target": target,
        "low": max(prefix, after),  # SQLite begins at the first of two bounds from below
        "high": prefix_end(prefix),
        "after": after,
        "limit": limit,
    }
    if field is None:
        return [row[1] for row in ex.rows(_referrers, params)]
    return [row[1] for row in ex.rows(_referrers_by_field, params | {"field": field})]


def _row(space_id: int, source: str, link: Link) -> dict[str, Any]:
    return {
        "space_id": space_id,
        "target": link.target,
        "source": source,
        "field": link.field,
    }

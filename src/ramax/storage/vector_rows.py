"""Vectors as pgvector compares them: copies of what the pstate holds, and how far they are.

They are derived, and brought further by whoever searches (ADR-0072). The table has arrays, so that
it is there on every server; they become vectors in the search, which needs the extension.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy import bindparam as p
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import UserDefinedType

from ramax.errors import SpaceNotFoundError
from ramax.storage.executors import Executor, Row
from ramax.storage.locks import keep
from ramax.storage.sql import Statement
from ramax.storage.tables import Tables


class Place(NamedTuple):
    """How far the copies are, as the row of their collection said it."""

    born: int
    last: int
    changes: int
    plain: int
    """0: a vector was too long or too short to be compared in 32 bits."""


class _Vector(UserDefinedType[Any]):
    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        return "vector"


NOWHERE = Place(-1, -1, -1, 1)


def _mine(table: sa.Table) -> sa.ColumnElement[bool]:
    mine = table.c.space_id == p("space_id")
    return mine & (table.c.collection == p("collection"))


@Statement
def _available(_t: Tables) -> sa.Select[Any]:
    extensions = sa.table("pg_extension", sa.column("extname"))
    return sa.select(sa.literal(1)).where(extensions.c.extname == sa.literal("vector"))


@Statement
def _place(t: Tables) -> sa.Select[Any]:
    c = t.vector_copies.c
    return sa.select(c.born, c.last, c.changes, c.plain).where(_mine(t.vector_copies))


@Statement
def _hold(t: Tables) -> sa.Select[Any]:
    return sa.select(t.vector_copies.c.plain).where(_mine(t.vector_copies)).with_for_update()


@Statement
def _begin(t: Tables) -> sa.Insert:
    new = postgresql.insert(t.vector_copies).values(
        space_id=p("space_id"), collection=p("collection"), **NOWHERE._asdict()
    )
    return new.on_conflict_do_nothing()


@Statement
def _set_place(t: Tables) -> sa.Update:
    values: dict[str, Any] = {name: p(f"new_{name}") for name in Place._fields}
    return sa.update(t.vector_copies).where(_mine(t.vector_copies)).values(**values)


@Statement
def _put(t: Tables) -> sa.Insert:
    new = postgresql.insert(t.vector_rows).values(
        {name: p(name) for name in ("space_id", "collection", "key", "numbers")}
    )
    return new.on_conflict_do_update(
        index_elements=["space_id", "collection", "key"],
        set_={"numbers": new.excluded.numbers},
    )


@Statement
def _delete(t: Tables) -> sa.Delete:
    return sa.delete(t.vector_rows).where(_mine(t.vector_rows), t.vector_rows.c.key == p("key"))


@Statement
def _clear(t: Tables) -> sa.Delete:
    return sa.delete(t.vector_rows).where(_mine(t.vector_rows))


@Statement
def _forget(t: Tables) -> sa.Delete:
    return sa.delete(t.vector_copies).where(_mine(t.vector_copies))


@lru_cache
def _nearest(operator: str) -> Statement:
    def build(t: Tables) -> sa.Select[Any]:
        v, s = t.vector_rows.c, t.pstate.c
        wanted = sa.cast(p("wanted", type_=postgresql.ARRAY(sa.REAL())), _Vector())
        distance = sa.cast(v.numbers, _Vector()).op(operator)(wanted)
        # equal ones go by key, which the caller sees to: all of them have to be there
        near = (
            sa.select(v.key)
            .where(_mine(t.vector_rows))
            .order_by(distance)
            .fetch(p("limit", type_=sa.Integer()), with_ties=True)
            .subquery()
        )
        stored = (s.space_id == p("space_id")) & (
            s.key == sa.func.concat(p("prefix", type_=sa.Text()), near.c.key)
        )
        rows = near.outerjoin(t.pstate, stored)
        return sa.select(near.c.key, s.value, s.format).select_from(rows)

    return Statement(build)


def is_available(ex: Executor) -> bool:
    """Say whether the database has the extension."""
    return ex.tables.dialect == "postgresql" and bool(ex.rows(_available, {}))


def read_place(ex: Executor, space_id: int, collection: str) -> Place:
    """Return how far the copies of a collection are; `NOWHERE` if there are none."""
    rows = ex.rows(_place, {"space_id": space_id, "collection": collection})
    return Place(*rows[0]) if rows else NOWHERE


def hold(ex: Executor, space_id: int, collection: str) -> None:
    """Be the only one who changes the copies until the transaction ends; writers go on.

    Raises:
        SpaceNotFoundError: The space was deleted.
    """
    if keep(ex, space_id) is None:
        raise SpaceNotFoundError(space_id)
    mine = {"space_id": space_id, "collection": collection}
    ex.run(_begin, mine)
    ex.rows(_hold, mine)


def set_place(ex: Executor, space_id: int, collection: str, place: Place) -> None:
    """Record how far the copies are; the caller holds them."""
    new = {f"new_{name}": value for name, value in place._asdict().items()}
    ex.run(_set_place, {"space_id": space_id, "collection": collection, **new})


def put(
    ex: Executor, space_id: int, collection: str, rows: Iterable[tuple[str, Sequence[float]]]
) -> None:
    """Add copies, or replace them; the caller holds them."""
    mine = {"space_id": space_id, "collection": collection}
    ex.run_many(_put, [{**mine, "key": key, "numbers": numbers} for key, numbers in rows])


def delete(ex: Executor, space_id: int, collection: str, keys: Iterable[str]) -> None:
    """Drop copies; the caller holds them."""
    mine = {"space_id": space_id, "collection": collection}
    if rows := [{**mine, "key": key} for key in keys]:
        ex.run_many(_delete, rows)


def clear(ex: Executor, space_id: int, collection: str) -> None:
    """Drop all copies of a collection; the caller holds them."""
    ex.run(_clear, {"space_id": space_id, "collection": collection})


def forget(ex: Executor, space_id: int, collection: str) -> None:
    """Drop the copies of a collection, and how far they were."""
    hold(ex, space_id, collection)
    clear(ex, space_id, collection)
    ex.run(_forget, {"space_id": space_id, "collection": collection})


def nearest(
    ex: Executor,
    space_id: int,
    collection: str,
    operator: str,
    wanted: Sequence[float],
    *,
    prefix: str,
    limit: int,
) -> Sequence[Row]:
    """Return (key, value, format) of the nearest copies and of those that are as near as the last.

    Args:
        operator: Of pgvector.
        prefix: What stored keys begin with. A vector that is not stored any more has no value.
    """
    params = {"space_id": space_id, "collection": collection, "prefix": prefix}
    return ex.rows(_nearest(operator), {**params, "wanted": wanted, "limit": limit})

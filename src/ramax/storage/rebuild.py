"""Comparing the stored pstate of a space with a new fold of its events, and writing the rest."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy import bindparam as p
from sqlalchemy.dialects import postgresql, sqlite

from ramax.core.codec import FORMAT_MSGPACK
from ramax.storage.executors import CopyingExecutor, Executor, Row
from ramax.storage.sql import Statement, unnest
from ramax.storage.tables import Tables

_ROWS = 250
"""Rows of one INSERT on SQLite: twice as fast as one by one, and below its oldest limit of 999
parameters."""

_COLUMNS = ("space_id", "key", "value", "format", "updated_at", "direct")


@Statement
def _page(t: Tables) -> sa.Select[Any]:
    s = t.pstate.c
    return (
        sa.select(s.key, s.value, s.format, s.direct)
        .where(s.space_id == p("space_id"), s.key > p("after"))
        .order_by(s.key)
        .limit(p("limit", type_=sa.Integer()))
    )


@Statement
def _changed_since(t: Tables) -> sa.Select[Any]:
    s = t.pstate.c
    return (
        sa.select(s.key)
        .where(s.space_id == p("space_id"), s.key > p("after"), s.updated_at >= p("since"))
        .order_by(s.key)
        .limit(p("limit", type_=sa.Integer()))
    )


@Statement
def _count(t: Tables) -> sa.Select[Any]:
    return sa.select(sa.func.count()).where(t.pstate.c.space_id == p("space_id"))


def _given(t: Tables, rows: int) -> sa.FromClause:
    """Keys and values as rows: arrays on PostgreSQL, ``rows`` pairs of parameters on SQLite."""
    if t.dialect == "postgresql":
        return unnest("w", key=sa.Text(), value=sa.LargeBinary())
    pairs: list[tuple[Any, Any]] = [
        (p(f"key{i}", type_=sa.Text()), p(f"value{i}")) for i in range(rows)
    ]
    columns = sa.column("key", sa.Text()), sa.column("value", sa.LargeBinary())
    return sa.values(*columns, name="w").data(pairs).cte("w")


def _replace(rows: int) -> Statement:
    """Write values that events made, where what is stored is another or not an event's."""

    def build(t: Tables) -> sa.Insert:
        insert = postgresql.insert if t.dialect == "postgresql" else sqlite.insert
        w, s = _given(t, rows), t.pstate.c
        statement = insert(t.pstate).from_select(
            list(_COLUMNS),
            sa.select(
                p("space_id", type_=s.space_id.type),
                w.c.key,
                w.c.value,
                sa.literal_column(f"'{FORMAT_MSGPACK}'"),
                p("now", type_=s.updated_at.type),
                sa.literal_column("0"),
            ).where(sa.true()),  # SQLite: else it takes ON CONFLICT for a join
        )
        new = statement.excluded
        columns = ("value", "format", "direct")
        return statement.on_conflict_do_update(
            index_elements=["space_id", "key"],
            set_={c: new[c] for c in (*columns, "updated_at")},
            where=sa.or_(*(s[c] != new[c] for c in columns)),
        )

    return Statement(build)


_replace_many = _replace(_ROWS)
_replace_one = _replace(1)


def read_stored(ex: Executor, space_id: int, *, after: str, limit: int) -> Sequence[Row]:
    """Read a page of (key, value, format, direct) after ``after``, in key order."""
    return ex.rows(_page, {"space_id": space_id, "after": after, "limit": limit})


def read_changed_since(ex: Executor, space_id: int, since: int, page: int) -> Iterator[list[str]]:
    """Yield, in pages, the keys written at or after a time of the space's own clock (UTC µs)."""
    after = ""
    while True:
        rows = ex.rows(
            _changed_since, {"space_id": space_id, "since": since, "after": after, "limit": page}
        )
        if rows:
            yield [row[0] for row in rows]
        if len(rows) < page:
            return
        after = rows[-1][0]


def read_key_count(ex: Executor, space_id: int) -> int:
    """Count the keys of a space."""
    return int(ex.rows(_count, {"space_id": space_id})[0][0])


def add(ex: Executor, space_id: int, values: Iterable[tuple[str, bytes]], *, now: int) -> None:
    """Write packed values of keys that are not there, as many as there may be.

    Raises:
        UniqueViolationError: One of them is there, on PostgreSQL; SQLite replaces it.
    """
    values = iter(values)
    if ex.tables.dialect == "sqlite":
        while several := list(islice(values, _ROWS)):
            replace(ex, space_id, several, now=now)  # nothing is faster
        return
    for first in values:  # if there is one at all
        rows = (
            (space_id, key, value, FORMAT_MSGPACK, now, 0) for key, value in chain([first], values)
        )
        cast("CopyingExecutor", ex).copy(ex.tables.pstate, _COLUMNS, rows)


def replace(ex: Executor, space_id: int, values: Sequence[tuple[str, bytes]], *, now: int) -> None:
    """Write packed values; rows that are the same already are not touched."""
    if not values:
        return
    common = {"space_id": space_id, "now": now}
    if ex.tables.dialect == "postgresql":
        keys, packed = [key for key, _ in values], [value for _, value in values]
        ex.run(_replace_many, common | {"w_key": keys, "w_value": packed})
        return
    whole = len(values) - len(values) % _ROWS
    for start in range(0, whole, _ROWS):
        params: dict[str, Any] = dict(common)
        for i, (key, value) in enumerate(values[start : start + _ROWS]):
            params[f"key{i}"], params[f"value{i}"] = key, value
        ex.run(_replace_many, params)
    rest = [common | {"key0": key, "value0": value} for key, value in values[whole:]]
    if rest:
        ex.run_many(_replace_one, rest)

"""The stored pstate: reading keys in order, and the writes that no event makes."""

from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import bindparam as p
from sqlalchemy.dialects import postgresql, sqlite

from ramax.core.codec import FORMAT_MSGPACK
from ramax.core.keys import key_range
from ramax.core.state import Packed
from ramax.storage.executors import Executor
from ramax.storage.reads import packed
from ramax.storage.sql import Statement
from ramax.storage.tables import Tables


@Statement
def _scan(t: Tables) -> sa.Select[Any]:
    return _in_range(t).where(t.pstate.c.key > p("after")).order_by(t.pstate.c.key)


@Statement
def _scan_down(t: Tables) -> sa.Select[Any]:
    return _in_range(t).order_by(t.pstate.c.key.desc())


def _in_range(t: Tables) -> sa.Select[Any]:
    s = t.pstate.c
    return (
        sa.select(s.key, s.value, s.format)
        .where(s.space_id == p("space_id"), s.key >= p("low"), s.key < p("high"))
        .limit(p("limit", type_=sa.Integer()))
    )


@Statement
def _count(t: Tables) -> sa.Select[Any]:
    s, q = t.pstate.c, t.space_sequences.c
    mine = (s.space_id == q.space_id) & (s.key >= p("low")) & (s.key < p("high"))
    return (
        sa.select(sa.func.count(s.key))
        .select_from(t.space_sequences.outerjoin(t.pstate, mine))
        .where(q.space_id == p("space_id"))
        .group_by(q.space_id)
    )


@Statement
def _owner(t: Tables) -> sa.Select[Any]:
    s = t.pstate.c
    return sa.select(s.direct).where(s.space_id == p("space_id"), s.key == p("key"))


BULK = 50
"""Rows of one INSERT on SQLite: some times as fast as one by one, and below its oldest limit of 999
parameters."""


@Statement
def upsert_value(t: Tables) -> sa.Insert:
    """Write one packed value, whoever owns the key."""
    return _upsert(t, _value_row())


@Statement
def upsert_values(t: Tables) -> sa.Insert:
    """Write `BULK` packed values of different keys."""
    return _upsert(t, [_value_row(f"_{i}") for i in range(BULK)])


ALIKE_PARAMETERS = (
    *(f"{name}_{i}" for i in range(BULK) for name in ("key", "value")),
    "space_id",
    "now",
)
"""The order in which `upsert_alike` takes them."""


@Statement
def upsert_alike(t: Tables) -> sa.Insert:
    """Write `BULK` packed values of different keys of one space, with a parameter for each.

    A parameter costs as much as a column does.
    """
    s = t.pstate.c
    pairs: list[tuple[Any, ...]] = [(p(f"key_{i}"), p(f"value_{i}")) for i in range(BULK)]
    columns = sa.column("key", s.key.type), sa.column("value", s.value.type)
    w = sa.values(*columns, name="w").data(pairs).cte("w")
    given = {
        "space_id": p("space_id", type_=s.space_id.type),
        "key": w.c.key,
        "value": w.c.value,
        "format": sa.literal_column(f"'{FORMAT_MSGPACK}'"),
        "updated_at": p("now", type_=s.updated_at.type),
        "direct": sa.literal_column("0"),
    }
    # SQLite takes ON CONFLICT for a join where there is no WHERE
    rows = sa.select(*given.values()).where(sa.true())
    return _over(_insert(t).from_select(list(given), rows))


def _value_row(end: str = "") -> dict[str, sa.BindParameter[Any]]:
    return {
        "space_id": p(f"space_id{end}"),
        "key": p(f"key{end}"),
        "value": p(f"value{end}"),
        "format": p(f"format{end}"),
        "updated_at": p(f"now{end}"),
        "direct": p(f"direct{end}"),
    }


def _upsert(t: Tables, rows: Any) -> sa.Insert:
    return _over(_insert(t).values(rows))


def _insert(t: Tables) -> "postgresql.Insert | sqlite.Insert":
    return (postgresql.insert if t.dialect == "postgresql" else sqlite.insert)(t.pstate)


def _over(statement: "postgresql.Insert | sqlite.Insert") -> sa.Insert:
    return statement.on_conflict_do_update(
        index_elements=["space_id", "key"],
        set_={c: statement.excluded[c] for c in ("value", "format", "updated_at", "direct")},
    )


@Statement
def delete_value(t: Tables) -> sa.Delete:
    """Delete one key."""
    s = t.pstate
    return sa.delete(s).where(s.c.space_id == p("space_id"), s.c.key == p("key"))


def read_scan(
    ex: Executor, space_id: int, prefix: str, *, after: str = "", limit: int
) -> list[tuple[str, Packed]]:
    """Read up to ``limit`` keys that begin with ``prefix``, above ``after``, in key order.

    The empty prefix is that of every key of the application.
    """
    low, high = key_range(prefix)
    return read_in_range(ex, space_id, low, high, after=after, limit=limit)


def read_in_range(
    ex: Executor,
    space_id: int,
    low: str,
    high: str,
    *,
    after: str = "",
    limit: int,
    down: bool = False,
) -> list[tuple[str, Packed]]:
    """Read up to ``limit`` keys with low <= key < high, and above ``after``, in key order.

    Args:
        down: From the highest key on, in falling order; without ``after``.
    """
    # of two bounds from below SQLite begins at the first one, and goes over all up to the other
    low = max(low, after)
    params = {"space_id": space_id, "low": low, "high": high, "limit": limit}
    rows = ex.rows(_scan_down, params) if down else ex.rows(_scan, params | {"after": after})
    return [
        (key, value if format_ == FORMAT_MSGPACK else packed(value, format_))
        for key, value, format_ in rows
    ]


def read_count(ex: Executor, space_id: int, prefix: str) -> int | None:
    """Count the keys that begin with ``prefix``; None if the space is gone.

    The empty prefix is that of every key of the application.
    """
    low, high = key_range(prefix)
    params = {"space_id": space_id, "low": low, "high": high}
    rows = ex.rows(_count, params)
    return rows[0][0] if rows else None


def owned_by_event(ex: Executor, space_id: int, key: str) -> bool | None:
    """Say whether an event wrote the key (True), or ``put`` (False), or nobody (None)."""
    rows = ex.rows(_owner, {"space_id": space_id, "key": key})
    return not rows[0][0] if rows else None


def put(
    ex: Executor,
    space_id: int,
    values: Iterable[tuple[str, bytes]],
    *,
    now: int,
    direct: bool,
) -> None:
    """Write packed values; the caller holds the space's lock and moves its state version."""
    rows: Sequence[dict[str, Any]] = [
        {
            "space_id": space_id,
            "key": key,
            "value": value,
            "format": FORMAT_MSGPACK,
            "now": now,
            "direct": int(direct),
        }
        for key, value in values
    ]
    if rows:
        ex.run_many(upsert_value, rows)


def delete(ex: Executor, space_id: int, keys: Iterable[str]) -> None:
    """Delete keys; the caller holds the space's lock and moves its state version."""
    rows = [{"space_id": space_id, "key": key} for key in keys]
    if rows:
        ex.run_many(delete_value, rows)

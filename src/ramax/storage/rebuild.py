"""Comparing the stored pstate of a space with a new fold of its events."""

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from sqlalchemy import bindparam as p

from ramax.core.state import Packed
from ramax.storage.executors import Executor
from ramax.storage.reads import packed
from ramax.storage.sql import Statement, unnest
from ramax.storage.tables import Tables

Stored = tuple[Packed, bool]
"""A stored value, and whether ``put`` wrote it rather than an event."""


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
    return sa.select(s.key).where(s.space_id == p("space_id"), s.updated_at >= p("since"))


@Statement
def _count(t: Tables) -> sa.Select[Any]:
    return sa.select(sa.func.count()).where(t.pstate.c.space_id == p("space_id"))


@Statement
def _one(t: Tables) -> sa.Select[Any]:
    s = t.pstate.c
    return sa.select(s.key, s.value, s.format, s.direct).where(
        s.space_id == p("space_id"), s.key == p("key")
    )


@Statement
def _several(t: Tables) -> sa.Select[Any]:
    w = unnest("w", key=sa.Text())
    s = t.pstate.c
    return (
        sa.select(s.key, s.value, s.format, s.direct)
        .select_from(w.join(t.pstate, s.key == w.c.key))
        .where(s.space_id == p("space_id"))
    )


def read_stored(ex: Executor, space_id: int, *, after: str, limit: int) -> list[tuple[str, Stored]]:
    """Read a page of keys after ``after``, in key order."""
    rows = ex.rows(_page, {"space_id": space_id, "after": after, "limit": limit})
    return [(key, (packed(value, form), bool(direct))) for key, value, form, direct in rows]


def read_several(ex: Executor, space_id: int, keys: Iterable[str]) -> dict[str, Stored]:
    """Read some keys; a missing one is absent."""
    if ex.tables.dialect == "postgresql":
        rows = list(ex.rows(_several, {"space_id": space_id, "w_key": list(keys)}))
    else:
        rows = [r for key in keys for r in ex.rows(_one, {"space_id": space_id, "key": key})]
    return {key: (packed(value, form), bool(direct)) for key, value, form, direct in rows}


def read_changed_since(ex: Executor, space_id: int, since: int) -> set[str]:
    """Return the keys written at or after a time of the space's own clock (UTC µs)."""
    return {row[0] for row in ex.rows(_changed_since, {"space_id": space_id, "since": since})}


def read_key_count(ex: Executor, space_id: int) -> int:
    """Count the keys of a space."""
    return int(ex.rows(_count, {"space_id": space_id})[0][0])

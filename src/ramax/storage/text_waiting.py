"""The keys whose texts are indexed after the commit that changed them."""

from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import bindparam as p

from ramax.storage.executors import Executor
from ramax.storage.spaces import as_space, space_columns
from ramax.storage.sql import Statement
from ramax.storage.tables import Tables
from ramax.values import Space


@Statement
def _waiting(t: Tables) -> sa.Select[Any]:
    w = t.search_waiting.c
    return (
        sa.select(w.key)
        .where(w.space_id == p("space_id"), w.key > p("after"))
        .order_by(w.key)
        .limit(p("limit", type_=sa.BigInteger()))
    )


@Statement
def _done(t: Tables) -> sa.Delete:
    w = t.search_waiting
    return sa.delete(w).where(w.c.space_id == p("space_id"), w.c.key == p("key"))


@Statement
def _spaces(t: Tables) -> sa.Select[Any]:
    c, w = t.spaces.c, t.search_waiting.c
    some = sa.exists().where(w.space_id == c.space_id)
    mine = (c.branch_id == p("branch_id")) & c.searched.is_not(None) & some
    return sa.select(*space_columns(t)).where(mine).order_by(c.space_id)


def read_waiting(ex: Executor, space_id: int, *, limit: int, after: str = "") -> Sequence[str]:
    """Read up to ``limit`` keys above ``after`` whose texts wait to be indexed, in order."""
    rows = ex.rows(_waiting, {"space_id": space_id, "after": after, "limit": limit})
    return [row[0] for row in rows]


def forget_waiting(ex: Executor, space_id: int, keys: Iterable[str]) -> None:
    """Note that keys wait no longer; the caller holds the space's lock."""
    ex.run_many(_done, [{"space_id": space_id, "key": key} for key in keys])


def read_spaces_that_wait(ex: Executor, branch_id: int) -> list[Space]:
    """Return the spaces of a branch where texts wait, by id."""
    return [as_space(row) for row in ex.rows(_spaces, {"branch_id": branch_id})]

"""Comparing the read models of two spaces, key by key."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy import bindparam as p

from ramax.core.state import Packed
from ramax.storage.executors import Executor
from ramax.storage.reads import packed
from ramax.storage.sql import Statement, beside
from ramax.storage.tables import Tables


class Stored(NamedTuple):
    """A key and what each of two spaces has there; None where it has nothing."""

    key: str
    here: Packed | None
    there: Packed | None


def _joined(t: Tables, *, outer: bool) -> tuple[sa.Select[Any], sa.FromClause]:
    """Select keys of the one with both values; also return what has those of the other."""
    here, other = t.pstate, t.pstate.alias("there")
    same = (other.c.space_id == p("other_id")) & (other.c.key == here.c.key)
    source, there = beside(t, here, other, same, outer=outer)
    values = (here.c.key, here.c.value, here.c.format, there.c.value, there.c.format)
    return sa.select(*values).select_from(source).where(here.c.space_id == p("space_id")), there


@Statement
def different(t: Tables) -> sa.Select[Any]:
    """The keys that both have, with bytes of their own."""
    here = t.pstate.c
    found, there = _joined(t, outer=False)
    return found.where((here.value != there.c.value) | (here.format != there.c.format))


@Statement
def touched(t: Tables) -> sa.Select[Any]:
    """The keys that were written in the one since a time."""
    written = t.pstate.c.updated_at
    found, _ = _joined(t, outer=True)
    return found.where(written.is_(None) | (written >= p("since")))


@Statement
def direct(t: Tables) -> sa.Select[Any]:
    """The keys of the one that were put beside its log."""
    found, _ = _joined(t, outer=True)
    return found.where(t.pstate.c.direct == sa.literal_column("1"))


@Statement
def _count(t: Tables) -> sa.Select[Any]:
    return sa.select(sa.func.count()).where(t.pstate.c.space_id == p("space_id"))


@Statement
def missing(t: Tables) -> sa.Select[Any]:
    """The keys of the one that the other lacks; of the index alone."""
    here, there = t.pstate.c, t.pstate.alias("there").c
    same = sa.select(there.key).where(there.space_id == p("other_id"), there.key == here.key)
    one = same.limit(sa.literal_column("1")).scalar_subquery()  # no join: see `beside`
    found = sa.select(here.key).where(here.space_id == p("space_id"), one.is_(None))
    return found.order_by(here.key)


def read_touched(ex: Executor, space_id: int, other_id: int, since: int | None) -> list[Stored]:
    """Read what was written in a space, and what another has there.

    Args:
        since: UTC microseconds; None for nothing but what was put beside the log.
    """
    params = {"space_id": space_id, "other_id": other_id, "since": since}
    rows = list(ex.rows(direct, params))
    if since is not None:
        rows += ex.rows(touched, params)
    return [_stored(row) for row in rows]


def count(ex: Executor, space_id: int) -> int:
    """Return how many keys a space has, those that only ramax needs included."""
    return int(ex.rows(_count, {"space_id": space_id})[0][0])


def read_different(ex: Executor, space_id: int, other_id: int) -> list[Stored]:
    """Read what two spaces both have, and not the same; every key of the one is looked at."""
    return [
        _stored(row) for row in ex.rows(different, {"space_id": space_id, "other_id": other_id})
    ]


def read_missing(ex: Executor, space_id: int, other_id: int) -> list[str]:
    """Return the keys of a space that another lacks."""
    return [row[0] for row in ex.rows(missing, {"space_id": space_id, "other_id": other_id})]


def _stored(row: Sequence[Any]) -> Stored:
    key, here, here_format, there, there_format = row
    other = None if there is None else packed(there, there_format)
    return Stored(key, packed(here, here_format), other)

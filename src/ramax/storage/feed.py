"""How far a reader of all spaces may go: below every event id that could still appear.

On PostgreSQL a lower id can commit after a higher one. Writers hold a shared advisory lock that
names the last id drawn before theirs (the mark), so the lowest mark held is safe; ids are read in
this order: what was drawn, then which marks are held, then the events.
"""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import bindparam as p

from ramax.storage.append_statement import MARK_CLASS
from ramax.storage.events import all_page, read_all_page, read_last_id
from ramax.storage.executors import Executor, Row
from ramax.storage.sql import Statement
from ramax.storage.tables import Tables
from ramax.values import MAIN_BRANCH


@Statement
def _lowest_mark(_: Tables) -> sa.TextClause:
    return sa.text(
        "SELECT min(((classid::bigint & 16777215) << 32) | objid::bigint) FROM pg_locks"  # noqa: S608 - a constant of ours
        " WHERE locktype = 'advisory' AND objsubid = 1"
        f" AND (classid::bigint >> 24) = {MARK_CLASS}"
        " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    )


def safe_event_id(ex: Executor) -> int:
    """Return the highest event id up to which nothing can appear any more.

    Each statement must see the newest commits: autocommit or READ COMMITTED.
    """
    drawn = read_last_id(ex)
    if ex.tables.dialect == "sqlite":
        return drawn  # one writer at a time: ids commit in order
    held = ex.rows(_lowest_mark, {})[0][0]
    return drawn if held is None else min(drawn, int(held))


@Statement
def _partition_page(t: Tables) -> sa.Select[Any]:
    """A page of the spaces of one partition by event id; names no space on purpose."""
    e = t.events.c
    big = sa.BigInteger()
    mine = e.space_id % p("partitions", type_=big) == p("partition", type_=big)
    return all_page(t).where(mine)


@Statement
def _holders(_: Tables) -> sa.TextClause:
    return sa.text(
        "SELECT a.pid, a.application_name, a.state, a.query"  # noqa: S608 - a constant of ours
        " FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid"
        " WHERE l.locktype = 'advisory' AND l.objsubid = 1"
        f" AND (l.classid::bigint >> 24) = {MARK_CLASS}"
        " AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        " ORDER BY a.xact_start LIMIT 1"
    )


def read_partition_page(
    ex: Executor,
    *,
    after: int,
    upto: int,
    limit: int,
    partition: int,
    partitions: int,
    branch_id: int = MAIN_BRANCH,
) -> Sequence[Row]:
    """Read up to ``limit`` rows of the spaces whose id leaves ``partition`` divided by the number.

    With after < event_id <= upto, by id.
    """
    if partitions == 1:
        return read_all_page(ex, after=after, upto=upto, limit=limit, branch_id=branch_id)
    page = {"after": after, "upto": upto, "limit": limit, "branch_id": branch_id}
    return ex.rows(_partition_page, page | {"partition": partition, "partitions": partitions})


def holder(ex: Executor) -> str | None:
    """Name the oldest transaction that has appended and is still open, None if there is none."""
    rows = [] if ex.tables.dialect == "sqlite" else ex.rows(_holders, {})
    if not rows:
        return None
    pid, application, state, query = rows[0]
    return f"backend {pid} ({application or 'no application_name'}, {state}): {query:.120}"

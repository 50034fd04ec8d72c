"""How PostgreSQL is to plan the statements of ramax: by their indexes, whatever it knows of tables.

Every statement here is made for an index, which has its rows in the order that it wants. Before
there are statistics, and after a table has grown since they were gathered, PostgreSQL believes in
a few rows: then it reads the whole table for one of them, or finds all that is left of a log to
sort it for each page, and keeps such a plan for as long as the session lasts (ADR-0094).
"""

from typing import Any

import sqlalchemy as sa
from sqlalchemy import bindparam as p

from ramax.storage.executors import Executor
from ramax.storage.sql import Statement
from ramax.storage.tables import Tables

BY_INDEX = {"enable_seqscan": "off", "random_page_cost": "1"}
"""Reading a whole table, and sorting, only where there is no other way."""

SESSION = {"plan_cache_mode": "force_generic_plan", "jit": "off", **BY_INDEX}
"""Of a connection of ramax's own; statements over arrays take longer to plan than to run."""


def set_session() -> str:
    """Return the command that sets a session up."""
    return "; ".join(f"SET {name} = {value}" for name, value in SESSION.items())


def _wait() -> sa.ColumnElement[str]:
    return sa.func.set_config("lock_timeout", p("milliseconds", type_=sa.Text()), sa.true())


@Statement
def _lock_timeout(_: Tables) -> sa.Select[Any]:
    return sa.select(_wait())


@Statement
def _begin(_: Tables) -> sa.Select[Any]:
    """Both in one statement, which every transaction of ramax's own begins with anyway."""
    local = [sa.func.set_config(name, value, sa.true()) for name, value in BY_INDEX.items()]
    return sa.select(_wait(), *local)


def limit_waiting(ex: Executor, seconds: float, *, joined: bool = False) -> None:
    """Let no statement of the transaction wait longer for a lock; SQLite has its busy timeout.

    Args:
        joined: It is somebody else's transaction, whose other statements are not ours to plan.
    """
    if ex.tables.dialect == "postgresql":
        milliseconds = str(max(int(seconds * 1000), 1))
        ex.rows(_lock_timeout if joined else _begin, {"milliseconds": milliseconds})

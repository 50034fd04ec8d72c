"""How far a reader of all spaces may go: below every event id that could still appear.

On PostgreSQL a lower id can commit after a higher one. Writers hold a shared advisory lock that
names the last id drawn before theirs (the mark), so the lowest mark held is safe; ids are read in
this order: what was drawn, then which marks are held, then the events.
"""

import sqlalchemy as sa

from ramax.storage.append_statement import MARK_CLASS
from ramax.storage.events import read_last_id
from ramax.storage.executors import Executor
from ramax.storage.sql import Statement
from ramax.storage.tables import Tables


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

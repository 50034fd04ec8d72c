"""What a write plan adds for replicated spaces: runs, and causes; and where a replica stands."""

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from sqlalchemy import bindparam as p

from ramax.core.space_write import SpaceWrite
from ramax.core.sync.head import ReplicaHead
from ramax.storage.executors import Executor
from ramax.storage.plan import Extra
from ramax.storage.reads import PSTATE
from ramax.storage.runs import insert_run, mark_first_late, row_of
from ramax.storage.sql import Statement
from ramax.storage.tables import Tables


@Statement
def _set_head(t: Tables) -> sa.Update:
    q = t.space_sequences
    return sa.update(q).where(q.c.space_id == p("space_id")).values(replica_head=p("replica_head"))


@Statement
def _set_cause(t: Tables) -> sa.Update:
    """Let an event know its cause, which came with it."""
    e, cause = t.events, t.events.alias("cause").c
    found = (
        sa.select(cause.event_id)
        .where(cause.space_id == p("space_id"), cause.space_sequence == p("cause"))
        .scalar_subquery()
    )
    return (
        sa.update(e)
        .where(e.c.space_id == p("space_id"), e.c.space_sequence == p("sequence"))
        .values(causation_id=found)
    )


@Statement
def _direct(t: Tables) -> sa.Select[Any]:
    """A key that no event wrote."""
    s = t.pstate.c
    return (
        sa.select(s.key)
        .where(s.space_id == p("space_id"), s.direct == sa.literal_column("1"))
        .limit(1)
    )


@Statement
def _fold_anew(t: Tables) -> sa.Update:
    c = t.checkpoints
    return (
        sa.update(c)
        .where(c.c.space_id == p("space"), c.c.name == sa.literal_column(f"'{PSTATE}'"))
        .values(last_event_id=0, last_space_sequence=0)
    )


def origin_rows(writes: Iterable[SpaceWrite]) -> list[Extra]:
    """Return the rows of runs that begin; none for spaces that are not replicated."""
    runs: list[dict[str, Any]] = []
    caused: list[dict[str, Any]] = []
    for write in writes:
        if write.runs:
            runs += [row_of(write.space_id, run) for run in write.runs]
        for sequence, cause in write.causes.items():
            caused.append({"space_id": write.space_id, "sequence": sequence, "cause": cause})
    rows = [(insert_run, runs), (_set_cause, caused)]
    return [Extra(statement, found) for statement, found in rows if found]


def write_replica_head(ex: Executor, space_id: int, head: ReplicaHead) -> None:
    """Set where the log of a space is as a replica's; the caller holds its lock."""
    ex.run(_set_head, {"space_id": space_id, "replica_head": head.pack()})


def read_direct(ex: Executor, space_id: int) -> str | None:
    """Read a key that no event wrote, if there is one."""
    rows = ex.rows(_direct, {"space_id": space_id})
    return rows[0][0] if rows else None


def fold_anew(ex: Executor, space_id: int) -> None:
    """Let the pstate be folded again from the first event, which counts as late."""
    mark_first_late(ex, space_id)
    ex.run(_fold_anew, {"space": space_id})

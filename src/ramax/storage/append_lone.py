"""The append of many lone commands on PostgreSQL: several spaces, one event and one value each.

Half the arrays of the form for several spaces, and no part is joined with what was taken: callers
that each work in a space of their own are the usual load of a server.
"""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import bindparam as p

from ramax.core.space_write import SpaceWrite
from ramax.storage.append_statement import (
    MSGPACK,
    holds,
    lock_mark,
    move_checkpoint,
    put_values,
)
from ramax.storage.reads import PSTATE
from ramax.storage.sql import Statement, unnest
from ramax.storage.tables import Tables

_BIG, _TEXT, _BLOB = sa.BigInteger(), sa.Text(), sa.LargeBinary()
_GIVEN: dict[str, sa.types.TypeEngine[Any]] = {
    "space_id": _BIG,
    "base": _BIG,
    "version": _BIG,
    "entity_id": _TEXT,
    "event_type": _TEXT,
    "payload": _BLOB,
    "key": _TEXT,
    "value": _BLOB,
}
_OF_REPLICA = _GIVEN | {"replica": _BLOB}

LONE_PARAMETERS = ("token", "now", "stamp", *(f"n_{name}" for name in _GIVEN))
"""What `append_lone` takes, in the order in which writes are laid out."""

LONE_REPLICA_PARAMETERS = (*LONE_PARAMETERS, "n_replica")
"""What `append_lone_replica` takes."""

OWN = 5
"""How many columns of an `EventRow` every event has; the others are mostly `PLAIN`."""

PLAIN = (None, None, None, 1, None)


def lone(spaces: Sequence[SpaceWrite]) -> list[Any] | None:
    """Lay writes out if each is a lone command's: one event, folded, that puts one value.

    All at one time, which is that of the batch unless a space's clock is ahead. Where the log of
    each replica is comes last, if there are any.
    """
    rows = []
    replicas = [write.replica for write in spaces]
    stamp = spaces[0].last_timestamp  # of all: the driver looks at every number of an array
    for write in spaces:
        if len(write.events) != 1 or len(write.puts) != 1 or write.deletes:
            return None
        (row,) = write.events
        guard = write.guard
        if row[OWN:] != PLAIN or write.version_step or write.checkpoint != row.sequence:
            return None
        if row.micros != stamp or write.last_timestamp != stamp or stamp < guard.last_timestamp:
            return None
        ((key, value),) = write.puts.items()
        rows.append((write.space_id, guard[0], guard[1], *row[1:4], key, value))
    columns = [stamp, *zip(*rows, strict=True)]
    return [*columns, replicas] if any(replicas) else columns


@Statement
def append_lone(t: Tables) -> sa.Select[Any]:
    """Move hot rows whose guards hold and which nobody holds locked; add what goes with each."""
    return _append(t, _GIVEN)


@Statement
def append_lone_replica(t: Tables) -> sa.Select[Any]:
    """As `append_lone`, of spaces of which some are replicated: their logs move on as such."""
    return _append(t, _OF_REPLICA)


def _append(t: Tables, columns: dict[str, sa.types.TypeEngine[Any]]) -> sa.Select[Any]:
    q, e = t.space_sequences, t.events
    given = unnest("n", **columns)
    lock = (
        sa.select(*given.c)
        .select_from(q.join(given, q.c.space_id == given.c.space_id))
        .where(holds(q, given.c))
        .order_by(q.c.space_id)
        .with_for_update(of=q, skip_locked=True, key_share=True)
        .cte("lk")
    )
    mark = lock_mark(t)
    stamp = p("stamp", type_=_BIG)
    sequence = lock.c.base + sa.literal_column("1")
    moved: dict[str, Any] = {"last_sequence": sequence, "last_timestamp": stamp}
    if "replica" in columns:
        moved["replica_head"] = sa.func.coalesce(lock.c.replica, q.c.replica_head)
    taken = (
        sa.update(q)
        .where(holds(q, lock.c))
        .values(writer_token=p("token", type_=_BLOB), **moved)
        .returning(
            *lock.c, sequence.label("sequence"), sa.select(mark.c.m).scalar_subquery().label("m")
        )
        .cte("sq")
    )
    n = taken.c
    of_event = ("space_id", "space_sequence", "entity_id", "event_type", "payload", "format")
    recorded = (
        sa.insert(e)
        .from_select(
            [*of_event, "timestamp"],
            sa.select(n.space_id, n.sequence, n.entity_id, n.event_type, n.payload, MSGPACK, stamp)
            .where(n.m.is_not(None))  # so that no id is drawn before the mark is held
            .order_by(n.space_id),
        )
        .returning(e.c.event_id, e.c.space_id, e.c.space_sequence)
        .cte("ev")
    )
    values = put_values(
        t, sa.select(n.space_id, n.key, n.value, MSGPACK, stamp, sa.literal_column("0"))
    )
    checkpoint = move_checkpoint(
        t,
        sa.select(
            recorded.c.space_id,
            sa.literal_column(f"'{PSTATE}'"),
            recorded.c.event_id,
            recorded.c.space_sequence,
            p("now", type_=_BIG),
        ),
    )
    found = sa.select(recorded.c.space_id, recorded.c.event_id, recorded.c.space_sequence)
    return found.add_cte(values, checkpoint)

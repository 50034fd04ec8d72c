"""Writes a plan on PostgreSQL: one data-modifying statement, which commits by itself.

The mark is the lock-watermark of the all-spaces feed: a shared advisory lock on the last drawn
event id, taken before the next one is drawn, so that a reader knows which ids may still appear.
"""

from typing import Any

import sqlalchemy as sa
from sqlalchemy import bindparam as p
from sqlalchemy.dialects.postgresql import insert

from ramax.core.codec import FORMAT_MSGPACK
from ramax.storage.executors import Executor
from ramax.storage.plan import WritePlan, Written
from ramax.storage.reads import PSTATE
from ramax.storage.sql import Statement, unnest
from ramax.storage.tables import EVENT_ID_SEQUENCE, Tables

MARK_CLASS = 77
"""The top byte of the advisory lock keys of the feed's watermark."""

_BIG, _TEXT, _BLOB = sa.BigInteger(), sa.Text(), sa.LargeBinary()


@Statement
def _write(t: Tables) -> sa.Select[Any]:
    q, e, s, c = t.space_sequences, t.events, t.pstate, t.checkpoints
    n = unnest(
        "n",
        space_id=_BIG,
        base=_BIG,
        version=_BIG,
        head=_BIG,
        new_version=_BIG,
        stamp=_BIG,
        folded=_BIG,
        folded_id=_BIG,
    )
    holds = (
        (q.c.space_id == n.c.space_id)
        & (q.c.last_sequence == n.c.base)
        & (q.c.state_version == n.c.version)
    )
    lock = (
        sa.select(q.c.space_id)
        .select_from(q.join(n, holds))
        .order_by(q.c.space_id)
        .with_for_update(of=q, skip_locked=True)
        .cte("lk")
    )
    mark = (
        sa.select(
            sa.literal_column(
                f"pg_advisory_xact_lock_shared(({MARK_CLASS}::bigint << 56) | last_value)::text"
            ).label("m")
        )
        .select_from(sa.table(EVENT_ID_SEQUENCE, schema=t.metadata.schema))
        .cte("mark")
    )
    taken = (
        sa.update(q)
        .where(q.c.space_id == lock.c.space_id, holds)
        .values(
            last_sequence=n.c.head,
            state_version=n.c.new_version,
            last_timestamp=n.c.stamp,
            writer_token=p("token", type_=_BLOB),
        )
        .returning(
            q.c.space_id,
            q.c.last_timestamp,
            n.c.folded,
            n.c.folded_id,
            sa.select(mark.c.m).scalar_subquery().label("m"),
        )
        .cte("sq")
    )
    new = unnest(
        "e",
        space_id=_BIG,
        sequence=_BIG,
        entity_id=_TEXT,
        event_type=_TEXT,
        payload=_BLOB,
        stamp=_BIG,
        causation_id=_BIG,
        correlation_id=_TEXT,
        metadata=_BLOB,
    )
    recorded = (
        sa.insert(e)
        .from_select(
            [
                "space_id",
                "space_sequence",
                "entity_id",
                "event_type",
                "payload",
                "format",
                "timestamp",
                "causation_id",
                "correlation_id",
                "metadata",
            ],
            sa.select(
                taken.c.space_id,
                new.c.sequence,
                new.c.entity_id,
                new.c.event_type,
                new.c.payload,
                sa.literal_column(f"'{FORMAT_MSGPACK}'"),
                new.c.stamp,
                new.c.causation_id,
                new.c.correlation_id,
                new.c.metadata,
            )
            .select_from(new.join(taken, taken.c.space_id == new.c.space_id))
            .where(taken.c.m.is_not(None))
            .order_by(taken.c.space_id, new.c.sequence),
        )
        .returning(e.c.event_id, e.c.space_id, e.c.space_sequence)
        .cte("ev")
    )
    values = unnest("k", space_id=_BIG, key=_TEXT, value=_BLOB)
    put = insert(s).from_select(
        ["space_id", "key", "value", "format", "updated_at", "direct"],
        sa.select(
            taken.c.space_id,
            values.c.key,
            values.c.value,
            sa.literal_column(f"'{FORMAT_MSGPACK}'"),
            taken.c.last_timestamp,
            sa.literal_column("0"),
        ).select_from(values.join(taken, taken.c.space_id == values.c.space_id)),
    )
    put_ = put.on_conflict_do_update(
        index_elements=["space_id", "key"],
        set_={k: put.excluded[k] for k in ("value", "format", "updated_at", "direct")},
    ).cte("ps")
    gone = unnest("d", space_id=_BIG, key=_TEXT)
    delete = (
        sa.delete(s)
        .where(
            s.c.space_id == gone.c.space_id,
            s.c.key == gone.c.key,
            taken.c.space_id == gone.c.space_id,
        )
        .cte("pd")
    )
    newest = (
        sa.select(sa.func.max(recorded.c.event_id))
        .where(recorded.c.space_id == taken.c.space_id)
        .scalar_subquery()
    )
    step = insert(c).from_select(
        ["space_id", "name", "last_event_id", "last_space_sequence", "updated_at"],
        sa.select(
            taken.c.space_id,
            sa.literal_column(f"'{PSTATE}'"),
            sa.func.coalesce(newest, taken.c.folded_id),
            taken.c.folded,
            p("now", type_=_BIG),
        ).where(taken.c.folded.is_not(None)),
    )
    # the guard covers the checkpoint: it moves only together with the guard's numbers
    step_ = step.on_conflict_do_update(
        index_elements=["space_id", "name"],
        set_={k: step.excluded[k] for k in ("last_event_id", "last_space_sequence", "updated_at")},
    ).cte("ck")
    return (
        sa.select(taken.c.space_id, recorded.c.event_id, recorded.c.space_sequence)
        .select_from(taken.outerjoin(recorded, recorded.c.space_id == taken.c.space_id))
        .add_cte(put_, delete, step_)
    )


def write_postgres(ex: Executor, plan: WritePlan) -> dict[int, Written]:
    """Write every space whose guard still holds and which nobody holds locked.

    Returns:
        Space id to what its events got; a space that is absent is locked, lost or gone.
    """
    if plan.extras:
        return ex.atomically(lambda: _write_all(ex, plan))
    return _write_all(ex, plan)


def _write_all(ex: Executor, plan: WritePlan) -> dict[int, Written]:
    ids: dict[int, dict[int, int]] = {}
    for space_id, event_id, sequence in ex.rows(_write, _parameters(plan)):
        found = ids.setdefault(space_id, {})
        if sequence is not None:
            found[sequence] = event_id
    for extra in plan.extras:
        rows = [row for row in extra.rows if row["space_id"] in ids]
        if rows:
            ex.run_many(extra.statement, rows)
    return {space_id: Written(found) for space_id, found in ids.items()}


def _parameters(plan: WritePlan) -> dict[str, Any]:
    spaces = plan.spaces
    params: dict[str, Any] = {
        "token": plan.token,
        "now": plan.now,
        "n_space_id": [w.space_id for w in spaces],
        "n_base": [w.guard.last_sequence for w in spaces],
        "n_version": [w.guard.state_version for w in spaces],
        "n_head": [w.last_sequence for w in spaces],
        "n_new_version": [w.guard.state_version + w.version_step for w in spaces],
        "n_stamp": [max(w.last_timestamp, w.guard.last_timestamp) for w in spaces],
        "n_folded": [w.checkpoint for w in spaces],
        "n_folded_id": [w.checkpoint_event_id for w in spaces],
    }
    params |= _event_arrays(spaces)
    puts = [(w.space_id, key, w.puts[key]) for w in spaces for key in sorted(w.puts)]
    params["k_space_id"] = [space_id for space_id, _, _ in puts]
    params["k_key"] = [key for _, key, _ in puts]
    params["k_value"] = [value for _, _, value in puts]
    params["d_space_id"] = [w.space_id for w in spaces for _ in w.deletes]
    params["d_key"] = [key for w in spaces for key in w.deletes]
    return params


def _event_arrays(spaces: Any) -> dict[str, list[Any]]:
    names = (
        "space_id",
        "sequence",
        "entity_id",
        "event_type",
        "payload",
        "stamp",
        "causation_id",
        "correlation_id",
        "metadata",
    )
    rows = [(w.space_id, *row) for w in spaces for row in w.events]
    columns: list[Any] = list(zip(*rows, strict=True)) if rows else [()] * len(names)
    return {f"e_{name}": list(column) for name, column in zip(names, columns, strict=True)}

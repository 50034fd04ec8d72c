"""The one statement of an append on PostgreSQL: guard, events, pstate and checkpoint together.

It has two forms of the same parts: for one space the guard's numbers are plain parameters, for
several they are arrays. The mark is the lock-watermark of the all-spaces feed: a shared advisory
lock on the last drawn event id, taken before the next one is drawn, so that a reader knows which
ids may still appear.
"""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy import bindparam as p
from sqlalchemy.dialects.postgresql import insert

from ramax.core.codec import FORMAT_MSGPACK
from ramax.storage.reads import PSTATE
from ramax.storage.sql import Statement, unnest
from ramax.storage.tables import EVENT_ID_SEQUENCE, Tables

MARK_CLASS = 77
"""The top byte of the advisory lock keys of the feed's watermark."""

_BIG, _TEXT, _BLOB = sa.BigInteger(), sa.Text(), sa.LargeBinary()
_MSGPACK: sa.ColumnElement[Any] = sa.literal_column(f"'{FORMAT_MSGPACK}'")
_GUARD = ("base", "version", "head", "new_version", "stamp", "folded", "folded_id")
_EVENT: dict[str, sa.types.TypeEngine[Any]] = {
    "sequence": _BIG,
    "entity_id": _TEXT,
    "event_type": _TEXT,
    "payload": _BLOB,
    "stamp": _BIG,
    "causation_id": _BIG,
    "correlation_id": _TEXT,
    "metadata": _BLOB,
    "version": sa.SmallInteger(),
    "tags": _BLOB,
}
_EVENT_COLUMNS = (
    "space_sequence",
    "entity_id",
    "event_type",
    "payload",
    "timestamp",
    "causation_id",
    "correlation_id",
    "metadata",
    "version",
    "tags",
)

Columns = Mapping[str, Any]


@Statement
def write_one_space(t: Tables) -> sa.Select[Any]:
    """Append to one space: ``n_*`` are plain values."""
    given = {name: p(f"n_{name}", type_=_BIG) for name in ("space_id", *_GUARD)}
    return _write(t, given, None)


@Statement
def write_many_spaces(t: Tables) -> sa.Select[Any]:
    """Append to several spaces: ``n_*`` are arrays, one item for each space."""
    given = unnest("n", space_id=_BIG, **dict.fromkeys(_GUARD, _BIG))
    return _write(t, dict(given.c), given)


def _write(t: Tables, n: Columns, source: sa.FromClause | None) -> sa.Select[Any]:
    taken = _taken(t, n, source)
    recorded = _recorded(t, taken, one=source is None)
    parts = (
        _puts(t, taken, one=source is None),
        _deletes(t, taken, one=source is None),
        _checkpoint(t, taken, recorded),
    )
    return (
        sa.select(taken.c.space_id, recorded.c.event_id, recorded.c.space_sequence)
        .select_from(taken.outerjoin(recorded, recorded.c.space_id == taken.c.space_id))
        .add_cte(*parts)
    )


def _taken(t: Tables, n: Columns, source: sa.FromClause | None) -> sa.CTE:
    """Move the hot rows whose guard holds and which nobody holds locked, in id order."""
    q = t.space_sequences
    holds = (
        (q.c.space_id == n["space_id"])
        & (q.c.last_sequence == n["base"])
        & (q.c.state_version == n["version"])
    )
    free = (
        sa.select(q.c.space_id).where(holds).with_for_update(of=q, skip_locked=True, key_share=True)
    )
    if source is not None:
        free = free.select_from(q.join(source, holds)).order_by(q.c.space_id)
    lock = free.cte("lk")
    mark = (
        sa.select(
            sa.literal_column(
                f"pg_advisory_xact_lock_shared(({MARK_CLASS}::bigint << 56) | last_value)::text"
            ).label("m")
        )
        .select_from(sa.table(EVENT_ID_SEQUENCE, schema=t.metadata.schema))
        .cte("mark")
    )
    return (
        sa.update(q)
        .where(q.c.space_id == lock.c.space_id, holds)
        .values(
            last_sequence=n["head"],
            state_version=n["new_version"],
            last_timestamp=n["stamp"],
            writer_token=p("token", type_=_BLOB),
        )
        .returning(
            q.c.space_id,
            q.c.last_timestamp,
            n["folded"].label("folded"),
            n["folded_id"].label("folded_id"),
            sa.select(mark.c.m).scalar_subquery().label("m"),
        )
        .cte("sq")
    )


def _rows(
    name: str, taken: sa.CTE, *, one: bool, **columns: sa.types.TypeEngine[Any]
) -> tuple[sa.TableValuedAlias, sa.FromClause]:
    """Return arrays as rows, joined with the spaces that were taken."""
    if one:
        new = unnest(name, **columns)
        return new, new.join(taken, sa.true())
    new = unnest(name, space_id=_BIG, **columns)
    return new, new.join(taken, taken.c.space_id == new.c.space_id)


def _recorded(t: Tables, taken: sa.CTE, *, one: bool) -> sa.CTE:
    e = t.events
    new, joined = _rows("e", taken, one=one, **_EVENT)
    rows = (
        sa.select(taken.c.space_id, _MSGPACK, *(new.c[name] for name in _EVENT))
        .select_from(joined)
        .where(taken.c.m.is_not(None))  # so that no id is drawn before the mark is held
        .order_by(taken.c.space_id, new.c.sequence)  # ids follow sequences
    )
    return (
        sa.insert(e)
        .from_select(["space_id", "format", *_EVENT_COLUMNS], rows)
        .returning(e.c.event_id, e.c.space_id, e.c.space_sequence)
        .cte("ev")
    )


def _puts(t: Tables, taken: sa.CTE, *, one: bool) -> sa.CTE:
    new, joined = _rows("k", taken, one=one, key=_TEXT, value=_BLOB)
    rows = sa.select(
        taken.c.space_id,
        new.c.key,
        new.c.value,
        _MSGPACK,
        taken.c.last_timestamp,
        sa.literal_column("0"),
    ).select_from(joined)
    put = insert(t.pstate).from_select(
        ["space_id", "key", "value", "format", "updated_at", "direct"], rows
    )
    return put.on_conflict_do_update(
        index_elements=["space_id", "key"],
        set_={k: put.excluded[k] for k in ("value", "format", "updated_at", "direct")},
    ).cte("ps")


def _deletes(t: Tables, taken: sa.CTE, *, one: bool) -> sa.CTE:
    s = t.pstate
    gone, _ = _rows("d", taken, one=one, key=_TEXT)
    named = sa.true() if one else gone.c.space_id == taken.c.space_id
    return (
        sa.delete(s).where(s.c.space_id == taken.c.space_id, s.c.key == gone.c.key, named).cte("pd")
    )


def _checkpoint(t: Tables, taken: sa.CTE, recorded: sa.CTE) -> sa.CTE:
    newest = (
        sa.select(sa.func.max(recorded.c.event_id))
        .where(
            recorded.c.space_id == taken.c.space_id,
            recorded.c.space_sequence <= taken.c.folded,  # plain appends may follow the commands
        )
        .scalar_subquery()
    )
    step = insert(t.checkpoints).from_select(
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
    moved = ("last_event_id", "last_space_sequence", "updated_at")
    return step.on_conflict_do_update(
        index_elements=["space_id", "name"], set_={k: step.excluded[k] for k in moved}
    ).cte("ck")

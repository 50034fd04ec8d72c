"""The one statement of an append on PostgreSQL: guard, events, pstate and checkpoint together.

It is made of parts, and has those that a write needs: an array costs more than its one row, and a
part without rows costs a round through the executor. The mark is the lock-watermark of the
all-spaces feed: a shared advisory lock on the last drawn event id, taken before the next one is
drawn, so that a reader knows which ids may still appear.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy import bindparam as p
from sqlalchemy.dialects.postgresql import insert

from ramax.core.codec import FORMAT_MSGPACK
from ramax.storage.reads import PSTATE
from ramax.storage.sql import Statement, unnest
from ramax.storage.tables import EVENT_ID_SEQUENCE, Tables

MARK_CLASS = 77
"""The top byte of the advisory lock keys of the feed's watermark."""


class Form(NamedTuple):
    """Which rows a write has; 2 stands for several, and several are arrays."""

    spaces: int
    events: int
    puts: int
    deletes: int
    checkpoint: bool
    """A space moves its checkpoint."""

    more: bool
    """An event has a cause, a correlation, metadata, tags or another version than 1."""

    apart: bool = False
    """Of several spaces one has no events, or moves its checkpoint to another one."""

    replica: bool = False
    """A space is replicated: where its log is moves with it."""


Types = dict[str, sa.types.TypeEngine[Any]]
Columns = Mapping[str, Any]
_BIG, _TEXT, _BLOB = sa.BigInteger(), sa.Text(), sa.LargeBinary()
MSGPACK: sa.ColumnElement[Any] = sa.literal_column(f"'{FORMAT_MSGPACK}'")
VALUE_COLUMNS = ("space_id", "key", "value", "format", "updated_at", "direct")
_SPACE: Types = {"space_id": _BIG}
_GUARD: Types = _SPACE | dict.fromkeys(
    ("base", "version", "head", "new_version", "stamp", "folded", "folded_id"), _BIG
)
_REPLICA: Types = {"replica": _BLOB}
_EVENT: Types = {
    "space_sequence": _BIG,
    "entity_id": _TEXT,
    "event_type": _TEXT,
    "payload": _BLOB,
    "timestamp": _BIG,
}
_MORE: Types = {
    "causation_id": _BIG,
    "correlation_id": _TEXT,
    "metadata": _BLOB,
    "version": sa.SmallInteger(),
    "tags": _BLOB,
}
_PUT: Types = {"key": _TEXT, "value": _BLOB}
_DELETE: Types = {"key": _TEXT}


def parameters(form: Form) -> tuple[str, ...]:
    """Name what the statement of a form takes, in the order in which a write is laid out."""
    of_space = _SPACE if form.spaces > 1 else {}
    event = _EVENT | _MORE if form.more else _EVENT
    rows = (
        ("n", _guard(form), True),
        ("e", of_space | event, form.events),
        ("k", of_space | _PUT, form.puts),
        ("d", of_space | _DELETE, form.deletes),
    )
    return ("token", "now", *(f"{name}_{c}" for name, columns, n in rows if n for c in columns))


def _guard(form: Form) -> Types:
    return _GUARD | _REPLICA if form.replica else _GUARD


@cache
def append_statement(form: Form) -> Statement:
    """Return the statement that appends rows of a form."""
    return Statement(lambda t: _write(t, form))


def _write(t: Tables, form: Form) -> sa.Select[Any]:
    taken = _taken(t, form)
    recorded = _recorded(t, taken, form) if form.events else None
    parts = [
        part(t, taken, form)
        for part, rows in ((_puts, form.puts), (_deletes, form.deletes))
        if rows
    ]
    if form.checkpoint:
        parts.append(_checkpoint(t, taken, recorded, form))
    if recorded is None:
        found = sa.select(taken.c.space_id, sa.null(), sa.null())
    elif not form.apart:  # where a space was taken its events are there
        found = sa.select(recorded.c.space_id, recorded.c.event_id, recorded.c.space_sequence)
    else:
        found = sa.select(
            taken.c.space_id, recorded.c.event_id, recorded.c.space_sequence
        ).select_from(taken.outerjoin(recorded, recorded.c.space_id == taken.c.space_id))
    return found.add_cte(*parts)


def _taken(t: Tables, form: Form) -> sa.CTE:
    """Move the hot rows whose guard holds and which nobody holds locked, in id order."""
    q = t.space_sequences
    lock: sa.CTE
    guard = _guard(form)
    if form.spaces > 1:
        given = unnest("n", **guard)
        lock = (
            sa.select(*(given.c[name] for name in guard))
            .select_from(q.join(given, q.c.space_id == given.c.space_id))
            .where(holds(q, given.c))
            .order_by(q.c.space_id)
            .with_for_update(of=q, skip_locked=True, key_share=True)
            .cte("lk")
        )
        n: Columns = dict(lock.c)
        held = holds(q, n)
    else:  # what is known is not passed on from part to part: that takes longer than the lock
        n = _plain("n", guard)
        lock = (
            sa.select(q.c.space_id)
            .where(holds(q, n))
            .with_for_update(of=q, skip_locked=True, key_share=True)
            .cte("lk")
        )
        held = holds(q, {**n, "space_id": sa.select(lock.c.space_id).scalar_subquery()})
    mark = lock_mark(t)
    move = (
        sa.update(q)
        .where(held)
        .values(
            last_sequence=n["head"],
            state_version=n["new_version"],
            last_timestamp=n["stamp"],
            writer_token=p("token", type_=_BLOB),
        )
    )
    if form.replica:  # of several spaces some may not be
        move = move.values(replica_head=sa.func.coalesce(n["replica"], q.c.replica_head))
    taken: list[sa.ColumnElement[Any]] = [q.c.space_id, q.c.last_timestamp]
    taken += [n[name].label(name) for name in ("folded", "folded_id")]
    if form.events:
        taken.append(sa.select(mark.c.m).scalar_subquery().label("m"))
    return move.returning(*taken).cte("sq")


def lock_mark(t: Tables) -> sa.CTE:
    """Take the mark, in the column ``m``."""
    return (
        sa.select(
            sa.literal_column(
                f"pg_advisory_xact_lock_shared(({MARK_CLASS}::bigint << 56) | last_value)::text"
            ).label("m")
        )
        .select_from(sa.table(EVENT_ID_SEQUENCE, schema=t.metadata.schema))
        .cte("mark")
    )


def _plain(name: str, columns: Types) -> Columns:
    return {column: p(f"{name}_{column}", type_=type_) for column, type_ in columns.items()}


def holds(q: sa.Table, n: Any) -> sa.ColumnElement[bool]:
    """Say whether a hot row is as it was decided on."""
    return sa.and_(
        q.c.space_id == n["space_id"],
        q.c.last_sequence == n["base"],
        q.c.state_version == n["version"],
    )


def _rows(
    name: str, taken: sa.CTE, columns: Types, *, rows: int, spaces: int
) -> tuple[Columns, sa.FromClause]:
    """Return what is given, one row or arrays, joined with the spaces that were taken."""
    if spaces > 1:
        new = unnest(name, **_SPACE, **columns)
        return dict(new.c), new.join(taken, taken.c.space_id == new.c.space_id)
    if rows > 1:
        new = unnest(name, **columns)
        return dict(new.c), new.join(taken, sa.true())
    return _plain(name, columns), taken


def _recorded(t: Tables, taken: sa.CTE, form: Form) -> sa.CTE:
    e = t.events
    columns = _EVENT | _MORE if form.more else _EVENT
    new, source = _rows("e", taken, columns, rows=form.events, spaces=form.spaces)
    rows = (
        sa.select(taken.c.space_id, MSGPACK, *(new[name] for name in columns))
        .select_from(source)
        .where(taken.c.m.is_not(None))  # so that no id is drawn before the mark is held
    )
    if form.events > 1:  # ids follow sequences
        rows = rows.order_by(taken.c.space_id, new["space_sequence"])
    return (
        sa.insert(e)
        .from_select(["space_id", "format", *columns], rows)
        .returning(e.c.event_id, e.c.space_id, e.c.space_sequence)
        .cte("ev")
    )


def _puts(t: Tables, taken: sa.CTE, form: Form) -> sa.CTE:
    new, source = _rows("k", taken, _PUT, rows=form.puts, spaces=form.spaces)
    rows = sa.select(
        taken.c.space_id,
        new["key"],
        new["value"],
        MSGPACK,
        taken.c.last_timestamp,
        sa.literal_column("0"),
    ).select_from(source)
    return put_values(t, rows)


def put_values(t: Tables, rows: sa.Select[Any]) -> sa.CTE:
    """Put selected rows, of the columns of `VALUE_COLUMNS`, over what is there."""
    put = insert(t.pstate).from_select(VALUE_COLUMNS, rows)
    return put.on_conflict_do_update(
        index_elements=["space_id", "key"],
        set_={k: put.excluded[k] for k in VALUE_COLUMNS[2:]},
    ).cte("ps")


def _deletes(t: Tables, taken: sa.CTE, form: Form) -> sa.CTE:
    s = t.pstate
    gone, _ = _rows("d", taken, _DELETE, rows=2, spaces=form.spaces)
    named = gone["space_id"] == taken.c.space_id if form.spaces > 1 else sa.true()
    return (
        sa.delete(s)
        .where(s.c.space_id == taken.c.space_id, s.c.key == gone["key"], named)
        .cte("pd")
    )


def _checkpoint(t: Tables, taken: sa.CTE, recorded: sa.CTE | None, form: Form) -> sa.CTE:
    pstate: sa.ColumnElement[Any] = sa.literal_column(f"'{PSTATE}'")
    now = p("now", type_=_BIG)
    if recorded is not None and form.spaces > 1 and not form.apart:
        # arrays, of which the planner expects some rows: it would compare parts one by one
        to = unnest("n", space_id=_BIG, folded=_BIG)
        reached = sa.and_(
            to.c.space_id == recorded.c.space_id, to.c.folded == recorded.c.space_sequence
        )
        return move_checkpoint(
            t,
            sa.select(
                recorded.c.space_id, pstate, recorded.c.event_id, recorded.c.space_sequence, now
            ).select_from(recorded.join(to, reached)),
        )
    folded_id: sa.ColumnElement[Any] = taken.c.folded_id
    if recorded is not None:
        ids = recorded.c.event_id
        newest = sa.select(ids if form.events == 1 else sa.func.max(ids)).where(
            recorded.c.space_sequence <= taken.c.folded  # appends may follow the commands
        )
        if form.spaces > 1:
            newest = newest.where(recorded.c.space_id == taken.c.space_id)
        folded_id = sa.func.coalesce(newest.scalar_subquery(), folded_id)
    return move_checkpoint(
        t,
        sa.select(taken.c.space_id, pstate, folded_id, taken.c.folded, now).where(
            taken.c.folded.is_not(None)
        ),
    )


def move_checkpoint(t: Tables, rows: sa.Select[Any]) -> sa.CTE:
    """Move checkpoints to selected rows: space, name, event id, sequence, time."""
    step = insert(t.checkpoints).from_select(
        ["space_id", "name", "last_event_id", "last_space_sequence", "updated_at"], rows
    )
    # the guard covers the checkpoint: it moves only together with the guard's numbers
    moved = ("last_event_id", "last_space_sequence", "updated_at")
    return step.on_conflict_do_update(
        index_elements=["space_id", "name"], set_={k: step.excluded[k] for k in moved}
    ).cte("ck")

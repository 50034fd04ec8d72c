"""The pstate of a fork, copied from a space that stands where the fork began (ADR-0082).

A fork has its parent's events at once, and no pstate. It gets one when it is first used: a copy, as
long as a space of its ancestry is still where it branched off; else it folds its events.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy import bindparam as p

from ramax.core.guard import Guard
from ramax.storage.checkpoints import event_id_at, upsert_checkpoint
from ramax.storage.executors import Executor
from ramax.storage.lineage import parent_of
from ramax.storage.locks import move_state_version
from ramax.storage.reads import PSTATE
from ramax.storage.sql import Statement
from ramax.storage.tables import Tables


class _Standing(NamedTuple):
    """What a space's pstate is the fold of."""

    checkpoint: int
    domains: bytes | None
    indexed: str | None
    replicated: bool


@Statement
def standing(t: Tables) -> sa.Select[Any]:
    """Where the pstate of a space is, and whose fold it is."""
    s, c, q = t.spaces.c, t.checkpoints.c, t.space_sequences.c
    joined = t.spaces.join(t.space_sequences, q.space_id == s.space_id).outerjoin(
        t.checkpoints, (c.space_id == s.space_id) & (c.name == sa.literal_column(f"'{PSTATE}'"))
    )
    replicated = q.replica_head.is_not(None)
    columns = (sa.func.coalesce(c.last_space_sequence, 0), s.domains, s.indexed, replicated)
    return sa.select(*columns).select_from(joined).where(s.space_id == p("space_id"))


def _still_there(t: Tables) -> sa.ColumnElement[bool]:
    """Each statement has a snapshot of its own on PostgreSQL: it looks for itself."""
    c, at = t.checkpoints.c, p("at", type_=sa.BigInteger())
    there = sa.exists().where(
        c.space_id == p("parent_id"),
        c.name == sa.literal_column(f"'{PSTATE}'"),
        c.last_space_sequence == at,
    )
    return sa.or_(at == sa.literal_column("0"), there)  # before the first event there is none


def _copied(t: Tables) -> sa.Select[Any]:
    e = t.pstate.c
    new = sa.bindparam("space_id", type_=sa.BigInteger())
    columns = (new, e.key, e.value, e.format, e.updated_at, e.direct)
    return sa.select(*columns).where(e.space_id == p("parent_id"), _still_there(t))


_COLUMNS = ["space_id", "key", "value", "format", "updated_at", "direct"]


@Statement
def copy_state(t: Tables) -> sa.Insert:
    """Copy what events wrote; what was put beside them may be newer than the fork."""
    owned = _copied(t).where(t.pstate.c.direct == sa.literal_column("0"))
    return sa.insert(t.pstate).from_select(_COLUMNS, owned)


@Statement
def _copy_all(t: Tables) -> sa.Insert:
    return sa.insert(t.pstate).from_select(_COLUMNS, _copied(t))


@Statement
def copy_refs(t: Tables) -> sa.Insert:
    """Copy the index of references of what `copy_state` copies."""
    r, e = t.pstate_refs.c, t.pstate.c
    new = sa.bindparam("space_id", type_=sa.BigInteger())
    copied = sa.select(e.key).where(e.space_id == new, e.key == r.source)
    one = copied.limit(sa.literal_column("1")).scalar_subquery()  # no join: see `beside`
    found = sa.select(new, r.target, r.source, r.field).where(
        r.space_id == p("parent_id"), one.is_not(None), _still_there(t)
    )
    return sa.insert(t.pstate_refs).from_select(["space_id", "target", "source", "field"], found)


@Statement
def _forget_state(t: Tables) -> sa.Delete:
    e = t.pstate
    return sa.delete(e).where(e.c.space_id == p("space_id"))


@Statement
def _forget_refs(t: Tables) -> sa.Delete:
    r = t.pstate_refs
    return sa.delete(r).where(r.c.space_id == p("space_id"))


@Statement
def _forget_checkpoint(t: Tables) -> sa.Delete:
    c = t.checkpoints
    mine = c.c.space_id == p("space_id")
    return sa.delete(c).where(mine, c.c.name == sa.literal_column(f"'{PSTATE}'"))


@Statement
def _set_fold(t: Tables) -> sa.Update:
    c = t.spaces.c
    update = sa.update(t.spaces).where(c.space_id == p("id"))
    return update.values(domains=p("domains"), indexed=p("indexed"))


@Statement
def _has_direct(t: Tables) -> sa.Select[Any]:
    e = t.pstate.c
    put = e.direct == sa.literal_column("1")
    return sa.select(e.key).where(e.space_id == p("space_id"), put).limit(1)


def inherit(ex: Executor, space_id: int, guard: Guard, now: int) -> bool:
    """Give a fork that has no pstate yet that of a space which stands where it began.

    The caller has the fork's lock. Nobody else's is taken: an ancestor that moves on meanwhile is
    none to copy from.

    Returns:
        False, and nothing done, where there is none: then the fork is to be folded.
    """
    own = _standing(ex, space_id)
    if own is None or own.checkpoint or not guard.last_sequence:
        return False
    for parent_id, base in _ancestors(ex, space_id):
        if _copy(ex, space_id, parent_id, base, own, now):
            return True
    return False


def inherit_all(ex: Executor, parent_id: int, fork_id: int, now: int) -> None:
    """Copy a pstate as it is, with the values that stand beside the log; the parent is locked.

    Nobody could find these values later.
    """
    found = _standing(ex, parent_id)
    if found is not None:
        _take(ex, _copy_all, fork_id, parent_id, found, now)


def has_direct(ex: Executor, space_id: int) -> bool:
    """Say whether values stand in a space that no event wrote."""
    return bool(ex.rows(_has_direct, {"space_id": space_id}))


def _ancestors(ex: Executor, space_id: int) -> Iterator[tuple[int, int]]:
    """Yield the spaces whose log has the fork's last inherited event, nearest first."""
    at: int | None = None
    while (found := parent_of(ex, space_id)) is not None:
        space_id, base = found
        if at is not None and base < at:
            return
        at = base if at is None else at
        if not at:
            return
        yield space_id, at


def _standing(ex: Executor, space_id: int) -> _Standing | None:
    rows = ex.rows(standing, {"space_id": space_id})
    return _Standing(*rows[0]) if rows else None


def _copy(  # noqa: PLR0917 - from where to where
    ex: Executor, space_id: int, parent_id: int, base: int, own: _Standing, now: int
) -> bool:
    found = _standing(ex, parent_id)
    if found is None or found.checkpoint != base or own.domains not in {None, found.domains}:
        return False
    if found.replicated:  # its values have stamps where a fork's have sequences
        return False
    _take(ex, copy_state, space_id, parent_id, found, now)
    if _standing(ex, parent_id) == found:
        return True
    _forget(ex, space_id, own)
    return False


def _take(  # noqa: PLR0917 - from where to where
    ex: Executor, copy: Statement, space_id: int, parent_id: int, found: _Standing, now: int
) -> None:
    at = found.checkpoint
    places = {"space_id": space_id, "parent_id": parent_id, "at": at}
    ex.run(copy, places)
    if found.indexed is not None:
        ex.run(copy_refs, places)
    ex.run(_set_fold, {"id": space_id, "domains": found.domains, "indexed": found.indexed})
    if at:
        event_id = event_id_at(ex, space_id, at)
        step = {"space_id": space_id, "name": PSTATE, "event_id": event_id, "sequence": at}
        ex.run(upsert_checkpoint, step | {"now": now})
    move_state_version(ex, space_id)


def _forget(ex: Executor, space_id: int, own: _Standing) -> None:
    ex.run(_forget_state, {"space_id": space_id})
    ex.run(_forget_refs, {"space_id": space_id})
    ex.run(_set_fold, {"id": space_id, "domains": own.domains, "indexed": own.indexed})
    ex.run(_forget_checkpoint, {"space_id": space_id})

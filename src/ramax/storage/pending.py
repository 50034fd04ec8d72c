"""Commands of a space that its authority has not confirmed yet, in the order of the device."""

from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy import bindparam as p

from ramax.core.sync.vector import Vector
from ramax.core.sync.wire import pack_vector, unpack_vector
from ramax.storage.executors import Executor
from ramax.storage.sql import Statement
from ramax.storage.tables import Tables


class PendingRow(NamedTuple):
    """One command; ``created_at`` in UTC µs."""

    number: int
    """1, 2, 3 and so on of a space; the order in which they are sent."""

    uid: bytes
    """16 random bytes: by it the authority tells a repeat."""

    name: str
    params: bytes
    created_at: int
    needs: Vector | None = None
    """Where the authority was when it had run the command; None: it was not heard to have."""

    error: str | None = None
    """Why it refused the command, where that is to be tried again."""


def _columns(t: Tables) -> list[sa.ColumnElement[Any]]:
    return [t.pending_commands.c[name] for name in PendingRow._fields]


def _is_one(t: Tables) -> sa.ColumnElement[bool]:
    c = t.pending_commands.c
    return (c.space_id == p("space")) & (c.uid == p("is"))


@Statement
def _list(t: Tables) -> sa.Select[Any]:
    c = t.pending_commands.c
    return sa.select(*_columns(t)).where(c.space_id == p("space_id")).order_by(c.number)


@Statement
def _last(t: Tables) -> sa.Select[Any]:
    c = t.pending_commands.c
    return sa.select(c.number).where(c.space_id == p("space_id")).order_by(c.number.desc()).limit(1)


@Statement
def _add(t: Tables) -> sa.Insert:
    names = ("number", "uid", "name", "params", "created_at")
    return sa.insert(t.pending_commands).values(
        space_id=p("space_id"), **{name: p(name) for name in names}
    )


@Statement
def _answer(t: Tables) -> sa.Update:
    return (
        sa.update(t.pending_commands).where(_is_one(t)).values(needs=p("vector"), error=sa.null())
    )


@Statement
def _refuse(t: Tables) -> sa.Update:
    return sa.update(t.pending_commands).where(_is_one(t)).values(error=p("why"))


@Statement
def _replace(t: Tables) -> sa.Update:
    return (
        sa.update(t.pending_commands)
        .where(_is_one(t))
        .values(uid=p("new_uid"), name=p("new_name"), params=p("new_params"), error=sa.null())
    )


@Statement
def _remove(t: Tables) -> sa.Delete:
    return sa.delete(t.pending_commands).where(_is_one(t))


def read_pending(ex: Executor, space_id: int) -> list[PendingRow]:
    """Return the commands of a space in their order."""
    found = []
    for number, uid, name, params, created_at, needs, error in ex.rows(
        _list, {"space_id": space_id}
    ):
        vector = None if needs is None else unpack_vector(bytes(needs))
        found.append(PendingRow(number, bytes(uid), name, bytes(params), created_at, vector, error))
    return found


def add(ex: Executor, space_id: int, new: PendingRow) -> PendingRow:
    """Add a command as the last one, and return it; the caller holds the lock of the space."""
    rows = ex.rows(_last, {"space_id": space_id})
    row = new._replace(number=rows[0][0] + 1 if rows else 1)
    given = {name: getattr(row, name) for name in ("number", "uid", "name", "params", "created_at")}
    ex.run(_add, {"space_id": space_id} | given)
    return row


def answered(ex: Executor, space_id: int, uid: bytes, needs: Vector) -> None:
    """Note where the authority was when it had run a command."""
    ex.run(_answer, {"space": space_id, "is": uid, "vector": pack_vector(needs)})


def refused(ex: Executor, space_id: int, uid: bytes, error: str | None) -> None:
    """Note why a command was refused that is to be tried again; None: it is being tried."""
    ex.run(_refuse, {"space": space_id, "is": uid, "why": error})


def replace(ex: Executor, space_id: int, uid: bytes, new: PendingRow) -> bool:
    """Put another command in the place of one; False if that is gone."""
    params = {"new_uid": new.uid, "new_name": new.name, "new_params": new.params}
    return bool(ex.run(_replace, {"space": space_id, "is": uid} | params))


def remove(ex: Executor, space_id: int, uid: bytes) -> bool:
    """Take a command out; False if it was not there."""
    return bool(ex.run(_remove, {"space": space_id, "is": uid}))

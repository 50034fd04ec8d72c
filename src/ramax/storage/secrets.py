"""Sealed secrets and wrapped keys of spaces as rows; nothing here can open them."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import bindparam as p
from sqlalchemy.dialects import postgresql, sqlite

from ramax.core.sealed import SealedSecret, WrappedKey
from ramax.storage.executors import Executor, Row
from ramax.storage.sql import Statement
from ramax.storage.tables import Tables


def _secret_columns(t: Tables) -> list[sa.ColumnElement[Any]]:
    s = t.secrets.c
    return [s.name, s.key_id, s.sealed, s.stamp, s.origin, s.deleted]


@Statement
def _one(t: Tables) -> sa.Select[Any]:
    """A secret of a space; one row without a name where the space has none of it."""
    q, s = t.space_sequences, t.secrets
    mine = (s.c.space_id == q.c.space_id) & (s.c.name == p("name"))
    return (
        sa.select(*_secret_columns(t))
        .select_from(q.outerjoin(s, mine))
        .where(q.c.space_id == p("space_id"))
    )


@Statement
def _all(t: Tables) -> sa.Select[Any]:
    """All secrets of a space; one row without a name where the space has none."""
    q, s = t.space_sequences, t.secrets
    return (
        sa.select(*_secret_columns(t))
        .select_from(q.outerjoin(s, s.c.space_id == q.c.space_id))
        .where(q.c.space_id == p("space_id"))
        .order_by(s.c.name)
    )


@Statement
def _keys(t: Tables) -> sa.Select[Any]:
    k = t.secret_keys.c
    return (
        sa.select(k.key_id, k.provider, k.wrapped, k.stamp, k.origin, k.destroyed)
        .where(k.space_id == p("space_id"))
        .order_by(k.stamp, k.origin)
    )


def _upsert(t: Tables, table: sa.Table, keys: list[str]) -> sa.Insert:
    insert = postgresql.insert if t.dialect == "postgresql" else sqlite.insert
    columns = [column.name for column in table.c]
    statement = insert(table).values({name: p(name) for name in columns})
    return statement.on_conflict_do_update(
        index_elements=keys,
        set_={name: statement.excluded[name] for name in columns if name not in keys},
    )


@Statement
def _put_secret(t: Tables) -> sa.Insert:
    return _upsert(t, t.secrets, ["space_id", "name"])


@Statement
def _put_key(t: Tables) -> sa.Insert:
    return _upsert(t, t.secret_keys, ["space_id", "key_id"])


@Statement
def _erase(t: Tables) -> sa.Delete:
    return sa.delete(t.secrets).where(t.secrets.c.space_id == p("space_id"))


@Statement
def _erase_sealed_by(t: Tables) -> sa.Delete:
    s = t.secrets.c
    return sa.delete(t.secrets).where(s.space_id == p("space_id"), s.key_id == p("key_id"))


@Statement
def _count(t: Tables) -> sa.Select[Any]:
    s = t.secrets.c
    return sa.select(sa.func.count()).where(s.space_id == p("space_id"), s.deleted == p("deleted"))


def _as_secret(row: Row) -> SealedSecret:
    name, key_id, sealed, stamp, origin, deleted = row
    return SealedSecret(name, key_id, sealed, stamp, origin, bool(deleted))


def read_secret(ex: Executor, space_id: int, name: str) -> tuple[SealedSecret | None, bool]:
    """Return the secret of that name, a deleted one too, and whether the space is there."""
    rows = ex.rows(_one, {"space_id": space_id, "name": name})
    if not rows or rows[0][0] is None:
        return None, bool(rows)
    return _as_secret(rows[0]), True


def read_secrets(ex: Executor, space_id: int) -> list[SealedSecret] | None:
    """Return all secrets of a space by name, deleted ones too; None if the space is gone."""
    rows = ex.rows(_all, {"space_id": space_id})
    return [_as_secret(row) for row in rows if row[0] is not None] if rows else None


def read_keys(ex: Executor, space_id: int) -> list[WrappedKey]:
    """Return the data keys of a space, the newest last, destroyed ones too."""
    rows = ex.rows(_keys, {"space_id": space_id})
    return [
        WrappedKey(key_id, provider, wrapped, stamp, origin, bool(destroyed))
        for key_id, provider, wrapped, stamp, origin, destroyed in rows
    ]


def put_secrets(ex: Executor, space_id: int, found: Sequence[SealedSecret]) -> None:
    """Write secrets over what is there; the caller holds the space's lock and has compared."""
    rows = [
        {
            "space_id": space_id,
            "name": s.name,
            "key_id": s.key_id,
            "sealed": s.sealed,
            "stamp": s.stamp,
            "origin": s.origin,
            "deleted": int(s.deleted),
        }
        for s in found
    ]
    if rows:
        ex.run_many(_put_secret, rows)


def put_keys(ex: Executor, space_id: int, found: Sequence[WrappedKey]) -> None:
    """Write keys over what is there; the caller holds the space's lock and has compared."""
    rows = [
        {
            "space_id": space_id,
            "key_id": k.key_id,
            "provider": k.provider,
            "wrapped": k.wrapped,
            "stamp": k.stamp,
            "origin": k.origin,
            "destroyed": int(k.destroyed),
        }
        for k in found
    ]
    if rows:
        ex.run_many(_put_key, rows)


def erase(ex: Executor, space_id: int) -> None:
    """Delete every secret of a space for good, its marks of deletion included."""
    ex.run(_erase, {"space_id": space_id})


def erase_sealed_by(ex: Executor, space_id: int, key_id: bytes) -> None:
    """Delete every secret that a key sealed: the key is gone, nobody can open them."""
    ex.run(_erase_sealed_by, {"space_id": space_id, "key_id": key_id})


def count(ex: Executor, space_id: int) -> int:
    """Count the secrets of a space that are not deleted."""
    return int(ex.rows(_count, {"space_id": space_id, "deleted": 0})[0][0])

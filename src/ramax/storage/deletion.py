"""Deleting a space: every row of it, in every table that has rows of spaces."""

from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy import bindparam as p

from ramax.errors import SpaceNotEmptyError
from ramax.storage import branches, secrets
from ramax.storage.executors import Executor
from ramax.storage.locks import lock
from ramax.storage.sql import Statement
from ramax.storage.tables import TOKENS_TABLE, Tables
from ramax.values import Space


@Statement
def _key_count(t: Tables) -> sa.Select[Any]:
    return sa.select(sa.func.count()).where(t.pstate.c.space_id == p("space_id"))


def delete(ex: Executor, space: Space, *, force: bool) -> None:
    """Delete a space with all its rows; the caller holds its lock.

    Raises:
        SpaceInUseError: A space of another branch goes on from its events.
        SpaceNotEmptyError: It ever had an event, or has a key or a secret, without ``force``.
    """
    branches.check_unneeded(ex, space.space_id, space.space_name)
    ever = ex.rows(lock, {"space_id": space.space_id})[0][0]
    if not force:
        keys = ex.rows(_key_count, {"space_id": space.space_id})[0][0]
        keys += secrets.count(ex, space.space_id)
        if ever or keys:
            raise SpaceNotEmptyError(space.space_name, ever, keys)
    empty(ex, space.space_id)


def empty(ex: Executor, space_id: int) -> None:
    """Delete every row of a space, the one of the registry last."""
    if ex.tables.dialect == "sqlite" and space_id > 0:
        ex.run(drop_tokens(space_id), {})
    for statement in delete_statements(ex.tables):
        ex.run(statement, {"space_id": space_id})


@lru_cache(maxsize=1024)
def drop_tokens(space_id: int) -> Statement:
    """Drop the tokens of a space that is searched, if there are any (SQLite)."""
    return Statement(lambda _: sa.text(f"DROP TABLE IF EXISTS {TOKENS_TABLE}{space_id}"))


_DELETES: dict[Tables, list[Statement]] = {}


def delete_statements(tables: Tables) -> list[Statement]:
    """One DELETE for each table that has rows of spaces, the registry last."""
    if tables not in _DELETES:
        names = [t.name for t in (*tables.owned_by_space, tables.spaces)]
        _DELETES[tables] = [Statement(_delete_from(name)) for name in names]
    return _DELETES[tables]


def _delete_from(name: str) -> Any:
    def build(t: Tables) -> sa.Delete:
        table = next(x for x in t.metadata.sorted_tables if x.name == name)
        return sa.delete(table).where(table.c.space_id == p("space_id"))

    return build

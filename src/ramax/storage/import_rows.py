"""Writing rows as another database had them."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import bindparam as p
from sqlalchemy.dialects import postgresql, sqlite

from ramax.storage.checkpoints import upsert_checkpoint
from ramax.storage.executors import Executor
from ramax.storage.sql import Statement, unnest
from ramax.storage.tables import Tables

EVENT_COLUMNS: Final = (
    "event_id",
    "space_id",
    "space_sequence",
    "entity_id",
    "event_type",
    "payload",
    "format",
    "timestamp",
    "causation_id",
    "correlation_id",
    "created_at",
)
VALUE_COLUMNS: Final = ("space_id", "key", "value", "format", "updated_at")

_BIG: Final = sa.BigInteger()


@Statement
def _new_space(t: Tables) -> sa.Insert:
    insert = postgresql.insert if t.dialect == "postgresql" else sqlite.insert
    return (
        insert(t.spaces)
        .values(space_name=p("name"), created_at=p("created"), metadata=p("meta"))
        .on_conflict_do_nothing(index_elements=["branch_id", "space_name"])  # of `main`
        .returning(t.spaces.c.space_id)
    )


@Statement
def _same_space(t: Tables) -> sa.Insert:
    return sa.insert(t.spaces).values(
        space_id=p("id"), space_name=p("name"), created_at=p("created"), metadata=p("meta")
    )


@Statement
def _describe(t: Tables) -> sa.Update:
    c = t.spaces.c
    return (
        sa.update(t.spaces)
        .where(c.space_id == p("id"))
        .values(created_at=p("created"), metadata=p("meta"), domains=sa.null())
    )


@Statement
def _guard(t: Tables) -> sa.Insert:
    return sa.insert(t.space_sequences).values(
        space_id=p("space_id"), last_sequence=0, state_version=0, last_timestamp=0
    )


@Statement
def _move_guard(t: Tables) -> sa.Update:
    q = t.space_sequences
    stamp = p("stamp", type_=_BIG)
    latest = sa.case((q.c.last_timestamp > stamp, q.c.last_timestamp), else_=stamp)
    return (
        sa.update(q)
        .where(q.c.space_id == p("id"))
        .values(
            last_sequence=p("head"),
            state_version=q.c.state_version + 1,
            last_timestamp=latest,
        )
    )


def create_space(
    ex: Executor, space_id: int | None, name: str, created_at: int, metadata: bytes | None
) -> int | None:
    """Make a space, of an id of its own or of a new one; return the id, None if the name is taken.

    ``created_at`` is in UTC microseconds, ``metadata`` is packed.
    """
    row = {"name": name, "created": created_at, "meta": metadata}
    if space_id is not None:
        ex.run(_same_space, row | {"id": space_id})
    else:
        rows = ex.rows(_new_space, row)
        if not rows:
            return None
        space_id = int(rows[0][0])
    ex.run(_guard, {"space_id": space_id})
    return space_id


def describe_space(ex: Executor, space_id: int, created_at: int, metadata: bytes | None) -> None:
    """Make a space, which the caller has locked, look like another; whose fold it is, is open."""
    ex.run(_describe, {"id": space_id, "created": created_at, "meta": metadata})


def move_guard(ex: Executor, space_id: int, *, last_sequence: int, last_timestamp: int) -> None:
    """Say where a space is now; its time (UTC microseconds) never falls."""
    ex.run(_move_guard, {"id": space_id, "head": last_sequence, "stamp": last_timestamp})


_TYPES: Final[Mapping[str, sa.types.TypeEngine[Any]]] = {
    **dict.fromkeys(("entity_id", "event_type", "format", "correlation_id", "key"), sa.Text()),
    **dict.fromkeys(("payload", "value"), sa.LargeBinary()),
}


def _insert(table: str, names: Sequence[str]) -> Statement:
    """Rows as they are: one statement for all on PostgreSQL, one for each on SQLite."""

    def build(t: Tables) -> sa.Insert:
        into = t.events if table == "events" else t.pstate
        if t.dialect == "sqlite":
            return sa.insert(into).values({name: p(name) for name in names})
        rows = unnest("r", **{name: _TYPES.get(name, _BIG) for name in names})
        return sa.insert(into).from_select(list(names), sa.select(*rows.c))

    return Statement(build)


_insert_events = _insert("events", EVENT_COLUMNS)
_insert_values = _insert("pstate_entities", VALUE_COLUMNS)


def insert_events(ex: Executor, rows: Sequence[tuple[Any, ...]]) -> None:
    """Write events, each a tuple of `EVENT_COLUMNS`."""
    _write(ex, _insert_events, EVENT_COLUMNS, rows)


def insert_values(ex: Executor, rows: Sequence[tuple[Any, ...]]) -> None:
    """Write pstate values of keys that are not there, each a tuple of `VALUE_COLUMNS`."""
    _write(ex, _insert_values, VALUE_COLUMNS, rows)


def _write(
    ex: Executor, statement: Statement, names: Sequence[str], rows: Sequence[tuple[Any, ...]]
) -> None:
    if not rows:
        return
    if ex.tables.dialect == "sqlite":
        ex.run_many(statement, rows)
        return
    columns = zip(*rows, strict=True)
    ex.run(statement, {f"r_{name}": list(c) for name, c in zip(names, columns, strict=True)})


def set_checkpoints(ex: Executor, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write checkpoints: space_id, name, event_id, sequence, now (UTC microseconds)."""
    if rows:
        ex.run_many(upsert_checkpoint, rows)

"""The ids of what is imported: kept where nothing was ever here, else new ones.

All of it belongs into one transaction, which begins with `take_turn`.
"""

from collections.abc import Iterator
from typing import Final

import sqlalchemy as sa
from sqlalchemy import bindparam as p

from ramax.storage.append_statement import MARK_CLASS
from ramax.storage.events import read_last_id
from ramax.storage.executors import Executor
from ramax.storage.sql import Statement
from ramax.storage.tables import EVENT_ID_SEQUENCE, Tables

LAST_ID: Final = 2**56 - 1
"""The highest event id for which PostgreSQL's watermark has room."""

_TURN: Final = (MARK_CLASS + 1) << 56
_DRAWN_AT_ONCE: Final = 10_000
_BIG: Final = sa.BigInteger()


def _qualified(t: Tables, name: str) -> str:
    schema = t.metadata.schema
    return f"{schema}.{name}" if schema else name


@Statement
def _one_at_a_time(_: Tables) -> sa.TextClause:
    return sa.text(f"SELECT pg_advisory_xact_lock({_TURN})::text")


@Statement
def _stop_appends(t: Tables) -> sa.TextClause:
    return sa.text(
        f"LOCK TABLE {_qualified(t, 'spaces')}, {_qualified(t, 'events')}"
        " IN SHARE ROW EXCLUSIVE MODE"
    )


@Statement
def _newest_space_id(t: Tables) -> sa.TextClause:
    if t.dialect == "sqlite":
        return sa.text("SELECT seq FROM sqlite_sequence WHERE name = 'spaces'")
    return sa.text(
        "SELECT coalesce(pg_sequence_last_value("
        f"pg_get_serial_sequence('{_qualified(t, 'spaces')}', 'space_id')::regclass), 0)"
    )


@Statement
def _mark(t: Tables) -> sa.TextClause:
    return sa.text(
        f"SELECT pg_advisory_xact_lock_shared(({MARK_CLASS}::bigint << 56) | last_value)::text"  # noqa: S608 - names of our own
        f" FROM {_qualified(t, EVENT_ID_SEQUENCE)}"
    )


@Statement
def _draw(t: Tables) -> sa.TextClause:
    sequence = _qualified(t, EVENT_ID_SEQUENCE)
    return sa.text(
        f"SELECT nextval('{sequence}'::regclass) FROM generate_series(1, :count)"  # noqa: S608 - names of our own
    ).bindparams(p("count", type_=_BIG))


# Written to after such a RESTART, a sequence rolls back with the transaction.
@Statement
def _restart_event_ids(t: Tables) -> sa.TextClause:
    return sa.text(f"ALTER SEQUENCE {_qualified(t, EVENT_ID_SEQUENCE)} RESTART")


@Statement
def _restart_space_ids(t: Tables) -> sa.TextClause:
    return sa.text(f"ALTER TABLE {_qualified(t, 'spaces')} ALTER COLUMN space_id RESTART")


@Statement
def _set_event_ids(t: Tables) -> sa.TextClause:
    sequence = _qualified(t, EVENT_ID_SEQUENCE)
    return sa.text(f"SELECT setval('{sequence}'::regclass, :last)").bindparams(
        p("last", type_=_BIG)
    )


@Statement
def _set_space_ids(t: Tables) -> sa.TextClause:
    return sa.text(
        f"SELECT setval(pg_get_serial_sequence('{_qualified(t, 'spaces')}', 'space_id'), :last)"
    ).bindparams(p("last", type_=_BIG))


@Statement
def _move_counter(_: Tables) -> sa.TextClause:
    return sa.text("UPDATE sqlite_sequence SET seq = max(seq, :last) WHERE name = :name")


@Statement
def _start_counter(_: Tables) -> sa.TextClause:
    return sa.text("INSERT INTO sqlite_sequence (name, seq) VALUES (:name, :last)")


def take_turn(ex: Executor) -> None:
    """Wait until no other import is under way; SQLite has one writer anyway."""
    if ex.tables.dialect == "postgresql":
        ex.rows(_one_at_a_time, {})


def was_used(ex: Executor) -> tuple[bool, bool]:
    """Say whether there ever was a space, and whether there ever was an event."""
    rows = ex.rows(_newest_space_id, {})
    return bool(rows and rows[0][0]), bool(read_last_id(ex))


def keep_unused(ex: Executor) -> None:
    """Let nobody else make a space or append an event until the transaction ends."""
    if ex.tables.dialect == "postgresql":
        ex.run(_stop_appends, {})


def draw_event_ids(ex: Executor, count: int) -> Iterator[int]:
    """Yield new event ids, growing.

    On PostgreSQL the transaction marks its place in the all-spaces feed first: until it ends, no
    reader goes beyond, and so none misses an event of a low id that appears late.
    """
    if ex.tables.dialect == "sqlite":
        last = read_last_id(ex)
        yield from range(last + 1, last + 1 + count)
        return
    ex.rows(_mark, {})
    for start in range(0, count, _DRAWN_AT_ONCE):
        wanted = min(count - start, _DRAWN_AT_ONCE)
        yield from (row[0] for row in ex.rows(_draw, {"count": wanted}))


def reserve_event_ids(ex: Executor, last: int) -> None:
    """Let no id up to ``last`` be given to a new event; rolls back with the transaction."""
    _reserve(ex, "events", last, _restart_event_ids, _set_event_ids)


def reserve_space_ids(ex: Executor, last: int) -> None:
    """Let no id up to ``last`` be given to a new space; rolls back with the transaction."""
    _reserve(ex, "spaces", last, _restart_space_ids, _set_space_ids)


def _reserve(ex: Executor, name: str, last: int, restart: Statement, move: Statement) -> None:
    if last < 1:
        return
    if ex.tables.dialect == "postgresql":
        ex.run(restart, {})
        ex.rows(move, {"last": last})
    elif not ex.run(_move_counter, {"last": last, "name": name}):
        ex.run(_start_counter, {"last": last, "name": name})

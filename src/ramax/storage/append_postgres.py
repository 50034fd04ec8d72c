"""Writes a plan on PostgreSQL: one statement, which commits by itself in autocommit."""

from collections.abc import Callable, Iterable, Sequence
from functools import cache
from operator import itemgetter
from typing import Any

from ramax.core.event_row import EventRow
from ramax.core.space_write import SpaceWrite
from ramax.storage.append_lone import (
    LONE_PARAMETERS,
    LONE_REPLICA_PARAMETERS,
    OWN,
    PLAIN,
    append_lone,
    append_lone_replica,
    lone,
)
from ramax.storage.append_statement import Form, append_statement, parameters
from ramax.storage.executors import Executor
from ramax.storage.plan import EventIds, WritePlan
from ramax.storage.sql import Statement
from ramax.storage.tables import Tables


def write_postgres(ex: Executor, plan: WritePlan) -> dict[int, EventIds]:
    """Write every space whose guard still holds and which nobody holds locked.

    Returns:
        Space id to what its events got; a space that is absent is locked, lost or gone.
    """
    if plan.extras:
        return ex.atomically(lambda: _write(ex, plan))
    return _write(ex, plan)


def _write(ex: Executor, plan: WritePlan) -> dict[int, EventIds]:
    statement, in_order, values = _laid_out(ex.tables, plan.spaces)
    ids: dict[int, dict[int, int]] = {}
    for space_id, event_id, sequence in ex.rows(
        statement, in_order((plan.token, plan.now, *values))
    ):
        found = ids.setdefault(space_id, {})
        if sequence is not None:
            found[sequence] = event_id
    for extra in plan.extras:
        rows = [row for row in extra.rows if row["space_id"] in ids]
        if rows:
            ex.run_many(extra.statement, rows)
    return ids  # type: ignore[return-value]


Ordered = Callable[[tuple[Any, ...]], tuple[Any, ...]]


def _laid_out(
    tables: Tables, spaces: Sequence[SpaceWrite]
) -> tuple[Statement, Ordered, Sequence[Any]]:
    values: Sequence[Any] | None
    if len(spaces) == 1:
        form, values = _one_space(spaces[0])
    elif (values := lone(spaces)) is not None:
        replicated = len(values) + _FOR_ALL == len(LONE_REPLICA_PARAMETERS)
        return *_prepared_lone(tables, replicated=replicated), values
    else:
        form, values = _many_spaces(spaces)
    return *_prepared(tables, form), values


_FOR_ALL = 2
"""Parameters that are not columns: the token, and the time."""


@cache
def _prepared(tables: Tables, form: Form) -> tuple[Statement, Ordered]:
    """Return a statement, and what orders a laid out write."""
    statement = append_statement(form)
    return statement, _order(tables, statement, parameters(form))


@cache
def _prepared_lone(tables: Tables, *, replicated: bool) -> tuple[Statement, Ordered]:
    """Return the statement of lone commands, and what orders a laid out write."""
    if replicated:
        laid_out = LONE_REPLICA_PARAMETERS
        return append_lone_replica, _order(tables, append_lone_replica, laid_out)
    return append_lone, _order(tables, append_lone, LONE_PARAMETERS)


def _order(tables: Tables, statement: Statement, laid_out: Sequence[str]) -> Ordered:
    return itemgetter(*(laid_out.index(name) for name in statement.on(tables).names))


def _guard(w: SpaceWrite, *, replica: bool) -> tuple[Any, ...]:
    sequence, version, timestamp, *_ = w.guard
    given = (
        w.space_id,
        sequence,
        version,
        sequence + len(w.events),
        version + w.version_step,
        max(w.last_timestamp, timestamp),
        w.checkpoint,
        w.checkpoint_event_id,
    )
    return (*given, w.replica) if replica else given


def _have_more(events: Iterable[EventRow]) -> bool:
    return any(row[OWN:] != PLAIN for row in events)


def _one_space(w: SpaceWrite) -> tuple[Form, list[Any]]:
    """Lay a write to one space out: plain values, arrays where there are several rows."""
    events, puts, deletes = w.events, w.puts, w.deletes
    more = _have_more(events)
    replica = w.replica is not None
    values: list[Any] = [*_guard(w, replica=replica)]
    if len(events) == 1:
        values += events[0] if more else events[0][:OWN]
    else:
        values += _columns(events)[: None if more else OWN]
    if len(puts) == 1:
        values += next(iter(puts.items()))
    elif puts:
        values += _columns(sorted(puts.items()))
    if deletes:
        values.append(deletes)
    form = Form(
        1,
        min(len(events), 2),
        min(len(puts), 2),
        min(len(deletes), 1),
        w.checkpoint is not None,
        more,
        replica=replica,
    )
    return form, values


def _many_spaces(spaces: Sequence[SpaceWrite]) -> tuple[Form, list[Any]]:
    """Lay writes to several spaces out: every column is an array."""
    events = [(w.space_id, *row) for w in spaces for row in w.events]
    more = any(_have_more(w.events) for w in spaces)
    puts = [(w.space_id, key, w.puts[key]) for w in spaces for key in sorted(w.puts)]
    deletes = [(w.space_id, key) for w in spaces for key in w.deletes]
    form = Form(
        2,
        2 if events else 0,
        2 if puts else 0,
        min(len(deletes), 1),
        any(w.checkpoint is not None for w in spaces),
        more,
        any(not _together(w) for w in spaces),
        any(w.replica is not None for w in spaces),
    )
    values = _columns(_guard(w, replica=form.replica) for w in spaces)
    values += _columns(events)[: None if more else OWN + 1]
    values += _columns(puts)
    values += _columns(deletes)
    return form, values


def _together(w: SpaceWrite) -> bool:
    """Say whether a write has events, and its checkpoint, if it moves, goes to one of them."""
    return bool(w.events) and (w.checkpoint is None or w.checkpoint > w.guard.last_sequence)


def _columns(rows: Iterable[Sequence[Any]]) -> list[Any]:
    """Turn rows into columns; no rows are no columns."""
    return [list(column) for column in zip(*rows, strict=True)]

"""Carry the rows of every older form into the tables of ramax_0002 (frozen: it is history)."""

import logging
import time
from collections.abc import Callable, Iterator, Mapping

import sqlalchemy as sa

from ramax.storage.carry_state import carry_checkpoints, carry_pstate, set_counters
from ramax.storage.forms import dialect_of
from ramax.storage.old_registry import Registry, decide
from ramax.storage.old_tables import format_of, rows_of, space_of
from ramax.storage.old_times import refuse_bad_times
from ramax.storage.tables import DialectName
from ramax.values import Progress

BATCH = 5_000
"""Events in one statement: enough to be fast, few enough to show progress."""

_log = logging.getLogger("ramax.migrations")


def carry_over(
    connection: sa.Connection,
    forms: Mapping[str, str],
    space_name: str,
    progress: Callable[[Progress], None] | None = None,
) -> None:
    """Fill the new tables from those that were set aside, which have the forms ``forms``.

    Bytes, ids and times are kept (times as microseconds). A space's sequences are kept if they
    grow with the event ids from 1 up, and numbered again from 1 if not. Raises `LegacyFormatError`
    for a row that cannot be carried, naming it.
    """
    refuse_bad_times(connection, set(forms))
    registry = decide(connection, forms, space_name, time.time_ns() // 1000)
    if registry.spaces:
        _create_spaces(connection, registry)
    broken = _broken_spaces(connection, registry.home) if forms["events"] == "spaced" else []
    for space_id in broken:
        _log.warning("the sequences of space %s are broken: it is numbered again", space_id)
    _carry_events(connection, forms["events"], registry.home, broken, progress)
    connection.execute(_latest_times())
    carry_pstate(connection, forms["pstate_entities"], registry.home)
    carry_checkpoints(connection, forms, broken)
    set_counters(connection, registry.highest_id)


def _create_spaces(connection: sa.Connection, registry: Registry) -> None:
    spaces, guards = rows_of("spaces"), rows_of("space_sequences")
    connection.execute(sa.insert(spaces), list(registry.spaces))
    zero = sa.literal_column("0", sa.Integer)
    ids = sa.select(spaces.c.space_id, zero, zero, zero).order_by(spaces.c.space_id)
    connection.execute(sa.insert(guards).from_select(list(guards.c.keys()), ids))


def _carry_events(
    connection: sa.Connection,
    form: str,
    home: int,
    broken: list[int],
    progress: Callable[[Progress], None] | None,
) -> None:
    old = rows_of("events", aside=True)
    ends = sa.select(sa.func.count(), sa.func.min(old.c.event_id)).select_from(old)
    total, first = connection.execute(ends).one()
    insert = _events(dialect_of(connection), form, home, broken)
    started, done = time.monotonic(), 0
    for after, upto, count in _batches(connection, (first or 1) - 1):
        bounds = {"after": after, "upto": upto}
        connection.execute(insert, bounds)
        connection.execute(_latest_sequences(), bounds)
        done += count
        if progress is not None:
            progress(Progress(done, total, time.monotonic() - started))


def _batches(connection: sa.Connection, after: int) -> Iterator[tuple[int, int, int]]:
    event_id = rows_of("events", aside=True).c.event_id
    some = sa.select(event_id).where(event_id > sa.bindparam("after"))
    page = some.order_by(event_id).limit(BATCH).subquery()
    end = sa.select(sa.func.max(page.c.event_id), sa.func.count())
    while True:
        upto, count = connection.execute(end, {"after": after}).one()
        if not count:
            return
        yield after, upto, count
        after = upto


def _events(dialect: DialectName, form: str, home: int, broken: list[int]) -> sa.Insert:
    old, guards = rows_of("events", aside=True), rows_of("space_sequences")
    space = space_of(old, form, home)
    rank = sa.func.row_number().over(partition_by=space, order_by=old.c.event_id)
    sequence: sa.ColumnElement[int] = guards.c.last_sequence + rank
    if form == "spaced":
        kept = old.c.space_sequence
        sequence = sa.case((space.in_(broken), sequence), else_=kept) if broken else kept
    payload = sa.cast(old.c.payload, sa.LargeBinary)
    source = {
        "event_id": old.c.event_id,
        "space_id": space,
        "space_sequence": sequence,
        "entity_id": old.c.entity_id,
        "event_type": old.c.event_type,
        "payload": payload,
        "format": format_of(payload, dialect),
        "timestamp": old.c.timestamp * 1000,
        "causation_id": old.c.causation_id,
        "correlation_id": old.c.correlation_id,
        "created_at": old.c.created_at * 1_000_000,
    }
    query = (
        sa.select(*source.values())
        .select_from(old.join(guards, guards.c.space_id == space))
        .where(old.c.event_id > sa.bindparam("after"), old.c.event_id <= sa.bindparam("upto"))
        .order_by(old.c.event_id)
    )
    return sa.insert(rows_of("events")).from_select(list(source), query)


def _broken_spaces(connection: sa.Connection, home: int) -> list[int]:
    """Find the spaces whose sequences do not grow with the event ids from 1 up.

    The ALTER statements of the Elixir guide leave 0 in every event, and later appends begin at 1.
    """
    old = rows_of("events", aside=True)
    space = space_of(old, "spaced", home)
    before = sa.func.lag(old.c.space_sequence, 1, 0)
    steps = sa.select(
        space.label("space"),
        sa.func.coalesce(old.c.space_sequence, 0).label("sequence"),
        before.over(partition_by=space, order_by=old.c.event_id).label("before"),
    ).subquery()
    falls = sa.func.coalesce(steps.c.before, 0) >= steps.c.sequence
    return sorted(connection.scalars(sa.select(steps.c.space).where(falls).distinct()))


def _latest_sequences() -> sa.Update:
    guards, events = rows_of("space_sequences"), rows_of("events")
    own = events.c.space_id == guards.c.space_id
    latest = sa.select(sa.func.max(events.c.space_sequence)).where(own).scalar_subquery()
    touched = sa.select(events.c.space_id).where(
        events.c.event_id > sa.bindparam("after"), events.c.event_id <= sa.bindparam("upto")
    )
    return sa.update(guards).where(guards.c.space_id.in_(touched)).values(last_sequence=latest)


def _latest_times() -> sa.Update:
    guards, events = rows_of("space_sequences"), rows_of("events")
    own = events.c.space_id == guards.c.space_id
    latest = sa.select(sa.func.max(events.c.timestamp)).where(own).scalar_subquery()
    return sa.update(guards).values(last_timestamp=sa.func.coalesce(latest, 0))

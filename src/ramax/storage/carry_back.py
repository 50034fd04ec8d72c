"""Carry the rows of ramax_0002 back into the tables from before spaces (frozen: it is history)."""

import sqlalchemy as sa

from ramax.errors import StorageError
from ramax.storage.forms import dialect_of
from ramax.storage.old_tables import format_of, rows_of
from ramax.storage.tables import DialectName

_REFUSED = "cannot go back to ramax_0001"


def refuse_losses(connection: sa.Connection) -> None:
    """Raise `StorageError` naming what the tables from before spaces could not hold."""
    owners = _owners(connection)
    if len(owners) > 1:
        raise StorageError(
            f"{_REFUSED}: {len(owners)} spaces hold data ({', '.join(owners[:10])}), and it has "
            "room for one; delete the others first, or keep them"
        )
    events = rows_of("events")
    noted = sa.select(sa.func.count()).where(events.c.metadata.is_not(None))
    if count := connection.scalar(noted):
        raise StorageError(f"{_REFUSED}: {count} events have metadata, which it cannot hold")
    for name, stored in (("events", "payload"), ("pstate_entities", "value")):
        count = connection.scalar(_unclear(name, stored, dialect_of(connection)))
        if count:
            raise StorageError(
                f"{_REFUSED}: it does not say in which format bytes are, and {count} rows of "
                f"{name} could be taken for another one than they are in"
            )


def _owners(connection: sa.Connection) -> list[str]:
    spaces = rows_of("spaces")
    ids = [sa.select(rows_of(table).c.space_id) for table in ("events", "pstate_entities")]
    held = sa.union(*ids).subquery("held")
    join = held.outerjoin(spaces, spaces.c.space_id == held.c.space_id)
    found = connection.execute(
        sa.select(held.c.space_id, spaces.c.space_name).select_from(join)
    ).all()
    return sorted(name or f"a deleted one, id {space_id}" for space_id, name in found)


def _unclear(table: str, stored: str, dialect: DialectName) -> sa.Select[int]:
    rows = rows_of(table)
    guessed = format_of(rows.c[stored], dialect)
    other = guessed != rows.c.format
    return sa.select(sa.func.count()).select_from(rows).where(other)


def carry_back(connection: sa.Connection) -> None:
    """Fill the old tables: ids, order and bytes are kept, times fall to ms and s."""
    events, pstate = rows_of("events", aside=True), rows_of("pstate_entities", aside=True)
    same = ["event_id", "entity_id", "event_type", "payload", "causation_id", "correlation_id"]
    times = [_whole(events.c.timestamp, 1000), _whole(events.c.created_at, 1_000_000)]
    query = sa.select(*(events.c[name] for name in same), *times).order_by(events.c.event_id)
    columns = [*same, "timestamp", "created_at"]
    connection.execute(sa.insert(rows_of("events")).from_select(columns, query))
    updated_at = _whole(pstate.c.updated_at, 1_000_000)
    values = sa.select(pstate.c.key, pstate.c.value, updated_at)
    columns = ["key", "value", "updated_at"]
    connection.execute(sa.insert(rows_of("pstate_entities")).from_select(columns, values))
    for statement in _COUNTERS[dialect_of(connection)]:
        connection.execute(sa.text(statement))


def _whole(micros: sa.ColumnElement[int], unit: int) -> sa.ColumnElement[int]:
    return micros.op("/")(sa.literal(unit, sa.BigInteger))


_COUNTERS = {
    "sqlite": (
        "DELETE FROM sqlite_sequence WHERE name = 'events'",
        """INSERT INTO sqlite_sequence (name, seq)
           SELECT 'events', seq FROM sqlite_sequence WHERE name = 'ramax_old_events'""",
    ),
    "postgresql": (
        """SELECT setval(pg_get_serial_sequence('events', 'event_id'), last_value)
           FROM event_id_seq WHERE last_value > 0""",
    ),
}

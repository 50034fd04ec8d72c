"""Refuse times of an older database that are none: multiplied, they would be something else."""

import sqlalchemy as sa

from ramax.errors import LegacyFormatError
from ramax.storage.old_tables import rows_of

_EARLIEST, _LATEST = -62_135_596_800, 253_402_300_799
"""Seconds since 1970: the years 1 to 9999, all that a datetime can be."""

_TIMES = (
    ("events", "event_id", "timestamp", 1000),
    ("events", "event_id", "created_at", 1),
    ("pstate_entities", "key", "updated_at", 1),
    ("spaces", "space_id", "created_at", 1),
    ("projection_checkpoints", "space_id", "updated_at", 1),
)
"""Table, what names a row, column, and units in a second."""


def refuse_bad_times(connection: sa.Connection, names: set[str]) -> None:
    """Raise `LegacyFormatError` naming the first row of ``names`` with a time that is none.

    SQLite holds whatever was bound: text and fractions too, in a column of integers.
    """
    for table, key, column, units in _TIMES:
        if table not in names:
            continue
        old = rows_of(table, aside=True)
        time = old.c[column]
        bad = sa.or_(time < _EARLIEST * units, time >= (_LATEST + 1) * units)
        if connection.dialect.name == "sqlite":
            bad = sa.or_(bad, sa.func.typeof(time).not_in(["integer", "null"]))
        stored = sa.cast(time, sa.Text)
        row = connection.execute(sa.select(old.c[key], stored).where(bad).limit(1)).first()
        if row is not None:
            unit = "ms" if units > 1 else "s"
            what = f"{column} of {key} {row[0]!r} in {table}"
            raise LegacyFormatError(what, row[1], f"must be whole {unit} since 1970, to year 9999")

"""The tables of an older form, set aside under other names while their rows are carried over."""

from collections.abc import Mapping
from functools import cache
from typing import Any

import sqlalchemy as sa

from ramax.storage.tables import DialectName

ASIDE = "ramax_old_"
"""What a table's name begins with while it is set aside; none is left when the job is done."""

_ETF_TAGS = (70, 77, 80, 88, 89, 90, *range(97, 121))
_JSON_BEGINNINGS = b' \t\r\n"-0123456789[{fnt'

_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "events": (
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
        "metadata",
        "created_at",
    ),
    "pstate_entities": ("space_id", "key", "value", "format", "updated_at", "direct"),
    "spaces": ("space_id", "space_name", "created_at", "metadata", "domains"),
    "space_sequences": ("space_id", "last_sequence", "state_version", "last_timestamp"),
    "projection_checkpoints": (
        "space_id",
        "name",
        "last_event_id",
        "last_space_sequence",
        "updated_at",
    ),
}


_TEXT = ("space_name", "entity_id", "event_type", "format", "correlation_id", "key", "name")
_BYTES = ("payload", "value", "metadata", "domains")
_TYPES: Mapping[str, type[sa.types.TypeEngine[Any]]] = {
    **dict.fromkeys(_TEXT, sa.Text),
    **dict.fromkeys(_BYTES, sa.LargeBinary),
}


@cache
def rows_of(name: str, *, aside: bool = False) -> sa.TableClause:
    """Name a table and its columns, for statements; ``aside``: the old one."""
    columns = [sa.column(c, _TYPES.get(c, sa.BigInteger)) for c in _COLUMNS[name]]
    return sa.table(f"{ASIDE}{name}" if aside else name, *columns)


def space_of(old: sa.TableClause, form: str, home: int) -> sa.ColumnElement[int]:
    """Say to which space a row of an old table goes: ``home`` if it names none."""
    if form == "plain":
        return sa.literal(home, sa.BigInteger)
    return sa.func.coalesce(old.c.space_id, sa.literal(home, sa.BigInteger))


def set_aside(name: str, dialect: DialectName) -> list[str]:
    """Return the DDL that gives a table its name for the time being.

    On PostgreSQL its constraints and indexes give up their names too, for those of the new tables.
    """
    renamed = f"ALTER TABLE {name} RENAME TO {ASIDE}{name}"
    if dialect == "sqlite":
        return [renamed]
    return [renamed, _RENAME_WHAT_BELONGS.format(table=f"{ASIDE}{name}", aside=ASIDE)]


_RENAME_WHAT_BELONGS = """
DO $$ DECLARE r record; BEGIN
  FOR r IN SELECT oid, conname FROM pg_constraint WHERE conrelid = '{table}'::regclass LOOP
    EXECUTE format('ALTER TABLE {table} RENAME CONSTRAINT %I TO {aside}%s', r.conname, r.oid);
  END LOOP;
  FOR r IN SELECT indexrelid FROM pg_index WHERE indrelid = '{table}'::regclass LOOP
    EXECUTE format('ALTER INDEX %s RENAME TO {aside}%s', r.indexrelid::regclass, r.indexrelid);
  END LOOP;
END $$
"""


def format_of(stored: sa.ColumnElement[bytes], dialect: DialectName) -> sa.Case[str]:
    """Tell the format of stored bytes from how they begin.

    Elixir's terms begin with 131 and a tag, JSON with an ASCII character. MessagePack of ours
    begins otherwise, save for maps with exactly three keys of which the first is a small number,
    and for single small numbers.
    """
    first, second = (_byte(stored, position, dialect) for position in (1, 2))
    etf = sa.and_(first == "83", second.in_([f"{tag:02X}" for tag in _ETF_TAGS]))
    json = first.in_([f"{byte:02X}" for byte in _JSON_BEGINNINGS])
    return sa.case((etf, "etf"), (json, "json"), else_="msgpack")


def _byte(
    stored: sa.ColumnElement[bytes], position: int, dialect: DialectName
) -> sa.ColumnElement[str]:
    byte = sa.func.substr(stored, position, 1)
    if dialect == "sqlite":
        return sa.func.hex(byte, type_=sa.Text)
    return sa.func.upper(sa.func.encode(byte, "hex"), type_=sa.Text)

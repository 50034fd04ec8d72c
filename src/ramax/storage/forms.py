"""Recognise the tables that came before ramax_0002, by their columns (frozen: they are history)."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import sqlalchemy as sa

from ramax.errors import StorageError


@dataclass(frozen=True, slots=True)
class Shape:
    """A table as the database describes it: column to kind of type, and its primary key.

    A kind is `int`, `text` or `bytes`, else the declared type in lower case.
    """

    columns: Mapping[str, str]
    key: tuple[str, ...]
    is_table: bool = True


@dataclass(frozen=True, slots=True)
class Legacy:
    """Which old form the tables have; with a ``reason``, ``tables`` have none."""

    tables: tuple[str, ...]
    forms: Mapping[str, str]
    description: str = ""
    reason: str = ""


_EVENTS = {
    "event_id": "int",
    "entity_id": "text",
    "event_type": "text",
    "payload": "bytes",
    "timestamp": "int",
    "causation_id": "int",
    "correlation_id": "text",
    "created_at": "int",
}
_PSTATE = {"key": "text", "value": "bytes", "updated_at": "int"}
_SPACE_ID = {"space_id": "int"}

FORMS: Mapping[str, Mapping[str, tuple[Mapping[str, str], tuple[str, ...]]]] = {
    "events": {
        "plain": (_EVENTS, ("event_id",)),
        "spaced": (_EVENTS | _SPACE_ID | {"space_sequence": "int"}, ("event_id",)),
    },
    "pstate_entities": {
        "plain": (_PSTATE, ("key",)),
        "spaced": (_PSTATE | _SPACE_ID, ("space_id", "key")),
        "altered": (_PSTATE | _SPACE_ID, ("key",)),  # ALTER TABLE leaves the primary key
    },
    "spaces": {
        "spaced": (
            _SPACE_ID | {"space_name": "text", "created_at": "int", "metadata": "text"},
            ("space_id",),
        )
    },
    "space_sequences": {"spaced": (_SPACE_ID | {"last_sequence": "int"}, ("space_id",))},
    "projection_checkpoints": {
        "spaced": (
            _SPACE_ID | {"last_event_id": "int", "last_space_sequence": "int", "updated_at": "int"},
            ("space_id",),
        )
    },
}
"""Every form a table had before ramax_0002: columns and primary key."""

_KINDS = {
    "integer": "int",
    "bigint": "int",
    "text": "text",
    "character varying": "text",
    "blob": "bytes",
    "bytea": "bytes",
}
_EITHER = frozenset({"payload", "value"})  # declared BLOB or TEXT, by the age of the file


def describe_legacy(shapes: Mapping[str, Shape]) -> Legacy:
    """Tell the old form of these tables; ``reason`` names what is not one."""
    forms = {name: form_of(name, shape) for name, shape in shapes.items()}
    strangers = tuple(name for name, form in forms.items() if form is None)
    if strangers:
        columns = ", ".join(sorted(shapes[strangers[0]].columns)) or "none"
        reason = f"no {strangers[0]} of any ramax has the columns {columns}"
        return Legacy(strangers, {}, reason=reason)
    known = {name: form for name, form in forms.items() if form is not None}
    return Legacy(tuple(known), known, _describe(known))


def form_of(name: str, shape: Shape) -> str | None:
    """Name the old form of one table; None if it has none."""
    for form, (columns, key) in FORMS.get(name, {}).items():
        if shape.is_table and shape.key == key and shape.columns.keys() == columns.keys():
            kinds = {**shape.columns}
            kinds |= {c: "bytes" for c in _EITHER & kinds.keys() if kinds[c] == "text"}
            if kinds == columns:
                return form
    return None


def _describe(forms: Mapping[str, str]) -> str:
    events, pstate = forms.get("events"), forms.get("pstate_entities")
    if pstate == "altered":
        return "an Elixir database altered by hand: its sequences and keys need repair"
    if "spaced" not in forms.values():
        return "a database from before spaces"
    if events == "plain":
        return "an Elixir database with a registry of spaces, whose events have no space yet"
    if pstate == "plain":
        return "an Elixir database whose events have spaces, and whose pstate has none yet"
    return "an Elixir database with spaces"


def dialect_of(connection: sa.Connection) -> Literal["sqlite", "postgresql"]:
    """Name the dialect; `StorageError` for one that ramax does not know."""
    name = connection.dialect.name
    if name == "sqlite":
        return "sqlite"
    if name == "postgresql":
        return "postgresql"
    raise StorageError(f"ramax runs on SQLite and PostgreSQL, not on {name}")


_SQLITE = sa.text(
    "SELECT lower(t.name), t.type = 'table', lower(c.name), lower(c.type), c.pk"
    " FROM sqlite_master AS t JOIN pragma_table_info(t.name) AS c"
    " WHERE t.type IN ('table', 'view') AND lower(t.name) IN :names"
).bindparams(sa.bindparam("names", expanding=True))

_POSTGRES = sa.text(
    "SELECT t.relname, t.relkind IN ('r', 'p'), a.attname, format_type(a.atttypid, NULL),"
    " COALESCE(array_position(k.conkey, a.attnum), 0)"
    " FROM pg_class AS t JOIN pg_namespace AS n ON n.oid = t.relnamespace"
    " JOIN pg_attribute AS a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped"
    " LEFT JOIN pg_constraint AS k ON k.conrelid = t.oid AND k.contype = 'p'"
    " WHERE n.nspname = COALESCE(CAST(:schema AS text), current_schema())"
    " AND t.relkind IN ('r', 'p', 'v', 'm', 'f') AND t.relname IN :names"
).bindparams(sa.bindparam("names", expanding=True))


def read_shapes(
    connection: sa.Connection, names: Collection[str], schema: str | None = None
) -> dict[str, Shape]:
    """Describe those tables and views of ``names`` that exist, by name."""
    sqlite = dialect_of(connection) == "sqlite"
    parameters: dict[str, Any] = {"names": sorted(names)}
    if not sqlite:
        parameters["schema"] = schema
    rows = connection.execute(_SQLITE if sqlite else _POSTGRES, parameters).all()
    shapes: dict[str, Shape] = {}
    for table in sorted({row[0] for row in rows}):
        own = [row for row in rows if row[0] == table]
        key = [(position, column) for _, _, column, _, position in own if position]
        shapes[table] = Shape(
            {column: _KINDS.get(kind, kind) for _, _, column, kind, _ in own},
            tuple(column for _, column in sorted(key)),
            bool(own[0][1]),
        )
    return shapes

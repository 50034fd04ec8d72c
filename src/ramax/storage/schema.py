"""Tell what schema a database holds, from its stamp and its columns; Alembic is not needed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from ramax.errors import ForeignSchemaError, SchemaOutOfDateError, StorageError
from ramax.storage.faults import translated
from ramax.storage.forms import Shape, describe_legacy, dialect_of, read_shapes
from ramax.storage.tables import HEAD, VERSION_TABLE, build_tables

SHARED_VERSION_TABLE = "alembic_version"
"""Where the stamp is when an application runs our revisions as a part of its own history."""

UPGRADE = "run `ramax db upgrade`, or connect(..., upgrade=True)"


@dataclass(frozen=True, slots=True)
class SchemaState:
    """What a database holds.

    ``kind``: none of our tables (`empty`), what this code works with (`current`), an `older` or
    `newer` form of it, or tables of our names that are not ours (`foreign`). ``revision`` is the
    stamp, None without one; ``tables`` are those of our names; ``description`` is for people.
    """

    kind: Literal["empty", "current", "older", "newer", "foreign"]
    revision: str | None
    tables: tuple[str, ...]
    description: str
    version_table: str | None = None

    def problem(self) -> StorageError | None:
        """Say why this code cannot work on it as it is; None for `current` and `empty`."""
        if self.kind == "foreign":
            return ForeignSchemaError(self.tables, self.description)
        if self.kind in {"empty", "current"}:
            return None
        remedy = UPGRADE
        if self.kind == "newer":
            remedy = "install the ramax that made it, or a newer one"
        elif self.version_table == SHARED_VERSION_TABLE:
            remedy = f"it is upgraded with the application: stamped in {SHARED_VERSION_TABLE}"
        return SchemaOutOfDateError(self.revision, HEAD, f"{self.description}; {remedy}")


async def schema_state(connection: AsyncConnection, schema: str | None = None) -> SchemaState:
    """Tell what schema the database holds; reads only, and begins a transaction if none is open.

    ``schema`` is PostgreSQL's schema of the tables; without one it is the current schema.
    """
    return await connection.run_sync(read_state, schema)


async def read_schema(engine: AsyncEngine, schema: str | None = None) -> SchemaState:
    """As `schema_state`, on a connection of its own that locks nothing.

    Raises:
        StorageError: The database cannot be opened or read.
    """
    try:
        async with engine.connect() as connection:
            await connection.execution_options(ramax_begin="DEFERRED")
            return await schema_state(connection, schema)
    except (sa.exc.SQLAlchemyError, OSError) as error:
        raise translated(error) from error


def read_state(connection: sa.Connection, schema: str | None = None) -> SchemaState:
    """As `schema_state`, for synchronous code."""
    tables = build_tables(dialect_of(connection), schema)
    names = {table.name for table in tables.metadata.tables.values()}
    found = read_shapes(connection, {*names, VERSION_TABLE, SHARED_VERSION_TABLE}, schema)
    ours = {name: shape for name, shape in found.items() if name in names}
    for version_table in (VERSION_TABLE, SHARED_VERSION_TABLE):
        if version_table in found:
            stamps = _stamps(connection, version_table, schema)
            if stamps:
                return _stamped(stamps, version_table, ours, names)
    return _unstamped(ours, tables.metadata)


def _stamps(connection: sa.Connection, version_table: str, schema: str | None) -> list[str]:
    table = sa.table(version_table, sa.column("version_num"), schema=schema)
    stamps = connection.scalars(sa.select(table.c.version_num)).all()
    if version_table == SHARED_VERSION_TABLE:
        return [stamp for stamp in stamps if stamp.startswith("ramax_")]
    return list(stamps)


def _stamped(
    stamps: list[str], version_table: str, ours: Mapping[str, Shape], names: set[str]
) -> SchemaState:
    stamp = max(stamps)
    known = len(stamp) == len(HEAD) and stamp <= HEAD and stamp.startswith("ramax_")
    missing = sorted(names - ours.keys())
    if not known:
        return SchemaState(
            "newer", stamp, tuple(ours), f"this ramax does not know revision {stamp}", version_table
        )
    if stamp == HEAD and missing:
        reason = f"stamped {stamp} in {version_table}, but {', '.join(missing)} is not there"
        return SchemaState("foreign", stamp, tuple(ours) or (version_table,), reason, version_table)
    kind: Literal["current", "older"] = "current" if stamp == HEAD else "older"
    return SchemaState(kind, stamp, tuple(ours), f"stamped {stamp}", version_table)


def _unstamped(ours: Mapping[str, Shape], metadata: sa.MetaData) -> SchemaState:
    if not ours:
        return SchemaState("empty", None, (), "no tables of ramax")
    expected = {t.name: frozenset(t.columns.keys()) for t in metadata.tables.values()}
    if {name: frozenset(shape.columns) for name, shape in ours.items()} == expected:
        # an application that runs our revisions under a version table of its own name
        return SchemaState("current", None, tuple(ours), f"the tables of {HEAD}, without a stamp")
    legacy = describe_legacy(ours)
    if legacy.reason:
        return SchemaState("foreign", None, legacy.tables, legacy.reason)
    return SchemaState("older", None, tuple(ours), legacy.description)

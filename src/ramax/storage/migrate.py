"""Run Alembic's revisions; the only module that knows Alembic, imported when it is used."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from ramax.errors import DataError
from ramax.storage.forms import dialect_of
from ramax.storage.schema import read_schema, read_state
from ramax.storage.schema_lock import schema_transaction
from ramax.storage.tables import TOKENS_TABLE, VERSION_TABLE, DialectName, build_tables
from ramax.values import Progress

_PACKAGED = Path(__file__).parents[1] / "migrations"
_CHECKOUT = Path(__file__).parents[3] / "migrations"


@dataclass(frozen=True, slots=True)
class Revision:
    """One step of the schema's history: its id, the one before it, and what it does."""

    revision: str
    down_revision: str | None
    description: str


def location() -> Path:
    """Return the folder of the revisions: in the wheel, else at the top of the checkout."""
    return _PACKAGED if _PACKAGED.is_dir() else _CHECKOUT


def config(**attributes: Any) -> Any:
    """Return an `alembic.config.Config` of our revisions, for Alembic's own functions.

    ``attributes`` reach `env.py`: ``connection`` (one that is inside a transaction), ``schema``,
    ``space`` and ``progress`` as in `upgrade`.
    """
    from alembic.config import Config  # noqa: PLC0415 - see the module's first line

    made = Config()
    made.set_main_option("script_location", str(location()).replace("%", "%%"))
    made.set_main_option("path_separator", "os")
    made.attributes.update({k: v for k, v in attributes.items() if v is not None})
    return made


def environment_options(dialect: DialectName, schema: str | None = None) -> dict[str, Any]:
    """Return what `env.py` gives to ``context.configure`` besides the connection."""
    return {
        "target_metadata": build_tables(dialect, schema).metadata,
        "version_table": VERSION_TABLE,
        "version_table_schema": schema,
        "transactional_ddl": True,
        "render_as_batch": dialect == "sqlite",
        "include_schemas": schema is not None,
        "include_name": _only_ours(dialect, schema),
        # PostgreSQL compares by running both expressions, which would draw event ids
        "compare_server_default": dialect == "sqlite",
    }


async def upgrade(
    engine: AsyncEngine,
    revision: str = "head",
    *,
    space_name: str = "default",
    progress: Callable[[Progress], None] | None = None,
    schema: str | None = None,
) -> None:
    """Bring the schema to ``revision``, in one transaction; from any older form, or from nothing.

    ``space_name`` is the space that gets what a database from before spaces holds; ``progress`` is
    called after each batch of events. Any number of callers and processes may upgrade at once.

    Raises `ForeignSchemaError` for tables of our names that are not ours, `SchemaOutOfDateError`
    for a newer schema than this code's, and `StorageError` for a file that is not a sound
    database; nothing has changed then.
    """
    from alembic import command  # noqa: PLC0415 - see the module's first line

    attributes = {"space": space_name, "progress": progress, "schema": schema}
    await _run(engine, command.upgrade, revision, attributes)


async def downgrade(engine: AsyncEngine, revision: str, *, schema: str | None = None) -> None:
    """Bring the schema back to ``revision``; refuses, naming why, where rows would be lost."""
    from alembic import command  # noqa: PLC0415 - see the module's first line

    await _run(engine, command.downgrade, revision, {"schema": schema})


async def current_revision(engine: AsyncEngine, *, schema: str | None = None) -> str | None:
    """Return the revision that the database is stamped with, None without a stamp."""
    return (await read_schema(engine, schema)).revision


async def check(engine: AsyncEngine, *, schema: str | None = None) -> list[str]:
    """List how the tables differ from what this code works with; empty when they do not."""
    async with engine.connect() as connection:
        await connection.execution_options(ramax_begin="DEFERRED")
        return await connection.run_sync(_differences, schema)


def history() -> list[Revision]:
    """List the revisions, oldest first."""
    from alembic.script import ScriptDirectory  # noqa: PLC0415 - see the module's first line

    steps = ScriptDirectory.from_config(config()).walk_revisions()
    found = [Revision(s.revision, s.down_revision, s.doc) for s in steps]  # type: ignore[arg-type]
    return found[::-1]


def include_name(name: str | None, type_: str, _parent_names: Mapping[str, Any]) -> bool:
    """Leave ramax's tables to ramax: for ``include_name`` in an application's own `env.py`.

    Without it the application's autogenerate finds our tables and proposes to drop them.
    """
    if type_ != "table" or name is None:
        return True
    return name not in _our_names("sqlite", None) and not name.startswith(TOKENS_TABLE)


def _our_names(dialect: DialectName, schema: str | None) -> set[str]:
    tables = build_tables(dialect, schema).metadata.tables.values()
    return {VERSION_TABLE, *(table.name for table in tables)}


def _only_ours(dialect: DialectName, schema: str | None) -> Callable[..., bool]:
    names = _our_names(dialect, schema)

    def include(name: str | None, type_: str, _parent_names: Mapping[str, Any]) -> bool:
        if type_ == "schema":
            return name == schema
        return type_ != "table" or name in names

    return include


async def _run(
    engine: AsyncEngine,
    command: Callable[[Any, str], None],
    revision: str,
    attributes: Mapping[str, Any],
) -> None:
    async with schema_transaction(engine, attributes["schema"]) as connection:
        await connection.run_sync(_run_command, command, revision, attributes)


def _run_command(
    connection: sa.Connection,
    command: Callable[[Any, str], None],
    revision: str,
    attributes: Mapping[str, Any],
) -> None:
    from alembic.util import CommandError  # noqa: PLC0415 - see the module's first line

    state = read_state(connection, attributes["schema"])
    problem = state.problem()
    if problem is not None and (
        state.kind != "older" or state.version_table not in {None, VERSION_TABLE}
    ):
        raise problem
    try:
        command(config(connection=connection, **attributes), revision)
    except CommandError as error:
        raise DataError("revision", revision, str(error)) from error


def _differences(connection: sa.Connection, schema: str | None) -> list[str]:
    from alembic.autogenerate import compare_metadata  # noqa: PLC0415 - see the first line
    from alembic.runtime.migration import MigrationContext  # noqa: PLC0415

    options = environment_options(dialect_of(connection), schema)
    context = MigrationContext.configure(connection, opts=options)
    return [str(each) for each in compare_metadata(context, options["target_metadata"])]

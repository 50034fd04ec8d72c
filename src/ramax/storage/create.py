"""Create the newest schema in an empty database, without Alembic."""

from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from ramax.storage.forms import dialect_of
from ramax.storage.schema import SchemaState, read_state
from ramax.storage.schema_lock import schema_transaction
from ramax.storage.tables import (
    EVENT_ID_SEQUENCE,
    HEAD,
    VERSION_TABLE,
    DialectName,
    build_tables,
)

_MOCK_URLS = {"sqlite": "sqlite+aiosqlite://", "postgresql": "postgresql+asyncpg://"}


async def create(engine: AsyncEngine, schema: str | None = None) -> SchemaState:
    """Create all tables and stamp them with HEAD where the database has none of them.

    A database that has some is left alone. Either way the state is returned, and it is only
    `current` that can be worked with. Several processes may call this at once.
    """
    async with schema_transaction(engine, schema) as connection:
        return await connection.run_sync(_create_if_empty, schema)


def _create_if_empty(connection: sa.Connection, schema: str | None) -> SchemaState:
    state = read_state(connection, schema)
    if state.kind != "empty":
        return state
    dialect = dialect_of(connection)
    for statement in _statements(dialect, schema):
        connection.exec_driver_sql(statement)
    return SchemaState("current", HEAD, (), f"stamped {HEAD}", VERSION_TABLE)


@cache
def _statements(dialect: DialectName, schema: str | None) -> tuple[str, ...]:
    """Render the DDL once per process: compiling it takes longer than running it."""
    statements: list[str] = []

    def keep(construct: Any, *_: Any, **__: Any) -> None:
        statements.append(str(construct.compile(dialect=mock.dialect)).strip())

    mock = sa.create_mock_engine(_MOCK_URLS[dialect], keep)
    tables = build_tables(dialect, schema)
    tables.metadata.create_all(mock, checkfirst=False)
    stamp = sa.Table(
        VERSION_TABLE,
        sa.MetaData(schema=schema),
        sa.Column("version_num", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("version_num", name=f"{VERSION_TABLE}_pkc"),
    )
    stamp.create(mock, checkfirst=False)
    keep(sa.insert(stamp).values(version_num=sa.literal_column(f"'{HEAD}'")))
    one = {"branch_id": "1", "branch_name": "'main'", "created_at": "0"}
    main: dict[str, Any] = {name: sa.literal_column(value) for name, value in one.items()}
    keep(sa.insert(tables.branches).values(main))
    if dialect == "postgresql":
        keep(sa.select(sa.Sequence(EVENT_ID_SEQUENCE, schema=schema).next_value()))
    return tuple(statements)

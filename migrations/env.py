"""Run ramax's revisions: on the connection that was handed over, else on an engine of the URL."""

import asyncio
import os
from logging.config import fileConfig
from pathlib import Path

import sqlalchemy as sa
from alembic import context
from alembic.util import CommandError
from sqlalchemy.ext.asyncio import create_async_engine

from ramax.errors import RamaxError
from ramax.storage.engine import as_url
from ramax.storage.forms import dialect_of
from ramax.storage.migrate import environment_options
from ramax.storage.schema_lock import schema_transaction

config = context.config
options = context.get_x_argument(as_dictionary=True)
schema = config.attributes.get("schema", options.get("schema"))


def database_url() -> sa.URL:
    """Take the URL from `-x url=`, else RAMAX_DATABASE_URL, else the ini file."""
    text = options.get("url") or os.environ.get("RAMAX_DATABASE_URL")
    text = text or config.get_main_option("sqlalchemy.url")
    if not text:
        raise CommandError("no database: give -x url=URL or set RAMAX_DATABASE_URL")
    return as_url(text)


def run(connection: sa.Connection) -> None:
    context.configure(connection=connection, **environment_options(dialect_of(connection), schema))
    with context.begin_transaction():
        context.run_migrations()


async def run_on_own_engine() -> None:
    engine = create_async_engine(database_url())
    try:
        async with schema_transaction(engine, schema) as connection:
            await connection.run_sync(run)
    except RamaxError as error:
        raise CommandError(str(error)) from error  # Alembic prints it as one line
    finally:
        await engine.dispose()


def run_offline() -> None:
    url = database_url()
    dialect = "sqlite" if url.get_backend_name() == "sqlite" else "postgresql"
    context.configure(
        url=url,
        literal_binds=True,
        dialect_opts={"paramstyle": "named"},
        **environment_options(dialect, schema),
    )
    with context.begin_transaction():
        context.run_migrations()


def set_up_logging() -> None:
    """Follow the ini file that started us, where there is one and it says anything about it."""
    if config.config_file_name is None or not Path(config.config_file_name).is_file():
        return
    if config.file_config.has_section("loggers"):
        fileConfig(config.config_file_name, disable_existing_loggers=False)


handed_over = config.attributes.get("connection")
if handed_over is not None:
    run(handed_over)
elif context.is_offline_mode():
    set_up_logging()
    run_offline()
else:
    set_up_logging()
    asyncio.run(run_on_own_engine())

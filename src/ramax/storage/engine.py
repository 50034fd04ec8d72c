"""From what a caller names (path, URL, engine) to an AsyncEngine that is set up for ramax."""

import os
import random
import re
import sqlite3
import time
from pathlib import Path
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.engine import URL, make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

from ramax.errors import DataError, StorageError
from ramax.storage.tables import DialectName

Target = str | os.PathLike[str] | URL | AsyncEngine | None
Synchronous = Literal["OFF", "NORMAL", "FULL", "EXTRA"]

BUSY_TIMEOUT_SECONDS = 30.0

_DRIVERS = {
    "sqlite": "sqlite+aiosqlite",
    "sqlite+aiosqlite": "sqlite+aiosqlite",
    "postgresql": "postgresql+asyncpg",
    "postgres": "postgresql+asyncpg",
    "postgresql+asyncpg": "postgresql+asyncpg",
}
_FORMS = (
    "give a file path, sqlite:///file.db, sqlite:// (memory) or postgresql://user@host/database"
)


def as_url(target: str | os.PathLike[str] | URL | None) -> URL:
    """Turn a path or URL into a URL with an async driver; nothing means SQLite in memory.

    Raises:
        DataError: The URL cannot be read, or names a database or driver that ramax cannot use.
    """
    if target is None:
        return URL.create("sqlite+aiosqlite")
    if isinstance(target, os.PathLike):
        return _file_url(os.fspath(target))
    if isinstance(target, str) and "://" not in target:
        if not target or "\x00" in target:
            raise DataError("database", target, _FORMS)
        return _file_url(target)
    try:
        url = make_url(target)
    except (sa.exc.ArgumentError, ValueError) as error:
        raise DataError("database URL", _without_password(target), _FORMS) from error
    if "\x00" in (url.database or ""):
        raise DataError("database URL", url.render_as_string(), _FORMS)
    driver = _DRIVERS.get(url.drivername)
    if driver is None:
        raise DataError("database URL", url.render_as_string(), f"unknown driver; {_FORMS}")
    return url.set(drivername=driver)


def _without_password(target: object) -> str:
    return re.sub(r"(://[^:@/]*):.*@", r"\1:***@", str(target))


def _file_url(path: object) -> URL:
    return URL.create("sqlite+aiosqlite", database=str(path))


def is_memory(url: URL) -> bool:
    """Say whether the database goes with the process."""
    if not url.drivername.startswith("sqlite"):
        return False
    name = url.database
    return not name or name == ":memory:" or "mode=memory" in name or ":memory:" in name


def dialect_of(engine: AsyncEngine) -> DialectName:
    """Return which set of tables fits the engine.

    Raises:
        DataError: The engine's driver is neither aiosqlite nor asyncpg.
    """
    name, driver = engine.dialect.name, engine.dialect.driver
    if name == "sqlite" and driver == "aiosqlite":
        return "sqlite"
    if name == "postgresql" and driver == "asyncpg":
        return "postgresql"
    raise DataError("engine", f"{name}+{driver}", "use sqlite+aiosqlite or postgresql+asyncpg")


def make_engine(
    target: str | os.PathLike[str] | URL | None,
    *,
    create: bool = True,
    read_only: bool = False,
    synchronous: Synchronous = "NORMAL",
    **options: Any,
) -> AsyncEngine:
    """Make the engine of a database that ramax opens by itself.

    Raises:
        StorageError: The file is missing and ``create`` is off, or its folder is missing.
        DataError: See `as_url`.
    """
    url = as_url(target)
    arguments: dict[str, Any] = options.pop("connect_args", {})
    if url.drivername != "sqlite+aiosqlite":
        if read_only:
            settings = {"default_transaction_read_only": "on"}
            arguments = {
                **arguments,
                "server_settings": settings | arguments.get("server_settings", {}),
            }
        options["connect_args"] = arguments
        return _engine(url, isolation_level="READ COMMITTED", **options)
    if is_memory(url):
        options |= {"poolclass": AsyncAdaptedQueuePool, "pool_size": 1, "max_overflow": 0}
    else:
        url = _checked_file(url, create=create and not read_only, read_only=read_only)
    options["connect_args"] = {"timeout": BUSY_TIMEOUT_SECONDS, **arguments}
    engine = _engine(url, **options)
    sa.event.listen(
        engine.sync_engine,
        "connect",
        lambda dbapi, _: prepare_sqlite(dbapi, synchronous, read_only),
    )
    sa.event.listen(engine.sync_engine, "begin", _begin_deferred if read_only else _begin_immediate)
    return engine


def _engine(url: URL, **options: Any) -> AsyncEngine:
    try:
        return create_async_engine(url, **options)
    except ModuleNotFoundError as error:
        raise StorageError(f"the driver {error.name} is not installed") from error
    except (sa.exc.ArgumentError, TypeError) as error:
        raise StorageError(f"cannot open {url.render_as_string()}: {error}") from error


def _checked_file(url: URL, *, create: bool, read_only: bool) -> URL:
    path = Path(str(url.database))
    if str(path).startswith("file:"):
        return url
    if not path.parent.is_dir():
        raise StorageError(f"cannot open {str(path)!r}: the folder {str(path.parent)!r} is missing")
    if path.is_dir():
        raise StorageError(f"cannot open {str(path)!r}: it is a folder, not a database file")
    if not create and not path.exists():
        raise StorageError(f"there is no database file {str(path)!r}")
    if not read_only:
        return url
    return url.set(database=path.resolve().as_uri()).update_query_dict(
        {"mode": "ro", "uri": "true"}
    )


def _begin_deferred(connection: sa.Connection) -> None:
    connection.exec_driver_sql("BEGIN")


def _begin_immediate(connection: sa.Connection) -> None:
    mode = connection.get_execution_options().get("ramax_begin", "IMMEDIATE")
    connection.exec_driver_sql(f"BEGIN {mode}")


def prepare_sqlite(dbapi: Any, synchronous: Synchronous, read_only: bool = False) -> None:  # noqa: FBT001, FBT002 - an event listener's form
    """Set up one SQLite connection: explicit BEGIN, foreign keys, durability.

    Changes nothing in the file: it may turn out to be somebody else's.
    """
    dbapi.isolation_level = None
    cursor = dbapi.cursor()
    cursor.execute(f"PRAGMA synchronous={synchronous}")
    cursor.execute("PRAGMA foreign_keys=ON")
    if read_only:
        cursor.execute("PRAGMA query_only=ON")
    cursor.close()


def switch_to_wal(connection: sqlite3.Connection) -> None:
    """Make readers and the writer of a file independent; the file remembers it."""
    # the switch needs the file for itself for a moment and does not wait by the busy timeout
    deadline = time.monotonic() + BUSY_TIMEOUT_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(random.uniform(0.001, 0.02))  # noqa: S311 - jitter, not a secret
        else:
            return

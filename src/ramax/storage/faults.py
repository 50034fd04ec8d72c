"""Driver errors become ramax errors here, and nowhere else."""

import re
import sqlite3

import sqlalchemy as sa

from ramax.errors import (
    CommitUnknownError,
    RamaxError,
    SchemaOutOfDateError,
    StorageBusyError,
    StorageError,
)
from ramax.storage.tables import EVENT_ID_SEQUENCE, HEAD, VERSION_TABLE, build_tables

_BUSY_STATES = frozenset({"40001", "40P01", "55P03", "57014"})
_LOST_STATES = frozenset({"57P01", "57P02", "57P03", "08000", "08003", "08006", "08001", "08004"})
_MISSING_TABLE = "42P01"
_OURS = frozenset(table.name for table in build_tables("sqlite").metadata.sorted_tables) | {
    VERSION_TABLE,
    EVENT_ID_SEQUENCE,
}


class ConnectionLostError(StorageError):
    """The connection broke; what was sent may or may not have happened."""

    code = "storage.connection_lost"
    retryable = True


class UniqueViolationError(StorageError):
    """A row with this key is there already."""

    code = "storage.unique"


def translated(error: BaseException) -> RamaxError:
    """Return the ramax error that says what a driver's error means.

    The caller raises it ``from`` the original, so that ``__cause__`` keeps the driver's words.
    """
    if isinstance(error, RamaxError):
        return error
    if isinstance(error, sa.exc.DBAPIError) and error.orig is not None:
        return translated(error.orig)
    if isinstance(error, sqlite3.Error):
        return _sqlite(error)
    for each in (error, error.__cause__):  # SQLAlchemy's asyncpg adapter wraps once more
        state = getattr(each, "sqlstate", None)
        if each is not None and isinstance(state, str):
            return _postgres(each, state)
    if isinstance(error, sa.exc.TimeoutError):
        return StorageBusyError(f"no free connection in the pool: {error}")
    if _is_lost(error.__cause__ or error):
        return ConnectionLostError(f"the connection to the database is gone: {error}")
    return StorageError(f"{type(error).__name__}: {error}")


def at_commit(error: BaseException) -> RamaxError:
    """Return what an error of a COMMIT means: the answer may be all that is lost."""
    fault = translated(error)
    cause = error.orig if isinstance(error, sa.exc.DBAPIError) else error
    if getattr(cause, "sqlite_errorcode", None) == sqlite3.SQLITE_INTERRUPT:
        return CommitUnknownError(f"the commit was interrupted: {error}")
    if isinstance(fault, ConnectionLostError):
        return CommitUnknownError(f"the connection broke at commit: {error}")
    return fault


def _is_lost(error: BaseException) -> bool:
    if isinstance(error, (OSError, EOFError)):
        return True
    if type(error).__name__ == "InternalClientError":
        return True  # the session ended while asyncpg waited for something else
    # what is wrong with a parameter is a ValueError, and may quote anything
    return "connection" in str(error).lower() and not isinstance(error, ValueError)


def _sqlite(error: sqlite3.Error) -> RamaxError:
    text = str(error)
    code = getattr(error, "sqlite_errorcode", 0) or 0
    primary = code & 0xFF
    if primary in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED} or "locked" in text:
        return StorageBusyError(f"the SQLite database is locked by another writer: {text}")
    if primary == sqlite3.SQLITE_CONSTRAINT and "UNIQUE" in text:
        return UniqueViolationError(text)
    if primary == sqlite3.SQLITE_FULL:
        return StorageError(f"no space left for the SQLite database: {text}; nothing was written")
    if primary == sqlite3.SQLITE_READONLY:
        return StorageError(f"the SQLite database cannot be written: {text}")
    if primary in {sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT}:
        return StorageError(f"the file is not a sound SQLite database: {text}")
    if primary == sqlite3.SQLITE_CANTOPEN:
        return StorageError(f"the SQLite file cannot be opened: {text}; does its folder exist?")
    if ("no such table" in text and _is_ours(text)) or "no such column" in text:
        return SchemaOutOfDateError(None, HEAD, f"{text}; run `ramax db upgrade`")
    return StorageError(text)


def _is_ours(text: str) -> bool:
    """Say whether what is missing is a table of ramax, not one of a projection."""
    return any(re.search(rf"\b{name}\b", text) for name in _OURS)


def _postgres(error: BaseException, state: str) -> RamaxError:
    text = str(error)
    if state in _BUSY_STATES:
        return StorageBusyError(f"PostgreSQL could not get a lock in time: {text}")
    if state in _LOST_STATES:
        return ConnectionLostError(f"the connection to PostgreSQL is gone: {text}")
    if state == "23505":
        return UniqueViolationError(text)
    if state in {"3F000", "42703"} or (state == _MISSING_TABLE and _is_ours(text)):
        return SchemaOutOfDateError(None, HEAD, f"{text}; run `ramax db upgrade`")
    return StorageError(f"{text} (SQLSTATE {state})")

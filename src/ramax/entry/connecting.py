"""``connect`` opens a database and puts its parts together."""

import os
import re
from collections.abc import Generator, Iterable
from dataclasses import replace
from typing import Any, Literal, get_args

from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import AsyncEngine

from ramax.core.domain import Domain
from ramax.core.observer import Observer
from ramax.core.sealed import KeyProvider
from ramax.entry.features import open_vault
from ramax.entry.handles import Database
from ramax.errors import DataError, MisuseError, SchemaOutOfDateError
from ramax.runtime.core import Core, Options
from ramax.runtime.queue import Limits
from ramax.runtime.write_back import WriteBackLimits
from ramax.storage import migrate
from ramax.storage.backend_postgres import PostgresBackend
from ramax.storage.backend_sqlite import SqliteBackend
from ramax.storage.create import create as create_schema
from ramax.storage.engine import Synchronous, dialect_of, is_memory, make_engine
from ramax.storage.schema import read_schema
from ramax.storage.tables import HEAD, DialectName, build_tables

_SCHEMA = re.compile(r"[a-z_][a-z0-9_]{0,62}")
_LONGEST_WAIT = 86_400

Target = str | os.PathLike[str] | URL | AsyncEngine | None


class Connecting:
    """What `connect` returns: ``async with`` it, or await it and close the database yourself."""

    def __init__(self, target: Target, options: dict[str, Any]) -> None:
        self._target, self._options = target, options
        self._database: Database | None = None

    async def __aenter__(self) -> Database:
        self._database = await _open(self._target, **self._options)
        return self._database

    async def __aexit__(self, *_: object) -> None:
        if self._database is not None:
            await self._database.close()

    def __await__(self) -> Generator[Any, None, Database]:
        return _open(self._target, **self._options).__await__()


def connect(  # noqa: PLR0913 - every option has a default and a name
    target: Target = None,
    *,
    create: bool = True,
    upgrade: bool = False,
    read_only: bool = False,
    cache: Literal["shared", "exclusive"] = "shared",
    cache_bytes: int = 64 * 1024 * 1024,
    synchronous: Synchronous = "NORMAL",
    schema: str | None = None,
    lock_timeout: float = 30.0,
    rebuild_memory: int = 256 * 1024 * 1024,
    max_batch: int = 256,
    max_queue: int = 10_000,
    write_back_interval: float | None = 1.0,
    write_back_batch: int = 200,
    pgvector: bool = False,
    observer: Observer | None = None,
    keys: KeyProvider | None = None,
    projections: Iterable[Domain] = (),
    **engine_options: Any,
) -> Connecting:
    """Open a database: ``async with ramax.connect("app.db") as db``.

    Args:
        target: A file path, a URL (``sqlite://``, ``postgresql://…``), an ``AsyncEngine`` of
            yours, or nothing for a database in memory.
        create: Create the schema in an empty database, and the SQLite file if it is missing.
        upgrade: Bring an older schema to head first; otherwise it is refused.
        read_only: Refuse every write; the file is opened so that it cannot change.
        cache: ``exclusive`` says that this process is the only writer: reads come from memory.
            A database in memory always is.
        cache_bytes: How much packed state is kept in memory.
        synchronous: SQLite's durability. NORMAL never corrupts, but a power cut may take the
            last commits; FULL keeps every acknowledged one.
        schema: PostgreSQL schema of the tables, a plain lower-case name; it must exist.
        lock_timeout: Seconds that a write waits for others before `StorageBusyError`.
        rebuild_memory: Bytes of packed state that a rebuild holds in memory; beyond, on disk.
        max_batch: Commands that one transaction of the writer takes at most.
        max_queue: Commands that may wait; further callers wait for room.
        write_back_interval: Seconds after which values that were read in an older shape than
            their schema's are written back in the new one; None leaves them as they are stored.
        write_back_batch: Keys of one such write; when so many wait it begins at once.
        pgvector: PostgreSQL with that extension compares the vectors of ``exact`` collections,
            instead of a matrix in the memory of this process.
        projections: Domains whose projections a space that is deleted leaves, too, even if nobody
            opens a space with them here.
        observer: Is told what the database does; see `Observer` and `ramax.telemetry`.
        keys: Wraps the keys that seal `secrets`; see `ramax.secrets` for where it can come from.
        engine_options: For SQLAlchemy's ``create_async_engine``.

    Raises:
        DataError: The target cannot be understood; like the others, when the block is entered.
        StorageError: The database cannot be opened.
        SchemaOutOfDateError: The schema is older or newer; the message says what to run.
        ForeignSchemaError: Tables of our names that are not ramax's.
    """
    _check_options(cache, synchronous, schema, lock_timeout)
    if observer is not None and not isinstance(observer, Observer):
        raise DataError("observer", observer, "is an Observer")
    declared = tuple(projections) if isinstance(projections, Iterable) else (projections,)
    if not all(isinstance(domain, Domain) for domain in declared):
        raise DataError("projections", projections, "are domains")
    _check_sizes(
        max_batch=max_batch,
        max_queue=max_queue,
        write_back_batch=write_back_batch,
        cache_bytes=cache_bytes,
        rebuild_memory=rebuild_memory,
    )
    _check_interval(write_back_interval)
    limits = Limits(
        batch=max_batch,
        queue=max_queue,
        lock_timeout=lock_timeout,
    )
    options = Options(
        exclusive=cache == "exclusive",
        cache_bytes=cache_bytes,
        rebuild_memory=rebuild_memory,
        limits=limits,
        write_back=WriteBackLimits(write_back_batch, write_back_interval),
        read_only=read_only,
        pgvector=pgvector,
    )
    return Connecting(
        target,
        {
            "options": options,
            "create": create,
            "upgrade": upgrade,
            "read_only": read_only,
            "synchronous": synchronous,
            "schema": schema,
            "observer": observer,
            "keys": keys,
            "projections": declared,
            "engine_options": engine_options,
        },
    )


def _check_options(
    cache: object, synchronous: object, schema: object, lock_timeout: object
) -> None:
    if cache not in ("shared", "exclusive"):
        raise DataError("cache", cache, "is 'shared' or 'exclusive'")
    if synchronous not in get_args(Synchronous):
        raise DataError("synchronous", synchronous, f"is one of {get_args(Synchronous)}")
    if schema is not None and not (isinstance(schema, str) and _SCHEMA.fullmatch(schema)):
        raise DataError("schema", schema, "must be a-z, 0-9 and '_', at most 63, no digit first")
    seconds = lock_timeout if isinstance(lock_timeout, (int, float)) else 0
    if isinstance(lock_timeout, bool) or not 0 < seconds <= _LONGEST_WAIT:
        raise DataError("lock_timeout", lock_timeout, f"is seconds, above 0, up to {_LONGEST_WAIT}")


def _check_pgvector(dialect: DialectName, options: Options) -> None:
    if options.pgvector and dialect == "sqlite":
        raise MisuseError("pgvector=True is for PostgreSQL; on SQLite leave it out")


def _check_interval(interval: object) -> None:
    seconds = interval if isinstance(interval, (int, float)) else -1
    if interval is not None and (isinstance(interval, bool) or not 0 <= seconds <= _LONGEST_WAIT):
        rule = f"is seconds, from 0 to {_LONGEST_WAIT}, or None"
        raise DataError("write_back_interval", interval, rule)


def _check_sizes(**sizes: object) -> None:
    for name, size in sizes.items():
        least = 0 if name in {"cache_bytes", "rebuild_memory"} else 1
        if type(size) is not int or size < least:
            raise DataError(name, size, f"must be an int of at least {least}")


async def _open(  # noqa: PLR0913 - every option has a name
    target: Target,
    *,
    options: Options,
    create: bool,
    upgrade: bool,
    read_only: bool,
    synchronous: Synchronous,
    schema: str | None,
    observer: Observer | None,
    keys: KeyProvider | None,
    projections: Iterable[Domain],
    engine_options: dict[str, Any],
) -> Database:
    owned = not isinstance(target, AsyncEngine)
    if isinstance(target, AsyncEngine):
        if engine_options:
            raise MisuseError(f"engine options {sorted(engine_options)} with an engine of yours")
        engine = target
    else:
        engine = make_engine(
            target, create=create, read_only=read_only, synchronous=synchronous, **engine_options
        )
    try:
        dialect = dialect_of(engine)
        memory = dialect == "sqlite" and is_memory(engine.url)
        _check_pgvector(dialect, options)
        await _prepare(engine, schema, create=create and not read_only, upgrade=upgrade)
        tables = build_tables(dialect, schema)
        backend: SqliteBackend | PostgresBackend
        if dialect == "sqlite":
            backend = SqliteBackend(
                engine,
                tables,
                memory=memory,
                read_only=read_only,
                synchronous=synchronous,
                owned=owned,
                patience=options.limits.lock_timeout,
            )
            if memory:
                options = replace(options, exclusive=True)
        else:
            backend = PostgresBackend(
                engine, tables, read_only=read_only, patience=options.limits.lock_timeout
            )
        await backend.open()
    except BaseException:
        if owned:
            await engine.dispose()
        raise
    core = Core(backend, options)
    open_vault(core, keys)
    if observer is not None:
        core.observe(observer)
    for domain in projections:
        domain.freeze()
        core.know(domain)
    return Database(core, engine, owns_engine=owned)


async def _prepare(engine: AsyncEngine, schema: str | None, *, create: bool, upgrade: bool) -> None:
    """Bring the schema to where this code can work, or say why it cannot."""
    if schema is not None and engine.dialect.name == "sqlite":
        raise DataError("schema", schema, "is for PostgreSQL; SQLite has one file for each")
    state = await read_schema(engine, schema)
    if state.kind == "empty" and create:
        state = await create_schema(engine, schema)
    if state.kind == "older" and upgrade:
        await migrate.upgrade(engine, schema=schema)
        state = await read_schema(engine, schema)
    if state.kind == "empty":
        remedy = "it is empty; run `ramax db upgrade`, or connect(..., create=True)"
        raise SchemaOutOfDateError(None, HEAD, remedy)
    if problem := state.problem():
        raise problem

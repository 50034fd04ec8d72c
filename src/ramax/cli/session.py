"""A database for the time of one command: the options that name it, opening it, running on it."""

import asyncio
import functools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import click
from sqlalchemy.ext.asyncio import AsyncEngine

from ramax.cli.failures import OpeningError
from ramax.entry import connect
from ramax.errors import DataError, ForeignSchemaError, SchemaOutOfDateError, StorageError
from ramax.runtime.database import Database
from ramax.storage.engine import as_url, make_engine
from ramax.storage.schema import SchemaState, read_schema

Run = Callable[..., Awaitable[None]]

json_option = click.option("--json", "as_json", is_flag=True, help="Write JSON.")


def reading(command: Run) -> Callable[..., None]:
    """Let ``async def command(db, …)`` run on a branch of a database that it cannot change.

    The first who uses a branch since it was forked has to fold it: on one, it can.
    """
    return _on_branch(_open_branch, command)


def writing(command: Run) -> Callable[..., None]:
    """Let ``async def command(db, …)`` run on a branch of a database."""
    return _on_branch(
        lambda url, schema, branch: _open_branch(url, schema, branch, read_only=False), command
    )


def reading_whole(command: Run) -> Callable[..., None]:
    """Let ``async def command(db, …)`` run on all of a database, which it cannot change."""
    return _on(lambda url, schema: open_database(url, schema, read_only=True), command)


def writing_whole(command: Run) -> Callable[..., None]:
    """Let ``async def command(db, …)`` run on all of a database."""
    return _on(lambda url, schema: open_database(url, schema, read_only=False), command)


def writing_unless(option: str) -> Callable[[Run], Callable[..., None]]:
    """As `writing`, but as `reading` where ``option`` is given."""

    def decorate(command: Run) -> Callable[..., None]:
        return _on_branch(
            lambda url, schema, branch, read_only: _open_branch(
                url, schema, branch, read_only=read_only
            ),
            command,
            option,
        )

    return decorate


@dataclass(frozen=True, slots=True)
class Found:
    """Whatever is at a URL: tables of any age, of others, or none."""

    engine: AsyncEngine
    schema: str | None
    state: SchemaState


def reading_any(command: Run) -> Callable[..., None]:
    """Let ``async def command(found, …)`` run on whatever is there, which it cannot change."""
    return _on(lambda url, schema: open_any(url, schema, read_only=True), command)


def writing_any(command: Run) -> Callable[..., None]:
    """Let ``async def command(found, …)`` run on whatever is there, or on a new file."""
    return _on(lambda url, schema: open_any(url, schema, read_only=False), command)


def url_option(*, from_environment: bool = True) -> Callable[[Any], Any]:
    """Make the option that names the database."""
    return click.option(
        "--url",
        required=from_environment,
        envvar="RAMAX_DATABASE_URL" if from_environment else None,
        show_envvar=from_environment,
        help="The database: sqlite:///app.db, postgresql://user@host/name, or a file.",
    )


def _on(opens: Callable[..., Any], command: Run, *options: str) -> Callable[..., None]:
    """Open what the command runs on; ``opens`` takes the values of ``options`` as well."""

    @functools.wraps(command)
    def run(url: str, schema: str | None, **arguments: Any) -> None:
        opening = opens(url, schema, *(arguments[option] for option in options))
        arguments.pop("on_branch", None)
        asyncio.run(_run(opening, command, arguments))

    schema = click.option("--schema", metavar="NAME", help="PostgreSQL: the schema of the tables.")
    decorated: Callable[..., None] = url_option()(schema(run))
    return decorated


def _on_branch(opens: Callable[..., Any], command: Run, *options: str) -> Callable[..., None]:
    """As `_on`, with an option for the branch, which ``opens`` takes first."""
    run = _on(opens, command, "on_branch", *options)
    return click.option(
        "--branch", "on_branch", default="main", show_default=True, help="The branch."
    )(run)


@asynccontextmanager
async def _open_branch(
    url: str, schema: str | None, branch: str, *, read_only: bool = True
) -> AsyncIterator[Database]:
    elsewhere = branch != "main"
    opened = open_database(url, schema, read_only=read_only and not elsewhere)
    async with opened as db:
        yield db.at_branch(branch) if elsewhere else db


async def _run(
    opening: AbstractAsyncContextManager[Any], command: Run, arguments: dict[str, Any]
) -> None:
    async with opening as opened:
        await command(opened, **arguments)


@asynccontextmanager
async def open_database(
    url: str,
    schema: str | None,
    *,
    read_only: bool,
    create: bool = False,
    option: str = "--url",
) -> AsyncIterator[Database]:
    """Open the database that ``option`` names; ``create``: made if there is none."""
    try:
        db = await connect(url, create=create, read_only=read_only, schema=schema)
    except (DataError, SchemaOutOfDateError, ForeignSchemaError):
        raise
    except (StorageError, OSError, TypeError, ValueError) as error:
        step = f"check {option}"
        if not create:
            step += ", or make a database there with `ramax db upgrade`"
        raise _opening_error(url, error, step) from error
    async with db:
        yield db


@asynccontextmanager
async def open_any(url: str, schema: str | None, *, read_only: bool) -> AsyncIterator[Found]:
    """Open whatever is there, of any age."""
    engine: AsyncEngine | None = None
    try:
        try:
            engine = make_engine(url, create=not read_only, read_only=read_only)
            state = await read_schema(engine, schema)
        except DataError:
            raise
        except (StorageError, OSError, TypeError, ValueError) as error:
            raise _opening_error(url, error, "check --url") from error
        yield Found(engine, schema, state)
    finally:
        if engine is not None:
            await engine.dispose()


def _opening_error(url: str, error: BaseException, step: str) -> OpeningError:
    return OpeningError(as_url(url).render_as_string(), error, step)

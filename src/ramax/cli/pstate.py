"""`ramax pstate`: the stored read model."""

import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import click

from ramax.cli.documents import migration_document
from ramax.cli.domains import domain_option, joined
from ramax.cli.failures import FAILED, Group
from ramax.cli.output import json_text, print_json, printable, value_text
from ramax.cli.progress import progress_bar
from ramax.cli.session import json_option, reading, writing_unless
from ramax.core.domain import Domain
from ramax.core.json_form import to_json
from ramax.errors import CodecError, KeyNotFoundError
from ramax.runtime.database import Database
from ramax.runtime.past import PastPState
from ramax.runtime.pstate import SpacePState
from ramax.runtime.state_migration import MigrationReport

_NOT_THERE = object()


class PointType(click.ParamType[int | datetime]):
    """A sequence, or a moment with a time zone."""

    name = "point"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> int | datetime:
        """Read ``12`` or ``2026-03-01T12:00:00Z``."""
        if isinstance(value, str) and value.isdecimal():
            return int(value)
        try:
            return datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is neither a sequence nor a time in ISO 8601", param, ctx)


def as_of_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Make the options --as-of and --domain."""
    domain = domain_option(required=False, purpose="With --as-of: folds the events.")
    point = click.option(
        "--as-of",
        type=PointType(),
        metavar="POINT",
        help="After this event, or at this time (2026-03-01T12:00:00Z); needs --domain.",
    )
    return point(domain(command))


@click.group(cls=Group)
def pstate() -> None:
    """Look at the read model of a space, as it is stored, and migrate it."""


@pstate.command()
@click.argument("space")
@click.argument("key")
@as_of_options
@json_option
@reading
async def get(
    db: Database,
    space: str,
    key: str,
    as_of: int | datetime | None,
    domains: tuple[Domain, ...],
    *,
    as_json: bool,
) -> None:
    """Show the value of KEY in SPACE."""
    async with _state(db, space, as_of, domains) as state:
        value = await state.get(key, _NOT_THERE)
    if value is _NOT_THERE:
        raise KeyNotFoundError(space, key)
    if as_json:
        print_json({"key": key, "value": to_json(value)})
    else:
        print(value_text(value))
    if as_of is None:
        await _tell_gap(db, space)


@pstate.command()
@click.argument("space")
@click.argument("prefix", default="")
@click.option("--limit", type=click.IntRange(0), metavar="N", help="At most so many keys.")
@click.option("--after", default="", metavar="KEY", help="Only keys above this one.")
@as_of_options
@json_option
@reading
async def scan(  # noqa: PLR0917 - what a scan takes
    db: Database,
    space: str,
    prefix: str,
    limit: int | None,
    after: str,
    as_of: int | datetime | None,
    domains: tuple[Domain, ...],
    *,
    as_json: bool,
) -> None:
    """List the keys of SPACE that begin with PREFIX, and their values, in key order."""
    count = 0
    try:
        async with _state(db, space, as_of, domains) as state:
            async for key, value in state.scan(prefix, limit=limit, after=after):
                after = key
                if as_json:
                    document = json_text({"key": key, "value": to_json(value)})
                    sys.stdout.write(f"{',' if count else '['}\n{document}")
                else:
                    print(f"{printable(key)}  {value_text(value)}")
                count += 1
    except CodecError as error:
        what = f"the first value after key {after!r}"
        raise CodecError(what, error.value, error.rule) from error
    if as_json:
        print("\n]" if count else "[]")
    if as_of is None:
        await _tell_gap(db, space)


@asynccontextmanager
async def _state(
    db: Database, space: str, as_of: int | datetime | None, domains: tuple[Domain, ...]
) -> AsyncIterator[SpacePState | PastPState]:
    """Open the stored read model, or the one of a point in the past."""
    if as_of is None:
        if domains:
            raise click.UsageError("--domain folds for --as-of; what is stored needs none")
        yield (await db.content_store(space, create=False)).pstate
        return
    if not domains:
        raise click.UsageError("--as-of needs --domain: the events are folded anew")
    store = await db.content_store(space, joined(domains), create=False)
    async with store.as_of(as_of) as past:
        yield past.pstate


@pstate.command()
@click.argument("space")
@domain_option(required=True, purpose="Declares the entities.")
@click.option("--dry-run", is_flag=True, help="Change nothing; say what would change or get lost.")
@json_option
@writing_unless("dry_run")
async def migrate(
    db: Database,
    space: str,
    domains: tuple[Domain, ...],
    dry_run: bool,  # noqa: FBT001
    as_json: bool,  # noqa: FBT001
) -> None:
    """Rewrite the values of SPACE in the shape that its domain declares.

    Reading does the same to what it meets, by and by; this does all, and writers may go on. Exit
    code 1 if a value cannot be migrated, or if a dry run finds that something would get lost.
    """
    store = await db.content_store(space, joined(domains), create=False)
    with progress_bar(f"migrating {space}", "keys") as show:
        report = await store.migrate_pstate(dry_run=dry_run, progress=show)
    if as_json:
        print_json(migration_document(report))
    else:
        for line in _lines(space, report):
            print(printable(line))
    if report.failure_count or (dry_run and report.loses_data):
        click.get_current_context().exit(FAILED)


def _lines(space: str, report: MigrationReport) -> Iterator[str]:
    todo = f"{report.outdated:,} would be" if report.dry_run else f"{report.written:,} were"
    yield f"space {space!r}: {report.keys:,} keys, {todo} rewritten"
    for counts, meaning in (
        (report.changed, "changes"),
        (report.lost, "goes, and nothing that is declared has read it"),
        (report.emptied, "held something and then holds nothing"),
        (report.unread, "stays, but nothing that is declared reads it"),
    ):
        for name, count in sorted(counts.items()):
            yield f"  {name}: {meaning} ({count:,} keys)"
    for error in report.failures:
        yield f"  failed: {error}"
    if len(report.failures) < report.failure_count:
        yield f"  and {report.failure_count - len(report.failures):,} more failed"


async def _tell_gap(db: Database, space: str) -> None:
    head = await db.events.get_space_latest_sequence(space)
    behind = head - await db.checkpoints.get(space)
    if behind > 0:
        click.echo(
            f"ramax: the last {behind} of {head} events are not folded yet; the next use of the "
            "space by its application, or `ramax rebuild`, does it",
            err=True,
        )

"""`ramax legacy import`: an Elixir database into one of ramax."""

import asyncio
import csv
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import click

from ramax.cli.domains import joined, load_domain
from ramax.cli.failures import Command
from ramax.cli.legacy import (
    bad_line,
    old_files,
    old_table,
    print_not_as_it_was,
    print_some,
    source_document,
)
from ramax.cli.output import Cell, print_json, print_table
from ramax.cli.progress import progress_bar
from ramax.cli.session import json_option, open_any, open_database
from ramax.core.domain import Domain
from ramax.entry import connect
from ramax.legacy import Examined, ImportedSpace, ImportReport, examined, import_examined
from ramax.runtime.database import Database
from ramax.storage.engine import as_url, is_memory

Names = tuple[tuple[str, str], ...]


def _renaming(text: str) -> tuple[str, str]:
    old, equals, new = text.rpartition("=")
    if not (old and equals and new):
        raise click.BadParameter(f"{text!r} is not OLD=NEW")
    return old, new


@click.command("import", cls=Command)
@old_files
@click.option("--into", "url", metavar="URL", required=True, help="The database to write to.")
@click.option("--schema", metavar="NAME", help="PostgreSQL: the schema of the tables.")
@click.option(
    "--space", metavar="NAME", help="The space of rows that name none. [default: default]"
)
@click.option(
    "--map",
    "renamed",
    metavar="OLD=NEW",
    type=_renaming,
    multiple=True,
    help="Another name for a space; may be given several times.",
)
@click.option(
    "--verify",
    "domains",
    metavar="MODULE:NAME",
    type=load_domain,
    multiple=True,
    help="A domain that folds the events: lists the keys that have another value.",
)
@click.option("--rebuild", is_flag=True, help="Store what --verify folds, not the old read model.")
@click.option("--skip-bad", is_flag=True, help="Leave out rows that cannot be read, and list them.")
@click.option("--dry-run", is_flag=True, help="Write nothing; say what would be done.")
@click.option(
    "--id-map",
    metavar="FILE",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="Write the new id of each event as CSV, where ids are new.",
)
@old_table
@json_option
def import_(  # noqa: PLR0913 - the options
    files: tuple[Path, ...],
    *,
    url: str,
    schema: str | None,
    space: str | None,
    renamed: Names,
    domains: tuple[Domain, ...],
    rebuild: bool,
    skip_bad: bool,
    dry_run: bool,
    id_map: Path | None,
    pstate_table: str | None,
    as_json: bool,
) -> None:
    """Write what FILE holds into a database, which is made if it is not there.

    Two files may be given: one with the events and one with the pstate. They stay as they are. All
    of it is written, or nothing; what is there already is left alone, so it can be run again.
    """
    domain = joined(domains)
    if rebuild and domain is None:
        raise click.UsageError("--rebuild needs --verify MODULE:NAME")
    names = dict(renamed)
    if len(names) < len(renamed):
        raise click.UsageError("--map names a space twice")

    async def run() -> ImportReport:
        async with (
            examined(
                *files, space=space, rename=names, skip_bad=skip_bad, pstate_table=pstate_table
            ) as old,
            _target(url, schema, dry_run=dry_run) as db,
        ):
            return await _imported(db, old, domain, dry_run=dry_run, rebuild=rebuild)

    started = time.monotonic()
    report = asyncio.run(run())
    if id_map is not None and not report.event_ids.kept and not dry_run:
        _write_ids(id_map, report)
    if as_json:
        print_json(_document(report))
    else:
        _print(report, time.monotonic() - started)


@asynccontextmanager
async def _target(url: str, schema: str | None, *, dry_run: bool) -> AsyncIterator[Database]:
    """Open the database; a dry run into none that is there gets one in memory instead."""
    if dry_run and await _is_new(url, schema):
        async with connect() as db:
            yield db
        return
    async with open_database(url, schema, read_only=dry_run, create=True, option="--into") as db:
        yield db


async def _is_new(url: str, schema: str | None) -> bool:
    if _is_missing(url):
        return True
    async with open_any(url, schema, read_only=True) as found:
        return bool(found.state.kind == "empty")


def _is_missing(url: str) -> bool:
    parsed = as_url(url)
    if not parsed.drivername.startswith("sqlite") or is_memory(parsed):
        return is_memory(parsed)
    path = Path(parsed.database or "")
    return path.parent.is_dir() and not path.exists()


async def _imported(
    db: Database, old: Examined, domain: Domain | None, *, dry_run: bool, rebuild: bool
) -> ImportReport:
    # that it keeps the writer of this process for long is no news here
    logging.getLogger("ramax.writer").setLevel(logging.ERROR)
    with progress_bar("importing") as show:
        return await import_examined(
            db,
            old,
            dry_run=dry_run,
            verify=domain,
            pstate="rebuild" if rebuild else "keep",
            progress=show,
        )


def _write_ids(path: Path, report: ImportReport) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["old_event_id", "event_id"])
        writer.writerows(report.event_ids)


def _document(report: ImportReport) -> dict[str, Any]:
    return {
        "dry_run": report.dry_run,
        "event_count": report.event_count,
        "key_count": report.key_count,
        "event_ids_kept": report.event_ids.kept,
        "spaces": [_space_document(space) for space in report.spaces],
        "lost_causes": [
            {"event_id": each.event_id, "causation_id": each.causation_id}
            for each in report.lost_causes
        ],
        "verified": report.verified,
        "rebuilt": report.rebuilt,
        "differences": [
            {"space_name": each.space_name, "key": each.key, "kind": each.kind}
            for each in report.differences
        ],
        "source": source_document(report.source),
    }


def _space_document(space: ImportedSpace) -> dict[str, Any]:
    return {
        "old_space_id": space.old.space_id,
        "old_space_name": space.old.space_name,
        "space_id": space.space_id,
        "space_name": space.space_name,
        "present": space.present,
        "event_count": space.old.event_count,
        "key_count": space.old.key_count,
        "last_sequence": space.old.last_sequence,
        "renumbered": space.old.renumbered,
    }


def _print(report: ImportReport, seconds: float) -> None:
    head = ["old id", "id", "space", "events", "keys", "notes"]
    print_table(head, [_row(space) for space in report.spaces])
    verb = "would import" if report.dry_run else "imported"
    ids = "kept" if report.event_ids.kept else "new"
    print(
        f"\n{verb} {report.event_count:,} events and {report.key_count:,} keys "
        f"in {seconds:.1f} s; event ids are {ids}"
    )
    print_not_as_it_was(report.source)
    lost = [f"event {e.event_id}: {e.causation_id}" for e in report.lost_causes]
    print_some("events whose cause no event is (old ids); they have none now", lost)
    if report.verified:
        print(f"\n{len(report.differences)} keys differ from what the domain folds")
        stored = "stored is the fold" if report.rebuilt else "stored is the old read model"
        differences = [f"{d.space_name} {d.key}: {d.kind}" for d in report.differences]
        print_some(f"differences; {stored}", differences)
    print_some("rows that were left out", [bad_line(bad) for bad in report.source.bad_rows])


def _row(space: ImportedSpace) -> list[Cell]:
    old = space.old
    notes = ["there already"] if space.present else []
    notes += [f"was {old.space_name}"] if space.space_name != old.space_name else []
    notes += ["numbered again"] if old.renumbered else []
    return [
        old.space_id,
        space.space_id,
        space.space_name,
        old.event_count,
        old.key_count,
        ", ".join(notes) or None,
    ]

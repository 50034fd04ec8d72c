"""`ramax legacy`: databases of the Elixir Ramax."""

from pathlib import Path
from typing import Any

import click

from ramax.cli.failures import Group
from ramax.cli.output import Cell, print_fields, print_json, print_table, printable
from ramax.cli.session import json_option
from ramax.core.json_form import to_json
from ramax.legacy import BadRow, LegacyReport, LegacySpace
from ramax.legacy import inspect as inspect_files
from ramax.values import from_micros

_SHOWN = 20
"""Rows of each kind that are named on a screen; --json names all."""

old_files = click.argument(
    "files",
    metavar="FILE...",
    nargs=-1,
    required=True,
    type=click.Path(path_type=Path),
)
old_table = click.option(
    "--pstate-table", metavar="NAME", help="The table of the pstate, where there are several."
)


@click.group(cls=Group)
def legacy() -> None:
    """Read databases of the Elixir Ramax, of any age."""


@legacy.command()
@old_files
@old_table
@click.option(
    "--space",
    metavar="NAME",
    default="default",
    show_default=True,
    help="The space of rows that name none.",
)
@json_option
def inspect(
    files: tuple[Path, ...],
    pstate_table: str | None,
    space: str,
    as_json: bool,  # noqa: FBT001
) -> None:
    """Read all of FILE, and say what an import would find.

    Two files may be given: one with the events and one with the pstate. Nothing is written, also
    not beside them.
    """
    report = inspect_files(*files, pstate_table=pstate_table, space_name=space)
    if as_json:
        print_json(source_document(report))
    else:
        print_source(report)


def source_document(report: LegacyReport) -> dict[str, Any]:
    """Describe what an old database holds."""
    return {
        "files": [str(path) for path in report.paths],
        "form": report.form,
        "event_count": report.event_count,
        "key_count": report.key_count,
        "spaces": [_space_document(space) for space in report.spaces],
        "encodings": {table: dict(counts) for table, counts in report.encodings.items()},
        "orphans": {str(space_id): count for space_id, count in report.orphans.items()},
        "bad_rows": [_bad_document(bad) for bad in report.bad_rows],
        "renamed_keys": [
            {
                "table": each.table,
                "row": to_json(list(each.row)),
                "key": to_json(each.collision.key),
                "renamed": each.collision.renamed,
            }
            for each in report.renamed_keys
        ],
    }


def print_source(report: LegacyReport) -> None:
    """Print the same for people."""
    stored = [
        f"{table}: {', '.join(f'{count} {name}' for name, count in sorted(counts.items()))}"
        for table, counts in sorted(report.encodings.items())
    ]
    fields: list[tuple[str, Cell]] = [
        ("form", report.form),
        ("events", report.event_count),
        ("keys", report.key_count),
        ("stored as", "; ".join(stored) or None),
    ]
    print_fields(fields)
    print()
    print_table(
        ["id", "space", "events", "keys", "notes"], [_row(space) for space in report.spaces]
    )
    print_not_as_it_was(report)
    print_some("rows that cannot be imported", [bad_line(bad) for bad in report.bad_rows])


def print_not_as_it_was(report: LegacyReport) -> None:
    """Print what an import leaves out, or changes."""
    for space_id, count in report.orphans.items():
        print(f"{count} keys of space {space_id}, which was deleted, are not imported")
    print_some("renamed keys", [_renamed_line(each) for each in report.renamed_keys])


def bad_line(bad: BadRow) -> str:
    """Name a row and the rule it breaks."""
    return f"{bad.where}: {bad.rule}"


def _renamed_line(each: Any) -> str:
    where = BadRow(each.table, each.row, "").where
    return f"{where}: {each.collision.key!r} is {each.collision.renamed!r}, beside its equal"


def print_some(title: str, lines: list[str]) -> None:
    """Print the first of several lines below a title; nothing if there is none."""
    if not lines:
        return
    print(f"\n{len(lines)} {title}:")
    for line in lines[:_SHOWN]:
        print(f"  {printable(line)}")
    if len(lines) > _SHOWN:
        print(f"  and {len(lines) - _SHOWN} more; --json names all")


def _space_document(space: LegacySpace) -> dict[str, Any]:
    return {
        "space_id": space.space_id,
        "space_name": space.space_name,
        "created_at": from_micros(space.created_at).isoformat(),
        "metadata": None if space.metadata is None else to_json(dict(space.metadata)),
        "registered": space.registered,
        "last_sequence": space.last_sequence,
        "event_count": space.event_count,
        "key_count": space.key_count,
        "renumbered": space.renumbered,
    }


def _bad_document(bad: BadRow) -> dict[str, Any]:
    return {"table": bad.table, "row": to_json(list(bad.row)), "where": bad.where, "rule": bad.rule}


def _row(space: LegacySpace) -> list[Cell]:
    notes = [] if space.registered else ["not registered"]
    notes += ["numbered again"] if space.renumbered else []
    name = space.space_name
    return [space.space_id, name, space.event_count, space.key_count, ", ".join(notes) or None]

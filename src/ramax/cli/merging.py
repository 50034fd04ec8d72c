"""`ramax branch diff|merge|rebase`: two branches compared, and taken over from one to the other."""

from collections.abc import Iterator
from typing import Any, Final

import click

from ramax.cli.failures import Command
from ramax.cli.output import print_json, printable, value_text
from ramax.cli.session import json_option, writing_whole
from ramax.core.merging.conflicts import POLICIES
from ramax.core.merging.differences import BranchDiff, KeyChange, SideEvents, SpaceDiff
from ramax.core.merging.results import BranchMerge, BranchPreview
from ramax.entry.operations.merges import diff_document, merge_document

SIGNS: Final = {"added": "+", "removed": "-", "changed": "~"}

_policy = click.option(
    "--on-conflict",
    type=click.Choice(POLICIES),
    default="fail",
    show_default=True,
    help="What both have changed: ours is what the target has, theirs what comes.",
)


@click.command(cls=Command)
@click.argument("left")
@click.argument("right")
@click.option("--values", is_flag=True, help="Show the values of both.")
@click.option("--all", "include_unchanged", is_flag=True, help="List every space.")
@json_option
@writing_whole
async def diff(  # noqa: PLR0917 - what the command line says
    db: Any,
    left: str,
    right: str,
    values: bool,  # noqa: FBT001
    include_unchanged: bool,  # noqa: FBT001
    as_json: bool,  # noqa: FBT001
) -> None:
    """Say how branch RIGHT differs from branch LEFT, space by space.

    A read model that is not up to date is brought there first where that takes no domain.
    """
    found = await db.branches.diff(left, right, values=values, include_unchanged=include_unchanged)
    if as_json:
        print_json(diff_document(found))
        return
    for line in diff_lines(found, values=values):
        print(line)


@click.command(cls=Command)
@click.argument("source")
@click.option("--into", default="main", show_default=True, help="The branch that gets it.")
@_policy
@click.option("--preview", is_flag=True, help="Say what would happen, and write nothing.")
@json_option
@writing_whole
async def merge(  # noqa: PLR0917 - what the command line says
    db: Any,
    source: str,
    into: str,
    on_conflict: Any,
    preview: bool,  # noqa: FBT001
    as_json: bool,  # noqa: FBT001
) -> None:
    """Take over into a branch what it does not have of branch SOURCE: all spaces, or none."""
    if preview:
        _print(await db.branches.preview_merge(source, into), as_json=as_json)
        return
    _print(await db.branches.merge(source, into, on_conflict=on_conflict), as_json=as_json)


@click.command(cls=Command)
@click.argument("branch")
@click.option("--onto", help="Another branch than the one that it was forked from.")
@_policy
@json_option
@writing_whole
async def rebase(
    db: Any,
    branch: str,
    onto: str | None,
    on_conflict: Any,
    as_json: bool,  # noqa: FBT001
) -> None:
    """Take over into BRANCH what has happened since on the one that it was forked from."""
    done = await db.branches.rebase(branch, onto, on_conflict=on_conflict)
    _print(done, as_json=as_json)


COMMANDS: Final = (diff, merge, rebase)


def diff_lines(diff: BranchDiff, *, values: bool) -> Iterator[str]:
    """Write a difference for people."""
    for space in diff.spaces:
        yield from _space_lines(diff, space, values=values)
    for branch, names in ((diff.left, diff.only_left), (diff.right, diff.only_right)):
        if names:
            yield f"only on {branch}: {', '.join(map(printable, names))}"
    yield f"{diff.unchanged} {'space does' if diff.unchanged == 1 else 'spaces do'} not differ"


def _space_lines(diff: BranchDiff, space: SpaceDiff, *, values: bool) -> Iterator[str]:
    sides = [
        f"{side.count} {'event' if side.count == 1 else 'events'} on {branch}{_types(side)}"
        for branch, side in ((diff.left, space.left), (diff.right, space.right))
    ]
    yield f"{printable(space.space)}: {', '.join(sides)}"
    for change in space.keys:
        more = _values(change) if values else ""
        yield f"  {SIGNS[change.kind]} {change.type} {printable(change.key)}{more}"
    for branch in space.behind:
        yield f"  ! the read model of {branch} lacks events: its keys are older"


def _types(side: SideEvents) -> str:
    if not side.by_type:
        return ""
    return f" ({', '.join(f'{count} {name}' for name, count in sorted(side.by_type.items()))})"


def _values(change: KeyChange) -> str:
    old, new = value_text(change.old), value_text(change.new)
    return {"added": f": {new}", "removed": f": {old}"}.get(change.kind, f": {old} -> {new}")


def _print(done: BranchMerge | BranchPreview, *, as_json: bool) -> None:
    if as_json:
        print_json(merge_document(done))
        return
    for line in merge_lines(done):
        print(line)


def merge_lines(done: BranchMerge | BranchPreview) -> Iterator[str]:
    """Write what a merge did, or would do, for people."""
    for space in done.spaces:
        new = ", new" if space.space in done.created else ""
        more = f", {space.made} made" if space.made else ""
        yield f"{printable(space.space)}{new}: {space.copied} copied{more}"
        for name in ("kept", "taken", "conflicts"):
            for conflict in getattr(space, name, ()):
                what = {"kept": "kept ours", "taken": "took theirs"}.get(name, "conflict")
                yield f"  {what}: {printable(str(conflict))}"
    if isinstance(done, BranchPreview):
        for name in done.created:
            yield f"{printable(name)}: new"
    yield f"{done.unchanged} {'space has' if done.unchanged == 1 else 'spaces have'} nothing new"

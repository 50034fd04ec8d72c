"""`ramax branch`: the registry of branches, and what can be done with two of them."""

from datetime import datetime
from typing import Any

import click

from ramax.cli.criteria import Moment
from ramax.cli.failures import FAILED, Group
from ramax.cli.merging import COMMANDS
from ramax.cli.output import print_json, print_table
from ramax.cli.session import json_option, reading_whole, writing_whole
from ramax.entry.operations.branches import branch_document


@click.group(cls=Group)
def branch() -> None:
    """Look at branches, make and delete them, compare and merge them."""


@branch.command("list")
@json_option
@reading_whole
async def list_branches(db: Any, as_json: bool) -> None:  # noqa: FBT001
    """List the branches, main first."""
    found = [branch_document(each) for each in await db.branches.list()]
    if as_json:
        print_json(found)
        return
    rows = [[each["name"], each["parent"] or "", each["created_at"]] for each in found]
    print_table(["branch", "forked from", "created"], rows)


@branch.command()
@click.argument("name")
@writing_whole
async def create(db: Any, name: str) -> None:
    """Make a branch NAME without spaces."""
    made = await db.branches.create(name)
    print(f"made branch {made.name!r}")


@branch.command()
@click.argument("name")
@click.option("--from", "source", default="main", show_default=True, help="The branch to fork.")
@click.option(
    "--at",
    "places",
    multiple=True,
    metavar="SPACE=SEQUENCE",
    help="Where in the history of a space; may be given several times.",
)
@click.option("--at-time", type=Moment(), help="At which moment; UTC without a zone.")
@writing_whole
async def fork(
    db: Any, name: str, source: str, places: tuple[str, ...], at_time: datetime | None
) -> None:
    """Make a branch NAME of every space of another one, at one point over all of them.

    It costs a row or two for each space, whatever the spaces hold.
    """
    if places and at_time:
        raise click.UsageError("give --at or --at-time, not both")
    made = await db.branches.fork(source, name, at=at_time or _sequences(places))
    spaces = await db.at_branch(made.name).spaces.list_all()
    count = sum(1 for space in spaces if space.space_id)
    print(f"forked {source!r} as {made.name!r}: {count} {'space' if count == 1 else 'spaces'}")


@branch.command()
@click.argument("name")
@click.argument("new_name")
@writing_whole
async def rename(db: Any, name: str, new_name: str) -> None:
    """Give branch NAME the name NEW_NAME."""
    await db.branches.rename(name, new_name)
    print(f"branch {name!r} is {new_name!r} now")


@branch.command()
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@writing_whole
async def delete(db: Any, name: str, yes: bool) -> None:  # noqa: FBT001
    """Delete branch NAME with everything that was written on it, for good."""
    await db.branches.get(name)
    question = f"delete branch {name!r} and all that was written on it?"
    if not yes and not click.confirm(question, err=True):
        print("nothing was deleted")
        click.get_current_context().exit(FAILED)
    await db.branches.delete(name)
    print(f"deleted branch {name!r}")


def _sequences(places: tuple[str, ...]) -> dict[str, int] | None:
    found: dict[str, int] = {}
    for each in places:
        space, given, sequence = each.rpartition("=")
        if not given or not sequence.isdecimal():
            raise click.BadParameter(f"{each!r} is not SPACE=SEQUENCE", param_hint="--at")
        found[space] = int(sequence)
    return found or None


for _command in COMMANDS:
    branch.add_command(_command)

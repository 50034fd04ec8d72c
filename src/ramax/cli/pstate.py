"""`ramax pstate`: the stored read model."""

import sys

import click

from ramax.cli.failures import Group
from ramax.cli.output import json_text, print_json, printable, value_text
from ramax.cli.session import json_option, reading
from ramax.core.json_form import to_json
from ramax.errors import CodecError, KeyNotFoundError
from ramax.runtime.database import Database

_NOT_THERE = object()


@click.group(cls=Group)
def pstate() -> None:
    """Look at the read model of a space, as it is stored."""


@pstate.command()
@click.argument("space")
@click.argument("key")
@json_option
@reading
async def get(db: Database, space: str, key: str, as_json: bool) -> None:  # noqa: FBT001
    """Show the value of KEY in SPACE."""
    found = await db.spaces.get(space)
    value = await db.pstate.get(found, key, _NOT_THERE)
    if value is _NOT_THERE:
        raise KeyNotFoundError(space, key)
    if as_json:
        print_json({"key": key, "value": to_json(value)})
    else:
        print(value_text(value))
    await _tell_gap(db, space)


@pstate.command()
@click.argument("space")
@click.argument("prefix", default="")
@click.option("--limit", type=click.IntRange(0), metavar="N", help="At most so many keys.")
@click.option("--after", default="", metavar="KEY", help="Only keys above this one.")
@json_option
@reading
async def scan(
    db: Database, space: str, prefix: str, limit: int | None, after: str, *, as_json: bool
) -> None:
    """List the keys of SPACE that begin with PREFIX, and their values, in key order."""
    found = await db.spaces.get(space)
    count = 0
    try:
        async for key, value in db.pstate.scan(found, prefix, limit=limit, after=after):
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
    await _tell_gap(db, space)


async def _tell_gap(db: Database, space: str) -> None:
    head = await db.events.get_space_latest_sequence(space)
    behind = head - await db.checkpoints.get(space)
    if behind > 0:
        click.echo(
            f"ramax: the last {behind} of {head} events are not folded yet; the next use of the "
            "space by its application, or `ramax rebuild`, does it",
            err=True,
        )

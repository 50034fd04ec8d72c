"""`ramax chain`: the hash chains of spaces."""

import click

from ramax.cli.failures import FAILED, Group
from ramax.cli.output import print_json
from ramax.cli.progress import progress_bar
from ramax.cli.session import json_option, reading, writing
from ramax.runtime.database import Database


@click.group(cls=Group)
def chain() -> None:
    """Link the events of a space by hashes, so that `ramax verify` names what was changed."""


@chain.command()
@click.argument("space")
@json_option
@reading
async def head(db: Database, space: str, as_json: bool) -> None:  # noqa: FBT001
    """Show the newest hash of SPACE; exit code 1 if it has no chain.

    Kept elsewhere, it is what `ramax verify --anchor` compares with.
    """
    found = await db.spaces.hash_chain_head(await db.spaces.get(space))
    if as_json:
        sequence = None if found is None else found.space_sequence
        print_json({"sequence": sequence, "hash": None if found is None else found.hash.hex()})
    else:
        print("no hash chain" if found is None else found)
    if found is None:
        click.get_current_context().exit(FAILED)


@chain.command()
@click.argument("space")
@writing
async def enable(db: Database, space: str) -> None:
    """Begin the chain of SPACE: with the events that are there, and from now on with each new one.

    Writers go on meanwhile. Does nothing where there is a chain.
    """
    with progress_bar(f"hashing {space}") as show:
        found = await db.spaces.enable_hash_chain(await db.spaces.get(space), progress=show)
    print(found)


@chain.command()
@click.argument("space")
@writing
async def disable(db: Database, space: str) -> None:
    """End the chain of SPACE and forget its hashes; the events stay as they are."""
    await db.spaces.disable_hash_chain(await db.spaces.get(space))
    print(f"space {space!r} has no hash chain now")

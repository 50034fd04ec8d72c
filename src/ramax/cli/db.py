"""`ramax db`: the tables and their revisions."""

from dataclasses import asdict

import click

from ramax.cli.failures import FAILED, Group
from ramax.cli.output import print_fields, print_json, print_table
from ramax.cli.progress import progress_bar
from ramax.cli.session import Found, json_option, reading_any, writing_any
from ramax.storage import migrate
from ramax.storage.schema import read_schema
from ramax.storage.tables import HEAD


@click.group(cls=Group)
def db() -> None:
    """Upgrade the tables of a database, and say what they are."""


@db.command()
@click.argument("revision", default="head")
@click.option(
    "--space",
    metavar="NAME",
    default="default",
    show_default=True,
    help="The space that gets what a database from before spaces holds.",
)
@writing_any
async def upgrade(found: Found, revision: str, space: str) -> None:
    """Bring the tables to REVISION, by default the newest.

    A database from before spaces, also one of the Elixir Ramax, is carried over with all it holds;
    an empty or missing one is made. All in one transaction: what is interrupted has not happened.
    """
    before, schema = found.state, found.schema
    with progress_bar("upgrading") as show:
        await migrate.upgrade(
            found.engine, revision, space_name=space, progress=show, schema=schema
        )
    after = await read_schema(found.engine, schema)
    if before.kind == "empty":
        print(f"made the tables, at {after.revision}")
    elif (before.kind, before.revision) == (after.kind, after.revision):
        print(f"the database was at {after.revision} already")
    else:
        print(f"upgraded {before.revision or before.description} to {after.revision}")


@db.command()
@click.argument("revision")
@writing_any
async def downgrade(found: Found, revision: str) -> None:
    """Bring the tables back to REVISION.

    Refuses, and says why, where the older tables could not hold what is there.
    """
    await migrate.downgrade(found.engine, revision, schema=found.schema)
    print(f"downgraded to {revision}")


@db.command()
@json_option
@reading_any
async def current(found: Found, as_json: bool) -> None:  # noqa: FBT001
    """Say what the database holds, whatever it is."""
    state = found.state
    if as_json:
        print_json(
            {
                "revision": state.revision,
                "head": HEAD,
                "state": state.kind,
                "description": state.description,
                "tables": list(state.tables),
            }
        )
        return
    print_fields(
        [
            ("revision", state.revision),
            ("newest", HEAD),
            ("state", f"{state.kind}: {state.description}"),
        ]
    )


@db.command()
@json_option
def history(as_json: bool) -> None:  # noqa: FBT001
    """List the revisions, oldest first."""
    steps = migrate.history()
    if as_json:
        print_json([asdict(step) for step in steps])
        return
    print_table(
        ["revision", "after", "what it does"],
        [[step.revision, step.down_revision, step.description] for step in steps],
    )


@db.command()
@json_option
@reading_any
async def check(found: Found, as_json: bool) -> None:  # noqa: FBT001
    """Compare the tables with what this ramax works with; exit code 1 if they differ."""
    if problem := found.state.problem():
        raise problem
    differences = await migrate.check(found.engine, schema=found.schema)
    if as_json:
        print_json({"ok": not differences, "differences": differences})
    else:
        for difference in differences:
            print(difference)
        print("the tables differ" if differences else "the tables are as they must be")
    if differences:
        click.get_current_context().exit(FAILED)

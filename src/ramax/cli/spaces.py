"""`ramax spaces`: the registry."""

import json
from typing import Any, Literal

import click

from ramax.cli.documents import space_document, stats_document
from ramax.cli.failures import FAILED, Group
from ramax.cli.output import Cell, print_fields, print_json, print_table, printable, value_text
from ramax.cli.progress import progress_bar
from ramax.cli.session import json_option, reading, writing
from ramax.core.json_form import from_json
from ramax.errors import CodecError, SpaceNotEmptyError
from ramax.runtime.database import Database
from ramax.values import Space, SpaceStats


@click.group(cls=Group)
def spaces() -> None:
    """Look at spaces, make, rename and delete them."""


@spaces.command("list")
@click.option("--prefix", help="Only names that begin with it.")
@json_option
@reading
async def list_spaces(db: Database, prefix: str | None, as_json: bool) -> None:  # noqa: FBT001
    """List the spaces by id."""
    found = await db.spaces.list_all(prefix)
    if as_json:
        print_json([space_document(space) for space in found])
        return
    print_table(["id", "space", "created", "metadata"], [_row(space) for space in found])


@spaces.command("enable-search")
@click.argument("space")
@click.option(
    "--field",
    "fields",
    multiple=True,
    metavar="PREFIX=FIELD",
    help="A field of the application's values whose keys begin so; may be given several times.",
)
@click.option(
    "--mode",
    type=click.Choice(["inline", "async"]),
    default="inline",
    help="With each commit, or later, by `ramax spaces index-texts`.",
)
@writing
async def enable_search(
    db: Database, space: str, fields: tuple[str, ...], mode: Literal["inline", "async"]
) -> None:
    """Index the texts of SPACE: those that are there, and from now on every change with it.

    Writers go on meanwhile. Does nothing where the same is indexed.
    """
    declared: dict[str, list[str]] = {}
    for each in fields:
        prefix, found, name = each.rpartition("=")
        if not found:
            raise click.BadParameter(f"{each!r} is not PREFIX=FIELD", param_hint="--field")
        declared.setdefault(prefix, []).append(name)
    with progress_bar(f"indexing {space}") as show:
        chosen = await db.spaces.get(space)
        await db.spaces.enable_search(chosen, fields=declared, mode=mode, progress=show)
    print(f"space {space!r} is searched now")


@spaces.command("index-texts")
@click.argument("spaces", nargs=-1, metavar="[SPACE]...")
@click.option("--follow", is_flag=True, help="Go on with what will change, until interrupted.")
@writing
async def index_texts(db: Database, spaces: tuple[str, ...], follow: bool) -> None:  # noqa: FBT001
    """Index texts that wait for it, where search is async: of each SPACE, or of all.

    With --follow any number of processes may do it.
    """
    chosen = [await db.spaces.get(name) for name in spaces] or await db.spaces.list_all()
    if follow:
        await db.run_text_index(*(chosen if spaces else ()))
    done = [await db.spaces.index_texts(space) for space in chosen]
    print(f"{sum(done)} keys were indexed")


@spaces.command("disable-search")
@click.argument("space")
@writing
async def disable_search(db: Database, space: str) -> None:
    """Drop the index of the texts of SPACE; what it holds stays as it is."""
    await db.spaces.disable_search(await db.spaces.get(space))
    print(f"space {space!r} is not searched now")


@spaces.command()
@click.argument("space")
@json_option
@reading
async def show(db: Database, space: str, as_json: bool) -> None:  # noqa: FBT001
    """Show one space and what it holds."""
    stats = await db.spaces.stats(await db.spaces.get(space))
    if as_json:
        print_json(stats_document(stats))
        return
    number, name, created, metadata = _row(stats.space)
    checkpoints: list[tuple[str, Cell]] = [
        (f"checkpoint {reader}", sequence) for reader, sequence in stats.checkpoints.items()
    ]
    print_fields(
        [
            ("id", number),
            ("space", name),
            ("created", created),
            ("metadata", metadata),
            ("events", stats.event_count),
            ("keys", stats.key_count),
            ("bytes", stats.bytes),
            ("last event", _moment(stats)),
            *checkpoints,
        ]
    )


@spaces.command()
@click.argument("space", required=False)
@json_option
@reading
async def stats(db: Database, space: str | None, as_json: bool) -> None:  # noqa: FBT001
    """Count what SPACE holds, or what each space holds."""
    found = None if space is None else await db.spaces.get(space)
    counted = await db.spaces.stats(found)
    each = counted if found is None else [counted]
    if as_json:
        documents = [stats_document(stats) for stats in each]
        print_json(documents if found is None else documents[0])
        return
    head = ["id", "space", "events", "keys", "bytes", "folded up to", "last event"]
    print_table(head, [_stats_row(stats) for stats in each])


@spaces.command()
@click.argument("name")
@click.option("--metadata", metavar="JSON", help="An object to keep with the space.")
@writing
async def create(db: Database, name: str, metadata: str | None) -> None:
    """Make a new space.

    Its NAME has 1 to 64 characters a-z, 0-9, _ and -, the first one a letter.
    """
    made = await db.spaces.create(name, None if metadata is None else _metadata(metadata))
    print(f"created space {made.space_name!r} with id {made.space_id}")


@spaces.command()
@click.argument("space")
@click.argument("name")
@writing
async def clone(db: Any, space: str, name: str) -> None:
    """Make another space NAME that has what SPACE has now, and goes on by itself."""
    made = await db.spaces.clone(await db.spaces.get(space), name)
    print(f"cloned space {space!r} as {made.space_name!r} with id {made.space_id}")


@spaces.command()
@click.argument("space")
@click.argument("name")
@writing
async def rename(db: Database, space: str, name: str) -> None:
    """Give SPACE another NAME; its id, events and keys stay."""
    renamed = await db.spaces.rename(await db.spaces.get(space), name)
    print(f"space {space!r} is {renamed.space_name!r} now, still with id {renamed.space_id}")


@spaces.command()
@click.argument("space")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--force", is_flag=True, help="Delete its events and keys too, for good.")
@writing
async def delete(db: Database, space: str, yes: bool, force: bool) -> None:  # noqa: FBT001
    """Delete SPACE for good.

    One that holds keys, or ever had an event, needs --force. Its id, and the ids of its events, are
    never used again.
    """
    found = await db.spaces.get(space)
    holds = await db.spaces.stats(found)
    if holds.event_count + holds.key_count and not force:
        raise SpaceNotEmptyError(found.space_name, holds.event_count, holds.key_count)
    question = (
        f"Delete space {printable(space)!r} with its {holds.event_count} events and "
        f"{holds.key_count} keys for good?"
    )
    if not yes and not click.confirm(question, err=True):
        print("nothing was deleted")
        click.get_current_context().exit(FAILED)
    await db.spaces.delete(found, force=force)
    print(f"deleted space {found.space_name!r}")


def _metadata(text: str) -> Any:
    try:
        found = from_json(json.loads(text))
    except (ValueError, RecursionError, CodecError) as error:
        raise click.BadParameter(f"is not JSON: {error}", param_hint="--metadata") from error
    if not isinstance(found, dict):
        raise click.BadParameter("must be a JSON object", param_hint="--metadata")
    return found


def _row(space: Space) -> list[Cell]:
    created = space.created_at.isoformat(" ", "seconds") if space.space_id else None
    metadata = value_text(dict(space.metadata)) if space.metadata else None
    return [space.space_id, space.space_name, created, metadata]


def _stats_row(stats: SpaceStats) -> list[Cell]:
    return [
        stats.space.space_id,
        stats.space.space_name,
        stats.event_count,
        stats.key_count,
        stats.bytes,
        stats.checkpoints["pstate"],
        _moment(stats),
    ]


def _moment(stats: SpaceStats) -> str | None:
    newest = stats.last_event_at
    return None if newest is None else newest.isoformat(" ", "seconds")

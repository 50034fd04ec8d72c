"""`ramax events`: the log."""

import asyncio
import sys
from typing import Any

import click

from ramax.cli.criteria import Criteria, criteria, criteria_options
from ramax.cli.documents import event_document
from ramax.cli.event_tree import tree_document, tree_lines
from ramax.cli.failures import INTERRUPTED, Group
from ramax.cli.feeds import Feed, feed_of
from ramax.cli.output import json_text, print_fields, print_json, printable, value_text
from ramax.cli.session import json_option, reading
from ramax.errors import EventNotFoundError
from ramax.runtime.database import Database
from ramax.runtime.event_tree import MAX_NODES, read_tree
from ramax.values import Event


@click.group(cls=Group)
def events() -> None:
    """Look at the log of one space, or of all."""


@events.command()
@click.argument("space", required=False)
@click.option(
    "-n", "--lines", type=click.IntRange(0), default=10, show_default=True, help="How many events."
)
@click.option(
    "--after",
    type=click.IntRange(0),
    metavar="N",
    help="All events after this sequence; without SPACE, after this event id.",
)
@click.option("-f", "--follow", is_flag=True, help="Go on with new ones until Ctrl-C.")
@click.option(
    "--interval",
    type=click.FloatRange(0.01),
    default=0.5,
    show_default=True,
    help="Seconds between two looks for new ones.",
)
@criteria_options
@json_option
@reading
async def tail(
    db: Database,
    space: str | None,
    lines: int,
    after: int | None,
    *,
    follow: bool,
    interval: float,
    as_json: bool,
    **arguments: Any,
) -> None:
    """Show the newest events of SPACE, or of all spaces; with --json one document in each line.

    Of all spaces with a condition, the whole log is read.
    """
    wanted = criteria(arguments)
    feed = await feed_of(db, space)
    if after is None:
        await feed.step_back(lines, wanted)
    else:
        feed.position = after
    try:
        await _print_new(feed, wanted, as_json=as_json)
        while follow:
            await asyncio.sleep(interval)
            await _print_new(feed, wanted, as_json=as_json)
    except asyncio.CancelledError:  # Ctrl-C
        click.echo(f"ramax: stopped; --after {feed.position} goes on from here", err=True)
        click.get_current_context().exit(INTERRUPTED)


@events.command()
@click.argument("number", type=click.IntRange(1))
@click.option("--space", metavar="NAME", help="NUMBER is a sequence of this space.")
@json_option
@reading
async def show(db: Database, number: int, space: str | None, as_json: bool) -> None:  # noqa: FBT001
    """Show one event by its event id, or with --space by its sequence."""
    event = await _event(db, number, space)
    name = (await db.spaces.get(event.space_id)).space_name
    document = event_document(event, name)
    if as_json:
        print_json(document)
        return
    document["payload"] = value_text(event.payload)
    document["metadata"] = None if event.metadata is None else value_text(event.metadata)
    print_fields(list(document.items()))


@events.command()
@click.argument("space", required=False)
@click.option("--after", type=click.IntRange(0), default=0, metavar="N", help="Begin after this.")
@click.option("--upto", type=click.IntRange(0), metavar="N", help="End with this one.")
@criteria_options
@click.option("--reverse", is_flag=True, help="The newest first; of one space.")
@reading
async def export(
    db: Database,
    space: str | None,
    after: int,
    upto: int | None,
    reverse: bool,  # noqa: FBT001
    **arguments: Any,
) -> None:
    """Write the events of SPACE, or of all spaces, in order, one JSON document in each line.

    --after and --upto are sequences; without SPACE, event ids.
    """
    if reverse and space is None:
        raise click.UsageError("--reverse needs a SPACE: all spaces are read in one direction")
    wanted = criteria(arguments)
    feed = await feed_of(db, space)
    feed.position = after
    async for event in feed.events(upto, wanted, reverse=reverse):
        sys.stdout.write(await _line(feed, event, as_json=True))


@events.command()
@click.argument("space")
@click.argument("event_id", type=click.IntRange(1))
@click.option(
    "--most",
    type=click.IntRange(1),
    default=MAX_NODES,
    show_default=True,
    help="Events that are shown at most.",
)
@json_option
@reading
async def tree(db: Database, space: str, event_id: int, most: int, *, as_json: bool) -> None:
    """Show what led to the event EVENT_ID of SPACE, and what came of it.

    The tree begins with the first cause in SPACE. With --json, `effects` nest.
    """
    found = await db.spaces.get(space)
    event = await db.events.get_event(event_id)
    if event.space_id != found.space_id:
        raise EventNotFoundError(event_id)
    root = await read_tree(db.events, found, event, most=most)
    if as_json:
        print_json(tree_document(root, found.space_name))
        return
    for line in tree_lines(root, event_id):
        print(printable(line))


async def _print_new(feed: Feed, wanted: Criteria, *, as_json: bool) -> None:
    async for event in feed.events(wanted=wanted):
        sys.stdout.write(await _line(feed, event, as_json=as_json))
    sys.stdout.flush()


async def _line(feed: Feed, event: Event, *, as_json: bool) -> str:
    name = await feed.name_of(event)
    if as_json:
        return json_text(event_document(event, name)) + "\n"
    where = f"{event.event_id:>6} {name}" if feed.space is None else f"{event.space_sequence:>6}"
    moment = event.timestamp.isoformat(" ", "milliseconds").removesuffix("+00:00")
    text = f"{moment}  {event.event_type}  {event.entity_id}  "
    return f"{printable(f'{where}  {text}')}{value_text(event.payload)}\n"


async def _event(db: Database, number: int, space: str | None) -> Event:
    if space is None:
        return await db.events.get_event(number)
    found = db.events.stream_space_events(
        await db.spaces.get(space), from_sequence=number - 1, to_sequence=number
    )
    async for event in found:
        return event
    raise EventNotFoundError(number)

"""`ramax events`: the log."""

import asyncio
import sys

import click

from ramax.cli.documents import event_document
from ramax.cli.failures import INTERRUPTED, Group
from ramax.cli.feeds import Feed, feed_of
from ramax.cli.output import json_text, print_fields, print_json, printable, value_text
from ramax.cli.session import json_option, reading
from ramax.errors import EventNotFoundError
from ramax.runtime.database import Database
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
) -> None:
    """Show the newest events of SPACE, or of all spaces; with --json one document in each line."""
    feed = await feed_of(db, space)
    feed.position = max(0, await feed.newest() - lines) if after is None else after
    try:
        await _print_new(feed, as_json=as_json)
        while follow:
            await asyncio.sleep(interval)
            await _print_new(feed, as_json=as_json)
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
@click.option("--type", "types", multiple=True, metavar="TYPE", help="Only this type; repeatable.")
@reading
async def export(
    db: Database, space: str | None, after: int, upto: int | None, types: tuple[str, ...]
) -> None:
    """Write the events of SPACE, or of all spaces, in order, one JSON document in each line.

    --after and --upto are sequences; without SPACE, event ids.
    """
    feed = await feed_of(db, space)
    feed.position = after
    async for event in feed.events(upto, types):
        sys.stdout.write(await _line(feed, event, as_json=True))


async def _print_new(feed: Feed, *, as_json: bool) -> None:
    async for event in feed.events():
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

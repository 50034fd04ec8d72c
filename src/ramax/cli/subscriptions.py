"""`ramax subscriptions`: who follows the log, how far, and what is in their way."""

from collections.abc import Callable
from typing import Any

import click

from ramax.cli.documents import parked_document, subscription_document
from ramax.cli.failures import Group
from ramax.cli.output import print_json, print_table
from ramax.cli.session import json_option, reading, writing
from ramax.errors import SubscriptionNotFoundError
from ramax.runtime.database import Database
from ramax.values import ParkedEvent, SubscriptionStatus

_Command = Callable[..., Any]


def _space_option(command: _Command) -> _Command:
    help_text = "The space of the subscription; without it, it is one over all spaces."
    return click.option("--space", metavar="NAME", help=help_text)(command)


def _event_options(command: _Command) -> _Command:
    event = click.option(
        "--event",
        type=int,
        metavar="SEQUENCE",
        help="Only this parked event, by its sequence, with all parts of it that are parked.",
    )
    of = click.option(
        "--of", metavar="NAME", help="The space of that event, where the subscription has none."
    )
    return event(of(command))


@click.group(cls=Group)
def subscriptions() -> None:
    """Look at subscriptions, pause them, retry or skip what they failed at."""


@subscriptions.command("list")
@click.option("--space", metavar="NAME", help="Only those of this space.")
@json_option
@reading
async def list_subscriptions(db: Database, space: str | None, as_json: bool) -> None:  # noqa: FBT001
    """List subscriptions with how far they are behind."""
    found = await db.subscriptions.list(space)
    if as_json:
        print_json([subscription_document(each) for each in found])
        return
    head = ["space", "subscription", "position", "end", "lag", "parked", "state", "owner"]
    print_table(head, [_row(each) for each in found])


@subscriptions.command()
@click.argument("name")
@_space_option
@json_option
@reading
async def parked(db: Database, name: str, space: str | None, as_json: bool) -> None:  # noqa: FBT001
    """List the events that the subscription NAME has put aside."""
    found = await db.subscriptions.parked(name, space=space)
    if as_json:
        print_json([parked_document(each) for each in found])
        return
    print_table(
        ["space id", "sequence", "part", "entity", "state", "attempts", "error"],
        [
            [
                each.space_id,
                each.space_sequence,
                each.part,
                each.entity_id,
                each.state,
                each.attempts,
                each.error,
            ]
            for each in found
        ],
    )


@subscriptions.command()
@click.argument("name")
@_space_option
@_event_options
@writing
async def retry(
    db: Database, name: str, space: str | None, event: int | None, of: str | None
) -> None:
    """Let parked events of NAME be tried again: all that failed, or one."""
    if event is None:
        count = await db.subscriptions.retry(name, space=space)
    else:
        wanted = await _parked(db, name, space, event, of)
        failed = [each for each in wanted if each.state == "failed"] or wanted[:1]
        done = [await db.subscriptions.retry(name, each, space=space) for each in failed]
        count = sum(done)
    print(f"{count} parked events of {name!r} will be tried again")


@subscriptions.command()
@click.argument("name")
@_space_option
@_event_options
@writing
async def skip(
    db: Database, name: str, space: str | None, event: int | None, of: str | None
) -> None:
    """Leave an event out for good: a parked one, else the one at which NAME is paused."""
    if event is None:
        await db.subscriptions.skip(name, space=space)
    else:
        for each in await _parked(db, name, space, event, of):
            await db.subscriptions.skip(name, each, space=space)
    print(f"{name!r} goes on behind the event")


@subscriptions.command()
@click.argument("name")
@_space_option
@click.option("--reason", help="Why, for whoever looks.")
@writing
async def pause(db: Database, name: str, space: str | None, reason: str | None) -> None:
    """Let NAME deliver nothing more until it is resumed."""
    await db.subscriptions.pause(name, space=space, reason=reason)
    print(f"{name!r} is paused")


@subscriptions.command()
@click.argument("name")
@_space_option
@writing
async def resume(db: Database, name: str, space: str | None) -> None:
    """Let NAME go on where it was paused."""
    await db.subscriptions.resume(name, space=space)
    print(f"{name!r} goes on")


async def _parked(
    db: Database, name: str, space: str | None, sequence: int, of: str | None
) -> list[ParkedEvent]:
    within = of or space
    if within is None:
        raise click.UsageError("name the space of the event with --of")
    space_id = (await db.spaces.get(within)).space_id
    aside = await db.subscriptions.parked(name, space=space)
    found = [e for e in aside if (e.space_id, e.space_sequence) == (space_id, sequence)]
    if not found:
        raise SubscriptionNotFoundError(name, f"has parked no event {sequence} of {within}")
    return found


def _row(status: SubscriptionStatus) -> list[str | int | None]:
    name = status.name
    if status.partitions > 1:
        name = f"{name} ({status.partition + 1} of {status.partitions})"
    state = f"paused: {status.reason or 'by hand'}" if status.paused_at else None
    space = status.space.space_name if status.space else "all"
    return [
        space,
        name,
        status.position,
        status.head,
        status.lag,
        status.parked,
        state or ("read" if status.owner else "at rest"),
        status.owner,
    ]

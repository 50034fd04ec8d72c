"""`ramax spaces push|pull|status`: carrying a space to another place, back, and how far it is."""

from collections.abc import Callable
from pathlib import Path

import click

from ramax.cli.failures import Command
from ramax.cli.output import Cell, print_json, print_table
from ramax.cli.progress import progress_bar, summary
from ramax.cli.session import json_option, reading, writing
from ramax.entry.features import exchange_of
from ramax.entry.handles import Database
from ramax.entry.sync import SpaceManager, SqlLayer, core_of
from ramax.sync.copying import Copied, Copying
from ramax.sync.directory_layer import DirectoryLayer
from ramax.sync.http_layer import HttpLayer
from ramax.sync.layer import Layer
from ramax.sync.status import LayerStatus
from ramax.sync.websocket_layer import WebSocketLayer

_place = click.argument("place")
_token = click.option(
    "--token",
    envvar="RAMAX_TOKEN",
    show_envvar=True,
    help="What a server knows you by; the variable keeps it out of the list of processes.",
)
_SERVERS: dict[str, Callable[..., Layer]] = {
    **dict.fromkeys(("ws", "wss"), WebSocketLayer),
    **dict.fromkeys(("http", "https"), HttpLayer),
}


@click.command(cls=Command)
@click.argument("space")
@_place
@_token
@writing
async def push(db: Database, space: str, place: str, token: str | None) -> None:
    """Write to PLACE what it lacks of SPACE: a backup, or a copy to go on with elsewhere.

    PLACE is a folder, which is made if it is not there, the URL of a database, or that of a server:
    wss://host/socket, or https://host. Doing it again writes only what is new. SPACE becomes a
    replica, if it is none.
    """
    found = await db.spaces.get(space)
    with progress_bar(f"pushing {space}") as show:
        copied = await _copying(db).push(found, _layer(place, token), show)
    print(_told("pushed", copied))


@click.command(cls=Command)
@click.argument("space")
@_place
@_token
@writing
async def pull(db: Database, space: str, place: str, token: str | None) -> None:
    """Take from PLACE what SPACE lacks; one that does not exist is made: a backup is restored.

    PLACE is a folder, or the URL of a database or a server, which has the space under the same
    name.
    """
    with progress_bar(f"pulling {space}") as show:
        copied = await _copying(db).pull(space, _layer(place, token), show)
    print(_told("pulled", copied))


@click.command(cls=Command)
@click.argument("space")
@json_option
@reading
async def status(db: Database, space: str, as_json: bool) -> None:  # noqa: FBT001
    """Show how far each layer of SPACE was when it was last heard, and how that ended."""
    async with SpaceManager(db) as manager:
        found = list((await manager.status(space)).values())
    if as_json:
        print_json([_document(each) for each in found])
        return
    print_table(["layer", "behind", "refused", "heard", "last error"], [_row(s) for s in found])


def _copying(db: Database) -> Copying:
    core = core_of(db)
    return Copying(core, lambda space: exchange_of(core, space))


def _layer(place: str, token: str | None) -> Layer:
    scheme, is_url, _ = place.partition("://")
    server = _SERVERS.get(scheme.lower())
    if is_url and server is not None:
        return server(place, token=token)
    if is_url:
        return SqlLayer(place)
    path = Path(place)
    if path.is_file():
        raise click.BadParameter(
            f"{place!r} is a file; a database is named by its URL, as sqlite:///{place}",
            param_hint="PLACE",
        )
    return DirectoryLayer(path.resolve())


def _told(verb: str, copied: Copied) -> str:
    told = summary(verb, copied.count, copied.seconds)
    return f"{told}; {copied.refused} were not taken" if copied.refused else told


def _row(status: LayerStatus) -> list[Cell]:
    heard = None if status.heard_at is None else status.heard_at.isoformat(" ", "seconds")
    return [status.layer_id, status.behind, status.refused, heard, status.last_error]


def _document(status: LayerStatus) -> dict[str, str | int | None]:
    return {
        "layer_id": status.layer_id,
        "behind": status.behind,
        "refused": status.refused,
        "heard_at": None if status.heard_at is None else status.heard_at.isoformat(),
        "failed_at": None if status.failed_at is None else status.failed_at.isoformat(),
        "last_error": status.last_error,
    }

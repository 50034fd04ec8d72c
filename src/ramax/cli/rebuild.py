"""`ramax rebuild`: a new read model from the events of a space."""

import time

import click

from ramax.cli.domains import domain_option, joined
from ramax.cli.failures import Command
from ramax.cli.progress import progress_bar, summary
from ramax.cli.session import writing
from ramax.core.domain import Domain
from ramax.runtime.database import Database


@click.command(cls=Command)
@click.argument("space")
@domain_option(required=True, purpose="Folds the events.")
@click.option(
    "--projection",
    default="pstate",
    show_default=True,
    metavar="NAME",
    help="A projection of the domain, into tables of yours, instead of the read model.",
)
@writing
async def rebuild(db: Database, space: str, domains: tuple[Domain, ...], projection: str) -> None:
    """Replace the read model of SPACE by the fold of all its events.

    Writers and readers go on meanwhile; they see the old read model or the new one, never a part.
    Keys that no event wrote are dropped.
    """
    store = await db.content_store(space, joined(domains), create=False)
    started = time.monotonic()
    with progress_bar(f"rebuilding {space}") as show:
        count = await store.rebuild(projection, progress=show)
    print(f"space {space!r}: {summary('folded', count, time.monotonic() - started)}")

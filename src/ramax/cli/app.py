"""The command `ramax` with everything below it."""

import logging
import sys
from io import TextIOWrapper

import click

from ramax.cli.branch import branch
from ramax.cli.chain import chain
from ramax.cli.db import db
from ramax.cli.demo import demo
from ramax.cli.events import events
from ramax.cli.failures import Root
from ramax.cli.imports import import_
from ramax.cli.layers import pull, push, status
from ramax.cli.legacy import legacy
from ramax.cli.mcp import mcp
from ramax.cli.operations import groups
from ramax.cli.pstate import pstate
from ramax.cli.quarantine import discard, quarantined, retry
from ramax.cli.rebuild import rebuild
from ramax.cli.spaces import spaces
from ramax.cli.subscriptions import subscriptions
from ramax.cli.verify import verify


@click.group(cls=Root, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(None, "-V", "--version", package_name="ramax")
def ramax() -> None:
    """Event sourcing with spaces: look at a database, and look after it.

    Start with `ramax demo`. The database of a command is --url, or the variable
    RAMAX_DATABASE_URL: sqlite:///app.db, postgresql://user@host/database, or the path of a file.
    """


legacy.add_command(import_)
for about_layers in (push, pull, status, quarantined, retry, discard):
    spaces.add_command(about_layers)
for group in groups():
    ramax.add_command(group)
MORE = (
    db,
    spaces,
    branch,
    events,
    pstate,
    rebuild,
    subscriptions,
    verify,
    chain,
    legacy,
    demo,
    mcp,
)
for command in MORE:
    ramax.add_command(command)


def main() -> None:
    """Run the command that the arguments of the process name, and exit with its code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # not every terminal has every letter
    logging.basicConfig(level=logging.WARNING, format="ramax: %(message)s")
    ramax(prog_name="ramax")

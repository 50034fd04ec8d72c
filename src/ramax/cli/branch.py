"""`ramax branch`: what can be done with branches."""

import click

from ramax.cli.failures import Group
from ramax.cli.merging import COMMANDS


@click.group(cls=Group)
def branch() -> None:
    """Look at branches, compare and merge them."""


for _command in COMMANDS:
    branch.add_command(_command)

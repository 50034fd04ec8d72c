"""The group has its commands."""

from ramax.cli.branch import branch
from ramax.cli.merging import COMMANDS


def test_the_commands_on_two_branches_are_there():
    assert {each.name for each in COMMANDS} <= set(branch.commands)
